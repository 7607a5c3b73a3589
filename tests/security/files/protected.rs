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

/// A process of the container makes a user namespace with its own uid 0 (CAP_SETFCAP) and mount and pid namespaces, and asks
/// for a proc and a sysfs of its own: the kernel gives none while every one that it sees has something covered.
const NESTED: &str = "unshare -U -m -p -f -r sh -c \
        'mount -t proc proc /tmp && echo PROC && (: >> /tmp/sys/kernel/core_pattern) && echo WRITABLE' 2>/dev/null; \
    unshare -U -m -n -r sh -c 'mount -t sysfs sysfs /tmp && echo SYSFS' 2>/dev/null; echo INSIDE";

fn nested(container: Container, options: &[&str], change: impl FnOnce(&mut serde_json::Value)) -> String {
    let container = container.sh(NESTED).edit(|config| {
        config["linux"].as_object_mut().unwrap().remove("seccomp");
        crate::canary::protect(config);
        change(config);
    });
    container.run_with(options).ok()
}

#[test]
fn what_no_pivot_leaves_below_gives_no_proc_to_a_nested_namespace() {
    let unprotected = nested(Container::new(), &[], |config| {
        config["linux"]["maskedPaths"] = json!([]);
        config["linux"]["readonlyPaths"] = json!([]);
    });
    if !unprotected.contains("PROC") {
        crate::skip!("this host gives no proc to a nested user namespace: {unprotected}");
    }
    for options in [&[][..], &["--no-pivot"]] {
        assert_eq!(nested(Container::new(), options, |_| {}), "INSIDE\n", "{options:?}");
        // What came with the mount table of a user namespace is locked: it is covered.
        let container = crate::canary::in_user_namespace(Container::new());
        assert_eq!(nested(container, options, |_| {}), "INSIDE\n", "{options:?}, user namespace");
    }
}
