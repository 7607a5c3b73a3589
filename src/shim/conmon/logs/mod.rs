//! Log drivers: where a container's output is kept, as `-l DRIVER:PATH` of conmon names it.

mod format;
mod journal;
mod stage;

pub use stage::{LOGS, Names, Stage, Taken};

use crate::error::{Error, Result};
use std::path::PathBuf;

/// How a file has its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// "TIME STREAM F TEXT", as the kubelet reads them; P for a line that goes on.
    Kubernetes,
    /// One object a line, as Docker has them.
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driver {
    File(Form, PathBuf),
    Journal,
    /// The streams are the caller's own.
    Passthrough,
    None,
}

impl Driver {
    pub fn of(words: &str) -> Result<Driver> {
        let (name, path) = match words.split_once(':') {
            Some((name, path)) => (name, path),
            None if words.starts_with('/') || words.starts_with('.') => ("", words),
            None => (words, ""),
        };
        let file = |form| match path {
            "" => Err(Error::argument("--log-path", words, "a log file needs a path")),
            path => Ok(Driver::File(form, PathBuf::from(path))),
        };
        match name {
            "k8s-file" | "kubernetes-file" | "" => file(Form::Kubernetes),
            "json-file" => file(Form::Json),
            "journald" => Ok(Driver::Journal),
            "passthrough" | "passthrough-tty" => Ok(Driver::Passthrough),
            "none" | "off" | "null" => Ok(Driver::None),
            _ => Err(Error::argument("--log-path", words, "there is no such log driver")
                .remedy("use k8s-file:PATH, json-file:PATH, journald, passthrough or none")),
        }
    }
}

/// What the logs say of their container.
#[derive(Clone, Debug, Default)]
pub struct About {
    pub id: String,
    pub name: String,
    pub tag: String,
    /// No other container's output may go to the same files.
    pub alone: bool,
    /// A file that would become longer begins anew; 0: it never does.
    pub size_max: u64,
    /// What is beyond this is not kept; 0: all is.
    pub total_max: u64,
}

/// Which output it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Out,
    Err,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_is_named_with_its_path() {
        let of = |words| Driver::of(words).ok();
        assert_eq!(of("k8s-file:/a:b"), Some(Driver::File(Form::Kubernetes, "/a:b".into())));
        assert_eq!(of("/var/log/x"), Some(Driver::File(Form::Kubernetes, "/var/log/x".into())));
        assert_eq!(of("json-file:/x"), Some(Driver::File(Form::Json, "/x".into())));
        assert_eq!([of("journald:"), of("none")], [Some(Driver::Journal), Some(Driver::None)]);
        assert_eq!([of("k8s-file:"), of("syslog:/x")], [None, None]);
    }
}
