//! Where the state directory is without `--root`.

use crate::sys::{file, identity};
use std::env;
use std::path::PathBuf;

/// /run/NAME; for an ordinary user, and for one who is root only in a user namespace, NAME below XDG_RUNTIME_DIR. Ours is
/// called rruntime.
pub fn default_root(name: &str) -> PathBuf {
    let euid = identity::euid();
    let runtime_dir = env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    match (euid, runtime_dir) {
        (0, Some(dir)) if is_mapped_user() => dir.join(name),
        (0, _) => PathBuf::from("/run").join(name),
        (_, Some(dir)) => dir.join(name),
        (uid, None) => PathBuf::from(format!("/run/user/{uid}")).join(name),
    }
}

/// Root by id, but not with every id of the host: an ordinary user in a namespace of their own, who cannot write /run. Only
/// one who says that they are root there is taken for it, as by runc; a variable that one caller of an engine sets and
/// another leaves out must not give the same container two directories.
fn is_mapped_user() -> bool {
    env::var_os("USER").is_none_or(|user| user != "root") && !has_every_id()
}

fn has_every_id() -> bool {
    const SMALL: usize = 64 << 10;
    match file::read_at(file::cwd(), c"/proc/self/uid_map", SMALL, 0) {
        Ok(map) => is_whole(&String::from_utf8_lossy(&map)),
        Err(_) => true,
    }
}

/// The map of the initial user namespace: "0 0 4294967295".
fn is_whole(map: &str) -> bool {
    map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_initial_map_holds_every_id() {
        assert!(is_whole("         0          0 4294967295\n"));
        assert!(!is_whole("0 1000 1\n1 100000 65536\n"));
        assert!(!is_whole(""));
    }
}
