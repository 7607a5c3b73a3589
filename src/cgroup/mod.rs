//! Control groups: where a container's cgroup is, what it may use, and its life from making to removal.
//!
//! ```text
//!  spec::Resources ──Limits::from_spec──▶ Limits ──render: v1::files / v2::files──▶ [Write] ─┐
//!                                            └──devices──▶ program or v1 changes ────────────┤
//!  cgroupsPath ──locate──▶ Location ──make / open──▶ Driver: Cgroup (held fds) ◀─────────────┘ files: apply
//! ```
//!
//! Deciding is pure; drivers only write, relative to directories that are held open, and never create a file.
//! Every step below a mount refuses links, `..` and other file systems, so that whatever a path contains, nothing
//! outside of the hierarchy is touched. On v2 no process is ever moved: processes are born in the cgroup
//! (`Cgroup::birth`). Processes are never moved out either: what is left in a cgroup is ended or waited for.
//! Arrows point one way: driver → {files, stats, oom, shortage} → resources → render → {limits, devices, location}.

pub mod devices;
mod driver;
pub mod files;
pub mod limits;
pub mod location;
pub mod oom;
pub mod render;
mod resources;
pub mod shortage;
pub mod stats;
pub mod systemd;

pub use driver::{CgroupManager, Driver, without_cgroup};
pub use files::below::Below;
pub use files::freeze::{is_freezing_group, is_frozen_group, join_threads, kind_of};
pub use files::held::Cgroup;
pub use files::search::search;
pub use files::update::Undo;
pub use limits::{DeviceRules, Limits};
pub use location::{Leg, Location, Unit, Version, locate, membership};
pub use render::write::{IfAbsent, Write};
pub use render::{routed, v1, v2};
