//! What steps and deeds are called, for `--debug`, errors, and whatever else tells a person what is done. Both matches are
//! exhaustive: nothing is done that has no words.

use super::deeds::Deed;
use super::sync;
use crate::names::{Effect, MOUNT_OPTIONS, NAMESPACES, RLIMITS, capability_names};
use crate::wire::{Attributes, Bind, Device, Filesystem, Mount, Remount, Root, Step, Strings};
use std::ffi::CStr;

/// What init does at this step, without its values.
pub fn step(step: &Step) -> String {
    match step {
        Step::Undumpable {} => "make init untraceable".into(),
        Step::Dumpable {} => "let the runtime take descriptors from init".into(),
        Step::Sync { point } => format!("wait for the runtime to {}", host_part(*point)),
        Step::EnterCgroup { .. } => "enter the container's cgroup".into(),
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
        Step::Device(Device { path, .. }) => format!("make the device {}", text(path)),
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
        Step::Exec {} => "execute the program".into(),
        Step::ExecPath { path } => format!("execute {}", text(path)),
        Step::Finish {} => "end init".into(),
    }
}

/// The values that belong to it, as people read them; empty where the words say all. A keyring's name is a secret.
pub fn values(step: &Step) -> String {
    match step {
        Step::Join { flags, .. } | Step::Unshare { flags } => namespaces(*flags),
        Step::Spawn { flags } => namespaces(u64::from(*flags)),
        Step::Belongs { file, .. } => text(file),
        Step::SelfFile { value, .. } | Step::LabelFile { value, .. } | Step::Sysctl { value, .. } => {
            String::from_utf8_lossy(value.0).trim_end().to_owned()
        }
        Step::Hostname { name } | Step::Domainname { name } => String::from_utf8_lossy(name.0).into_owned(),
        Step::HostPropagation { flags, recursive } => propagation(*flags, *recursive),
        Step::Root(Root { path, attributes, .. }) => joined([text(path), changed(attributes)]),
        Step::Filesystem(it) => joined([list(&it.options), changed(&it.attributes)]),
        Step::Mount(Mount { data, .. }) => text(data),
        Step::Bind(it) => {
            let below = changed(&it.recursive_attributes);
            let below = if below.is_empty() { below } else { format!("with all below: {below}") };
            joined([text(it.source), changed(&it.attributes), below])
        }
        Step::Remount(it) => joined([changed(&it.attributes), changed(&it.recursive_attributes)]),
        Step::RootAttributes { attributes, .. } => changed(attributes),
        Step::Device(Device { mode, number, uid, gid, .. }) => format!(
            "{}:{}, mode {:04o}, owner {uid}:{gid}",
            libc::major(*number),
            libc::minor(*number),
            mode & 0o7777
        ),
        Step::Symlink { to, .. } => format!("to {}", text(to)),
        Step::Mask { options, .. } => list(options),
        Step::Personality { value } => format!("{value:#x}"),
        Step::Rlimit { resource, soft, hard } => {
            let name = RLIMITS.iter().find(|(_, number)| number == resource).map_or("", |(name, _)| name);
            let limit = |value: &u64| if *value == u64::MAX { "unlimited".into() } else { value.to_string() };
            format!("{name}: soft {}, hard {}", limit(soft), limit(hard))
        }
        Step::Umask { value } => format!("{value:04o}"),
        Step::Groups { ids } => {
            let ids =
                ids.0.chunks_exact(4).map(|id| u32::from_le_bytes([id[0], id[1], id[2], id[3]]).to_string());
            ids.collect::<Vec<_>>().join(",")
        }
        Step::User { uid, gid } => format!("{uid}:{gid}"),
        Step::StreamOwner { uid } | Step::Home { uid } => format!("uid {uid}"),
        Step::Bounding { keep, .. } => capabilities(*keep),
        Step::Capabilities { effective, permitted, inheritable } => format!(
            "effective: {}; permitted: {}; inheritable: {}",
            capabilities(*effective),
            capabilities(*permitted),
            capabilities(*inheritable)
        ),
        Step::Ambient { set } => capabilities(*set),
        Step::Resolve { candidates, .. } => candidates.iter().next().map(text).unwrap_or_default(),
        Step::Arguments { argv, .. } => list(argv),
        Step::Seccomp { program, .. } => format!("{} instructions", program.0.len() / 8),
        _ => String::new(),
    }
}

/// What rruntime does on the host's side.
pub fn deed(deed: Deed) -> String {
    match deed {
        Deed::MakeState => "make the state directory".into(),
        Deed::ClaimCgroup => "claim the path of the cgroup".into(),
        Deed::WriteIntent => "write down what will be made".into(),
        Deed::MakeCgroup => "make the cgroup".into(),
        Deed::MakeResctrl => "make the resctrl group".into(),
        Deed::MakeStartPipes => "make the pipes of start".into(),
        Deed::ShowCreated => "show the container as created".into(),
        Deed::MakeNotifyDirectory => "make the directory of the notify socket".into(),
        Deed::Open => "open what the steps name".into(),
        Deed::GuardDevices => "set the device rules of the cgroup".into(),
        Deed::SetLimits => "set the limits of the container's cgroup".into(),
        Deed::StartInit => "start init".into(),
        Deed::KeepConfig => "keep a copy of config.json".into(),
        Deed::KeepScript => "keep the steps with their fields".into(),
        Deed::RecordProcess => "record the process".into(),
        Deed::RecordCreated => "write down that the container is created".into(),
        Deed::Meet(point) => format!("wait until init needs the runtime to {}", host_part(point)),
        Deed::Release => "let init go on".into(),
        Deed::WriteIdMaps => "write the id maps".into(),
        Deed::RaiseLimits => "raise hard resource limits".into(),
        Deed::JoinResctrl => "put init into the resctrl group".into(),
        Deed::MoveDevices => "move network devices into the container".into(),
        Deed::RunHooks(hooks) => format!("run the {} hooks", hooks.name()),
        Deed::CheckConfined => "see that init has given up its rights".into(),
        Deed::LimitProcesses => "limit the number of processes".into(),
        Deed::SettleBorn => "set the scheduler of the process that was born".into(),
        Deed::AwaitReady => "wait until init is ready".into(),
        Deed::ShowTerminal => "let the container's user open the terminal".into(),
        Deed::GivePidfd => "send a descriptor of the process".into(),
        Deed::Publish => "publish the record".into(),
        Deed::WriteBrief => "write what list shows".into(),
        Deed::WritePidFile => "write the pid file".into(),
        Deed::SayStart => "say start".into(),
        Deed::AwaitProgram => "wait until the program runs".into(),
        Deed::HideCreated => "show the container as started".into(),
        Deed::RenewBrief => "write anew what list shows".into(),
        Deed::AnnounceShares => "write down the change of the resctrl group".into(),
        Deed::RecordLimits => "prepare the record of the new limits".into(),
        Deed::ChangeLimits => "change the limits of the container's cgroup".into(),
        Deed::SetShares => "change the resctrl group".into(),
        Deed::SetLimitsBack => "set the limits back".into(),
        Deed::ForgetShares => "take back the change of the resctrl group".into(),
        Deed::KillFirst => "kill the container's first process".into(),
        Deed::GiveDevicesBack => "give network devices back to the host".into(),
        Deed::EndProcesses => "end the container's processes".into(),
        Deed::RemoveCgroup => "remove the cgroup".into(),
        Deed::RemoveResctrl => "remove the resctrl group".into(),
        Deed::ReleaseCgroup => "release the path of the cgroup".into(),
        Deed::RemoveState => "remove the state directory".into(),
    }
}

/// What init waits for at a point of the plan.
fn host_part(point: u32) -> &'static str {
    match point {
        sync::MAP => "write its id maps",
        sync::HOOKS => "run the hooks of create",
        sync::LIMITS => "raise its limits",
        sync::NETWORK => "move its network devices",
        sync::RESCTRL => "put it into the resctrl group",
        sync::CONFINED => "see that it has given up its rights",
        sync::PROCESSES => "limit its number of processes",
        sync::BORN => "settle the process that was born",
        _ => "do its part",
    }
}

fn text(path: &CStr) -> String {
    path.to_string_lossy().into_owned()
}

fn joined<const N: usize>(parts: [String; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
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
