//! The state directory: one 0700 directory for each container, below one root.
//!
//! ```text
//! <root>/<id>/state.json    the record, mode 0600, replaced by rename, never half written
//!             brief         what `list` shows of the record, in a link's target
//!             config.json   a copy of the bytes that the container was made from
//!             script        what its init does, where a later command says start (`plan/kept.rs`)
//!             start.awaited made by the engine; removed when the container has started (start.sock: by 0.1.0)
//!             notify/       made by the engine where a service manager wants news; bound into the container
//!       cgroup:<hash>       which container has a cgroup, in a link's target
//!       .thread:kdevtmpfs   the number of that thread (`host/small_table.rs`), in a link's target
//! ```
//!
//! A directory that runc or crun made is read, never written (`foreign.rs`).
//!
//! Orderings that this guards: the directory is made before anything else of a container (two creates of one
//! id cannot both win), the record of what *will* be made is written before the first side effect (a command
//! that was killed leaves enough for `delete --force`), and a command that changes a container holds the lock
//! of its directory. Reading takes no lock. A directory that is broken or half removed never breaks another.
//!
//! It must never follow an id out of the root, remove what it did not make, or descend into a mount.

pub mod brief;
mod claims;
mod foreign;
pub mod id;
pub mod owner;
pub mod process;
pub mod record;
mod remembered;
pub mod root;
pub mod store;

pub use brief::Brief;
pub use claims::short_name;
pub use process::{Life, Process, boot_id, is_init};
pub use record::{AddedDevice, AddedMount, Maker, Phase, Record};
pub use store::{
    Awaited, Entry, NoRoot, START_ANSWER, START_AWAITED, START_SOCKET, START_WORD, Store, awaited_at,
};
