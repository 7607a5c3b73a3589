//! rruntime: an OCI container runtime. `docs/architecture.md` is the map.

pub mod cgroup;
pub mod error;
pub mod plan;
pub mod wire;
pub mod host;
pub mod spec;
pub mod sys;
