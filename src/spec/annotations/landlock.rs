//! Landlock rules in the annotation `org.rruntime.landlock`: JSON of the form that opencontainers/runtime-spec#1111 proposes
//! for `process.landlock`, with ports, scopes and optional paths besides. `docs/landlock.md` is its description.
//!
//! An annotation may come from an image. It needs no leave, because all that these rules can do is to take away. For the
//! same reason a word that is not understood is an error: without it the container would have more than its author meant.

use crate::names::{LANDLOCK_FS, LANDLOCK_NET, LANDLOCK_SCOPES};
use crate::spec::findings::{At, Findings};
use serde_json::{Map, Value};

/// The field that steps come from.
pub const FIELD: &str = "/annotations/org.rruntime.landlock";

/// `all`, beside the bits of rights: those that the kernel has, or that are handled.
pub const ALL: u64 = 1 << 63;
const WORD: &str = "all";

/// What is restricted, and what stays allowed. Rights are the kernel's bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Landlock {
    pub fs: u64,
    pub net: u64,
    pub scoped: u64,
    pub paths: Vec<Hierarchy>,
    pub ports: Vec<Port>,
    /// The container is refused where the kernel lacks one of the rights.
    pub required: bool,
}

/// A file, or a directory with all that is below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    pub path: String,
    pub access: u64,
    /// It may be missing.
    pub optional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    pub number: u16,
    pub access: u64,
}

/// Reads and checks them; what is wrong is in the findings.
pub fn read(f: &mut Findings, at: &At, text: &str) -> Landlock {
    let none = Landlock::default();
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            let remedy = "write an object of JSON with ruleset and rules (docs/landlock.md)";
            f.refuse(at, text, format!("is not JSON: {error}"), remedy);
            return none;
        }
    };
    let Some(all) = object(f, at, &value, &["ruleset", "rules", "disableBestEffort"]) else { return none };
    let (mut rules, ruleset) = (none, at.key("ruleset"));
    rules.required = switch(f, at, all, "disableBestEffort");
    let keys = ["handledAccessFS", "handledAccessNet", "scoped"];
    if let Some(handled) = all.get("ruleset").and_then(|value| object(f, &ruleset, value, &keys)) {
        rules.fs = rights(f, &ruleset, handled, keys[0], &LANDLOCK_FS);
        rules.net = rights(f, &ruleset, handled, keys[1], &LANDLOCK_NET);
        rules.scoped = rights(f, &ruleset, handled, keys[2], &LANDLOCK_SCOPES);
    }
    if rules.fs | rules.net | rules.scoped == 0 {
        let remedy =
            "name rights in handledAccessFS, handledAccessNet or scoped; \"all\" stands for every one";
        f.refuse_field(&ruleset, "restricts nothing", remedy);
        return rules;
    }
    let at = at.key("rules");
    let known = ["pathBeneath", "netPort"];
    let Some(lists) = all.get("rules").and_then(|value| object(f, &at, value, &known)) else { return rules };
    for (i, rule) in list(f, &at, lists, known[0]).iter().enumerate() {
        let (at, keys) = (at.key(known[0]), ["allowedAccess", "paths", "optional"]);
        let at = at.index(i);
        let Some(rule) = object(f, &at, rule, &keys) else { continue };
        let access = allowed(f, &at, rule, (&LANDLOCK_FS, rules.fs), "handledAccessFS");
        let optional = switch(f, &at, rule, keys[2]);
        for (i, path) in needed(f, &at, rule, keys[1]).iter().enumerate() {
            let path = path.as_str().unwrap_or_default();
            if f.absolute_path(&at.key(keys[1]).index(i), path) {
                rules.paths.push(Hierarchy { path: path.to_owned(), access, optional });
            }
        }
    }
    for (i, rule) in list(f, &at, lists, known[1]).iter().enumerate() {
        let (at, keys) = (at.key(known[1]), ["allowedAccess", "ports"]);
        let at = at.index(i);
        let Some(rule) = object(f, &at, rule, &keys) else { continue };
        let access = allowed(f, &at, rule, (&LANDLOCK_NET, rules.net), "handledAccessNet");
        for (i, port) in needed(f, &at, rule, keys[1]).iter().enumerate() {
            match port.as_u64().and_then(|port| u16::try_from(port).ok()) {
                Some(number) => rules.ports.push(Port { number, access }),
                None => {
                    let at = at.key(keys[1]);
                    f.refuse(&at.index(i), port, "is not a port", "write a number from 0 to 65535");
                }
            }
        }
    }
    rules
}

fn object<'v>(
    f: &mut Findings,
    at: &At,
    value: &'v Value,
    known: &[&'static str],
) -> Option<&'v Map<String, Value>> {
    let Some(object) = value.as_object() else {
        f.refuse(at, value, "is not an object", format!("write {{\"{}\": …}}", known[0]));
        return None;
    };
    for key in object.keys().filter(|key| !known.contains(&&***key)) {
        f.unknown(&at.key(key), key, known.iter().copied());
    }
    Some(object)
}

fn list<'v>(f: &mut Findings, at: &At, of: &'v Map<String, Value>, key: &str) -> &'v [Value] {
    match of.get(key) {
        None => &[],
        Some(Value::Array(list)) => list,
        Some(other) => {
            f.refuse(&at.key(key), other, "is not a list", "write […]");
            &[]
        }
    }
}

/// A list without which its rule would be none.
fn needed<'v>(f: &mut Findings, at: &At, of: &'v Map<String, Value>, key: &str) -> &'v [Value] {
    if !of.contains_key(key) {
        f.refuse_field(&at.key(key), "is missing", "write […]");
    }
    list(f, at, of, key)
}

fn switch(f: &mut Findings, at: &At, of: &Map<String, Value>, key: &str) -> bool {
    match of.get(key) {
        None => false,
        Some(Value::Bool(on)) => *on,
        Some(other) => {
            f.refuse(&at.key(key), other, "is neither true nor false", "write true or leave it out");
            false
        }
    }
}

/// The bits of the named rights: a name's place in the table is its bit.
fn rights(f: &mut Findings, at: &At, of: &Map<String, Value>, key: &str, names: &[&'static str]) -> u64 {
    let mut bits = 0;
    for (i, name) in list(f, at, of, key).iter().enumerate() {
        let name = name.as_str().unwrap_or_default();
        match names.iter().position(|known| *known == name) {
            Some(bit) => bits |= 1 << bit,
            None if name == WORD => bits |= ALL,
            None => f.unknown(&at.key(key).index(i), name, names.iter().copied().chain([WORD])),
        }
    }
    bits
}

/// What a rule allows has to be restricted: the kernel takes no other, and its author may think that the rest is denied.
fn allowed(
    f: &mut Findings,
    at: &At,
    of: &Map<String, Value>,
    (names, handled): (&[&'static str], u64),
    where_handled: &str,
) -> u64 {
    const KEY: &str = "allowedAccess";
    let bits = rights(f, at, of, KEY, names);
    if !of.contains_key(KEY) || (bits == 0 && list(f, at, of, KEY).is_empty()) {
        f.refuse_field(&at.key(KEY), "allows nothing", "name rights, or leave the rule out");
    }
    let beyond = if handled & ALL == 0 { bits & !handled & !ALL } else { 0 };
    if beyond != 0 {
        let remedy = format!("add it to ruleset.{where_handled}: what is not listed there is not restricted");
        f.refuse(&at.key(KEY), self::names(names, beyond), "is not restricted", remedy);
    }
    bits
}

/// The names of these bits.
pub fn names(table: &[&'static str], bits: u64) -> String {
    let mut text = String::new();
    for (_, name) in table.iter().enumerate().filter(|(bit, _)| bits & 1 << bit != 0) {
        text.push_str(if text.is_empty() { "" } else { ", " });
        text.push_str(name);
    }
    text
}
