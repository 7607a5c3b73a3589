//! `seccomp check`: whether a profile lets through what a container's init and its program need.

use super::super::explain::text::line;
use super::record::read;
use crate::cli::facts::Fact;
use crate::cli::{Arguments, streams};
use crate::error::{Error, Kind, Result};
use crate::names::nearest;
use crate::seccomp::against::{Stopped, stopped};
use crate::seccomp::record::{ALL, CLOCK, CRUN, RRUNTIME, RUNC, allowing, is_recorded, needs, whose};
use crate::seccomp::tables::Syscall;
use crate::seccomp::verdicts::{Idle, Verdicts};
use crate::seccomp::vocabulary::{describe, meaning};
use crate::seccomp::{Arch, Filter, compile, flags_of_kernel, native};
use crate::spec::load::{self, unknown};
use crate::spec::{Seccomp, Spec, annotations};
use crate::sys::identity;
use std::path::{Path, PathBuf};

/// The profile is not fine.
const NOT_FINE: i32 = 2;

/// Who needs something of a profile.
struct Need {
    /// In JSON.
    name: &'static str,
    words: &'static str,
    whose: u8,
    /// Without it a container cannot run here; else it is a note.
    counts: bool,
    /// What helps besides allowing it.
    remedy: &'static str,
}

const NEEDS: &[Need] = &[
    need("program", "every program", ALL, true, ""),
    need("rruntime", "rruntime's init", RRUNTIME, true, " (allow it, or set process.noNewPrivileges)"),
    need("runc", "runc's init", RUNC, false, ""),
    need("crun", "crun's init", CRUN, false, ""),
    need("clock", "a machine without a vDSO", CLOCK, false, ""),
];

const fn need(
    name: &'static str,
    words: &'static str,
    whose: u8,
    counts: bool,
    remedy: &'static str,
) -> Need {
    Need { name, words, whose, counts, remedy }
}

/// More names than this are counted on a page for people.
const MOST_NAMES: usize = 60;

/// Compiled for this machine.
struct Compiled<'p> {
    profile: Seccomp<'p>,
    filter: Filter,
    native: Arch,
    flags: u32,
}

#[derive(Clone, Copy)]
struct Who<'n> {
    name: &'static str,
    words: &'n str,
    counts: bool,
    remedy: &'static str,
}

/// Calls of one need that have one answer from one place.
struct Group<'n> {
    who: Who<'n>,
    names: Vec<&'static str>,
    first: Stopped,
}

pub fn check(arguments: &Arguments) -> Result<i32> {
    let operand = PathBuf::from(arguments.operands.get(1).cloned().unwrap_or_default());
    let (bytes, name) = text(&operand)?;
    let Read { profile, adds, mut notes } = profile(&name, &bytes)?;
    let own = Compiled::of(profile).map_err(|e| e.doing(name.clone()))?;
    let verdicts = own.verdicts()?;
    let mut groups = Vec::new();
    for Need { name, words, whose, counts, remedy } in NEEDS {
        // With noNewPrivileges init loads the filter a second time, right before the exec.
        let counts = *counts && !(adds && !own.filter.notify && *whose == RRUNTIME);
        let who = Who { name, words, counts, remedy };
        find(&mut groups, &verdicts, needs(*whose), &|_| who)?;
    }
    let against = arguments.path("against").map(|file| text(&file)).transpose();
    let against = against.map_err(|error| error.field("--against"))?;
    let (mut other, as_all) =
        ("", against.as_ref().map(|(_, name)| format!("{name}, as every recorded profile,")));
    if let Some((bytes, name)) = &against {
        other = name;
        let wanted = wanted(name, bytes).map_err(|e| e.doing("--against"))?;
        // Whether its program makes those calls too is not in it.
        let foreign = if is_recorded(&wanted) { RUNC | CRUN | CLOCK } else { 0 };
        let who = Who { name: "against", words: name, counts: true, remedy: "" };
        let of_all = Who { words: as_all.as_deref().unwrap_or(name), counts: false, ..who };
        let of = |call: &str| match whose(call) {
            flags if flags != 0 && flags & !foreign == 0 => of_all,
            _ => who,
        };
        find(&mut groups, &verdicts, wanted, &of).map_err(|e| e.doing(name.clone()).doing("--against"))?;
    }
    let (unknown, more) = own.findings();
    notes.extend(more);
    notes.extend(verdicts.idle().iter().map(idle));
    let is_fine = unknown.is_empty() && groups.iter().all(|group| !group.who.counts || group.first.partly);
    if arguments.switch("json") {
        let texts = |errors: &[Error]| Fact::list(errors);
        streams::print_pretty_json(&Fact::object([
            ("profile", Fact::text(&name)),
            ("fine", Fact::Yes(is_fine)),
            ("instructions", Fact::Number(own.filter.program.len() as u64)),
            ("architectures", Fact::list(verdicts.arches().iter().map(|arch| arch.name()))),
            ("defaultAction", Fact::Text(describe(verdicts.default()))),
            ("denied", Fact::Array(groups.iter().map(Group::fact).collect())),
            ("unknown", texts(&unknown)),
            ("notes", texts(&notes)),
        ]))?;
    } else {
        let mut page = String::new();
        let agent = own.profile.listener_path.as_deref();
        let names: Vec<_> = verdicts.arches().iter().map(|arch| arch.name()).collect();
        let (size, default) = (own.filter.program.len(), meaning(verdicts.default(), agent));
        let names = names.join(" ");
        line(&mut page, &format!("{name}: {size} instructions for {names}; what no rule names: {default}"));
        for counts in [true, false] {
            let these = groups.iter().filter(|group| group.who.counts == counts);
            these.for_each(|group| line(&mut page, &group.words(agent)));
        }
        unknown.iter().for_each(|error| line(&mut page, &format!("unknown: {error}")));
        notes.iter().for_each(|error| line(&mut page, &format!("note: {error}")));
        if is_fine {
            let also = if other.is_empty() { String::new() } else { format!(", and what {other} needs") };
            line(&mut page, &format!("fine: it allows what every program and rruntime's init need{also}"));
        }
        streams::print(&page)?;
    }
    Ok(if is_fine { 0 } else { NOT_FINE })
}

/// What a path has to say, and the path: of a directory its config.json.
fn text(path: &Path) -> Result<(Vec<u8>, String)> {
    let file = if path.is_dir() { path.join("config.json") } else { path.to_owned() };
    let bytes = read(&file).map_err(|error| {
        let remedy = "name a bundle, its config.json, or a file with a seccomp profile";
        error.value(file.display()).remedy(remedy)
    })?;
    Ok((bytes, file.display().to_string()))
}

/// What a file has.
struct Read<'b> {
    profile: Seccomp<'b>,
    /// init adds to it what it needs.
    adds: bool,
    notes: Vec<Error>,
}

/// Of a config.json, or the file itself.
fn profile<'b>(name: &str, bytes: &'b [u8]) -> Result<Read<'b>> {
    let spec: Spec = load::parse(name, bytes)?;
    let adds = spec.process.as_ref().is_some_and(|process| process.no_new_privileges);
    if annotations::find(&spec.annotations, annotations::SECCOMP_BPF).is_some() {
        return Err(Error::new("a finished program has no rules to be checked")
            .kind(Kind::Config)
            .field(annotations::pointer(annotations::SECCOMP_BPF))
            .remedy("`rruntime explain --syscall NAME` says what it answers to one call"));
    }
    let mut notes = Vec::new();
    let profile = match spec.linux.and_then(|linux| linux.seccomp) {
        Some(profile) => profile,
        None => {
            // An engine's own file has more, which it turns into a profile for each container.
            notes = unknown::keys(bytes, &|text| load::read::<Seccomp>(text).map(drop));
            load::parse(name, bytes)?
        }
    };
    if profile.default_action.is_empty() && profile.syscalls.is_empty() {
        return Err(Error::new("there is no seccomp profile in it: every system call is allowed")
            .kind(Kind::Config)
            .doing(name.to_owned())
            .remedy("name a bundle, its config.json, or a file with its object linux.seccomp"));
    }
    Ok(Read { profile, adds, notes })
}

/// A profile, or a list of calls: names between white space or commas, and comments behind `#`.
fn wanted<'b>(name: &str, bytes: &'b [u8]) -> Result<Seccomp<'b>> {
    if bytes.trim_ascii_start().starts_with(b"{") {
        return Ok(profile(name, bytes)?.profile);
    }
    let wrong = |reason: String| Error::new(reason).kind(Kind::Config);
    let text = str::from_utf8(bytes)
        .map_err(|_| wrong(format!("{name} is neither JSON nor a list of system calls: it is not UTF-8")))?;
    let mut names = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        for word in line.split([' ', '\t', '\r', ',']).filter(|word| !word.is_empty()) {
            let call = Syscall::by_name(word).ok_or_else(|| {
                let unknown = wrong("is not a known system call".to_owned()).value(word);
                unknown.remedy(meant(word)).doing(format!("line {} of {name}", at + 1))
            })?;
            names.push(call.name());
        }
    }
    match names.is_empty() {
        true => Err(wrong(format!("{name} names no system call"))
            .remedy("write a name on each line, or name a profile or a bundle")),
        false => Ok(allowing(&names)),
    }
}

fn idle(idle: &Idle) -> Error {
    let rules = "/linux/seccomp/syscalls";
    let why = match idle.by == idle.rule {
        true => "its conditions are never true".to_owned(),
        false => format!("{rules}/{} decides first, and otherwise", idle.by),
    };
    Error::new(format!("has no effect on {}: {why}", idle.name)).field(format!("{rules}/{}", idle.rule))
}

fn meant(word: &str) -> String {
    match nearest(word, Syscall::all().map(Syscall::name)) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => "name it as syscalls(2) does".to_owned(),
    }
}

fn find<'n>(
    groups: &mut Vec<Group<'n>>,
    own: &Verdicts,
    wanted: Seccomp,
    who: &dyn Fn(&str) -> Who<'n>,
) -> Result<()> {
    let wanted = Compiled::of(wanted)?;
    for one in stopped(own, &wanted.verdicts()?) {
        let who = who(one.name);
        let alike = |group: &&mut Group| {
            std::ptr::eq(group.who.words, who.words)
                && Stopped { name: one.name, ..group.first.clone() } == one
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.names.push(one.name),
            None => groups.push(Group { who, names: vec![one.name], first: one }),
        }
    }
    Ok(())
}

impl<'p> Compiled<'p> {
    fn of(profile: Seccomp<'p>) -> Result<Compiled<'p>> {
        let (major, minor) = identity::kernel_version();
        let (native, flags) = (native()?, flags_of_kernel(major, minor));
        let filter = compile(&profile, native, flags)?;
        let filter = filter.ok_or_else(|| Error::new("the profile says nothing").kind(Kind::Config))?;
        Ok(Compiled { profile, filter, native, flags })
    }

    fn verdicts(&self) -> Result<Verdicts<'_>> {
        Verdicts::of(&self.profile, &self.filter, self.native, self.flags)
    }

    /// Names that mean nothing; and what there is to know besides.
    fn findings(&self) -> (Vec<Error>, Vec<Error>) {
        const FIELD: &str = "/linux/seccomp/architectures";
        let is_name =
            |error: &Error| error.detail().field.as_deref().is_some_and(|it| it.contains("/names/"));
        let (unknown, mut notes): (Vec<Error>, Vec<Error>) =
            self.filter.warnings.iter().cloned().partition(is_name);
        let named = |arch: &Arch| self.profile.architectures.iter().any(|name| **name == *arch.name());
        if !self.profile.architectures.is_empty() && !named(&self.native) {
            let name = self.native.name();
            notes.push(
                Error::new(format!("lacks {name}, this machine's, which every runtime adds")).field(FIELD),
            );
        }
        for arch in self.native.beside().iter().filter(|arch| !named(arch)) {
            let killed = format!("lacks {}: such a program is killed at its first call", arch.name());
            notes.push(Error::new(killed).field(FIELD));
        }
        let with_meant = |error: Error| {
            let remedy = error.detail().value.as_deref().map(meant);
            error.remedy_if(remedy)
        };
        (unknown.into_iter().map(with_meant).collect(), notes)
    }
}

impl Group<'_> {
    fn words(&self, agent: Option<&str>) -> String {
        let Group { who: Who { words, counts, remedy, .. }, names, first } = self;
        let (label, rest) = match (counts, first.partly) {
            (_, true) => ("partly", ", unless a rule allows its arguments"),
            (true, false) => ("denied", ""),
            (false, false) => ("note", ""),
        };
        let mut calls = names.join(" ");
        if names.len() > MOST_NAMES {
            calls = format!("{} calls", names.len());
        }
        if native().ok() != Some(first.arch) {
            calls = format!("{calls} of {}", first.arch.name());
        }
        let field = match &first.field {
            Some(field) => format!("  [{field}]"),
            None => ", as newer than all that the profile names".to_owned(),
        };
        let meaning = meaning(first.returned, agent);
        format!("{label}: {words} needs {calls}: {meaning}{rest}{remedy}{field}")
    }

    fn fact(&self) -> Fact {
        let first = &self.first;
        Fact::object([
            ("neededBy", Fact::text(self.who.name)),
            ("counts", Fact::Yes(self.who.counts && !first.partly)),
            ("partly", Fact::Yes(first.partly)),
            ("calls", Fact::list(&self.names)),
            ("architecture", Fact::text(first.arch.name())),
            ("action", Fact::Text(describe(first.returned))),
            ("field", first.field.as_ref().map_or(Fact::Missing, Fact::text)),
        ])
    }
}
