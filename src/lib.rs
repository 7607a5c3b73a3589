//! rruntime: an OCI container runtime. `docs/architecture.md` is the map.

pub mod cgroup;
pub mod cli;
pub mod codes;
pub mod criu;
pub mod engine;
pub mod error;
pub mod host;
pub mod names;
pub mod plan;
pub mod regex;
pub mod report;
pub mod resctrl;
pub mod seccomp;
pub mod shim;
pub mod spec;
pub mod state;
pub mod sys;
pub mod time;
pub mod wire;
