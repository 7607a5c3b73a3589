//! What rruntime prints, held against the specification's schema; and the schema's own examples, so that what holds it
//! is known to tell good from bad.

use crate::conformance::schema::problems;
use crate::support::Container;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn examples(folder: &str) -> Vec<(String, Result<Value, serde_json::Error>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        (path.display().to_string(), serde_json::from_str(&fs::read_to_string(path).unwrap()))
    };
    entries.map(read).collect()
}

#[test]
fn the_schemas_examples_of_state_and_features_are_told_apart() {
    for (kind, schema) in [("features", "features-schema.json"), ("state", "state-schema.json")] {
        for (name, example) in examples(&format!("{kind}/good")) {
            assert_eq!(problems(schema, &example.unwrap()), Vec::<String>::new(), "{name}");
        }
        for (name, example) in examples(&format!("{kind}/bad")) {
            assert!(example.map_or(true, |example| !problems(schema, &example).is_empty()), "{name}");
        }
    }
}

#[test]
fn state_and_features_have_the_types_of_the_schema() {
    let container = Container::new()
        .args(&["sleep", "100"])
        .edit(|config| config["annotations"] = serde_json::json!({"org.example": "yes"}))
        .started();
    assert_eq!(problems("state-schema.json", &container.state()), Vec::<String>::new());
    for words in [&["features"][..], &["features", "--host"]] {
        let features = serde_json::from_str(&container.call(words).ok()).unwrap();
        assert_eq!(problems("features-schema.json", &features), Vec::<String>::new(), "{words:?}");
    }
}

#[test]
fn what_spec_writes_has_the_types_of_the_schema() {
    for options in [&[][..], &["--rootless"]] {
        let container = Container::new();
        let mut command = container.command(&["spec"]);
        command.args(options).current_dir(container.bundle());
        assert!(command.status().unwrap().success());
        let config =
            serde_json::from_slice(&fs::read(container.bundle().join("config.json")).unwrap()).unwrap();
        assert_eq!(problems("config-schema.json", &config), Vec::<String>::new(), "{options:?}");
    }
}

/// The state that hooks read is the one that `state` prints.
#[test]
fn the_state_on_a_hooks_standard_input_has_the_types_of_the_schema() {
    let container = Container::new().args(&["true"]);
    let told = container.dir.join("told");
    let hook = serde_json::json!([{"path": "/bin/sh", "args": ["sh", "-c", format!("cat > {}", told.display())], "env": ["PATH=/bin"]}]);
    let container = container.edit(|config| config["hooks"]["createRuntime"] = hook);
    container.run().ok();
    let state = serde_json::from_slice(&fs::read(told).unwrap()).unwrap();
    assert_eq!(problems("state-schema.json", &state), Vec::<String>::new());
}
