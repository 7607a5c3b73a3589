//! The JSON of `explain` and `validate`, held against docs/explain.schema.json.

use super::explain;
use crate::support::Container;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/explain.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What is wrong with a value, by the words of JSON schema that ours uses.
fn wrong(root: &Value, node: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(reference) = node["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).expect("the reference is there");
        return wrong(root, target, value, at, found);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if node["type"].as_str().is_some_and(|wanted| wanted != kind) {
        found.push(format!("{at} is {kind}, not {}", node["type"]));
    }
    if node["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        found.push(format!("{at} = {value} is none of {}", node["enum"]));
    }
    for name in node["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            found.push(format!("{at}/{name} is missing"));
        }
    }
    for (name, below) in value.as_object().into_iter().flatten() {
        match node["properties"].get(name) {
            Some(of) => wrong(root, of, below, &format!("{at}/{name}"), found),
            None if node["additionalProperties"] == json!(false) => {
                found.push(format!("{at}/{name} is unknown"))
            }
            None => {}
        }
    }
    for (i, below) in value.as_array().into_iter().flatten().enumerate() {
        wrong(root, &node["items"], below, &format!("{at}/{i}"), found);
    }
}

fn problems(value: &Value) -> Vec<String> {
    let (schema, mut found) = (schema(), Vec::new());
    wrong(&schema, &schema, value, "", &mut found);
    found
}

#[test]
fn what_is_printed_has_the_form_of_the_schema() {
    let containers = [
        Container::new().args(&["true"]),
        Container::new().args(&["true"]).edit(|config| {
            config["process"]["cwd"] = "x".into();
            config["zzz"] = json!(1);
        }),
        Container::new().edit(|config| config["process"] = json!(5)),
    ];
    for container in &containers {
        let bundle = container.bundle().display().to_string();
        let mut pages = vec![
            explain(container, &["--json"]),
            explain(container, &["--json", "--syscall", "clone", "--syscall", "mount(1)"]),
            explain(container, &["--json", "--diff", &bundle]),
            container.call(&["validate", "--json", &bundle]),
        ];
        containers[0].write_config();
        pages.push(explain(container, &["--json", "--diff", &containers[0].bundle().display().to_string()]));
        for page in pages {
            let value: Value =
                serde_json::from_str(&page.out).unwrap_or_else(|error| panic!("{error}: {page:?}"));
            assert_eq!(problems(&value), Vec::<String>::new(), "{value:#}");
            assert_eq!(value["valid"] == json!(false), page.code == 1, "{page:?}");
            assert_eq!(value["runsHere"] == json!(true), page.code == 0, "{page:?}");
        }
    }
}

#[test]
fn what_has_another_form_is_told_apart() {
    let container = Container::new().args(&["true"]);
    let good: Value = serde_json::from_str(&explain(&container, &["--json"]).out).unwrap();
    let changes: [fn(&mut Value); 4] = [
        |page| page["more"] = json!(1),
        |page| drop(page.as_object_mut().unwrap().remove("valid")),
        |page| page["findings"][0]["kind"] = "other".into(),
        |page| page["sections"][0]["items"][0]["value"] = json!(7),
    ];
    for change in changes {
        let mut bad = good.clone();
        change(&mut bad);
        assert_eq!(problems(&bad).len(), 1, "{:?}", problems(&bad));
    }
}
