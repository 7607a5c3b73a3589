//! Functions of the C library that a release has from here: those that it never calls, and those that are smaller or faster
//! than the library's. Each has the library's name, and takes its place in the link.

#[cfg(all(
    target_arch = "x86_64",
    any(test, all(panic = "abort", target_env = "musl", not(debug_assertions)))
))]
mod bytes;
#[cfg(all(panic = "abort", not(debug_assertions)))]
mod left_out;
#[cfg(any(test, all(panic = "abort", target_env = "gnu", not(debug_assertions))))]
mod strings;
