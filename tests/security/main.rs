//! Attacks on the real binary by somebody who writes the image and part of the config: what was published
//! against runc, crun and youki since 2016, and their neighbours. Each attack may fail or be harmless; what may
//! not happen is that anything of the host changes, or becomes visible inside.
//!
//! The victim is a canary: a tree in target/tmp with a mark in each of its directories. Every test looks at it
//! before and after, and containers look for the mark in everything that they can see.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod binary;
mod bytes;
mod canary;
mod cgroup;
mod copies;
mod cwd;
mod descriptors;
mod destinations;
mod gym;
mod home;
mod hooks;
mod identity;
mod inputs;
mod joined;
mod keyring;
mod linked_pods;
mod links;
mod live;
mod mounts;
mod null;
mod older_kernel;
mod procfs;
mod protected;
mod races;
mod sealed;
mod state;
mod strangers;
mod trees;
mod window;
mod words;
