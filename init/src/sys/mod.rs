//! The system calls that init makes: thin, typed, errors as errno. Addresses exist in these files only: every function
//! makes them from references that outlive its call, and takes the length from the same reference.
//!
//! Descriptors are plain numbers here: init opens a few dozen, never shares them, and everything above the
//! standard streams closes at the exec that ends it.

mod exec;
mod file;
mod identity;
mod key;
mod landlock;
mod mount;
mod poll;
mod process;
mod schedule;
mod socket;
mod terminal;
mod times;

pub use self::{
    exec::*, file::*, identity::*, key::*, landlock::*, mount::*, poll::*, process::*, schedule::*, socket::*, terminal::*, times::*,
};
use crate::arch::syscall;
use core::ffi::CStr;

/// An open descriptor, or `Fd::CWD`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fd(pub i32);

impl Fd {
    pub const CWD: Fd = Fd(libc::AT_FDCWD);

    fn raw(self) -> usize {
        self.0 as isize as usize
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

pub type Sys<T> = Result<T, Errno>;

const EMPTY: &CStr = c"";

/// A system call whose arguments are numbers: none is an address, and it takes away no memory that is ours.
fn call<const N: usize>(number: i64, args: [usize; N]) -> Sys<usize> {
    // SAFETY: without an address the kernel reads and writes nothing of this process.
    unsafe { call_memory(number, args) }
}

/// A system call with addresses in its arguments.
///
/// # Safety
/// Each address must be good for what the call `number` reads or writes there, for as long as it runs.
unsafe fn call_memory<const N: usize>(number: i64, args: [usize; N]) -> Sys<usize> {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&args);
    // SAFETY: the caller's promise.
    let returned = unsafe { syscall(number, all) };
    if (-4095..0).contains(&returned) { Err(Errno(-returned as i32)) } else { Ok(returned as usize) }
}

fn path(p: &CStr) -> usize {
    p.as_ptr() as usize
}

fn fd(returned: usize) -> Fd {
    Fd(returned as i32)
}
