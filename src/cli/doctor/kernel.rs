//! The kernel: what later versions have, asked of the kernel itself where it can be asked.

use crate::cli::facts::Fact;
use crate::cli::findings::{
    Section,
    Verdict::{Note, Ok as Fine, Problem},
};
use crate::host::{self, Facts, survey};
use crate::names;
use crate::sys::{Errno, identity, probe};
use nix::sys::utsname::uname;
use std::fs::File;
use std::os::fd::AsFd;

pub fn section(facts: Option<&Facts>) -> Section {
    let mut section = Section::new("kernel");
    let name = uname();
    let part = |part: Option<&std::ffi::OsStr>| Fact::text(part.unwrap_or_default().to_string_lossy());
    section.say("release", part(name.as_ref().ok().map(|name| name.release())));
    section.say("machine", part(name.as_ref().ok().map(|name| name.machine())));
    let there = survey::namespaces();
    let lacks = |n: &&names::Namespace| !there.contains(&n.kind);
    let missing: Vec<&str> = names::NAMESPACES.iter().filter(lacks).map(|n| n.kind).collect();
    section.say("namespaces", Fact::list(&there));
    if !missing.is_empty() {
        let remedy = "containers that ask for them fail: use a kernel with their CONFIG_…_NS options";
        section.judge("namespaces that are missing", Fact::list(missing), Problem, remedy);
    }
    let kernel = identity::kernel_version();
    if kernel < host::OLDEST_KERNEL {
        section.judge("is new enough", Fact::Yes(false), Problem, "Linux 5.12 or newer is needed");
    }
    let may_mount = facts.is_some_and(|facts| facts.privileged);
    refused(&mut section, may_mount);
    section.say("cgroup.kill (5.14)", Fact::Yes(kernel >= (5, 14)));
    let mapped = "id-mapped mounts of container images are refused: use Linux 5.19 or newer";
    section.expect("id-mapped overlay (5.19)", kernel >= (5, 19), Note, mapped);
    section.say("statmount (6.8)", Fact::Yes(probe::has_statmount()));
    section.say("pidfd info (6.13)", Fact::Yes(probe::has_pidfd_info()));
    section.say("proc of another pid namespace (6.18)", Fact::Yes(shows_other_pids(may_mount, kernel)));
    section.say("mount namespace of one tree (7.0)", Fact::Yes(kernel >= (7, 0)));
    if let Some(word) = survey::value("/proc/sys/vm/memfd_noexec") {
        let verdict = if word == "2" { Note } else { Fine };
        let remedy = "init runs from a file in memory that is mounted nowhere, which is slower: sysctl -w \
            vm.memfd_noexec=1";
        section.judge("memory files may be executed", Fact::Yes(word != "2"), verdict, remedy);
    }
    let known = survey::value("/proc/filesystems").unwrap_or_default();
    let overlay = known.lines().any(|line| line.ends_with("\toverlay"));
    section.expect("overlay", overlay, Note, "engines keep images in it: modprobe overlay");
    section
}

/// The calls that this kernel lacks, or that a filter around us refuses.
fn refused(section: &mut Section, may_mount: bool) {
    let refused = |(_, number, needs_rights): &&(&str, _, bool)| match probe::answer(*number) {
        Errno(libc::ENOSYS) => true,
        Errno(libc::EPERM) => may_mount || !needs_rights,
        _ => false,
    };
    let names: Vec<&str> = probe::NEEDED.iter().filter(refused).map(|row| row.0).collect();
    let verdict = if names.is_empty() { Fine } else { Problem };
    let remedy =
        "no container can be made without them: the seccomp filter of the container around has to allow them";
    section.judge("system calls that are refused", Fact::list(names), verdict, remedy);
}

/// Asked of the kernel by a caller who may mount.
fn shows_other_pids(may_mount: bool, kernel: (u32, u32)) -> bool {
    match File::open("/proc/self/ns/pid") {
        Ok(own) if may_mount => probe::proc_of(own.as_fd()).is_ok(),
        _ => kernel >= (6, 18),
    }
}
