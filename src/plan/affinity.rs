//! `process.execCPUAffinity`: on which CPUs a process of `exec` runs before and after it is in the container's cgroup.
//!
//! Ordering: `initial` is there so that the process disturbs no CPU that the container has for itself while it moves
//! into the cgroup; so it has to be in force before the cgroup is entered. A process that is born in its v2 cgroup
//! has never been outside. With `initial` it is therefore born outside and enters every hierarchy itself, which costs
//! a v2 cgroup some ten milliseconds more. Without `final` the kernel decides: of the CPUs that `initial` names, those
//! of the cgroup, or all of the cgroup if there are none.

use super::opens::{CGROUP, Open, Opens, push_cgroup};
use super::script::{Field, Script};
use crate::cgroup::{Location, Unit, Version};
use crate::error::{Error, Kind, Result};
use crate::spec::{Process, cpus};
use crate::wire::{Bytes, Point, Step};

/// How a process gets into the v2 cgroup of its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// By its birth.
    Birth,
    /// By a step of its own.
    Step,
    /// By the manager of the scope, which moves it.
    Moved,
}

const INITIAL: &str = "/process/execCPUAffinity/initial";
const FINAL: &str = "/process/execCPUAffinity/final";

/// The steps that enter the cgroup, with the CPUs before and after it.
pub fn push_entrance(
    process: &Process,
    (cgroup, mover): (Option<&Location>, Option<&Unit>),
    script: &mut Script,
    opens: &mut Opens,
) -> Result<Entrance> {
    let affinity = process.exec_cpu_affinity.as_ref();
    let initial = mask(affinity.and_then(|affinity| affinity.initial.as_deref()), INITIAL)?;
    let after = mask(affinity.and_then(|affinity| affinity.final_.as_deref()), FINAL)?;
    let mut entrance = Entrance::Birth;
    if !initial.is_empty() {
        script.push(Field::Fixed(INITIAL), Step::CpuAffinity { mask: Bytes(&initial) });
        let unified = |location: &Location| location.legs.iter().any(|leg| leg.version == Version::V2);
        if mover.is_none() && cgroup.is_some_and(unified) {
            entrance = Entrance::Step;
            let tasks = opens.add(Open::Unified);
            script.push(CGROUP, Step::EnterCgroup { tasks });
        }
    }
    if push_membership(cgroup, mover, script, opens) == Entrance::Moved {
        entrance = Entrance::Moved;
    }
    if initial.is_empty() && after.is_empty() {
        push_all(script);
    }
    if !after.is_empty() {
        script.push(Field::Fixed(FINAL), Step::CpuAffinity { mask: Bytes(&after) });
    }
    Ok(entrance)
}

/// Enters the v1 hierarchies, or waits until the manager of the scope has moved the process.
pub fn push_membership(
    cgroup: Option<&Location>,
    mover: Option<&Unit>,
    script: &mut Script,
    opens: &mut Opens,
) -> Entrance {
    if mover.is_some() {
        script.push(CGROUP, Step::Sync { point: Point::Scope });
        return Entrance::Moved;
    }
    push_cgroup(cgroup, script, opens);
    Entrance::Birth
}

/// Every CPU that the cgroup allows, whatever our caller keeps itself to (taskset(1)): a container's CPUs are its cpuset's.
pub fn push_all(script: &mut Script) {
    script.push(Field::None, Step::CpuAffinity { mask: Bytes(&[0xff; cpus::MOST / 8]) });
}

/// Validation has refused what is no list.
fn mask(list: Option<&str>, field: &'static str) -> Result<Vec<u8>> {
    let list = list.unwrap_or_default();
    cpus::mask(list).map_err(|reason| Error::new(reason).kind(Kind::Config).field(field).value(list))
}
