//! Keyrings (keyctl(2)).

use super::{Sys, call, call_memory, path};
use core::ffi::CStr;

/// A key by its number.
#[derive(Clone, Copy)]
pub struct Key(usize);

/// keyctl(KEYCTL_JOIN_SESSION_KEYRING).
pub fn join_session_keyring(name: &CStr) -> Sys<Key> {
    // SAFETY: it reads a name that ends with a NUL.
    unsafe {
        call_memory(libc::SYS_keyctl, [1 /* KEYCTL_JOIN_SESSION_KEYRING */, path(name)])
    }
    .map(Key)
}

/// add_key(2): a keyring of this name in the keyring of this process, which goes with the next execve.
pub fn add_keyring(name: &CStr) -> Sys<Key> {
    const PROCESS_KEYRING: isize = -2;
    let args = [path(c"keyring"), path(name), 0, 0, PROCESS_KEYRING as usize];
    // SAFETY: it reads two strings, which end with a NUL, and a payload of no bytes.
    unsafe { call_memory(libc::SYS_add_key, args) }.map(Key)
}

/// keyctl(KEYCTL_CHOWN): the group stays.
pub fn give_key(key: Key, uid: u32) -> Sys<()> {
    call(libc::SYS_keyctl, [4 /* KEYCTL_CHOWN */, key.0, uid as usize, u32::MAX as usize]).map(drop)
}

/// keyctl(KEYCTL_DESCRIBE): "type;uid;gid;permissions;description", permissions in hexadecimal.
pub fn describe_key(key: Key, text: &mut [u8]) -> Sys<()> {
    let args = [6 /* KEYCTL_DESCRIBE */, key.0, text.as_mut_ptr() as usize, text.len()];
    // SAFETY: it writes at most the length of this slice, which is ours alone.
    unsafe { call_memory(libc::SYS_keyctl, args) }.map(drop)
}

/// keyctl(KEYCTL_SETPERM).
pub fn set_key_permissions(key: Key, permissions: u32) -> Sys<()> {
    call(libc::SYS_keyctl, [5 /* KEYCTL_SETPERM */, key.0, permissions as usize]).map(drop)
}
