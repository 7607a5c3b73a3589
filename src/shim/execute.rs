//! Executing a program by a descriptor of its file: it has our environment, and of our descriptors those that it is given.

use crate::engine::Streams;
use crate::error::Result;
use crate::sys::launch::{Child, Launch, LaunchError, Sleeper, begin};
use crate::sys::{Errno, c, file};
use std::ffi::{CStr, CString, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

pub struct Program<'a> {
    pub file: BorrowedFd<'a>,
    pub arguments: &'a [CString],
    /// Besides those of our environment.
    pub variables: &'a [(&'static str, String)],
    pub streams: Streams<'a>,
    /// What it gets as 3, 4, …
    pub given: &'a [BorrowedFd<'a>],
    /// What it gets under its own number, which is higher.
    pub pass: &'a [RawFd],
}

impl Program<'_> {
    pub fn start(&self) -> std::result::Result<Child, LaunchError> {
        let own = std::env::vars_os().map(|(name, value)| [name.into_vec(), value.into_vec()].join(&b'='));
        let added = self.variables.iter().map(|(name, value)| format!("{name}={value}").into_bytes());
        let variables: Vec<CString> = own.chain(added).filter_map(|pair| CString::new(pair).ok()).collect();
        let environment: Vec<&CStr> = variables.iter().map(|pair| &**pair).collect();
        let arguments: Vec<&CStr> = self.arguments.iter().map(|word| &**word).collect();
        let launch = Launch {
            program: self.file,
            arguments: &arguments,
            environment: &environment,
            namespaces: 0,
            cgroup: None,
            sleeper: Sleeper::None,
            streams: self.streams,
            given: self.given,
            pass: self.pass,
            keep_capabilities: false,
        };
        begin(&launch)?.finish()
    }
}

/// Starts the program that the first word names by its path.
pub fn by_path(words: &[OsString], streams: Streams, given: &[BorrowedFd]) -> Result<Child> {
    let path = Path::new(&words[0]);
    let failed = |e: Errno| e.because(format!("execute {}", path.display()));
    let program =
        file::openat2(file::cwd(), &c(path).map_err(failed)?, libc::O_RDONLY, 0, 0).map_err(failed)?;
    // Behind the places of what is given; an interpreter opens its script by the number.
    let program = file::duplicate(program.as_raw_fd(), 64 + given.len() as i32).map_err(failed)?;
    let arguments: Vec<CString> =
        words.iter().map(c).collect::<std::result::Result<_, _>>().map_err(failed)?;
    let is_script = {
        let mut head = [0; 2];
        nix::sys::uio::pread(&program, &mut head, 0).is_ok_and(|length| length == 2) && &head == b"#!"
    };
    let pass = [program.as_raw_fd()];
    let program = Program {
        file: program.as_fd(),
        arguments: &arguments,
        variables: &[],
        streams,
        given,
        pass: if is_script { &pass } else { &[] },
    };
    program.start().map_err(|error| match error {
        LaunchError::Clone(errno) | LaunchError::Setup(errno) | LaunchError::Exec(errno) => failed(errno),
    })
}
