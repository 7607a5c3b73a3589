//! The plan's memory, and what becomes the user's program.

use super::file::size;
use super::{Errno, Fd, Sys, call, call_memory, path};
use core::ffi::CStr;

/// Maps a whole file that cannot change, for good.
pub fn map_sealed(file: Fd) -> Sys<&'static [u8]> {
    let length = size(file)?;
    let memory = mmap(Some(file), length)?;
    // SAFETY: the kernel has just mapped `length` readable bytes of a sealed file, and they are never unmapped.
    Ok(unsafe { core::slice::from_raw_parts(memory, length) })
}

/// Room for [`execve`] with `strings` arguments and variables: a null pointer ends each of the two lists.
pub fn pointers(strings: usize) -> Sys<&'static mut [*const u8]> {
    let slots = strings + 2;
    let memory = mmap(None, slots * size_of::<usize>())?.cast::<*const u8>();
    // SAFETY: the mapping has room for `slots` pointers, page aligned, zeroed and ours alone, and stays.
    Ok(unsafe { core::slice::from_raw_parts_mut(memory, slots) })
}

/// Maps `length` bytes of `file` read-only, or anonymous writable memory without a file, where there is none yet.
fn mmap(file: Option<Fd>, length: usize) -> Sys<*mut u8> {
    let (protection, flags, descriptor) = match file {
        Some(f) => (libc::PROT_READ, libc::MAP_PRIVATE, f.raw()),
        None => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, usize::MAX),
    };
    call(libc::SYS_mmap, [0, length, protection as usize, flags as usize, descriptor, 0])
        .map(|a| a as *mut u8)
}

/// Those that callers ignore: nohup(1), daemons, `trap ''` of shells; glibc's posix_spawn ignores 32 and 33, its own. Other
/// real-time signals are left: no shell ignores them.
const USUAL: core::ops::RangeInclusive<i32> = 1..=33;

/// Nothing of the caller's is ignored, and no signal blocked: what a program expects to find.
pub fn default_signals() {
    let action = [0u64; 4];
    for signal in USUAL.filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal)) {
        let args = [signal as usize, action.as_ptr() as usize, 0, 8];
        // SAFETY: it reads an action of four words, the default, and writes no old one. It cannot fail, nor can the next.
        let _ = unsafe { call_memory(libc::SYS_rt_sigaction, args) };
    }
    let args = [libc::SIG_SETMASK as usize, action.as_ptr() as usize, 0, 8];
    // SAFETY: it reads a mask of 8 bytes, and writes no old one.
    let _ = unsafe { call_memory(libc::SYS_rt_sigprocmask, args) };
}

/// execve(2); returns only when it fails. `room` is that of [`pointers`] for all the strings.
pub fn execve<'s>(
    p: &CStr,
    room: &mut [*const u8],
    argv: impl Iterator<Item = &'s CStr>,
    env: impl Iterator<Item = &'s CStr>,
) -> Errno {
    let Some((argv, rest)) = lay_out(argv, room) else { return Errno(libc::E2BIG) };
    let Some((env, _)) = lay_out(env, rest) else { return Errno(libc::E2BIG) };
    // SAFETY: it reads a path that ends with a NUL, and two lists of such strings, each with a null pointer at its end.
    match unsafe { call_memory(libc::SYS_execve, [path(p), argv.as_ptr() as usize, env.as_ptr() as usize]) } {
        Err(errno) => errno,
        // A filter has answered in the kernel's place.
        Ok(_) => Errno(0),
    }
}

/// The list with its null pointer, and the room behind it.
fn lay_out<'s, 'r>(
    strings: impl Iterator<Item = &'s CStr>,
    room: &'r mut [*const u8],
) -> Option<(&'r [*const u8], &'r mut [*const u8])> {
    let mut used = 0;
    for pointer in strings.map(CStr::as_ptr).chain([core::ptr::null()]) {
        *room.get_mut(used)? = pointer.cast();
        used += 1;
    }
    let (list, rest) = room.split_at_mut(used);
    Some((list, rest))
}
