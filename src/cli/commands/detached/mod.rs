//! Containers with a shim: `run --detach --log-output`, what asks for them afterwards, and `shim` itself.

pub mod attach;
pub mod logs;
pub mod run;
pub mod shim;
pub mod wait;
