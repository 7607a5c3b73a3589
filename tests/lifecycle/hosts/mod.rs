//! Hosts that are set up otherwise: memory files that may not be executed, a root that cannot be pivoted.

mod memory_files;
mod roots;
