//! What is risky in a plan: a table of questions, each with what it means and what helps.
//!
//! The questions are asked of the plan where that has the answer, so that what the config asks for and does not get is no
//! risk, and what the runtime adds is one.

use super::page::{Page, Weight, text};
use super::sections::{has_user_namespace, shares};
use super::{capabilities, cgroups};
use crate::cgroup::devices::{Class, MKNOD};
use crate::engine::Whole;
use crate::error::Error;
use crate::names::namespaces::{IPC, MOUNT, NETWORK, PID, UTS};
use crate::names::{self, NAMESPACES, capability_names};
use crate::plan::program::Sets;
use crate::plan::{Field, Open};
use crate::spec::Spec;
use crate::spec::text::given;
use crate::wire::{Attributes, Bind, Step};
use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What the questions are asked of.
struct Look<'l> {
    spec: &'l Spec<'l>,
    whole: &'l Whole<'l>,
    sets: Sets,
    after_exec: u64,
}

/// A field, and what it has.
type Seen = (String, String);

struct Risk {
    finds: fn(&Look) -> Vec<Seen>,
    reason: &'static str,
    remedy: &'static str,
}

const fn risk(finds: fn(&Look) -> Vec<Seen>, reason: &'static str, remedy: &'static str) -> Risk {
    Risk { finds, reason, remedy }
}

static RISKS: [Risk; 22] = [
    risk(
        |look| look.shared(PID),
        "has no pid namespace of its own: the container sees the host's processes and may signal them",
        "add {\"type\": \"pid\"}",
    ),
    risk(
        |look| look.shared(NETWORK),
        "has no network namespace of its own: the container uses the host's interfaces, ports and abstract sockets",
        "add {\"type\": \"network\"}",
    ),
    risk(
        |look| look.shared(IPC),
        "has no ipc namespace of its own: the host's shared memory, semaphores and message queues are the container's too",
        "add {\"type\": \"ipc\"}",
    ),
    risk(
        |look| look.shared(MOUNT),
        "has no mount namespace of its own: nothing hides the host's files but the change of the root",
        "add {\"type\": \"mount\"}",
    ),
    risk(
        |look| if look.has_capability("CAP_SYS_ADMIN") { look.shared(UTS) } else { Vec::new() },
        "has no uts namespace of its own: the container may rename the host",
        "add {\"type\": \"uts\"}",
    ),
    risk(
        joins_the_hosts,
        "is the runtime's own namespace: the container is in it as the host is",
        "leave the path out for a new namespace, or name another one",
    ),
    risk(
        is_hosts_root,
        "is the host's root, since there is no user namespace: only capabilities and the filter hold it back",
        "add {\"type\": \"user\"} with uidMappings and gidMappings, or use another uid",
    ),
    risk(strong_capabilities, "is as good as root on the host", "leave the capability out of every set"),
    risk(
        gains_by_exec,
        "come back with the program's exec, since it runs as root without no_new_privs",
        "leave them out of the bounding and the inheritable set, or set noNewPrivileges",
    ),
    risk(
        |look| when(look.whole.ready.prepared.filter.is_none(), "/linux/seccomp", ""),
        "is missing: every system call of the kernel can be reached",
        "take the profile that an engine ships",
    ),
    risk(
        allows_by_default,
        "lets through every system call that the profile does not name, those of later kernels too",
        "use SCMP_ACT_ERRNO by default, and name what is allowed",
    ),
    risk(
        |look| {
            let set = look.steps(|step| matches!(step, Step::NoNewPrivileges {}).then(String::new));
            when(set.is_empty() && look.spec.process.is_some(), "/process/noNewPrivileges", "false")
        },
        "lets programs with set-user-ID bits or file capabilities give the process more rights",
        "set it to true unless the image needs sudo or the like",
    ),
    risk(
        is_hosts_tree,
        "is the host's own tree: the container has the host's files, and mounts and devices appear among them",
        "name a directory that has the container's files alone",
    ),
    risk(
        writable_binds,
        "gives the container a way to change the host",
        "bind a directory of the container's own, or add \"ro\"",
    ),
    risk(
        control_sockets,
        "has the socket of a service that acts as the host's root: who can connect owns the host, also where it is read-only",
        "leave the mount out, or put a proxy that filters requests in between",
    ),
    risk(
        bare_kernel_files,
        "shows files that change or betray the host's kernel: no mask and no read-only path covers them",
        "add what is missing to maskedPaths or readonlyPaths, as every engine does",
    ),
    risk(
        |look| look.mounts_of(c"sysfs", |set| set & libc::MOUNT_ATTR_RDONLY == 0),
        "is a writable sysfs: root in the container can change devices and drivers of the host",
        "add \"ro\" to its options",
    ),
    risk(
        wide_device_rules,
        "allows devices by a wildcard, disks and memory of the host among them",
        "list the devices that are needed by major and minor number",
    ),
    risk(
        disks,
        "is a block device of the host: its file systems can be read and written past every permission",
        "mount a file system of it on the host, and bind that",
    ),
    risk(
        shared_mounts,
        "shares mount events with the host: what is mounted inside appears there",
        "use \"slave\" or \"rslave\"",
    ),
    risk(
        |look| {
            let spared = look.spec.process.as_ref().and_then(|process| process.oom_score_adj);
            let spared = spared.filter(|score| *score < 0);
            spared.map(|score| ("/process/oomScoreAdj".into(), score.to_string())).into_iter().collect()
        },
        "lets the kernel kill the host's own processes before the container's when memory runs out",
        "use 0 or more",
    ),
    risk(unconfined, "leaves the container without a profile of AppArmor", "name a profile"),
];

pub fn all(spec: &Spec, whole: &Whole, page: &mut Page) {
    let sets = capabilities::sets(whole.plan);
    let after_exec = capabilities::after_exec(whole.plan, &sets);
    let look = Look { spec, whole, sets, after_exec };
    for Risk { finds, reason, remedy } in &RISKS {
        for (field, value) in finds(&look) {
            let error = Error::new(*reason).field(field).remedy(*remedy);
            page.find(Weight::Risk, if value.is_empty() { error } else { error.value(value) });
        }
    }
}

fn when(so: bool, field: &str, value: &str) -> Vec<Seen> {
    if so { vec![(field.into(), value.into())] } else { Vec::new() }
}

impl Look<'_> {
    fn shared(&self, flag: u64) -> Vec<Seen> {
        when(shares(self.whole.plan, flag), "/linux/namespaces", "")
    }

    fn of_a_user_namespace(&self) -> bool {
        has_user_namespace(self.whole.plan)
    }

    fn pointer(&self, field: Field) -> String {
        field.pointer(self.spec).unwrap_or_default()
    }

    /// Those that the program may come to have.
    fn has_capability(&self, name: &str) -> bool {
        let held = self.sets.permitted | self.after_exec;
        names::capability(name).is_some_and(|number| held >> number & 1 == 1)
    }

    /// The steps that `value` knows.
    fn steps(&self, value: impl Fn(&Step) -> Option<String>) -> Vec<Seen> {
        let plan = self.whole.plan;
        let all = plan.script.steps();
        all.filter_map(|(step, field)| Some((self.pointer(field), value(&step)?))).collect()
    }

    /// New file systems of this kind whose attributes are so.
    fn mounts_of(&self, wanted: &CStr, so: impl Fn(u64) -> bool) -> Vec<Seen> {
        if self.of_a_user_namespace() {
            return Vec::new();
        }
        self.steps(|step| match step {
            Step::Filesystem(it) if it.kind == wanted && so(it.attributes.set) => Some(text(it.target)),
            _ => None,
        })
    }

    /// The binds of the host's trees, each with its source, where it goes, and whether it can be written.
    fn binds(&self) -> Vec<(Field, PathBuf, String, bool)> {
        let plan = self.whole.plan;
        let opened = |bind: &Bind| match plan.opens.get(bind.tree)? {
            Open::Tree { path, .. } => Some(PathBuf::from(&**path)),
            _ => None,
        };
        let all = plan.script.steps().filter_map(|(step, field)| match step {
            Step::Bind(bind) => {
                let set = bind.attributes.set | bind.recursive_attributes.set;
                let path = opened(&bind)?;
                // A link on the way hides nothing.
                let real = fs::canonicalize(&path).unwrap_or(path);
                Some((field, real, text(bind.target), set & libc::MOUNT_ATTR_RDONLY == 0))
            }
            _ => None,
        });
        all.collect()
    }
}

fn joins_the_hosts(look: &Look) -> Vec<Seen> {
    let open = look.whole.plan.opens.iter().filter_map(|open| match open {
        Open::Namespace { path, flag, field } => Some((path, flag, field)),
        _ => None,
    });
    let inode = |path: &str| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let own = |flag: u64| {
        let known = NAMESPACES.iter().find(|known| known.flag == flag)?;
        inode(&format!("/proc/self/ns/{}", known.proc_name))
    };
    let theirs = open.filter(|(path, flag, _)| inode(path).is_some_and(|one| own(**flag) == Some(one)));
    theirs.map(|(path, _, field)| (look.pointer(*field), path.to_string())).collect()
}

fn is_hosts_root(look: &Look) -> Vec<Seen> {
    let uid = look.spec.process.as_ref().map(|process| process.user.uid);
    when(uid == Some(0) && !look.of_a_user_namespace(), "/process/user/uid", "0")
}

/// With one of these, without a user namespace, a process can take over the host.
const STRONG: [&str; 12] = [
    "CAP_BPF",
    "CAP_DAC_READ_SEARCH",
    "CAP_MAC_ADMIN",
    "CAP_MAC_OVERRIDE",
    "CAP_NET_ADMIN",
    "CAP_PERFMON",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_MODULE",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_TIME",
];

fn strong_capabilities(look: &Look) -> Vec<Seen> {
    if look.of_a_user_namespace() {
        return Vec::new();
    }
    // In a network or a pid namespace of its own these reach that one alone.
    let harmless = |name: &str| match name {
        "CAP_NET_ADMIN" => !shares(look.whole.plan, NETWORK),
        "CAP_SYS_PTRACE" | "CAP_SYS_BOOT" => !shares(look.whole.plan, PID),
        _ => false,
    };
    let held = STRONG.into_iter().filter(|name| look.has_capability(name) && !harmless(name));
    held.map(|name| ("/process/capabilities".into(), name.into())).collect()
}

fn gains_by_exec(look: &Look) -> Vec<Seen> {
    let gained = look.after_exec & !look.sets.permitted;
    let names = capability_names(gained).collect::<Vec<_>>().join(" ");
    when(gained != 0, "/process/capabilities/bounding", &names)
}

fn allows_by_default(look: &Look) -> Vec<Seen> {
    let filter = look.whole.ready.prepared.filter.as_ref();
    let profile = look.spec.linux.as_ref().and_then(|linux| linux.seccomp.as_ref());
    let (Some(_), Some(profile)) = (filter, profile) else { return Vec::new() };
    let action = &*profile.default_action;
    when(matches!(action, "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG"), "/linux/seccomp/defaultAction", action)
}

/// A writable one of these, or of what is above them, is the host; of what is in the first list also each file below.
const SENSITIVE: [&str; 12] = [
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/root",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/docker",
    "/var/lib/kubelet",
];

/// Files that engines bind from there for every container, and that hold nothing but names.
const USUAL: [&str; 5] =
    ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/localtime", "/etc/timezone"];

/// Devices of which no harm comes.
const HARMLESS: [&str; 8] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/pts",
    "/dev/shm",
];

fn is_sensitive(source: &Path) -> bool {
    let usual = USUAL.iter().chain(&HARMLESS).any(|usual| source.starts_with(usual));
    let holds = |known: &str| Path::new(known).starts_with(source) || source.starts_with(known);
    !usual && SENSITIVE.iter().any(|known| holds(known))
}

/// Engines keep root filesystems below some of the directories that are sensitive as the source of a bind.
fn is_hosts_tree(look: &Look) -> Vec<Seen> {
    let roots = look.whole.plan.opens.iter().filter_map(|open| match open {
        Open::Tree { path, field, .. } if *field == Field::Fixed("/root/path") => Some(Path::new(&**path)),
        _ => None,
    });
    let real = roots.map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.into()));
    let theirs = real.filter(|path| SENSITIVE.iter().any(|known| Path::new(known).starts_with(path)));
    theirs.map(|path| ("/root/path".into(), path.display().to_string())).collect()
}

fn writable_binds(look: &Look) -> Vec<Seen> {
    let binds = look.binds().into_iter().filter(|(_, source, _, writable)| *writable && is_sensitive(source));
    binds.map(|(field, source, ..)| (look.pointer(field), source.display().to_string())).collect()
}

const SOCKETS: [&str; 8] = [
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/dbus/system_bus_socket",
    "/run/systemd/private",
    "/run/k3s/containerd/containerd.sock",
    "/run/snapd.socket",
];

fn control_sockets(look: &Look) -> Vec<Seen> {
    let real = |path: &Path| PathBuf::from(path.to_string_lossy().replacen("/var/run/", "/run/", 1));
    let binds = look.binds().into_iter().filter_map(|(field, source, ..)| {
        let source = real(&source);
        // Of a directory above it: where the socket is there.
        let found = SOCKETS
            .iter()
            .map(Path::new)
            .find(|socket| **socket == source || (socket.starts_with(&source) && socket.exists()))?;
        Some((look.pointer(field), found.display().to_string()))
    });
    binds.collect()
}

/// What every engine masks or makes read-only in a proc of the host's user namespace.
const KERNEL_FILES: [&str; 8] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/kcore",
    "/proc/keys",
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
];

fn bare_kernel_files(look: &Look) -> Vec<Seen> {
    let covered: Vec<Seen> = look.steps(|step| match step {
        Step::Mask { path, .. } | Step::Readonly { path } => Some(text(path)),
        _ => None,
    });
    let bare = |path: &&str| !covered.iter().any(|(_, known)| Path::new(path).starts_with(known));
    let bare: Vec<&str> = KERNEL_FILES.into_iter().filter(bare).collect();
    if bare.is_empty() {
        return Vec::new();
    }
    // A mount that is read-only as a whole leaves only what can be read.
    let procs = look.mounts_of(c"proc", |_| true).into_iter().filter(|(_, target)| target == "/proc");
    procs.map(|(field, _)| (field, bare.join(" "))).collect()
}

fn wide_device_rules(look: &Look) -> Vec<Seen> {
    // Those of a terminal are each their own.
    let terminals = |major: Option<u32>| major == Some(136);
    let wide = cgroups::rules(look.whole).iter().filter(|rule| {
        let all = rule.range.class == Class::Any || rule.range.major.is_none() || rule.range.minor.is_none();
        rule.allow && all && rule.access & !MKNOD != 0 && !terminals(rule.range.major)
    });
    wide.map(|rule| ("/linux/resources/devices".into(), rule.to_string())).collect()
}

fn disks(look: &Look) -> Vec<Seen> {
    look.steps(|step| match step {
        Step::Device(device) if device.mode & libc::S_IFMT == libc::S_IFBLK => Some(text(device.path)),
        _ => None,
    })
}

fn shared_mounts(look: &Look) -> Vec<Seen> {
    // New file systems have no peers, and the copies of a user namespace are slaves.
    if look.of_a_user_namespace() {
        return Vec::new();
    }
    let shared = |attributes: &Attributes| attributes.propagation & libc::MS_SHARED != 0;
    look.steps(|step| match step {
        Step::Bind(it) if shared(&it.attributes) || shared(&it.recursive_attributes) => Some(text(it.target)),
        Step::Remount(it) if shared(&it.attributes) || shared(&it.recursive_attributes) => {
            Some(text(it.target)).filter(|target| !target.is_empty())
        }
        _ => None,
    })
}

/// A label that says "no confinement".
fn unconfined(look: &Look) -> Vec<Seen> {
    let profile = look.spec.process.as_ref().and_then(|process| given(&process.apparmor_profile));
    when(profile == Some("unconfined"), "/process/apparmorProfile", "unconfined")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_capabilities_are_the_kernels() {
        assert!(STRONG.iter().all(|name| names::capability(name).is_some()));
    }
}
