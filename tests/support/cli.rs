//! One line of set-up for a test that drives the real binary.
#![allow(dead_code, reason = "each test file uses a part of it")]

use nix::pty::{OpenptyResult, Winsize, openpty};
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of this test alone, removed at its end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("rruntime-cli-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// What a command writes to a terminal (of this size) that `attach` gives it, and how it ended.
pub fn on_terminal(
    mut command: Command,
    size: Option<&Winsize>,
    attach: impl Fn(&mut Command, Stdio),
) -> (ExitStatus, String) {
    let OpenptyResult { master, slave } = openpty(size, None).unwrap();
    command.env("TERM", "xterm").env_remove("NO_COLOR").stdin(Stdio::null()).stdout(Stdio::null());
    attach(&mut command, Stdio::from(slave));
    let status = command.status().unwrap();
    // The command has a copy of the other end; without one the reading ends with EIO.
    drop(command);
    let mut bytes = Vec::new();
    let end = fs::File::from(master).read_to_end(&mut bytes);
    assert_eq!(end.unwrap_err().raw_os_error(), Some(libc::EIO));
    (status, String::from_utf8(bytes).unwrap().replace("\r\n", "\n"))
}

/// What the program said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn rruntime<S: AsRef<OsStr>>(arguments: &[S]) -> Said {
    said(Command::new(env!("CARGO_BIN_EXE_rruntime")).args(arguments).output().unwrap())
}

pub fn said(output: Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What `--debug` has said that it would do.
pub struct Planned {
    /// "deed" or "step".
    pub kind: String,
    pub number: i64,
    pub field: String,
    pub words: String,
}

/// "deed 3 for /linux/cgroupsPath: make the cgroup: /x" of each line of a log as JSON.
pub fn planned(log: &str) -> Vec<Planned> {
    let of_line = |line: &str| {
        let message = serde_json::from_str::<serde_json::Value>(line).ok()?["msg"].as_str()?.to_owned();
        let (kind, rest) = message.split_once(' ').filter(|(kind, _)| ["deed", "step"].contains(kind))?;
        let (head, words) = rest.split_once(": ")?;
        let (number, field) = head.split_once(" for ").unwrap_or((head, ""));
        let [kind, field, words] = [kind, field, words].map(str::to_owned);
        Some(Planned { kind, number: number.parse().ok()?, field, words })
    };
    log.lines().filter_map(of_line).collect()
}
