//! Limits, where and when the process runs, and what time it is.

use super::{Errno, Sys, call, call_memory};

/// prlimit(0, resource, NULL, old): soft and hard.
pub fn limit_of(resource: u32) -> Sys<(u64, u64)> {
    let mut limit = [0u64; 2];
    let args = [0, resource as usize, 0, limit.as_mut_ptr() as usize];
    // SAFETY: it writes two numbers, and reads no new limit.
    unsafe { call_memory(libc::SYS_prlimit64, args) }?;
    Ok((limit[0], limit[1]))
}

pub fn prlimit(resource: u32, soft: u64, hard: u64) -> Sys<()> {
    let limit = [soft, hard];
    // SAFETY: it reads two numbers, and writes no old limit.
    unsafe { call_memory(libc::SYS_prlimit64, [0, resource as usize, limit.as_ptr() as usize, 0]) }.map(drop)
}

pub fn personality(value: u64) -> Sys<()> {
    call(libc::SYS_personality, [value as usize]).map(drop)
}

pub fn sched_setaffinity(mask: &[u8]) -> Sys<()> {
    // SAFETY: it reads the bytes of this slice.
    unsafe { call_memory(libc::SYS_sched_setaffinity, [0, mask.len(), mask.as_ptr() as usize]) }.map(drop)
}

/// sched_setattr(2): `attributes` is the first published struct, which begins with its size.
pub fn sched_setattr(attributes: &[u8]) -> Sys<()> {
    const SIZE: usize = 48;
    let mut attributes: [u8; SIZE] = attributes.try_into().map_err(|_| Errno(libc::EINVAL))?;
    if attributes.first_chunk() != Some(&(SIZE as u32).to_le_bytes()) {
        return Err(Errno(libc::EINVAL));
    }
    // SAFETY: it reads as many bytes as they say themselves, and may write another size to their beginning.
    unsafe { call_memory(libc::SYS_sched_setattr, [0, attributes.as_mut_ptr() as usize, 0]) }.map(drop)
}

pub fn ioprio_set(value: u32) -> Sys<()> {
    call(libc::SYS_ioprio_set, [1 /* IOPRIO_WHO_PROCESS */, 0, value as usize]).map(drop)
}

/// set_mempolicy(2): `nodes` holds whole words of 8 bytes.
pub fn set_mempolicy(mode: u32, nodes: &[u8]) -> Sys<()> {
    if !nodes.len().is_multiple_of(8) {
        return Err(Errno(libc::EINVAL));
    }
    let (at, bits) = if nodes.is_empty() { (0, 0) } else { (nodes.as_ptr() as usize, nodes.len() * 8 + 1) };
    // SAFETY: it reads the words for one bit less than it is told, which are in this slice.
    unsafe { call_memory(libc::SYS_set_mempolicy, [mode as usize, at, bits]) }.map(drop)
}

/// CLOCK_REALTIME in nanoseconds: the only clock that is the same in every time namespace.
pub fn now() -> Sys<u64> {
    let mut time = [0u64; 2];
    // SAFETY: it writes seconds and nanoseconds.
    unsafe {
        call_memory(libc::SYS_clock_gettime, [libc::CLOCK_REALTIME as usize, time.as_mut_ptr() as usize])
    }?;
    Ok(time[0] * 1_000_000_000 + time[1])
}
