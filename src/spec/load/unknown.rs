//! Keys of a config.json that mean nothing to this program: a misspelt limit is no limit.
//!
//! The specification has a runtime ignore them, so they are looked for only where a person asks (`explain`, `validate`). The
//! parser of the types themselves finds them, so that there is no second list of what is known: on this thread it is told to
//! stop at one, the key is marked in a copy of the text, and it is asked again.

use super::mend::key_before;
use crate::error::Error;
use crate::names::nearest;
use crate::spec::locate::{escaped, pointer_at, read_until};
use std::cell::Cell;

/// How the parser names one, before the fields that the object has.
const UNKNOWN: &str = "unknown key beside ";

/// What a key begins with that has been found already. No one types it.
const MARK: char = '\u{7f}';

/// More unknown keys are no config.json.
const MOST: usize = 100;

/// Parts of a config for other systems (config.md, Platform-specific configuration).
const PLATFORMS: [&str; 5] = ["freebsd", "solaris", "vm", "windows", "zos"];

thread_local! {
    static STOPS: Cell<bool> = const { Cell::new(false) };
}

/// What the parser says at a key that no field of the object has; `None`: it goes on.
pub fn stop(key: &str, fields: &[&str]) -> Option<String> {
    (STOPS.get() && !key.starts_with(MARK)).then(|| format!("{UNKNOWN}{}", fields.join(" ")))
}

type Parses<'p> = &'p dyn Fn(&[u8]) -> serde_json::Result<()>;

/// The unknown keys of a text that `parses`, each as a warning.
pub fn keys(text: &[u8], parses: Parses) -> Vec<Error> {
    let (mut text, mut found) = (text.to_owned(), Vec::new());
    while found.len() < MOST {
        STOPS.set(true);
        let outcome = parses(&text);
        STOPS.set(false);
        let Err(error) = outcome else { break };
        let message = error.to_string();
        // What else is wrong is told by who reads it.
        let Some((_, fields)) = message.split_once(UNKNOWN) else { break };
        let fields = fields.split(" at line ").next().unwrap_or_default();
        let end = read_until(&text, error.line(), error.column());
        let Some(key) = key_before(&text, end) else { break };
        let written = String::from_utf8_lossy(&text[key.clone()]).into_owned();
        let parent = pointer_at(&text, key.start.saturating_sub(1));
        found.push(warning(&parent, &written, fields));
        text.insert(key.start, MARK as u8);
    }
    found
}

fn warning(parent: &str, key: &str, fields: &str) -> Error {
    let field = format!("{parent}/{}", escaped(key));
    if parent.is_empty() && PLATFORMS.contains(&key) {
        return Error::new("is for another operating system and has no effect here").field(field);
    }
    let warning = Error::new("is not a key of the specification and has no effect").field(field);
    match nearest(key, fields.split(' ')) {
        Some(meant) => warning.remedy(format!("did you mean {meant:?}?")),
        None => warning.remedy(format!("the keys here are {}", fields.replace(' ', ", "))),
    }
}

/// The error with another remedy for each field that is missing, if the text has a key that was probably meant for it.
pub fn misspelt(error: Error, text: &[u8], parses: Parses) -> Error {
    let is_missing = |error: &Error| error.detail().reason.starts_with("is missing");
    if !is_missing(&error) && !error.detail().others.iter().any(is_missing) {
        return error;
    }
    let unknown = keys(text, parses);
    error.each(&|problem| {
        let missing = problem.field.as_deref().filter(|_| problem.reason.starts_with("is missing"));
        let Some((parent, name)) = missing.and_then(|field| field.rsplit_once('/')) else { return };
        let meant = format!("did you mean {name:?}?");
        let is_meant = |key: &&Error| {
            let (field, remedy) = (key.detail().field.as_deref(), key.detail().remedy.as_deref());
            remedy == Some(&*meant)
                && field.and_then(|field| field.rsplit_once('/')).is_some_and(|at| at.0 == parent)
        };
        if let Some(field) = unknown.iter().find(is_meant).and_then(|key| key.detail().field.as_deref()) {
            problem.remedy = Some(format!("{field} is not a key of the specification: {meant}").into());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;
    use crate::spec::load::read;

    fn told(text: &str) -> Vec<String> {
        keys(text.as_bytes(), &|text| read::<Spec>(text).map(drop)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_unknown_key_is_named_with_the_one_that_was_meant() {
        let text = r#"{"process":{"noNewPriviliges":true,"args":["a"]},
            "mounts":[{"destination":"/a"},{"destination":"/b","optoins":[],"zzz":{"a":1}}],
            "annotations":{"noNewPriviliges":"x"},"linux":{"sysctl":{"a.b":"1"},"resources":{"pids":{"limt":7}}},
            "windows":{"a":{}}}"#;
        let found = told(text);
        let wanted = [
            ("/process/noNewPriviliges is not a key", "did you mean \"noNewPrivileges\"?"),
            ("/mounts/1/optoins is not a key", "did you mean \"options\"?"),
            ("/mounts/1/zzz is not a key", "destination, type, source, options"),
            ("/linux/resources/pids/limt is not a key", "did you mean \"limit\"?"),
            ("/windows is for another operating system", ""),
        ];
        assert_eq!(found.len(), wanted.len(), "{found:?}");
        for (one, (what, remedy)) in found.iter().zip(wanted) {
            assert!(one.contains(what) && one.contains(remedy), "{one}");
        }
    }

    #[test]
    fn a_text_without_any_or_that_cannot_be_read_has_none() {
        for text in [r#"{"annotations":{"x":"y"}}"#, "{", r#"{"hostname":5}"#, r#"{"a\"b":1}"#] {
            assert!(told(text).len() <= 1, "{text}");
        }
        assert!(told(r#"{"annotations":{"x":"y"}}"#).is_empty());
        // The switch is off again.
        assert!(read::<Spec>(br#"{"zzz":1}"#).is_ok());
    }
}
