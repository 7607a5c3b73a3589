//! What two explanations do differently.

use super::page::{Finding, HOST_SIDE, Half, INSIDE, Item, Page, members};
use super::text::line;
use crate::cli::facts::Fact;

/// A thing that only one of them does, or that both do in another way.
pub struct Difference {
    pub section: String,
    pub here: Option<Item>,
    pub there: Option<Item>,
}

/// In the order of the sections. Deeds and steps are left out: each that matters has a subject.
pub fn between(here: &Page, there: &Page) -> Vec<Difference> {
    let (here, there) = (all(here), all(there));
    let lacks = |list: &[(String, Item)], (section, item): &(String, Item)| {
        !list.iter().any(|(other, known)| {
            other == section && (&known.what, &known.value) == (&item.what, &item.value)
        })
    };
    let mut added: Vec<_> = there.iter().filter(|one| lacks(&here, one)).cloned().collect();
    let mut found = Vec::new();
    for (section, item) in here.iter().filter(|one| lacks(&there, one)) {
        let same = |(other, known): &(String, Item)| other == section && known.what == item.what;
        let there = added.iter().position(same).map(|at| added.remove(at).1);
        found.push(Difference { section: section.clone(), here: Some(item.clone()), there });
    }
    for (section, item) in added {
        // Behind the last of its section.
        let place = found.iter().rposition(|known| known.section == section).map_or(found.len(), |at| at + 1);
        found.insert(place, Difference { section, here: None, there: Some(item) });
    }
    found
}

fn all(page: &Page) -> Vec<(String, Item)> {
    let told = |Finding { weight, error }: &Finding| {
        let detail = error.detail();
        let field = detail.field.clone();
        let what = format!("{} {}", weight.names().1, field.as_deref().unwrap_or_default());
        let value = detail.value.as_deref().map(|value| format!("{value:?} ")).unwrap_or_default();
        ("findings".to_owned(), Item::new(what.trim_end(), format!("{value}{}", detail.cause()), field))
    };
    let sections = page.sections.iter().filter(|section| ![HOST_SIDE, INSIDE].contains(&&*section.name));
    let items = sections
        .flat_map(|section| section.items.iter().map(|item| (section.name.clone(), item.clone())))
        .filter(|(_, item)| item.half != Half::Dropped);
    page.findings.iter().map(told).chain(items).collect()
}

/// With the lines of the first marked by `-`, those of the second by `+`.
pub fn text(differences: &[Difference]) -> String {
    let mut out = String::new();
    if differences.is_empty() {
        line(&mut out, "no difference");
    }
    let mut section = "";
    for difference in differences {
        if difference.section != section {
            section = &difference.section;
            line(&mut out, section);
        }
        let (here, there) = (&difference.here, &difference.there);
        for (mark, item, other) in [('-', here, there), ('+', there, here)] {
            let Some(Item { what, value, .. }) = item else { continue };
            let Some(value) = own(value, other.as_ref().map(|other| &*other.value)) else { continue };
            let joint = if value.is_empty() { "" } else { ": " };
            line(&mut out, &format!("{mark} {what}{joint}{value}"));
        }
    }
    out
}

/// What is shown of a value: of two long lists the words that the other one lacks; `None`: it lacks none.
fn own(value: &str, other: Option<&str>) -> Option<String> {
    const LONG: usize = 60;
    let is_list = |text: &str| text.len() > LONG && text.contains(' ');
    match other.filter(|other| is_list(value) && is_list(other)) {
        None => Some(value.to_owned()),
        Some(other) => {
            let theirs: Vec<&str> = other.split(' ').collect();
            let words: Vec<&str> = value.split(' ').filter(|word| !theirs.contains(word)).collect();
            (!words.is_empty()).then(|| format!("… {}", words.join(" ")))
        }
    }
}

pub fn fact(other: &Page, differences: &[Difference]) -> Fact {
    let one = |difference: &Difference| {
        let (here, there) = (difference.here.as_ref(), difference.there.as_ref());
        let either = here.or(there);
        let field =
            here.and_then(|item| item.field.as_deref()).or(there.and_then(|item| item.field.as_deref()));
        members([
            ("section", Some(&*difference.section)),
            ("what", either.map(|item| &*item.what)),
            ("here", here.map(|item| &*item.value)),
            ("there", there.map(|item| &*item.value)),
            ("field", field),
        ])
    };
    Fact::object([
        ("other", Fact::object([("id", Fact::text(&other.id)), ("bundle", Fact::text(&other.bundle))])),
        ("differences", Fact::Array(differences.iter().map(one).collect())),
    ])
}
