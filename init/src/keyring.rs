//! The container's session keyring.
//!
//! Keys are the kernel's for a user, not for a container: every process of the user id sees in /proc/keys what that user
//! may view, and may link a key that the user may link, which makes it its own. So the user may only search this keyring.
//! Joining it by name needs that right, and `exec` has no other way; the name protects it, which is random, and which
//! only the container's own processes can read. A keyring that has just been made may be viewed, and linked if
//! keyctl(KEYCTL_JOIN_SESSION_KEYRING) has made it. So it is made
//! - in the first user namespace with a user id that no process has, and given away when its permissions are set;
//! - in another one, where that is not allowed, as a plain key, which may be viewed for a moment: names are the user
//!   namespace's own, and the number is of no use without the name.

use crate::control::{Fail, In, Outcome};
use crate::sys::{self, Errno, Key};
use crate::wire::Part;
use core::ffi::CStr;

/// Everything to a process that possesses the keyring, which is one that has it as its session's.
const POSSESSOR: u32 = 0x3f00_0000;
const USER_SEARCHES: u32 = 0x0008_0000;
/// What the kernel, and rruntime 0.1.0, have let the user do besides: view, read, link.
const USER_DOES_MORE: u32 = 0x0013_0000;

pub fn make(name: &CStr, hidden: u32) -> Outcome<()> {
    let hides = hidden != 0 && sys::set_real_user(hidden).is_ok();
    let ring = if hides { sys::join_session_keyring(name) } else { sys::add_keyring(name) };
    let Some(ring) = found(ring)? else { return if hides { show() } else { Ok(()) } };
    sys::set_key_permissions(ring, POSSESSOR | USER_SEARCHES).part(Part::Whole)?;
    if hides {
        sys::give_key(ring, 0).part(Part::Whole)?;
        return show();
    }
    sys::join_session_keyring(name).map(drop).part(Part::Whole)
}

fn show() -> Outcome<()> {
    sys::set_real_user(0).part(Part::Setuid)
}

/// One that has gone with the last process that had it is made again.
pub fn join(name: &CStr) -> Outcome<()> {
    let Some(ring) = found(sys::join_session_keyring(name))? else { return Ok(()) };
    let mut text = [0u8; 128];
    // What the container itself has changed stays.
    if sys::describe_key(ring, &mut text).is_ok() {
        let digits = text.split(|&b| b == b';').nth(3).unwrap_or(&[]);
        let old = digits.iter().fold(0u32, |n, &b| (n << 4) | (b as char).to_digit(16).unwrap_or(0));
        if old & USER_DOES_MORE == USER_DOES_MORE {
            sys::set_key_permissions(ring, POSSESSOR | USER_SEARCHES).part(Part::Whole)?;
        }
    }
    Ok(())
}

/// A kernel without keyrings has none to share.
fn found(ring: sys::Sys<Key>) -> Outcome<Option<Key>> {
    match ring {
        Ok(ring) => Ok(Some(ring)),
        Err(Errno(libc::ENOSYS)) => Ok(None),
        Err(errno) => Err(Fail(Part::Whole, errno)),
    }
}
