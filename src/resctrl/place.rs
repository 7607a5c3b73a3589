//! Where a container is in resctrl: what the state remembers, so that a later command finds it and `delete` knows what
//! is to be removed.

use super::Tree;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    pub mount: PathBuf,
    /// The group's directory; empty for the default group.
    pub group: String,
    /// The group was made for this one container.
    pub own: bool,
    /// The container's own monitoring group, below `mon_groups` of the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
}

impl Place {
    /// Adds a process of the container, and what it starts from now on.
    pub fn join(&self, pid: i32) -> Result<()> {
        let tree = Tree::open(&self.mount)?;
        tree.map_or(Ok(()), |tree| tree.add_task(&self.group, self.monitor.as_deref(), pid))
    }

    /// Removes what is the container's own. What is gone already, or was never made, is no error.
    pub fn remove(&self) -> Result<()> {
        let tree = Tree::open(&self.mount)?;
        tree.map_or(Ok(()), |tree| self.remove_from(&tree))
    }

    /// [`Place::remove`] in this tree.
    pub fn remove_from(&self, tree: &Tree) -> Result<()> {
        if let Some(monitor) = &self.monitor {
            tree.remove_monitor(&self.group, monitor)?;
        }
        if self.own && !self.group.is_empty() { tree.remove_group(&self.group) } else { Ok(()) }
    }
}
