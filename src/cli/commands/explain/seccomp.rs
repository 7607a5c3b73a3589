//! What the filter does to system calls, in words; and which rule decides one (`--syscall`).

use super::page::{Item, Section};
use crate::engine::Whole;
use crate::error::{Error, Result};
use crate::names::nearest;
use crate::seccomp::tables::Syscall;
use crate::seccomp::verdicts::{Case, Verdicts, Way};
use crate::seccomp::{Arch, Filter, evaluate, flags_of_kernel, native, vocabulary};
use crate::spec::{Seccomp, Spec};

/// More names than this are counted on a page for people.
const MOST_NAMES: usize = 60;
const PROFILE: &str = "/linux/seccomp";
/// How the names of the sections about one call begin.
pub const SECTION: &str = "syscall ";

/// A profile's verdicts, where it is a profile that the filter was made from.
fn verdicts<'w>(spec: &Spec, whole: &'w Whole) -> Option<(Verdicts<'w>, Arch)> {
    let filter = whole.ready.prepared.filter.as_ref()?;
    let profile = profile(spec)?;
    let native = Arch::native()?;
    let (major, minor) = whole.facts.kernel;
    let verdicts = Verdicts::of(profile, filter, native, flags_of_kernel(major, minor)).ok()?;
    Some((verdicts, native))
}

fn profile<'s>(spec: &'s Spec) -> Option<&'s Seccomp<'s>> {
    spec.linux.as_ref()?.seccomp.as_ref()
}

/// What a returned value does, for people.
fn meaning(returned: u32, spec: &Spec) -> String {
    let agent = profile(spec).and_then(|profile| profile.listener_path.as_deref());
    vocabulary::meaning(returned, agent)
}

fn rule(case: &Case) -> Option<String> {
    Some(format!("{PROFILE}/syscalls/{}", case.rule))
}

/// What is returned where no rule applies comes from here.
fn otherwise(verdicts: &Verdicts, returned: u32) -> (&'static str, Option<String>) {
    match returned == verdicts.default() {
        true => ("otherwise", Some(format!("{PROFILE}/defaultAction"))),
        false => ("newer than all that the profile knows", None),
    }
}

pub fn items(spec: &Spec, whole: &Whole) -> Vec<Item> {
    let Some(filter) = &whole.ready.prepared.filter else {
        return vec![Item::plain("no filter", "every system call is allowed")];
    };
    let size = Item::of(filter.field, "program", format!("{} instructions", filter.program.len()));
    let Some((verdicts, native)) = verdicts(spec, whole) else { return vec![size] };
    let names = verdicts.arches().iter().map(|arch| arch.name()).collect::<Vec<_>>();
    let default = verdicts.default();
    let mut items = vec![
        size,
        Item::of(&format!("{PROFILE}/architectures"), "architectures", names.join(" ")),
        Item::of(&format!("{PROFILE}/defaultAction"), "what no rule names", meaning(default, spec)),
    ];
    let (groups, depend) = verdicts.groups(native);
    for group in groups {
        let count = group.names.len();
        let short = (count > MOST_NAMES).then(|| format!("{count} system calls"));
        items.push(Item { short, ..Item::plain(meaning(group.returned, spec), group.names.join(" ")) });
    }
    for (name, way) in depend {
        let told = cases(&verdicts, &way, spec);
        let field = told.first().and_then(|item| item.field.clone());
        let told: Vec<String> = told.iter().map(|item| format!("{}: {}", item.what, item.value)).collect();
        items.push(Item::new(name, told.join("; "), field));
    }
    items
}

/// The rules of a call in the order in which they are asked, and what is left.
fn cases(verdicts: &Verdicts, way: &Way, spec: &Spec) -> Vec<Item> {
    let told = way.cases.iter().map(|case| {
        let words = case.words();
        let when = if words.is_empty() { "always".to_owned() } else { format!("where {words}") };
        Item::new(when, meaning(case.returned, spec), rule(case))
    });
    let rest = way.otherwise.map(|returned| {
        let (what, field) = otherwise(verdicts, returned);
        Item::new(what, meaning(returned, spec), field)
    });
    told.chain(rest).collect()
}

/// A system call as `--syscall` has it: `NAME`, or `NAME(ARGUMENT, …)`.
pub struct Asked {
    text: String,
    call: Syscall,
    arguments: Option<[u64; 6]>,
}

pub fn asked(text: &str) -> Result<Asked> {
    let wrong = |reason: String, remedy: String| Error::argument("--syscall", text, reason).remedy(remedy);
    let (name, list) = match text.split_once('(') {
        Some((name, rest)) => match rest.trim_end().strip_suffix(')') {
            Some(list) => (name, Some(list)),
            None => {
                return Err(wrong(
                    "the bracket is not closed".into(),
                    "write it as in clone(0x11, 0)".into(),
                ));
            }
        },
        None => (text, None),
    };
    let name = name.trim();
    // A number is that of this machine's own calls, as in a log of the kernel.
    let by_number = || Syscall::by_number(native().ok()?, number(name)?.try_into().ok()?);
    let Some(call) = Syscall::by_name(name).or_else(by_number) else {
        let meant = nearest(name, Syscall::all().map(Syscall::name));
        let remedy =
            meant.map_or("name it as syscalls(2) does".into(), |meant| format!("did you mean {meant}?"));
        let what = if number(name).is_some() { "number on this machine" } else { "name" };
        return Err(wrong(format!("there is no system call of this {what}"), remedy));
    };
    let mut arguments = None;
    if let Some(list) = list {
        let mut values = [0; 6];
        let words: Vec<&str> = list.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        let remedy = || "write up to six whole numbers, as in clone(0x11, 0)".to_owned();
        if words.len() > values.len() {
            return Err(wrong("a system call has at most six arguments".into(), remedy()));
        }
        for (value, word) in values.iter_mut().zip(words) {
            *value = number(word).ok_or_else(|| wrong(format!("{word:?} is no argument"), remedy()))?;
        }
        arguments = Some(values);
    }
    // People know the call by its name.
    Ok(Asked { text: text.replacen(name, call.name(), 1), call, arguments })
}

/// Hexadecimal or decimal; a negative one as the kernel gets it.
fn number(word: &str) -> Option<u64> {
    match (word.strip_prefix("0x"), word.strip_prefix('-')) {
        (Some(digits), _) => u64::from_str_radix(digits, 16).ok(),
        (_, Some(digits)) => Some(digits.parse::<u64>().ok()?.wrapping_neg()),
        _ => word.parse().ok(),
    }
}

/// The section about one call.
pub fn section(asked: &Asked, spec: &Spec, whole: &Whole) -> Section {
    let items = match (&whole.ready.prepared.filter, verdicts(spec, whole)) {
        (None, _) => vec![Item::plain("every architecture", "allowed: there is no filter")],
        (Some(filter), None) => of_program(asked, filter, spec),
        (Some(_), Some((verdicts, _))) => of_profile(asked, &verdicts, spec),
    };
    Section { name: format!("{SECTION}{}", asked.text), title: format!("system call {}", asked.text), items }
}

fn way_in_words(way: &Way) -> String {
    match way.multiplexer() {
        Some(name) => format!("{} through {name}({})", way.arch.name(), way.code.unwrap_or_default()),
        None => format!("{} number {}", way.arch.name(), way.number),
    }
}

fn of_profile(asked: &Asked, verdicts: &Verdicts, spec: &Spec) -> Vec<Item> {
    let mut items = Vec::new();
    for way in verdicts.ways(asked.call) {
        let title = way_in_words(&way);
        let Some(mut arguments) = asked.arguments else {
            let rules = cases(verdicts, &way, spec).into_iter();
            items.extend(rules.map(|item| Item { what: format!("{title}: {}", item.what), ..item }));
            continue;
        };
        if let Some(code) = way.code {
            // The call's own arguments are in memory there, where no filter sees them.
            arguments = [u64::from(code), 0, 0, 0, 0, 0];
        }
        // The program has the word; the rule is the one that the same order of questions comes to.
        let returned = verdicts.run(way.arch, way.number, arguments).unwrap_or(libc::SECCOMP_RET_KILL_THREAD);
        let decides = way.decides(&arguments);
        let field = decides.map_or_else(|| otherwise(verdicts, returned).1, rule);
        let when = decides.map(Case::words).filter(|words| !words.is_empty());
        let what = when.map_or(title.clone(), |words| format!("{title}, since {words}"));
        items.push(Item::new(what, meaning(returned, spec), field));
    }
    if items.is_empty() {
        items.push(Item::plain("no architecture of the profile", "has this system call"));
    }
    items
}

/// A finished program has no rules: it is asked with these arguments, or with zeros.
fn of_program(asked: &Asked, filter: &Filter, spec: &Spec) -> Vec<Item> {
    let Some(native) = Arch::native() else { return Vec::new() };
    let Some(number) = asked.call.number(native) else { return Vec::new() };
    let arguments = asked.arguments.unwrap_or_default();
    let returned = evaluate::answer(&filter.program, native, asked.call.name(), arguments);
    let value =
        returned.map_or("the program is not one that the kernel takes".into(), |it| meaning(it, spec));
    let what = format!("{} number {number}, arguments {arguments:x?}", native.name());
    vec![Item::of(filter.field, what, value)]
}
