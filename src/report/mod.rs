//! What a command says besides its output: log records, warnings, and the error that ended it.
//!
//! Engines read this. Without `--log` the log goes to stderr. With it the log has everything and stderr gets only
//! the fatal error, as one plain line. A person at a terminal gets lines with labels instead. One record is one
//! write, so that records of several commands in one file do not mix. Only this module prints errors, and it makes
//! invisible characters in them visible (`escape`).

mod block;
pub mod escape;
pub mod json;
mod line;
pub mod shape;
mod target;

pub use line::{Format, Level};

use crate::error::{Error, Result};
use crate::sys::file;
pub use block::Colours;
use escape::Notation;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::Path;
use target::Target;

/// Which records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub enum Verbosity {
    /// Only the error that ended the command.
    Errors,
    /// Warnings too.
    Usual,
    Debug,
}

/// Where records go, and how they look.
#[derive(Debug)]
pub struct Log {
    target: Target,
    format: Format,
    detail: Verbosity,
}

impl Log {
    /// To stderr: also what is used until the command line is understood.
    pub fn stderr(format: Format, detail: Verbosity) -> Log {
        Log { target: Target::Stderr, format, detail }
    }

    pub fn open(place: &Path, format: Format, detail: Verbosity) -> Result<Log> {
        Ok(Log { target: Target::open(place)?, format, detail })
    }

    /// A problem that does not end the command.
    pub fn warn(&self, warning: &Error) {
        if self.detail < Verbosity::Usual {
            return;
        }
        if self.is_terminal() {
            say(&block::warning(&warning.to_string(), Colours::wanted()));
        } else {
            self.write(Level::Warning, warning);
        }
    }

    fn write(&self, level: Level, error: &Error) {
        self.target.write(self.format, level, &error.to_string(), Some(error));
    }

    pub fn wants_debug(&self) -> bool {
        self.detail == Verbosity::Debug
    }

    pub fn debug(&self, message: &str) {
        if self.wants_debug() {
            self.target.write(self.format, Level::Debug, message, None);
        }
    }

    /// The error that ends the command.
    pub fn fatal(&self, error: &Error) {
        if self.is_terminal() {
            say(&block::render(error, Colours::wanted()));
            return;
        }
        self.write(Level::Error, error);
        if !matches!(self.target, Target::Stderr) {
            say(&(escape::escape(error.to_string().replace('\n', " "), Notation::Plain) + "\n"));
        }
    }

    fn is_terminal(&self) -> bool {
        matches!(self.target, Target::Stderr)
            && self.format != Format::Json
            && std::io::stderr().is_terminal()
    }
}

fn say(text: &str) {
    // Ignored: there is no other place to report that stderr is closed.
    let _ = file::write(std::io::stderr().as_fd(), text.as_bytes());
}
