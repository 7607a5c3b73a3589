//! A gym: hostile programs inside containers (`spies/`) against everything of ours that comes within their reach. A case
//! is one path (exec, create, start, mounts add) on one set of terms (with and without no_new_privs, a user namespace, a
//! filter); the same cases run against other runtimes, as a control that the spies work.
//!
//! GYM_ROUNDS=20 makes races longer (`make test-long`). GYM_RUNTIME=/path/of/a/runtime runs the cases against that one,
//! and tells what was caught instead of failing.

#[allow(dead_code, reason = "another test program's module")]
mod caught;
mod control;
mod exchange;
mod hooks;
mod joiner;
mod neighbour;
mod runtime;
mod spy;
mod stand;
mod stopped;
mod strict;
mod terminal;
mod waiting;
