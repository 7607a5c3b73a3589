//! The command line as the kernel gave it: std's own record of it is made by the start-up that this program goes without.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

static ARGUMENTS: OnceLock<Vec<OsString>> = OnceLock::new();

/// Notes what `main` was given.
///
/// # Safety
/// `argv` has `argc` strings that end with NUL.
pub unsafe fn note(argc: c_int, argv: *const *const c_char) {
    let count = usize::try_from(argc).unwrap_or_default();
    // SAFETY: the caller says so.
    let argument = |number| unsafe { CStr::from_ptr(*argv.add(number)) };
    let arguments = (0..count).map(|number| OsStr::from_bytes(argument(number).to_bytes()).to_owned());
    // Only the first note counts.
    let _ = ARGUMENTS.set(arguments.collect());
}

/// All of them, the program's own name first.
pub fn all() -> &'static [OsString] {
    ARGUMENTS.get().map_or(&[], Vec::as_slice)
}
