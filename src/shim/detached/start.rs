//! The command's half: it starts the keeper, passes on what the shim logs, and hears whether the container is made.

use crate::engine::Waits;
use crate::error::{Error, Result};
use crate::shim::conmon::logs::{Driver, LOGS};
use crate::shim::conmon::places;
use crate::shim::conmon::record::Record;
use crate::shim::detached::settings::REPORT;
use crate::shim::detached::{About, Place};
use crate::shim::launch;
use crate::sys::{Errno, file, pipe};
use serde::Deserialize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

pub struct Wanted<'a> {
    pub about: About,
    /// The command line of the shim proper, which is to call [`super::serve`]; the settings are put behind the first word.
    pub arguments: &'a [String],
    /// Descriptors from 3 on that the container gets.
    pub given: &'a [BorrowedFd<'a>],
}

/// What the shim says of the container.
#[derive(Deserialize)]
struct Reply {
    data: i32,
    message: Option<String>,
}

/// Returns when the container is made: it waits for start.
pub fn start(place: &Place, mut wanted: Wanted, waits: &Waits) -> Result<()> {
    if wanted.about.logs.len() > LOGS {
        return Err(Error::argument("--log-output", wanted.about.logs.len(), "too many logs")
            .remedy(format!("use {LOGS} at most")));
    }
    for log in &mut wanted.about.logs {
        *log = absolute(log)?;
    }
    let file = wanted.about.log_file();
    wanted.about.log_begin = file.and_then(|(_, path)| path.metadata().ok()).map_or(0, |known| known.len());
    place.make()?;
    let started = begin(place, &wanted, waits);
    if started.is_err() {
        // The shim ends by itself. What is left of the place is removed when the id is used again.
        let _ = place.remove();
    }
    started
}

fn begin(place: &Place, wanted: &Wanted, waits: &Waits) -> Result<()> {
    place.write_about(&wanted.about)?;
    let options = wanted.about.options(&place.id, &place.path)?;
    let failed = |e: Errno| e.because("pipe");
    let (report, theirs) = pipe::to_read().map_err(failed)?;
    let (log, their_log) = pipe::to_read().map_err(failed)?;
    let numbers = wanted.given.iter().map(AsRawFd::as_raw_fd).chain([REPORT]);
    let journal = launch::journal(&Record { given: numbers.collect(), ..Record::default() })?;
    let listener = places::listen_to_clients(&options)?;
    let extra = [wanted.given, &[theirs.as_fd()]].concat();
    // The keeper stays where it is started, and no file system is held for that.
    launch::enter(Path::new("/"))?;
    let about = wanted.about.text()?;
    let mut arguments: Vec<&str> = wanted.arguments.iter().map(|word| &**word).collect();
    arguments.splice(1..1, ["--shim-proper", &about]);
    let keeper = launch::start(&arguments, journal.as_fd(), listener.as_fd(), &extra, their_log.as_fd())?;
    drop((theirs, their_log));
    let answer = hear(&report, &log, keeper.pid, waits)?;
    let Some(line) = answer.lines().next() else {
        return Err(Error::new("the shim ended before the container was made"));
    };
    match serde_json::from_str::<Reply>(line) {
        Ok(Reply { data: 1.., .. }) => Ok(()),
        Ok(Reply { message, .. }) => Err(Error::new(message.unwrap_or_default())),
        Err(e) => Err(Error::new(format!("the shim's answer {line:?} cannot be read: {e}"))),
    }
}

/// The shim's answer; what it logs until then goes to our standard error.
fn hear(report: &OwnedFd, log: &OwnedFd, keeper: i32, waits: &Waits) -> Result<String> {
    let (mut answer, mut open) = (Vec::new(), true);
    let mut buffer = [0; 4096];
    while !answer.ends_with(b"\n") {
        let fds = [report.as_fd(), log.as_fd()];
        waits.wait(if open { &fds } else { &fds[..1] }, keeper)?;
        open = open && pass_on(log.as_fd(), &mut buffer).is_some();
        match file::read(report.as_fd(), &mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(Errno(libc::EAGAIN)) => {}
            Err(e) => return Err(e.because("hear the shim")),
        }
    }
    while open && pass_on(log.as_fd(), &mut buffer).is_some_and(|length| length > 0) {}
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// How many bytes it was; `None`: there will be no more.
fn pass_on(log: BorrowedFd, buffer: &mut [u8]) -> Option<usize> {
    match file::read(log, buffer) {
        Ok(0) => None,
        Ok(length) => {
            // Whoever has closed standard error wants no warnings.
            let _ = file::write_all(std::io::stderr().as_fd(), &buffer[..length]);
            Some(length)
        }
        Err(_) => Some(0),
    }
}

/// A log as it is named, with its path from the root on: the shim has another working directory.
fn absolute(log: &str) -> Result<String> {
    let refused = |reason: &'static str| Error::argument("--log-output", log, reason);
    let (name, path) = match log.split_once(':') {
        Some((name, path)) if Driver::of(&format!("{name}:/")).is_ok() => (name, path),
        _ if Driver::of(&format!("{log}:")).is_ok() => (log, ""),
        Some((name, _)) if name.bytes().all(|b| b.is_ascii_lowercase() || b"-_".contains(&b)) => {
            return Err(refused("there is no such log driver").remedy(
                "use k8s-file, json-file, journald or none; write ./ before a file name that has a colon",
            ));
        }
        _ => ("k8s-file", log),
    };
    match Driver::of(&format!("{name}:{path}"))
        .map_err(|e| e.rename_field(|_| Some("--log-output".into())))?
    {
        Driver::File(_, path) => {
            let path: PathBuf =
                std::path::absolute(path).map_err(|e| Error::io("find the working directory", &e))?;
            let path = path.to_str().ok_or_else(|| refused("not UTF-8"))?;
            Ok(format!("{name}:{path}"))
        }
        Driver::Passthrough => Err(refused("the streams of a detached container are the shim's")
            .remedy("leave --log-output out: then the container has this command's streams")),
        Driver::Journal | Driver::None if !path.is_empty() => Err(refused("this driver takes no file")),
        Driver::Journal | Driver::None => Ok(name.to_owned()),
    }
}
