//! Where the cgroup is, and what is written there: the same pure renderings that the drivers carry out.

use super::page::Item;
use crate::cgroup::devices::Rule;
use crate::cgroup::{Leg, Version, Write, routed};
use crate::engine::Whole;
use crate::plan::deeds::Deed;

pub fn place(whole: &Whole) -> Vec<Item> {
    const FIELD: &str = "/linux/cgroupsPath";
    let Some(location) = &whole.ready.prepared.host.cgroup else {
        return vec![Item::plain(
            "none",
            "the container stays in the caller's cgroup, without limits of its own",
        )];
    };
    let mut items = Vec::new();
    if let Some(unit) = &location.unit {
        let manager = if unit.users { "the user's systemd" } else { "the machine's systemd" };
        items.push(Item::of(
            FIELD,
            unit.name.clone(),
            format!("a scope in {}, made by {manager}", unit.slice),
        ));
        if let Some(inner) = unit.inner() {
            items.push(Item::plain("the processes are in", format!("the group {inner} below it")));
        }
    }
    for leg in &location.legs {
        let what = match leg.version {
            Version::V1 => leg.controllers.join(","),
            Version::V2 => "cgroup v2".to_owned(),
        };
        items.push(Item::of(FIELD, what, leg.directory()));
    }
    items
}

/// The writes of the limits, each with the directory that it goes to. A controller that is not there is told as an obstacle.
pub fn writes<'a>(whole: &'a Whole) -> Vec<(&'a Leg, Write)> {
    let Some(location) = &whole.ready.prepared.host.cgroup else { return Vec::new() };
    let legs: Vec<&Leg> = location.legs.iter().collect();
    let routed = routed(&whole.ready.prepared.limits, &legs).unwrap_or_default();
    routed.into_iter().map(|(at, write)| (legs[at], write)).collect()
}

/// Files with their values, then what systemd is told as well.
pub fn limits(whole: &Whole) -> Vec<Item> {
    let file = |(_, write): (&Leg, Write)| Item::new(write.file, write.value, Some(write.field));
    let mut items: Vec<Item> = writes(whole).into_iter().map(file).collect();
    for deed in whole.deeds {
        if let Deed::AskForScope(settings) = deed {
            let property = |line: String| {
                let (name, value) = line.split_once('=').unwrap_or((&line, ""));
                Item::plain(format!("systemd: {name}"), value)
            };
            items.extend(settings.properties().iter().map(|one| property(one.to_string())));
        }
    }
    items
}

pub fn device_rules(whole: &Whole) -> Vec<Item> {
    rules(whole).iter().map(|rule| Item::plain(rule.to_string(), "")).collect()
}

/// Those that the cgroup gets.
pub fn rules<'w>(whole: &'w Whole) -> &'w [Rule] {
    let guards = whole.deeds.iter().any(|deed| matches!(deed, Deed::GuardDevices(_)));
    let rules = whole.ready.prepared.limits.devices.as_ref().filter(|_| guards);
    rules.map_or(&[], |rules| rules.as_slice())
}
