//! Labels of security modules.

use super::{checkpoint, count, counting, counts_on, needs_criu, restore, started};
use crate::support::apparmor::{CONTAINER, Profile};
use std::fs;

#[test]
fn a_profile_is_the_options_or_the_configs() {
    needs_criu!();
    if let Some(reason) = Profile::impossible() {
        crate::skip!("{reason}");
    }
    let (one, other) = (Profile::load("rr-criu-one", CONTAINER), Profile::load("rr-criu-other", CONTAINER));
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
    let lacks = |module: &str| !std::path::Path::new(&format!("/sys/kernel/security/{module}")).exists();
    for (option, value, module) in [
        ("--lsm-profile", "apparmor:none", "apparmor"),
        ("--lsm-profile", "selinux:none", "selinux"),
        ("--lsm-mount-context", "system_u:object_r:container_file_t:s0", "selinux"),
    ] {
        if lacks(module) || module == "selinux" {
            let said = restore(&container, &[option, value]).fails();
            assert!(said.contains(option) && said.to_lowercase().contains(module), "{said}");
        }
    }
    let said = restore(&container, &["--lsm-profile", "none"]).fails();
    assert!(said.contains("TYPE:NAME"), "{said}");
}
