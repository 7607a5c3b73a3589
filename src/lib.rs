//! rruntime: an OCI container runtime. `docs/architecture.md` is the map.

pub mod error;
pub mod seccomp;
pub mod spec;
pub mod sys;
