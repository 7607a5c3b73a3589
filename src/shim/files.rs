//! Files that other programs look for: written whole or not at all, and never through a link that lies in their place.

use crate::error::{Error, Kind, Result};
use crate::sys::{file, random};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A new name in the same directory, which nobody can have put something at before.
pub fn beside(path: &Path) -> Result<PathBuf> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", random::name().map_err(|e| e.because("getrandom"))?));
    Ok(PathBuf::from(beside))
}

/// Whether [`write`] may put a file there, for one that a person names: it would put it in place of /dev/null or
/// /dev/stdout.
pub fn check_name(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => Err(no_file()),
        _ => Ok(()),
    }
}

fn no_file() -> Error {
    Error::new("is there, and is not a regular file").kind(Kind::Argument).remedy("name a file")
}

/// In place of what has this name, if anything has.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if !file::is_replaceable(path) {
        return Err(no_file().value(path.display()));
    }
    let beside = beside(path)?;
    let mut new = OpenOptions::new();
    new.write(true).create_new(true).mode(0o644);
    let written = new.open(&beside).and_then(|mut file| file.write_all(bytes));
    written.and_then(|()| fs::rename(&beside, path)).map_err(|e| {
        // Otherwise nothing of it is there.
        let _ = fs::remove_file(&beside);
        Error::io(format!("write {}", path.display()), &e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_in_the_place_of_a_file_is_replaced_and_not_followed() {
        let directory = std::env::temp_dir().join(format!("rr-files-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let (path, target) = (directory.join("address"), directory.join("target"));
        fs::write(&target, "kept").unwrap();
        symlink(&target, &path).unwrap();
        write(&path, b"new").unwrap();
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let names = fs::read_dir(&directory).unwrap().count();
        assert_eq!((read(&path), read(&target), names), ("new".to_owned(), "kept".to_owned(), 2));
        let missing = write(&directory.join("no/file"), b"").unwrap_err();
        assert!(missing.to_string().contains("no/file"), "{missing}");
        fs::remove_dir_all(&directory).unwrap();
    }
}
