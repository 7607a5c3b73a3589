//! Attacks on the real binary by an attacker who writes the image and part of the config: what was published
//! against runc, crun and youki since 2016, and their neighbours. Each attack may fail or be harmless; what may
//! not happen is that anything of the host changes, or becomes visible inside.
//!
//! The victim is a canary: a tree in target/tmp with a mark in each of its directories. Every test looks at it
//! before and after, and containers look for the mark in everything that they can see.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod canary;
mod files;
mod gym;
mod input;
mod older_kernel;
mod processes;
