//! The runtime that made a container, where it is not this one.

use crate::error::{Error, Kind};

/// Who made a container that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    Runc,
    Crun,
}

impl Maker {
    pub fn name(self) -> &'static str {
        match self {
            Maker::Runc => "runc",
            Maker::Crun => "crun",
        }
    }

    /// What has to know more of a container than its record says here.
    pub fn refuses(self, id: &str) -> Error {
        let name = self.name();
        Error::new(format!("the container was made by {name}"))
            .kind(Kind::Unsupported)
            .field("container-id")
            .value(id)
            .remedy(format!("use {name}, or delete the container and create it again"))
    }
}
