//! The last part of a child's plan, the same for a container's first process and for `exec`: labels, scheduling,
//! user, capabilities, limits, seccomp, exec.
//!
//! The order is what the kernel's rules ask for, and the rule that what others can see has no more rights than they: the
//! bounding set shrinks while CAP_SETPCAP is there; the user changes with permitted capabilities kept; then everything
//! is closed, the filter is loaded, and what loading it needs (CAP_SYS_ADMIN, without no_new_privs) is given up behind
//! it. Only now is a process born that the container sees, or does one wait for start. `plan/behind.rs` says what becomes
//! of profiles that forbid this.

pub mod landlock;

use super::loading::{Loading, push_filter};
use super::program::{Birth, Ends, Program, Sets};
use super::scheduling;
use super::script::{Field, Script, StringList, c};
use super::{Host, known};
use crate::error::{Error, Result};
use crate::names;
use crate::spec::text::given;
use crate::spec::{Process, Text};
use crate::wire::{Bytes, Point, Step};
use std::collections::BTreeSet;
use std::ffi::CStr;

const SYS_PTRACE: u64 = 1 << 19;
const SYS_ADMIN: u64 = 1 << 21;
const SYS_RESOURCE: u64 = 1 << 24;

/// Where programs are looked for if the process has no PATH of its own.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Program<'_, '_> {
    /// What is left to the caller is what happened before: namespaces, mounts, the console. Returns the sets that the
    /// process has when it says that it has given up the rest, if it is to be asked.
    pub fn push(&self, script: &mut Script, warnings: &mut Vec<Error>) -> Result<Option<Sets>> {
        let process = self.process;
        let available = self.available(warnings);
        let sets = Sets::of(process.capabilities.as_ref(), available);
        let loading = self.loading()?;
        let late = self.birth == Birth::Late;
        if !late {
            for (field, file, value) in labels(process, self.host.stacks_profiles) {
                script.push(field, Step::LabelFile { file, value: Bytes(value.as_bytes()) });
            }
        }
        scheduling::push(process, self.birth, script)?;
        if process.terminal {
            script.push(Field::Fixed("/process/terminal"), Step::Streams {});
        }
        if process.user.uid != 0 || self.user_namespace {
            script.push(Field::None, Step::StreamOwner { uid: process.user.uid });
        }
        self.push_rlimits(script, |kind| kind != names::RLIMIT_NOFILE && !self.is_the_parents(kind))?;
        let umask = process.user.umask.unwrap_or(0o022);
        script.push(Field::Fixed("/process/user/umask"), Step::Umask { value: umask });
        let landlock = self.host.landlock.as_ref();
        if let Some(rules) = landlock {
            landlock::push_rules(rules, script);
        }
        let needed = self.push_identity(sets, available, loading, script);
        // A change of user may have made us dumpable again (fs.suid_dumpable=1).
        script.push(Field::None, Step::Undumpable {});
        if self.wants_home() {
            script.push(Field::None, Step::Home { uid: process.user.uid });
        }
        match (late, process.terminal) {
            (false, _) => script.push(Field::None, Step::Session {}),
            (true, false) => script.push(Field::None, Step::LeaveSession {}),
            // It has left the session to hold the terminal.
            (true, true) => {}
        }
        let cwd = c(&process.cwd);
        script.push(Field::Fixed("/process/cwd"), Step::Chdir { path: &cwd, patient: false });
        let candidates = match self.file {
            Some(file) => StringList::of([file]),
            None => candidates(process),
        };
        if !process.args.is_empty() {
            let resolve = Step::Resolve { candidates: candidates.wire(), elsewhere: late };
            script.push(self.program_field(), resolve);
        }
        if landlock.is_some() {
            if needed & SYS_ADMIN != 0 {
                sets.push(needed, SYS_ADMIN, script);
            }
            landlock::push_restriction(script);
        }
        let Ends { word, answer, taken } = self.start.unwrap_or(Ends::NONE);
        script.push(Field::None, Step::Confine { first: 3 + self.preserve_fds, word, answer });
        // rruntime takes the listener, and `start` its pipes, from init, which is not dumpable: without CAP_SYS_PTRACE, or
        // from an ordinary user's joiner, that is refused.
        let may_trace = self.host.privileged && self.host.permitted & SYS_PTRACE != 0;
        let notify = self.filter.is_some_and(|filter| filter.notify);
        if (notify || taken) && !may_trace {
            script.push(Field::None, Step::Dumpable {});
        }
        let argv = StringList::of(process.args.iter().map(|a| &**a));
        let env = StringList::of(environment(&process.env));
        let arguments = Step::Arguments { argv: argv.wire(), env: env.wire() };
        script.push(Field::Fixed("/process/args"), arguments);
        if needed != 0 {
            sets.push(needed, needed, script);
        }
        self.push_rlimits(script, |kind| kind == names::RLIMIT_NOFILE)?;
        let to_load = if loading == Loading::Never { 0 } else { needed & SYS_ADMIN };
        if needed != to_load {
            sets.push(to_load, to_load, script);
        }
        // A process that is born late learns its number from its birth; another asks, before a filter can answer.
        if self.listening && !late {
            script.push(Field::None, Step::ListenPid {});
        }
        let checked = self.push_first_filter(sets, to_load, loading, script);
        if late {
            script.push(Field::None, Step::Spawn { flags: 0 });
            let session = if process.terminal { Field::Fixed("/process/terminal") } else { Field::None };
            script.push(session, Step::Session {});
            if process.rlimits.iter().any(|limit| &*limit.kind == "RLIMIT_NPROC")
                && self.is_the_parents(names::RLIMIT_NPROC)
            {
                let point = Point::Processes;
                script.push(Field::Fixed("/process/rlimits"), Step::Sync { point });
            }
            if process.terminal || self.held || scheduling::forbids_birth(process) {
                script.push(Field::None, Step::Sync { point: Point::Born });
            }
        }
        if self.listening && late {
            script.push(Field::None, Step::ListenPid {});
        }
        if self.start.is_some() {
            script.push(Field::None, Step::AwaitStart {});
        }
        if let (Some(filter), Loading::Twice(_) | Loading::Last) = (self.filter, loading) {
            push_filter(filter, script);
        }
        script.push(self.program_field(), Step::Exec {});
        Ok(checked)
    }

    /// A limit on processes may forbid the birth: the parent sets it, where it has the right to.
    fn is_the_parents(&self, kind: u32) -> bool {
        let may = self.user_namespace || self.host.permitted & SYS_RESOURCE != 0;
        self.birth == Birth::Late && kind == names::RLIMIT_NPROC && may
    }

    /// The image's /etc/passwd is opened with what the program may do itself, hence after the identity. The environment that
    /// a hook's config gives is all that it gets.
    fn wants_home(&self) -> bool {
        let given = self.process.env.iter().rev().find_map(|variable| variable.strip_prefix("HOME="));
        given.is_none_or(str::is_empty) && !self.whole_environment
    }

    /// A hook's program is not the config's; which hook it is, the caller knows.
    fn program_field(&self) -> Field {
        if self.file.is_some() { Field::None } else { Field::Fixed("/process/args/0") }
    }

    /// Capabilities that this host can give. In a user namespace of its own a process can have all of them.
    fn available(&self, warnings: &mut Vec<Error>) -> u64 {
        let all = u64::MAX >> (63 - self.host.last_capability.min(63));
        let available = if self.user_namespace { all } else { self.host.permitted & all };
        let Some(wanted) = &self.process.capabilities else { return available };
        let asked = names::capability_mask(wanted.permitted.iter().chain(&wanted.bounding).map(|n| &**n));
        let missing = asked & !available;
        if missing != 0 {
            let names: Vec<&str> = names::capability_names(missing).collect();
            let warning = Error::new(format!(
                "{} cannot be given, because the runtime does not have {} itself",
                names.join(" "),
                if names.len() == 1 { "it" } else { "them" }
            ));
            warnings.push(warning.field("/process/capabilities"));
        }
        available
    }

    fn push_rlimits(&self, script: &mut Script, which: impl Fn(u32) -> bool) -> Result<()> {
        for (i, limit) in self.process.rlimits.iter().enumerate() {
            let resource = rlimit(&limit.kind, i)?;
            // Of two the last one counts.
            let again = self.process.rlimits[i + 1..].iter().any(|later| later.kind == limit.kind);
            if which(resource) && !again {
                let step = Step::Rlimit { resource, soft: limit.soft, hard: limit.hard };
                script.push(Field::Rlimit(i), step);
            }
        }
        Ok(())
    }

    /// Groups, user and capabilities; returns what is kept permitted beyond the config for the steps that follow. It is not
    /// effective meanwhile: the working directory and the program are looked up with the container's own rights.
    fn push_identity(&self, sets: Sets, available: u64, loading: Loading, script: &mut Script) -> u64 {
        let process = self.process;
        if process.no_new_privileges {
            script.push(Field::Fixed("/process/noNewPrivileges"), Step::NoNewPrivileges {});
        }
        let last = self.host.last_capability;
        script.push(
            Field::Fixed("/process/capabilities/bounding"),
            Step::Bounding { keep: sets.bounding, last },
        );
        if let Some(ids) = groups(process, self.host) {
            script.push(Field::Fixed("/process/user/additionalGids"), Step::Groups { ids: Bytes(&ids) });
        }
        let (uid, gid) = (process.user.uid, process.user.gid);
        script.push(Field::Fixed("/process/user"), Step::User { uid, gid });
        let mut needed = 0;
        let confines = loading != Loading::Never || self.host.landlock.is_some();
        if confines && !process.no_new_privileges {
            needed |= SYS_ADMIN & available;
        }
        if process.rlimits.iter().any(|limit| &*limit.kind == "RLIMIT_NOFILE") {
            needed |= SYS_RESOURCE & available;
        }
        sets.push(needed, 0, script);
        script.push(Field::Fixed("/process/capabilities/ambient"), Step::Ambient { set: sets.ambient });
        needed
    }
}

/// Of two variables of one name the last one counts. An empty HOME is as good as none, and is replaced.
fn environment<'e>(variables: &'e [Text]) -> impl Iterator<Item = &'e str> {
    let mut seen = BTreeSet::new();
    let name = |variable: &'e str| variable.split_once('=').map_or(variable, |(name, _)| name);
    let last =
        variables.iter().rev().map(|variable| &**variable).filter(|variable| seen.insert(name(variable)));
    let mut kept: Vec<&str> = last.filter(|variable| *variable != "HOME=").collect();
    kept.reverse();
    kept.into_iter()
}

/// The supplementary groups as setgroups(2) takes them, where it is to be called. Without groups to set there is nothing to
/// lose where the kernel forbids any change of them; where it allows one, the ones of the caller go with the user namespace
/// (`BecomeRoot`).
pub fn groups(process: &Process, host: &Host) -> Option<Vec<u8>> {
    let ids = &process.user.additional_gids;
    let may = !ids.is_empty() || (host.privileged && !host.groups_are_fixed);
    (may && !host.keep_groups).then(|| ids.iter().flat_map(|gid| gid.to_le_bytes()).collect())
}

/// Whether the process's capabilities let it pass every directory.
pub fn searches_anywhere(process: &Process) -> bool {
    const DAC_OVERRIDE: u64 = 1 << 1;
    const DAC_READ_SEARCH: u64 = 1 << 2;
    let sets = Sets::of(process.capabilities.as_ref(), u64::MAX);
    sets.effective & (DAC_OVERRIDE | DAC_READ_SEARCH) != 0
}

/// The labels that the coming exec takes on: field, file below /proc/self, content.
pub fn labels(process: &Process, stacks: bool) -> impl Iterator<Item = (Field, &'static CStr, String)> {
    let selinux = given(&process.selinux_label)
        .map(|label| (Field::Fixed("/process/selinuxLabel"), c"attr/exec", label.to_owned()));
    let apparmor = given(&process.apparmor_profile).map(move |profile| {
        let word = if stacks { "stack" } else { "exec" };
        (Field::Fixed("/process/apparmorProfile"), c"attr/apparmor/exec", format!("{word} {profile}"))
    });
    selinux.into_iter().chain(apparmor)
}

pub fn rlimit(kind: &str, index: usize) -> Result<u32> {
    known(&names::RLIMITS, kind, || format!("/process/rlimits/{index}/type"))
}

/// The paths at which the program may be: as it stands if it has a slash, else in each directory of PATH.
fn candidates(process: &Process) -> StringList {
    let program = process.args.first().map_or("", |arg| &**arg);
    if program.contains('/') {
        return StringList::of([program]);
    }
    let path = process.env.iter().rev().find_map(|variable| variable.strip_prefix("PATH="));
    let mut list = StringList::default();
    for directory in path.unwrap_or(DEFAULT_PATH).split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        list.push(&format!("{directory}/{program}"));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(args: &[&'static str], env: &[&'static str]) -> Process<'static> {
        Process {
            args: args.iter().map(|a| (*a).into()).collect(),
            env: env.iter().map(|e| (*e).into()).collect(),
            ..Process::default()
        }
    }

    #[test]
    fn the_last_of_two_variables_counts() {
        let all = |list: &[&'static str]| {
            let list: Vec<Text> = list.iter().map(|e| (*e).into()).collect();
            environment(&list).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(all(&["A=1", "B=", "A=2", "AB=3"]), ["B=", "A=2", "AB=3"]);
        assert_eq!(all(&["HOME=/x", "HOME="]), [""; 0]);
        assert_eq!(all(&["HOME=", "HOME=/x"]), ["HOME=/x"]);
    }

    fn found(process: &Process) -> Vec<String> {
        candidates(process).wire().iter().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_program_with_a_slash_is_taken_as_it_is() {
        assert_eq!(found(&process(&["./a"], &["PATH=/x"])), ["./a"]);
    }

    #[test]
    fn a_program_without_a_slash_is_looked_for_in_the_containers_path() {
        assert_eq!(found(&process(&["a"], &["PATH=/x::/y"])), ["/x/a", "./a", "/y/a"]);
        assert_eq!(found(&process(&["a"], &[])).len(), 6);
    }
}
