//! Spec + host → plan: what will be done, decided by pure functions before anything on the host changes.

pub mod names;
