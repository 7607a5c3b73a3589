//! Paths as config.json writes them: only their text counts, not what is on the disk.

use std::borrow::Cow;

/// A destination in the container, from its root, without repeated slashes, `.` and a slash at the end. `..` removes the
/// part before it in the text, regardless of links on the disk, and never goes above the root.
pub fn absolute(path: &str) -> Cow<'_, str> {
    let plain = path.starts_with('/')
        && (path.len() == 1 || !path.ends_with('/'))
        && !path.contains("//")
        && !path.contains("/./")
        && !path.contains("..")
        && !path.ends_with("/.");
    if plain {
        return Cow::Borrowed(path);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    Cow::Owned(format!("/{}", parts.join("/")))
}

/// A path of the host, which is relative to the bundle (config.md, Root and Mounts).
pub fn in_bundle<'a>(bundle: &str, path: &'a str) -> Cow<'a, str> {
    if path.starts_with('/') {
        return Cow::Borrowed(path);
    }
    Cow::Owned(format!("{}/{path}", bundle.trim_end_matches('/')))
}

/// Whether it is the root of the container. An empty one is no path.
pub fn is_root(path: &str) -> bool {
    !path.is_empty() && absolute(path) == "/"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_taken_from_the_root() {
        for (given, expected) in [
            ("/a/b", "/a/b"),
            ("a", "/a"),
            ("/a//b/", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/", "/"),
            ("/../a/../b", "/b"),
        ] {
            assert_eq!(absolute(given), expected);
        }
    }

    #[test]
    fn relative_sources_are_in_the_bundle() {
        assert_eq!(in_bundle("/b", "x/y"), "/b/x/y");
        assert_eq!(in_bundle("/", "x"), "/x");
        assert_eq!(in_bundle("/b", "/x"), "/x");
    }

    #[test]
    fn the_root_is_the_root_however_it_is_written() {
        for root in ["/", "//", "/.", "/x/..", "..", "."] {
            assert!(is_root(root), "{root}");
        }
        for other in ["", "/x", "/x/../y", "..x"] {
            assert!(!is_root(other), "{other}");
        }
    }
}
