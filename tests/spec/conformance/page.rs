//! docs/conformance.md, made of the tables.

use crate::conformance::row::{Row, expand};
use crate::conformance::{
    command_line, config, contracts, features, linux, mount_options, operations, security,
};
use crate::support::lanes_of;
use std::fmt::Write;

pub const PATH: &str = "docs/conformance.md";

/// One table of the page.
pub struct Section {
    pub title: &'static str,
    pub about: &'static str,
    /// What stands in the first column.
    pub subject: &'static str,
    pub rows: Vec<&'static Row>,
}

pub fn sections() -> Vec<Section> {
    let section = |title, about, subject, rows: &'static [Row]| Section {
        title,
        about,
        subject,
        rows: rows.iter().collect(),
    };
    vec![
        section("config.md", "", "field", config::ROWS),
        section("config-linux.md", "", "field", linux::ROWS),
        section(
            "Mount options",
            "Words of `mounts[].options`; the later of two that contradict each other counts.",
            "option",
            mount_options::ROWS,
        ),
        section("features.md", "What `rruntime features` prints.", "field", features::ROWS),
        section(
            "runtime.md: the state",
            "What `rruntime state` prints and hooks read; rootfs, created and owner are there besides.",
            "field",
            operations::STATE_ROWS,
        ),
        section("runtime.md: the operations", "", "operation", operations::ROWS),
        section("Command line", "What happens is what `--help` says.", "command, option", command_line::ROWS),
        section("Annotations", "", "annotation", contracts::ANNOTATIONS),
        section("Environment and other contracts", "", "contract", contracts::ENVIRONMENT),
        section("Known attacks: runc", SECURITY, "flaw", security::RUNC),
        section("Known attacks: crun", SECURITY, "flaw", security::CRUN),
        section("Known attacks: youki", SECURITY, "flaw", security::YOUKI),
    ]
}

const SECURITY: &str =
    "Published flaws, what keeps each kind out here, and the test that attacks the real binary.";

const HEAD: &str = "# Conformance\n\n\
    Every field of runtime-spec 1.3.0 that has a meaning on Linux, every command and option, every contract: what\n\
    happens, and the tests that prove it on the real binary. `make conformance` writes this page from\n\
    `tests/spec/conformance/`; its tests fail if a field of the specification's schema or an option\n\
    of `--help` has no row, if a row names a test that is not there, or if this page is not what the tables say.\n\n\
    Files are below `tests/`, unless they begin with `src/`. A value of a wrong type is refused with the JSON pointer\n\
    of the field, for every field: `spec/bad_input/types.rs`. Behind a test that not every kind of machine can run stand\n\
    the lanes that run it (`docs/hosts.md`).\n";

/// The whole page; `help` gives the words of an option's or command's help.
pub fn page(help: &dyn Fn(&str) -> Option<String>) -> String {
    let mut page = HEAD.to_owned();
    for section in sections() {
        let about = if section.about.is_empty() { String::new() } else { format!("{}\n\n", section.about) };
        let head = format!("| {} | what happens | proof |\n|---|---|---|", section.subject);
        writeln!(page, "\n## {}\n\n{about}{head}", section.title).expect("a string takes all");
        for row in section.rows {
            let happens = match row.happens {
                "" => said(&expand(row.subject), help),
                words => words.to_owned(),
            };
            let proofs: Vec<String> = row.proofs.iter().map(|proof| proven(proof)).collect();
            let subject = subject(row.subject);
            writeln!(page, "| {subject} | {} | {} |", happens.replace('|', "\\|"), proofs.join("<br>"))
                .expect("a string takes all");
        }
    }
    page
}

/// A test, and where it runs if not everywhere.
fn proven(proof: &str) -> String {
    let test = proof.replacen(".rs::", "::", 1).replace('/', "::").replacen("::mod::", "::", 1);
    let lanes = lanes_of(&test).map_or(String::new(), |lanes| format!(" ({})", lanes.replace(',', ", ")));
    format!("`{proof}`{lanes}")
}

/// The help of each of these; what several share once.
fn said(names: &[String], help: &dyn Fn(&str) -> Option<String>) -> String {
    let mut texts: Vec<String> = names.iter().filter_map(|name| help(name)).collect();
    texts.dedup();
    texts.join("; ")
}

/// Every name of its own; many alike stay in their short form.
fn subject(subject: &str) -> String {
    let names = expand(subject);
    let code = |name: &str| {
        let field = name.bytes().any(|b| b".-[<".contains(&b)) || !name.contains([' ', ',']);
        if field { format!("`{name}`") } else { name.to_owned() }
    };
    match names.len() {
        1..=9 => names.iter().map(|name| code(name)).collect::<Vec<_>>().join("<br>"),
        _ => format!("`{subject}`"),
    }
}
