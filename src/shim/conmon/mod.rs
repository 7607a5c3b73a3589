//! conmon's face: what podman and CRI-O execute for each container and each exec, under the name conmon and with its
//! command line, and what that leaves running.
//!
//! ```text
//!  podman ──▶ conmon (begin) ──▶ keeper ──▶ shim proper (serve) ──▶ the container
//!               │ waits for the word to start    │ output to logs and attached clients, input from them
//!               │ binds the attach socket        │ pid and exit code to podman's pipe, exit files, exit command
//!               └ ends                           └ may be killed: the next one goes on
//! ```

mod begin;
pub(in crate::shim) mod clients;
mod ending;
mod fifos;
pub(in crate::shim) mod finish;
mod input;
pub(in crate::shim) mod logs;
mod making;
pub(in crate::shim) mod options;
mod output;
pub(in crate::shim) mod places;
pub(in crate::shim) mod record;
pub(in crate::shim) mod runtime;
pub(in crate::shim) mod serve;
mod shim;

pub use begin::{NAME, main};
pub use options::Options;
