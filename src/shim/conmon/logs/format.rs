//! Output as the lines of a log. Each part that comes is cut at its line ends; the last of it may be a part of a line.

use crate::shim::conmon::logs::{Form, Output};
use crate::time::rfc3339;
use std::time::{Duration, UNIX_EPOCH};

/// The lines of `bytes`, each with whether its end is there.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(|line| match line.strip_suffix(b"\n") {
        Some(line) => (line, true),
        None => (line, false),
    })
}

/// The same moment gives the same text, whatever process it is in: a successor writes over what was written.
pub fn text(form: Form, output: Output, moment: Duration, bytes: &[u8]) -> Vec<u8> {
    let seconds = rfc3339(UNIX_EPOCH + moment);
    let stamp = format!("{}.{:09}", seconds.trim_end_matches('Z'), moment.subsec_nanos());
    let stream = if output == Output::Out { "stdout" } else { "stderr" };
    let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 64);
    for (line, ended) in lines(bytes) {
        match form {
            Form::Kubernetes => {
                let tag = if ended { 'F' } else { 'P' };
                text.extend_from_slice(format!("{stamp}+00:00 {stream} {tag} ").as_bytes());
                text.extend_from_slice(line);
            }
            Form::Json => {
                let mut words = String::from_utf8_lossy(line).into_owned();
                if ended {
                    words.push('\n');
                }
                let words = serde_json::Value::String(words);
                let object = format!("{{\"log\":{words},\"stream\":\"{stream}\",\"time\":\"{stamp}Z\"}}");
                text.extend_from_slice(object.as_bytes());
            }
        }
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_their_time_and_a_part_of_one_says_so() {
        let moment = Duration::new(1_700_000_000, 5);
        let text = |form, bytes: &[u8]| String::from_utf8(text(form, Output::Err, moment, bytes)).unwrap();
        assert_eq!(
            text(Form::Kubernetes, b"a\n\nb"),
            "2023-11-14T22:13:20.000000005+00:00 stderr F a\n2023-11-14T22:13:20.000000005+00:00 stderr F \n\
             2023-11-14T22:13:20.000000005+00:00 stderr P b\n"
        );
        assert_eq!(
            text(Form::Json, b"\"\n"),
            "{\"log\":\"\\\"\\n\",\"stream\":\"stderr\",\"time\":\"2023-11-14T22:13:20.000000005Z\"}\n"
        );
    }
}
