//! What podman executes: it waits for the word, makes what has to be there when it returns, starts the keeper and ends.

use crate::error::{Error, Result};
use crate::report::{Format, Log, Verbosity};
use crate::shim::conmon::options::{Options, help};
use crate::shim::conmon::record::Record;
use crate::shim::conmon::runtime::{Globals, Maker};
use crate::shim::conmon::{places, serve};
use crate::shim::{files, launch};
use crate::sys::{file, pipe, signal, wait};
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// What this file is called as conmon.
pub const NAME: &str = "conmon";
/// The first word of the shim proper's command line, before those that conmon was given.
const PROPER: &str = "--shim-proper";
/// podman demands one that is not older than 2.0.24.
const VERSION: &str = "2.1.12";

/// Returns the exit code.
pub fn main(arguments: impl Iterator<Item = OsString>) -> i32 {
    // None of these can fail with these arguments.
    let _ = (signal::ignore(libc::SIGPIPE), signal::default(libc::SIGCHLD), signal::block(libc::SIGXFSZ));
    let mut words: Vec<String> = arguments.map(|word| word.to_string_lossy().into_owned()).collect();
    let proper = words.first().is_some_and(|word| word == PROPER);
    if proper {
        words.remove(0);
    }
    let done = Options::parse(&words).and_then(|mut options| {
        if options.help || options.version {
            let version =
                format!("conmon version {VERSION}\ncommit: rruntime {}\n", env!("CARGO_PKG_VERSION"));
            let text = if options.help { help() } else { version };
            let printed = std::io::stdout().write_all(text.as_bytes());
            return printed.map(|()| 0).map_err(|e| Error::io("write to standard output", &e));
        }
        options.check()?;
        if proper {
            let globals = Globals::of(&options).map(|globals| Box::new(globals) as Box<dyn Maker>);
            let detail = if options.debug { Verbosity::Debug } else { Verbosity::Usual };
            let log = Arc::new(Log::stderr(Format::Text, detail));
            return serve::serve(options, globals, log).map(|()| 0);
        }
        begin(&options, &words)
    });
    done.unwrap_or_else(|error| {
        // There is no other place to say it.
        let _ = writeln!(std::io::stderr(), "[conmon:e]: {error}");
        1
    })
}

fn begin(options: &Options, words: &[String]) -> Result<i32> {
    let given = inherited(options.has_passthrough())?;
    if let Some(number) = options.pipes.start
        && let Some(start) = file::inherited(number)
    {
        // By then the caller has put this process where it is to be.
        file::read(start, &mut [0; 64]).map_err(|e| e.because("read the start pipe"))?;
    }
    let journal = launch::journal(&Record {
        given: given.iter().map(AsRawFd::as_raw_fd).collect(),
        ..Record::default()
    })?;
    let (listener, unused) = listener(options)?;
    let mut extra = given;
    extra.extend(unused.as_ref().map(AsFd::as_fd));
    let null = file::openat2(file::cwd(), c"/dev/null", libc::O_WRONLY, 0, 0);
    let null = null.map_err(|e| e.because("open /dev/null"))?;
    let stderr = std::io::stderr();
    let log = if options.debug { stderr.as_fd() } else { null.as_fd() };
    let arguments: Vec<&str> = [NAME, PROPER].into_iter().chain(words.iter().map(|word| &**word)).collect();
    let keeper = launch::start(&arguments, journal.as_fd(), listener.as_fd(), &extra, log)?;
    if let Some(path) = &options.conmon_pid_file {
        files::write(path, keeper.pid.to_string().as_bytes())?;
    }
    if options.sync {
        return wait::reap(keeper.pidfd.as_fd())
            .map(wait::Ended::code)
            .map_err(|e| e.because("wait for the keeper"));
    }
    Ok(0)
}

/// The attach socket. Without a place for one: an end to read of a pipe, whose other end is to be held too.
fn listener(options: &Options) -> Result<(OwnedFd, Option<OwnedFd>)> {
    if options.bundle.as_os_str().is_empty() {
        let (read, write) = pipe::pipe().map_err(|e| e.because("pipe"))?;
        return Ok((read, Some(write)));
    }
    Ok((places::listen_to_clients(options)?, None))
}

/// What the caller has left open for us, and what is to be held until the end: reserved ports, say.
fn inherited(streams: bool) -> Result<Vec<BorrowedFd<'static>>> {
    let entries = fs::read_dir("/proc/self/fd").map_err(|e| Error::io("list /proc/self/fd", &e))?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let least = if streams { 0 } else { 3 };
    let mut numbers: Vec<i32> = numbers.filter(|number| *number >= least).collect();
    numbers.sort_unstable();
    Ok(numbers.into_iter().filter_map(file::inherited).collect())
}
