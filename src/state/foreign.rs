//! Records of containers that runc or crun made, in a root that was theirs: what is known of them is enough to
//! show, signal, freeze and delete them. Nothing is ever written into their directories.
//!
//! runc keeps one `state.json`, crun a `status` and a copy of `config.json`. Both keep `exec.fifo` until the container
//! starts.

use super::process::{Life, Process, boot_id};
use super::record::{Maker, Phase, Record};
use crate::cgroup::{Location, locate};
use crate::error::{Error, Kind, Result};
use crate::host::cgroups::{self, Mount};
use crate::spec::destination::in_bundle;
use crate::spec::load;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::CStr;

/// crun's record; runc's is called as ours.
pub const STATUS: &CStr = c"status";
/// What both wait on until `start`.
pub const FIFO: &CStr = c"exec.fifo";

/// The parts of runc's `state.json` that matter here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Runc {
    id: String,
    init_process_pid: i32,
    init_process_start: u64,
    created: String,
    cgroup_paths: BTreeMap<String, String>,
    config: RuncConfig,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RuncConfig {
    rootfs: String,
    /// `bundle=PATH`, and the annotations as `name=value`.
    labels: Option<Vec<String>>,
    namespaces: Option<Vec<Namespace>>,
    #[serde(rename = "Hooks")]
    hooks: Option<BTreeMap<String, Value>>,
}

/// In either's record; runc calls the kinds NEWPID and the like.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Namespace {
    #[serde(rename = "type")]
    kind: String,
    path: String,
}

/// crun's `status`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Crun {
    pid: i32,
    process_start_time: u64,
    cgroup_path: Option<String>,
    rootfs: String,
    bundle: String,
    created: String,
}

/// The parts of crun's copy of `config.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct CrunConfig {
    annotations: Option<BTreeMap<String, String>>,
    linux: CrunLinux,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CrunLinux {
    namespaces: Option<Vec<Namespace>>,
}

/// Whether this `state.json` is runc's: ours has a version.
pub fn is_of_runc(bytes: &[u8]) -> bool {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Mark {
        version: Option<u32>,
        init_process_pid: Option<i32>,
    }
    load::read::<Mark>(bytes).is_ok_and(|mark| mark.version.is_none() && mark.init_process_pid.is_some())
}

fn runc(bytes: &[u8]) -> Result<Runc> {
    load::read(bytes).map_err(|e| damaged(Maker::Runc, &e))
}

/// runc's record in our form.
pub fn of_runc(bytes: &[u8], owner_uid: u32) -> Result<Record> {
    let theirs = runc(bytes)?;
    let mut annotations = BTreeMap::new();
    let mut bundle = String::new();
    for label in theirs.config.labels.iter().flatten() {
        match label.split_once('=') {
            Some(("bundle", path)) => bundle = path.into(),
            Some((name, value)) => drop(annotations.insert(name.to_owned(), value.to_owned())),
            None => {}
        }
    }
    Ok(Record {
        id: theirs.id,
        bundle,
        rootfs: theirs.config.rootfs,
        created: theirs.created,
        owner_uid,
        phase: Phase::Created,
        process: process(theirs.init_process_pid, theirs.init_process_start),
        boot: boot_id(),
        cgroup: runc_location(&theirs.cgroup_paths)?,
        annotations,
        namespaces_created: made(theirs.config.namespaces.as_deref()),
        made_by: Some(Maker::Runc),
        ..Record::default()
    })
}

/// crun's record in our form; `config` is its copy of config.json.
pub fn of_crun(id: &str, status: &[u8], config: &[u8], owner_uid: u32) -> Result<Record> {
    let theirs: Crun = load::read(status).map_err(|e| damaged(Maker::Crun, &e))?;
    // Damaged or absent: then there are no annotations to show, and its pid namespace is taken for a shared one.
    let config: CrunConfig = load::read(config).unwrap_or_default();
    let cgroup = match theirs.cgroup_path.as_deref().filter(|path| !path.is_empty()) {
        Some(path) => {
            Some(locate(&cgroups::detect()?, Some(&format!("/{}", path.trim_start_matches('/'))), id)?)
        }
        None => None,
    };
    Ok(Record {
        id: id.to_owned(),
        rootfs: in_bundle(&theirs.bundle, &theirs.rootfs).into_owned(),
        bundle: theirs.bundle,
        created: theirs.created,
        owner_uid,
        phase: Phase::Created,
        process: process(theirs.pid, theirs.process_start_time),
        boot: boot_id(),
        cgroup,
        annotations: config.annotations.unwrap_or_default(),
        namespaces_created: made(config.linux.namespaces.as_deref()),
        made_by: Some(Maker::Crun),
        ..Record::default()
    })
}

fn damaged(maker: Maker, e: &serde_json::Error) -> Error {
    Error::new(format!("the record of {} is damaged: {e}", maker.name()))
        .remedy(format!("use {}", maker.name()))
}

fn process(pid: i32, start: u64) -> Option<Process> {
    (pid > 0).then_some(Process { pid, start })
}

/// `CLONE_NEW…` of the namespaces without a path. Only the pid namespace decides anything here.
fn made(namespaces: Option<&[Namespace]>) -> u32 {
    let own = |n: &&Namespace| n.path.is_empty() && matches!(n.kind.as_str(), "NEWPID" | "pid");
    namespaces.unwrap_or_default().iter().find(own).map_or(0, |_| libc::CLONE_NEWPID as u32)
}

/// runc names a directory for each controller, and "" for cgroup v2.
fn runc_location(paths: &BTreeMap<String, String>) -> Result<Option<Location>> {
    if paths.is_empty() {
        return Ok(None);
    }
    let below = |controllers: &[String], mount: &Mount| {
        let named = controllers.iter().find_map(|name| paths.get(name));
        let directory = named.or_else(|| paths.get("").filter(|_| controllers.is_empty()))?;
        let path = directory.strip_prefix(mount.path.trim_end_matches('/'))?.trim_matches('/');
        (!path.is_empty()).then(|| path.to_owned())
    };
    let location =
        Location::in_each(&cgroups::detect()?, |controllers, mount| Ok(below(controllers, mount)))?;
    Ok(Some(location).filter(|location| !location.legs.is_empty()))
}

/// The poststop hooks of runc's record as a config of their own: there, timeouts are in nanoseconds.
pub fn poststop_of_runc(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut hooks = runc(bytes)?.config.hooks.unwrap_or_default();
    let mut poststop = hooks.remove("poststop").unwrap_or(Value::Null);
    for hook in poststop.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        hook.remove("dir");
        if let Some(nanoseconds) = hook.remove("timeout").as_ref().and_then(Value::as_i64) {
            hook.insert("timeout".to_owned(), (nanoseconds / 1_000_000_000).max(1).into());
        }
    }
    Ok(serde_json::json!({"ociVersion": "1.0.0", "hooks": {"poststop": poststop}}).to_string().into_bytes())
}

/// The error of a record of no form that is known here. While the process lives that it names, its container is another
/// program's, and is neither shown as stopped nor removed.
pub fn unknown(bytes: &[u8]) -> Error {
    #[derive(Deserialize)]
    struct Pid {
        pid: i32,
    }
    let lives = |record: &Pid| Process::of(record.pid).is_ok_and(|process| process.life() == Life::Alive);
    match load::read(bytes).ok().filter(lives) {
        None => Error::new("state.json is damaged: it has no version").remedy("delete it with --force"),
        Some(Pid { pid }) => Error::new(format!(
            "state.json is of a program that is not known here, and process {pid}, which it names, runs"
        ))
        .kind(Kind::Unsupported)
        .remedy("use the program that made the container, or end the process"),
    }
}
