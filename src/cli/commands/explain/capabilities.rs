//! Capabilities: what each set keeps, and what is left when the program has been executed.

use super::page::{Half, Item};
use crate::engine::Whole;
use crate::names::capability_names;
use crate::plan::Plan;
use crate::plan::program::Sets;
use crate::spec::Spec;
use crate::wire::Step;

/// The sets that the steps leave. What is kept for a while beyond them, to load a filter or to raise a limit, does not
/// count.
pub fn sets(plan: &Plan) -> Sets {
    let all = u64::MAX;
    let mut sets = Sets { bounding: all, effective: all, permitted: all, inheritable: all, ambient: 0 };
    for (step, _) in plan.script.steps() {
        match step {
            Step::Bounding { keep, .. } => sets.bounding = keep,
            Step::Capabilities { effective, permitted, inheritable } => {
                sets.effective &= effective;
                sets.permitted &= permitted;
                sets.inheritable = inheritable;
            }
            Step::Ambient { set } => sets.ambient = set,
            _ => {}
        }
    }
    sets
}

/// What a program without capabilities in its file has after its exec (capabilities(7), Transformation during execve):
/// root gets the bounding set and what it inherits, another user the ambient set.
pub fn after_exec(plan: &Plan, sets: &Sets) -> u64 {
    let uid = plan.script.steps().filter_map(|(step, _)| match step {
        Step::User { uid, .. } => Some(uid),
        _ => None,
    });
    let gains = !plan.script.steps().any(|(step, _)| matches!(step, Step::NoNewPrivileges {}));
    match (uid.last(), gains) {
        (Some(0), true) => sets.bounding | sets.inheritable,
        (Some(0), false) => (sets.bounding | sets.inheritable) & sets.permitted,
        _ => sets.ambient,
    }
}

/// How the values of the two halves begin. What is dropped is what is not kept.
const KEPT: &str = "kept ";
const DROPPED: &str = "dropped ";

pub fn items(_: &Spec, whole: &Whole) -> Vec<Item> {
    let sets = sets(whole.plan);
    let all = u64::MAX >> (63 - whole.facts.last_capability.min(63));
    let list = |mask: u64| {
        let names = capability_names(mask & all).collect::<Vec<_>>().join(" ");
        if names.is_empty() { "none".to_owned() } else { names }
    };
    let each = [
        ("bounding", sets.bounding),
        ("effective", sets.effective),
        ("permitted", sets.permitted),
        ("inheritable", sets.inheritable),
        ("ambient", sets.ambient),
    ];
    let field = |name: &str| format!("/process/capabilities/{name}");
    let item = |half, begin: &str, name, mask| Item {
        half,
        ..Item::of(&field(name), name, format!("{begin}{}", list(mask)))
    };
    let kept = each.map(|(name, mask)| item(Half::Kept, KEPT, name, mask));
    let dropped = each.map(|(name, mask)| item(Half::Dropped, DROPPED, name, !mask));
    let mut items = [kept, dropped].concat();
    // Of a set that keeps none the names are no news.
    for item in items.iter_mut().filter(|item| item.value == format!("{DROPPED}{}", list(all))) {
        item.short = Some(format!("{DROPPED}all"));
    }
    let after = after_exec(whole.plan, &sets);
    items.push(Item::plain("after the program's exec", list(after)));
    items
}
