//! Whether a restored container is what its config says: its mounts, and each process's namespaces and rights. CRIU has
//! made all of it from files that others may have written, and no process has run yet.

use crate::cgroup::membership;
use crate::engine::checkpoint::compare;
use crate::engine::life::prepare::Prepared;
use crate::error::{Error, Result};
use crate::host::{mountinfo, survey};
use crate::names::NAMESPACES;
use crate::names::namespaces::{MOUNT, TIME, USER};
use crate::plan::program::Sets;
use crate::plan::{Open, Plan};
use crate::spec::text::given;
use crate::spec::{IdMapping, Process, Spec, idmap};
use crate::sys::launch::Child;
use crate::sys::process::{self, number};
use crate::sys::{Errno, signal};
use nix::sys::stat::stat;
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;

const SETUID: u64 = 1 << 7;
const SYS_ADMIN: u64 = 1 << 21;

/// A restored container, and what it is held against.
pub struct Restored<'a> {
    pub spec: &'a Spec<'a>,
    pub prepared: &'a Prepared,
    pub plan: &'a Plan<'a>,
    /// The model's mounts, and the places of those that are the host's.
    pub table: &'a str,
    pub shown: &'a [&'a str],
    /// A process that is where the container's are to be.
    pub criu: i32,
}

impl Restored<'_> {
    /// Of the container with this first process. Returns the namespaces (`CLONE_NEW…`) that it has beyond its config.
    pub fn check(&self, first: i32) -> Result<u64> {
        let own = numbers("self")?;
        let joined = self.joined()?;
        let firsts = numbers(first)?;
        let mut beyond = 0;
        let cgroup = membership(&self.criu.to_string())?;
        for pid in tree(first)? {
            let theirs = numbers(pid)?;
            beyond |= self.check_namespaces(&own, &joined, &theirs)?;
            // Who may mount may have made another table, and mounts of its own in this one.
            if theirs[&USER] != firsts[&USER] || (theirs[&MOUNT] != firsts[&MOUNT] && !self.may_mount()) {
                return Err(refused("a process in namespaces of its own", "/linux/namespaces"));
            }
            check_cgroup(&cgroup, pid)?;
            for thread in threads(pid)? {
                self.check_thread(pid, thread)?;
            }
        }
        if self.plan.created & USER != 0 {
            let linux = self.spec.linux();
            check_map(first, "uid_map", &linux.uid_mappings)?;
            check_map(first, "gid_map", &linux.gid_mappings)?;
        }
        if !self.may_mount() {
            compare::check(self.table, &mountinfo::table(first)?, self.shown)?;
        }
        Ok(beyond)
    }

    fn process(&self) -> Option<&Process<'_>> {
        self.spec.process.as_ref()
    }

    fn sets(&self) -> Sets {
        let capabilities = self.process().and_then(|process| process.capabilities.as_ref());
        Sets::of(capabilities, u64::MAX)
    }

    /// The capabilities that a process of the container can come to have.
    fn most(&self) -> u64 {
        let Sets { bounding, permitted, inheritable, .. } = self.sets();
        match self.process() {
            Some(process) if process.no_new_privileges => permitted | inheritable,
            _ => bounding | permitted | inheritable,
        }
    }

    /// A container that may mount needs no checkpoint to mount what it likes.
    fn may_mount(&self) -> bool {
        self.most() & SYS_ADMIN != 0
    }

    /// The namespaces that the config joins by path.
    fn joined(&self) -> Result<BTreeMap<u64, u64>> {
        let mut joined = BTreeMap::new();
        for open in self.plan.opens.iter() {
            if let Open::Namespace { path, flag, .. } = open {
                let found = stat(&**path).map_err(|e| Errno::from(e).because(format!("look at {path}")))?;
                joined.insert(*flag, found.st_ino);
            }
        }
        Ok(joined)
    }

    fn check_namespaces(
        &self,
        own: &BTreeMap<u64, u64>,
        joined: &BTreeMap<u64, u64>,
        theirs: &BTreeMap<u64, u64>,
    ) -> Result<u64> {
        let mut beyond = 0;
        for namespace in &NAMESPACES {
            let flag = namespace.flag;
            let (Some(ours), Some(has)) = (own.get(&flag), theirs.get(&flag)) else { continue };
            let fits = match joined.get(&flag) {
                Some(wanted) => wanted == has,
                None if self.plan.created & flag != 0 => ours != has,
                None if flag == TIME => {
                    beyond |= if ours == has { 0 } else { TIME };
                    true
                }
                None => ours == has,
            };
            if !fits {
                let what = format!("a process in a {} namespace that is not its config's", namespace.kind);
                return Err(refused(what, "/linux/namespaces"));
            }
        }
        Ok(beyond)
    }

    fn check_thread(&self, pid: i32, thread: i32) -> Result<()> {
        let status = read(pid, &format!("task/{thread}/status"))?;
        let sets = self.sets();
        let most = self.most();
        for (name, allowed) in [
            ("CapBnd", sets.bounding),
            ("CapPrm", most),
            ("CapEff", most),
            ("CapInh", most),
            ("CapAmb", most),
        ] {
            let has = number(&status, name, 16).unwrap_or(u64::MAX);
            if has & !allowed != 0 {
                let what = format!("a process with capabilities beyond its config ({name} {has:#x})");
                return Err(refused(what, "/process/capabilities"));
            }
        }
        let Some(process) = self.process() else { return Ok(()) };
        if process.no_new_privileges && number(&status, "NoNewPrivs", 10) != Some(1) {
            return Err(refused("a process that may gain privileges", "/process/noNewPrivileges"));
        }
        if self.prepared.filter.is_some() && number(&status, "Seccomp", 10) != Some(2) {
            return Err(refused("a process without a filter", "/linux/seccomp"));
        }
        if process.no_new_privileges && most & SETUID == 0 {
            self.check_user(process, &status)?;
        }
        let label = given(&process.apparmor_profile).filter(|_| survey::has_apparmor());
        if let Some(label) = label.or_else(|| given(&process.selinux_label).filter(|_| survey::has_selinux()))
        {
            let has = read(pid, &format!("task/{thread}/attr/current"))?;
            let has = has.trim_end_matches(['\0', '\n']);
            if has != label && has.strip_prefix(label).is_none_or(|rest| !rest.starts_with(" (")) {
                return Err(refused(format!("a process with the label {has:?}"), "/process"));
            }
        }
        Ok(())
    }

    /// One that can become no other user is the config's.
    fn check_user(&self, process: &Process, status: &str) -> Result<()> {
        let linux = self.spec.linux();
        let outside =
            |id, maps: &[IdMapping]| if maps.is_empty() { Some(id) } else { idmap::outside(maps, id) };
        let ids = [
            ("Uid", outside(process.user.uid, &linux.uid_mappings), "/process/user/uid"),
            ("Gid", outside(process.user.gid, &linux.gid_mappings), "/process/user/gid"),
        ];
        for (name, wanted, field) in ids {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let mut words = line.unwrap_or("-").split_whitespace();
            if !words.all(|word| word.parse().ok() == wanted) {
                return Err(refused("a process of another user", field));
            }
        }
        Ok(())
    }
}

/// The process is in the cgroup that CRIU was born in, or below it.
fn check_cgroup(wanted: &str, pid: i32) -> Result<()> {
    let has = membership(&pid.to_string())?;
    let inside = |line: &str| {
        wanted.lines().any(|wanted| {
            line.strip_prefix(wanted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || wanted.ends_with('/'))
        })
    };
    match has.lines().all(inside) {
        true => Ok(()),
        false => Err(refused("a process in another cgroup", "/linux/cgroupsPath")),
    }
}

fn refused(what: impl Into<String>, field: &str) -> Error {
    Error::new(format!("the checkpoint has {}", what.into())).field(field).remedy(
        "restore it with the config that it was written from; if that is so, do not trust its files, or end what \
         `exec` has started with more rights before the checkpoint",
    )
}

fn read(pid: i32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    let bytes = fs::read(&path).map_err(|e| Error::io(format!("read {path}"), &e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The inode numbers of a process's namespaces, by `CLONE_NEW…`.
fn numbers(pid: impl std::fmt::Display) -> Result<BTreeMap<u64, u64>> {
    let mut numbers = BTreeMap::new();
    for namespace in &NAMESPACES {
        let path = format!("/proc/{pid}/ns/{}", namespace.proc_name);
        match stat(&*path) {
            Ok(found) => drop(numbers.insert(namespace.flag, found.st_ino)),
            // A kernel without this kind.
            Err(nix::errno::Errno::ENOENT) if namespace.flag != USER && namespace.flag != MOUNT => {}
            Err(e) => return Err(Errno::from(e).because(format!("look at {path}"))),
        }
    }
    Ok(numbers)
}

fn threads(pid: i32) -> Result<Vec<i32>> {
    let path = format!("/proc/{pid}/task");
    let failed = |e| Error::io(format!("read {path}"), &e);
    let names = fs::read_dir(&path).map_err(failed)?;
    Ok(names.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

/// A process and all that descend from it.
fn tree(first: i32) -> Result<Vec<i32>> {
    let mut found = vec![first];
    let mut at = 0;
    while let Some(&pid) = found.get(at) {
        at += 1;
        for thread in threads(pid)? {
            let children = read(pid, &format!("task/{thread}/children"))?;
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
        }
    }
    Ok(found)
}

/// Kills a process and all that descend from it, which have not run yet: none gets away.
pub fn end(first: &Child) {
    // What cannot be read or killed any more has ended.
    for pid in tree(first.pid).unwrap_or_default() {
        let _ = signal::kill(pid, libc::SIGKILL);
    }
    // The same.
    let _ = process::pidfd_send_signal(first.pidfd.as_fd(), libc::SIGKILL);
}

/// The ids of a user namespace are those of the config.
fn check_map(pid: i32, file: &str, wanted: &[IdMapping]) -> Result<()> {
    let text = read(pid, file)?;
    let mut has: Vec<Vec<u64>> = text
        .lines()
        .map(|line| line.split_whitespace().filter_map(|word| word.parse().ok()).collect())
        .collect();
    let row = |map: &IdMapping| [map.container_id, map.host_id, map.size].map(u64::from).to_vec();
    let mut wanted: Vec<Vec<u64>> = wanted.iter().map(row).collect();
    has.sort();
    wanted.sort();
    match has == wanted {
        true => Ok(()),
        false => Err(refused("other id maps than its config", "/linux/uidMappings")),
    }
}
