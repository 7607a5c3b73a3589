//! The last steps: the working directory, the program, exec.

use crate::Init;
use crate::control::{Fail, In, Outcome};
use crate::sys::{self, Errno, Fd};
use crate::wire::{Part, Strings};
use core::ffi::CStr;

impl<'a> Init<'a> {
    pub fn change_directory(&mut self, path: &CStr, patient: bool, make: bool) -> Outcome<()> {
        if !patient && !self.chdir_again {
            return Ok(());
        }
        let entered = match sys::chdir(path) {
            Err(Errno(libc::ENOENT)) if make && self.root.is_some() => {
                let made = self.lookup_or_make(path, crate::path::Missing::Directory { mode: 0o755 })?;
                sys::close(made);
                sys::chdir(path)
            }
            other => other,
        };
        match entered {
            Err(Errno(libc::EACCES | libc::EPERM)) if patient => {
                self.chdir_again = true;
                return Ok(());
            }
            other => other.part(Part::Chdir)?,
        }
        // A directory that a leaked descriptor leads to lies outside of the root: CVE-2024-21626.
        let mut buffer = [0; libc::PATH_MAX as usize];
        match sys::getcwd(&mut buffer) {
            Ok(found) if found.first() == Some(&b'/') => Ok(()),
            Ok(_) | Err(Errno(libc::ENOENT)) => Err(Fail(Part::OutsideRoot, Errno(libc::EPERM))),
            Err(errno) => Err(Fail(Part::Chdir, errno)),
        }
    }

    /// The first candidate that is an executable file. Of several failures the most telling is reported.
    pub fn resolve(&mut self, candidates: Strings<'a>) -> Outcome<()> {
        let mut fail = Fail(Part::NotFound, Errno(libc::ENOENT));
        for candidate in candidates.iter() {
            match runnable(candidate) {
                Ok(()) => {
                    self.program = Some(candidate);
                    return Ok(());
                }
                Err(Fail(Part::NotFound, Errno(libc::ENOENT | libc::ENOTDIR))) => {}
                Err(other) => fail = other,
            }
        }
        Err(fail)
    }

    /// Lays the arguments and the environment out for the exec, and leaves no signal as the caller had it. Nothing
    /// of this may be left for later: after the filter there is one call that the profile must allow, execve.
    pub fn arrange(&mut self, argv: Strings<'a>, env: Strings<'a>) -> Outcome<()> {
        // Two more than the strings and the two ends: HOME and LISTEN_PID may join the environment.
        let slots = argv.count as usize + env.count as usize + 4;
        let memory = sys::mmap(None, slots * size_of::<usize>()).part(Part::Mmap)?.cast::<*const u8>();
        // SAFETY: the mapping has room for `slots` pointers, page aligned, zeroed and ours alone, and stays.
        let pointers: &'a mut [*const u8] = unsafe { core::slice::from_raw_parts_mut(memory, slots) };
        let (arguments, environment) = pointers.split_at_mut(argv.count as usize + 1);
        for (slot, string) in
            arguments.iter_mut().zip(argv.iter()).chain(environment.iter_mut().zip(env.iter()))
        {
            *slot = string.as_ptr().cast();
        }
        let home = self.home.as_ref().map(|home| home.as_ptr());
        let pid = self.listen_pid.as_ref().map(|pid| pid.as_ptr());
        for (slot, variable) in environment[env.count as usize..].iter_mut().zip(home.into_iter().chain(pid))
        {
            *slot = variable;
        }
        self.arranged = Some((arguments, environment));
        sys::default_signals();
        Ok(())
    }

    pub fn exec_resolved(&mut self) -> Outcome<()> {
        let program = self.program.ok_or(Fail(Part::Plan, Errno(libc::ENOENT)))?;
        self.exec(program)
    }

    /// Returns only with the reason why the program did not start.
    pub fn exec(&mut self, program: &CStr) -> Outcome<()> {
        let (arguments, environment) = self.arranged.ok_or(Fail(Part::Plan, Errno(libc::E2BIG)))?;
        // SAFETY: both arrays keep a null pointer at their end, and every string in them is NUL-terminated.
        let errno = unsafe { sys::execve(program, arguments.as_ptr(), environment.as_ptr()) };
        self.note_program(program);
        Err(Fail(Part::Exec, errno))
    }

    /// The beginning of a program that did not start tells rruntime why: another processor, a missing loader.
    fn note_program(&mut self, program: &CStr) {
        let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
        if let Ok(file) = sys::openat2(Fd::CWD, program, flags, 0, 0) {
            // Without its bytes there is just the errno to report.
            self.noted = sys::read(file, &mut self.note).unwrap_or(0);
            sys::close(file);
        }
    }
}

fn runnable(path: &CStr) -> Outcome<()> {
    let found = sys::stat(Fd::CWD, path, 0).part(Part::NotFound)?;
    if found.mode & libc::S_IFMT == libc::S_IFDIR {
        return Err(Fail(Part::NotExecutable, Errno(libc::EISDIR)));
    }
    sys::executable(path).part(Part::NotExecutable)
}
