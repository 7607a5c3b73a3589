//! Everything that can be wrong in a `config.json` is found here, all at once, before anything changes.
//!
//! Pure: no file is looked at. What depends on the host's files (a missing rootfs, mount source or hook) is
//! found by the engine, still before the first side effect. Each rule comes from the runtime-spec, from the
//! kernel (it would refuse later, with less to say) or from what runc refuses; what peers accept with a warning
//! is a warning here, never a silent change. It runs at each start, so the good path formats nothing.

mod circumstances;
mod linux;
mod mounts;
mod namespaces;
mod process;
mod resources;
mod seccomp;
mod sysctl;

use super::findings::{At, Findings, ROOT};
use super::{Hook, Hooks, Mount, Process, Resources, Root, Spec, annotations};
use crate::error::Result;

pub use super::findings::Checked;
pub use circumstances::Circumstances;
pub use mounts::is_bind;
pub use sysctl::{sysctl_namespace, sysctl_path};

/// Checks a whole config. Every problem is in the error: the first itself, the rest in its `others`.
pub fn validate(spec: &Spec, facts: &Circumstances) -> Result<Checked> {
    let mut f = Findings::default();
    version(&mut f, &spec.oci_version);
    match &spec.process {
        Some(process) => process::process(&mut f, &ROOT.key("process"), process, facts),
        // A container can be made for its namespaces (runtime.md, Create); `needs_process` is for who starts it.
        None => f.warn_field(&ROOT.key("process"), "is missing: the container cannot be started"),
    }
    root(&mut f, spec.root.as_ref());
    mounts::list(&mut f, ROOT.key("mounts"), &spec.mounts, spec, facts);
    namespaces::namespaces(&mut f, spec, facts);
    f.some(ROOT.key("hooks"), &spec.hooks, hooks);
    annotations::check(&mut f, &spec.annotations, facts.systemd_cgroup);
    f.some(ROOT.key("linux"), &spec.linux, |f, at, linux| linux::linux(f, at, linux, facts));
    f.finish()
}

/// Checks a process that `exec -p` gives; pointers begin at the process.
pub fn process(process: &Process, facts: &Circumstances) -> Result<Checked> {
    let mut f = Findings::default();
    process::process(&mut f, &ROOT, process, facts);
    f.finish()
}

/// Checks mounts that `mounts add` gives for the container of `spec`; pointers begin at the list.
pub fn more_mounts(list: &[Mount], spec: &Spec, facts: &Circumstances) -> Result<Checked> {
    let mut f = Findings::default();
    mounts::list(&mut f, ROOT, list, spec, facts);
    f.finish()
}

/// Checks limits that `update -r` gives, merged with those that the container has; pointers begin at the
/// resources.
pub fn resources(resources: &Resources) -> Result<Checked> {
    let mut f = Findings::default();
    resources::resources(&mut f, &ROOT, resources);
    f.finish()
}

/// config.md, Specification version: SemVer 2.0.0. Nothing depends on it, and peers read a config of any.
fn version(f: &mut Findings, version: &str) {
    let at = &ROOT.key("ociVersion");
    if version.is_empty() {
        return f.warn_field(at, "is missing or empty: read as 1.3.0");
    }
    match major(version) {
        Some("1") => {}
        Some(_) => f.warn(at, version, "is another major version of the runtime-spec: read as 1.3.0"),
        None => f.warn(at, version, "is not a semantic version, as in 1.3.0"),
    }
}

/// The major part of `MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD]`.
fn major(version: &str) -> Option<&str> {
    let (version, build) = version.split_once('+').unwrap_or((version, "0"));
    let (numbers, prerelease) = version.split_once('-').unwrap_or((version, "0"));
    let mut parts = numbers.split('.');
    let (major, minor, patch) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let identifiers = |text: &str| {
        text.split('.').all(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    };
    let good = parts.next().is_none()
        && [major, minor, patch].into_iter().all(number)
        && identifiers(prerelease)
        && identifiers(build);
    good.then_some(major)
}

fn root(f: &mut Findings, root: Option<&Root>) {
    let at = ROOT.key("root");
    let Some(root) = root else {
        return f.refuse_field(&at, "is missing", "say where the root filesystem is: {\"path\": \"rootfs\"}");
    };
    let at = at.key("path");
    if root.path.is_empty() {
        let remedy = "give the root filesystem's directory, as in \"rootfs\"";
        return f.refuse_field(&at, "is missing or empty", remedy);
    }
    f.no_nul(&at, &root.path);
}

fn hooks(f: &mut Findings, at: &At, hooks: &Hooks) {
    for (kind, list) in hooks.kinds() {
        f.each(at.key(kind), list, |f, at, hook| self::hook(f, at, hook, kind));
    }
}

fn hook(f: &mut Findings, at: &At, hook: &Hook, kind: &str) {
    if kind == "poststop" && hook.path.is_empty() {
        f.warn_field(&at.key("path"), "is missing or empty: this hook will fail");
    } else {
        f.absolute_path(&at.key("path"), &hook.path);
    }
    f.each(at.key("args"), &hook.args, |f, at, arg| f.no_nul(at, arg));
    f.each(at.key("env"), hook.env.as_deref().unwrap_or_default(), |f, at, entry| {
        f.no_nul(at, entry);
        if !entry.contains('=') {
            f.warn(at, entry, "has no \"=\": most programs will not see it");
        }
    });
    if let Some(timeout) = hook.timeout.filter(|timeout| *timeout <= 0) {
        let remedy = "leave it out for no timeout";
        f.refuse(&at.key("timeout"), timeout, "is not a positive number of seconds", remedy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semantic() {
        for good in ["1.0.0", "1.0.2-dev", "1.3.0-rc.1+dev", "1.2.0+git-1", "1.10.0"] {
            assert_eq!(major(good), Some("1"), "{good}");
        }
        for bad in
            ["", "1", "1.0", "1.0.0.0", "v1.0.0", "1.0.x", "1..0", "01.0.0", "1.0.0-", "1.0.0+", " 1.0.0"]
        {
            assert_eq!(major(bad), None, "{bad}");
        }
        assert_eq!(major("2.0.0"), Some("2"));
    }
}
