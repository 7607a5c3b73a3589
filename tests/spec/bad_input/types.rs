//! Every field of the specification's schema with values of the wrong type, and numbers beyond its range: the real
//! binary names the field, and the host is as it was. The fields come from the schema itself.

use crate::conformance::schema::{Field, fields};
use crate::support::{Container, finish};
use serde_json::{Value, json};
use std::fs;

/// The parts of other platforms are ignored, whatever is in them.
const ELSEWHERE: [&str; 5] = ["windows", "solaris", "vm", "zos", "freebsd"];

/// Stands for a number that no type of the specification holds; a `Value` cannot.
const HUGE: &str = "a huge number";
const DIGITS: &str = "340282366920938463463374607431768211456";

/// Values that a field of these JSON types cannot have. `null` is for Go's engines the same as absent.
fn wrong_values(kinds: &[String], minimum: Option<f64>, maximum: Option<f64>) -> Vec<Value> {
    let is = |kind: &str| kinds.iter().any(|known| known == kind);
    let mut wrong = Vec::new();
    if !is("string") {
        wrong.push(json!("text"));
    }
    if !is("boolean") {
        wrong.push(json!(true));
    }
    if !is("array") {
        wrong.extend([json!([]), json!([1]), json!([{}])]);
    }
    if !is("object") {
        wrong.push(json!({"a": 1}));
    }
    if is("integer") {
        wrong.extend([json!(1.5), json!(HUGE)]);
        wrong.extend(minimum.filter(|&least| least > -1e15).map(|least| json!(least as i64 - 1)));
        wrong.extend(maximum.filter(|&most| most < 1e15).map(|most| json!(most as i64 + 1)));
    } else {
        wrong.push(json!(5));
    }
    wrong
}

/// Puts a value at a path of the schema, the places on the way made where they are missing. Returns its pointer.
fn place(config: &mut Value, path: &str, value: Value) -> String {
    let mut pointer = String::new();
    let mut at = config;
    for part in path.replace("[]", ".[]").split('.') {
        if part == "[]" {
            if at.as_array().is_none_or(Vec::is_empty) {
                *at = json!([{}]);
            }
            at = &mut at[0];
            pointer.push_str("/0");
        } else {
            if !at.is_object() {
                *at = json!({});
            }
            let key = if part == "*" { "x" } else { part };
            at = &mut at[key];
            pointer.push_str(&format!("/{key}"));
        }
    }
    *at = value;
    pointer
}

/// What is wrong with how the binary takes this config; nothing is what is wanted.
fn refused_at(container: &Container, config: &Value, pointer: &str) -> Option<String> {
    let text = config.to_string().replace(&format!("\"{HUGE}\""), DIGITS);
    fs::write(container.bundle().join("config.json"), text).unwrap();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id);
    let ended = finish(command);
    let traces = fs::read_dir(container.state_root()).map_or(0, Iterator::count) + container.cgroups().len();
    if ended.code != 1 || traces != 0 {
        return Some(format!("ends with {} and leaves {traces} traces: {}", ended.code, ended.err));
    }
    let named = ended.err.lines().any(|line| {
        line.contains("level=error")
            && line.split([' ', ':', '=', '"', '\\', ',']).any(|word| word == pointer)
    });
    (!named).then_some(ended.err)
}

/// Engines copy st_mode with its file type, which is above the schema's 0777; peers and we take it.
const WIDER: [&str; 1] = ["linux.devices[].fileMode"];

fn config_fields() -> impl Iterator<Item = Field> {
    let elsewhere = |path: &str| ELSEWHERE.iter().any(|top| path.split('.').next() == Some(top));
    fields("config-schema.json").into_iter().filter(move |field| !elsewhere(&field.path))
}

#[test]
fn a_wrong_type_is_refused_by_the_name_of_its_field() {
    let container = Container::new().args(&["true"]);
    let (mut tried, mut amiss) = (0, Vec::new());
    for field in config_fields() {
        let maximum = field.maximum.filter(|_| !WIDER.contains(&field.path.as_str()));
        for value in wrong_values(&field.kinds, field.minimum, maximum) {
            let mut config = container.config.clone();
            let pointer = place(&mut config, &field.path, value.clone());
            tried += 1;
            amiss.extend(
                refused_at(&container, &config, &pointer).map(|why| format!("{pointer} = {value}: {why}")),
            );
        }
    }
    assert!(tried > 1000, "the schema was not understood: {tried}");
    assert!(amiss.is_empty(), "{} of {tried}:\n{}", amiss.len(), amiss.join("\n"));
}

#[test]
fn a_wrong_type_in_a_list_or_a_map_is_refused_by_its_place() {
    let container = Container::new().args(&["true"]);
    let (mut tried, mut amiss) = (0, Vec::new());
    for field in config_fields().filter(|field| !field.inner.is_empty()) {
        let in_list = field.kinds.iter().any(|kind| kind == "array");
        for value in wrong_values(&field.inner, None, None) {
            let mut config = container.config.clone();
            let held = if in_list { json!([value]) } else { json!({"x": value}) };
            let pointer = place(&mut config, &field.path, held) + if in_list { "/0" } else { "/x" };
            tried += 1;
            amiss.extend(
                refused_at(&container, &config, &pointer).map(|why| format!("{pointer} = {value}: {why}")),
            );
        }
    }
    assert!(tried > 200, "the schema was not understood: {tried}");
    assert!(amiss.is_empty(), "{} of {tried}:\n{}", amiss.len(), amiss.join("\n"));
}
