//! What this process may do, and on which kernel.

use super::raw::CAPABILITY_HEADER;
use crate::sys::{SysResult, check};

/// (effective, permitted) capabilities of the calling thread. Reference: capget(2).
pub fn capabilities() -> SysResult<(u64, u64)> {
    let mut data = [0u32; 6];
    // SAFETY: version 3 has two sets of three words each, which is what `data` holds.
    check(unsafe { libc::syscall(libc::SYS_capget, CAPABILITY_HEADER.as_ptr(), data.as_mut_ptr()) })?;
    let wide = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    Ok((wide(data[0], data[3]), wide(data[1], data[4])))
}

/// The highest number of a capability that the kernel knows, at least CAP_AUDIT_READ (37): PR_CAPBSET_READ(2const).
pub fn last_capability() -> u32 {
    // SAFETY: prctl takes numbers.
    let knows = |number: &u64| unsafe { libc::prctl(libc::PR_CAPBSET_READ, *number, 0, 0, 0) >= 0 };
    (37..64).take_while(knows).last().unwrap_or(37) as u32
}

/// (major, minor) of the running kernel; (0, 0) if it does not say.
pub fn kernel_version() -> (u32, u32) {
    let Ok(name) = nix::sys::utsname::uname() else { return (0, 0) };
    let text = name.release().to_string_lossy();
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// landlock_create_ruleset(LANDLOCK_CREATE_RULESET_VERSION): the version of the kernel's Landlock, from 1 on. Reference:
/// landlock_create_ruleset(2).
pub fn landlock_version() -> SysResult<u32> {
    let nothing = std::ptr::null::<u8>();
    // SAFETY: with this flag it takes no address.
    check(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, 1_u32) })
        .map(|version| version as u32)
}

pub fn euid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// An ordinary user whose umask takes away the owner's own rights could not go on with what it makes. Reference: umask(2).
pub fn keep_owners_rights() {
    if euid() != 0 {
        // SAFETY: umask cannot fail and takes a number.
        unsafe { libc::umask(libc::umask(0o077) & !0o700) };
    }
}

pub fn egid() -> u32 {
    nix::unistd::getegid().as_raw()
}

/// prlimit(pid, resource, limit): (soft, hard) of another process. Reference: prlimit(2).
pub fn prlimit(pid: i32, resource: u32, set: Option<(u64, u64)>) -> SysResult<(u64, u64)> {
    let new = set.map(|(soft, hard)| [soft, hard]);
    let new_at = new.as_ref().map_or(std::ptr::null(), |limit| limit.as_ptr());
    let mut old = [0u64; 2];
    // SAFETY: struct rlimit64 is two u64; both pointers are valid or null for the call.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, new_at, old.as_mut_ptr()) })?;
    Ok((old[0], old[1]))
}

/// prctl(PR_SET_CHILD_SUBREAPER): orphans below this process become its children.
pub fn become_subreaper() -> SysResult<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// sched_setattr(pid, attributes, 0): `attributes` is a struct sched_attr, its own size first. Reference:
/// sched_setattr(2).
pub fn sched_setattr(pid: i32, attributes: &[u8]) -> SysResult<()> {
    // SAFETY: the structure says its own size in its first word, and the slice is that long.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, pid, attributes.as_ptr(), 0) }).map(drop)
}
