//! Random bytes.

use super::{SysResult, check};

/// Fills `bytes` from the kernel's generator. Reference: getrandom(2), which gives up to 256 bytes whole.
pub fn fill(bytes: &mut [u8; 20]) -> SysResult<()> {
    // SAFETY: the pointer and the length are those of `bytes`, which outlives the call.
    check(unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) } as libc::c_long).map(drop)
}
