//! Hostile input: ids, names and paths that climb, sizes without bounds, state of other users, and texts for people.

pub mod bytes;
pub mod cgroup;
pub mod extremes;
pub mod identity;
pub mod state;
pub mod strangers;
pub mod words;
