//! Users, groups, capabilities and the filter.

use super::process::prctl;
use super::{Errno, Fd, Sys, call, call_memory, fd};

/// setgroups(2); `ids` holds little-endian u32, which is how both processors have them in memory.
pub fn setgroups(ids: &[u8]) -> Sys<()> {
    if !ids.len().is_multiple_of(4) {
        return Err(Errno(libc::EINVAL));
    }
    // SAFETY: it reads 4 bytes a group, which are in this slice, by copies of any alignment.
    unsafe { call_memory(libc::SYS_setgroups, [ids.len() / 4, ids.as_ptr() as usize]) }.map(drop)
}

pub fn setresgid(gid: u32) -> Sys<()> {
    call(libc::SYS_setresgid, [gid as usize; 3]).map(drop)
}

pub fn setresuid(uid: u32) -> Sys<()> {
    call(libc::SYS_setresuid, [uid as usize; 3]).map(drop)
}

/// setresuid(2) of the real user id alone: what the rights of this process come from stays.
pub fn set_real_user(uid: u32) -> Sys<()> {
    let same = u32::MAX as usize;
    call(libc::SYS_setresuid, [uid as usize, same, same]).map(drop)
}

/// setfsuid(2): the one before.
pub fn setfsuid(uid: u32) -> u32 {
    call(libc::SYS_setfsuid, [uid as usize]).map_or(u32::MAX, |before| before as u32)
}

/// setfsgid(2): the one before.
pub fn setfsgid(gid: u32) -> u32 {
    call(libc::SYS_setfsgid, [gid as usize]).map_or(u32::MAX, |before| before as u32)
}

/// _LINUX_CAPABILITY_VERSION_3, of ourselves.
const HEADER: [u32; 2] = [0x2008_0522, 0];

/// capget(2) of ourselves: effective, permitted, inheritable.
pub fn capget() -> Sys<(u64, u64, u64)> {
    let (mut header, mut data) = (HEADER, [0u32; 6]);
    let args = [header.as_mut_ptr() as usize, data.as_mut_ptr() as usize];
    // SAFETY: it reads a header of two numbers, into which it may write another version, and writes 6 for this version.
    unsafe { call_memory(libc::SYS_capget, args) }?;
    let set = |at: usize| u64::from(data[at + 3]) << 32 | u64::from(data[at]);
    Ok((set(0), set(1), set(2)))
}

/// capset(2) on ourselves.
pub fn capset(effective: u64, permitted: u64, inheritable: u64) -> Sys<()> {
    let sets = [effective, permitted, inheritable];
    let mut header = HEADER;
    let mut data = [0u32; 6];
    for (i, set) in sets.into_iter().enumerate() {
        (data[i], data[i + 3]) = (set as u32, (set >> 32) as u32);
    }
    let args = [header.as_mut_ptr() as usize, data.as_ptr() as usize];
    // SAFETY: it reads a header of two numbers, into which it may write another version, and reads 6 for this version.
    unsafe { call_memory(libc::SYS_capset, args) }.map(drop)
}

pub fn set_no_new_privileges() -> Sys<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0)
}

/// Permitted capabilities stay through the next change of user.
pub fn keep_capabilities() -> Sys<()> {
    prctl(libc::PR_SET_KEEPCAPS, 1, 0)
}

pub fn drop_from_bounding(capability: u32) -> Sys<()> {
    prctl(libc::PR_CAPBSET_DROP, capability as usize, 0)
}

pub fn clear_ambient() -> Sys<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as usize, 0)
}

pub fn raise_ambient(capability: u32) -> Sys<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as usize, capability as usize)
}

/// seccomp(SECCOMP_SET_MODE_FILTER): `program` holds whole instructions of 8 bytes.
pub fn seccomp(flags: u32, program: &[u8]) -> Sys<Fd> {
    #[repr(C)]
    struct Program {
        length: u16,
        instructions: *const u8,
    }
    let whole = program.len().is_multiple_of(8);
    let length = u16::try_from(program.len() / 8).ok().filter(|_| whole).ok_or(Errno(libc::EINVAL))?;
    let program = Program { length, instructions: program.as_ptr() };
    let args = [1 /* SECCOMP_SET_MODE_FILTER */, flags as usize, &raw const program as usize];
    // SAFETY: it reads the struct, and `length` instructions of 8 bytes, which are in the slice.
    unsafe { call_memory(libc::SYS_seccomp, args) }.map(fd)
}
