//! Who the process is: namespaces, names, user, groups, capabilities, session.

use crate::Init;
use crate::control::{Fail, In, Outcome};
use crate::sys::{self, Errno, Fd};
use crate::wire::{Kind, Part};
use core::ffi::CStr;

const KEYCTL_JOIN_SESSION_KEYRING: u32 = 1;
const KEYCTL_SETPERM: u32 = 5;
const KEYCTL_DESCRIBE: u32 = 6;
/// The possessor's and the user's right to search the keyring.
const KEY_USR_SEARCH: u32 = 0x0008_0000;

impl Init<'_> {
    /// From here on a child does the rest; it is rruntime's child, like this process, which ends.
    pub fn spawn(&self, flags: u64) -> Outcome<()> {
        match sys::clone_sibling(flags).part(Part::Clone)? {
            None => Ok(()),
            Some(pid) => {
                self.tell(Kind::Spawned, i64::from(pid), None)?;
                sys::exit(0)
            }
        }
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

    /// The kernel brings a new network namespace's loopback up only when it is told to.
    pub fn loopback_up(&self) -> Outcome<()> {
        let socket = sys::socket(libc::AF_INET, libc::SOCK_DGRAM).part(Part::Socket)?;
        // struct ifreq: the name, then the flags; the rest of its 40 bytes is unused.
        let mut request = [0u8; 40];
        request[..2].copy_from_slice(b"lo");
        sys::ioctl(socket, libc::SIOCGIFFLAGS as u64, request.as_mut_ptr() as usize).part(Part::Ioctl)?;
        let flags = u16::from_ne_bytes([request[16], request[17]]) | libc::IFF_UP as u16;
        request[16..18].copy_from_slice(&flags.to_ne_bytes());
        sys::ioctl(socket, libc::SIOCSIFFLAGS as u64, request.as_mut_ptr() as usize).part(Part::Ioctl)?;
        sys::close(socket);
        Ok(())
    }

    /// A session keyring of the container's own, which its user may search.
    pub fn keyring(&mut self, name: &CStr) -> Outcome<()> {
        let ring = match sys::keyctl(KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr() as usize, 0) {
            Ok(ring) => ring,
            // A kernel without keyrings has none to share.
            Err(Errno(libc::ENOSYS)) => return Ok(()),
            Err(errno) => return Err(Fail(Part::Whole, errno)),
        };
        // "type;uid;gid;permissions;description", permissions in hexadecimal.
        let mut text = [0u8; 256];
        let args = text.as_mut_ptr() as usize;
        if sys::keyctl_describe(KEYCTL_DESCRIBE, ring, args, text.len()).is_ok() {
            let permissions = text.split(|&b| b == b';').nth(3).unwrap_or(&[]);
            let old = permissions.iter().fold(0u32, |n, &b| (n << 4) | hexadecimal(b));
            sys::keyctl(KEYCTL_SETPERM, ring, (old | KEY_USR_SEARCH) as usize).part(Part::Whole)?;
        }
        Ok(())
    }

    /// Kept permitted capabilities let the following steps finish; exec drops what the plan does not keep.
    pub fn become_user(&self, uid: u32, gid: u32) -> Outcome<()> {
        if uid != 0 {
            sys::prctl(libc::PR_SET_KEEPCAPS, 1, 0).part(Part::Prctl)?;
        }
        sys::setresgid(gid).part(Part::Setgid)?;
        sys::setresuid(uid).part(Part::Setuid)
    }

    pub fn bound(&self, keep: u64, last: u32) -> Outcome<()> {
        for capability in (0..=last).filter(|c| keep & (1 << c) == 0) {
            sys::prctl(libc::PR_CAPBSET_DROP, capability as usize, 0).part(Part::Prctl)?;
        }
        Ok(())
    }

    pub fn ambient(&self, set: u64) -> Outcome<()> {
        sys::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as usize, 0).part(Part::Prctl)?;
        for capability in (0..64).filter(|c| set & (1 << c) != 0) {
            let raise = libc::PR_CAP_AMBIENT_RAISE as usize;
            sys::prctl(libc::PR_CAP_AMBIENT, raise, capability).part(Part::Prctl)?;
        }
        Ok(())
    }

    pub fn take_streams(&mut self) -> Outcome<()> {
        let Some(slave) = self.console else { return Ok(()) };
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
            Some(console) => sys::ioctl(console, libc::TIOCSCTTY as u64, 0).part(Part::Ioctl).map(drop),
            None => Ok(()),
        }
    }

    /// Streams that the kernel or the file system will not give away stay as they are.
    pub fn own_streams(&self, uid: u32) -> Outcome<()> {
        for stream in 0..3 {
            let Ok(found) = sys::stat(Fd(stream), c"", 0) else { continue };
            let null = found.mode & libc::S_IFMT == libc::S_IFCHR && found.rdev == (1 << 8 | 3);
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

fn hexadecimal(digit: u8) -> u32 {
    (digit as char).to_digit(16).unwrap_or(0)
}
