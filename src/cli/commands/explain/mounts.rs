//! The mounts of a plan as a tree, from the steps that make them.

use super::page::{Item, text};
use crate::plan::{Field, Open, Plan, words};
use crate::spec::Spec;
use crate::wire::{Bind, Filesystem, Handle, Mount, Step};
use std::ffi::CStr;

/// Every step that changes what is to be seen at a path, the paths as a tree.
pub fn items(spec: &Spec, plan: &Plan) -> Vec<Item> {
    let (mut table, mut made): (Vec<Item>, Vec<Item>) = (Vec::new(), Vec::new());
    for (step, field) in plan.script.steps() {
        let field = field.pointer(spec);
        let values = words::values(&step, Some(&plan.opens));
        let mut add = |path: &str, value: String| made.push(Item::new(path, value, field.clone()));
        match &step {
            Step::HostPropagation { .. } => {
                let small = plan.opens.iter().any(|open| *open == Open::SmallTable);
                let of = if small {
                    "the copy of kdevtmpfs' mount table"
                } else {
                    "the copy of the host's mount table"
                };
                table.push(Item::plain(of, values));
            }
            Step::Root(root) => add("/", with(tree(plan, root.tree), values_of_root(&values, root.path))),
            Step::OpenRoot { .. } => add("/", format!("the directory {values}")),
            Step::Filesystem(Filesystem { kind, source, target, .. })
            | Step::Mount(Mount { kind, source, target, .. }) => {
                let (kind, source) = (text(kind), text(source));
                let from = if kind == source { kind } else { format!("{kind} from {source}") };
                add(&text(target), with(from, values));
            }
            Step::Bind(Bind { tree: handle, source, target, .. }) => match plan.opens.get(*handle) {
                Some(Open::Device { .. }) => {}
                Some(_) => add(&text(target), with(tree(plan, *handle), without(&values, source))),
                None => add(&text(target), format!("bind of {values}, a path of the container")),
            },
            Step::Mask { path, .. } => add(&text(path), "masked".into()),
            Step::Readonly { path } => add(&text(path), "read-only".into()),
            Step::Console { bind: true, .. } => add("/dev/console", "the terminal".into()),
            Step::Remount(remount) => changed(&mut made, &text(remount.target), &values, field),
            Step::RootAttributes { .. } => changed(&mut made, "/", &values, field),
            Step::Pivot {} => changed(&mut made, "/", "entered by pivot_root(2)", None),
            Step::Chroot { .. } => changed(&mut made, "/", "entered by chroot(2)", None),
            _ => {}
        }
    }
    table.extend(as_tree(made));
    table
}

/// What the engine opens for a mount.
fn tree(plan: &Plan, handle: Handle) -> String {
    match plan.opens.get(handle) {
        Some(Open::Tree { path, flags, mapping, field, .. }) => {
            let recursive = *flags & libc::AT_RECURSIVE as u32 != 0;
            let is_root = *field == Field::Fixed("/root/path");
            let kind = match (is_root, recursive) {
                (true, _) => "the root filesystem",
                (false, true) => "rbind of",
                (false, false) => "bind of",
            };
            let mapped = if mapping.is_some() { ", its owners mapped" } else { "" };
            format!("{kind} {path}{mapped}")
        }
        Some(Open::Filesystem { kind, source, options, .. }) => {
            with(format!("{kind} from {source}"), options.join(","))
        }
        _ => String::new(),
    }
}

/// A source that init opens by its path is the one of the tree.
fn without(values: &str, source: &CStr) -> String {
    let source = text(source);
    let rest = values.strip_prefix(&*source).filter(|_| !source.is_empty()).unwrap_or(values);
    rest.trim_start_matches(", ").to_owned()
}

fn values_of_root(values: &str, path: &CStr) -> String {
    without(values, path)
}

fn with(what: String, more: String) -> String {
    if more.is_empty() { what } else { format!("{what}, {more}") }
}

/// What is done later to the mount that is at this path.
fn changed(made: &mut Vec<Item>, path: &str, how: &str, field: Option<String>) {
    let last = match path {
        "" => made.last_mut(),
        _ => made.iter_mut().rev().find(|item| item.what == path),
    };
    match last {
        Some(item) => item.value = format!("{}; then {how}", item.value),
        None => made.push(Item::new(path, how, field)),
    }
}

/// Each below the one that it is in, otherwise in the order in which they are made.
fn as_tree(items: Vec<Item>) -> Vec<Item> {
    let holds = |outer: &str, inner: &str| {
        outer != inner
            && inner.strip_prefix(outer.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
    };
    let parent = |item: &Item| {
        let above = items.iter().enumerate().filter(|(_, other)| holds(&other.what, &item.what));
        above.max_by_key(|(_, other)| other.what.len()).map(|(at, _)| at)
    };
    let parents: Vec<Option<usize>> = items.iter().map(parent).collect();
    let mut tree = Vec::with_capacity(items.len());
    // What is still to be shown, the next one last.
    let children = |of: Option<usize>, depth: usize| {
        let below = parents.iter().enumerate().rev().filter(move |(_, parent)| **parent == of);
        below.map(move |(at, _)| (at, depth)).collect::<Vec<_>>()
    };
    let mut open = children(None, 0);
    while let Some((at, depth)) = open.pop() {
        tree.push(Item { depth, ..items[at].clone() });
        open.extend(children(Some(at), depth + 1));
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_below_the_nearest_one_that_holds_it() {
        let paths = ["/", "/proc", "/dev", "/dev/pts", "/proc/kcore", "/dev2", "/dev/pts/a/b"];
        let items = paths.map(|path| Item::plain(path, "")).to_vec();
        let tree: Vec<String> =
            as_tree(items).iter().map(|item| format!("{}{}", "-".repeat(item.depth), item.what)).collect();
        assert_eq!(
            tree,
            ["/", "-/proc", "--/proc/kcore", "-/dev", "--/dev/pts", "---/dev/pts/a/b", "-/dev2"]
        );
    }
}
