//! The terminal of `exec -t`, which a session leader inside tries to take for its own first.

use crate::gym::joiner::ready;
use crate::gym::runtime::{self, Runtime, ends_within};
use crate::gym::spy;
use crate::gym::stand::{self, judge};
use crate::needs_spies;
use rruntime::sys::socket;
use serde_json::json;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What became of each `exec -t`: nothing to say, or its error.
pub fn execs(runtime: &Runtime, user: u32, count: u32) -> (Vec<Option<String>>, i32, usize) {
    let container = runtime.container();
    spy::put(&container, "terminal");
    fs::set_permissions(container.rootfs().join("tmp"), fs::Permissions::from_mode(0o777)).unwrap();
    let container = container.args(&["/terminal", spy::REPORT]).edit(|config| {
        config["process"]["user"] = json!({"uid": user, "gid": user});
    });
    let container = ready(container.started());
    let path = std::env::temp_dir().join(format!("{}.tty", container.id));
    let listener = UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let seen = over.clone();
    // The master is held for a moment, as an engine holds it, then its end is the terminal's.
    let engine = std::thread::spawn(move || {
        while !seen.load(Ordering::Relaxed) {
            if let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(false).unwrap();
                let master = socket::receive(stream.as_fd(), &mut [0; 4096]);
                std::thread::sleep(Duration::from_millis(20));
                drop(master);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let mut outcomes = Vec::new();
    for _ in 0..count {
        let words = ["exec", "-t", "-d", "--console-socket", path.to_str().unwrap(), "--user"];
        let mut command = container.command(&words);
        let log = container.dir.join("exec.err");
        command.arg(format!("{user}:{user}")).args([&container.id, "/bin/true"]);
        command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
        let mut exec = command.spawn().unwrap();
        let ended = ends_within(&mut exec, Duration::from_secs(5));
        // It may have ended meanwhile.
        let _ = exec.kill();
        exec.wait().unwrap();
        let text = fs::read_to_string(&log).unwrap_or_default();
        outcomes.push(match ended {
            Some(status) if status.success() => None,
            Some(_) => Some(text.trim().to_owned()),
            None => Some(format!("no end: {}", text.trim())),
        });
    }
    over.store(true, Ordering::Relaxed);
    engine.join().unwrap();
    fs::remove_file(&path).unwrap();
    let took = spy::report(&container).iter().filter(|line| line.starts_with("took")).count();
    (outcomes, container.pid(), took)
}

#[test]
fn a_session_leader_inside_does_not_keep_exec_from_its_terminal() {
    needs_spies!();
    for user in [0, 1000] {
        let (outcomes, pid, took) = execs(&runtime::ours(), user, 8);
        let named = |error: &String| error.contains(&pid.to_string());
        let holds = outcomes.iter().flatten().all(named);
        let refused = outcomes.iter().flatten().count();
        let first = outcomes.iter().flatten().next();
        let what =
            format!("exec -t beside a taker of uid {user}: {refused} of 8 refused, {took} taken, {first:?}");
        judge(stand::TERMINAL, holds, &what);
    }
}
