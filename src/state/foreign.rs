//! Records of containers that runc or crun made, in a root that was theirs: what is known of them is enough to
//! show, signal, freeze and delete them. Nothing is ever written into their directories.
//!
//! runc keeps one `state.json`, crun a `status` and a copy of `config.json`. Both keep `exec.fifo` until the container
//! starts.

use super::maker::Maker;
use super::process::{Life, Process, boot_id};
use super::record::{Phase, Record};
use crate::cgroup::{Leg, Location, Version, locate};
use crate::error::{Error, Kind, Result};
use crate::host::cgroups::{self, Mount};
use crate::spec::load;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::path::PathBuf;

/// crun's record; runc's is called as ours.
pub const STATUS: &CStr = c"status";
/// What both wait on until `start`.
pub const FIFO: &CStr = c"exec.fifo";

/// The parts of runc's `state.json` that matter here.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
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
    rootfs: PathBuf,
    /// `bundle=PATH`, and the annotations as `name=value`.
    labels: Option<Vec<String>>,
    namespaces: Option<Vec<RuncNamespace>>,
    #[serde(rename = "Hooks")]
    hooks: Option<BTreeMap<String, Value>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RuncNamespace {
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
    rootfs: PathBuf,
    bundle: PathBuf,
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
    namespaces: Option<Vec<RuncNamespace>>,
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

/// runc's record in our form, and its poststop hooks as a config of their own.
pub fn of_runc(bytes: &[u8], owner_uid: u32) -> Result<(Record, Vec<u8>)> {
    let theirs: Runc = load::read(bytes).map_err(|e| damaged(Maker::Runc, &e))?;
    let mut annotations = BTreeMap::new();
    let mut bundle = PathBuf::new();
    for label in theirs.config.labels.iter().flatten() {
        match label.split_once('=') {
            Some(("bundle", path)) => bundle = path.into(),
            Some((name, value)) => drop(annotations.insert(name.to_owned(), value.to_owned())),
            None => {}
        }
    }
    let legs = runc_legs(&theirs.cgroup_paths)?;
    let hooks = config_of_hooks(theirs.config.hooks.as_ref());
    let record = Record {
        id: theirs.id,
        bundle,
        rootfs: theirs.config.rootfs,
        created: theirs.created,
        owner_uid,
        phase: Phase::Created,
        process: process(theirs.init_process_pid, theirs.init_process_start),
        boot: boot_id(),
        cgroup: (!legs.is_empty()).then_some(Location { legs }),
        annotations,
        namespaces_created: made(theirs.config.namespaces.as_deref()),
        made_by: Some(Maker::Runc),
        ..Record::default()
    };
    Ok((record, hooks))
}

/// crun's record in our form; `config` is its copy of config.json.
pub fn of_crun(id: &str, status: &[u8], config: &[u8], owner_uid: u32) -> Result<Record> {
    let theirs: Crun = load::read(status).map_err(|e| damaged(Maker::Crun, &e))?;
    // Damaged or absent: then there are no annotations to show, and its pid namespace is taken for a shared one.
    let config: CrunConfig = load::read(config).unwrap_or_default();
    let cgroup = match theirs.cgroup_path.as_deref().filter(|path| !path.is_empty()) {
        Some(path) => Some(locate(&cgroups::detect()?, Some(&absolute(path)), id)?),
        None => None,
    };
    Ok(Record {
        id: id.to_owned(),
        rootfs: theirs.bundle.join(theirs.rootfs),
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

fn absolute(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/'))
}

/// `CLONE_NEW…` of the namespaces without a path. Only the pid namespace decides anything here.
fn made(namespaces: Option<&[RuncNamespace]>) -> u32 {
    let own = |n: &&RuncNamespace| n.path.is_empty() && matches!(n.kind.as_str(), "NEWPID" | "pid");
    namespaces.unwrap_or_default().iter().find(own).map_or(0, |_| libc::CLONE_NEWPID as u32)
}

/// runc names a directory for each controller, and "" for cgroup v2.
fn runc_legs(paths: &BTreeMap<String, String>) -> Result<Vec<Leg>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let leg = |version, controllers: &[String], mount: &Mount, directory: &str| {
        let path = directory.strip_prefix(mount.path.trim_end_matches('/'))?.trim_matches('/');
        let (mount, path) = (mount.path.clone(), path.to_owned());
        (!path.is_empty()).then(|| Leg {
            version,
            controllers: controllers.to_vec(),
            mount,
            path,
            inode: None,
        })
    };
    let layout = cgroups::detect()?;
    let v1 = layout.hierarchies.iter().filter_map(|hierarchy| {
        let path = hierarchy.controllers.iter().find_map(|name| paths.get(name))?;
        leg(Version::V1, &hierarchy.controllers, &hierarchy.mount, path)
    });
    let v2 = layout.unified.iter().filter_map(|mount| leg(Version::V2, &[], mount, paths.get("")?));
    Ok(v1.chain(v2).collect())
}

/// runc's hooks are those of config.json with timeouts in nanoseconds.
fn config_of_hooks(hooks: Option<&BTreeMap<String, Value>>) -> Vec<u8> {
    let mut poststop = hooks.and_then(|hooks| hooks.get("poststop")).cloned().unwrap_or(Value::Null);
    for hook in poststop.as_array_mut().into_iter().flatten() {
        let seconds = hook
            .get("timeout")
            .and_then(Value::as_i64)
            .map(|nanoseconds| (nanoseconds / 1_000_000_000).max(1));
        if let Some(hook) = hook.as_object_mut() {
            hook.remove("timeout");
            hook.remove("dir");
            if let Some(seconds) = seconds {
                hook.insert("timeout".to_owned(), seconds.into());
            }
        }
    }
    serde_json::json!({"ociVersion": "1.0.0", "hooks": {"poststop": poststop}}).to_string().into_bytes()
}

/// The error of a record of no form that is known here. While the process lives that it names, its container is another
/// program's, and is neither shown as stopped nor removed.
pub fn of_nobody(bytes: &[u8]) -> Error {
    #[derive(Deserialize)]
    struct Named {
        pid: i32,
    }
    let lives = |named: &Named| Process::of(named.pid).is_ok_and(|process| process.life() == Life::Alive);
    match load::read(bytes).ok().filter(lives) {
        None => Error::new("state.json is damaged: it has no version").remedy("delete it with --force"),
        Some(Named { pid }) => Error::new(format!(
            "state.json is of a program that is not known here, and process {pid}, which it names, runs"
        ))
        .kind(Kind::Unsupported)
        .remedy("use the program that made the container, or end the process"),
    }
}
