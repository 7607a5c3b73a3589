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
    /// What config.json says, where the file takes something else.
    pub asked: Option<String>,
    pub field: String,
    pub if_absent: IfAbsent,
    pub if_refused: IfRefused,
}

/// What to do where the file is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfAbsent {
    Fail,
    Ignore,
    /// Write this file with this value in its place.
    Instead((Cow<'static, str>, String)),
}

/// What to do when the kernel says EINVAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfRefused {
    Fail,
    /// Try once more after all other files.
    Again,
}

impl Write {
    /// `field` is below /linux/resources.
    pub(super) fn new(file: impl Into<Cow<'static, str>>, value: String, field: &str) -> Write {
        Write::at(file, value, &format!("/linux/resources/{field}"))
    }

    /// The write of a value that may be set or not.
    pub(super) fn set(file: &'static str, value: Option<impl ToString>, field: &str) -> Option<Write> {
        value.map(|value| Write::new(file, value.to_string(), field))
    }

    pub(super) fn at(file: impl Into<Cow<'static, str>>, value: String, field: &str) -> Write {
        let file = file.into();
        Write {
            controller: file.split('.').next().unwrap_or_default().to_owned(),
            file,
            value,
            asked: None,
            field: field.to_owned(),
            if_absent: IfAbsent::Fail,
            if_refused: IfRefused::Fail,
        }
    }

    pub(super) fn if_absent(mut self, to_do: IfAbsent) -> Write {
        self.if_absent = to_do;
        self
    }

    /// Where the file is not there, this one with this value.
    pub(super) fn instead(self, file: &'static str, value: String) -> Write {
        self.if_absent(IfAbsent::Instead((file.into(), value)))
    }

    pub(super) fn asked(mut self, value: impl ToString) -> Write {
        self.asked = Some(value.to_string());
        self
    }

    /// What an error quotes.
    pub fn quoted(&self) -> &str {
        self.asked.as_ref().unwrap_or(&self.value)
    }

    pub(super) fn again(mut self) -> Write {
        self.if_refused = IfRefused::Again;
        self
    }

    /// The error for a limit whose controller this host does not have.
    pub fn no_controller(&self) -> Error {
        Error::new(format!("the cgroup controller {} is not available here", self.controller))
            .kind(Kind::Unsupported)
            .field(self.field.clone())
            .value(self.quoted())
            .remedy("remove the limit, or mount or enable the controller")
    }
}
