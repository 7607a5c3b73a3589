//! CRIU, as far as it can be known without a process: its messages, its log, and what its images say of filters.

pub mod filters;
pub mod log;
pub mod messages;
