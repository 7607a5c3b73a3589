//! Descriptors and directories that lead out of the container: CVE-2024-21626 and what CVE-2016-9962 left.

use crate::canary::{Canary, MARK, assert_saw_nothing};
use crate::support::{Container, Ended, finish};
use serde_json::json;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

/// Everything from here to there is tried.
const FIRST: u32 = 3;
const LAST: u32 = 64;

/// Is the mark near the working directory? Is the working directory what /proc and getcwd call it?
const LOOK: &str = r#"
for d in . .. ../.. ../../.. ../../../.. ../../../../../../../../../..; do
  [ -e $d/canary-mark ] && echo ESCAPED $d
  [ -e $d$CANARY/canary-mark ] && echo ESCAPED $d
done
case "$(pwd -P)" in /*) ;; *) echo "ESCAPED $(pwd -P)";; esac
echo INSIDE
"#;

/// A caller that has opened the canary, without close-on-exec, under every number but the first three.
fn from_a_careless_caller(container: &Container, canary: &Canary, args: &[&str]) -> Ended {
    let open =
        format!(r#"d="$1"; shift; for n in {{{FIRST}..{LAST}}}; do eval "exec $n<\"\$d\""; done; exec "$@""#);
    let mut command = Command::new("bash");
    command.args(["-c", &open, "bash"]).arg(canary.path.join("dir"));
    command.arg(crate::support::RRUNTIME).arg("--root").arg(container.state_root()).args(args);
    command.stdin(Stdio::null());
    finish(command)
}

fn all_capabilities(config: &mut serde_json::Value) {
    let all = json!(rruntime::names::CAPABILITIES.as_slice());
    for set in ["bounding", "effective", "permitted"] {
        config["process"]["capabilities"][set] = all.clone();
    }
    config["linux"].as_object_mut().unwrap().remove("seccomp");
}

fn look(canary: &Canary) -> String {
    format!("CANARY={}\n{LOOK}", canary.text())
}

#[test]
fn a_working_directory_behind_a_leaked_descriptor_is_refused() {
    let container = Container::new();
    let canary = Canary::of(&container);
    let mut container = container.sh(&look(&canary)).edit(all_capabilities);
    for n in FIRST..=LAST {
        let us = format!("/{}/root", std::process::id());
        for suffix in ["", "/..", &us, "/self/cwd"] {
            container.config["process"]["cwd"] = format!("/proc/self/fd/{n}{suffix}").into();
            container.write_config();
            let bundle = container.bundle();
            let args = ["run", "--bundle", bundle.to_str().unwrap(), &container.id];
            let ended = from_a_careless_caller(&container, &canary, &args);
            assert_saw_nothing(&ended.out, &format!("cwd {n}{suffix}"));
            container.assert_gone();
        }
    }
    canary.assert_untouched("cwd");
}

#[test]
fn a_program_behind_a_leaked_descriptor_is_not_executed() {
    let container = Container::new().edit(all_capabilities);
    let canary = Canary::of(&container);
    let mut container = container;
    let us = format!("/{}/root", std::process::id());
    for n in FIRST..=LAST {
        // The caller's descriptor; a tree of the host that init holds; the host's procfs that init holds.
        for suffix in ["/../canary-bin/echo".to_owned(), format!("{us}{}/canary-bin/echo", canary.text())] {
            container.config["process"]["args"] = json!([format!("/proc/self/fd/{n}{suffix}"), "ESCAPED"]);
            container.write_config();
            let bundle = container.bundle();
            let args = ["run", "--bundle", bundle.to_str().unwrap(), &container.id];
            let ended = from_a_careless_caller(&container, &canary, &args);
            assert_saw_nothing(&ended.out, &format!("args {n}{suffix}"));
            assert_ne!(ended.code, 0, "args {n}{suffix}");
        }
    }
    container.assert_gone();
}

#[test]
fn exec_is_led_out_neither_by_its_directory_nor_by_its_program() {
    let container = Container::new();
    let canary = Canary::of(&container);
    let rootfs = container.rootfs();
    for n in FIRST..=LAST {
        symlink(format!("/proc/self/fd/{n}"), rootfs.join(format!("out{n}"))).unwrap();
    }
    let container = container.sh("sleep 1000").edit(all_capabilities).started();
    let script = look(&canary);
    let us = format!("/{}/root", std::process::id());
    for n in FIRST..=LAST {
        for suffix in ["", &us] {
            let cwd = format!("/out{n}{suffix}");
            let args = ["exec", "--cwd", &cwd, &container.id, "sh", "-c", &script];
            let ended = from_a_careless_caller(&container, &canary, &args);
            assert_saw_nothing(&ended.out, &cwd);
        }
        for program in
            [format!("/out{n}/../canary-bin/echo"), format!("/out{n}{us}{}/canary-bin/echo", canary.text())]
        {
            let ended =
                from_a_careless_caller(&container, &canary, &["exec", &container.id, &program, "ESCAPED"]);
            assert_saw_nothing(&ended.out, &program);
            assert_ne!(ended.code, 0, "{program}");
        }
    }
    canary.assert_untouched("exec");
}

#[test]
fn a_container_has_its_three_streams_and_nothing_else() {
    let container = Container::new().sh("ls /proc/self/fd; echo; ls -l /proc/1/fd /proc/self/fd");
    let canary = Canary::of(&container);
    container.write_config();
    let bundle = container.bundle();
    let run = ["run", "--bundle", bundle.to_str().unwrap(), &container.id];
    let out = from_a_careless_caller(&container, &canary, &run).ok();
    // 3 is the directory that ls reads.
    assert!(out.starts_with("0\n1\n2\n3\n\n"), "{out}");
    assert!(!out.contains("canary"), "{out}");

    let container = container.sh("sleep 1000").started();
    let exec = ["exec", &container.id, "sh", "-c", "ls /proc/self/fd; echo; ls -l /proc/[0-9]*/fd"];
    let out = from_a_careless_caller(&container, &canary, &exec).ok();
    assert!(out.starts_with("0\n1\n2\n3\n\n"), "{out}");
    assert!(!out.contains("canary"), "{out}");
}

/// What waits for start in a shared pid namespace can be looked at by its neighbours.
#[test]
fn a_created_container_holds_nothing_of_the_host() {
    let container = Container::new().sh("sleep 1000");
    let canary = Canary::of(&container);
    container.write_config();
    let log = container.dir.join("log");
    let bundle = container.bundle();
    let args =
        ["--log", log.to_str().unwrap(), "create", "--bundle", bundle.to_str().unwrap(), &container.id];
    let open =
        format!(r#"d="$1"; shift; for n in {{{FIRST}..{LAST}}}; do eval "exec $n<\"\$d\""; done; exec "$@""#);
    let status = Command::new("bash")
        .args(["-c", &open, "bash"])
        .arg(canary.path.join("dir"))
        .arg(crate::support::RRUNTIME)
        .arg("--root")
        .arg(container.state_root())
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{}", std::fs::read_to_string(&log).unwrap());
    let held = descriptors(container.pid());
    for (number, target) in &held {
        assert!(!leads_to(container.pid(), *number, &canary), "{number} -> {target} of {held:?}");
        assert!(!target.contains("canary"), "{number} -> {target} of {held:?}");
    }
}

fn descriptors(pid: i32) -> Vec<(u32, String)> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let mut found: Vec<(u32, String)> = entries
        .map(|entry| {
            let target = std::fs::read_link(entry.path()).unwrap();
            (entry.file_name().to_str().unwrap().parse().unwrap(), target.to_string_lossy().into_owned())
        })
        .collect();
    found.sort();
    found
}

/// Through the descriptor of another process, as a process that may look at it would do.
fn leads_to(pid: i32, number: u32, canary: &Canary) -> bool {
    let directory = format!("/proc/{pid}/fd/{number}");
    let near = ["", "/..", "/../.."].map(|up| format!("{directory}{up}/{MARK}"));
    let far = format!("{directory}{}/{MARK}", canary.text());
    let process = format!("{directory}/{}/root{}/{MARK}", std::process::id(), canary.text());
    near.into_iter().chain([far, process]).any(|path| std::path::Path::new(&path).exists())
}
