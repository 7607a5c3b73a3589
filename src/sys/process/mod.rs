//! Processes: this one, those that it starts, and signals.

pub mod brief;
pub mod identity;
pub mod launch;
pub mod pidfd;
pub mod proc;
mod raw;
pub mod seccomp;
pub mod signal;
pub mod signalfd;
pub mod spawn;
pub mod wait;

pub use brief::brief;
pub use identity::sched_setattr;
pub use pidfd::{kill_group, pidfd_getfd, pidfd_kill, pidfd_open, pidfd_open_thread, pidfd_send_signal};
pub use proc::{Stat, is_kernel_thread, name, number, open_of};
