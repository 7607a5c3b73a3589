//! exec: another process in a running container, as the options, the config or a process file say.

use crate::support::{Container, Ended, finish, wait_until};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

fn sleeper() -> Container {
    Container::new().args(&["sleep", "100"]).started()
}

/// `exec` with these options and this command line.
fn exec(container: &Container, options: &[&str], program: &[&str]) -> Ended {
    container.call(&[&["exec"], options, &[&container.id], program].concat())
}

fn exec_sh(container: &Container, options: &[&str], script: &str) -> String {
    exec(container, options, &["sh", "-c", script]).ok()
}

fn feed(mut command: Command, input: &[u8]) -> Ended {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_process_of_exec_is_in_every_namespace_and_the_cgroup_of_the_container() {
    let container = sleeper();
    let namespaces = "cd /proc/self/ns && for n in pid net ipc uts mnt cgroup; do readlink $n; done";
    let inside = exec_sh(&container, &[], namespaces);
    let first: String = ["pid", "net", "ipc", "uts", "mnt", "cgroup"]
        .iter()
        .map(|n| {
            fs::read_link(format!("/proc/{}/ns/{n}", container.pid())).unwrap().display().to_string() + "\n"
        })
        .collect();
    assert_eq!(inside, first);
    // Seen from inside, its own cgroup is the root of the cgroup namespace.
    let groups = exec_sh(&container, &[], "cat /proc/self/cgroup");
    assert!(!groups.contains(".."), "{groups}");
    assert!(groups.lines().any(|line| line.ends_with(":/")), "{groups}");
    assert_eq!(exec_sh(&container, &[], "hostname; ls -d /bin/busybox"), "bench\n/bin/busybox\n");
}

#[test]
fn exec_gives_the_exit_code_or_128_and_the_signal() {
    let container = sleeper();
    assert_eq!(container.exec_sh("exit 0").code, 0);
    assert_eq!(container.exec_sh("exit 77").code, 77);
    assert_eq!(container.exec_sh("exit 255").code, 255);
    assert_eq!(container.exec_sh("kill -KILL $$").code, 128 + 9);
    assert_eq!(container.exec_sh("kill -TERM $$").code, 128 + 15);
    let missing = exec(&container, &[], &["no-such-program"]);
    assert_eq!(missing.code, 255);
    assert!(missing.err.contains("executable file not found in $PATH"), "{missing:?}");
    assert_eq!(container.status(), "running");
}

#[test]
fn programs_that_end_at_once_are_not_missed() {
    let container = sleeper();
    for i in 0..20 {
        assert_eq!(exec(&container, &[], &["true"]).code, 0, "{i}");
        assert_eq!(exec(&container, &[], &["false"]).code, 1, "{i}");
    }
}

#[test]
fn standard_streams_go_through() {
    let container = sleeper();
    let text = "a line\n".repeat(100_000);
    let ended = feed(container.command(&["exec", &container.id, "cat"]), text.as_bytes());
    assert_eq!(ended.out, text);
    let ended = container.exec_sh("echo out; echo err >&2");
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("out\n", "err\n"));
    // And through run.
    let container = Container::new().args(&["cat"]);
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id);
    assert_eq!(feed(command, text.as_bytes()).out, text);
}

#[test]
fn user_and_groups_are_as_asked() {
    let container = sleeper();
    assert_eq!(exec_sh(&container, &["-u", "1000:1001"], "id -u; id -g"), "1000\n1001\n");
    assert_eq!(exec_sh(&container, &["--user", "5"], "id -u; id -g"), "5\n0\n");
    let groups = exec_sh(&container, &["-u", "5:6", "-g", "7", "--additional-gids", "8"], "id -G");
    let mut groups: Vec<&str> = groups.split_whitespace().collect();
    groups.sort_unstable();
    assert_eq!(groups, ["6", "7", "8"]);
    // An ordinary user's process has no capability, whatever the container's own process has.
    let status = exec_sh(&container, &["-u", "1000"], "grep -E 'Cap(Eff|Prm|Inh|Amb)' /proc/self/status");
    assert!(status.lines().all(|line| line.ends_with("0000000000000000")), "{status}");
}

#[test]
fn the_working_directory_and_the_environment_are_as_asked() {
    let container = Container::new()
        .args(&["sleep", "100"])
        .edit(|config| config["process"]["env"] = json!(["PATH=/bin", "A=config"]))
        .started();
    assert_eq!(exec_sh(&container, &["--cwd", "/tmp"], "pwd"), "/tmp\n");
    assert_eq!(exec_sh(&container, &[], "pwd; echo $A"), "/\nconfig\n");
    assert_eq!(exec_sh(&container, &["-e", "A=option", "--env", "B=x=y"], "echo $A $B"), "option x=y\n");
    let outside = exec(&container, &["--cwd", "tmp"], &["true"]);
    assert!(outside.code == 255 && outside.err.contains("cwd"), "{outside:?}");
}

#[test]
fn capabilities_are_added_to_the_containers_and_never_inheritable() {
    let container = sleeper();
    let effective = |options: &[&str]| {
        let line = exec_sh(&container, options, "grep CapEff /proc/self/status");
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    };
    const SYS_ADMIN: u64 = 1 << 21;
    const NET_ADMIN: u64 = 1 << 12;
    let before = effective(&[]);
    assert_eq!(before & (SYS_ADMIN | NET_ADMIN), 0);
    let more = effective(&["--cap", "CAP_SYS_ADMIN", "-c", "CAP_NET_ADMIN"]);
    assert_eq!(more, before | SYS_ADMIN | NET_ADMIN);
    let inheritable = exec_sh(&container, &["--cap", "CAP_SYS_ADMIN"], "grep CapInh /proc/self/status");
    assert!(inheritable.ends_with("0000000000000000\n"), "{inheritable}");
}

#[test]
fn no_new_privileges_is_off_or_on_as_asked() {
    let container = sleeper();
    let flag = |options: &[&str]| exec_sh(&container, options, "grep NoNewPrivs /proc/self/status");
    assert_eq!(flag(&[]), "NoNewPrivs:\t0\n");
    assert_eq!(flag(&["--no-new-privs"]), "NoNewPrivs:\t1\n");
}

#[test]
fn the_seccomp_profile_of_the_container_is_the_execs_too() {
    let container = sleeper();
    assert_eq!(exec_sh(&container, &[], "grep ^Seccomp: /proc/self/status"), "Seccomp:\t2\n");
}

#[test]
fn a_process_file_says_everything() {
    let container = sleeper();
    let file = container.dir.join("process.json");
    let process = json!({
        "args": ["sh", "-c", "id -u; id -g; pwd; echo $WORD; grep NoNewPrivs /proc/self/status; ulimit -n"],
        "cwd": "/tmp", "env": ["PATH=/bin", "WORD=file"], "noNewPrivileges": true,
        "user": {"uid": 33, "gid": 44}, "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 100}],
    });
    fs::write(&file, process.to_string()).unwrap();
    let ended = container.call(&["exec", "--process", file.to_str().unwrap(), &container.id]);
    assert_eq!(ended.ok(), "33\n44\n/tmp\nfile\nNoNewPrivs:\t1\n99\n");

    fs::write(&file, r#"{"args": ["true"], "cwd": "relative"}"#).unwrap();
    let wrong = container.call(&["exec", "-p", file.to_str().unwrap(), &container.id]);
    assert!(wrong.code == 255 && wrong.err.contains("/cwd"), "{wrong:?}");
    fs::write(&file, "{").unwrap();
    let broken = container.call(&["exec", "-p", file.to_str().unwrap(), &container.id]);
    assert!(broken.code == 255 && broken.err.contains("not valid JSON"), "{broken:?}");
    let missing = container.call(&["exec", "-p", "/nonexistent", &container.id]);
    assert!(missing.code == 255 && missing.err.contains("/nonexistent"), "{missing:?}");
}

#[test]
fn a_detached_exec_returns_and_its_pid_file_names_the_process() {
    let container = sleeper();
    let pid_file = container.dir.join("exec.pid");
    let mut command = container.command(&["exec", "--detach", "--pid-file"]);
    command.arg(&pid_file).args([&container.id, "sleep", "123"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    let pid = fs::read_to_string(&pid_file).unwrap();
    wait_until("the program runs", || {
        fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default() == "sleep\u{0}123\u{0}"
    });
    let pids = container.call(&["ps", "-f", "json", &container.id]).ok();
    assert!(pids.contains(&pid), "{pids} has no {pid}");
}

#[test]
fn options_after_the_program_are_the_programs() {
    let container = sleeper();
    assert_eq!(exec(&container, &[], &["echo", "-u", "5", "--tty"]).ok(), "-u 5 --tty\n");
    let mut after_id = container.command(&["exec", &container.id, "--cwd", "/tmp", "pwd"]);
    after_id.stdin(Stdio::null());
    let error = finish(after_id).fails();
    assert!(
        error.contains("--cwd") && error.contains("not found"),
        "what follows the id is the program: {error}"
    );
}

#[test]
fn exec_into_a_created_container_works() {
    let container = Container::new().args(&["sleep", "100"]);
    assert_eq!(container.create().code, 0);
    assert_eq!(container.exec_sh("echo $$ && hostname").ok().lines().last(), Some("bench"));
    assert_eq!(container.status(), "created");
    container.start().ok();
}

#[test]
fn many_execs_at_once_all_get_their_own_answer() {
    let container = sleeper();
    let children: Vec<_> = (0..8)
        .map(|i| {
            let script = format!("sleep 0.1; echo {i}; exit {i}");
            let mut command = container.command(&["exec", &container.id, "sh", "-c", &script]);
            command.stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for (i, child) in children.into_iter().enumerate() {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(i as i32));
        assert_eq!(output.stdout, format!("{i}\n").as_bytes());
    }
}

#[test]
fn the_end_of_the_container_ends_its_execs() {
    let container = sleeper();
    let script = "echo > /tmp/begun; exec sleep 100";
    let mut exec = container.command(&["exec", &container.id, "sh", "-c", script]).spawn().unwrap();
    wait_until("the exec runs", || container.rootfs().join("tmp/begun").exists());
    container.call(&["kill", &container.id, "KILL"]).ok();
    assert_eq!(exec.wait().unwrap().code(), Some(137));
}

/// Setting it on another process needs CAP_SYS_RESOURCE, which a nested rruntime may lack; a terminal makes it wait anyway.
#[test]
fn a_limit_on_processes_is_set_for_an_ordinary_user_of_exec_too() {
    let container = Container::new().sh("while :; do sleep 1; done").edit(|config| {
        config["process"]["rlimits"] = serde_json::json!([
            {"type": "RLIMIT_NOFILE", "soft": 512, "hard": 1024},
            {"type": "RLIMIT_NPROC", "soft": 700, "hard": 800},
        ]);
    });
    let container = container.started();
    for words in [&["--user", "65534"][..], &["--user", "65534", "--tty=no"], &[]] {
        let shell = ["sh", "-c", "ulimit -u; ulimit -Hn"];
        let out = container.call(&[&["exec"], words, &[&*container.id], &shell[..]].concat()).ok();
        assert_eq!(out, "700\n1024\n", "{words:?}");
    }
}
