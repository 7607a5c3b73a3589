//! What an ordinary user may not do, and whether the error says what to do instead.

use crate::support::apparmor::{self, Profile};
use crate::support::ordinary::ordinary_ids;
use crate::support::{Container, finish};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

#[test]
fn without_a_user_namespace_the_error_names_it() {
    let container = Container::ordinary().without_namespace("user").sh("true").edit(|config| {
        config["linux"].as_object_mut().expect("linux").remove("uidMappings");
        config["linux"].as_object_mut().expect("linux").remove("gidMappings");
    });
    let error = container.run().fails();
    assert!(error.contains("/linux/namespaces") && error.contains("uidMappings"), "{error}");
    container.assert_gone();
}

#[test]
fn where_user_namespaces_are_switched_off_the_error_names_the_switch() {
    let container = Container::ordinary().sh("true");
    container.write_config();
    // A user namespace of our own has its own switch.
    let line = format!(
        "echo 0 > /proc/sys/user/max_user_namespaces && exec {} --root {} run --bundle {} {}",
        container.binary().display(),
        container.state_root().display(),
        container.bundle().display(),
        container.id
    );
    let mut command = container.as_user("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", &line]).stdin(Stdio::null());
    let error = finish(command).fails();
    assert!(error.contains("/proc/sys/user/max_"), "{error}");
    assert!(error.contains("No space left on device") || error.contains("limit"), "{error}");
}

/// Ubuntu's restriction has the same two faces: no user namespace at all, or one in which nothing is allowed.
#[test]
fn where_apparmor_forbids_user_namespaces_the_error_says_what_the_profile_must_have() {
    if let Some(reason) = Profile::impossible() {
        skip!("{reason}");
    }
    let forbidding = [("userns,", "user namespaces"), ("capability,", "capabilities")];
    for (index, (rule, what)) in forbidding.into_iter().enumerate() {
        let container = Container::ordinary().sh("echo INSIDE");
        container.write_config();
        let rules = apparmor::RUNTIME.replace(&format!("{rule}\n"), "");
        let profile = Profile::load(&format!("rruntime-test-{}-{index}", container.id), &rules);
        let mut command = container.as_user("aa-exec");
        command.args(["-p", &profile.name, "--"]).arg(container.binary()).arg("--root");
        command.arg(container.state_root()).args(["run", "--bundle"]).arg(container.bundle());
        let ended = finish({
            command.arg(&container.id).stdin(Stdio::null());
            command
        });
        assert_eq!(ended.out, "", "{what}");
        let error = ended.fails();
        for part in ["/linux/namespaces", &*profile.name, "userns,", "capability,"] {
            assert!(error.contains(part), "without {what} {part} is missing: {error}");
        }
        container.assert_gone();
    }
}

#[test]
fn somebody_elses_id_without_the_helpers_says_which_package_has_them() {
    let (uid, gid) = ordinary_ids();
    let container = Container::ordinary().sh("true").edit(|config| {
        config["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": uid + 1, "size": 1}]);
        config["linux"]["gidMappings"] = json!([{"containerID": 0, "hostID": gid, "size": 1}]);
    });
    container.write_config();
    let mut command = container.as_user(container.binary());
    command.env("PATH", "/nowhere").arg("--root").arg(container.state_root()).args(["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).stdin(Stdio::null());
    let error = finish(command).fails();
    for part in ["newuidmap", "uidmap", "/linux/uidMappings", "your own id"] {
        assert!(error.contains(part), "{part} is missing: {error}");
    }
    container.assert_gone();
}

#[test]
fn a_user_that_is_not_mapped_is_named() {
    let container =
        Container::ordinary().sh("true").edit(|config| config["process"]["user"]["uid"] = 1000.into());
    let error = container.run().fails();
    assert!(error.contains("/process/user") && error.contains("1000"), "{error}");
    assert!(error.contains("mapp"), "{error}");
    container.assert_gone();
}

#[test]
fn groups_that_cannot_be_set_are_named() {
    let container = Container::ordinary()
        .sh("true")
        .edit(|config| config["process"]["user"]["additionalGids"] = json!([5]));
    let error = container.run().fails();
    assert!(error.contains("/process/user/additionalGids"), "{error}");
    container.assert_gone();
}

#[test]
fn a_group_for_terminals_that_is_not_mapped_is_named() {
    let container = Container::ordinary().sh("true").edit(|config| {
        let options = &mut crate::support::ordinary::mount_of(config, "/dev/pts")["options"];
        options.as_array_mut().expect("a list").push("gid=5".into());
    });
    let error = container.run().fails();
    assert!(error.contains("/mounts/2") && error.contains("gid"), "{error}");
    container.assert_gone();
}

#[test]
fn sysfs_with_the_hosts_network_says_how_to_show_the_hosts() {
    let container = Container::ordinary().without_namespace("network").sh("true");
    let error = container.run().fails();
    assert!(error.contains("/mounts/3") && error.contains("bind"), "{error}");
    container.assert_gone();
}

#[test]
fn a_root_filesystem_behind_a_closed_directory_is_named() {
    if ordinary_ids().0 != crate::support::ordinary::USER {
        skip!("only root can close a directory to the user");
    }
    let container = Container::ordinary().sh("true");
    let closed = container.dir.join("closed");
    fs::create_dir(&closed).expect("root may");
    fs::rename(container.rootfs(), closed.join("rootfs")).expect("root may");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("root may");
    let path = closed.join("rootfs").display().to_string();
    let container = container.edit(|config| config["root"]["path"] = path.clone().into());
    let error = container.run().fails();
    assert!(
        error.contains("/root/path") && error.contains(&path) && error.contains("ermission denied"),
        "{error}"
    );
    container.assert_gone();
}

#[test]
fn a_device_that_the_host_does_not_have_is_named() {
    let container = Container::ordinary().sh("true").edit(|config| {
        config["linux"]["devices"] = json!([{"path": "/dev/null", "type": "c", "major": 9, "minor": 9}]);
    });
    let error = container.run().fails();
    assert!(error.contains("/linux/devices/0") && error.contains("/dev/null"), "{error}");
    container.assert_gone();
}

#[test]
fn a_hard_limit_cannot_be_raised_and_the_error_says_so() {
    let container = Container::ordinary().sh("true").edit(|config| {
        config["process"]["rlimits"] =
            json!([{"type": "RLIMIT_NOFILE", "soft": 1_000_000_000, "hard": 1_000_000_000}]);
    });
    let error = container.run().fails();
    assert!(error.contains("/process/rlimits/0"), "{error}");
    container.assert_gone();
}
