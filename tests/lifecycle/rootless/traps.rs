//! Three traps of user namespaces that a runtime without root falls into (design: Traps).

use crate::support::{Container, finish};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// Trap 1: while no map is written, exec drops every capability. init has to keep them over its own exec, or it
/// could mount nothing; and must not leave them to the user's process.
#[test]
fn init_can_mount_and_its_program_inherits_no_capability() {
    let container = Container::ordinary()
        .sh("grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status | tr -d '\\t'; grep -c ' /dev/shm tmpfs' /proc/mounts")
        .edit(|config| config["process"].as_object_mut().expect("process").remove("capabilities").map_or((), drop));
    let none = "0000000000000000";
    let expected = format!("CapInh:{none}\nCapPrm:{none}\nCapEff:{none}\nCapAmb:{none}\n1\n");
    assert_eq!(container.run().ok(), expected);
}

/// Trap 2: a process that is not dumpable has files in /proc that are root's, and an ordinary user could not
/// write its maps. So the maps come first; but nothing of the container may look at init, so before it touches the
/// container's tree it must have stopped to be dumpable.
#[test]
fn init_is_closed_to_others_after_its_maps_and_before_its_first_mount() {
    let container = Container::ordinary().sh("true");
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        skip!("strace is not installed");
    }
    container.write_config();
    let trace = container.runtime_dir().join("trace");
    let mut command = container.as_user("strace");
    command.args(["-f", "-qq", "-e", "trace=prctl,move_mount,write,pwrite64", "-o"]).arg(&trace);
    command.arg(container.binary()).arg("--root").arg(container.state_root());
    command.args(["run", "--bundle"]).arg(container.bundle()).arg(&container.id).stdin(Stdio::null());
    finish(command).ok();
    let text = fs::read_to_string(&trace).expect("strace has written");
    let at = |what: &str| {
        text.lines().position(|line| line.contains(what)).unwrap_or_else(|| panic!("no {what} in {text}"))
    };
    let (uid, gid) = crate::support::ordinary::ordinary_ids();
    let closed = at("PR_SET_DUMPABLE, SUID_DUMP_DISABLE");
    assert!(at(&format!("\"0 {uid} 1")) < closed, "{text}");
    assert!(at(&format!("\"0 {gid} 1")) < closed, "{text}");
    assert!(closed < at("move_mount"), "{text}");
}

/// Trap 3: an ordinary user's init opens bind sources by path in its own copy of the mount table, after rruntime
/// has looked at them. A swap of the source in between must not get something else mounted.
#[test]
fn a_bind_source_that_is_swapped_after_it_was_looked_at_is_refused() {
    let Some(ranges) = crate::rootless::ranges::ranges() else {
        skip!("newuidmap and newgidmap, whose call is the moment to swap at, are not installed");
    };
    let container = Container::ordinary().with_ranges(&ranges).sh("cat /data/secret").edit(|config| {
        config["mounts"].as_array_mut().expect("mounts").push(serde_json::json!(
            {"destination": "/data", "source": "../run/data", "options": ["rbind"]}));
    });
    let own = container.runtime_dir();
    let (uid, gid) = crate::support::ordinary::ordinary_ids();
    for name in ["data", "other", "bin"] {
        fs::create_dir(own.join(name)).expect("the test's directory is writable");
    }
    fs::write(own.join("other/secret"), "swapped\n").expect("the test's directory is writable");
    // rruntime runs the helpers between its look and init's: the moment that an attacker would wait for.
    let helper = own.join("bin/newuidmap");
    let script = format!(
        "#!/bin/sh\ncd {} && mv data gone && mv other data\nPATH=/usr/local/bin:/usr/bin:/bin exec newuidmap \"$@\"\n",
        own.display()
    );
    fs::write(&helper, script).expect("the test's directory is writable");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("it is ours");
    crate::support::ordinary::give(&own, uid, gid);
    container.write_config();
    let mut command = container.as_user(container.binary());
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", own.join("bin").display()));
    command.arg("--root").arg(container.state_root()).args(["run", "--bundle"]).arg(container.bundle());
    let ended = finish({
        command.arg(&container.id).stdin(Stdio::null());
        command
    });
    assert!(own.join("gone").exists(), "nothing was swapped: {ended:?}");
    assert_eq!(ended.out, "", "the swapped directory was mounted");
    let error = ended.fails();
    assert!(error.contains("/mounts/6"), "{error}");
    container.assert_gone();
}
