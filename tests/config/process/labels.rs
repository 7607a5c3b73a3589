//! `process.apparmorProfile`, `process.selinuxLabel`, `linux.mountLabel` on a kernel that has such a module. What
//! happens on the others is in `program.rs`.

use crate::support::{Container, finish};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

/// A profile that exists as long as this does.
struct Profile {
    name: String,
}

impl Profile {
    /// Everything but reading /etc/group; with no word of signals, which forbids all that come from outside.
    fn load(name: &str) -> Profile {
        let profile = Profile { name: name.to_owned() };
        assert!(profile.tell("--replace"), "apparmor_parser takes the profile");
        profile
    }

    fn tell(&self, option: &str) -> bool {
        let mut command = Command::new("apparmor_parser");
        let Ok(mut parser) = command.arg(option).stdin(Stdio::piped()).spawn() else { return false };
        let text = format!(
            "profile {} flags=(attach_disconnected,mediate_deleted) {{\n\
             file,\ncapability,\nnetwork,\nmount,\ndeny /etc/group r,\n}}\n",
            self.name
        );
        let written = parser.stdin.take().is_some_and(|mut to| to.write_all(text.as_bytes()).is_ok());
        written && parser.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.tell("--remove");
    }
}

#[test]
fn a_program_and_what_exec_starts_are_confined_by_the_profile() {
    if !fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|on| on.trim() == "Y") {
        skip!("this kernel has no AppArmor");
    }
    if Command::new("apparmor_parser").arg("--version").output().is_err() {
        skip!("there is no apparmor_parser");
    }
    let container = Container::new();
    let profile = Profile::load(&format!("rruntime-test-{}", container.id));
    let confined = format!("{} (enforce)", profile.name);
    let look = "cat /proc/self/attr/current; cat /etc/group 2>/dev/null || echo denied";
    let container = container
        .edit(|c| c["process"]["apparmorProfile"] = profile.name.clone().into())
        .sh(&format!("{look}; sleep 1000"));
    fs::create_dir_all(container.rootfs().join("etc")).unwrap();
    fs::write(container.rootfs().join("etc/group"), "seen\n").unwrap();
    let container = container.started();
    assert_eq!(container.exec_sh(look).ok(), format!("{confined}\ndenied\n"));
    let first = fs::read_to_string(format!("/proc/{}/attr/current", container.pid())).unwrap();
    assert_eq!(first.trim(), confined);
    let unconfined = container.call(&["exec", "--apparmor", "unconfined", &container.id, "sh", "-c", look]);
    assert_eq!(unconfined.ok(), "unconfined\nseen\n");
    if crate::support::is_v2() {
        container.call(&["delete", "--force", &container.id]).ok();
        container.assert_gone();
    }
    // On cgroup v1 nothing else lets our signals through.
    drop(profile);
}

#[test]
fn a_program_and_its_file_systems_have_their_selinux_labels() {
    if !fs::exists("/sys/fs/selinux/enforce").unwrap_or(false) {
        skip!("this kernel has no SELinux");
    }
    // The caller's own is one that the policy knows, and may always be entered.
    let process = fs::read_to_string("/proc/self/attr/current").unwrap();
    let process = process.trim_end_matches(['\0', '\n', ' ']);
    let files = "system_u:object_r:tmpfs_t:s0";
    let container = Container::new()
        .edit(|c| {
            c["process"]["selinuxLabel"] = process.into();
            c["linux"]["mountLabel"] = files.into();
            c["linux"]["maskedPaths"] = serde_json::json!(["/masked"]);
            let mqueue =
                serde_json::json!({"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue"});
            c["mounts"].as_array_mut().unwrap().push(mqueue);
        })
        .sh("sleep 1000");
    fs::create_dir(container.rootfs().join("masked")).unwrap();
    let container = container.started();
    let inside = container.exec_sh("cat /proc/self/attr/current").ok();
    assert_eq!(inside.trim_end_matches(['\0', '\n', ' ']), process);
    for directory in ["/dev", "/dev/mqueue", "/masked"] {
        let mut stat = Command::new("stat");
        stat.args(["-c", "%C"]).arg(format!("/proc/{}/root{directory}", container.pid()));
        assert_eq!(finish(stat).ok(), format!("{files}\n"), "{directory}");
    }
}
