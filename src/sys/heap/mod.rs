//! The program's heap.

/// It grows by this much at once; what is not used of it takes no memory. By a library's own steps a config costs half a
/// dozen calls and more.
const STEP: usize = 1 << 20;

/// For the program, at its start: nothing is given back before the end.
#[cfg(not(target_env = "musl"))]
pub fn grow_in_large_steps() {
    for (option, value) in [(libc::M_TOP_PAD, STEP as i32), (libc::M_TRIM_THRESHOLD, i32::MAX)] {
        // SAFETY: mallopt takes numbers, before there is another thread. A refusal changes nothing.
        unsafe { libc::mallopt(option, value) };
    }
}

#[cfg(target_env = "musl")]
pub use lea::Heap;

#[cfg(target_env = "musl")]
mod lea;
