//! An explanation as data: sections of items, and findings. Text, JSON and differences are made of it.

use crate::cli::facts::Fact;
use crate::error::Error;
use std::ffi::CStr;

/// Of a set of capabilities, what an item lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Half {
    /// It is of no set.
    #[default]
    Neither,
    Kept,
    Dropped,
}

/// One thing that will be so, or be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    pub what: String,
    pub value: String,
    /// What a page for people has in place of a long value.
    pub short: Option<String>,
    /// Where it comes from, as a JSON pointer into config.json.
    pub field: Option<String>,
    /// How far it is below the items before it, on a page for people.
    pub depth: usize,
    pub half: Half,
}

impl Item {
    pub fn new(what: impl Into<String>, value: impl Into<String>, field: Option<String>) -> Item {
        Item { what: what.into(), value: value.into(), field, ..Item::default() }
    }

    /// What comes from this field.
    pub fn of(field: &str, what: impl Into<String>, value: impl Into<String>) -> Item {
        Item::new(what, value, Some(field.to_owned()))
    }

    /// What comes from no field.
    pub fn plain(what: impl Into<String>, value: impl Into<String>) -> Item {
        Item::new(what, value, None)
    }
}

/// A path of a plan.
pub fn text(path: &CStr) -> String {
    path.to_string_lossy().into_owned()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name in JSON.
    pub name: String,
    pub title: String,
    pub items: Vec<Item>,
}

/// What a finding means for who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The config is not valid.
    Problem,
    /// This host or this caller cannot run it.
    Obstacle,
    Risk,
    /// It is in the config and changes nothing.
    NoEffect,
    /// A key that means nothing.
    UnknownKey,
    /// What `create` would warn of.
    Warning,
}

impl Weight {
    /// Its name in JSON, and its label on a page.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Weight::Problem => ("problem", "error"),
            Weight::Obstacle => ("obstacle", "cannot run here"),
            Weight::Risk => ("risk", "risk"),
            Weight::NoEffect => ("noEffect", "no effect"),
            Weight::UnknownKey => ("unknownKey", "unknown key"),
            Weight::Warning => ("warning", "warning"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub weight: Weight,
    pub error: Error,
}

/// An explanation.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub id: String,
    pub bundle: String,
    /// It is of a container that exists.
    pub exists: bool,
    /// The plan is root's, since the caller could not run it.
    pub as_root: bool,
    pub findings: Vec<Finding>,
    pub sections: Vec<Section>,
}

/// The sections that say once more, step by step, what the others say by subject.
pub const HOST_SIDE: &str = "hostSide";
pub const INSIDE: &str = "inside";

impl Page {
    /// The gravest come first.
    pub fn find(&mut self, weight: Weight, error: Error) {
        let graver = |known: &Finding| known.weight as u8 <= weight as u8;
        let place = self.findings.iter().rposition(graver).map_or(0, |at| at + 1);
        self.findings.insert(place, Finding { weight, error });
    }

    pub fn add(&mut self, weight: Weight, errors: &[Error]) {
        errors.iter().for_each(|error| self.find(weight, error.clone()));
    }

    pub fn has(&self, weight: Weight) -> bool {
        self.findings.iter().any(|finding| finding.weight == weight)
    }

    /// The exit code: not valid, valid but not to be run here, neither.
    pub fn code(&self) -> i32 {
        match () {
            () if self.has(Weight::Problem) => 1,
            () if self.has(Weight::Obstacle) => 2,
            () => 0,
        }
    }

    /// As JSON: docs/explain.schema.json has its form.
    pub fn fact(&self, sections: bool) -> Fact {
        let mut members = vec![
            ("id".into(), Fact::text(&self.id)),
            ("bundle".into(), Fact::text(&self.bundle)),
            ("exists".into(), Fact::Yes(self.exists)),
            ("valid".into(), Fact::Yes(!self.has(Weight::Problem))),
            ("runsHere".into(), Fact::Yes(self.code() == 0)),
            ("plannedAsRoot".into(), Fact::Yes(self.as_root)),
            ("findings".into(), Fact::Array(self.findings.iter().map(finding).collect())),
        ];
        if sections {
            members.push(("sections".into(), Fact::Array(self.sections.iter().map(section).collect())));
        }
        Fact::Object(members)
    }
}

/// Members of which those without a value are left out.
pub fn members<const N: usize>(all: [(&'static str, Option<&str>); N]) -> Fact {
    let there = all.into_iter().filter_map(|(name, value)| Some((name.into(), Fact::text(value?))));
    Fact::Object(there.collect())
}

fn finding(Finding { weight, error }: &Finding) -> Fact {
    let detail = error.detail();
    members([
        ("kind", Some(weight.names().0)),
        ("field", detail.field.as_deref()),
        ("value", detail.value.as_deref()),
        ("reason", Some(&*detail.cause())),
        ("remedy", detail.remedy()),
    ])
}

fn section(of: &Section) -> Fact {
    let item = |item: &Item| {
        members([
            ("what", Some(&*item.what)),
            ("value", Some(&*item.value)),
            ("field", item.field.as_deref()),
        ])
    };
    Fact::object([
        ("name", Fact::text(&of.name)),
        ("title", Fact::text(&of.title)),
        ("items", Fact::Array(of.items.iter().map(item).collect())),
    ])
}
