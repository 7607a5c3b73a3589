//! cgroups on v1 and on v2: what the library makes of them, and what limits, counts and holds a container.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod commands;
mod events;
mod hierarchy;
mod limits;
mod pure;
mod stats;
mod update;
mod usage;
mod v1;
mod v2;
