//! An explanation as a page for people. What comes from a config is untrusted: invisible characters are made visible.

use super::page::{Finding, HOST_SIDE, Half, INSIDE, Item, Page, Section};
use crate::report::escape::{Notation, escaped};
use std::fmt::Write;

/// A name that is longer does not push the values of its section away.
const WIDEST: usize = 34;

/// The sections of this name alone, as `--syscall` asks for them.
pub fn sections(page: &Page, begin: &str) -> String {
    let mut out = String::new();
    page.sections.iter().filter(|one| one.name.starts_with(begin)).for_each(|one| section(&mut out, one));
    out
}

pub fn page(page: &Page, steps: bool) -> String {
    let mut out = String::new();
    let what = if page.exists { "container" } else { "a container called" };
    line(&mut out, &format!("{what} {} from the bundle {}", page.id, page.bundle));
    if page.as_root {
        line(&mut out, "planned as root would run it: this caller cannot");
    }
    findings(&mut out, &page.findings);
    for section in page.sections.iter().filter(|section| steps || section.name != INSIDE) {
        out.push('\n');
        self::section(&mut out, section);
    }
    out
}

pub fn findings(out: &mut String, findings: &[Finding]) {
    for Finding { weight, error } in findings {
        line(out, &format!("{}: {error}", weight.names().1));
    }
}

fn section(out: &mut String, section: &Section) {
    line(out, &section.title);
    let items = merged(&section.items);
    let length = |item: &Item| item.what.chars().count() + 2 * item.depth;
    let width = items.iter().map(length).filter(|length| *length <= WIDEST).max().unwrap_or(0);
    let numbered = [HOST_SIDE, INSIDE].contains(&&*section.name);
    for (number, item) in items.iter().enumerate() {
        let Item { what, value, short, field, depth, .. } = item;
        let indent = 2 + 2 * depth;
        let mut text = " ".repeat(indent);
        if numbered {
            // Ignored: writing to a String cannot fail.
            let _ = write!(text, "{number:>3} ");
        }
        text.push_str(what);
        let shown = short.as_ref().unwrap_or(value);
        if !shown.is_empty() {
            let room = if numbered { 0 } else { width.saturating_sub(length(item)) };
            text.extend(std::iter::repeat_n(' ', room + 2));
            text.push_str(shown);
        }
        if let Some(field) = field {
            // Ignored: writing to a String cannot fail.
            let _ = write!(text, "  [{field}]");
        }
        line(out, &text);
    }
}

/// Neighbours that differ in their names alone, as one.
fn merged(items: &[Item]) -> Vec<Item> {
    let mut merged: Vec<Item> = Vec::new();
    for item in items {
        let alike =
            |last: &Item| item.half != Half::Neither && (last.half, &last.value) == (item.half, &item.value);
        match merged.last_mut().filter(|last| alike(last)) {
            Some(last) => {
                last.what = format!("{}, {}", last.what, item.what);
                last.field = None;
            }
            None => merged.push(item.clone()),
        }
    }
    merged
}

pub fn line(out: &mut String, text: &str) {
    out.push_str(&escaped(text.trim_end(), Notation::Plain, &[]));
    out.push('\n');
}
