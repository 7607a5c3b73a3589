//! What this machine can do. Probed lazily, never changed.

pub mod cgroups;
