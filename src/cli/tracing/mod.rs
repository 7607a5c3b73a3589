//! `--trace FILE`: what a command has done and how long each part took, in the trace event format that ui.perfetto.dev and
//! chrome://tracing read; and `trace FILE`, which draws it. `docs/trace.md` says what each row means.

pub mod command;
mod file;
mod record;
mod rows;
mod svg;
mod waterfall;

pub use record::Trace;
