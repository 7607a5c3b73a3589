//! What a command says besides its output: log records, warnings, and the error that ended it.
//!
//! Engines read this. Without `--log` the log goes to stderr; with it the log has everything and stderr gets
//! the fatal error alone, as one plain line. A reader at a terminal gets a block instead. One record is one
//! write, so that records of several commands on one file do not mix. Errors are printed here and nowhere else.

mod block;
mod line;

pub use line::{Format, Level};

use crate::error::{Error, Result};
use crate::sys::{Errno, file};
use std::ffi::CString;
use std::io::IsTerminal;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

/// Whether `debug` records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    Usual,
    Debug,
}

/// Where records go, and how they look.
#[derive(Debug)]
pub struct Log {
    /// Absent: stderr.
    file: Option<OwnedFd>,
    format: Format,
    detail: Detail,
}

impl Log {
    /// To stderr: also what is used until the command line is understood.
    pub fn stderr(format: Format, detail: Detail) -> Log {
        Log { file: None, format, detail }
    }

    /// To the end of `path`, which is made if it is missing.
    pub fn open(path: &Path, format: Format, detail: Detail) -> Result<Log> {
        let failed = |e: Errno| e.because(format!("open {}", path.display())).field("--log");
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| failed(Errno(libc::EINVAL)))?;
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_NOCTTY;
        let file = file::openat2(file::cwd(), &name, flags, 0o644, 0).map_err(failed)?;
        Ok(Log { file: Some(file), format, detail })
    }

    /// Something that the reader should know and that does not end the command.
    pub fn warn(&self, message: &str) {
        if self.is_terminal() {
            self.say(&format!("warning: {message}\n"));
        } else {
            self.record(Level::Warning, message);
        }
    }

    pub fn wants_debug(&self) -> bool {
        self.detail == Detail::Debug
    }

    pub fn debug(&self, message: &str) {
        if self.detail == Detail::Debug {
            self.record(Level::Debug, message);
        }
    }

    /// The error that ends the command.
    pub fn fatal(&self, error: &Error) {
        if self.is_terminal() {
            self.say(&block::render(error));
            return;
        }
        let message = error.to_string();
        self.record(Level::Error, &message);
        if self.file.is_some() {
            self.say(&format!("{}\n", message.replace('\n', " ")));
        }
    }

    fn record(&self, level: Level, message: &str) {
        let line = line::render(self.format, level, message, SystemTime::now());
        match &self.file {
            // Ignored: there is nobody left to tell that the log is full.
            Some(file) => drop(file::write(file.as_fd(), line.as_bytes())),
            None => self.say(&line),
        }
    }

    fn say(&self, text: &str) {
        // Ignored: a closed stderr leaves nobody to tell.
        let _ = file::write(std::io::stderr().as_fd(), text.as_bytes());
    }

    fn is_terminal(&self) -> bool {
        self.file.is_none() && self.format == Format::Text && std::io::stderr().is_terminal()
    }
}
