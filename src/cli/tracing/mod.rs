//! `--trace FILE`: what a command has done and how long each part took, in the trace event format that ui.perfetto.dev and
//! chrome://tracing read; and `trace FILE`, which draws it. `docs/trace.md` says what each row means.

pub mod command;
mod file;
mod record;
mod rows;
mod svg;
mod waterfall;

pub use record::Trace;

/// The commands that write a trace. The others take the option, which an engine gives to all.
pub const TRACED: [&str; 7] = ["create", "delete", "exec", "restore", "run", "start", "update"];
