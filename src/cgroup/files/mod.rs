//! The driver that works by file: directories that are made, held and removed, and control files that are written.
//!
//! ```text
//!  make ┐ apply ┐ update  enforce  freeze  kill  remove     each one thing that is done with a cgroup
//!       └───────┴─▶ controllers ──▶ held ──▶ walk           what is held, and how paths below it are resolved
//! ```

pub mod apply;
pub mod below;
mod controllers;
mod enforce;
mod entrance;
pub mod freeze;
pub mod held;
mod kill;
mod make;
mod remove;
pub mod search;
pub mod update;
pub(super) mod walk;
