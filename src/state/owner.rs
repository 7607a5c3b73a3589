//! The name of a user id, for the OWNER column: /etc/passwd and nothing else (no NSS in a static binary).

use crate::sys::file;
use std::collections::HashMap;

/// More than any real file; a larger one is not read.
const LARGEST: usize = 4 << 20;

/// Names by user id, read once for a whole list.
#[derive(Debug, Default)]
pub struct UserNames(HashMap<u32, String>);

impl UserNames {
    /// A file that is missing or unreadable means that no name is known.
    pub fn of_host() -> UserNames {
        match file::read_at(file::cwd(), c"/etc/passwd", LARGEST, 0) {
            Ok(bytes) => UserNames::parse(&String::from_utf8_lossy(&bytes)),
            Err(_) => UserNames::default(),
        }
    }

    fn parse(passwd: &str) -> UserNames {
        let mut names = HashMap::new();
        for line in passwd.lines() {
            let mut fields = line.split(':');
            if let (Some(name), Some(Ok(uid))) = (fields.next(), fields.nth(1).map(str::parse)) {
                names.entry(uid).or_insert_with(|| name.to_owned());
            }
        }
        UserNames(names)
    }

    /// The name, or "#1000" for an id without one.
    pub fn name(&self, uid: u32) -> String {
        self.0.get(&uid).cloned().unwrap_or_else(|| format!("#{uid}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_an_id_wins_and_bad_lines_are_skipped() {
        let owners =
            UserNames::parse("root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:\nbad\nx:y:z:1\nann:x:1000:1000::/:");
        assert_eq!(owners.name(0), "root");
        assert_eq!(owners.name(1000), "ann");
        assert_eq!(owners.name(7), "#7");
    }
}
