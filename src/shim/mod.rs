//! The shim: what stays when a command has returned, keeps a container's streams, and tells how it ended.
//!
//! ```text
//!  start ──▶ keeper (init/src/keeper.rs) ──▶ shim proper (this) ──▶ containers, execs
//!              │ holds descriptors          │ one loop; a thread for each call of the engine that may wait
//!              │ reaps orphans              │ journal: what a successor has to know
//!              └ starts the next one when the shim proper is killed
//! ```
//!
//! Containers are children of the shim proper, as of any other caller of the engine. When that is killed they become the
//! keeper's, which is the subreaper, and how they end is the keeper's to tell.

pub mod conmon;
pub mod containerd;
pub mod detached;
mod execute;
pub mod files;
mod foreign;
mod journal;
mod launch;
mod link;
mod table;
