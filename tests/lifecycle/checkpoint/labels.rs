//! Labels of security modules.

use super::{checkpoint, count, counting, counts_on, needs_criu, restore, started};
use crate::support::Container;
use crate::support::apparmor::{CONTAINER, Profile};
use std::fs;

#[test]
fn a_profile_is_the_options_or_the_configs() {
    needs_criu!();
    if let Some(reason) = Profile::impossible() {
        crate::skip!("{reason}");
    }
    // CRIU ends what it has written, by a signal.
    let rules = format!("{CONTAINER}signal,\n");
    let (one, other) = (Profile::load("rr-criu-one", &rules), Profile::load("rr-criu-other", &rules));
    let container = started(counting().edit(|config| {
        config["process"]["apparmorProfile"] = one.name.clone().into();
    }));
    let option = format!("apparmor:{}", other.name);
    for (options, profile) in [(&[][..], &one), (&["--lsm-profile", &option], &other)] {
        checkpoint(&container, &[]).ok();
        let before = count(&container);
        restore(&container, options).ok();
        counts_on(&container, before);
        let label = fs::read_to_string(format!("/proc/{}/attr/current", container.pid())).unwrap();
        assert!(label.starts_with(&profile.name), "{label}");
        let said = container.exec_sh("cat /etc/group; cat /etc/passwd").out;
        assert!(said.contains("root") && !said.contains("daemon"), "{said}");
    }
}

#[test]
fn a_label_of_a_module_that_the_host_lacks_is_refused() {
    needs_criu!();
    let container = started(counting());
    checkpoint(&container, &[]).ok();
    for (option, value, module, place) in [
        ("--lsm-profile", "apparmor:none", "apparmor", "/sys/kernel/security/apparmor"),
        ("--lsm-profile", "selinux:none", "selinux", "/sys/fs/selinux"),
        ("--lsm-mount-context", "system_u:object_r:container_file_t:s0", "selinux", "/sys/fs/selinux"),
    ] {
        if !fs::exists(place).unwrap() {
            let said = restore(&container, &[option, value]).fails();
            assert!(said.contains(option) && said.to_lowercase().contains(module), "{said}");
        }
    }
    let said = restore(&container, &["--lsm-profile", "none"]).fails();
    assert!(said.contains("TYPE:NAME"), "{said}");
}

/// SELinux as it decides while this exists.
struct Mode(String);

const ENFORCE: &str = "/sys/fs/selinux/enforce";

impl Mode {
    fn permissive() -> Option<Mode> {
        let before = fs::read_to_string(ENFORCE).ok()?;
        fs::write(ENFORCE, "0").unwrap();
        Some(Mode(before))
    }
}

impl Drop for Mode {
    fn drop(&mut self) {
        fs::write(ENFORCE, &self.0).unwrap();
    }
}

/// Debian's policy forbids what CRIU does, and its CRIU knows nothing of labels of processes.
#[test]
fn file_systems_have_the_mount_context_of_the_option_or_the_config() {
    needs_criu!();
    let Some(_mode) = Mode::permissive() else { crate::skip!("this kernel has no SELinux") };
    let label = |categories: &str| format!("system_u:object_r:container_file_t:s0:{categories}");
    let container = started(counting().edit(|config| {
        config["linux"]["mountLabel"] = label("c1,c2").into();
    }));
    let shown = |container: &Container| -> Vec<String> {
        let table = fs::read_to_string(format!("/proc/{}/mountinfo", container.pid())).unwrap();
        let context = |line: &str| Some(line.split_once("context=\"")?.1.split_once('"')?.0.to_owned());
        table.lines().filter_map(context).collect()
    };
    let before = shown(&container).len();
    let other = label("c3,c4");
    for (options, wanted) in [(&[][..], "c1,c2"), (&["--lsm-mount-context", &other], "c3,c4")] {
        checkpoint(&container, &[]).ok();
        let counted = count(&container);
        restore(&container, options).ok();
        counts_on(&container, counted);
        assert_eq!(shown(&container), vec![label(wanted); before], "{options:?}");
    }
    assert!(before > 2, "{before} file systems have a label");
}
