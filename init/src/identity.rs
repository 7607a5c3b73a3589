//! Who the process is: namespaces, names, user, groups, capabilities, session.

use crate::Init;
use crate::control::{Fail, In, NOT_OPEN, Outcome};
use crate::sys::{self, Errno, Fd, InterfaceRequest};
use crate::wire::{LEADS, Part, Word};
use core::ffi::CStr;

impl Init<'_> {
    /// From here on a child does the rest; it is rruntime's child, like this process, which ends.
    pub fn spawn(&mut self, flags: u32) -> Outcome<()> {
        // What was born there once stays there.
        let born = match self.birthplace.filter(|_| self.born == 0) {
            Some(group) => sys::clone_sibling_into(group, flags, &mut self.born),
            None => sys::clone_sibling(flags, &mut self.born),
        };
        match born.part(Part::Clone)? {
            None => Ok(()),
            Some(pid) => {
                self.tell(Word::Spawned, i64::from(pid))?;
                if self.holds_terminal {
                    // Our end frees the terminal, and it is to come when the child is there to take it: rruntime ends us
                    // then. Nothing writes to the terminal before, and where rruntime is gone the read ends.
                    let _ = sys::read(Fd(0), &mut [0; 1]);
                }
                sys::exit(0)
            }
        }
    }

    pub fn enter_below(&self, path: &CStr) -> Outcome<()> {
        const BELOW: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS;
        let group = self.birthplace.ok_or(NOT_OPEN)?;
        let file = sys::openat2(group, path, libc::O_WRONLY, 0, BELOW).part(Part::Open)?;
        sys::write(file, b"0").part(Part::Write)?;
        sys::close(file);
        Ok(())
    }

    pub fn become_root(&self, keep_groups: bool) -> Outcome<()> {
        if !keep_groups {
            match sys::setgroups(&[]) {
                // An ordinary user's namespace denies setgroups; the groups stay what they were.
                Ok(()) | Err(Errno(libc::EPERM)) => {}
                Err(errno) => return Err(Fail(Part::Setgroups, errno)),
            }
        }
        sys::setresgid(0).part(Part::Setgid)?;
        sys::setresuid(0).part(Part::Setuid)
    }

    /// The kernel brings a new network namespace's loopback up only on request.
    pub fn loopback_up(&self) -> Outcome<()> {
        let socket = sys::socket(libc::AF_INET, libc::SOCK_DGRAM).part(Part::Socket)?;
        let mut request =
            InterfaceRequest { name: *b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0", flags: 0, rest: [0; 22] };
        sys::interface_flags(socket, libc::SIOCGIFFLAGS, &mut request).part(Part::Ioctl)?;
        request.flags |= libc::IFF_UP as u16;
        sys::interface_flags(socket, libc::SIOCSIFFLAGS, &mut request).part(Part::Ioctl)?;
        sys::close(socket);
        Ok(())
    }

    /// Kept permitted capabilities let the following steps finish; exec drops what the plan does not keep.
    pub fn become_user(&self, uid: u32, gid: u32) -> Outcome<()> {
        if uid != 0 {
            sys::keep_capabilities().part(Part::Prctl)?;
        }
        sys::setresgid(gid).part(Part::Setgid)?;
        sys::setresuid(uid).part(Part::Setuid)
    }

    pub fn bound(&self, keep: u64, last: u32) -> Outcome<()> {
        for capability in (0..=last).filter(|c| keep & (1 << c) == 0) {
            sys::drop_from_bounding(capability).part(Part::Prctl)?;
        }
        Ok(())
    }

    pub fn ambient(&self, set: u64) -> Outcome<()> {
        sys::clear_ambient().part(Part::Prctl)?;
        for capability in (0..64).filter(|c| set & (1 << c) != 0) {
            sys::raise_ambient(capability).part(Part::Prctl)?;
        }
        Ok(())
    }

    pub fn take_streams(&mut self) -> Outcome<()> {
        let slave = self.console.ok_or(NOT_OPEN)?;
        for stream in 0..3 {
            sys::dup3(slave, stream).part(Part::Dup)?;
        }
        sys::close(slave);
        self.console = Some(Fd(0));
        Ok(())
    }

    pub fn session(&mut self) -> Outcome<()> {
        // Staying in the caller's session would leave its terminal within reach (TIOCSTI).
        sys::setsid().part(Part::Setsid)?;
        match self.console.take() {
            Some(console) if self.holds_terminal => self.take_over_terminal(console),
            Some(console) => sys::control_terminal(console).part(Part::Ioctl),
            None => Ok(()),
        }
    }

    /// The terminal is our maker's until its end, which rruntime brings about now. There is no wait for it that is as quick
    /// as to ask again: the first process to ask gets the terminal.
    fn take_over_terminal(&self, console: Fd) -> Outcome<()> {
        const MOST: u32 = 1 << 19;
        self.tell(Word::Reached, i64::from(LEADS))?;
        let mut refused = Errno(libc::EPERM);
        for _ in 0..MOST {
            match sys::control_terminal(console) {
                Ok(()) => return Ok(()),
                Err(errno) => refused = errno,
            }
        }
        Err(Fail(Part::Ioctl, refused))
    }

    /// Streams that the kernel or the file system will not give away stay as they are.
    pub fn own_streams(&self, uid: u32) -> Outcome<()> {
        for stream in 0..3 {
            let Ok(found) = sys::fstat(Fd(stream)) else { continue };
            let null = found.kind() == libc::S_IFCHR && found.rdev == (1 << 8 | 3);
            if null || found.uid == uid {
                continue;
            }
            match sys::fchownat(Fd(stream), c"", uid, u32::MAX) {
                Ok(()) | Err(Errno(libc::EINVAL | libc::EPERM | libc::EROFS)) => {}
                Err(errno) => return Err(Fail(Part::Chown, errno)),
            }
        }
        Ok(())
    }
}
