//! Annotations that mean something to a runtime.

use crate::ipc::receive::Receiver;
use crate::support::{Container, finish};
use serde_json::{Value, json};
use std::process::Command;

fn annotated(container: Container, name: &str, value: &str) -> Container {
    container.edit(|config| config["annotations"][name] = value.into())
}

#[test]
fn a_handler_that_is_not_there_is_an_error() {
    for (name, value) in [
        ("run.oci.handler", "krun"),
        ("run.oci.handler", "wasm"),
        ("module.wasm.image/variant", "compat"),
        ("run.oci.systemd.force_cgroup_v1", "/sys/fs/cgroup/systemd"),
        ("run.oci.seccomp.plugins", "x.so"),
    ] {
        let container = annotated(Container::new().args(&["true"]), name, value);
        let error = container.run().fails();
        let pointer = format!("/annotations/{}", name.replace('/', "~1"));
        assert!(error.contains(&pointer) && error.contains("which rruntime does not have"), "{error}");
        container.assert_gone();
    }
}

#[test]
fn what_belongs_to_systemd_or_to_a_handler_is_a_warning() {
    for name in ["run.oci.systemd.subgroup", "run.oci.delegate-cgroup", "krun.cpus"] {
        let container = annotated(Container::new().args(&["true"]), name, "1");
        let ended = container.run();
        assert!(ended.code == 0 && ended.err.contains(&format!("/annotations/{name}")), "{ended:?}");
    }
}

#[test]
fn paths_and_words_are_checked() {
    for (name, value) in [
        ("run.oci.pidfd_receiver", "relative.sock"),
        ("run.oci.seccomp.receiver", ""),
        ("run.oci.hooks.stdout", "file"),
        ("run.oci.mount_context_type", "nocontext"),
    ] {
        let container = annotated(Container::new().args(&["true"]), name, value);
        let error = container.run().fails();
        assert!(error.contains(&format!("/annotations/{name}")), "{error}");
        container.assert_gone();
    }
}

#[test]
fn features_tells_every_annotation_that_changes_something() {
    let told: Value = serde_json::from_str(&Container::new().call(&["features"]).ok()).unwrap();
    let told: Vec<&str> = told["potentiallyUnsafeConfigAnnotations"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for name in
        ["pidfd_receiver", "seccomp.receiver", "seccomp_bpf_data", "keep_original_groups", "hooks.stdout"]
    {
        assert!(told.contains(&format!("run.oci.{name}").as_str()), "{told:?}");
    }
    assert!(!told.contains(&"run.oci.handler"));
}

/// Everything that reaches the host, at once: an image's author writes to /etc/cron.d and asks a socket of root's.
fn reaching(container: Container) -> (Container, Receiver) {
    let receiver = Receiver::new(&format!("reach-{}", container.id));
    let container = asking(container.args(&["sleep", "100"])).edit(|config| {
        config["hooks"]["poststop"] = json!([{"path": "/bin/echo", "args": ["echo", "owned"]}]);
    });
    let file = container.dir.join("canary");
    let mut container = annotated(container, "run.oci.hooks.stdout", file.to_str().unwrap());
    for name in ["run.oci.pidfd_receiver", "run.oci.seccomp.receiver"] {
        container = annotated(container, name, receiver.path.to_str().unwrap());
    }
    (annotated(container, "run.oci.hooks.stderr", file.to_str().unwrap()), receiver)
}

const REACHING: [&str; 5] = [
    "run.oci.hooks.stderr",
    "run.oci.hooks.stdout",
    "run.oci.keep_original_groups",
    "run.oci.pidfd_receiver",
    "run.oci.seccomp.receiver",
];

#[test]
fn what_reaches_the_host_is_ignored_with_a_warning_unless_it_is_allowed() {
    let (container, _receiver) = reaching(Container::new());
    // The profile asks an agent, and the annotation's does not count.
    let error = container.create().err;
    assert!(error.contains("/linux/seccomp/listenerPath"), "{error}");
    let container = unconfined(container);
    let created = container.create();
    assert_eq!(created.code, 0, "{}", created.err);
    for name in REACHING.iter().filter(|name| !name.contains("groups")) {
        let named = created.err.contains(&format!("/annotations/{name} is ignored"))
            && created.err.contains(&format!("--allow-annotation {name}"));
        assert!(named, "{name}: {}", created.err);
    }
    // It stays an annotation.
    assert!(container.state()["annotations"]["run.oci.hooks.stdout"].is_string());
    container.start().ok();
    container.call(&["delete", "--force", &container.id]).ok();
    assert!(!container.dir.join("canary").exists());
}

/// What was allowed at create holds for the container's life; what was not, too.
#[test]
fn later_commands_go_by_what_create_was_allowed() {
    for allowed in [true, false] {
        let (container, _receiver) = reaching(Container::new());
        let mut container = unconfined(container);
        if allowed {
            container = container.allowing("run.oci.hooks.stdout");
        }
        assert_eq!(container.create().code, 0);
        container.allowed = if allowed { Vec::new() } else { REACHING.to_vec() };
        container.start().ok();
        container.call(&["delete", "--force", &container.id]).ok();
        assert_eq!(container.dir.join("canary").exists(), allowed);
    }
}

/// `run` where /etc/rruntime/annotations.allow has this content, with what `prepare` does to it.
fn with_list(container: &Container, content: &str, prepare: &str) -> crate::support::Ended {
    container.write_config();
    let script = format!(
        "mount -t tmpfs none /etc; mkdir /etc/rruntime; printf '{content}' > $0; {prepare}
         exec {} --root {} run --bundle {} {}",
        crate::support::RRUNTIME,
        container.state_root().display(),
        container.bundle().display(),
        container.id
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", &script, "/etc/rruntime/annotations.allow"]);
    finish(command)
}

#[test]
fn the_administrators_list_allows_annotations_by_name() {
    let hook = json!([{"path": "/bin/echo", "args": ["echo", "owned"]}]);
    let container = Container::new().args(&["true"]).edit(|config| config["hooks"]["poststop"] = hook);
    let file = container.dir.join("canary");
    let container = annotated(container, "run.oci.hooks.stdout", file.to_str().unwrap());
    for content in ["# run.oci.hooks.stdout\n", "run.oci.hooks\n", "run.oci.hooks.stderr", ""] {
        let ended = with_list(&container, content, "true");
        assert!(
            ended.code == 0 && ended.err.contains("is ignored") && !file.exists(),
            "{content}: {ended:?}"
        );
    }
    let ended = with_list(&container, "a.b\n run.oci.hooks.stdout # for our own engine\n", "true");
    assert!(ended.code == 0 && ended.err.is_empty() && file.exists(), "{ended:?}");
    std::fs::remove_file(&file).unwrap();
    for prepare in ["chmod 664 $0", "chmod 666 $0", "chown 1 $0", "mv $0 $0.x; ln -s $0.x $0"] {
        let error = with_list(&container, "run.oci.hooks.stdout\n", prepare).fails();
        assert!(error.contains("/etc/rruntime/annotations.allow") && !file.exists(), "{prepare}: {error}");
        container.assert_gone();
    }
    // A config without such an annotation has no use for it.
    let plain = Container::new().args(&["true"]);
    with_list(&plain, "", "chmod 666 $0").ok();
}

#[test]
fn only_annotations_that_reach_the_host_can_be_allowed() {
    for name in ["", "run.oci.seccomp_bpf_data", "org.example"] {
        let error = Container::new().call(&["--allow-annotation", name, "list"]).fails();
        assert!(error.contains("--allow-annotation") && error.contains("run.oci.hooks.stdout"), "{error}");
    }
}

#[test]
fn called_crun_the_rule_is_the_same() {
    let (container, _receiver) = reaching(Container::new());
    let container = unconfined(container).args(&["true"]);
    container.write_config();
    let name = container.dir.join("crun");
    std::os::unix::fs::symlink(crate::support::RRUNTIME, &name).unwrap();
    let mut command = Command::new(name);
    command.arg("--root").arg(container.state_root()).args(["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id);
    let ended = finish(command);
    assert!(ended.code == 0 && ended.err.contains("run.oci.hooks.stdout is ignored"), "{ended:?}");
    assert!(!container.dir.join("canary").exists());
}

fn with_groups(container: &Container, groups: &str) -> String {
    container.write_config();
    let mut command = Command::new("setpriv");
    command.args(["--groups", groups, crate::support::RRUNTIME, "--root"]).arg(container.state_root());
    for name in &container.allowed {
        command.arg("--allow-annotation").arg(name);
    }
    command.args(["run", "--bundle"]).arg(container.bundle()).arg(&container.id);
    finish(command).ok()
}

/// podman's keep-groups is this annotation; it calls the runtime as an ordinary user, or in a user namespace.
#[test]
fn an_ordinary_users_groups_stay_without_being_allowed() {
    let container = Container::ordinary().sh("grep ^Groups: /proc/self/status | tr -s '\\t ' ' '");
    let container = annotated(container, "run.oci.keep_original_groups", "1");
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id);
    let ended = finish(command);
    assert!(ended.code == 0 && !ended.err.contains("ignored"), "{ended:?}");
}

#[test]
fn the_callers_groups_stay_if_the_config_says_so() {
    let show = "grep ^Groups: /proc/self/status | tr -s '\\t ' ' '";
    let container = Container::new().sh(show);
    assert_eq!(with_groups(&container, "41,42").trim(), "Groups:");
    let container = annotated(container, "run.oci.keep_original_groups", "1");
    assert_eq!(with_groups(&container, "41,42").trim(), "Groups:", "the host's root needs to be allowed");
    let container = container.allowing("run.oci.keep_original_groups");
    assert_eq!(with_groups(&container, "41,42").trim(), "Groups: 41 42");
    let container = container.edit(|config| config["process"]["user"]["additionalGids"] = json!([7]));
    assert_eq!(with_groups(&container, "41,42").trim(), "Groups: 41 42");
}

/// `struct sock_filter`, in base64.
fn filter(instructions: &[(u16, u8, u8, u32)]) -> String {
    let mut bytes = Vec::new();
    for (code, jt, jf, k) in instructions {
        bytes.extend_from_slice(&code.to_ne_bytes());
        bytes.extend_from_slice(&[*jt, *jf]);
        bytes.extend_from_slice(&k.to_ne_bytes());
    }
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place)) as usize & 63] as char;
            text.push(if place <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

const ALLOW: (u16, u8, u8, u32) = (0x06, 0, 0, 0x7fff_0000);

#[test]
fn a_finished_filter_is_loaded_where_there_is_no_profile() {
    let mkdir =
        if cfg!(target_arch = "x86_64") { 83 } else { crate::skip!("the number of mkdir is x86-64's") };
    // mkdir answers with errno 66 (EREMOTE).
    let program = filter(&[(0x20, 0, 0, 0), (0x15, 0, 1, mkdir), (0x06, 0, 0, 0x0005_0000 | 66), ALLOW]);
    let script = "mkdir /tmp/x; grep ^Seccomp: /proc/self/status";
    let container = annotated(unconfined(Container::new().sh(script)), "run.oci.seccomp_bpf_data", &program);
    let ended = container.run();
    assert!(ended.err.contains("mkdir") && ended.err.contains("remote"), "{ended:?}");
    assert!(ended.out.ends_with("\t2\n"), "{ended:?}");
}

fn unconfined(container: Container) -> Container {
    container.edit(|config| drop(config["linux"].as_object_mut().unwrap().remove("seccomp")))
}

/// An engine gives the container its profile and the annotations of the image.
#[test]
fn a_finished_filter_does_not_take_the_place_of_the_profile() {
    let container = Container::new().args(&["true"]).edit(|config| {
        config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW"});
    });
    let container = annotated(container, "run.oci.seccomp_bpf_data", &filter(&[ALLOW]));
    let error = container.run().fails();
    assert!(error.contains("/annotations/run.oci.seccomp_bpf_data"), "{error}");
    container.assert_gone();
}

#[test]
fn a_finished_filter_that_is_none_is_refused_before_anything_is_made() {
    let short = filter(&[ALLOW])[..8].to_owned();
    let long = filter(&vec![ALLOW; 4097]);
    let beyond = filter(&[(0x15, 9, 0, 1), ALLOW]);
    let endless = filter(&[(0x20, 0, 0, 0)]);
    let notify = filter(&[(0x06, 0, 0, 0x7fc0_0000)]);
    for program in ["", "$$$$", &short, &long, &beyond, &endless, &notify] {
        let container =
            annotated(unconfined(Container::new().args(&["true"])), "run.oci.seccomp_bpf_data", program);
        let error = container.run().fails();
        assert!(error.contains("/annotations/run.oci.seccomp_bpf_data"), "{error}");
        container.assert_gone();
    }
    // The kernel's own verdict names it too: this code is no instruction for filters.
    let unknown = filter(&[(0x20, 0, 0, 0x1000), ALLOW]);
    let container =
        annotated(unconfined(Container::new().args(&["true"])), "run.oci.seccomp_bpf_data", &unknown);
    let error = container.run().fails();
    assert!(error.contains("/annotations/run.oci.seccomp_bpf_data"), "{error}");
    container.assert_gone();
}

#[test]
fn an_unknown_system_call_is_an_error_if_the_config_says_so() {
    let container = Container::new().args(&["true"]).edit(|config| {
        config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir", "no_such_call"], "action": "SCMP_ACT_ERRNO"}]});
    });
    container.run().ok();
    let container = annotated(container, "run.oci.seccomp_fail_unknown_syscall", "1");
    let error = container.run().fails();
    assert!(error.contains("/linux/seccomp/syscalls/0/names/1") && error.contains("no_such_call"), "{error}");
    container.assert_gone();
}

/// A profile that asks an agent, and names none.
fn asking(container: Container) -> Container {
    container.edit(|config| {
        config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]});
    })
}

#[test]
fn the_seccomp_listener_goes_to_the_receiver_of_the_annotation_or_of_the_environment() {
    for from in ["annotation", "environment", "both"] {
        for command in ["create", "run"] {
            let receiver = Receiver::new(&format!("seccomp-{from}-{command}"));
            let container = asking(Container::new().args(&["true"])).allowing("run.oci.seccomp.receiver");
            let container = match from {
                "annotation" => {
                    annotated(container, "run.oci.seccomp.receiver", receiver.path.to_str().unwrap())
                }
                // The caller's word goes before what may be an image's.
                "both" => annotated(container, "run.oci.seccomp.receiver", "/nonexistent/agent"),
                _ => container,
            };
            container.write_config();
            let mut line = container.command(&[command, "--bundle"]);
            line.arg(container.bundle()).arg(&container.id);
            line.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            if from != "annotation" {
                line.env("RUN_OCI_SECCOMP_RECEIVER", &receiver.path);
            }
            assert!(line.status().unwrap().success(), "{from} {command}");
            if command == "create" {
                container.start().ok();
            }
            let received = receiver.next();
            let state: Value = serde_json::from_str(&received.text).unwrap();
            assert_eq!((received.fds.len(), &state["state"]["id"]), (1, &container.id.as_str().into()));
        }
    }
}

/// Later commands read the config as it was amended then, whatever their own callers name.
#[test]
fn every_command_knows_the_receiver_that_create_was_given() {
    let receiver = Receiver::new("seccomp-later");
    let container = asking(Container::new().args(&["sleep", "100"]));
    container.write_config();
    let mut line = container.command(&["create", "--bundle"]);
    line.arg(container.bundle()).arg(&container.id).env("RUN_OCI_SECCOMP_RECEIVER", &receiver.path);
    line.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    assert!(line.status().unwrap().success());
    let list = container.dir.join("mounts.json");
    std::fs::write(&list, r#"[{"destination": "/more", "type": "tmpfs", "source": "x"}]"#).unwrap();
    container.call(&["mounts", "add", &container.id, list.to_str().unwrap()]).ok();
    container.start().ok();
    assert_eq!(receiver.next().fds.len(), 1);
    if crate::support::has_controller("pids") {
        container.call(&["update", "--pids-limit", "50", &container.id]).ok();
    }
    container.call(&["mounts", "remove", &container.id, list.to_str().unwrap()]).ok();
    container.call(&["exec", &container.id, "true"]).ok();
    assert_eq!(receiver.next().fds.len(), 1);
}

#[test]
fn without_any_receiver_a_profile_that_asks_is_refused() {
    let container = asking(Container::new().args(&["true"]));
    let error = container.run().fails();
    assert!(error.contains("/linux/seccomp/listenerPath"), "{error}");
    container.assert_gone();
}

/// A hook under the container's filter has a listener of its own.
#[test]
fn the_agent_gets_the_listener_of_start_container_hooks_too() {
    let receiver = Receiver::new("hook-agent");
    let container = asking(Container::new().args(&["true"])).edit(|config| {
        config["linux"]["seccomp"]["listenerPath"] = receiver.path.to_str().into();
        config["hooks"]["startContainer"] = json!([{"path": "/bin/true"}]);
    });
    container.run().ok();
    for status in ["creating", "created"] {
        let received = receiver.next();
        let state: Value = serde_json::from_str(&received.text).unwrap();
        assert_eq!((received.fds.len(), &state["state"]["status"]), (1, &status.into()));
    }
}
