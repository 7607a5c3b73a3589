//! What a detached container was started with, and what that is on conmon's command line.

use crate::error::{Error, Result};
use crate::shim::conmon::logs::{Driver, Form};
use crate::shim::conmon::options::{Options, Pipes};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The number by which the shim finds the pipe to the command.
pub const REPORT: i32 = i32::MAX;

/// On the command line of the shim proper and in the container's place, as JSON.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct About {
    /// Where the command was called; relative paths begin there.
    pub directory: String,
    /// Of the descriptors that the command was given, how many are a service manager's sockets.
    pub sockets: usize,
    /// As `--log-output` has them, with absolute paths.
    pub logs: Vec<String>,
    /// In bytes; 0: as long as it becomes.
    pub log_size_max: u64,
    /// How long the first log that is a file was before.
    pub log_begin: u64,
    pub terminal: bool,
    /// What attached clients write is the process's input.
    pub stdin: bool,
}

impl About {
    pub fn parse(text: &[u8]) -> Result<About> {
        serde_json::from_slice(text).map_err(|e| Error::new(format!("read a shim's settings: {e}")))
    }

    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::new(e.to_string()))
    }

    /// The first log that is a file.
    pub fn log_file(&self) -> Option<(Form, PathBuf)> {
        self.logs.iter().find_map(|log| match Driver::of(log) {
            Ok(Driver::File(form, path)) => Some((form, path)),
            _ => None,
        })
    }

    /// `place`: where the attach socket and the exit status are to be.
    pub fn options(&self, id: &str, place: &Path) -> Result<Options> {
        Ok(Options {
            id: id.to_owned(),
            uuid: id.to_owned(),
            bundle: place.to_owned(),
            persist_dir: Some(place.to_owned()),
            full_attach: true,
            by_hand: true,
            api_version: 1,
            pipes: Pipes { sync: Some(REPORT), ..Pipes::default() },
            drivers: self.logs.iter().map(|log| Driver::of(log)).collect::<Result<_>>()?,
            log_option: "--log-output",
            log_size_max: self.log_size_max,
            stdin: self.stdin,
            terminal: self.terminal,
            ..Options::default()
        })
    }
}
