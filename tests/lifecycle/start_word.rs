//! How a container that waits is told to start: by pipes without a name, or where the kernel may refuse `start` to take
//! those from init, by two in the state directory.

use crate::support::{Container, RRUNTIME, wait_until};
use serde_json::json;
use std::fs;
use std::process::{Command, Stdio};

/// What the container's first process holds beyond its standard streams, once it has closed its conversation with `create`.
fn held(container: &Container, expected: usize) -> Vec<String> {
    let look = || -> Vec<String> {
        let entries = fs::read_dir(format!("/proc/{}/fd", container.pid())).unwrap().flatten();
        let beyond = entries.filter(|entry| !["0", "1", "2"].iter().any(|stdio| entry.file_name() == *stdio));
        let links = beyond.filter_map(|entry| fs::read_link(entry.path()).ok());
        links.map(|link| link.to_string_lossy().into_owned()).collect()
    };
    wait_until("init holds what it keeps", || look().len() == expected);
    look()
}

/// The runtime as root that has no CAP_SYS_PTRACE. A container keeps its standard streams: they are files.
fn without_tracing(container: &Container, args: &[&str]) -> (bool, String) {
    let errors = container.dir.join("errors");
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-sys_ptrace", RRUNTIME, "--root"]).arg(container.state_root()).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&errors).unwrap());
    let ended = command.status().unwrap();
    (ended.success(), fs::read_to_string(errors).unwrap())
}

fn created_without_tracing(user: u32) -> Container {
    let container = Container::new().args(&["sleep", "100"]).edit(|c| {
        c["process"]["user"] = json!({"uid": user, "gid": user});
    });
    container.write_config();
    let bundle = container.bundle();
    let ended = without_tracing(&container, &["create", "--bundle", bundle.to_str().unwrap(), &container.id]);
    assert!(ended.0, "{ended:?}");
    assert_eq!(container.status(), "created");
    container
}

/// By a name a process that is let into the pid namespace could come to the host's file system (open_by_handle_at(2)).
#[test]
fn nothing_that_a_waiting_init_holds_has_a_name() {
    for kept in [0, 2] {
        let container = Container::new().args(&["sleep", "100"]);
        container.write_config();
        let line = format!(
            "exec 3</dev/null 4</dev/null; {RRUNTIME} --root {} create --preserve-fds {kept} --bundle {} {}",
            container.state_root().display(),
            container.bundle().display(),
            container.id
        );
        assert!(
            Command::new("bash")
                .args(["-c", &line])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap()
                .success()
        );
        let (kept_files, ends): (Vec<_>, Vec<_>) =
            held(&container, kept + 2).into_iter().partition(|link| link == "/dev/null");
        assert_eq!((kept_files.len(), ends.len()), (kept, 2), "{ends:?}");
        assert!(ends.iter().all(|link| link.starts_with("pipe:")), "{ends:?}");
        container.start().ok();
        assert_eq!(container.status(), "running");
    }
}

#[test]
fn who_may_not_trace_starts_its_containers_by_pipes_in_the_state_directory() {
    for user in [0, 1000] {
        let container = created_without_tracing(user);
        let ends = held(&container, 2);
        assert!(ends.len() == 2 && ends.iter().all(|link| link.contains("/start.")), "{ends:?}");
        let ended = without_tracing(&container, &["start", &container.id]);
        assert!(ended.0, "{ended:?}");
        assert_eq!(container.status(), "running");
        let state = container.state_root().join(&container.id);
        assert!(!state.join("start.word").exists() && !state.join("start.answer").exists());
    }
}

/// Containers that were created by a build of before this one wait there too.
#[test]
fn pipes_with_names_serve_a_start_that_may_trace() {
    let container = created_without_tracing(1000);
    container.start().ok();
    assert_eq!(container.status(), "running");
}

#[test]
fn a_start_without_the_right_to_take_the_pipes_says_what_it_needs_and_changes_nothing() {
    let container = Container::new().args(&["sleep", "100"]);
    assert_eq!(container.create().code, 0);
    let ended = without_tracing(&container, &["start", &container.id]);
    assert!(!ended.0 && ended.1.contains("CAP_SYS_PTRACE"), "{ended:?}");
    assert_eq!(container.status(), "created");
    container.start().ok();
    assert_eq!(container.status(), "running");
}

#[test]
fn a_program_with_the_name_of_init_is_running() {
    let container = Container::new().sh("printf rruntime:init > /proc/self/comm; sleep 100 & wait").started();
    let comm = || fs::read_to_string(format!("/proc/{}/comm", container.pid())).unwrap_or_default();
    wait_until("the program has its name", || comm() == "rruntime:init\n");
    assert_eq!(container.status(), "running");
    assert!(container.call(&["list"]).ok().contains("running"));
}

/// The start was ended while a lease held the program back, which runs since.
#[test]
fn a_program_with_the_name_of_init_is_running_also_after_a_start_that_was_cut_short() {
    let script = "printf rruntime:init > /proc/self/comm; touch /tmp/ready; while true; do sleep 0.1; done";
    let container = Container::new().sh(script);
    assert_eq!(container.create().code, 0);
    let path = container.rootfs().join("bin/busybox");
    let code = "import fcntl, os, signal, sys; signal.signal(signal.SIGIO, signal.SIG_IGN); \
                f = os.open(sys.argv[1], os.O_RDONLY); fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK); \
                print('held', flush=True); sys.stdin.read()";
    let mut holder = Command::new("python3");
    holder.args(["-c", code]).arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut line = String::new();
    let said =
        std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut line);
    if said.is_err() || line.trim() != "held" {
        holder.wait().unwrap();
        crate::skip!("no lease can be taken here");
    }
    let mut start = container.command(&["start", &container.id]);
    let mut start = start.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // User-mode Linux says more in the one than in the other.
    let sleeps_in = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", container.pid()));
    let held_back = |file: &str| sleeps_in(file).is_ok_and(|functions| functions.contains("break_lease"));
    wait_until("the program is held back", || held_back("wchan") || held_back("stack"));
    start.kill().unwrap();
    start.wait().unwrap();
    drop(holder.stdin.take());
    holder.wait().unwrap();
    wait_until("the program runs", || container.rootfs().join("tmp/ready").exists());
    assert_eq!(container.status(), "running");
    assert!(container.call(&["list"]).ok().contains("running"));
    let error = container.call(&["delete", &container.id]).fails();
    assert!(error.contains("not stopped"), "{error}");
}

/// What waits for the hooks of `run` does not wait for ever.
#[test]
fn a_run_that_is_killed_in_a_start_container_hook_leaves_no_init() {
    let container = Container::new().sh("true").edit(|c| {
        c["hooks"] = json!({"startContainer": [{"path": "/bin/sleep", "args": ["sleep", "100"]}]});
    });
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    let mut run = command.arg(container.bundle()).arg(&container.id).spawn().unwrap();
    wait_until("the hook runs", || container.call(&["state", &container.id]).out.contains("created"));
    run.kill().unwrap();
    run.wait().unwrap();
    container.wait_for_status("stopped");
    container.call(&["delete", "--force", &container.id]).ok();
}
