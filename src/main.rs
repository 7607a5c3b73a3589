//! One file, several faces: the name it is called by decides which.
//!
//! The C `main` is ours: the standard library's start-up (a stack guard, a signal stack, a SIGPIPE handler) is
//! 20 system calls that a program of a few milliseconds can do without. What it did for safety is done by the
//! faces themselves (`cli::streams`): descriptors 0 to 2 are opened if they are closed, and a hook or a socket
//! without a reader is an error and not the end of the runtime. `std::env::args_os` is empty: std notes the
//! arguments in the start-up, so `sys::arguments` does.
#![no_main]

use rruntime::cli;
use rruntime::shim::{conmon, containerd};
use rruntime::sys::{arguments, heap};
use std::ffi::{c_char, c_int};
use std::path::Path;

#[cfg(target_env = "musl")]
#[global_allocator]
static HEAP: heap::Heap = heap::Heap::new();

/// The C library's start-up calls it.
///
/// # Safety
/// `argv` has `argc` strings.
// SAFETY: libc's start-up looks for exactly this symbol with this signature, and no other of the name exists,
// because of no_main.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    // SAFETY: the kernel has given them.
    unsafe { arguments::note(argc, argv) };
    #[cfg(not(target_env = "musl"))]
    heap::grow_in_large_steps();
    let mut arguments = arguments::all().iter().cloned();
    let called = arguments.next().unwrap_or_default();
    let name = Path::new(&called).file_name().and_then(|name| name.to_str());
    match name {
        Some(containerd::NAME) => containerd::main(arguments, cli::features),
        Some(conmon::NAME) => conmon::main(arguments),
        _ => cli::main(cli::Face::called(name), arguments),
    }
}
