//! What steps and deeds are called, for `--debug`, errors, and whatever else tells a person what is done. The matches are
//! exhaustive: nothing is done that has no words. The names of deeds are in their own table (`deeds.rs`).

use super::deeds::{Deed, Shares};
use super::mounts::legacy;
use super::opens::{Open, Opens};
use super::{StartWord, scheduling};
use crate::cgroup::{Limits, Location, v1, v2};
use crate::error::Error;
use crate::names::{
    Effect, IO_PRIORITY_CLASSES, LANDLOCK_FS, LANDLOCK_NET, LANDLOCK_SCOPES, MEMORY_POLICY_FLAGS,
    MEMORY_POLICY_MODES, MOUNT_OPTIONS, NAMESPACES, PERSONALITY_DOMAINS, PERSONALITY_FLAGS, RLIMITS,
    SCHEDULER_FLAGS, SCHEDULER_POLICIES, Table, capability_names,
};
use crate::resctrl::Place;
use crate::seccomp::vocabulary::FLAGS;
use crate::spec::{IdMapping, Rlimit, Spec, cpus, landlock};
use crate::wire::{Attributes, Bind, Device, Filesystem, Mount, Point, Remount, Root, Step, Strings};
use std::ffi::CStr;
use std::ops::BitAnd;

/// What init does at this step, without its values.
pub fn step(step: &Step) -> String {
    match step {
        Step::Undumpable {} => "make init untraceable".into(),
        Step::Dumpable {} => "let the runtime take descriptors from init".into(),
        Step::Sync { point } => format!("wait for the runtime to {}", host_part(*point)),
        Step::EnterCgroup { .. } => "enter the container's cgroup".into(),
        Step::EnterBelow { .. } => "enter the group that the container manages".into(),
        Step::Guard { .. } => "guard what was restored".into(),
        Step::OpenHostProc {} => "open the host's /proc".into(),
        Step::CloseHostProc {} => "close the host's /proc".into(),
        Step::Join { .. } => "join a namespace".into(),
        Step::Belongs { .. } => "check which user namespace these namespaces belong to".into(),
        Step::Unshare { .. } => "make new namespaces".into(),
        Step::Spawn { .. } => "make the process in its namespaces".into(),
        Step::LeaveSession {} => "leave the caller's session".into(),
        Step::Copy { path, .. } => format!("copy the tree at {}", text(path)),
        Step::BecomeRoot { .. } => "become root of the user namespace".into(),
        Step::SelfFile { file, .. } | Step::LabelFile { file, .. } => {
            format!("write /proc/self/{}", text(file))
        }
        Step::EnterTimeNamespace {} => "enter the time namespace".into(),
        Step::Hostname { .. } => "set the hostname".into(),
        Step::Domainname { .. } => "set the domain name".into(),
        Step::LoopbackUp {} => "bring the loopback interface up".into(),
        Step::Keyring { .. } => "make a session keyring".into(),
        Step::JoinKeyring { .. } => "join the container's session keyring".into(),
        Step::HostPropagation { .. } => "detach the mount table from the host's".into(),
        Step::Root(_) => "attach the root filesystem".into(),
        Step::OpenRoot { .. } => "open the container's root".into(),
        Step::OpenProc {} => "mount a private proc".into(),
        Step::Filesystem(Filesystem { kind, target, .. }) | Step::Mount(Mount { kind, target, .. }) => {
            format!("mount {} on {}", text(kind), text(target))
        }
        Step::Bind(Bind { target, .. }) => format!("bind to {}", text(target)),
        Step::KeepMounts {} => "report each mount".into(),
        Step::FindMount { path, .. } | Step::Unmount { path, .. } => format!("unmount {}", text(path)),
        Step::Remount(Remount { target, .. }) => format!("change the mount on {}", text(target)),
        Step::Device(Device { path, .. }) | Step::NewDevice(Device { path, .. }) => {
            format!("make the device {}", text(path))
        }
        Step::RemoveDevice { path, .. } => format!("remove the device {}", text(path)),
        Step::Symlink { path, .. } => format!("make the link {}", text(path)),
        Step::OpenNull {} => "verify /dev/null".into(),
        Step::Console { .. } => "open a terminal".into(),
        Step::Pivot {} | Step::Chroot { .. } => "change the root".into(),
        Step::RootAttributes { .. } => "set the root's mount attributes".into(),
        Step::Sysctl { path, .. } => format!("write /proc/sys/{}", text(path)),
        Step::Mask { path, .. } => format!("mask {}", text(path)),
        Step::Readonly { path } => format!("make {} read-only", text(path)),
        Step::CpuAffinity { .. } => "set the CPU affinity".into(),
        Step::Scheduler { .. } => "set the scheduler".into(),
        Step::IoPriority { .. } => "set the I/O priority".into(),
        Step::MemoryPolicy { .. } => "set the memory policy".into(),
        Step::Personality { .. } => "set the personality".into(),
        Step::Rlimit { .. } => "set a resource limit".into(),
        Step::Chdir { path, .. } | Step::Cwd { path, .. } => format!("chdir to cwd ({:?})", text(path)),
        Step::Umask { .. } => "set the umask".into(),
        Step::Groups { .. } => "set the groups".into(),
        Step::User { .. } => "change the user".into(),
        Step::Bounding { .. } => "set the bounding set".into(),
        Step::Capabilities { .. } => "set capabilities".into(),
        Step::Ambient { .. } => "set the ambient set".into(),
        Step::NoNewPrivileges {} => "set no_new_privs".into(),
        Step::Resolve { .. } => "find the program".into(),
        Step::Streams {} => "make the terminal the standard streams".into(),
        Step::Session {} => "make a session".into(),
        Step::StreamOwner { .. } => "give the standard streams to the container's user".into(),
        Step::Home { .. } => "look up HOME in /etc/passwd".into(),
        Step::ListenPid {} => "set LISTEN_PID".into(),
        Step::Confine { .. } => "close all descriptors but the program's".into(),
        Step::AwaitStart {} => "wait for start".into(),
        Step::Arguments { .. } => "lay out arguments and environment".into(),
        Step::Seccomp { .. } => "load the seccomp filter".into(),
        Step::Ruleset { .. } => "make a Landlock ruleset".into(),
        Step::AllowBeneath { path, .. } => format!("allow access to {}", text(path)),
        Step::AllowPort { port, .. } => format!("allow the use of port {port}"),
        Step::Restrict {} => "restrict the process by Landlock".into(),
        Step::Exec {} => "execute the program".into(),
        Step::ExecPath { path } => format!("execute {}", text(path)),
        Step::Finish {} => "end init".into(),
    }
}

/// The values that belong to it, as people read them; empty where the words say all. A keyring's name is a secret.
/// `opens`: the table that the step's handles are of.
pub fn values(step: &Step, opens: Option<&Opens>) -> String {
    match step {
        Step::EnterCgroup { tasks } => match opens.and_then(|opens| opens.iter().nth(tasks.0 as usize)) {
            Some(Open::Tasks { mount }) => mount.clone(),
            _ => String::new(),
        },
        Step::Join { flags, .. } | Step::Unshare { flags } => namespaces(*flags),
        Step::Spawn { flags } => namespaces(u64::from(*flags)),
        Step::Belongs { file, .. } => text(file),
        Step::OpenRoot { path } => text(path),
        Step::SelfFile { value, .. } | Step::LabelFile { value, .. } | Step::Sysctl { value, .. } => {
            String::from_utf8_lossy(value.0).trim_end().to_owned()
        }
        Step::Hostname { name } | Step::Domainname { name } => String::from_utf8_lossy(name.0).into_owned(),
        Step::Copy { mapped, .. } => said([(*mapped, "its owners are mapped")]),
        Step::BecomeRoot { keep_groups } => said([(*keep_groups, "supplementary groups stay")]),
        Step::HostPropagation { flags, recursive } => propagation(*flags, *recursive),
        Step::Root(Root { path, attributes, .. }) => joined([text(path), changed(attributes)]),
        Step::Filesystem(it) => {
            let copies = said([(it.copy_up, "begins with a copy of what is there")]);
            joined([list(&it.options), changed(&it.attributes), text(it.label), copies])
        }
        Step::Mount(Mount { source, flags, data, .. }) => {
            joined([text(source), legacy::names(*flags), text(data)])
        }
        Step::Bind(it) => {
            let below = changed(&it.recursive_attributes);
            let below = if below.is_empty() { below } else { format!("with all below: {below}") };
            joined([text(it.source), changed(&it.attributes), below])
        }
        Step::Remount(it) => joined([changed(&it.attributes), changed(&it.recursive_attributes)]),
        Step::RootAttributes { attributes, .. } => changed(attributes),
        Step::RemoveDevice { number, .. } => {
            format!("{}:{}", libc::major(*number), libc::minor(*number))
        }
        Step::Device(Device { mode, number, uid, gid, .. })
        | Step::NewDevice(Device { mode, number, uid, gid, .. }) => format!(
            "{}:{}, mode {:04o}, owner {uid}:{gid}",
            libc::major(*number),
            libc::minor(*number),
            mode & 0o7777
        ),
        Step::Symlink { to, .. } => format!("to {}", text(to)),
        Step::Console { bind, held } => {
            said([(*bind, "bound to /dev/console"), (*held, "held until the program has it")])
        }
        Step::Chroot { elsewhere, left_below } => {
            let below = list(left_below);
            let below = if below.is_empty() { below } else { format!("without {below}") };
            joined([said([(*elsewhere, "moved to /")]), below])
        }
        Step::Mask { options, .. } => list(options),
        Step::CpuAffinity { mask } => cpus::list(mask.0),
        Step::Scheduler { attributes } => scheduler(attributes.0),
        Step::IoPriority { value } => joined([
            named(&IO_PRIORITY_CLASSES, (value >> 13) as u16).into(),
            format!("priority {}", value & 7),
        ]),
        Step::MemoryPolicy { mode, nodes } => {
            let flags = MEMORY_POLICY_FLAGS.iter().fold(0, |all, (_, flag)| all | flag);
            let mode =
                [named(&MEMORY_POLICY_MODES, mode & !flags).into(), bits(&MEMORY_POLICY_FLAGS, mode & flags)];
            let [mode, flags] = mode;
            joined([mode, flags, format!("nodes {}", cpus::list(nodes.0))])
        }
        Step::Personality { value } => {
            let (domain, flags) = (*value as u32 & 0xff, *value as u32 & !0xff);
            joined([named(&PERSONALITY_DOMAINS, domain).into(), bits(&PERSONALITY_FLAGS, flags)])
        }
        Step::Rlimit { resource, soft, hard } => resource_limit(named(&RLIMITS, *resource), *soft, *hard),
        Step::Umask { value } => format!("{value:04o}"),
        Step::Groups { ids } => {
            let ids =
                ids.0.chunks_exact(4).map(|id| u32::from_le_bytes([id[0], id[1], id[2], id[3]]).to_string());
            ids.collect::<Vec<_>>().join(",")
        }
        Step::User { uid, gid } => format!("{uid}:{gid}"),
        Step::StreamOwner { uid } | Step::Home { uid } => format!("uid {uid}"),
        Step::Bounding { keep, .. } => capabilities(*keep),
        Step::Capabilities { effective, permitted, inheritable } => {
            sets_of(*effective, *permitted, *inheritable)
        }
        Step::Ambient { set } => capabilities(*set),
        Step::Resolve { candidates, .. } => candidates.iter().next().map(text).unwrap_or_default(),
        Step::Arguments { argv, .. } => list(argv),
        Step::Seccomp { flags, program, notify } => joined([
            format!("{} instructions", program.0.len() / 8),
            FLAGS
                .iter()
                .filter(|flag| flags & flag.bit != 0)
                .map(|flag| flag.name)
                .collect::<Vec<_>>()
                .join(","),
            said([(*notify, "an agent listens")]),
        ]),
        Step::Chdir { .. } | Step::Cwd { .. } | Step::FindMount { .. } | Step::Unmount { .. } => {
            String::new()
        }
        Step::Sync { .. } | Step::Readonly { .. } | Step::ExecPath { .. } => String::new(),
        Step::Keyring { .. } | Step::JoinKeyring { .. } | Step::Confine { .. } => String::new(),
        Step::Undumpable {} | Step::Dumpable {} | Step::OpenHostProc {} | Step::CloseHostProc {} => {
            String::new()
        }
        Step::LeaveSession {} | Step::EnterTimeNamespace {} | Step::LoopbackUp {} => String::new(),
        Step::OpenProc {} | Step::KeepMounts {} | Step::OpenNull {} | Step::Pivot {} | Step::Streams {} => {
            String::new()
        }
        Step::NoNewPrivileges {} | Step::Session {} | Step::ListenPid {} | Step::AwaitStart {} => {
            String::new()
        }
        Step::Ruleset { fs, net, scoped } => joined(
            [(&LANDLOCK_FS[..], fs), (&LANDLOCK_NET, net), (&LANDLOCK_SCOPES, scoped)]
                .map(|(table, bits)| landlock::names(table, *bits)),
        ),
        Step::AllowBeneath { access, .. } => landlock::names(&LANDLOCK_FS, *access),
        Step::AllowPort { access, .. } => landlock::names(&LANDLOCK_NET, *access),
        Step::Exec {} | Step::Finish {} | Step::Guard { .. } | Step::Restrict {} => String::new(),
        Step::EnterBelow { path } => text(path),
    }
}

impl Deed<'_> {
    /// What rruntime does on the host's side, without its values.
    pub fn words(self) -> String {
        match self {
            Deed::Meet(point) => format!("{} {}", self.name(), host_part(point)),
            Deed::RunHooks(hooks, _) => format!("run the {} hooks", hooks.name()),
            _ => self.name().into(),
        }
    }

    /// The values that belong to it, as people read them; empty where the words say all.
    pub fn values(self) -> String {
        match self {
            Deed::MakeState(id) => id.into(),
            Deed::ClaimCgroup(location) | Deed::MakeCgroup(location, _) => place(location),
            Deed::RemoveCgroup(location) | Deed::ReleaseCgroup(location) => place(location),
            Deed::MoveIntoScope(unit) => unit.name.clone(),
            Deed::AskForScope(settings) => comma(settings.properties().iter().map(ToString::to_string)),
            Deed::MakeResctrl(demand) | Deed::AnnounceShares(demand) | Deed::ForgetShares(demand) => {
                group_of(&demand.place)
            }
            Deed::JoinResctrl(group) | Deed::RemoveResctrl(group) => group_of(group.place()),
            Deed::SetShares(Shares { group, l3_cache, bandwidth }) => joined([
                group_of(group.place()),
                l3_cache.unwrap_or("").into(),
                bandwidth.unwrap_or("").into(),
            ]),
            Deed::MakeStartPipes(start) => said([(start == StartWord::Named, "in the state directory")]),
            Deed::Open(opens) => match opens.iter().filter(|open| open.is_by_path()).count() {
                0 => String::new(),
                1 => "1 path of the host".into(),
                count => format!("{count} paths of the host"),
            },
            Deed::GuardDevices(limits) => {
                comma(limits.devices.iter().flat_map(|rules| rules.as_slice()).map(ToString::to_string))
            }
            Deed::SetLimits(limits) | Deed::ChangeLimits(limits) => set(limits),
            Deed::StartInit(flags) => namespaces(flags),
            Deed::WriteIdMaps(uids, gids) => format!("users {}; groups {}", maps(uids), maps(gids)),
            Deed::RaiseLimits(limits) => comma(limits.iter().map(rlimit)),
            Deed::ScoreForOom(score) => score.to_string(),
            Deed::LimitProcesses(limits) => {
                comma(limits.iter().filter(|limit| &*limit.kind == "RLIMIT_NPROC").map(rlimit))
            }
            Deed::MoveDevices(linux) => {
                comma(linux.net_devices.iter().map(|(name, device)| match &device.name {
                    Some(inside) => format!("{name} as {inside}"),
                    None => name.to_string(),
                }))
            }
            Deed::RunHooks(_, hooks) => comma(hooks.iter().map(|hook| hook.path.to_string())),
            Deed::CheckConfined(sets) => sets_of(sets.effective, sets.permitted, sets.inheritable),
            Deed::SettleBorn(process) => {
                let attributes = scheduling::scheduler(process).ok().flatten();
                attributes.map(|attributes| scheduler(&attributes)).unwrap_or_default()
            }
            Deed::SendListener(seccomp) => seccomp.listener_path.as_deref().unwrap_or_default().into(),
            Deed::WritePidFile(path) | Deed::RelayReadiness(path) => path.display().to_string(),
            // What it is called says all.
            Deed::WriteIntent | Deed::ShowCreated | Deed::MakeNotifyDirectory => String::new(),
            Deed::KeepConfig | Deed::KeepScript | Deed::RecordProcess | Deed::RecordCreated => String::new(),
            Deed::Meet(_) | Deed::Release | Deed::ReleaseIntoScope => String::new(),
            Deed::AwaitReady | Deed::AwaitScope(_) => String::new(),
            Deed::StartHolder | Deed::EndHolder => String::new(),
            Deed::TakeTerminal(_) | Deed::ShowTerminal => String::new(),
            Deed::BuildModel | Deed::StartCriu | Deed::Restore => String::new(),
            Deed::StartJoining | Deed::EndJoining => String::new(),
            Deed::GivePidfd | Deed::Publish | Deed::WriteBrief(_) | Deed::SayStart => String::new(),
            Deed::AwaitProgram | Deed::HideCreated | Deed::RenewBrief => String::new(),
            Deed::RecordLimits(_) | Deed::SetLimitsBack | Deed::KillFirst => String::new(),
            Deed::GiveDevicesBack | Deed::EndProcesses | Deed::EndStrangers => String::new(),
            Deed::RunPoststop | Deed::RemoveState => String::new(),
        }
    }

    /// The error where an executor does not know this deed, or lacks what an earlier deed should have made.
    pub fn misplaced(self) -> Error {
        Error::new(format!("the plan is out of order: {}", self.words()))
    }

    /// The error of this deed.
    pub fn failed(self, error: Error, spec: &Spec) -> Error {
        error.during(self.words(), self.blamed().pointer(spec))
    }
}

/// What init waits for at a point of the plan.
pub fn host_part(point: Point) -> &'static str {
    match point {
        Point::Scope => "have it moved into the scope",
        Point::Map => "write its id maps",
        Point::Hooks => "run its hooks",
        Point::Limits => "raise its limits",
        Point::Network => "move its network devices",
        Point::Resctrl => "put it into the resctrl group",
        Point::Confined => "check that it has dropped its privileges",
        Point::Processes => "limit its number of processes",
        Point::Born => "apply settings to the new process",
    }
}

/// What is so.
fn said<const N: usize>(parts: [(bool, &str); N]) -> String {
    joined(parts.map(|(so, words)| if so { words.to_owned() } else { String::new() }))
}

fn named<T: Copy + PartialEq>(table: &Table<T>, value: T) -> &'static str {
    table.iter().find(|(_, known)| *known == value).map_or("unknown", |(name, _)| name)
}

/// The names of the bits that are set.
fn bits<T: Copy + PartialEq + BitAnd<Output = T> + Default>(table: &Table<T>, value: T) -> String {
    let set = table.iter().filter(|(_, bit)| value & *bit == *bit && *bit != T::default());
    set.map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}

/// Policy, flags, nice value and priority of a struct sched_attr.
fn scheduler(attributes: &[u8]) -> String {
    let number = |at: usize| attributes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    let [policy, flags, nice, priority] = [4, 8, 16, 20].map(|at| number(at).unwrap_or_default());
    let numbers = format!("nice {}, priority {priority}", nice as i32);
    joined([named(&SCHEDULER_POLICIES, policy).into(), bits(&SCHEDULER_FLAGS, u64::from(flags)), numbers])
}

fn text(path: &CStr) -> String {
    path.to_string_lossy().into_owned()
}

fn joined<const N: usize>(parts: [String; N]) -> String {
    comma(parts.into_iter().filter(|part| !part.is_empty()))
}

fn comma(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn list(strings: &Strings) -> String {
    strings.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn namespaces(flags: u64) -> String {
    let kinds =
        NAMESPACES.iter().filter(|namespace| flags & namespace.flag != 0).map(|namespace| namespace.kind);
    kinds.collect::<Vec<_>>().join(", ")
}

fn capabilities(mask: u64) -> String {
    let names = capability_names(mask).collect::<Vec<_>>().join(" ");
    if names.is_empty() { "none".into() } else { names }
}

fn sets_of(effective: u64, permitted: u64, inheritable: u64) -> String {
    let [effective, permitted, inheritable] = [effective, permitted, inheritable].map(capabilities);
    format!("effective: {effective}; permitted: {permitted}; inheritable: {inheritable}")
}

fn resource_limit(name: &str, soft: u64, hard: u64) -> String {
    let limit = |value: u64| if value == u64::MAX { "unlimited".into() } else { value.to_string() };
    format!("{name}: soft {}, hard {}", limit(soft), limit(hard))
}

pub fn rlimit(limit: &Rlimit) -> String {
    resource_limit(&limit.kind, limit.soft, limit.hard)
}

pub fn maps(maps: &[IdMapping]) -> String {
    let last = |first: u32, size: u32| u64::from(first) + u64::from(size).saturating_sub(1);
    let map = |map: &IdMapping| {
        let (inside, host, size) = (map.container_id, map.host_id, map.size);
        format!("{inside}-{} map to host {host}-{}", last(inside, size), last(host, size))
    };
    comma(maps.iter().map(map))
}

/// Its path: most often the same in each hierarchy.
fn place(location: &Location) -> String {
    let mut paths: Vec<&str> = location.legs.iter().map(|leg| &*leg.path).collect();
    paths.sort_unstable();
    paths.dedup();
    comma(paths.iter().map(|path| format!("/{path}")))
}

fn group_of(place: &Place) -> String {
    let group = if place.group.is_empty() { "the default group" } else { &place.group };
    let monitor = place.monitor.as_ref().map(|monitor| format!("monitored as {monitor}"));
    joined([group.into(), monitor.unwrap_or_default()])
}

/// The limits as config.json has them, whatever the files are that they go to.
fn set(limits: &Limits) -> String {
    let mut set: Vec<(String, String)> = Vec::new();
    for write in v1::files(limits).into_iter().chain(v2::files(limits)) {
        let name = write.field.trim_start_matches("/linux/resources/").to_owned();
        if !set.iter().any(|(known, _)| *known == name) {
            let value = write.quoted().to_owned();
            set.push((name, value));
        }
    }
    comma(set.iter().map(|(name, value)| format!("{name} = {value}")))
}

fn propagation(flags: u64, recursive: bool) -> String {
    let name = MOUNT_OPTIONS.iter().find_map(|option| match option.effect {
        Effect::Propagation { flag, recursive: below }
            if flag == flags & !libc::MS_REC && below == recursive =>
        {
            Some(option.name)
        }
        _ => None,
    });
    name.unwrap_or_default().to_owned()
}

/// The options that make these changes.
fn changed(attributes: &Attributes) -> String {
    let mut names: Vec<&str> = Vec::new();
    for option in &MOUNT_OPTIONS {
        let known = match option.effect {
            Effect::Set(bits) => attributes.set & bits == bits,
            Effect::Clear(bits) => attributes.clear & bits == bits && attributes.set & bits == 0,
            Effect::Atime(atime) => {
                attributes.clear & libc::MOUNT_ATTR__ATIME != 0
                    && attributes.set & libc::MOUNT_ATTR__ATIME == atime.bits()
            }
            _ => false,
        };
        if known && !names.contains(&option.name) {
            names.push(option.name);
        }
    }
    let spread = propagation(attributes.propagation, false);
    if attributes.propagation != 0 && !spread.is_empty() {
        names.push(&spread);
    }
    names.join(",")
}
