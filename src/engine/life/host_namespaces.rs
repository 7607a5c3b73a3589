//! Namespaces that the config joins by a path and that are the runtime's own: what is set in them is set for the host.

use crate::error::{Error, Kind, Result};
use crate::names;
use crate::spec::locate::escaped;
use crate::spec::validate::{sysctl_namespace, sysctl_path};
use crate::spec::{Linux, Spec};
use crate::sys::{file, process};
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

/// The index and the path of a namespace of this kind, where that is the runtime's own. One that cannot be opened is
/// reported with the other namespaces.
pub fn joined<'l>(linux: &'l Linux, kind: &str) -> Option<(usize, &'l str)> {
    let known = names::namespace(kind)?;
    let of_kind = |listed: &str| names::namespace(listed).is_some_and(|listed| listed.flag == known.flag);
    let (i, path) = linux.namespaces.iter().enumerate().find_map(|(i, listed)| {
        let path = listed.path.as_deref().filter(|path| !path.is_empty() && of_kind(&listed.kind))?;
        Some((i, path))
    })?;
    let ours = process::open_of("thread-self", &format!("ns/{}", known.proc_name), libc::O_RDONLY).ok()?;
    let theirs = std::fs::metadata(path).ok()?;
    (file::identity(ours.as_fd()).ok()? == (theirs.dev(), theirs.ino())).then_some((i, path))
}

/// Refuses sysctls that would be the host's, as runc does for those of the network.
pub fn check_sysctls(spec: &Spec) -> Result<()> {
    let linux = spec.linux();
    let kinds = linux.sysctl.keys().map(|key| sysctl_path(key).and_then(|path| sysctl_namespace(&path)));
    // Each is looked at once, however many sysctls are its.
    let mut known = BTreeMap::new();
    let refused = linux.sysctl.iter().zip(kinds).filter_map(|((key, value), kind)| {
        let kind = kind?;
        let (i, path) = (*known.entry(kind).or_insert_with(|| joined(linux, kind)))?;
        let error = Error::new(format!(
            "is not allowed in the host's {kind} namespace, which /linux/namespaces/{i}/path = \"{path}\" joins"
        ));
        let field = format!("/linux/sysctl/{}", escaped(key));
        Some(error.kind(Kind::Config).field(field).value(value).remedy("remove it, or join another namespace"))
    });
    Error::all(refused.collect()).map_or(Ok(()), Err)
}
