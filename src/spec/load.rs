//! From bytes to types. Only when that fails is the place in the text turned into a JSON pointer, so that the
//! message names the field instead of "line 1 column 730".

use super::locate::{pointer_at, read_until};
use super::objects::Objects;
use crate::error::{Error, Kind, Result};
use serde::Deserialize;

/// Parses `bytes` as `T`; `name` is what the reader calls the input ("config.json").
pub fn parse<'a, T: Deserialize<'a>>(name: &str, bytes: &'a [u8]) -> Result<T> {
    read(bytes).map_err(|error| explain(name, bytes, &error))
}

/// The same for a file of our own, whose fields mean nothing to a reader. Everything is read by this one kind of
/// deserializer: another would be a second copy of every parser.
pub fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    let mut text = serde_json::Deserializer::from_slice(bytes);
    T::deserialize(Objects(&mut text)).and_then(|value| text.end().map(|()| value))
}

fn explain(name: &str, bytes: &[u8], error: &serde_json::Error) -> Error {
    if error.is_syntax() || error.is_eof() {
        return Error::new(format!("{name} is not valid JSON: {error}"))
            .kind(Kind::Config)
            .remedy("check the file, for example with `jq .`");
    }
    let pointer = pointer_at(bytes, read_until(bytes, error.line(), error.column()));
    let text = error.to_string();
    // The line and column say less than the pointer.
    let reason = text.rsplit_once(" at line ").map_or(&*text, |(reason, _)| reason).to_owned();
    let twice = reason.starts_with("duplicate field");
    let error = Error::new(reason).kind(Kind::Config);
    let error = if pointer.is_empty() { error.doing(name.to_owned()) } else { error.field(pointer) };
    error.remedy(if twice {
        "remove one of the two"
    } else {
        "the runtime-spec's config.md has the type of each field"
    })
}
