//! The end: exit files, the caller's pipe, and the exit command.

use crate::error::Result;
use crate::shim::conmon::options::Options;
use crate::shim::{execute, files};
use crate::sys::{file, wait};
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The file that says what is missing in the logs.
pub const LOSS: &str = "loss";

/// The file in which an exit file may have its room.
pub fn reserve_of(path: &Path) -> PathBuf {
    path.with_extension("reserve")
}

/// One line for the caller: a number by the name that this version of conmon's interface has for it. `false`: the caller has
/// ended, and needs no answer.
pub fn say(pipe: BorrowedFd, options: &Options, number: i32, message: Option<&str>) -> Result<bool> {
    let key = match options.api_version {
        1.. => "data",
        _ if options.exec => "exit_code",
        _ => "pid",
    };
    let message = message.map(|message| format!(", \"message\": {}", serde_json::Value::from(message)));
    let line = format!("{{\"{key}\": {number}{}}}\n", message.unwrap_or_default());
    match file::write_all(pipe, line.as_bytes()) {
        Ok(()) => Ok(true),
        Err(crate::sys::Errno(libc::EPIPE | libc::ECONNRESET)) => Ok(false),
        Err(e) => Err(e.because("write to the sync pipe")),
    }
}

/// Those of the persistent directory and of the exit directory, which podman waits for.
pub fn write_exit_files(options: &Options, status: i32) -> Result<()> {
    let persistent = options.persist_dir.as_ref().map(|path| path.join("exit"));
    let usual = options.exit_dir.as_ref().map(|path| path.join(&options.id));
    [persistent, usual].into_iter().flatten().try_for_each(|path| write_exit_file(&path, &status.to_string()))
}

/// Into a file that was made for it, if there is one: that needs no room on the disk.
fn write_exit_file(path: &Path, status: &str) -> Result<()> {
    let reserve = reserve_of(path);
    let written = OpenOptions::new().write(true).open(&reserve).and_then(|mut file| {
        file.write_all(status.as_bytes())?;
        file.set_len(status.len() as u64)?;
        fs::rename(&reserve, path)
    });
    written.or_else(|_| files::write(path, status.as_bytes()))
}

/// For who asks for the output later.
pub fn write_loss(options: &Options, text: &str) {
    if let Some(place) = &options.persist_dir {
        // The disk that is full may be this one: the log has it too.
        let _ = files::write(&place.join(LOSS), text.as_bytes());
    }
}

/// Memory ran out: where podman and CRI-O look for it.
pub fn write_oom_files(options: &Options) -> Result<()> {
    let persistent = options.persist_dir.as_ref().map(|path| path.join("oom"));
    let bundle =
        Some(&options.bundle).filter(|path| !path.as_os_str().is_empty()).map(|path| path.join("oom"));
    persistent.into_iter().chain(bundle).try_for_each(|path| files::write(&path, b""))
}

/// Runs the exit command to its end.
pub fn run_exit_command(options: &Options) -> Result<()> {
    let Some(path) = &options.exit_command else { return Ok(()) };
    thread::sleep(Duration::from_secs(options.exit_delay));
    let words: Vec<OsString> = std::iter::once(path.as_os_str().to_owned())
        .chain(options.exit_arguments.iter().map(OsString::from))
        .collect();
    let child = execute::by_path(&words, [None; 3], &[])?;
    wait::reap(child.pidfd.as_fd()).map(drop).map_err(|e| e.because("wait for the exit command"))
}
