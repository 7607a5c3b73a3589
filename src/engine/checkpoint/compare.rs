//! The mounts of a restored container, held against those of its model: the same things at the same places, shown with the
//! same restrictions. What images say beside that would show more of the host, or write to it.

use crate::error::{Error, Result};
use crate::host::mountinfo::{self, Line, unescape};

/// What a mount may not lack where the model's has it.
const RESTRICTIONS: [&str; 4] = ["ro", "nosuid", "nodev", "noexec"];

/// Compares two mount tables. `shown` are the places of what is the host's: the root, and what the config binds.
pub fn check(model: &str, restored: &str, shown: &[&str]) -> Result<()> {
    let mut left: Vec<Line> = mountinfo::lines(model).collect();
    for line in mountinfo::lines(restored) {
        // What lies above hides what lies below: the same order counts.
        let Some(at) = left.iter().position(|known| known.point == line.point) else {
            return Err(refused(&line, "a mount that its config does not have".into()));
        };
        let known = left.remove(at);
        let of_host = shown.contains(&&*unescape(line.point));
        if let Some(why) = difference(&known, &line, of_host) {
            return Err(refused(&line, why));
        }
    }
    match left.first() {
        Some(missing) => Err(refused(missing, "no mount, although its config has one".into())),
        None => Ok(()),
    }
}

fn difference(model: &Line, restored: &Line, of_host: bool) -> Option<String> {
    let (wanted, has) = (unescape(model.root), unescape(restored.root));
    if model.kind != restored.kind {
        return Some(format!("a {} instead of a {}", restored.kind, model.kind));
    }
    if wanted != has || (of_host && model.device != restored.device) {
        return Some(format!("{has} of a {} instead of {wanted}", restored.kind));
    }
    let lacks = |words: &str, word: &str| !words.split(',').any(|has| has == word);
    let lacking = RESTRICTIONS.iter().find(|word| !lacks(model.flags, word) && lacks(restored.flags, word));
    if let Some(word) = lacking {
        return Some(format!("a mount that is not {word}"));
    }
    let read_only = !lacks(model.options, "ro") && lacks(restored.options, "ro");
    read_only.then(|| "a file system that is not ro".to_owned())
}

fn refused(line: &Line, why: String) -> Error {
    let point = unescape(line.point);
    Error::new(format!("the checkpoint has {why} at {point}")).field("/mounts").value(point).remedy(
        "restore it with the config that it was written from; if that is so, do not trust its files, or leave out \
         what the container or `mounts add` has mounted",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "1 0 8:1 /img / rw,relatime - ext4 /dev/x rw\n\
                         2 1 0:40 / /proc rw,nosuid,nodev,noexec - proc proc rw\n\
                         3 2 0:40 /sys /proc/sys ro,nosuid - proc proc rw\n\
                         4 1 8:2 /vol /data ro - ext4 /dev/y rw\n";

    fn said(from: &str, to: &str) -> String {
        let restored = MODEL.replace(from, to);
        assert_ne!(restored, MODEL, "{from}");
        check(MODEL, &restored, &["/", "/data"]).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn a_container_with_the_mounts_of_its_model_passes() {
        assert!(check(MODEL, MODEL, &["/", "/data"]).is_ok());
        assert_eq!(said("0:40", "0:77"), "", "its own file systems have other numbers");
        assert_eq!(said("rw,relatime", "ro,nodev"), "", "more restrictions do no harm");
    }

    #[test]
    fn what_shows_more_than_the_model_is_refused() {
        assert!(said("/data ro", "/data rw").contains("not ro at /data"));
        assert!(said("8:2 /vol", "8:2 /").contains("/ of a ext4 instead of /vol at /data"));
        assert!(said("8:2 /vol", "8:3 /vol").contains("at /data"));
        assert!(said("8:1 /img", "8:1 /").contains("at /"));
        assert!(said("- proc proc", "- sysfs sysfs").contains("a sysfs instead of a proc"));
        assert!(said("3 2 0:40 /sys /proc/sys ro,nosuid - proc proc rw\n", "").contains("/proc/sys"));
        assert!(said("4 1", "5 1 0:9 / /debug rw - debugfs x rw\n4 1").contains("does not have at /debug"));
        assert!(said("noexec", "exec").contains("not noexec at /proc"));
    }
}
