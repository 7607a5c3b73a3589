//! The last steps: the working directory, the program, exec.

use crate::Init;
use crate::control::{Fail, In, NO_SENSE, Outcome};
use crate::path::Missing;
use crate::sys::{self, Errno, Fd};
use crate::variable::Variable;
use crate::wire::{Part, Searcher, Strings};
use core::ffi::CStr;

/// What the program begins with, and room for execve's pointers to it.
pub struct Arranged<'a> {
    argv: Strings<'a>,
    env: Strings<'a>,
    room: &'static mut [*const u8],
}

impl<'a> Init<'a> {
    pub fn change_directory(&mut self, path: &CStr, patient: bool) -> Outcome<()> {
        if !patient && self.entered {
            return Ok(());
        }
        self.entered(sys::chdir(path), patient)
    }

    /// A directory that exists is entered by root, or by the container's user later: engines rely on both. One that does
    /// not would be made behind doors that are closed to that user, so the way to it is searched with its rights.
    pub fn enter_or_make(&mut self, path: &CStr, user: Searcher<'a>) -> Outcome<()> {
        let mut entered = sys::chdir(path);
        if entered == Err(Errno(libc::ENOENT)) {
            let made = self.searching(user, |init| init.lookup_or_make(path, Missing::Directory))?;
            sys::close(made);
            entered = sys::chdir(path);
        }
        self.entered(entered, true)
    }

    fn entered(&mut self, entered: sys::Sys<()>, patient: bool) -> Outcome<()> {
        match entered {
            Err(Errno(libc::EACCES | libc::EPERM)) if patient => {
                self.entered = false;
                return Ok(());
            }
            other => other.part(Part::Chdir)?,
        }
        // A directory that a leaked descriptor leads to lies outside of the root: CVE-2024-21626.
        let mut buffer = [0; libc::PATH_MAX as usize];
        match sys::getcwd(&mut buffer) {
            Ok(found) if found.first() == Some(&b'/') => {
                self.entered = true;
                Ok(())
            }
            Ok(_) | Err(Errno(libc::ENOENT)) => Err(Fail(Part::OutsideRoot, Errno(libc::EPERM))),
            Err(errno) => Err(Fail(Part::Chdir, errno)),
        }
    }

    /// The first candidate that is an executable file. Of several failures the most informative is reported. A process
    /// `elsewhere` finds nothing behind /proc/self: what is not found here is left to the exec.
    pub fn resolve(&mut self, candidates: Strings<'a>, elsewhere: bool) -> Outcome<()> {
        let mut fail = Fail(Part::NotFound, Errno(libc::ENOENT));
        for candidate in candidates.iter() {
            match runnable(candidate) {
                Ok(()) => {
                    self.program = Some(candidate);
                    self.read_head(candidate);
                    return Ok(());
                }
                Err(missing @ Fail(Part::NotFound, Errno(libc::ENOENT | libc::ENOTDIR))) => {
                    if matches!(fail, Fail(Part::NotFound, _)) {
                        fail = missing;
                    }
                    if elsewhere && leads_through_proc(candidate) {
                        self.candidates = candidates;
                        return Ok(());
                    }
                }
                Err(other) => fail = other,
            }
        }
        Err(fail)
    }

    /// The beginning of a program tells why it may not start: another processor, a missing loader. Once the filter is
    /// loaded it could not be read any more.
    fn read_head(&mut self, program: &CStr) {
        let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
        if let Ok(file) = sys::openat2(Fd::CWD, program, flags, 0, libc::RESOLVE_NO_MAGICLINKS) {
            // Without its bytes there is just the errno to report.
            self.head = sys::read(file, &mut self.note).unwrap_or(0);
            sys::close(file);
        }
    }

    /// Makes room for the arguments and the environment of the exec, and leaves no signal as the caller had it. Nothing
    /// of this may be left for later: after the filter there is one call that the profile must allow, execve.
    pub fn arrange(&mut self, argv: Strings<'a>, env: Strings<'a>) -> Outcome<()> {
        // HOME and LISTEN_PID may join the environment.
        let count = argv.count as usize + env.count as usize + 2;
        self.arranged = Some(Arranged { argv, env, room: sys::pointers(count).part(Part::Mmap)? });
        sys::default_signals();
        Ok(())
    }

    pub fn exec_resolved(&mut self) -> Fail {
        if let Some(program) = self.program {
            return self.exec(program);
        }
        let mut fail = Fail(Part::NotFound, Errno(libc::ENOENT));
        for candidate in self.candidates.iter() {
            match self.exec(candidate) {
                Fail(_, Errno(libc::ENOENT | libc::ENOTDIR)) => {}
                other => fail = other,
            }
        }
        fail
    }

    /// Returns only with the reason why the program did not start.
    pub fn exec(&mut self, program: &CStr) -> Fail {
        let Some(Arranged { argv, env, room }) = &mut self.arranged else { return NO_SENSE };
        let home = self.home.as_ref().and_then(Variable::as_c_str);
        let pid = self.listen_pid.as_ref().and_then(Variable::as_c_str);
        let errno = sys::execve(program, room, argv.iter(), env.iter().chain(home).chain(pid));
        self.noted = self.head;
        Fail(Part::Exec, errno)
    }
}

/// Links may lead there too, and then they are in /dev: fd, stdin, stdout, stderr.
fn leads_through_proc(path: &CStr) -> bool {
    [&b"/proc/"[..], b"/dev/"].iter().any(|start| path.to_bytes().starts_with(start))
}

fn runnable(path: &CStr) -> Outcome<()> {
    let found = sys::stat(Fd::CWD, path, 0).part(Part::NotFound)?;
    if found.kind() == libc::S_IFDIR {
        return Err(Fail(Part::NotExecutable, Errno(libc::EISDIR)));
    }
    sys::executable(path).part(Part::NotExecutable)
}
