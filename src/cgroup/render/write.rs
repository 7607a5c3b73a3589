//! One write to a control file, as data: the renderings make them, a driver carries them out.

use crate::error::{Error, Kind};
use std::borrow::Cow;

/// A control file, what goes into it, and the field of config.json that asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The part of the file's name before the first dot.
    pub controller: String,
    pub file: Cow<'static, str>,
    pub value: String,
    pub field: String,
    pub missing: Missing,
    pub refused: Refused,
}

/// What to do where the file is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    Fail,
    Ignore,
    /// Write this file with this value in its place.
    Instead((Cow<'static, str>, String)),
}

/// What to do when the kernel says EINVAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Fail,
    /// Try once more after all other files.
    Again,
}

impl Write {
    /// `field` is below /linux/resources.
    pub(super) fn new(file: impl Into<Cow<'static, str>>, value: String, field: &str) -> Write {
        Write::at(file, value, &format!("/linux/resources/{field}"))
    }

    pub(super) fn at(file: impl Into<Cow<'static, str>>, value: String, field: &str) -> Write {
        let file = file.into();
        Write {
            controller: file.split('.').next().unwrap_or_default().to_owned(),
            file,
            value,
            field: field.to_owned(),
            missing: Missing::Fail,
            refused: Refused::Fail,
        }
    }

    pub(super) fn missing(mut self, missing: Missing) -> Write {
        self.missing = missing;
        self
    }

    pub(super) fn again(mut self) -> Write {
        self.refused = Refused::Again;
        self
    }

    /// The error for a limit whose controller this host does not have.
    pub fn no_controller(&self) -> Error {
        Error::new(format!("the cgroup controller {} is not available here", self.controller))
            .kind(Kind::Unsupported)
            .field(self.field.clone())
            .value(&self.value)
            .remedy("remove the limit, or mount or enable the controller")
    }
}
