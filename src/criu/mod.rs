//! CRIU, as far as it can be known without a process: its messages, its log, and what its images say.

pub mod filters;
pub mod images;
pub mod log;
pub mod messages;
