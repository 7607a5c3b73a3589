//! What concerns init: what it is given, how it is started, what it says, and what its words mean.

pub mod belonging;
pub mod birth;
pub mod born;
pub mod confined;
pub mod diagnose;
pub mod early;
pub mod idmaps;
pub mod image;
pub mod init;

pub mod links;
pub mod message;
pub mod open;
pub mod open_files;
pub mod pipes;
pub mod program_head;
pub mod rlimits;
pub mod sources;
pub mod tenant;
pub mod tracers;
