//! Paths that are to be masked or read-only are never lost: not by how they are written, and not behind a file of the
//! image's.

use crate::support::Container;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

const LOOK: &str = "[ $(stat -c %t:%T /proc/keys) = 1:3 ] || echo UNMASKED; \
    (: >> /proc/sys/kernel/core_pattern) 2>/dev/null && echo WRITABLE; \
    cat /secret/key /a/secret/key 2>/dev/null; echo INSIDE";

fn with(masked: &str, readonly: &str) -> Container {
    let container = Container::new().sh(LOOK).edit(|config| {
        config["linux"]["maskedPaths"] = json!([masked]);
        config["linux"]["readonlyPaths"] = json!([readonly]);
    });
    let rootfs = container.rootfs();
    for directory in ["secret", "a/secret", "a/b"] {
        fs::create_dir_all(rootfs.join(directory)).unwrap();
    }
    fs::write(rootfs.join("secret/key"), "SECRET\n").unwrap();
    fs::write(rootfs.join("a/secret/key"), "OTHER\n").unwrap();
    fs::write(rootfs.join("file"), "").unwrap();
    symlink("/a/b", rootfs.join("link")).unwrap();
    symlink("loop", rootfs.join("loop")).unwrap();
    container
}

#[test]
fn a_protective_path_holds_however_it_is_written() {
    let written = |place: &str| {
        [
            format!("/proc/{place}/"),
            format!("/proc/../proc/{place}"),
            format!("/sys/../proc/{place}"),
            format!("/nodir/../proc/{place}"),
            format!("/nodir/none/../../proc/{place}"),
            format!("//proc//{place}//"),
            format!("/proc/./{place}/."),
            format!("/proc/self/../{place}"),
            format!("/../proc/{place}"),
        ]
    };
    for (masked, readonly) in written("keys").iter().zip(written("sys")) {
        let container = with(masked, &readonly);
        let out = container.run().ok();
        assert!(!out.contains("UNMASKED") && !out.contains("WRITABLE"), "{masked}, {readonly}: {out}");
        container.assert_gone();
    }
}

/// runc follows a link before `..`, a reader of the config may not: what either of them means is masked.
#[test]
fn a_masked_path_that_goes_up_behind_a_link_is_masked_in_both_readings() {
    let out = with("/link/../secret", "/proc/sys").run().ok();
    assert!(!out.contains("SECRET") && !out.contains("OTHER"), "{out}");
}

#[test]
fn a_protective_path_that_cannot_be_looked_for_is_an_error_that_names_it() {
    for path in ["/file/x", "/file/../secret", "/loop", "/loop/x"] {
        for (masked, readonly) in [(path, "/proc/sys"), ("/proc/keys", path)] {
            let container = with(masked, readonly);
            let err = container.run().fails();
            assert!(err.contains(path), "{path}: {err}");
            container.assert_gone();
        }
    }
}

#[test]
fn a_protective_path_of_which_nothing_is_there_needs_no_protection() {
    assert_eq!(with("/none/at/all", "/neither").run().ok(), "UNMASKED\nWRITABLE\nSECRET\nOTHER\nINSIDE\n");
}
