//! `mounts add` and `mounts remove` beside a hostile container: the process of ours that joins it, and the paths that
//! it looks up while the container renames them.

use crate::canary::{Canary, in_user_namespace};
use crate::support::older_kernel;
use crate::support::{Container, Ended, wait_until};
use serde_json::{Value, json};
use std::fs;

pub fn mounts(container: &Container, verb: &str, list: Value) -> Ended {
    let file = container.dir.join("mounts.json");
    fs::write(&file, list.to_string()).unwrap();
    container.call(&["mounts", verb, &container.id, file.to_str().unwrap()])
}

/// Writes down every process that is ours and what is within reach through one that is not its own. All in the shell
/// itself: a look at all of /proc takes some hundred microseconds.
const SPY: &str = r#"
while :; do
  for p in /proc/[0-9]*; do
    read -r name < $p/comm
    [ "$name" = rruntime:init ] && echo $p is ours >> /tmp/seen
    [ -e $p/root$CANARY/canary-mark ] && echo $p/root >> /tmp/seen
    [ -e $p/cwd$CANARY/canary-mark ] && echo $p/cwd >> /tmp/seen
    for f in $p/fd/*; do
      [ -e $f$CANARY/canary-mark ] && echo $f >> /tmp/seen
      [ -e $f/1/root$CANARY/canary-mark ] && echo $f/1/root >> /tmp/seen
    done
  done 2> /dev/null
  echo >> /tmp/passes
done
"#;

const ADDS: usize = 50;

fn with_tracing(container: Container) -> Container {
    container.edit(|config| {
        for set in ["bounding", "effective", "permitted"] {
            config["process"]["capabilities"][set].as_array_mut().unwrap().push(json!("CAP_SYS_PTRACE"));
        }
    })
}

/// What a proc shows is another pid namespace's, and the process that mounts it has rights there that whoever traces it
/// would have too (the class of CVE-2016-9962): so it is not there.
#[test]
fn the_process_that_adds_a_proc_is_not_seen_by_a_tracer() {
    let container = Container::new();
    let canary = Canary::of(&container);
    let container = with_tracing(container.sh(&spy(&canary))).started();
    adds_unseen(&container, &canary);
}

#[test]
fn nor_by_a_tracer_in_a_user_namespace() {
    let container = in_user_namespace(Container::new());
    let canary = Canary::of(&container);
    let container = with_tracing(container.sh(&spy(&canary))).started();
    adds_unseen(&container, &canary);
}

#[test]
fn nor_by_a_process_that_exec_gave_the_right_to_trace() {
    let container = Container::new().args(&["sleep", "1000"]);
    let canary = Canary::of(&container);
    let container = container.started();
    let mut command = container.command(&["exec", "--detach", "--cap", "CAP_SYS_PTRACE", &container.id]);
    command.args(["sh", "-c", &spy(&canary)]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    assert!(command.status().unwrap().success());
    adds_unseen(&container, &canary);
}

#[test]
fn nor_by_a_debugger_in_a_pod_that_shares_its_pid_namespace() {
    let pause = Container::new().args(&["sleep", "2000"]).started();
    let path = format!("/proc/{}/ns/pid", pause.pid());
    let container = Container::new().namespace("pid", Some(&path));
    let canary = Canary::of(&container);
    let container = with_tracing(container.sh(&spy(&canary))).started();
    adds_unseen(&container, &canary);
    assert!(container.exec_sh("tr '\\0' ' ' < /p0/1/cmdline").ok().contains("sleep 2000"));
}

/// The kernel before 6.18: the context of the proc is opened by a process that is there.
#[test]
fn on_an_older_kernel_nothing_can_be_reached_through_the_process_that_opens_the_proc() {
    let containers = [Container::new(), in_user_namespace(Container::new())];
    for container in containers {
        let canary = Canary::of(&container);
        let container = with_tracing(container.sh(&spy(&canary))).started();
        let seen = older_kernel::without_pidns(|| adds(&container));
        let other: Vec<&str> = seen.lines().filter(|line| !line.ends_with("is ours")).collect();
        assert_eq!(other, [""; 0]);
        canary.assert_untouched("mounts add of a proc");
    }
}

fn spy(canary: &Canary) -> String {
    format!("CANARY={}\n{SPY}", canary.text())
}

fn adds_unseen(container: &Container, canary: &Canary) {
    assert_eq!(adds(container), "");
    canary.assert_untouched("mounts add of a proc");
}

/// Adds a proc many times while the spy looks; what it has written down.
fn adds(container: &Container) -> String {
    let read = |name: &str| fs::read_to_string(container.rootfs().join("tmp").join(name)).unwrap_or_default();
    let passes = || read("passes").len();
    wait_until("the spy begins", || passes() > 0);
    let begin = passes();
    for i in 0..ADDS {
        let list = json!([{"destination": format!("/p{i}"), "type": "proc", "source": "proc"}]);
        mounts(container, "add", list).ok();
    }
    let looks = passes() - begin;
    eprintln!("{looks} looks while {ADDS} were added");
    assert!(looks > 2 * ADDS, "the spy looked {looks} times only");
    let script = format!(
        "own=$(cat /proc/1/stat | cut -d' ' -f1,2,22)
         for i in $(seq 0 {}); do [ \"$(cut -d' ' -f1,2,22 /p$i/1/stat)\" = \"$own\" ] || echo /p$i; done",
        ADDS - 1
    );
    let seen = read("seen");
    assert_eq!(container.exec_sh(&script).ok(), "", "these show other processes");
    seen
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
    let list = |name: &str| json!([{"destination": format!("/vol/{name}"), "type": "tmpfs", "source": "x"}]);
    container.exec_sh("mkdir -p /vol/dir /vol/guarded; touch /vol/file").ok();
    for name in ["dir", "guarded"] {
        mounts(&container, "add", list(name)).ok();
    }
    container.exec_sh("mv /vol /other; mv /secrets /vol").ok();
    for name in ["dir", "file", "guarded"] {
        let err = mounts(&container, "remove", list(name)).fails();
        assert!(err.contains("another mount") || name == "file", "{name}: {err}");
    }
    let out = container.exec_sh("cat /vol/dir/key /vol/file; echo x > /vol/guarded/key").out;
    assert_eq!(out, "");
    assert_eq!(fs::read_to_string(secrets.with_file_name("vol").join("guarded/key")).unwrap(), "secret");
}

/// What is mounted in a shared volume goes from the host too: another one than was added must not.
#[test]
fn directories_that_are_exchanged_lead_to_no_other_mount() {
    let container = Container::new().sh("while :; do sleep 60; done");
    let volume = container.dir.join("volume");
    for name in ["a/here", "b/here"] {
        fs::create_dir_all(volume.join(name)).unwrap();
    }
    let container = container.edit(|config| {
        config["linux"]["rootfsPropagation"] = "rshared".into();
        config["mounts"].as_array_mut().unwrap().push(json!(
            {"destination": "/volume", "type": "bind", "source": volume, "options": ["rbind", "rshared"]}
        ));
    });
    container.write_config();
    let list = json!([{"destination": "/volume/a/here", "type": "tmpfs", "source": "added"}]);
    let file = container.dir.join("mounts.json");
    fs::write(&file, list.to_string()).unwrap();
    let script = format!(
        "mount --bind {volume} {volume}; mount --make-shared {volume}; mount -t tmpfs hosts {volume}/b/here
         RR='{rruntime} --root {root}'
         $RR run -d --bundle {bundle} {id} < /dev/null > /dev/null 2>&1
         exchange() {{ $RR exec {id} sh -c 'cd /volume; mv a t; mv b a; mv t b'; }}
         table() {{ cut -d' ' -f5,9- /proc/self/mountinfo | grep {volume}/; echo .; }}
         $RR mounts add {id} {file}; table
         exchange; ! $RR mounts remove {id} {file}; table
         exchange; $RR mounts remove {id} {file}; table",
        rruntime = crate::support::RRUNTIME,
        root = container.state_root().display(),
        volume = volume.display(),
        bundle = container.bundle().display(),
        id = container.id,
        file = file.display(),
    );
    let mut command = std::process::Command::new("unshare");
    command.args(["-m", "sh", "-ec", &script]).stdin(std::process::Stdio::null());
    let ended = crate::support::finish(command);
    assert!(ended.err.contains("another mount"), "{ended:?}");
    let out = ended.ok();
    let tables: Vec<&str> = out.split(".\n").collect();
    let has = |table: &str, place: &str, source: &str| {
        table.lines().any(|line| {
            line.starts_with(&format!("{}/{place}/here ", volume.display())) && line.contains(source)
        })
    };
    assert!(has(tables[0], "a", "added") && has(tables[0], "b", "hosts"), "{out}");
    assert!(has(tables[1], "b", "added") && has(tables[1], "a", "hosts"), "{out}");
    assert!(!tables[2].contains("added") && has(tables[2], "b", "hosts"), "{out}");
}
