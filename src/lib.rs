//! rruntime: an OCI container runtime. `docs/architecture.md` is the map.

pub mod error;
pub mod plan;
pub mod spec;
pub mod sys;
