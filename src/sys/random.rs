//! Random bytes.

use super::{SysResult, check};

/// Fills `bytes` from the kernel's generator. Reference: getrandom(2), which gives up to 256 bytes whole.
pub fn fill(bytes: &mut [u8; 20]) -> SysResult<()> {
    // SAFETY: the pointer and the length are those of `bytes`, which outlives the call.
    check(unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) } as libc::c_long).map(drop)
}

/// A name that cannot be guessed, for a file.
pub fn name() -> SysResult<String> {
    let mut bytes = [0; 20];
    fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
