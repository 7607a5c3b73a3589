//! The plan by subject: each section is made of the deeds and the steps that are about it, in their order.

use super::page::{HOST_SIDE, INSIDE, Item, Section, text};
use super::{capabilities, cgroups, mounts, seccomp};
use crate::engine::Whole;
use crate::names::{self, NAMESPACES};
use crate::plan::deeds::Deed;
use crate::plan::{Open, Plan, words};
use crate::spec::{Hook, IdMapping, Spec};
use crate::wire::Step;

/// Name, title, and what fills it.
type Filled = (&'static str, &'static str, fn(&Spec, &Whole) -> Vec<Item>);

static SECTIONS: [Filled; 16] = [
    ("namespaces", "namespaces", namespaces),
    ("idMaps", "id maps", id_maps),
    ("mounts", "mounts", |spec, whole| mounts::items(spec, whole.plan)),
    ("devices", "devices and links", |spec, whole| steps(spec, whole, devices)),
    ("settings", "settings of the namespaces", |spec, whole| steps(spec, whole, settings)),
    ("cgroup", "cgroup", |_, whole| cgroups::place(whole)),
    ("limits", "limits of the cgroup", |_, whole| cgroups::limits(whole)),
    (
        "deviceRules",
        "device rules of the cgroup: the last that matches decides, and what none matches is denied",
        |_, whole| cgroups::device_rules(whole),
    ),
    ("capabilities", "capabilities", capabilities::items),
    ("rlimits", "resource limits of the process", |spec, whole| rlimits(spec, whole)),
    ("scheduling", "scheduling and memory of the process", scheduled),
    ("seccomp", "seccomp", seccomp::items),
    ("labels", "labels of security modules", |spec, whole| steps(spec, whole, labels)),
    ("hooks", "hooks", |spec, _| hooks(spec)),
    ("process", "process", processes),
    ("environment", "environment", environment),
];

/// All sections that have something in them, then the deeds and the steps as they are.
pub fn all(spec: &Spec, whole: &Whole) -> Vec<Section> {
    let section = |name: &str, title: &str, items| Section { name: name.into(), title: title.into(), items };
    let mut all: Vec<Section> =
        SECTIONS.iter().map(|(name, title, fill)| section(name, title, fill(spec, whole))).collect();
    all.retain(|section| !section.items.is_empty());
    let deeds =
        whole.deeds.iter().map(|deed| Item::new(deed.words(), deed.values(), deed.field().pointer(spec)));
    all.push(section(HOST_SIDE, "on the host, in this order", deeds.collect()));
    let all_steps = whole.plan.script.steps().map(|(step, field)| {
        Item::new(words::step(&step), words::values(&step, Some(&whole.plan.opens)), field.pointer(spec))
    });
    all.push(section(INSIDE, "inside, in this order", all_steps.collect()));
    all
}

/// The steps that `named` has a name for; empty: the usual words.
fn steps(spec: &Spec, whole: &Whole, named: fn(&Plan, &Step) -> Option<String>) -> Vec<Item> {
    let plan = whole.plan;
    let told = plan.script.steps().filter_map(|(step, field)| {
        let name = named(plan, &step)?;
        let what = if name.is_empty() { words::step(&step) } else { name };
        Some(Item::new(what, words::values(&step, Some(&plan.opens)), field.pointer(spec)))
    });
    told.collect()
}

fn namespaces(spec: &Spec, whole: &Whole) -> Vec<Item> {
    let plan = whole.plan;
    let listed = &spec.linux().namespaces;
    let told = NAMESPACES.iter().map(|known| {
        let joined = plan.opens.iter().find_map(|open| match open {
            Open::Namespace { path, flag, .. } if *flag == known.flag => Some(format!("joined: {path}")),
            _ => None,
        });
        let new = (plan.created & known.flag != 0).then(|| "new".to_owned());
        let at = listed.iter().position(|one| &*one.kind == known.kind);
        let field = at.map(|at| format!("/linux/namespaces/{at}"));
        Item::new(known.kind, new.or(joined).unwrap_or_else(|| "shared with the runtime".into()), field)
    });
    told.collect()
}

fn id_maps(_: &Spec, whole: &Whole) -> Vec<Item> {
    let Some((users, groups)) = &whole.plan.id_maps else { return Vec::new() };
    let map = |of: &IdMapping| words::maps(std::slice::from_ref(of));
    let list = |what: &'static str, field: &'static str, maps: &[IdMapping]| {
        let told = maps.iter().enumerate();
        told.map(|(i, of)| Item::of(&format!("{field}/{i}"), what, map(of))).collect::<Vec<_>>()
    };
    [list("users", "/linux/uidMappings", users), list("groups", "/linux/gidMappings", groups)].concat()
}

fn devices(plan: &Plan, step: &Step) -> Option<String> {
    match step {
        Step::Device(device) => Some(text(device.path)),
        Step::Symlink { path, .. } => Some(text(path)),
        Step::Bind(bind) => match plan.opens.get(bind.tree)? {
            Open::Device { .. } => Some(format!("{} bound from the host", text(bind.target))),
            _ => None,
        },
        _ => None,
    }
}

fn settings(_: &Plan, step: &Step) -> Option<String> {
    match step {
        Step::Hostname { .. } => Some("hostname".into()),
        Step::Domainname { .. } => Some("domain name".into()),
        Step::Sysctl { path, .. } => Some(format!("/proc/sys/{}", text(path))),
        Step::SelfFile { file, .. } if *file == c"timens_offsets" => Some("offsets of clocks".into()),
        Step::LoopbackUp {} | Step::Keyring { .. } => Some(String::new()),
        _ => None,
    }
}

fn labels(_: &Plan, step: &Step) -> Option<String> {
    matches!(step, Step::LabelFile { .. }).then(String::new)
}

fn process(_: &Plan, step: &Step) -> Option<String> {
    let name = match step {
        Step::User { .. } => "user and group",
        Step::Groups { .. } => "supplementary groups",
        Step::Umask { value } if *value != 0 => "umask",
        Step::NoNewPrivileges {} => "no_new_privs is set",
        Step::Console { .. } => "a terminal",
        Step::Arguments { .. } => "arguments",
        Step::ListenPid {} | Step::Home { .. } => "",
        _ => return None,
    };
    Some(name.into())
}

/// With the working directory, of which a step's words say all.
fn processes(spec: &Spec, whole: &Whole) -> Vec<Item> {
    let mut items = steps(spec, whole, process);
    for (step, field) in whole.plan.script.steps() {
        let (what, value) = match step {
            Step::Cwd { path, .. } => ("working directory", text(path)),
            Step::Resolve { candidates, .. } => {
                let all: Vec<String> = candidates.iter().map(text).collect();
                (
                    "program",
                    if all.len() > 1 { format!("the first of {}", all.join(" ")) } else { all.concat() },
                )
            }
            _ => continue,
        };
        items.push(Item::new(what, value, field.pointer(spec)));
    }
    for item in items.iter_mut().filter(|item| item.value.is_empty() && item.what.ends_with("groups")) {
        item.value = "none".into();
    }
    items
}

/// Deeds and steps, of which the parent takes what needs its rights.
fn rlimits(spec: &Spec, whole: &Whole) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut add = |line: String, field: Option<String>| {
        let (what, value) = line.split_once(": ").unwrap_or((&line, ""));
        if !items.iter().any(|item| item.what == what) {
            items.push(Item::new(what, value, field));
        }
    };
    for (step, field) in whole.plan.script.steps() {
        if matches!(step, Step::Rlimit { .. }) {
            add(words::values(&step, None), field.pointer(spec));
        }
    }
    for deed in whole.deeds {
        if let Deed::RaiseLimits(limits) | Deed::LimitProcesses(limits) = deed {
            for (i, limit) in limits.iter().enumerate() {
                add(words::rlimit(limit), Some(format!("/process/rlimits/{i}")));
            }
        }
    }
    items
}

fn scheduled(spec: &Spec, whole: &Whole) -> Vec<Item> {
    let named = |_: &Plan, step: &Step| match step {
        Step::CpuAffinity { .. } => Some("CPU affinity".into()),
        Step::Scheduler { .. } => Some("scheduler".into()),
        Step::IoPriority { .. } => Some("I/O priority".into()),
        Step::MemoryPolicy { .. } => Some("memory policy".into()),
        Step::Personality { .. } => Some("personality".into()),
        Step::SelfFile { file, .. } if *file == c"oom_score_adj" => Some("score of the OOM killer".into()),
        _ => None,
    };
    let mut items = steps(spec, whole, named);
    for deed in whole.deeds {
        if let Deed::ScoreForOom(_) = deed {
            items.push(Item::new("score of the OOM killer", deed.values(), deed.field().pointer(spec)));
        }
    }
    items
}

/// Where each kind runs, in the order of [`names::HOOKS`].
const PLACES: [&str; 6] = [
    "on the host, before the root is changed",
    "on the host, before the root is changed",
    "in the container's namespaces, with the host's root",
    "in the container, when it is started",
    "on the host, when the program has begun",
    "on the host, when the container has been deleted",
];

fn hooks(spec: &Spec) -> Vec<Item> {
    let mut items = Vec::new();
    for ((kind, list), place) in spec.hooks().kinds().zip(PLACES) {
        for (i, hook) in list.iter().enumerate() {
            let what = format!("{kind}: {}", called(hook));
            items.push(Item::of(&format!("/hooks/{kind}/{i}"), what, place));
        }
    }
    items
}

/// Its first argument is its name.
fn called(hook: &Hook) -> String {
    let arguments = hook.args.iter().skip(1).map(|argument| format!(" {argument}")).collect::<String>();
    let timeout = hook.timeout.map(|seconds| format!(" (at most {seconds} s)")).unwrap_or_default();
    format!("{}{arguments}{timeout}", hook.path)
}

fn environment(spec: &Spec, whole: &Whole) -> Vec<Item> {
    let of_program = whole.plan.script.steps().find_map(|(step, _)| match step {
        Step::Arguments { env, .. } => Some(env.iter().map(text).collect::<Vec<_>>()),
        _ => None,
    });
    let listed = spec.process.as_ref().map_or(&[][..], |process| &process.env);
    let item = |variable: String| {
        let at = listed.iter().rposition(|one| **one == *variable);
        let (name, value) = variable.split_once('=').unwrap_or((&variable, ""));
        Item::new(name, value, at.map(|at| format!("/process/env/{at}")))
    };
    of_program.unwrap_or_default().into_iter().map(item).collect()
}

/// Of the namespaces of this kind the container has none of its own.
pub fn shares(plan: &Plan, flag: u64) -> bool {
    (plan.created | plan.joined) & flag == 0
}

/// The container's root has the rights of a user of its own alone.
pub fn has_user_namespace(plan: &Plan) -> bool {
    !shares(plan, names::namespaces::USER)
}
