//! `mounts`: what options do, what comes to a running container and goes again, and what stays impossible. The oracle
//! is /proc/self/mountinfo inside.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod live;
