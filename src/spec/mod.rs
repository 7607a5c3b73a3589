//! `config.json`: types that borrow from the file's bytes, loading, and validation of everything at once.

pub mod amend;
mod amendments;
pub mod annotations;
pub mod config;
pub mod cpus;
pub mod destination;
mod fields;
mod findings;
pub mod idmap;
pub mod linux;
pub mod load;
pub mod locate;
pub mod merge;
mod objects;
pub mod resources;
pub mod seccomp;
pub mod template;
pub mod text;
pub mod validate;

pub use amendments::{Amendments, Keyring, Listening, RootChange};
pub use annotations::landlock;
pub use config::*;
pub use idmap::IdMapping;
pub use linux::*;
pub use resources::*;
pub use seccomp::{Seccomp, SyscallArg, SyscallRule};
pub use text::Text;
