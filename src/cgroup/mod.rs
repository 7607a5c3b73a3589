//! Control groups by file: where a container's cgroup is, what it may use, and its life from making to removal.
//!
//! ```text
//!  spec::Resources ──Limits::from_spec──▶ Limits ──v1::files / v2::files──▶ [Write] ─┐
//!                                            └──devices──▶ program or v1 changes ────┤
//!  cgroupsPath ──locate──▶ Location ──Cgroup::create / open──▶ Cgroup (held fds) ◀───┘ apply
//! ```
//!
//! Deciding is pure; drivers only write, relative to directories that are held open, and never create a file.
//! Every step below a mount refuses links, `..` and other file systems, so that whatever a path contains, nothing
//! outside of the hierarchy is touched. On v2 nobody is ever moved: processes are born in the cgroup
//! (`Cgroup::birth`). Processes are never moved out either: what is left in a cgroup is ended or waited for.

pub mod below;
mod controllers;
pub mod devices;
mod enforce;
pub mod exceptions;
mod freeze;
mod glance;
mod kill;
pub mod limits;
pub mod location;
pub mod oom;
pub mod program;
mod remove;
pub mod stats;
mod tree;
mod update;
pub mod v1;
pub mod v2;
pub mod write;

pub use freeze::{is_freezing_group, is_frozen_group};
pub use glance::is_frozen;
pub use limits::{DeviceRules, Limits};
pub use location::{Leg, Location, Version, locate};
pub use tree::Cgroup;
pub use update::Undo;
