//! Hosts that are set up otherwise: memory files that may not be executed, a root that cannot be pivoted.

#[path = "../support/mod.rs"]
mod support;

mod memory_files;
mod roots;
