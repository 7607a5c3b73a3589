//! Spec + host → plan: what will be done, decided by pure functions before anything on the host changes.
//!
//! A plan has two halves. The child's half is a `Script`: a flat list of steps for the sealed init. The parent's
//! half is a list of deeds (`deeds.rs`), each with what it is done with. Nothing here opens, reads or writes a file. A
//! script is kept for as long as a step of it may fail: with the next caller's facts there would be another plan.

pub mod affinity;
pub mod behind;
mod belonging;
pub mod container;
pub mod criu;
pub mod deeds;
pub mod devices;
pub mod kept;
pub mod live;
mod loading;
pub mod mounts;
mod namespaces;
pub mod opens;
pub mod process;
pub mod program;
pub mod scheduling;
pub mod script;
mod settings;
pub mod tenant;
pub mod words;

pub use container::{Options, Plan, SessionKeyring, StartWord, container};
pub use opens::{Open, Opens};
pub use script::{Field, Script};

use crate::cgroup::Location;
use crate::error::{Error, Kind, Result};
use crate::host::cgroups::Layout;
use crate::names::{Table, find};
use crate::spec::landlock::Landlock;

/// What planning has to know of the machine and of the caller.
#[derive(Debug)]
pub struct Host {
    /// CAP_SYS_ADMIN over the caller's mounts: bind sources are opened before the child exists.
    pub privileged: bool,
    /// The caller is in a user namespace other than the host's: it cannot make device nodes.
    pub in_user_namespace: bool,
    /// No process in the caller's user namespace may change its supplementary groups.
    pub groups_are_fixed: bool,
    /// The config keeps the caller's supplementary groups (`run.oci.keep_original_groups`).
    pub keep_groups: bool,
    /// The caller's permitted capabilities: what a container without a user namespace can have at most.
    pub permitted: u64,
    pub last_capability: u32,
    /// A small mount namespace is at hand (`host::small_table`).
    pub small_table: bool,
    /// An AppArmor profile confines the caller, and no_new_privs the process: it can only get a further profile on top.
    pub stacks_profiles: bool,
    /// The config's Landlock rules, as far as this kernel has them.
    pub landlock: Option<Landlock>,
    /// The caller's RLIMIT_NOFILE, soft and hard.
    pub open_files: (u64, u64),
    /// This process has another one now, which init is born with.
    pub open_files_are_raised: bool,
    pub cgroups: Layout,
    /// Where the container's cgroup will be; `None` without one.
    pub cgroup: Option<Location>,
}

/// What a name of the config stands for. Validation has refused names that no table has.
fn known<T: Copy>(table: &Table<T>, name: &str, field: impl FnOnce() -> String) -> Result<T> {
    let unknown = || Error::new("unknown name").kind(Kind::Config).field(field()).value(name);
    find(table, name).ok_or_else(unknown)
}
