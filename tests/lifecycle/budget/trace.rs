//! A command under strace, and the view in which cgroup v2 is alone.

use crate::support::sweep::V2_VIEW;
use crate::support::{Container, RRUNTIME, is_v2};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

/// Calls that make a process.
const FORKS: [&str; 4] = ["clone(", "clone3(", "fork(", "vfork("];

/// Runs the body here if cgroup v2 is the only hierarchy, and otherwise this one test again where it is.
pub fn in_v2_view(test: &str, body: impl FnOnce()) {
    if is_v2() {
        return body();
    }
    assert!(std::env::var_os(V2_VIEW).is_none(), "the view has no cgroup v2");
    let script = "mount -t cgroup2 none /sys/fs/cgroup && exec \"$0\" --exact --nocapture \"$1\"";
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", script])
        .arg(std::env::current_exe().expect("a test has a file"))
        .arg(format!("budget::{test}"))
        .env(V2_VIEW, "1")
        .output()
        .expect("unshare is part of every Linux");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprint!("{err}");
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

/// Whose calls are traced.
#[derive(Clone, Copy)]
pub enum Follow {
    /// Those of the command and of every process that it makes, to the end of the last.
    Children,
    /// The command's alone: what it leaves behind is not waited for.
    Nobody,
}

/// What strace wrote: one line a call, with descriptors shown as paths.
pub struct Trace {
    lines: Vec<(String, String)>,
}

impl Trace {
    /// Runs the command to its end, which must be good; `None` if there is no strace.
    pub fn of(container: &Container, follow: Follow, arguments: &[&str]) -> Option<Trace> {
        let file = container.dir.join("trace");
        let mut command = Command::new("strace");
        command.args(match follow {
            Follow::Children => &["-f"][..],
            Follow::Nobody => &[],
        });
        command.args(["-y", "-s", "256", "-e", "signal=none", "-o"]).arg(&file).arg(RRUNTIME);
        command.arg("--root").arg(container.state_root()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = match command.status() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
            other => other.expect("strace can be started"),
        };
        let text = fs::read_to_string(&file).expect("strace writes its file");
        assert!(status.success(), "{arguments:?}: {text}");
        let lines = text.lines().filter_map(|line| match follow {
            Follow::Children => {
                let (pid, call) = line.split_once(char::is_whitespace)?;
                Some((pid.to_owned(), call.trim_start().to_owned()))
            }
            Follow::Nobody => Some((String::new(), line.to_owned())),
        });
        Some(Trace { lines: lines.collect() })
    }

    /// Each system call once: strace tells a call that others interrupted in two lines.
    fn calls(&self) -> impl Iterator<Item = &(String, String)> {
        // The standard library's debug build looks at each descriptor before it closes it.
        let checked = |call: &str| cfg!(debug_assertions) && call.contains(", F_GETFD");
        self.lines.iter().filter(move |(_, call)| !call.starts_with(['<', '+', '-']) && !checked(call))
    }

    /// All calls but those of the container's program, which are its own.
    pub fn calls_until_the_program(&self, programs: &[&str]) -> Vec<&str> {
        let mut begun: Vec<&str> = Vec::new();
        let mut counted = Vec::new();
        for (pid, call) in self.calls() {
            if begun.contains(&pid.as_str()) {
                continue;
            }
            counted.push(call.as_str());
            if programs.iter().any(|program| call.starts_with(&format!("execve(\"{program}\""))) {
                begun.push(pid);
            }
        }
        assert!(!begun.is_empty(), "the program was never started");
        counted
    }

    /// Calls of the command on files of the host's cgroups. Its child only mounts the container's own view of them.
    pub fn cgroup_calls(&self) -> Vec<String> {
        let on_cgroup = |call: &&str| {
            call.contains("</sys/fs/cgroup")
                || (call.contains("AT_FDCWD<") && call.contains(", \"/sys/fs/cgroup"))
                || call.contains("cgroup=")
        };
        let command = self.lines.first().map(|(pid, _)| pid);
        let calls = self.calls().filter(|(pid, _)| Some(pid) == command).map(|(_, call)| call.as_str());
        calls.filter(on_cgroup).map(str::to_owned).collect()
    }

    pub fn forks(&self) -> Vec<&str> {
        let forks = |call: &&str| FORKS.iter().any(|fork| call.starts_with(fork));
        self.calls().map(|(_, call)| call.as_str()).filter(forks).collect()
    }

    /// How many calls come before the first that begins like this.
    pub fn position(&self, beginning: &str) -> Option<usize> {
        self.calls().position(|(_, call)| call.starts_with(beginning))
    }

    #[track_caller]
    pub fn assert_never(&self, word: &str) {
        let found: Vec<_> = self.calls().filter(|(_, call)| call.contains(word)).collect();
        assert!(found.is_empty(), "{word}: {found:#?}");
    }

    /// How often each call was made.
    pub fn summary(&self, calls: &[&str]) -> String {
        let mut counts = BTreeMap::new();
        for call in calls {
            *counts.entry(call.split('(').next().unwrap_or_default()).or_insert(0) += 1;
        }
        counts.iter().map(|(name, count)| format!("{count:5} {name}\n")).collect()
    }
}
