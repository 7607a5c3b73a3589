//! docs/conformance.md and its proofs: each field of the specification, each option, each contract, each published
//! flaw has a row, each row has words and tests, each test is there, and the page is what the tables say.
//!
//! `make conformance` (RRUNTIME_WRITE_PAGES=1) writes the page.

mod command_line;
mod config;
mod contracts;
mod features;
mod inside;
mod linux;
mod mount_options;
mod operations;
mod options;
mod output;
mod page;
mod row;
pub mod schema;
mod security;

use row::{Row, expand};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The subjects of these tables, each once.
fn subjects(tables: &[&[Row]]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for subject in tables.iter().flat_map(|table| table.iter()).flat_map(|row| expand(row.subject)) {
        assert!(seen.insert(subject.clone()), "{subject} has two rows");
    }
    seen
}

/// What has no row, and rows about nothing.
#[track_caller]
fn assert_same(what: &str, wanted: &BTreeSet<String>, rows: &BTreeSet<String>) {
    let missing: Vec<_> = wanted.difference(rows).collect();
    let idle: Vec<_> = rows.difference(wanted).collect();
    assert!(
        missing.is_empty() && idle.is_empty(),
        "{what}: no row for {missing:#?}, rows for nothing: {idle:#?}"
    );
}

/// Parts of the config that belong to other platforms; one row speaks for all that is below.
const ELSEWHERE: [&str; 5] = ["windows", "solaris", "vm", "zos", "freebsd"];

#[test]
fn every_field_of_the_schema_has_a_row() {
    let elsewhere = |path: &str| ELSEWHERE.iter().any(|top| path.starts_with(&format!("{top}.")));
    let paths = |file: &str| -> BTreeSet<String> {
        let fields = schema::fields(file).into_iter().map(|field| field.path);
        fields.filter(|path| !elsewhere(path)).collect()
    };
    let config = paths("config-schema.json");
    assert!(config.len() > 220, "the walk lost something: {}", config.len());
    assert_same("config.json", &config, &subjects(&[config::ROWS, linux::ROWS]));
    assert_same("features", &paths("features-schema.json"), &subjects(&[features::ROWS]));
    assert_same("state", &paths("state-schema.json"), &subjects(&[operations::STATE_ROWS]));
}

#[test]
fn every_mount_option_has_a_row() {
    let options = rruntime::names::MOUNT_OPTIONS.iter().map(|option| option.name.to_owned()).collect();
    assert_same("mount options", &options, &subjects(&[mount_options::ROWS]));
}

#[test]
fn every_annotation_that_the_code_knows_has_a_row() {
    let known: BTreeSet<String> =
        rruntime::spec::annotations::ANNOTATIONS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rows = subjects(&[contracts::ANNOTATIONS]);
    assert_same("annotations", &known, &rows.into_iter().filter(|name| name != "any other").collect());
}

/// What `--help` lists: commands and options with their words. `--help` itself is there once.
fn command_line() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut take = |prefix: &str, page: &str, heading: &str| {
        let part = page.split_once(&format!("\n{heading}:\n")).map_or("", |(_, rest)| rest);
        for line in part.lines().take_while(|line| line.starts_with("   ")) {
            let (names, words) = line.trim().split_once("  ").unwrap_or((line.trim(), ""));
            let name = names.split([',', ' ', '[']).next().expect("a line has a word");
            if prefix.is_empty() || name != "--help" {
                found.insert(format!("{prefix}{name}"), words.trim().to_owned());
            }
        }
    };
    let top = help(&["--help"]);
    take("", &top, "GLOBAL OPTIONS");
    take("", &top, "COMMANDS");
    let commands = top.split_once("\nCOMMANDS:\n").map_or("", |(_, rest)| rest);
    for command in commands.lines().take_while(|line| line.starts_with("   ")) {
        let name = command.split_whitespace().next().expect("a line has a word");
        take(&format!("{name} "), &help(&[name, "--help"]), "OPTIONS");
    }
    found
}

fn help(arguments: &[&str]) -> String {
    let output = Command::new(crate::support::RRUNTIME).args(arguments).output().expect("the binary starts");
    String::from_utf8(output.stdout).expect("help is text")
}

#[test]
fn every_command_and_option_has_a_row() {
    let typed: BTreeSet<String> = command_line().into_keys().collect();
    assert!(typed.len() > 50, "the help pages were not understood: {typed:?}");
    assert_same("command line", &typed, &subjects(&[command_line::ROWS]));
}

#[test]
fn no_row_is_empty() {
    let help = command_line();
    let mut empty = Vec::new();
    for section in page::sections() {
        assert!(!section.rows.is_empty(), "{}", section.title);
        for row in section.rows {
            let words =
                !row.happens.is_empty() || help.get(&expand(row.subject)[0]).is_some_and(|w| !w.is_empty());
            if !words || row.proofs.is_empty() || row.subject.is_empty() {
                empty.push(row.subject);
            }
        }
    }
    assert!(empty.is_empty(), "{empty:#?}");
}

/// The name is a function with `#[test]` close above it.
fn is_test(text: &str, name: &str) -> bool {
    let wanted = format!("fn {name}(");
    text.match_indices(&wanted).any(|(at, _)| {
        let before: Vec<&str> = text[..at].lines().rev().take(6).collect();
        before.iter().any(|line| line.trim() == "#[test]")
    })
}

#[test]
fn every_proof_is_a_test_that_is_there() {
    let mut missing = BTreeSet::new();
    for row in page::sections().into_iter().flat_map(|section| section.rows) {
        for proof in row.proofs {
            let (file, name) = proof.split_once("::").unwrap_or((proof, ""));
            let path = if file.starts_with("src/") {
                project().join(file)
            } else {
                project().join("tests").join(file)
            };
            let text = std::fs::read_to_string(path).unwrap_or_default();
            if !is_test(&text, name) {
                missing.insert(format!("{proof} (of {})", row.subject));
            }
        }
    }
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}

/// What fails if something is forgotten: CONTRIBUTING.md names tests by their functions.
#[test]
fn every_test_that_contributing_names_is_there() {
    let page = std::fs::read_to_string(project().join("CONTRIBUTING.md")).expect("it is there");
    let is_name = |word: &&str| {
        word.matches('_').count() > 2 && word.bytes().all(|b| b == b'_' || b.is_ascii_lowercase())
    };
    let names: Vec<&str> = page.split('`').filter(is_name).collect();
    assert!(names.len() > 3, "{names:?}");
    let sources = sources(&project().join("tests"));
    let missing: Vec<_> =
        names.iter().filter(|name| !sources.iter().any(|text| is_test(text, name))).collect();
    assert!(missing.is_empty(), "no such test: {missing:?}");
}

/// Every Rust file below a directory.
fn sources(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(directory)
        .expect("it is a directory")
        .map(|entry| entry.expect("it is there").path())
    {
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(std::fs::read_to_string(path).expect("it is text"));
        }
    }
    found
}

#[test]
fn the_page_is_what_the_tables_say() {
    let help = command_line();
    let page = page::page(&|subject| help.get(subject).cloned());
    let path = project().join(page::PATH);
    if std::env::var_os("RRUNTIME_WRITE_PAGES").is_some() {
        std::fs::write(&path, &page).expect("docs is writable");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(written.lines()).find(|(new, old)| new != old);
    assert!(page == written, "{} is out of date, `make conformance` writes it: {differs:?}", page::PATH);
}

/// What `features` says is what the tables of the code have: nothing is claimed by hand.
#[test]
fn features_tells_the_tables_that_the_code_reads() {
    let said: serde_json::Value = serde_json::from_str(&help(&["features"])).expect("features prints JSON");
    let list = |pointer: &str| -> BTreeSet<String> {
        let list =
            said.pointer(pointer).and_then(|list| list.as_array()).unwrap_or_else(|| panic!("{pointer}"));
        list.iter().map(|word| word.as_str().expect("is text").to_owned()).collect()
    };
    let set = |words: &[&str]| -> BTreeSet<String> { words.iter().map(|&word| word.to_owned()).collect() };
    use rruntime::names;
    use rruntime::seccomp::vocabulary;
    assert_eq!(list("/hooks"), set(&names::HOOKS));
    assert_eq!(
        list("/mountOptions"),
        names::MOUNT_OPTIONS.iter().map(|option| option.name.to_owned()).collect()
    );
    assert_eq!(
        list("/linux/namespaces"),
        names::NAMESPACES.iter().map(|kind| kind.kind.to_owned()).collect()
    );
    assert_eq!(list("/linux/capabilities"), set(&names::CAPABILITIES));
    assert_eq!(
        list("/linux/seccomp/actions"),
        vocabulary::ACTIONS.iter().map(|(name, _)| (*name).to_owned()).collect()
    );
    assert_eq!(
        list("/linux/seccomp/operators"),
        vocabulary::OPERATORS.iter().map(|(name, _)| (*name).to_owned()).collect()
    );
    assert_eq!(
        list("/linux/seccomp/knownFlags"),
        vocabulary::FLAGS.iter().map(|flag| flag.name.to_owned()).collect()
    );
    for field in
        ["cgroup/v1", "cgroup/v2", "apparmor/enabled", "selinux/enabled", "mountExtensions/idmap/enabled"]
    {
        assert_eq!(said.pointer(&format!("/linux/{field}")), Some(&true.into()), "{field}");
    }
    for field in ["/linux/intelRdt/enabled", "/linux/netDevices/enabled"] {
        assert!(said.pointer(field).is_some_and(serde_json::Value::is_boolean), "{field}");
    }
    // An annotation that changes something has to be announced: each is one of the page's.
    let announced = list("/potentiallyUnsafeConfigAnnotations");
    let known = subjects(&[contracts::ANNOTATIONS]);
    assert!(announced.is_subset(&known), "{announced:?} without a row: {known:?}");
}
