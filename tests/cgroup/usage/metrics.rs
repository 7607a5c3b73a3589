//! `--metrics`: read by a parser of Prometheus' text format that is as strict as the format, and held to the rules of
//! `promtool check metrics`.

use crate::support::{Container, is_v2, limited, missing};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A family: its kind, and the value of each id.
struct Family {
    kind: String,
    values: BTreeMap<String, f64>,
}

/// Refuses what is not in the format: comments in another order, families that are torn apart, a name or label that cannot
/// be one, a value that is no number, a sample twice.
fn parse(text: &str) -> BTreeMap<String, Family> {
    assert!(text.ends_with('\n'), "the last line ends");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let (mut helped, mut current) = (None::<String>, None::<String>);
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a name and its help");
            assert!(!help.trim().is_empty(), "{line}");
            assert!(!families.contains_key(name), "the family is in two places: {line}");
            helped = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and its type");
            assert_eq!(helped.take().as_deref(), Some(name), "help comes first");
            assert!(["counter", "gauge"].contains(&kind), "{line}");
            families.insert(name.to_owned(), Family { kind: kind.to_owned(), values: BTreeMap::new() });
            current = Some(name.to_owned());
        } else {
            let (name, rest) = line.split_once('{').expect("every sample has a label");
            assert_eq!(current.as_deref(), Some(name), "a sample stands below its family: {line}");
            let (label, value) = rest.split_once("} ").expect("a value behind the labels");
            let id = label.strip_prefix("id=\"").and_then(|rest| rest.strip_suffix('"')).expect("id=\"…\"");
            assert!(!id.contains(['"', '\\', '\n']), "these ids need no escape: {line}");
            let value: f64 = value.parse().unwrap_or_else(|e| panic!("{e}: {line}"));
            assert!(value.is_finite() && value >= 0.0, "{line}");
            let family = families.get_mut(name).unwrap();
            assert_eq!(family.values.insert(id.to_owned(), value), None, "twice: {line}");
        }
    }
    families
}

/// The rules of promtool's linter.
fn lint(name: &str, kind: &str) {
    let words: BTreeSet<&str> = name.split('_').collect();
    assert!(name.starts_with("rruntime_container_"), "{name}: a prefix says whose it is");
    assert!(
        name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
        "{name}: no camel case"
    );
    assert_eq!(name.ends_with("_total"), kind == "counter", "{name}: counters, and only they, end in _total");
    for reserved in ["_bucket", "_count", "_sum", "_info"] {
        assert!(!name.ends_with(reserved), "{name}: the end of another type");
    }
    for word in ["counter", "gauge", "histogram", "summary", "metric"] {
        assert!(!words.contains(word), "{name}: the type is no part of the name");
    }
    let other_units = [
        "s",
        "ms",
        "us",
        "ns",
        "sec",
        "milliseconds",
        "microseconds",
        "nanoseconds",
        "minutes",
        "hours",
        "days",
        "b",
        "kb",
        "mb",
        "gb",
        "kilobytes",
        "megabytes",
        "kibibytes",
        "mebibytes",
        "bits",
        "percent",
        "celsius",
        "usec",
    ];
    for word in other_units {
        assert!(!words.contains(word), "{name}: {word} is no base unit");
    }
}

#[test]
fn metrics_follow_the_rules_of_prometheus() {
    let pids = missing("pids").is_none();
    let container = if pids { limited(json!({"pids": {"limit": 9}})) } else { Container::new() };
    let container = container.args(&["sleep", "1000"]).started();
    let text = container.call(&["stats", "--metrics"]).ok();
    let families = parse(&text);
    families.iter().for_each(|(name, family)| lint(name, &family.kind));
    let value = |name: &str| {
        let family = families.get(&format!("rruntime_container_{name}"));
        family.and_then(|family| family.values.get(&container.id)).copied()
    };
    assert_eq!(value("running"), Some(1.0));
    assert!(value("cpu_usage_seconds_total") > Some(0.0), "{text}");
    assert_eq!(value("tasks"), Some(1.0));
    assert_eq!(value("tasks_limit"), pids.then_some(9.0));
    assert_eq!(value("memory_limit_bytes"), None, "no limit is no number");
    assert_eq!(value("memory_usage_bytes").is_some(), missing("memory").is_none(), "{text}");
    assert_eq!(value("oom_kills_total"), missing("memory").is_none().then_some(0.0));
    let pressed = container.cgroups().iter().any(|group| group.join("io.pressure").exists());
    assert_eq!(value("pressure_io_stalled_seconds_total").is_some(), pressed, "{text}");
    assert!(is_v2() || pids, "v1 always counts tasks here");
}

#[test]
fn the_container_that_has_ended_is_told_as_not_running() {
    let container = Container::new().args(&["true"]).started();
    container.wait_for_status("stopped");
    assert_eq!(container.call(&["stats", "--metrics"]).ok(), "");
    let text = container.call(&["stats", "--metrics", "--all"]).ok();
    let families = parse(&text);
    assert_eq!(families["rruntime_container_running"].values[&container.id], 0.0);
}

#[test]
fn what_metrics_cannot_be_combined_with_is_named() {
    let container = Container::new();
    for (option, value) in [("--stream", None), ("--format", Some("json")), ("--interval", Some("2s"))] {
        let mut arguments = vec!["stats", "--metrics", option];
        arguments.extend(value);
        let error = container.call(&arguments).fails();
        assert!(
            error.contains("--metrics") && error.contains(&format!("conflicts with {option}")),
            "{error}"
        );
    }
}
