//! Cgroups: which hierarchies there are, and what this caller may do in them.

use crate::cgroup::location::own_directory;
use crate::cli::facts::Fact;
use crate::cli::findings::{
    Section,
    Verdict::{Note, Ok as Fine, Problem},
};
use crate::host::Facts;
use crate::host::cgroups::{self as hierarchies, Layout};
use crate::host::mountinfo::{self, lines};
use crate::host::survey;
use crate::sys::{c, file, identity};
use std::os::fd::AsFd;
use std::path::Path;

const NO_CONTROLLER: &str =
    "limits of this controller are refused: enable it in the kernel or in the parent cgroup";
const NOT_DELEGATED: &str = "limits of this controller are refused: as root, systemctl edit \
                             user@.service, add the lines [Service] and Delegate=cpu cpuset io memory pids, and log in again";
const NOT_WRITABLE: &str = "no cgroup of a container can be made: mount -o remount,rw /sys/fs/cgroup, or use \
    --cgroup-manager disabled";
const NOT_YOURS: &str = "containers have no limits: --systemd-cgroup, or a cgroup of yours by \
                         systemd-run --user --scope -p Delegate=yes COMMAND";

pub fn section(layout: Option<&Layout>, facts: Option<&Facts>) -> Section {
    let mut section = Section::new("cgroups");
    let Some(layout) = layout else {
        section.judge("layout", Fact::Missing, Problem, "mount -t cgroup2 none /sys/fs/cgroup");
        return section;
    };
    let privileged = facts.is_some_and(|facts| facts.privileged);
    let unified = layout.only_v2();
    let old = "cgroup v1 is at its end, and moves of processes are slow in it: boot with \
        systemd.unified_cgroup_hierarchy=1";
    let verdict = if unified.is_some() { Fine } else { Note };
    section.judge("layout", Fact::text(survey::layout_name(layout)), verdict, old);
    if let Some(mount) = unified {
        section.say("mounted on", Fact::text(&mount.path));
    }
    let all = survey::controllers(layout);
    let controller = if unified.is_some() { None } else { Some("memory") };
    let own = own_directory(layout, controller);
    // What an ordinary user may use of them: systemd makes the user's scopes below the user's manager.
    let uid = identity::euid();
    let manager = format!("{}/user.slice/user-{uid}.slice/user@{uid}.service", hierarchies::MOUNT);
    let users = [manager].into_iter().chain(own.clone()).find_map(|directory| words(&directory));
    let users = users.filter(|_| unified.is_some() && !privileged).unwrap_or_else(|| all.clone());
    for wanted in ["cpu", "memory", "pids"] {
        let has = |list: &[String]| list.iter().any(|name| name == wanted);
        match (has(&all), has(&users)) {
            (false, _) => section.judge(wanted, Fact::Missing, Problem, NO_CONTROLLER),
            (true, false) => section.judge(wanted, Fact::Missing, Note, NOT_DELEGATED),
            (true, true) => {}
        }
    }
    section.say("controllers", Fact::List(all));
    section.say("controllers for the caller", Fact::List(users));
    let Some(own) = own else { return section };
    let may_make = file::openat2(file::cwd(), &c(&own).unwrap_or_default(), libc::O_DIRECTORY, 0, 0)
        .and_then(|directory| file::may_write(directory.as_fd()))
        .is_ok();
    let (weight, remedy) = if privileged { (Problem, NOT_WRITABLE) } else { (Note, NOT_YOURS) };
    section.expect("may make cgroups", may_make, weight, remedy);
    if unified.is_some() {
        let table = mountinfo::table("self").unwrap_or_default();
        let delegates = lines(&table).any(|line| {
            line.kind == "cgroup2" && line.options.split(',').any(|option| option == "nsdelegate")
        });
        let remedy = "a container with a writable cgroup mount can raise its own limits: mount -o \
            remount,nsdelegate /sys/fs/cgroup";
        section.expect("delegation by namespaces", delegates, Note, remedy);
    }
    // The root of a v2 hierarchy has no limits, so what it has no file of may be there all the same.
    let file = if unified.is_some() { "memory.swap.max" } else { "memory.memsw.limit_in_bytes" };
    if unified.is_none() || Path::new(&own).join("memory.max").exists() {
        let limited = Path::new(&own).join(file).exists();
        section.expect(
            "swap is limited",
            limited,
            Note,
            "limits of swap are refused: boot with swapaccount=1",
        );
    }
    section.say("own cgroup", Fact::Text(own));
    section.say("pressure", Fact::Yes(Path::new("/proc/pressure/memory").exists()));
    section
}

/// The controllers of a v2 group.
fn words(directory: &str) -> Option<Vec<String>> {
    let text = survey::value(&format!("{directory}/cgroup.controllers"))?;
    Some(text.split_whitespace().map(str::to_owned).collect())
}
