//! `checkpoint` and `restore`: CRIU (criu.org) writes a container's processes to files, and makes them again from files.
//!
//! ```text
//!  rruntime                                      criu swrk
//!     │  the request (`criu/messages.rs`) ─────────▶│
//!     │◀──────────────────────────────── a point that it has come to: the runtime's part; yes or no ──▶
//!     │◀─────────────────────────────── the response │
//! ```
//!
//! Files of a checkpoint are untrusted. What they say of mounts, rights and namespaces counts only as far as the bundle's
//! own config says the same: a restored container is held against that before one of its processes goes on (`verify.rs`).

mod compare;
mod dump;
mod externals;
mod filters;
mod guard;
mod images;
mod look;
mod restore;
mod rights;
mod service;
mod streams;
mod verify;
