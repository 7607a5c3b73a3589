//! The words of config.json that stand for constants of the kernel.

use rruntime::names::*;

#[test]
fn capability_numbers_are_the_kernels() {
    assert_eq!(capability("CAP_CHOWN"), Some(0));
    assert_eq!(capability("CAP_SYS_ADMIN"), Some(21));
    assert_eq!(capability("CAP_AUDIT_READ"), Some(37));
    assert_eq!(capability("CAP_CHECKPOINT_RESTORE"), Some(40));
    assert_eq!(capability_name(21), Some("CAP_SYS_ADMIN"));
    assert_eq!(capability_name(41), None);
}

#[test]
fn capability_names_and_numbers_are_those_of_the_caps_crate() {
    for known in caps::all() {
        assert_eq!(capability(&known.to_string()), Some(known.index()));
    }
    assert_eq!(caps::all().len(), CAPABILITIES.len());
}

#[test]
fn what_peers_take_for_no_capability_is_none() {
    assert_eq!(capability("CAP_KILL"), Some(5));
    for name in ["cap_kill", "KILL", "kill", "Cap_Kill", "", "CAP_", "CAP_FOO", "é", "CAP_KILLé", "5"] {
        assert_eq!(capability(name), None, "{name}");
    }
}

#[test]
fn a_capability_mask_has_one_bit_a_name() {
    assert_eq!(capability_mask(["CAP_CHOWN", "CAP_KILL", "CAP_NONE"]), 0b10_0001);
}

#[test]
fn signals_are_taken_by_number_and_by_name() {
    for text in ["9", "KILL", "SIGKILL", "sigkill", "kill"] {
        assert_eq!(signal(text), Some(9), "{text}");
    }
    assert_eq!(signal("0"), Some(0));
    assert_eq!(signal("SIGRTMIN"), Some(34));
    assert_eq!(signal("RTMIN+3"), Some(37));
    assert_eq!(signal("sigrtmax-1"), Some(63));
    for text in ["", "SIG", "65", "-1", "RTMIN+31", "RTMAX-31", "RTMIN-1", "RTMIN+", "NOSUCH", "SIGSIGKILL"] {
        assert_eq!(signal(text), None, "{text}");
    }
}

#[test]
fn a_slip_of_the_keyboard_is_understood_and_another_word_is_not() {
    let names = || ["create", "delete", "state", "start", "ps", "nosuid"].into_iter();
    for (word, wanted) in [
        ("creat", Some("create")),
        ("strat", Some("start")),
        ("nosiud", Some("nosuid")),
        ("deletee", Some("delete")),
        ("px", None),
        ("stop", None),
        ("", None),
    ] {
        assert_eq!(nearest(word, names()), wanted, "{word}");
    }
    assert_eq!(nearest(&"x".repeat(1 << 20), names()), None);
}

#[test]
fn no_name_stands_twice_in_a_table() {
    let mut names: Vec<&str> = MOUNT_OPTIONS.iter().map(|option| option.name).collect();
    names.sort_unstable();
    let before = names.len();
    names.dedup();
    assert_eq!(names.len(), before);
}

#[test]
fn data_of_the_filesystem_is_no_mount_option() {
    for data in ["size=64k", "mode=755", "newinstance", "lowerdir=/a", ""] {
        assert_eq!(mount_option(data), None, "{data}");
    }
    assert_eq!(mount_option("ro"), Some(Effect::Set(libc::MOUNT_ATTR_RDONLY)));
    assert_eq!(propagation_mode("rslave"), Some((libc::MS_SLAVE, true)));
    assert_eq!(propagation_mode("ro"), None);
}

#[test]
fn namespaces_have_the_names_that_proc_has() {
    for namespace in NAMESPACES {
        let path = format!("/proc/self/ns/{}", namespace.proc_name);
        assert!(std::fs::symlink_metadata(&path).is_ok(), "{path}");
    }
}
