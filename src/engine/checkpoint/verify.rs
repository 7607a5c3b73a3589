//! Whether a restored container is what its config says: its mounts, and each process's namespaces and rights. CRIU has
//! made all of it from files that others may have written, and no process has run yet.

use crate::cgroup::membership;
use crate::engine::checkpoint::compare::{self, Content, Model, beyond_config};
use crate::engine::checkpoint::filters::Filters;
use crate::engine::checkpoint::images::Images;
use crate::engine::checkpoint::rights::{Rights, SETGID, SETUID, SYS_NICE, SYS_RESOURCE};
use crate::engine::life::prepare::Prepared;
use crate::error::{Error, Result};
use crate::host::{mountinfo, survey};
use crate::names::namespaces::{MOUNT, TIME, USER};
use crate::names::{self, NAMESPACES, SCHEDULER_POLICIES};
use crate::plan::script::c;
use crate::plan::{Open, Plan};
use crate::spec::text::given;
use crate::spec::{IdMapping, Process, Spec, idmap};
use crate::sys::file::{cwd, openat2};
use crate::sys::launch::Child;
use crate::sys::process::{self, Stat, number};
use crate::sys::{Errno, signal};
use nix::sys::stat::stat;
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};

/// A restored container, and what it is held against.
pub struct Restored<'a> {
    pub spec: &'a Spec<'a>,
    pub prepared: &'a Prepared,
    pub plan: &'a Plan<'a>,
    pub images: &'a Images,
    pub model: Model<'a>,
    /// A process that is where the container's are to be.
    pub criu: i32,
}

impl Restored<'_> {
    /// Of the container with this first process. Returns the namespaces (`CLONE_NEW…`) that it has beyond its config.
    pub fn check(&self, first: i32) -> Result<u64> {
        let own = numbers("self")?;
        let joined = self.joined()?;
        let firsts = numbers(first)?;
        if firsts[&MOUNT] == numbers(self.criu)?[&MOUNT] {
            return Err(refused("a process in CRIU's own mounts", "/linux/namespaces"));
        }
        let mut beyond = 0;
        let cgroup = membership(&self.criu.to_string())?;
        let filter = self.prepared.filter.as_ref();
        let mut filters = filter.map(|filter| Filters::of(self.images, &filter.program));
        for pid in tree(first)? {
            // What has ended, and waits for its parent, has nothing any more.
            if threads(pid)? == [pid] && Stat::of(pid).is_ok_and(|stat| stat.state == b'Z') {
                continue;
            }
            let theirs = numbers(pid)?;
            beyond |= self.check_namespaces(&own, &joined, &theirs)?;
            if [USER, MOUNT].iter().any(|kind| theirs[kind] != firsts[kind]) {
                return Err(refused("a process in namespaces of its own", "/linux/namespaces"));
            }
            check_cgroup(&cgroup, pid)?;
            self.check_weight(pid)?;
            for thread in threads(pid)? {
                self.check_thread(pid, thread, filters.as_mut())?;
            }
        }
        if self.plan.created & USER != 0 {
            let linux = self.spec.linux();
            check_map(first, "uid_map", &linux.uid_mappings)?;
            check_map(first, "gid_map", &linux.gid_mappings)?;
        }
        let hosts = [mountinfo::table("self")?, mountinfo::table(self.criu)?];
        let hosts: Vec<&str> =
            hosts.iter().flat_map(|table| mountinfo::lines(table)).map(|line| line.device).collect();
        let content = |point: &str| content(first, point).unwrap_or(Content::Other);
        self.model.check(&compare::mounts(&mountinfo::table(first)?), &hosts, Some(&content))?;
        Ok(beyond)
    }

    fn process(&self) -> Option<&Process<'_>> {
        self.spec.process.as_ref()
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

    /// What the kernel gives it before others.
    fn check_weight(&self, pid: i32) -> Result<()> {
        let process = self.process();
        let score =
            |pid: &str| read(pid, "oom_score_adj").map(|text| text.trim().parse().unwrap_or(i64::MIN));
        let least = match process.and_then(|process| process.oom_score_adj) {
            Some(score) => score,
            None => score("self")?.min(0),
        };
        if !Rights::of(self.spec).can_have(SYS_RESOURCE) && score(&pid.to_string())? < least {
            return Err(refused("a process with a score beyond its config", "/process/oomScoreAdj"));
        }
        Ok(())
    }

    fn check_thread(&self, pid: i32, thread: i32, filters: Option<&mut Filters>) -> Result<()> {
        let status = read(pid, &format!("task/{thread}/status"))?;
        let may = Rights::of(self.spec);
        let most = may.most;
        for (name, allowed) in
            [("CapBnd", may.bounding), ("CapPrm", most), ("CapEff", most), ("CapInh", most), ("CapAmb", most)]
        {
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
        if let Some(filters) = filters {
            if number(&status, "Seccomp", 10) != Some(2) {
                return Err(refused("a process without a filter", "/linux/seccomp"));
            }
            // In the innermost pid namespace it has the number that it had.
            let inside = words(&status, "NSpid").last().and_then(|word| word.parse().ok());
            if !filters.holds(inside.unwrap_or(0))? {
                return Err(refused(
                    "a process with a filter that stops less than its config's",
                    "/linux/seccomp",
                ));
            }
        }
        if process.no_new_privileges {
            self.check_user(process, &status)?;
        }
        if !may.can_have(SYS_NICE) {
            self.check_scheduling(process, pid, thread)?;
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

    fn check_scheduling(&self, process: &Process, pid: i32, thread: i32) -> Result<()> {
        let (policy, nice) = scheduling(&read(pid, &format!("task/{thread}/stat"))?);
        let (_, ours) = scheduling(&read("self", "stat")?);
        let wanted = process.scheduler.as_ref();
        let least = wanted.map_or(ours.min(0), |wanted| i64::from(wanted.nice));
        let named = wanted.and_then(|wanted| names::find(&SCHEDULER_POLICIES, &wanted.policy)).map(i64::from);
        let fair = [libc::SCHED_OTHER, libc::SCHED_BATCH, libc::SCHED_IDLE].map(i64::from);
        match (fair.contains(&policy) || named == Some(policy)) && nice >= least {
            true => Ok(()),
            false => Err(refused("a process with a priority beyond its config", "/process/scheduler")),
        }
    }

    /// One that can become no other user is the config's.
    fn check_user(&self, process: &Process, status: &str) -> Result<()> {
        let linux = self.spec.linux();
        let outside =
            |id, maps: &[IdMapping]| if maps.is_empty() { Some(id) } else { idmap::outside(maps, id) };
        let groups = [&process.user.additional_gids[..], &[process.user.gid]].concat();
        let ids = [
            ("Uid", SETUID, vec![process.user.uid], &linux.uid_mappings, "/process/user/uid"),
            ("Gid", SETGID, vec![process.user.gid], &linux.gid_mappings, "/process/user/gid"),
            ("Groups", SETGID, groups, &linux.gid_mappings, "/process/user/additionalGids"),
        ];
        for (name, right, ids, maps, field) in ids {
            let wanted: Vec<Option<u32>> = ids.into_iter().map(|id| outside(id, maps)).collect();
            let fits = |word: &str| word.parse().is_ok_and(|id| wanted.contains(&Some(id)));
            if !Rights::of(self.spec).can_have(right) && !words(status, name).all(fits) {
                return Err(refused("a process of another user", field));
            }
        }
        Ok(())
    }
}

/// What is at a mount point of the container; its processes stand, and change nothing on the way there.
fn content(pid: i32, point: &str) -> Result<Content> {
    let resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
    let root = c(&format!("/proc/{pid}/root"));
    let root =
        openat2(cwd(), &root, libc::O_PATH, 0, 0).map_err(|e| e.because("open the container's root"))?;
    let opened = openat2(root.as_fd(), &c(point), libc::O_PATH, 0, resolve);
    let opened = opened.map_err(|e| e.because(format!("open {point}")))?;
    let path = format!("/proc/self/fd/{}", opened.as_raw_fd());
    let found = stat(&*path).map_err(|e| Errno::from(e).because(format!("look at {point}")))?;
    Ok(match found.st_mode & libc::S_IFMT {
        libc::S_IFCHR if found.st_rdev == libc::makedev(1, 3) => Content::Null,
        libc::S_IFDIR if fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none()) => {
            Content::Empty
        }
        _ => Content::Other,
    })
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
    beyond_config(&what.into(), "end what `exec` has started with more rights before the checkpoint")
        .field(field)
}

/// What is behind `NAME:` in /proc/PID/status.
fn words<'a>(status: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or("-").split_whitespace()
}

/// Policy and nice value in /proc/PID/stat; what cannot be read is the most.
fn scheduling(stat: &str) -> (i64, i64) {
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse().ok();
    (field(41).unwrap_or(i64::MAX), field(19).unwrap_or(i64::MIN))
}

fn read(pid: impl std::fmt::Display, file: &str) -> Result<String> {
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
pub fn tree(first: i32) -> Result<Vec<i32>> {
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
    process::pidfd_kill(first.pidfd.as_fd());
}

/// The ids of a user namespace are those of the config.
fn check_map(pid: i32, file: &str, wanted: &[IdMapping]) -> Result<()> {
    let text = read(pid, file)?;
    // As text, for which there is code that sorts.
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut has: Vec<String> = text.lines().map(words).collect();
    let row = |map: &IdMapping| format!("{} {} {}", map.container_id, map.host_id, map.size);
    let mut wanted: Vec<String> = wanted.iter().map(row).collect();
    has.sort_unstable();
    wanted.sort_unstable();
    match has == wanted {
        true => Ok(()),
        false => Err(refused("other id maps than its config", "/linux/uidMappings")),
    }
}
