//! Which user namespace the namespaces belong to that a process joins.
//!
//! A container's first process may make a user namespace, in which it has every right, and others in that: a mount namespace
//! where its own file is at the place of a trusted program. A process that joined these with the container's rights would
//! hand them over. So a joining process checks, when it has joined, that what it is in belongs to the user namespace in
//! which the container was made. That one is known by its inode number: the kernel gives it to no other as long as a
//! process is in it or below. Other namespaces in the same user namespace may be made and changed by any process with the
//! right to do so, and are followed.

use super::script::{Field, Script};
use crate::names::namespaces::{CGROUP, IPC, MOUNT, NETWORK, TIME, USER, UTS};
use crate::wire::{Bytes, Step};
use std::ffi::CStr;

/// No process can change a pid namespace.
const OWNED: [(u64, &CStr); 6] = [
    (MOUNT, c"self/ns/mnt"),
    (NETWORK, c"self/ns/net"),
    (UTS, c"self/ns/uts"),
    (IPC, c"self/ns/ipc"),
    (CGROUP, c"self/ns/cgroup"),
    (TIME, c"self/ns/time"),
];

/// The checks of these namespaces once they are joined: their owners must be among `owners`, the container's own user
/// namespace first. No checks where the owners are not known. The host's proc is open.
pub fn push(owners: &[u64], joined: u64, script: &mut Script) {
    let Some(own) = owners.first() else { return };
    if joined & USER != 0 {
        let own = own.to_le_bytes();
        script.push(Field::None, Step::Belongs { file: c"self/ns/user", owner: false, to: Bytes(&own) });
    }
    let any: Vec<u8> = owners.iter().flat_map(|number| number.to_le_bytes()).collect();
    for (_, file) in OWNED.iter().filter(|(flag, _)| joined & flag != 0) {
        script.push(Field::None, Step::Belongs { file, owner: true, to: Bytes(&any) });
    }
}
