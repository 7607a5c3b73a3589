//! A process that is to become a program of the container: how it is born, what it has, how it waits.

use super::Host;
use super::script::{Field, Script};
use crate::names;
use crate::seccomp::Filter;
use crate::spec::{Capabilities, Process, Text};
use crate::wire::{Handle, Step};

/// How a process gets into the container's pid namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Birth {
    /// It was born there, and no other process has been there yet.
    Inside,
    /// Only a child can enter a pid namespace that has other processes. The child is made when all rights are given up:
    /// from then on the container's processes see it, and one with CAP_SYS_PTRACE could make it do what it likes
    /// (CVE-2016-9962).
    Late,
}

/// Processes that could take over one that still has a right to give up, or that waits without its filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracers {
    /// The pid namespace is the caller's own, or no process in it can trace.
    None,
    /// There may be some, now or later.
    Possible,
}

/// The ends at which a container waits for start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub word: Handle,
    pub answer: Handle,
    /// `start` takes them from it.
    pub taken: bool,
}

impl Ends {
    /// It waits in the conversation with the process that has made it.
    pub const NONE: Ends = Ends { word: Handle::NONE, answer: Handle::NONE, taken: false };
}

/// A process to become.
pub struct Program<'a, 'p> {
    pub process: &'a Process<'a>,
    /// The file to execute, where the first argument does not say it (hooks).
    pub file: Option<&'a str>,
    /// Nothing is added to the environment of `process`.
    pub whole_environment: bool,
    pub host: &'p Host,
    /// The process has a user namespace of its own, with all capabilities in it.
    pub user_namespace: bool,
    pub filter: Option<&'p Filter>,
    /// Descriptors from 3 on that the program keeps.
    pub preserve_fds: u32,
    /// Among them are sockets of a service manager: the program is told its own pid with them (sd_listen_fds(3)).
    pub listening: bool,
    /// Where it waits for start before its exec, if it does.
    pub start: Option<Ends>,
    pub birth: Birth,
    pub tracers: Tracers,
    /// One that is born late waits for a word before its program begins, whatever else it would wait for.
    pub held: bool,
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
        let mask = |list: &[Text]| names::capability_mask(list.iter().map(|n| &**n)) & available;
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

    /// These sets, and beyond them what is kept for later and what is effective now.
    pub(super) fn push(self, kept: u64, effective: u64, script: &mut Script) {
        let step = Step::Capabilities {
            effective: self.effective | effective,
            permitted: self.permitted | kept,
            inheritable: self.inheritable,
        };
        script.push(Field::Fixed("/process/capabilities"), step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
