//! What the caller of a command gives, and what it gets.

pub mod connection;
pub mod console;
pub mod listener;
pub mod notify;
pub mod notify_reader;
pub mod pid_file;
pub mod pidfd;
