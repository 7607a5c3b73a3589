//! Stand-ins for functions of the C library and of the unwinder that this program never uses, and a static link would carry
//! all the same. docs/dependencies.md has the sizes.
//!
//! The names are the libraries' own. One that another version does not ask for does no harm. One that it defines beside
//! a function that it needs gives way to ours (`-z muldefs` in build.rs): the file grows, and the link succeeds.

use std::ffi::{c_int, c_void};
use std::process::abort;

/// Functions of the C library and of the unwinder that nothing here calls: if one is reached all the same, the program ends.
macro_rules! unreachable {
    ($($name:ident),* $(,)?) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> ! {
            abort()
        }
    )*};
}

/// Functions that answer what the C library's own answers where there is nothing to do.
macro_rules! constant {
    ($($name:ident($($type:ty),*) -> $result:ty = $value:expr),* $(,)?) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name($(_: $type),*) -> $result {
            $value
        }
    )*};
}

// A release has no tables to unwind a stack by (build.rs): a panic's backtrace is empty, and what would read debug
// information for it is left out. This is what an exception would do.
unreachable!(
    _Unwind_Resume,
    _Unwind_DeleteException,
    _Unwind_GetCFA,
    _Unwind_GetIP,
    _Unwind_GetIPInfo,
    _Unwind_FindEnclosingFunction,
    _Unwind_GetLanguageSpecificData,
);

constant!(
    // std's way to a backtrace: the end of the stack (5) at once
    _Unwind_Backtrace(*const c_void, *mut c_void) -> c_int = 5,
);

#[cfg(target_env = "gnu")]
mod glibc;
