//! containerd's shim (io.containerd.rruntime.v1): what containerd executes under the name containerd-shim-rruntime-v1, and
//! what that leaves running.

mod calls;
mod checkpoint;
mod control;
mod create;
mod delete;
mod ends;
mod exec;
mod info;
mod jobs;
mod mapped;
mod metrics;
mod model;
mod protocol;
mod publisher;
mod replies;
mod rootfs;
mod runtime;
mod serve;
mod shim;
mod start;
mod streams;

pub use info::NAME;
pub use start::main;
