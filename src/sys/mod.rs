//! The system call layer: one function a call, named as its man page, owned and borrowed descriptors only.
//!
//! This is the only module of the library with `unsafe`. It decides nothing and retries only where a call may
//! be restarted. Ordinary calls come from nix; what nix lacks is here.
#![allow(unsafe_code)]

pub mod arguments;
pub mod bpf;
mod c_library;
pub mod clock;
pub mod epoll;
pub mod file;
pub mod heap;
pub mod inbox;
pub mod mapping;
pub mod marks;
pub mod memory;
pub mod mount;
pub mod namespace;
pub mod netlink;
pub mod pipe;
pub mod poll;
pub mod probe;
pub mod process;
pub mod random;
pub mod socket;
pub mod terminal;

pub use process::{identity, launch, seccomp, signal, signalfd, spawn, wait};

use crate::error::Error;
use std::ffi::{CString, OsStr, c_long};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// An errno value, as the kernel returned it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

pub type SysResult<T> = std::result::Result<T, Errno>;

impl Errno {
    /// Into the project's error: `what` names the call and its object.
    pub fn because(self, what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::os(what, self.0)
    }
}

/// The names of Linux's errors by their numbers, from 1 on (include/uapi/asm-generic/errno.h, which x86 and Arm share); "-"
/// for a number that none has.
const ERRORS: &str = "\
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY \
    EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK \
    EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP - ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT \
    EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT - EBFONT ENOSTR ENODATA ETIME \
    ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ \
    EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK \
    EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT \
    EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN \
    ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE \
    EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED \
    EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON";

/// "ENOENT" for 2; "" for a number that no error has.
pub fn errno_name(errno: i32) -> &'static str {
    let place = usize::try_from(errno).ok().and_then(|number| number.checked_sub(1));
    place.and_then(|place| ERRORS.split(' ').nth(place)).filter(|name| *name != "-").unwrap_or_default()
}

/// `None` for a file of a kernel's file system that is not there, or whose object has gone.
pub fn unless_gone<T>(found: SysResult<T>) -> SysResult<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Errno(libc::ENOENT | libc::ENODEV)) => Ok(None),
        Err(errno) => Err(errno),
    }
}

impl From<nix::errno::Errno> for Errno {
    fn from(e: nix::errno::Errno) -> Self {
        Errno(e as i32)
    }
}

/// The one maker of C strings: bytes as they are. A NUL inside is refused, which would make another name of it.
pub fn c(text: impl AsRef<OsStr>) -> SysResult<CString> {
    CString::new(text.as_ref().as_bytes()).map_err(|_| Errno(libc::EINVAL))
}

/// The return value of `libc::syscall` and of libc's wrappers, as a `Result`.
pub(crate) fn check(returned: impl Into<c_long>) -> SysResult<c_long> {
    let returned = returned.into();
    if returned < 0 { Err(last_errno()) } else { Ok(returned) }
}

/// The same of a call that returns a descriptor.
///
/// # Safety
/// On success the call has made the descriptor for its caller alone.
pub(crate) unsafe fn owned(returned: impl Into<c_long>) -> SysResult<OwnedFd> {
    // SAFETY: as promised by the caller.
    check(returned).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Makes a call again where a signal has interrupted it.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> SysResult<T>) -> SysResult<T> {
    loop {
        match call() {
            Err(Errno(libc::EINTR)) => {}
            other => return other,
        }
    }
}

pub(crate) fn last_errno() -> Errno {
    Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::errno_name;
    use nix::errno::Errno;

    #[test]
    fn errors_have_the_names_that_nix_has_for_them() {
        for number in -1..200 {
            let name = format!("{:?}", Errno::from_raw(number));
            assert_eq!(errno_name(number), if name == "UnknownErrno" { "" } else { &name }, "{number}");
        }
    }
}
