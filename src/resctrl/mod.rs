//! `linux.intelRdt`: a share of caches and memory bandwidth through resctrl (config-linux.md, IntelRdt; in the kernel's
//! Documentation/filesystems/resctrl.rst).
//!
//! ```text
//!  IntelRdt ──Demand::find─▶ Demand ── place ──▶ state.json
//!   (+ what is there)            │ make: group, schemata, monitoring group
//!                                └ place.join(pid) … place.remove()
//! ```
//!
//! `Demand::find` only reads: what this machine or the config cannot do is an error before anything has changed. Where
//! the field is absent nothing here runs, and the table of mounts is not read. Everything happens relative to the held
//! top directory of a file system that says by its magic number that it is resctrl; names have one component.
//!
//! A group is removed only if it was made for this one container: one that `closID` names is shared. Removing a group
//! moves its tasks to the default group, so a container's processes are ended before.

mod demand;
mod place;
pub mod schema;
pub mod stats;
mod tree;

pub use demand::{Demand, Group};
pub use place::Place;
pub use tree::Tree;

use crate::error::{Error, Kind, Result};
use crate::spec::IntelRdt;

/// `update --l3-cache-schema` and `--mem-bw-schema`: writes them to the container's group, which other containers
/// share if `closID` named it.
///
/// A container without a group can get one: `Demand::find` with its id and an `IntelRdt` of these schemas, the place
/// into the record, then `make`, and `join` for each of its processes.
pub fn update(place: &Place, l3_cache: Option<&str>, memory_bandwidth: Option<&str>) -> Result<()> {
    let gone = || Error::new("the container's resctrl group is gone").kind(Kind::WrongState);
    let tree = Tree::open(&place.mount)?.ok_or_else(gone)?;
    let writes = schema::writes(&IntelRdt::of(l3_cache, memory_bandwidth));
    schema::check_resources(&writes, &tree.schemata(None)?)?;
    for write in &writes {
        tree.write_schemata(&place.group, write)?;
    }
    Ok(())
}
