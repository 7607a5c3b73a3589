//! Hosts that are set up otherwise: memory files that may not be executed, a root that cannot be pivoted, no cgroups or
//! proc, and containers as hosts.

mod cgroups;
mod containers;
mod memory_files;
mod roots;
