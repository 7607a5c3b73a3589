//! The last part of a child's plan, the same for a container's first process and for `exec`: labels, scheduling,
//! user, capabilities, limits, seccomp, exec.
//!
//! The order is what the kernel's rules ask for. The bounding set shrinks while CAP_SETPCAP is there; the user
//! changes with permitted capabilities kept; the filter is loaded last, and where no_new_privs is not wanted it
//! needs CAP_SYS_ADMIN, which is therefore kept until then and dropped by the capset right before the exec.

use super::script::{Field, Script, StringList, c};
use super::{Host, names};
use crate::error::{Error, Kind, Result};
use crate::seccomp::Filter;
use crate::spec::{Capabilities, Process};
use crate::wire::{Handle, Step};

const SYS_ADMIN: u64 = 1 << 21;
const SYS_RESOURCE: u64 = 1 << 24;

/// Where programs are looked for if the process has no PATH of its own.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A process to become.
pub struct Program<'a, 'p> {
    pub process: &'a Process<'a>,
    /// The file to execute, where the first argument does not say it (hooks).
    pub file: Option<&'a str>,
    pub host: &'p Host,
    /// The process has a user namespace of its own, with all capabilities in it.
    pub user_namespace: bool,
    pub filter: Option<&'p Filter>,
    /// Descriptors from 3 on that the program keeps.
    pub preserve_fds: u32,
    /// Wait for start on this socket before exec.
    pub listener: Option<Handle>,
    /// startContainer hooks run after start.
    pub start_hooks: bool,
}

/// The five sets as masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    pub bounding: u64,
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
    pub ambient: u64,
}

impl Sets {
    /// The sets of `process.capabilities`; without it there are none. `available` is what the host lets us give.
    pub fn of(wanted: Option<&Capabilities>, available: u64) -> Sets {
        let Some(wanted) = wanted else { return Sets::default() };
        let mask = |list: &[crate::spec::Text]| names::capability_mask(list.iter().map(|n| &**n)) & available;
        let permitted = mask(&wanted.permitted);
        let inheritable = mask(&wanted.inheritable);
        Sets {
            bounding: mask(&wanted.bounding),
            effective: mask(&wanted.effective) & permitted,
            permitted,
            inheritable,
            // The kernel raises only what is permitted and inheritable.
            ambient: mask(&wanted.ambient) & permitted & inheritable,
        }
    }
}

impl Program<'_, '_> {
    /// What is left to the caller is what happened before: namespaces, mounts, the console.
    pub fn push(&self, script: &mut Script, warnings: &mut Vec<String>) -> Result<()> {
        let process = self.process;
        let available = self.available(warnings);
        let sets = Sets::of(process.capabilities.as_ref(), available);
        self.push_labels(script);
        self.push_scheduling(script)?;
        script.push(Field::None, Step::Session {});
        if process.user.uid != 0 || self.user_namespace {
            script.push(Field::None, Step::StreamOwner { uid: process.user.uid });
        }
        self.push_rlimits(script, |kind| kind != libc::RLIMIT_NOFILE)?;
        let umask = process.user.umask.unwrap_or(0o022);
        script.push(Field::Fixed("/process/user/umask"), Step::Umask { value: umask });
        let home =
            process.env.iter().any(|variable| variable.strip_prefix("HOME=").is_some_and(|h| !h.is_empty()));
        // A hook's environment is the config's to the letter (config.md, Hooks).
        if !home && self.file.is_none() {
            script.push(Field::None, Step::Home { uid: process.user.uid });
        }
        let kept = self.push_identity(sets, available, script);
        let cwd = c(&process.cwd);
        script.push(Field::Fixed("/process/cwd"), Step::Chdir { path: &cwd, patient: false });
        let candidates = match self.file {
            Some(file) => StringList::of([file]),
            None => candidates(process),
        };
        script.push(self.program_field(), Step::Resolve { candidates: candidates.wire() });
        if let Some(listener) = self.listener {
            script.push(Field::None, Step::AwaitStart { listener });
        }
        if self.start_hooks {
            let point = super::sync::START_HOOKS;
            script.push(Field::Fixed("/hooks/startContainer"), Step::Sync { point });
        }
        // So late because rruntime's own descriptors would not fit under a small limit.
        self.push_rlimits(script, |kind| kind == libc::RLIMIT_NOFILE)?;
        script.push(Field::None, Step::CloseOnExec { first: 3 + self.preserve_fds });
        self.push_filter(sets, kept, script);
        let argv = StringList::of(process.args.iter().map(|a| &**a));
        // An empty HOME is as good as none, and is replaced.
        let replaced = |variable: &str| self.file.is_none() && variable == "HOME=";
        let env = StringList::of(process.env.iter().map(|e| &**e).filter(|e| !replaced(e)));
        script.push(self.program_field(), Step::Exec { argv: argv.wire(), env: env.wire() });
        Ok(())
    }

    /// A hook's program is not the config's; which hook it is, the caller knows.
    fn program_field(&self) -> Field {
        if self.file.is_some() { Field::None } else { Field::Fixed("/process/args/0") }
    }

    /// Capabilities that this host can give. In a user namespace of its own a process can have all of them.
    fn available(&self, warnings: &mut Vec<String>) -> u64 {
        let all = u64::MAX >> (63 - self.host.last_capability.min(63));
        let available = if self.user_namespace { all } else { self.host.permitted & all };
        let Some(wanted) = &self.process.capabilities else { return available };
        let asked = names::capability_mask(wanted.permitted.iter().chain(&wanted.bounding).map(|n| &**n));
        let missing = asked & !available;
        if missing != 0 {
            let names: Vec<&str> =
                (0..64).filter(|i| missing & (1 << i) != 0).filter_map(names::capability_name).collect();
            warnings.push(format!(
                "/process/capabilities: {} cannot be given, because the runtime does not have {} itself",
                names.join(" "),
                if names.len() == 1 { "it" } else { "them" }
            ));
        }
        available
    }

    fn push_labels(&self, script: &mut Script) {
        let process = self.process;
        let apparmor = process.apparmor_profile.as_deref().filter(|p| !p.is_empty());
        let selinux = process.selinux_label.as_deref().filter(|l| !l.is_empty());
        if let Some(label) = selinux {
            let field = Field::Fixed("/process/selinuxLabel");
            script.push(field, Step::LabelFile { file: c"attr/exec", value: label.as_bytes() });
        }
        if let Some(profile) = apparmor {
            let field = Field::Fixed("/process/apparmorProfile");
            let value = format!("exec {profile}");
            script.push(field, Step::LabelFile { file: c"attr/apparmor/exec", value: value.as_bytes() });
        }
    }

    /// True if a private procfs is needed.
    pub fn has_labels(process: &Process) -> bool {
        [&process.apparmor_profile, &process.selinux_label]
            .iter()
            .any(|label| label.as_deref().is_some_and(|l| !l.is_empty()))
    }

    fn push_scheduling(&self, script: &mut Script) -> Result<()> {
        if let Some(scheduler) = &self.process.scheduler {
            let unknown = |field: &str, value: &str| {
                Error::new("unknown name")
                    .kind(Kind::Config)
                    .field(format!("/process/scheduler/{field}"))
                    .value(value)
            };
            let policy = names::find(&names::SCHEDULER_POLICIES, &scheduler.policy)
                .ok_or_else(|| unknown("policy", &scheduler.policy))?;
            let mut flags = 0;
            for (i, flag) in scheduler.flags.iter().enumerate() {
                flags |= names::find(&names::SCHEDULER_FLAGS, flag)
                    .ok_or_else(|| unknown(&format!("flags/{i}"), flag))?;
            }
            // struct sched_attr in its first published size.
            let mut attributes = Vec::with_capacity(48);
            attributes.extend_from_slice(&48u32.to_ne_bytes());
            attributes.extend_from_slice(&policy.to_ne_bytes());
            attributes.extend_from_slice(&flags.to_ne_bytes());
            attributes.extend_from_slice(&scheduler.nice.to_ne_bytes());
            attributes.extend_from_slice(&scheduler.priority.to_ne_bytes());
            for time in [scheduler.runtime, scheduler.deadline, scheduler.period] {
                attributes.extend_from_slice(&time.to_ne_bytes());
            }
            script.push(Field::Fixed("/process/scheduler"), Step::Scheduler { attributes: &attributes });
        }
        if let Some(io) = &self.process.io_priority {
            let class = names::find(&names::IO_PRIORITY_CLASSES, &io.class).ok_or_else(|| {
                Error::new("unknown class")
                    .kind(Kind::Config)
                    .field("/process/ioPriority/class")
                    .value(&io.class)
            })?;
            let value = u32::from(class) << 13 | (io.priority as u32 & 7);
            script.push(Field::Fixed("/process/ioPriority"), Step::IoPriority { value });
        }
        Ok(())
    }

    fn push_rlimits(&self, script: &mut Script, which: impl Fn(u32) -> bool) -> Result<()> {
        for (i, limit) in self.process.rlimits.iter().enumerate() {
            let resource = rlimit(&limit.kind, i)?;
            if which(resource) {
                let step = Step::Rlimit { resource, soft: limit.soft, hard: limit.hard };
                script.push(Field::Rlimit(i), step);
            }
        }
        Ok(())
    }

    /// Groups, user and capabilities; returns what is kept permitted until the last capset.
    fn push_identity(&self, sets: Sets, available: u64, script: &mut Script) -> u64 {
        let process = self.process;
        let field = Field::Fixed("/process/capabilities");
        if process.no_new_privileges {
            script.push(Field::Fixed("/process/noNewPrivileges"), Step::NoNewPrivileges {});
        }
        let last = self.host.last_capability;
        script.push(
            Field::Fixed("/process/capabilities/bounding"),
            Step::Bounding { keep: sets.bounding, last },
        );
        let ids: Vec<u8> = process.user.additional_gids.iter().flat_map(|gid| gid.to_le_bytes()).collect();
        // Without groups to set there is nothing to lose where the kernel lets nobody change them; where it does,
        // the ones of the caller go with the user namespace (`BecomeRoot`).
        if !ids.is_empty() || (self.host.privileged && !self.host.groups_are_fixed) {
            script.push(Field::Fixed("/process/user/additionalGids"), Step::Groups { ids: &ids });
        }
        let (uid, gid) = (process.user.uid, process.user.gid);
        script.push(Field::Fixed("/process/user"), Step::User { uid, gid });
        let late_limit = process.rlimits.iter().any(|limit| &*limit.kind == "RLIMIT_NOFILE");
        let mut kept = sets.permitted;
        if self.filter.is_some() && !process.no_new_privileges {
            kept |= SYS_ADMIN & available;
        }
        if late_limit {
            kept |= SYS_RESOURCE & available;
        }
        let first = Step::Capabilities {
            effective: sets.effective | kept & !sets.permitted,
            permitted: kept,
            inheritable: sets.inheritable,
        };
        script.push(field, first);
        script.push(Field::Fixed("/process/capabilities/ambient"), Step::Ambient { set: sets.ambient });
        kept
    }

    fn push_filter(&self, sets: Sets, kept: u64, script: &mut Script) {
        let Sets { effective, permitted, inheritable, .. } = sets;
        let last = Step::Capabilities { effective, permitted, inheritable };
        let changes = kept != permitted;
        let field = Field::Fixed("/process/capabilities");
        if changes && (self.filter.is_none() || self.process.no_new_privileges) {
            script.push(field, last);
        }
        if let Some(filter) = self.filter {
            let program = encode(filter);
            let step = Step::Seccomp { flags: filter.flags, program: &program, notify: filter.notify };
            script.push(Field::Fixed("/linux/seccomp"), step);
            if changes && !self.process.no_new_privileges {
                script.push(field, last);
            }
        }
    }
}

/// The filter as the kernel reads it: 8 bytes an instruction.
fn encode(filter: &Filter) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(filter.program.len() * 8);
    for instruction in &filter.program {
        bytes.extend_from_slice(&instruction.code.to_ne_bytes());
        bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
        bytes.extend_from_slice(&instruction.k.to_ne_bytes());
    }
    bytes
}

pub fn rlimit(kind: &str, index: usize) -> Result<u32> {
    names::find(&names::RLIMITS, kind).ok_or_else(|| {
        Error::new("unknown resource limit")
            .kind(Kind::Config)
            .field(format!("/process/rlimits/{index}/type"))
            .value(kind)
    })
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

    #[test]
    fn capabilities_that_the_host_cannot_give_are_left_out_of_every_set() {
        let names = vec!["CAP_CHOWN".into(), "CAP_KILL".into()];
        let wanted = Capabilities {
            bounding: names.clone(),
            effective: names.clone(),
            permitted: names,
            ..Capabilities::default()
        };
        let sets = Sets::of(Some(&wanted), 1);
        assert_eq!((sets.bounding, sets.effective, sets.permitted, sets.inheritable), (1, 1, 1, 0));
    }
}
