//! Limits as what a driver hands to the kernel: files of cgroup v1 and v2, a device program, exceptions of v1. Pure.

pub mod exceptions;
pub mod program;
pub mod v1;
pub mod v2;
pub mod write;
