//! When the container's filter is loaded: before its process can be seen or waits, unless the profile forbids what init
//! still has to do behind it (`behind.rs`).

use super::behind::{self, Needs};
use super::program::{Birth, Ends, Program, Sets, Tracers};
use super::scheduling::waits_for_parent;
use super::script::{Field, Script};
use crate::error::{Error, Kind, Result};
use crate::seccomp::Filter;
use crate::spec::Process;
use crate::wire::{Bytes, Point, Step};

/// What becomes of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loading {
    /// There is none.
    Never,
    /// Before the process is seen.
    First,
    /// First with what init still has to do allowed, and as it is right before the exec.
    Twice(Needs),
    /// Right before the exec, which takes the right to load it away.
    Last,
}

impl Program<'_, '_> {
    pub(super) fn loading(&self) -> Result<Loading> {
        let Some(filter) = self.filter else { return Ok(Loading::Never) };
        let needs = needs(self.process, Some(filter), self.birth, self.start, self.held);
        let refuse = |call: &'static str, reason: String, remedy: &'static str| {
            let field = format!("{}/syscalls", filter.field);
            Err(Error::new(reason).kind(Kind::Config).field(field).value(call).remedy(remedy))
        };
        let Some(call) = behind::lacking(filter, needs) else { return Ok(Loading::First) };
        if filter.notify && matches!(call, "write" | "read") {
            let reason = format!("a profile with SCMP_ACT_NOTIFY has to allow the {call} syscall");
            return refuse(call, reason, "the runtime hands the listener over behind the filter");
        }
        if self.process.no_new_privileges {
            if behind::with_needs(filter, needs).is_none() {
                let reason = format!(
                    "the profile lacks the {call} syscall, and is too long for the runtime to add it"
                );
                return refuse(call, reason, "allow it");
            }
            return Ok(Loading::Twice(needs));
        }
        match self.tracers {
            Tracers::None => Ok(Loading::Last),
            Tracers::Possible => refuse(
                call,
                format!(
                    "the profile does not allow the {call} syscall, without which the runtime cannot give up CAP_SYS_ADMIN \
                     before the container's processes see it"
                ),
                "allow it, or set process.noNewPrivileges",
            ),
        }
    }

    /// The filter, and the end of the right to load it, before the process can be seen. Where the filter takes
    /// CAP_SYS_ADMIN to load and comes last, the exec itself drops it: the new permitted set comes from the bounding,
    /// inheritable and ambient sets alone (capabilities(7), Transformation of capabilities during execve).
    pub(super) fn push_first_filter(
        &self,
        sets: Sets,
        to_load: u64,
        loading: Loading,
        script: &mut Script,
    ) -> Option<Sets> {
        let filter = self.filter?;
        match loading {
            Loading::Never | Loading::Last => None,
            Loading::Twice(needs) => {
                push_filter(behind::with_needs(filter, needs).as_ref()?, script);
                None
            }
            Loading::First => {
                push_filter(filter, script);
                if to_load == 0 {
                    return None;
                }
                sets.push(0, 0, script);
                // rruntime looks for itself: what answers for a filter could say "done" to anything.
                if self.birth == Birth::Late {
                    script.push(Field::None, Step::Sync { point: Point::Confined });
                }
                Some(sets)
            }
        }
    }
}

/// What comes behind the filter if that is loaded first.
pub fn needs(
    process: &Process,
    filter: Option<&Filter>,
    birth: Birth,
    start: Option<Ends>,
    held: bool,
) -> Needs {
    let late = birth == Birth::Late;
    let gives_up = !process.no_new_privileges;
    let notify = filter.is_some_and(|filter| filter.notify);
    Needs {
        gives_up,
        listens: gives_up || notify || start.is_some() || (late && (held || waits_for_parent(process))),
        spawns: late,
        terminal: late && process.terminal,
        notify,
    }
}

pub fn push_filter(filter: &Filter, script: &mut Script) {
    let program = encode(filter);
    let step = Step::Seccomp { flags: filter.flags, program: Bytes(&program), notify: filter.notify };
    script.push(Field::Fixed(filter.field), step);
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
