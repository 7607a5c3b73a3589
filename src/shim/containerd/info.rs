//! `-info`: what containerd 1.7 and later ask of a shim before they have a container for it.

use crate::error::{Error, Result};
use crate::shim::containerd::messages::Any;
use crate::shim::containerd::start::NAME;
use prost::Message;
use std::io::Write;

/// containerd.runtime.v2... RuntimeInfo: name, version, features.
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
pub fn print() -> Result<()> {
    let version = Version { version: env!("CARGO_PKG_VERSION").to_owned(), revision: String::new() };
    let info = Info { name: NAME.to_owned(), version: Some(version), features: None };
    let written = std::io::stdout().write_all(&info.encode_to_vec());
    written.map_err(|e| Error::io("write to standard output", &e))
}
