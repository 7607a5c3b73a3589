//! mount(2), for the options of an overlay that fsconfig(2) is too short for.
//!
//! The same file system with the same options, made where it is attached: init mounts it on the working directory,
//! which is the open destination, so that the destination is no path here either. The overlay's own paths are the
//! host's, and have to be absolute: a relative one would begin in the image.

use crate::error::{Error, Kind, Result};
use std::borrow::Cow;
use std::ffi::CString;

/// Values of fsconfig(2) that the kernel takes are shorter than this.
const FSCONFIG_VALUE: usize = 256;

/// The kernel takes one page of options, with a NUL at its end.
const PAGE: usize = 4096;

/// Attributes of a mount by their options, and the flags of mount(2) that set them.
const ATTRIBUTES: [(&str, u64, u64); 6] = [
    ("ro", libc::MOUNT_ATTR_RDONLY, libc::MS_RDONLY),
    ("nosuid", libc::MOUNT_ATTR_NOSUID, libc::MS_NOSUID),
    ("nodev", libc::MOUNT_ATTR_NODEV, libc::MS_NODEV),
    ("noexec", libc::MOUNT_ATTR_NOEXEC, libc::MS_NOEXEC),
    ("nodiratime", libc::MOUNT_ATTR_NODIRATIME, libc::MS_NODIRATIME),
    ("nosymfollow", libc::MOUNT_ATTR_NOSYMFOLLOW, 256 /* MS_NOSYMFOLLOW */),
];

/// Words that are flags of mount(2) and not data.
const WORDS: [(&str, u64); 5] = [
    ("ro", libc::MS_RDONLY),
    ("sync", libc::MS_SYNCHRONOUS),
    ("dirsync", libc::MS_DIRSYNC),
    ("mand", libc::MS_MANDLOCK),
    ("lazytime", libc::MS_LAZYTIME),
];

/// Their opposites, which are the default of a new file system.
const DEFAULTS: [&str; 4] = ["rw", "async", "nomand", "nolazytime"];

pub fn is_long(option: &str) -> bool {
    option.split_once('=').is_some_and(|(_, value)| value.len() >= FSCONFIG_VALUE)
}

/// The options that flags of mount(2) are.
pub fn names(flags: u64) -> String {
    let times = [("noatime", libc::MS_NOATIME), ("strictatime", libc::MS_STRICTATIME)];
    let attributes = ATTRIBUTES.iter().map(|(name, _, flag)| (*name, *flag));
    let all = attributes.chain(WORDS.into_iter().skip(1)).chain(times);
    all.filter(|(_, flag)| flags & flag != 0).map(|(name, _)| name).collect::<Vec<_>>().join(",")
}

/// The flags and the data of mount(2); `i` is the mount's place in the list.
pub fn arguments(attributes: u64, options: &[Cow<str>], i: usize) -> Result<(u64, CString)> {
    let mut flags =
        ATTRIBUTES.iter().filter(|(_, bit, _)| attributes & bit != 0).fold(0, |all, (_, _, flag)| all | flag);
    flags |= match attributes & libc::MOUNT_ATTR__ATIME {
        libc::MOUNT_ATTR_NOATIME => libc::MS_NOATIME,
        libc::MOUNT_ATTR_STRICTATIME => libc::MS_STRICTATIME,
        _ => libc::MS_RELATIME,
    };
    let mut data: Vec<&str> = Vec::new();
    for option in options {
        check_paths(option, i)?;
        match WORDS.iter().find(|(word, _)| word == option) {
            Some((_, flag)) => flags |= flag,
            None if DEFAULTS.contains(&&**option) => {}
            None => data.push(option),
        }
    }
    let data = data.join(",");
    if data.len() >= PAGE {
        return Err(Error::new("the kernel takes at most 4095 bytes of options for one file system")
            .kind(Kind::Unsupported)
            .field(format!("/mounts/{i}/options"))
            .remedy("use shorter paths, or mount it on the host and bind it"));
    }
    Ok((flags, crate::plan::script::c(&data)))
}

/// Layers are separated by colons, data layers by two; a colon of a name has a backslash before it.
fn check_paths(option: &str, i: usize) -> Result<()> {
    let Some(("lowerdir" | "upperdir" | "workdir", paths)) = option.split_once('=') else { return Ok(()) };
    let mut before = ':';
    for character in paths.chars() {
        if before == ':' && !matches!(character, '/' | ':') {
            return Err(Error::new("the paths of an overlay have to be absolute")
                .kind(Kind::Config)
                .field(format!("/mounts/{i}/options"))
                .value(option));
        }
        before = if before == '\\' { ' ' } else { character };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_data_are_told_apart() {
        let long = format!("lowerdir=/{}", "a".repeat(300));
        assert!(is_long(&long) && !is_long("size=1k") && !is_long(&"x".repeat(300)));
        let options =
            [Cow::Borrowed("dirsync"), Cow::Borrowed("async"), Cow::Borrowed(&*long), Cow::Borrowed("ro")];
        let attributes = libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOATIME;
        let (flags, data) = arguments(attributes, &options, 0).unwrap();
        assert_eq!(flags, libc::MS_NODEV | libc::MS_NOATIME | libc::MS_DIRSYNC | libc::MS_RDONLY);
        assert_eq!(data.to_str(), Ok(&*long));
    }

    #[test]
    fn paths_of_an_overlay_begin_at_the_root() {
        for good in ["lowerdir=/a:/b", "lowerdir=/a::/b", r"lowerdir=/a\:b:/c", r"upperdir=/a\\", "index=off"]
        {
            assert!(check_paths(good, 0).is_ok(), "{good}");
        }
        for bad in ["lowerdir=a", "lowerdir=/a:b", "lowerdir=/a::b", r"lowerdir=/a\\:b", "workdir=../w"] {
            assert!(check_paths(bad, 0).is_err(), "{bad}");
        }
    }

    #[test]
    fn more_than_a_page_is_refused_by_field() {
        let long = Cow::Owned(format!("lowerdir=/{}", "a".repeat(4090)));
        let error = arguments(0, &[long], 3).unwrap_err().to_string();
        assert!(error.contains("/mounts/3/options"), "{error}");
    }
}
