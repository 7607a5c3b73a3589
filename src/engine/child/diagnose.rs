//! From "step 17 failed in move_mount with EINVAL" to what a person can act on: what was being done, for which
//! field, why, and what helps. The texts about the program itself are those that engines look for.

use crate::engine::child::{birth, message::Trouble, program_head, rlimits};
use crate::error::{Error, Kind};
use crate::names::{MOUNT_OPTIONS, mount_option, nearest};
use crate::plan::{Script, kept::Kept, words};
use crate::seccomp::evaluate::answer;
use crate::seccomp::{self, Arch};
use crate::spec::{Rlimit, Spec, Text, annotations};
use crate::wire::{Bytes, Device, Filesystem, Message, Mount, Part, Remount, Step};
use std::borrow::Cow;
use std::ffi::CStr;

/// The error behind init's message.
pub fn explain(script: &Script, trouble: &Trouble, spec: &Spec) -> Error {
    let message = &trouble.message;
    match script.step(message.step as usize) {
        Some((step, field)) => explain_step(&step, field.pointer(spec), trouble, spec),
        None => {
            let (_, words) = part_of(message);
            Error::os(format!("init, in a step that the plan does not have: {words}"), message.errno)
        }
    }
}

/// The same for a script that another command has kept. Of a step that this program cannot read the field is named.
pub fn explain_kept(kept: Option<&Kept>, trouble: &Trouble, spec: &Spec) -> Error {
    let message = &trouble.message;
    let unread = || Error::os("the container's init failed after start", message.errno);
    match kept.and_then(|kept| kept.step(message.step as usize)) {
        Some((Some(step), pointer)) => explain_step(&step, pointer.map(str::to_owned), trouble, spec)
            .doing("error during container init"),
        Some((None, Some(pointer))) => unread().field(pointer),
        Some((None, None)) | None => unread(),
    }
}

fn has_cpuset(spec: &Spec) -> bool {
    let cpu = spec.linux().resources.as_ref().and_then(|all| all.cpu.as_ref());
    cpu.and_then(|cpu| cpu.cpus.as_ref()).is_some_and(|cpus| !cpus.is_empty())
}

fn part_of(message: &Message) -> (Part, &'static str) {
    let part = Part::ALL.iter().find(|(part, _)| *part as u32 == message.part);
    part.copied().unwrap_or((Part::Whole, ""))
}

fn explain_step(step: &Step, pointer: Option<String>, trouble: &Trouble, spec: &Spec) -> Error {
    let Trouble { message, note } = trouble;
    let ((part, words), errno) = (part_of(message), message.errno);
    let error = match step {
        Step::Resolve { candidates, .. } => {
            let first = candidates.iter().next().map(text).unwrap_or_default();
            program_missing(spec, &first, part, errno)
        }
        Step::Exec { .. } if is_denied(spec, "execve", errno) => Error::os(format!("exec {}", program(spec)), errno)
            .kind(Kind::NotExecutable)
            .remedy("this is the answer of linux.seccomp to the system call execve, which starts the program: allow it"),
        Step::Exec { .. } => match refused_entry(spec, errno) {
            Some(remedy) => {
                Error::os(format!("exec {}", program(spec)), errno).kind(Kind::NotExecutable).remedy(remedy)
            }
            None => not_started(&program(spec), errno, note),
        },
        Step::ExecPath { path, .. } => not_started(&text(path), errno, note),
        // By the first process's pidfd: it lived when exec or the hook began.
        Step::Join { .. } if errno == libc::ESRCH => {
            Error::new("the container has ended").kind(Kind::WrongState)
        }
        // A pid namespace whose PID 1 has ended takes no new process.
        Step::Spawn { .. } if errno == libc::ENOMEM => {
            Error::new("the container has ended").kind(Kind::WrongState)
        }
        Step::Belongs { file, .. } if part == Part::Stranger => Error::new(format!(
            "the container's first process has left the container's user namespace ({})",
            text(file).rsplit('/').next().unwrap_or_default()
        ))
        .kind(Kind::WrongState)
        .remedy("what it shows there is its own work, not the container's: end the container"),
        Step::Scheduler { .. } if errno == libc::EPERM && has_cpuset(spec) => {
            Error::os(reason(words, note), errno)
                .doing(words::step(step))
                .remedy("a deadline policy conflicts with linux.resources.cpu.cpus: leave out one of the two")
        }
        _ => Error::os(reason(words, note), errno).doing(words::step(step)),
    };
    if let Some(label) = refused_label(step, part, note, spec) {
        let remedy = "this kernel has no SELinux, or its policy lacks the label";
        return error.field("/linux/mountLabel").value(label).remedy(remedy);
    }
    let slip = refused_option(step, pointer.as_deref(), errno, note, spec)
        .or_else(|| unknown_type(step, pointer.as_deref(), part, errno));
    let error = match slip {
        Some((field, value, meant)) => {
            error.field(field).value(value).remedy_if(meant.map(|meant| format!("did you mean {meant:?}?")))
        }
        None => error,
    };
    if let Some((i, limit)) = limit_behind(step, errno, spec) {
        let remedy = "the program, its arguments and what starts it need more than this limit: raise it, or leave it out";
        let error = error.field(format!("/process/rlimits/{i}/soft"));
        return error.value(format!("{} {}", limit.kind, limit.soft)).remedy(remedy);
    }
    let error = error.remedy_if(remedy(step, pointer.as_deref(), part, errno));
    let Some(mut pointer) = pointer else { return error };
    let value = value(step, &pointer, spec);
    if let Step::Device(_) = step {
        pointer.push_str("/path");
    }
    let error = error.field(pointer);
    if let Some(value) = value { error.value(value) } else { error }
}

/// The limit of the process that may be why one of the last steps before its program was refused.
fn limit_behind<'s>(step: &Step, errno: i32, spec: &'s Spec) -> Option<(usize, &'s Rlimit<'s>)> {
    let kinds: &[&str] = match (step, errno) {
        (Step::Arguments { .. } | Step::Exec { .. } | Step::ExecPath { .. }, libc::ENOMEM) => {
            &["RLIMIT_AS", "RLIMIT_DATA"]
        }
        (Step::Exec { .. } | Step::ExecPath { .. }, libc::EAGAIN) => &["RLIMIT_NPROC"],
        (Step::Exec { .. } | Step::ExecPath { .. }, libc::E2BIG) => &["RLIMIT_STACK"],
        _ => return None,
    };
    let limits = &spec.process.as_ref()?.rlimits;
    limits.iter().enumerate().find(|(_, limit)| kinds.contains(&&*limit.kind))
}

/// Whether the config's filter answers this call with this errno.
fn is_denied(spec: &Spec, call: &str, errno: i32) -> bool {
    let compiled = spec.linux().seccomp.as_ref().zip(Arch::native()).and_then(|(profile, native)| {
        let filter = seccomp::compile(profile, native, u32::MAX).ok()??;
        answer(&filter.program, native, call, [0; 6])
    });
    compiled == Some(libc::SECCOMP_RET_ERRNO | errno as u32)
}

/// What a security module may have against the program's start under its label.
fn refused_entry(spec: &Spec, errno: i32) -> Option<String> {
    if errno == libc::EACCES && annotations::find(&spec.annotations, annotations::LANDLOCK).is_some() {
        return Some(format!(
            "the rules of {} must allow \"execute\" for the program and for the interpreter or the loader (ld.so) that it \
             names; or its file system is mounted noexec, or the process's user may not execute it",
            annotations::LANDLOCK
        ));
    }
    let process = spec.process.as_ref().filter(|_| matches!(errno, libc::EACCES | libc::EPERM))?;
    let given = |label: &Option<Text>| label.as_deref().filter(|label| !label.is_empty()).map(str::to_owned);
    let selinux = given(&process.selinux_label).map(|label| {
        format!("the SELinux policy may not let the runtime enter {label} (transition, and with noNewPrivileges nnp_transition), or not with this program (entrypoint)")
    });
    selinux.or_else(|| {
        let profile = given(&process.apparmor_profile)?;
        Some(format!("the AppArmor profile {profile} may not allow the program, or the runtime's own not the change to it"))
    }).map(|reason| format!("{reason}; or its file system is mounted noexec, or the process's user may not execute it"))
}

/// The mount label, if that is what a file system did not take.
fn refused_label<'a>(step: &Step, part: Part, note: &[u8], spec: &'a Spec) -> Option<&'a str> {
    let label = spec.linux.as_ref()?.mount_label.as_deref().filter(|label| !label.is_empty())?;
    let refused = match (step, part) {
        (Step::Filesystem { .. } | Step::Mask { .. }, Part::FsConfig) => {
            note.windows(7).any(|word| word == b"context")
        }
        (Step::Filesystem { .. }, Part::Label) => true,
        _ => false,
    };
    refused.then_some(label)
}

/// The index of the mount that a pointer names.
fn mount_index(pointer: &str) -> Option<usize> {
    pointer.strip_prefix("/mounts/").and_then(|index| index.parse().ok())
}

/// Those of tmpfs(5) that take a value, or that a slip may hit.
const TMPFS_OPTIONS: [&str; 9] =
    ["size", "nr_blocks", "nr_inodes", "mode", "uid", "gid", "huge", "mpol", "noswap"];

/// What was probably a slip: pointer, value, what was meant.
type Slip<'s> = (String, Cow<'s, str>, Option<&'static str>);

/// Those that configs name, for a slip.
const FILE_SYSTEMS: [&str; 13] = [
    "tmpfs",
    "proc",
    "sysfs",
    "devpts",
    "mqueue",
    "cgroup",
    "cgroup2",
    "overlay",
    "ext4",
    "xfs",
    "btrfs",
    "bind",
    "hugetlbfs",
];

/// The option that a file system refuses, if it says which, or if one looks like a slip for a mount option.
fn refused_option<'s>(
    step: &Step,
    pointer: Option<&str>,
    errno: i32,
    note: &[u8],
    spec: &'s Spec,
) -> Option<Slip<'s>> {
    let (Step::Filesystem(_) | Step::Mount(_), libc::EINVAL) = (step, errno) else { return None };
    let said = String::from_utf8_lossy(note);
    let named = said.split('\'').nth(1);
    let mount = spec.mounts.get(mount_index(pointer?)?)?;
    let own = if mount.kind.as_deref() == Some("tmpfs") { &TMPFS_OPTIONS[..] } else { &[] };
    let meant = |option: &str| {
        let name = option.split('=').next().unwrap_or_default();
        let names = MOUNT_OPTIONS.iter().map(|known| known.name).chain(own.iter().copied());
        nearest(name, names).filter(|_| mount_option(name).is_none() && !own.contains(&name))
    };
    let refused = |option: &str| match named {
        Some(named) => option.split('=').next() == Some(named),
        None => meant(option).is_some(),
    };
    let mut those = mount.options.iter().enumerate().filter(|(_, option)| refused(option));
    let (i, option) = those.next()?;
    // Given twice: the kernel does not say which of them it is.
    let (field, value) = match those.next() {
        Some(_) => {
            let all: Vec<&str> =
                mount.options.iter().map(|option| &**option).filter(|o| refused(o)).collect();
            (format!("{}/options", pointer?), Cow::Owned(all.join(",")))
        }
        None => (format!("{}/options/{i}", pointer?), Cow::Borrowed(&**option)),
    };
    Some((field, value, meant(option)))
}

/// A file system that the kernel does not know, likewise.
fn unknown_type(step: &Step, pointer: Option<&str>, part: Part, errno: i32) -> Option<Slip<'static>> {
    let kind = match (step, part, errno) {
        (Step::Filesystem(Filesystem { kind, .. }), Part::FsOpen, libc::ENODEV) => kind,
        (Step::Mount(Mount { kind, .. }), Part::Mount, libc::ENODEV) => kind,
        _ => return None,
    };
    let pointer = pointer.filter(|pointer| mount_index(pointer).is_some())?;
    let kind = text(kind);
    let meant = nearest(&kind, FILE_SYSTEMS.into_iter());
    Some((format!("{pointer}/type"), Cow::Owned(kind), meant))
}

/// What the config has at the pointer.
fn value(step: &Step, pointer: &str, spec: &Spec) -> Option<String> {
    let mount = mount_index(pointer);
    Some(match step {
        Step::Bind { .. } | Step::Copy { .. } => {
            spec.mounts.get(mount?).and_then(|mount| mount.source.as_deref()).unwrap_or_default().to_owned()
        }
        Step::Filesystem(Filesystem { target: path, .. })
        | Step::Mount(Mount { target: path, .. })
        | Step::Remount(Remount { target: path, .. })
        | Step::FindMount { path, .. }
        | Step::Unmount { path, .. } => mount.map(|_| text(path))?,
        Step::Mask { path, .. }
        | Step::Readonly { path }
        | Step::Chdir { path, .. }
        | Step::Cwd { path, .. }
        | Step::Device(Device { path, .. }) => text(path),
        Step::Sysctl { value: Bytes(value), .. }
        | Step::Hostname { name: Bytes(value) }
        | Step::Domainname { name: Bytes(value) } => String::from_utf8_lossy(value).into_owned(),
        Step::LabelFile { value, .. } | Step::SelfFile { value, .. } => {
            String::from_utf8_lossy(value.0).trim_end().trim_start_matches("exec ").to_owned()
        }
        Step::Rlimit { soft, hard, .. } => format!("soft {soft}, hard {hard}"),
        Step::User { uid, gid } => format!("{uid}:{gid}"),
        Step::CpuAffinity { .. } => {
            let affinity = spec.process.as_ref().and_then(|process| process.exec_cpu_affinity.as_ref());
            let list = affinity.and_then(|affinity| match pointer.ends_with("final") {
                true => affinity.final_.as_deref(),
                false => affinity.initial.as_deref(),
            });
            list.unwrap_or_default().to_owned()
        }
        Step::AllowBeneath { path, .. } => text(path),
        Step::Resolve { .. } | Step::Exec { .. } => program(spec),
        _ => return None,
    })
}

fn text(path: &CStr) -> String {
    path.to_string_lossy().into_owned()
}

fn program(spec: &Spec) -> String {
    spec.process
        .as_ref()
        .and_then(|process| process.args.first())
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// The system call, or what the file system itself has said in its log ("e tmpfs: Bad value for 'size'").
fn reason(words: &'static str, note: &[u8]) -> String {
    let said = String::from_utf8_lossy(note);
    let said = said.trim_end().trim_start_matches("e ").trim_start_matches("w ");
    match (said.is_empty(), words.is_empty()) {
        (false, _) => said.to_owned(),
        (true, false) => words.to_owned(),
        (true, true) => "refused".to_owned(),
    }
}

fn remedy(step: &Step, pointer: Option<&str>, part: Part, errno: i32) -> Option<&'static str> {
    let kind = match step {
        Step::Filesystem(Filesystem { kind, .. }) => kind.to_bytes(),
        _ => b"",
    };
    Some(match (step, part, errno) {
        (_, Part::FsCreate | Part::FsMount, libc::EPERM) if matches!(kind, b"proc" | b"sysfs") => {
            "the runtime's own /proc or /sys has parts masked, so the kernel allows no new one: run it outside of \
             that container, or bind the one that is there"
        }
        (Step::Unshare { .. }, _, libc::ENOSPC) => birth::TOO_MANY_NAMESPACES,
        (Step::EnterCgroup { .. }, _, libc::EINVAL) => {
            "a process with a real-time policy may enter a cpu cgroup only if that has real-time runtime"
        }
        (_, Part::FsOpen | Part::FsCreate, libc::EPERM) if kind == b"sysfs" => {
            "in a user namespace, sysfs needs a network namespace of the container's own: add {\"type\": \"network\"}, \
             or bind the host's /sys instead"
        }
        (_, Part::FsOpen | Part::FsCreate, libc::EPERM) if kind == b"mqueue" => {
            "in a user namespace, mqueue needs an ipc namespace of the container's own: add {\"type\": \"ipc\"}, or bind \
             the host's /dev/mqueue instead"
        }
        (_, Part::FsOpen | Part::FsCreate, libc::EPERM) if matches!(kind, b"cgroup" | b"cgroup2") => {
            "in a user namespace it needs the container's own cgroup namespace, and cgroup v2: add \
             {\"type\": \"cgroup\"}, or leave the mount out"
        }
        (Step::Bind { .. }, Part::OtherLink, _) => {
            "copy-symlink makes a link that is missing, and accepts the same link: remove what is there"
        }
        (Step::FindMount { .. } | Step::Unmount { .. }, Part::NoMount | Part::OtherMount, _) => {
            "the container has taken it away, has moved what is on the way, or has mounted something over it"
        }
        (Step::Unmount { .. }, Part::Unmount, libc::EINVAL) => {
            "the kernel has locked it: it came with a namespace, or covers what its user may not see"
        }
        (Step::Filesystem { .. } | Step::Mount { .. }, Part::FsOpen | Part::Mount, libc::ENODEV) => {
            "this kernel has no such file system"
        }
        (Step::Filesystem { .. }, Part::FsConfig | Part::FsCreate, libc::ENOENT) if kind == b"overlay" => {
            "a directory that lowerdir, upperdir or workdir names does not exist"
        }
        (Step::Filesystem { .. } | Step::Bind { .. }, Part::OpenTarget, libc::ELOOP) => {
            "a symbolic link is in the way of the destination, and here none is allowed"
        }
        (Step::Filesystem { .. } | Step::Bind { .. }, Part::MoveMount, libc::ENOTDIR | libc::EINVAL) => {
            "a directory goes onto a directory and a file onto a file"
        }
        (_, Part::MakeTarget, libc::EROFS) => "make the destination in the image, or the root writable",
        (Step::HostPropagation { .. }, Part::MountSetattr, libc::EINVAL) => {
            "the caller's root is a directory of a mount, not a mount (a chroot): bind it onto itself first"
        }
        (_, Part::MountSetattr, libc::ENOSYS) => "Linux 5.12 or newer is needed",
        (_, Part::MountSetattr, libc::EPERM) => {
            "in a user namespace, flags that the host has set on a mount cannot be taken away"
        }
        (Step::Copy { .. }, Part::OpenSource, libc::EINVAL) => {
            "in a user namespace the kernel shows no directory without what is mounted below it: let the option be rbind; \
             and an unbindable mount cannot be copied"
        }
        (Step::Root { .. } | Step::Copy { .. } | Step::Bind { .. }, _, libc::EACCES) => {
            "the container's user must be able to pass every directory above it"
        }
        (Step::Pivot {}, Part::PivotRoot, libc::EINVAL) => {
            "on a host that runs from its initramfs, use --no-pivot"
        }
        (Step::NewDevice(_), Part::Mknod, libc::EEXIST) => {
            "something is at this path: name another one behind a colon; or if it is the device, open it by update --device-rule"
        }
        (Step::NewDevice(_), Part::OpenTarget, libc::ELOOP) => {
            "a symbolic link is in the way, by which the container would choose the place: name the place itself"
        }
        (Step::NewDevice(_), Part::Mknod, libc::EROFS) => {
            "name a place behind a colon that is writable, such as /dev"
        }
        (Step::RemoveDevice { .. }, Part::Unexpected, _) => {
            "something else than the device that was added is there now"
        }
        (Step::Device { .. } | Step::NewDevice(_), Part::Mknod, libc::EPERM) => {
            "making device nodes needs CAP_MKNOD on the host"
        }
        (Step::CpuAffinity { .. }, _, libc::EINVAL) => {
            "none of these CPUs is online and in the cpuset that the process is in: for initial the caller's, for final \
             the container's"
        }
        (Step::Scheduler { .. }, _, libc::EPERM) => {
            "a realtime policy and a lower nice value need CAP_SYS_NICE on the host; a deadline policy also needs a process \
             that may run on every CPU"
        }
        (Step::Scheduler { .. }, _, libc::EBUSY) => "the host's CPUs have no time left for such a deadline",
        (Step::IoPriority { .. }, _, libc::EPERM) => "the realtime class needs CAP_SYS_NICE on the host",
        (Step::Rlimit { resource, .. }, _, libc::EPERM) => rlimits::remedy(*resource),
        (Step::Seccomp { .. }, _, libc::EINVAL) => "the kernel knows no such filter or flag",
        (Step::LabelFile { .. } | Step::SelfFile { .. }, Part::Open, libc::ENOENT) => {
            "this kernel has no such security module, or it is not enabled"
        }
        (Step::LabelFile { .. } | Step::SelfFile { .. }, Part::Write, libc::ENOENT) => {
            "the profile is not loaded"
        }
        (Step::LabelFile { .. } | Step::SelfFile { .. }, Part::Write, libc::EINVAL) => {
            "this kernel has no such security module, or its policy lacks the label"
        }
        (Step::Resolve { .. }, Part::NotFound, _) if pointer.is_none() => {
            "startContainer hooks are programs of the container"
        }
        (Step::Resolve { .. }, Part::NotFound, _) => {
            "the path is taken inside the container's root filesystem"
        }
        (Step::Home { .. }, _, libc::EAGAIN) => {
            "HOME is / now: a process holds a lease on the file; set HOME in process.env"
        }
        (Step::Home { .. }, ..) => {
            "HOME is / now: set it in process.env, or let the process's user read the file"
        }
        (Step::Chdir { .. }, Part::Chdir, libc::ENOENT) => {
            "exec does not create the working directory: name one that exists"
        }
        (Step::Cwd { .. }, Part::OpenTarget, libc::EACCES) => {
            "it is missing, and is made only where the process's user may search the way to it: make it in the image, or \
             open the directories above it to that user"
        }
        (Step::Chdir { .. } | Step::Cwd { .. }, Part::OutsideRoot, _) => {
            "choose a directory inside the container"
        }
        (Step::User { .. } | Step::BecomeRoot { .. } | Step::Groups { .. }, _, libc::EINVAL) => {
            "the id is not mapped: extend linux.uidMappings and linux.gidMappings"
        }
        (Step::Groups { .. }, _, libc::EPERM) => "an ordinary user's namespace may not change groups",
        (Step::OpenNull {}, Part::Unexpected, _) => {
            "the image has put something else in the place of /dev/null"
        }
        (Step::Console { .. }, Part::OpenTarget, libc::ENOENT) => {
            "a terminal needs a devpts mounted on /dev/pts"
        }
        (Step::AllowBeneath { .. }, Part::Open, libc::ENOENT | libc::ENOTDIR) => {
            "the path is taken inside the container, where it has to be there, unless its rule has \"optional\": true"
        }
        (Step::AllowBeneath { .. }, Part::Open, libc::ELOOP) => {
            "links below /proc that lead to an open file are not followed: name the file itself"
        }
        (Step::AllowBeneath { .. }, Part::Whole, libc::ENOTDIR) => {
            "the rule has rights of directories alone, and this is a file"
        }
        (Step::Restrict {}, _, libc::EPERM) => {
            "set process.noNewPrivileges: without it the runtime needs CAP_SYS_ADMIN"
        }
        (Step::Restrict {}, _, libc::E2BIG) => {
            "16 rulesets, the caller's own among them, are the kernel's limit"
        }
        (Step::Sysctl { .. }, Part::Open, libc::ENOENT) => "this kernel has no such parameter",
        (Step::Sysctl { .. }, Part::Write, libc::EINVAL | libc::ERANGE) => {
            "the kernel does not take this value for the parameter: give another one, or leave it out"
        }
        (Step::Chdir { .. } | Step::Cwd { .. }, _, libc::ENOTDIR) => "name a directory",
        (Step::Device(_), Part::Unexpected, _) => {
            "the image or a mount has put it there: remove it, or choose another path for the device"
        }
        (Step::Filesystem { .. }, Part::FsConfig | Part::FsCreate, libc::EINVAL) => {
            "the file system does not take this option or this value: see its manual page"
        }
        _ => return None,
    })
}

/// No program that could be executed was found.
fn program_missing(spec: &Spec, first: &str, part: Part, errno: i32) -> Error {
    let wanted = program(spec);
    if part == Part::NotFound && !wanted.contains('/') {
        return Error::new(format!("exec: {wanted:?}: executable file not found in $PATH"))
            .kind(Kind::NotFound)
            .remedy(match wanted.starts_with('-') {
                true => "options stand before the container's id",
                false => "give the program's whole path, or set PATH in process.env or by --env of exec",
            });
    }
    match part {
        Part::NotFound => Error::os(format!("exec: {first:?}: stat {first}"), errno).kind(Kind::NotFound),
        _ => {
            let error = Error::os(format!("exec: {wanted:?}"), errno).kind(Kind::NotExecutable);
            match errno {
                libc::EISDIR => error.remedy("name a program in it"),
                libc::EACCES => error.remedy("the process's user must be allowed to execute it (chmod +x)"),
                _ => error,
            }
        }
    }
}

/// The kernel refused a program that is there; its first bytes tell why.
fn not_started(program: &str, errno: i32, head: &[u8]) -> Error {
    let error = Error::os(format!("exec {program}"), errno);
    match errno {
        libc::ENOENT => match program_head::interpreter(head) {
            Some(interpreter) => error.kind(Kind::NotFound).remedy(format!(
                "the program is there; the interpreter that it names, {interpreter}, is not"
            )),
            None => error.kind(Kind::NotFound),
        },
        libc::ENOEXEC => error.kind(Kind::NotExecutable).remedy(program_head::foreign(head)),
        libc::EACCES | libc::EPERM => error.kind(Kind::NotExecutable).remedy(
            "check that its file system is not mounted noexec, and that the process's user may execute it",
        ),
        _ => error,
    }
}
