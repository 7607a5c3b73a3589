//! The fields of the specification's own JSON schema (tests/data/schema, runtime-spec 1.3.0), with what each may be.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use serde_json::Value;
use std::path::Path;

/// A property, wherever it is: `mounts[].options`, `linux.netDevices.*.name`.
#[derive(Clone, Debug)]
pub struct Field {
    pub path: String,
    /// JSON types that the schema allows: `string`, `array` …; with the bounds of numbers.
    pub kinds: Vec<String>,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    /// The members that it must have.
    pub required: Vec<String>,
    /// What an element of the list, or a value of the map, has to be.
    pub inner: Vec<String>,
}

/// Every property below this file's root, parents after their members, each once.
pub fn fields(file: &str) -> Vec<Field> {
    let mut found = Vec::new();
    walk(file, &load(file), "", &mut found);
    let mut unique: Vec<Field> = Vec::new();
    for field in found {
        if unique.iter().all(|known| known.path != field.path) {
            unique.push(field);
        }
    }
    unique
}

fn load(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schema").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Follows `$ref` to where the definition is.
fn resolve(file: &str, node: &Value) -> (String, Value) {
    let Some(reference) = node["$ref"].as_str() else { return (file.to_owned(), node.clone()) };
    let (other, pointer) = reference.split_once('#').expect("a reference has a fragment");
    let file = if other.is_empty() { file } else { other };
    let target = load(file).pointer(pointer).unwrap_or_else(|| panic!("{reference} is not there")).clone();
    resolve(file, &target)
}

fn walk(file: &str, node: &Value, path: &str, found: &mut Vec<Field>) {
    let (file, node) = resolve(file, node);
    for word in ["anyOf", "allOf", "oneOf"] {
        for part in node[word].as_array().into_iter().flatten() {
            walk(&file, part, path, found);
        }
    }
    for (name, member) in node["properties"].as_object().into_iter().flatten() {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        walk(&file, member, &below, found);
        found.push(describe(&file, member, below));
    }
    if node["items"].is_object() {
        walk(&file, &node["items"], &format!("{path}[]"), found);
    }
    if node["additionalProperties"].is_object() {
        walk(&file, &node["additionalProperties"], &format!("{path}.*"), found);
    }
}

fn describe(file: &str, node: &Value, path: String) -> Field {
    let (file, node) = resolve(file, node);
    let inner = ["items", "additionalProperties"].into_iter().map(|word| &node[word]);
    let inner = inner.chain(node["patternProperties"].as_object().into_iter().flat_map(|map| map.values()));
    let inner = inner.filter(|inner| inner.is_object()).flat_map(|inner| kinds(&file, inner)).collect();
    Field {
        path,
        kinds: kinds(&file, &node),
        minimum: node["minimum"].as_f64(),
        maximum: node["maximum"].as_f64(),
        inner,
        required: required(&node),
    }
}

fn required(node: &Value) -> Vec<String> {
    node["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What is wrong with a document: members that are missing, values of another type.
pub fn problems(file: &str, document: &Value) -> Vec<String> {
    let mut found: Vec<String> = required(&load(file))
        .into_iter()
        .filter(|name| document.get(name).is_none())
        .map(|name| format!("{name} is missing"))
        .collect();
    for field in fields(file) {
        for value in values(document, &field.path) {
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(number) if number.is_f64() => "number",
                Value::Number(_) => "integer",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            if !field.kinds.is_empty() && field.kinds.iter().all(|known| known != kind) {
                found.push(format!("{} is {kind} {value}, not {:?}", field.path, field.kinds));
            }
            let missing = field.required.iter().filter(|name| value.get(name).is_none());
            found.extend(missing.map(|name| format!("{}.{name} is missing", field.path)));
        }
    }
    found
}

/// Every value of a document at a path of the schema.
fn values<'v>(document: &'v Value, path: &str) -> Vec<&'v Value> {
    path.replace("[]", ".[]").split('.').fold(vec![document], |found, part| {
        let below = |value: &'v Value| -> Vec<&'v Value> {
            match (part, value) {
                ("[]", Value::Array(list)) => list.iter().collect(),
                ("*", Value::Object(map)) => map.values().collect(),
                (name, value) => value.get(name).into_iter().collect(),
            }
        };
        found.into_iter().flat_map(below).collect()
    })
}

fn kinds(file: &str, node: &Value) -> Vec<String> {
    let (file, node) = resolve(file, node);
    let alternatives = ["anyOf", "allOf", "oneOf"].into_iter().flat_map(|word| node[word].as_array());
    let mut all: Vec<String> = alternatives.flatten().flat_map(|part| kinds(&file, part)).collect();
    match &node["type"] {
        Value::String(kind) => all.push(kind.clone()),
        Value::Array(several) => all.extend(several.iter().filter_map(Value::as_str).map(str::to_owned)),
        // An enumeration without a type is of strings.
        _ if node["enum"].is_array() => all.push("string".to_owned()),
        _ => {}
    }
    all
}
