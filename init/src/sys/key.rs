//! Keyrings (keyctl(2)).

use super::{Sys, call_memory, calls, path};
use core::ffi::CStr;

/// A key by its number.
#[derive(Clone, Copy)]
pub struct Key(usize);

const PROCESS_KEYRING: isize = -2;

calls! {
    join_session_keyring(name: &CStr) -> Key = SYS_keyctl [1 /* KEYCTL_JOIN_SESSION_KEYRING */, path(name)];
    /// A keyring of this name in the keyring of this process, which goes with the next execve.
    add_keyring(name: &CStr) -> Key = SYS_add_key [path(c"keyring"), path(name), 0, 0, PROCESS_KEYRING as usize];
    /// The group stays.
    give_key(key: Key, uid: u32) = SYS_keyctl [4 /* KEYCTL_CHOWN */, key.0, uid as usize, u32::MAX as usize];
    set_key_permissions(key: Key, permissions: u32) =
        SYS_keyctl [5 /* KEYCTL_SETPERM */, key.0, permissions as usize];
}

/// keyctl(KEYCTL_DESCRIBE): "type;uid;gid;permissions;description", permissions in hexadecimal.
pub fn describe_key(key: Key, text: &mut [u8]) -> Sys<()> {
    let args = [6 /* KEYCTL_DESCRIBE */, key.0, text.as_mut_ptr() as usize, text.len()];
    // SAFETY: it writes at most the length of this slice, which is ours alone.
    unsafe { call_memory(libc::SYS_keyctl, args) }.map(drop)
}
