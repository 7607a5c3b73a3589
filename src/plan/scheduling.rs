//! `process.scheduler` and `process.ioPriority`, and what of a process its parent sets when it is born late.

use super::known;
use super::program::Birth;
use super::script::{Field, Script};
use crate::error::Result;
use crate::names;
use crate::spec::Process;
use crate::wire::{Bytes, Step};

pub fn push(process: &Process, birth: Birth, script: &mut Script) -> Result<()> {
    let late = birth == Birth::Late;
    if let Some(attributes) = scheduler(process)?.filter(|_| !(late && forbids_birth(process))) {
        script.push(Field::Fixed("/process/scheduler"), Step::Scheduler { attributes: Bytes(&attributes) });
    }
    if let Some(io) = &process.io_priority {
        let class = known(&names::IO_PRIORITY_CLASSES, &io.class, || "/process/ioPriority/class".into())?;
        let value = u32::from(class) << 13 | (io.priority as u32 & 7);
        script.push(Field::Fixed("/process/ioPriority"), Step::IoPriority { value });
    }
    Ok(())
}

/// Something that rruntime does to the born process, or for it, while it waits.
pub fn waits_for_parent(process: &Process) -> bool {
    process.terminal
        || forbids_birth(process)
        || process.rlimits.iter().any(|limit| &*limit.kind == "RLIMIT_NPROC")
}

/// What the kernel lets no process with this scheduling do: a deadline policy cannot be inherited, and with
/// reset-on-fork it would not be.
pub fn forbids_birth(process: &Process) -> bool {
    process.scheduler.as_ref().is_some_and(|scheduler| {
        let deadline = &*scheduler.policy == "SCHED_DEADLINE";
        deadline || scheduler.flags.iter().any(|flag| &**flag == "SCHED_FLAG_RESET_ON_FORK")
    })
}

/// `process.scheduler` as struct sched_attr in its first published size.
pub fn scheduler(process: &Process) -> Result<Option<Vec<u8>>> {
    let Some(scheduler) = &process.scheduler else { return Ok(None) };
    let policy = known(&names::SCHEDULER_POLICIES, &scheduler.policy, || "/process/scheduler/policy".into())?;
    let mut flags = 0;
    for (i, flag) in scheduler.flags.iter().enumerate() {
        flags |= known(&names::SCHEDULER_FLAGS, flag, || format!("/process/scheduler/flags/{i}"))?;
    }
    let mut attributes = Vec::with_capacity(48);
    attributes.extend_from_slice(&48u32.to_ne_bytes());
    attributes.extend_from_slice(&policy.to_ne_bytes());
    attributes.extend_from_slice(&flags.to_ne_bytes());
    attributes.extend_from_slice(&scheduler.nice.to_ne_bytes());
    attributes.extend_from_slice(&scheduler.priority.to_ne_bytes());
    for time in [scheduler.runtime, scheduler.deadline, scheduler.period] {
        attributes.extend_from_slice(&time.to_ne_bytes());
    }
    Ok(Some(attributes))
}
