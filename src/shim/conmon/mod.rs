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
mod clients;
mod ending;
mod fifos;
mod finish;
mod input;
mod logs;
mod making;
mod options;
mod output;
mod places;
mod record;
mod runtime;
mod serve;
mod shim;

pub use begin::{NAME, main};
