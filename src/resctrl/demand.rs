//! What a config demands of resctrl, compared with what exists.

use super::schema::{self, Write};
use super::{Place, Tree};
use crate::error::{Error, Kind, Result};
use crate::spec::IntelRdt;
use std::path::PathBuf;

/// Directories in the top one, or in a group, that are no groups.
pub const NOT_GROUPS: [&str; 3] = ["info", "mon_groups", "mon_data"];

/// Everything that will be done, decided.
pub struct Demand {
    tree: Tree,
    pub place: Place,
    /// The group is not there yet.
    make: bool,
    writes: Vec<Write>,
}

impl Demand {
    /// The demand of container `id` for the resctrl that is mounted. Changes nothing.
    pub fn find(id: &str, rdt: &IntelRdt) -> Result<Demand> {
        let (mount, tree) = Tree::find()?;
        Demand::new(tree, mount, id, rdt)
    }

    /// The demand in this tree, which is mounted at `mount`. Changes nothing.
    ///
    /// Errors: a resource that the machine does not allocate or monitor; a `closID` without schemas that is not there,
    /// or with schemas that are not those of the group; names that resctrl has itself.
    pub fn new(tree: Tree, mount: PathBuf, id: &str, rdt: &IntelRdt) -> Result<Demand> {
        let clos = rdt.clos_id.as_deref().filter(|clos| !clos.is_empty());
        let group = match clos {
            Some("/") => "",
            Some(clos) => clos,
            None => id,
        };
        let refused = |reason: &'static str, name: &str, remedy: &'static str| {
            let error = Error::new(reason).kind(Kind::Config).field("/linux/intelRdt/closID");
            Err(error.value(name).remedy(remedy))
        };
        if NOT_GROUPS.contains(&group) || rdt.enable_monitoring && NOT_GROUPS.contains(&id) {
            let remedy = "choose another container id, or another closID";
            return refused("resctrl itself has a directory of this name", group, remedy);
        }
        let mut writes = schema::writes(rdt);
        if !writes.is_empty() {
            schema::check_resources(&writes, &tree.schemata(None)?)?;
        }
        let there = tree.has_group(group)?;
        match clos {
            Some(clos) if !there && writes.is_empty() => {
                let remedy = "create the group first, or set schemata to have it created";
                return refused("there is no resctrl group of this name", clos, remedy);
            }
            Some(clos) if there => {
                schema::check_match(&writes, clos, &tree.schemata(Some(group))?)?;
                // It has them already, and it is not ours.
                writes.clear();
            }
            _ => {}
        }
        let monitor = rdt.enable_monitoring.then(|| id.to_owned());
        if let Some(monitor) = &monitor {
            check_monitor(&tree, group, monitor)?;
        }
        let place = Place { mount, group: group.to_owned(), own: clos.is_none() && !there, monitor };
        Ok(Demand { tree, place, make: !there, writes })
    }

    /// Makes what is missing. On an error nothing of it stays.
    pub fn make(&self) -> Result<()> {
        self.make_group()?;
        self.write().and_then(|()| self.make_monitor()).inspect_err(|_| {
            // The caller reports the first error.
            let _ = self.remove_group();
        })
    }

    pub fn make_group(&self) -> Result<()> {
        if self.make { self.tree.make_group(&self.place.group) } else { Ok(()) }
    }

    pub fn write(&self) -> Result<()> {
        self.writes.iter().try_for_each(|write| self.tree.write_schemata(&self.place.group, write))
    }

    pub fn make_monitor(&self) -> Result<()> {
        let Place { group, monitor, .. } = &self.place;
        monitor.as_ref().map_or(Ok(()), |monitor| self.tree.make_monitor(group, monitor))
    }

    /// Adds the container's first process.
    pub fn join(&self, pid: i32) -> Result<()> {
        self.tree.add_task(&self.place.group, self.place.monitor.as_deref(), pid)
    }

    /// Takes away what [`Demand::make`] has made, also a group that `closID` names: the container that wanted it does not
    /// come into being. A group that another process has begun to use meanwhile stays.
    pub fn undo(&self) -> Result<()> {
        if let Some(monitor) = &self.place.monitor {
            self.tree.remove_monitor(&self.place.group, monitor)?;
        }
        self.remove_group()
    }

    fn remove_group(&self) -> Result<()> {
        if self.make && self.tree.is_empty(&self.place.group) {
            return self.tree.remove_group(&self.place.group);
        }
        Ok(())
    }
}

fn check_monitor(tree: &Tree, group: &str, monitor: &str) -> Result<()> {
    let refused = |reason: &'static str, kind, remedy: &'static str| {
        Error::new(reason).kind(kind).field("/linux/intelRdt/enableMonitoring").remedy(remedy)
    };
    if !tree.monitors() {
        let remedy = "leave the field out: the hardware or the kernel has no monitoring";
        return Err(refused("this machine has no resctrl monitoring", Kind::Unsupported, remedy));
    }
    let within = if group.is_empty() { String::new() } else { format!("{group}/") };
    if tree.has_group(&format!("{within}mon_groups/{monitor}"))? {
        let remedy = "remove it if it is left over";
        return Err(refused(
            "a monitoring group with the container's name exists already",
            Kind::Config,
            remedy,
        )
        .value(monitor));
    }
    Ok(())
}

/// A container's groups, before and after they are made: what joins and removes them does not ask which.
#[derive(Clone, Copy)]
pub enum Group<'a> {
    /// As a container in the making wants it, or an update.
    Wanted(&'a Demand),
    /// As the record of a container has it.
    Recorded(&'a Place),
}

impl Group<'_> {
    pub fn place(&self) -> &Place {
        match self {
            Group::Wanted(demand) => &demand.place,
            Group::Recorded(place) => place,
        }
    }

    /// Adds a process. A recorded group that its administrator has removed has no tasks: those of the container are in the
    /// default group now.
    pub fn join(&self, pid: i32) -> Result<()> {
        match self {
            Group::Wanted(demand) => demand.join(pid),
            Group::Recorded(place) => match place.join(pid) {
                Err(error) if error.detail().errno == Some(libc::ENOENT) => Ok(()),
                other => other,
            },
        }
    }

    pub fn remove(&self) -> Result<()> {
        match self {
            Group::Wanted(demand) => demand.undo(),
            Group::Recorded(place) => place.remove(),
        }
    }
}
