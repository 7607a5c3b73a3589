//! The code of a failure: one stable word for what kind of thing went wrong, for programs and for a search in the documents.
//!
//! A code never changes its meaning and is never used again for another one. `docs/errors.md` lists them, and a test holds
//! that page against this table.

use crate::error::{Detail, Kind};

/// What a code is given to.
enum Of {
    Kind(Kind),
    /// Failures without a class of their own, by the field that they come from: these prefixes of its pointer.
    Fields(&'static [&'static str]),
    /// What nothing else fits.
    Rest,
}

use Of::{Fields, Rest};

/// The first row that fits counts.
const TABLE: &[(&str, Of)] = &[
    ("config-invalid", Of::Kind(Kind::Config)),
    ("argument-invalid", Of::Kind(Kind::Argument)),
    ("no-such-container", Of::Kind(Kind::NoSuchContainer)),
    ("id-in-use", Of::Kind(Kind::IdInUse)),
    ("wrong-state", Of::Kind(Kind::WrongState)),
    ("already-so", Of::Kind(Kind::AlreadySo)),
    ("program-not-found", Of::Kind(Kind::NotFound)),
    ("program-not-executable", Of::Kind(Kind::NotExecutable)),
    ("interrupted", Of::Kind(Kind::Interrupted)),
    ("taken", Of::Kind(Kind::Taken)),
    ("unsupported", Of::Kind(Kind::Unsupported)),
    ("hook-failed", Fields(&["/hooks"])),
    ("rootfs-failed", Fields(&["/root"])),
    (
        "mount-failed",
        Fields(&["/mounts", "/linux/maskedPaths", "/linux/readonlyPaths", "/linux/rootfsPropagation"]),
    ),
    ("device-failed", Fields(&["/linux/devices", "/linux/netDevices"])),
    ("cgroup-failed", Fields(&["/linux/resources", "/linux/cgroupsPath"])),
    ("seccomp-failed", Fields(&["/linux/seccomp"])),
    (
        "security-module-failed",
        Fields(&["/process/apparmorProfile", "/process/selinuxLabel", "/linux/mountLabel"]),
    ),
    (
        "namespace-failed",
        Fields(&["/linux/namespaces", "/linux/uidMappings", "/linux/gidMappings", "/linux/timeOffsets"]),
    ),
    ("process-failed", Fields(&["/process"])),
    ("setting-failed", Fields(&["/"])),
    ("argument-failed", Fields(&["--", "container-id"])),
    ("failed", Rest),
];

/// Every code, in the order of the page that explains them.
pub fn all() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(code, _)| *code)
}

impl Detail {
    /// The stable word for what kind of failure this is.
    pub fn code(&self) -> &'static str {
        let fits = |of: &Of| match of {
            Of::Kind(kind) => *kind == self.kind,
            Fields(prefixes) => self
                .field
                .as_deref()
                .is_some_and(|field| prefixes.iter().any(|prefix| field.starts_with(prefix))),
            Rest => true,
        };
        TABLE.iter().find(|(_, of)| fits(of)).map_or("failed", |(code, _)| code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::collections::BTreeSet;

    #[test]
    fn the_class_gives_the_code_and_else_the_field_does() {
        for (kind, field, code) in [
            (Kind::Config, Some("/mounts/0"), "config-invalid"),
            (Kind::Argument, Some("--bundle"), "argument-invalid"),
            (Kind::Other, Some("/mounts/0/source"), "mount-failed"),
            (Kind::Other, Some("/linux/resources/memory/limit"), "cgroup-failed"),
            (Kind::Other, Some("/linux/devices/0"), "device-failed"),
            (Kind::Other, Some("/hostname"), "setting-failed"),
            (Kind::Other, Some("--log"), "argument-failed"),
            (Kind::Other, None, "failed"),
        ] {
            let error = Error::new("x").kind(kind).field_if(field);
            assert_eq!(error.detail().code(), code, "{field:?}");
        }
    }

    /// A reader who has a code finds it, and no code stands there that nothing has.
    #[test]
    fn the_page_explains_each_code_once() {
        let page = include_str!("../docs/errors.md").split_once("## Codes").unwrap().1;
        let explained: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` |").map(|(code, _)| code))
            .collect();
        assert_eq!(explained, all().collect::<Vec<_>>());
        assert_eq!(explained.iter().collect::<BTreeSet<_>>().len(), explained.len());
    }
}
