//! CRIU, as far as it can be known without a process: its messages, its log, and what lies in a directory of its images.

pub mod log;
pub mod messages;
