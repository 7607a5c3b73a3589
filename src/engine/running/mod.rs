//! What is done to a container that runs.

pub mod denied;
mod devices;
pub mod ending;
pub mod events;
pub mod exec;
pub mod killed;
pub mod meter;
pub mod mounts;
pub mod pause;
pub(in crate::engine) mod room;
pub mod shares;
pub mod update;
