//! `mounts add` and `mounts remove` beside a hostile container: the process of ours that joins it, and the paths that
//! it looks up while the container renames them.

use crate::canary::{Canary, in_user_namespace};
use crate::support::{Container, Ended, wait_until};
use serde_json::{Value, json};
use std::fs;

fn mounts(container: &Container, verb: &str, list: Value) -> Ended {
    let file = container.dir.join("mounts.json");
    fs::write(&file, list.to_string()).unwrap();
    container.call(&["mounts", verb, &container.id, file.to_str().unwrap()])
}

/// Looks for another process of the container, and for the way to the canary through what it holds.
const SPY: &str = r#"
touch /tmp/ready
while :; do
  for p in /proc/[0-9]*; do
    [ $p = /proc/1 ] && continue
    for f in $p/root $p/cwd $p/fd/*; do
      [ -e $f$CANARY/canary-mark ] && echo $f >> /tmp/seen
      [ -e $f/1/root$CANARY/canary-mark ] && echo $f/1/root >> /tmp/seen
    done
    (: < $p/mem) 2>/dev/null && [ "$(cat $p/comm 2>/dev/null)" = rruntime:init ] && echo mem >> /tmp/seen
  done
done
"#;

/// The process that mounts a proc is in the container's pid namespace with all its rights: whoever may trace it has
/// them (the class of CVE-2016-9962).
#[test]
fn the_process_that_adds_a_proc_is_no_prey_of_a_tracer() {
    let refused = spy(Container::new());
    assert!(refused.code != 0 && refused.err.contains("CAP_SYS_PTRACE"), "{refused:?}");
}

#[test]
fn a_tracer_in_a_user_namespace_has_no_rights_over_the_process_that_adds_a_proc() {
    spy(in_user_namespace(Container::new())).ok();
}

/// What became of the last `mounts add`; nothing was found on the way.
fn spy(container: Container) -> Ended {
    let canary = Canary::of(&container);
    let container = container.sh(&format!("CANARY={}\n{SPY}", canary.text())).edit(|config| {
        for set in ["bounding", "effective", "permitted"] {
            config["process"]["capabilities"][set].as_array_mut().unwrap().push(json!("CAP_SYS_PTRACE"));
        }
    });
    let container = container.started();
    let file = |name: &str| container.rootfs().join("tmp").join(name);
    wait_until("the spy begins", || file("ready").exists());
    let add = |i| json!([{"destination": format!("/p{i}"), "type": "proc", "source": "proc"}]);
    let mut ended = mounts(&container, "add", add(0));
    for i in 1..50 {
        ended = mounts(&container, "add", add(i));
    }
    assert_eq!(fs::read_to_string(file("seen")).unwrap_or_default(), "");
    canary.assert_untouched("mounts add of a proc");
    ended
}

/// A mount point cannot be renamed, but the directories on the way to it can.
#[test]
fn what_masks_a_path_of_the_image_is_not_removed_under_another_name() {
    let container = Container::new();
    let secrets = container.rootfs().join("secrets");
    for directory in ["dir", "guarded"] {
        fs::create_dir_all(secrets.join(directory)).unwrap();
        fs::write(secrets.join(directory).join("key"), "secret").unwrap();
    }
    fs::write(secrets.join("file"), "secret").unwrap();
    let container = container
        .sh("while :; do sleep 60; done")
        .edit(|config| {
            config["linux"]["maskedPaths"] = json!(["/secrets/dir", "/secrets/file"]);
            config["linux"]["readonlyPaths"] = json!(["/secrets/guarded"]);
        })
        .started();
    container.exec_sh("mv /secrets /vol").ok();
    for name in ["dir", "file", "guarded"] {
        let ended = mounts(&container, "remove", json!([{"destination": format!("/vol/{name}")}]));
        assert_ne!(ended.code, 0, "{name} is uncovered");
        let err = ended.err;
        assert!(err.contains("mask"), "{name}: {err}");
    }
    let out = container.exec_sh("cat /vol/dir/key /vol/file; echo x > /vol/guarded/key").out;
    assert_eq!(out, "");
    assert_eq!(fs::read_to_string(secrets.with_file_name("vol").join("guarded/key")).unwrap(), "secret");
}
