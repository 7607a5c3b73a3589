//! `-info`: what containerd 1.7 and later ask of a shim before they have a container for it.

use crate::error::{Error, Result};
use crate::shim::containerd::protocol::messages::Any;
use prost::Message;
use std::io::Write;
use std::path::Path;

/// What this file is called as containerd's shim.
pub const NAME: &str = "containerd-shim-rruntime-v1";

/// Sockets of all shims, and the pods' files that lead to them. Not below the usual state directory, where each directory
/// is a container's.
pub const SOCKETS: &str = "/run/rruntime-shim";

/// The socket that an address names, as containerd writes them: a path, with or without `unix://`.
pub fn socket_of(address: &str) -> &Path {
    let address = address.trim();
    Path::new(address.strip_prefix("unix://").unwrap_or(address))
}

/// In a container's bundle: the runtime that is executed for it, for `delete`.
pub const RUNTIME_FILE: &str = "runtime";

/// The type of the JSON of features.md (runtime-spec).
const FEATURES: &str = "types.containerd.io/opencontainers/runtime-spec/1/features/Features";

/// containerd's RuntimeInfo.
#[derive(Clone, PartialEq, Message)]
struct Info {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    version: Option<Version>,
    #[prost(message, optional, tag = "4")]
    features: Option<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Version {
    #[prost(string, tag = "1")]
    version: String,
    #[prost(string, tag = "2")]
    revision: String,
}

/// On standard output.
pub fn print(features: String) -> Result<()> {
    let version = Version { version: env!("CARGO_PKG_VERSION").to_owned(), revision: String::new() };
    let features = Any { kind: FEATURES.to_owned(), value: features.into_bytes() };
    let info = Info { name: NAME.to_owned(), version: Some(version), features: Some(features) };
    let written = std::io::stdout().write_all(&info.encode_to_vec());
    written.map_err(|e| Error::io("write to standard output", &e))
}
