//! Reading a log back, while it is written or afterwards.

use crate::error::{Error, Result};
use crate::shim::conmon::logs::{Form, Output};
use crate::shim::detached::Place;
use serde::Deserialize;
use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

/// What is read at once.
const PIECE: usize = 64 << 10;
/// A line that is longer is none of a log.
const LONGEST: usize = 1 << 20;

/// One part of the output.
pub struct Part<'a> {
    pub output: Output,
    /// As the log has it.
    pub time: Cow<'a, str>,
    pub text: Cow<'a, [u8]>,
    /// The line ends with it.
    pub ends: bool,
}

pub struct Reader {
    form: Form,
    path: PathBuf,
    file: File,
    /// Where the container's part begins.
    begin: u64,
    /// So many lines are left out yet.
    skip: usize,
    /// Of the last line, what has been read of it.
    rest: Vec<u8>,
}

impl Reader {
    /// Of the first of the container's logs that is a file.
    pub fn of(place: &Place) -> Result<Reader> {
        let about = place.about()?.unwrap_or_default();
        let (form, path) = about.log_file().ok_or_else(|| {
            let error = Error::new("none of the container's logs is a file").value(&place.id);
            let journal = about.logs.iter().any(|log| log == "journald");
            let reader = format!("`journalctl CONTAINER_ID_FULL={}` shows the journal's", place.id);
            error.remedy_if(journal.then_some(reader))
        })?;
        let file = open(&path)?;
        let length = file.metadata().map_or(0, |known| known.len());
        // Of a log that begins anew now and then all is the container's, or it cannot be known.
        let mut before = [b'\n'; 1];
        if about.log_begin > 0 {
            // Of one that was cut off meanwhile too.
            let _ = file.read_at(&mut before, about.log_begin - 1);
        }
        let is_known = about.log_size_max == 0 && about.log_begin <= length && before == [b'\n'];
        let begin = if is_known { about.log_begin } else { 0 };
        let mut reader = Reader { form, path, file, begin, skip: 0, rest: Vec::new() };
        reader.seek(SeekFrom::Start(begin))?;
        Ok(reader)
    }

    /// Leaves out all but the last lines.
    pub fn skip_to_last(&mut self, lines: usize) -> Result<()> {
        // A line may have several parts, so more of them are looked at until there are lines enough.
        let mut parts = lines.saturating_add(1);
        loop {
            let start = self.last(parts)?;
            let (mut ends, mut open) = (0, false);
            while self.read(|part| {
                (ends, open) = (ends + usize::from(part.ends), !part.ends);
                Ok(())
            })? {}
            let all = ends + usize::from(open);
            if all > lines || start == self.begin {
                self.rest.clear();
                self.skip = all.saturating_sub(lines);
                return self.seek(SeekFrom::Start(start)).map(drop);
            }
            parts = parts.saturating_mul(2);
        }
    }

    /// Where the last parts begin; that is where the next one is read.
    fn last(&mut self, mut parts: usize) -> Result<u64> {
        let mut end = self.seek(SeekFrom::End(0))?;
        let mut piece = vec![0; PIECE];
        while end > self.begin {
            let begin = end.saturating_sub(PIECE as u64).max(self.begin);
            let piece = &mut piece[..(end - begin) as usize];
            self.seek(SeekFrom::Start(begin))?;
            self.file
                .read_exact(piece)
                .map_err(|e| Error::io(format!("read {}", self.path.display()), &e))?;
            for at in (0..piece.len()).rev().filter(|at| piece[*at] == b'\n') {
                if parts == 0 {
                    return self.seek(SeekFrom::Start(begin + at as u64 + 1));
                }
                parts -= 1;
            }
            end = begin;
        }
        self.seek(SeekFrom::Start(self.begin))
    }

    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.file.seek(to).map_err(|e| Error::io(format!("read {}", self.path.display()), &e))
    }

    /// Hands over what there is; `false`: there was nothing new.
    pub fn read(&mut self, mut take: impl FnMut(Part) -> Result<()>) -> Result<bool> {
        let failed = |e: std::io::Error| Error::io(format!("read {}", self.path.display()), &e);
        let mut piece = vec![0; PIECE];
        let length = self.file.read(&mut piece).map_err(failed)?;
        if length == 0 {
            return self.begin_anew();
        }
        self.rest.extend_from_slice(&piece[..length]);
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in self.rest[..whole].split_inclusive(|byte| *byte == b'\n') {
            match part(self.form, &line[..line.len() - 1]) {
                Some(part) if self.skip > 0 => self.skip -= usize::from(part.ends),
                Some(part) => take(part)?,
                None => {}
            }
        }
        self.rest.drain(..whole);
        if self.rest.len() > LONGEST {
            self.rest.clear();
        }
        Ok(true)
    }

    /// A log of limited size is emptied, or another file has come in its place.
    fn begin_anew(&mut self) -> Result<bool> {
        let failed = |e: std::io::Error| Error::io(format!("look at {}", self.path.display()), &e);
        let own = self.file.metadata().map_err(failed)?;
        let other = std::fs::metadata(&self.path).is_ok_and(|other| other.ino() != own.ino());
        let emptied = own.len() < self.file.stream_position().map_err(failed)?;
        if other {
            self.file = open(&self.path)?;
        } else if emptied {
            self.seek(SeekFrom::Start(0))?;
        }
        if other || emptied {
            self.rest.clear();
        }
        Ok(other || emptied)
    }
}

fn open(path: &PathBuf) -> Result<File> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = opened.map_err(|e| Error::io(format!("open {}", path.display()), &e))?;
    match file.metadata().is_ok_and(|known| known.is_file()) {
        true => Ok(file),
        false => Err(Error::new("a log is a file, and this is none").value(path.display())),
    }
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    stream: Cow<'a, str>,
    time: Cow<'a, str>,
}

/// `None`: the line is not one of a log.
fn part(form: Form, line: &[u8]) -> Option<Part<'_>> {
    let output = |name: &str| if name == "stderr" { Output::Err } else { Output::Out };
    match form {
        Form::Kubernetes => {
            let mut words = line.splitn(4, |byte| *byte == b' ');
            let mut word = || std::str::from_utf8(words.next()?).ok();
            let (time, stream, tag) = (word()?, word()?, word()?);
            let (output, ends) = (output(stream), tag.starts_with('F'));
            Some(Part { output, time: time.into(), text: words.next()?.into(), ends })
        }
        Form::Json => {
            let object: Object = serde_json::from_slice(line).ok()?;
            let (output, ends) = (output(&object.stream), object.log.ends_with('\n'));
            let mut text = object.log.into_owned().into_bytes();
            text.truncate(text.len() - usize::from(ends));
            Some(Part { output, time: object.time, text: text.into(), ends })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_as_they_were_written() {
        let read = |form, line: &str| {
            part(form, line.as_bytes()).map(|part| {
                let text = String::from_utf8_lossy(&part.text).into_owned();
                (part.output == Output::Err, part.time.into_owned(), text, part.ends)
            })
        };
        let wanted = |text: &str, ends| Some((true, "2026".to_owned(), text.to_owned(), ends));
        assert_eq!(read(Form::Kubernetes, "2026 stderr F a b "), wanted("a b ", true));
        assert_eq!(read(Form::Kubernetes, "2026 stderr P "), wanted("", false));
        assert_eq!(read(Form::Kubernetes, "2026 stderr"), None);
        let json = r#"{"log":"a\"\n","stream":"stderr","time":"2026"}"#;
        assert_eq!(read(Form::Json, json), wanted("a\"", true));
        assert_eq!(read(Form::Json, "{"), None);
    }
}
