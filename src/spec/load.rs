//! From bytes to types. The fast parser runs first; only when it fails are the bytes parsed again with the
//! path tracked, so that the message names the field instead of "line 1 column 730".

use crate::error::{Error, Kind, Result};
use serde::Deserialize;

/// Parses `bytes` as `T`; `name` is what the reader calls the input ("config.json").
pub fn parse<'a, T: Deserialize<'a>>(name: &str, bytes: &'a [u8]) -> Result<T> {
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(error) => Err(explain::<T>(name, bytes, &error)),
    }
}

fn explain<'a, T: Deserialize<'a>>(name: &str, bytes: &'a [u8], error: &serde_json::Error) -> Error {
    if error.is_syntax() || error.is_eof() {
        return Error::new(format!("{name} is not valid JSON: {error}"))
            .kind(Kind::Config)
            .remedy(format!("check the file, for example with `jq . {name}`"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Ok(_) => Error::new(format!("{name}: {error}")).kind(Kind::Config),
        Err(tracked) => Error::new(tracked.inner().to_string())
            .kind(Kind::Config)
            .field(pointer(tracked.path()))
            .remedy("the runtime-spec's config.md has the type of each field"),
    }
}

/// RFC 6901, as in `/process/rlimits/0/type`.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut out = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => out.push_str(&format!("/{index}")),
            Segment::Map { key } => out.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { variant } => out.push_str(&format!("/{variant}")),
            Segment::Unknown => {}
        }
    }
    out
}
