//! The command line: what is typed, what is printed, what is installed.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod arguments;
mod compat;
mod doctor;
mod engines;
mod exec;
mod explain;
mod install;
mod log;
mod seccomp;
mod shell;
mod state;
mod swapped;
mod terminal;
mod trace;
mod usage;
