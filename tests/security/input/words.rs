//! What an image, a hook or an annotation says is shown to people: a terminal or a log's reader is not led astray by it.

use crate::support::Container;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const WORDS: &str = "\u{9b}\u{7f}\u{1b}\u{202e}\u{2028}\u{e0001}";

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    let seen = text.strip_suffix('\n').unwrap_or(text);
    let bad = seen.chars().find(|c| WORDS.contains(*c));
    assert!(bad.is_none() && seen.contains("202e"), "{what}: {text:?}");
}

/// The error that ends a command, in each format.
fn assert_errors_are_clean(container: &Container) {
    container.write_config();
    let log = container.dir.join("log");
    for format in ["text", "json"] {
        for to_file in [false, true] {
            // The first time there is none.
            let _ = fs::remove_file(&log);
            let mut command = container.command(&["--log-format", format]);
            if to_file {
                command.arg("--log").arg(&log);
            }
            command.args(["run", "--bundle"]).arg(container.bundle()).arg(&container.id);
            let said = crate::support::finish(command).fails();
            assert_clean(&format!("{format} on stderr"), &said);
            let record = if to_file { fs::read_to_string(&log).unwrap() } else { said };
            assert_clean(format, &record);
            if format == "json" {
                let record: Value = serde_json::from_str(record.lines().last().unwrap()).unwrap();
                assert!(record["msg"].as_str().unwrap().contains('\u{202e}'), "{record}");
            }
        }
    }
}

#[test]
fn an_interpreter_of_the_image_orders_no_terminal() {
    let container = Container::new().args(&["/evil"]);
    let program = container.rootfs().join("evil");
    // U+2028 is a space, which ends the name.
    let name: String = WORDS.chars().filter(|c| *c != '\u{2028}').collect();
    fs::write(&program, format!("#!/bin/{name}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    assert_errors_are_clean(&container);
}

#[test]
fn a_hook_orders_no_terminal() {
    let container = Container::new().sh("true").edit(|c| {
        let script = format!("echo '{WORDS}' >&2; exit 1");
        c["hooks"] = json!({"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]});
    });
    assert_errors_are_clean(&container);
}

#[test]
fn annotations_and_processes_order_no_terminal() {
    let container = Container::new()
        .edit(|c| c["annotations"] = json!({ WORDS: WORDS }))
        .args(&["sh", "-c", "sleep 1000; true", WORDS])
        .started();
    for command in [&["state", &container.id][..], &["list", "--format", "json"], &["ps", &container.id]] {
        let out = container.call(command).ok();
        if command[0] == "ps" && !out.contains("sleep 1000; true") {
            continue;
        }
        let bad = out.chars().find(|c| WORDS.contains(*c));
        assert!(bad.is_none(), "{command:?}: {out:?}");
        if command[0] == "state" {
            assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["annotations"][WORDS], WORDS);
        }
    }
}
