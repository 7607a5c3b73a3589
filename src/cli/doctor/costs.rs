//! What things cost on this host, in microseconds. Nothing stays of what is made for it.

use crate::cgroup::location::own_directory;
use crate::cli::facts::Fact;
use crate::cli::findings::{
    Section,
    Verdict::{Note, Ok as Fine},
};
use crate::host::cgroups::Layout;
use crate::host::{Facts, mountinfo};
use crate::names;
use crate::names::namespaces;
use crate::sys::{SysResult, probe, process};
use std::fs;
use std::time::{Duration, Instant};

/// Kinds of namespaces, by the labels that they have here.
const KINDS: [(&str, &str); 8] = [
    ("user", "user namespace"),
    ("ipc", "ipc namespace"),
    ("uts", "uts namespace"),
    ("network", "network namespace"),
    ("pid", "pid namespace"),
    ("cgroup", "cgroup namespace"),
    ("time", "time namespace"),
    ("mount", "mount namespace"),
];

/// What a process without namespaces, a cgroup or a question costs where nothing is wrong: well below this.
const USUAL: Duration = Duration::from_millis(5);

pub fn section(layout: Option<&Layout>, facts: Option<&Facts>, trip: Option<Duration>) -> Section {
    let mut section = Section::new("costs (µs)");
    let add = |section: &mut Section, label, cost: Option<Duration>, remedy: &'static str| {
        if let Some(cost) = cost {
            let verdict = if cost > USUAL { Note } else { Fine };
            section.judge(label, Fact::Number(cost.as_micros() as u64), verdict, remedy);
        }
    };
    let busy =
        "the machine may be busy, or a tracer or an audit rule may slow system calls down: measure again";
    let plain = best(20, || process::brief(0, 0));
    add(&mut section, "process", plain, busy);
    // Who may not mount makes the others in a user namespace, whose own cost is taken off.
    let (within, base) = match facts.is_some_and(|facts| facts.privileged) {
        true => (0, plain),
        false => (namespaces::USER, best(20, || process::brief(namespaces::USER, 0))),
    };
    for (kind, label) in KINDS {
        let flag = names::namespace(kind).map_or(0, |namespace| namespace.flag);
        let without = if kind == "user" { plain } else { base }.unwrap_or_default();
        let whole = match within | flag {
            namespaces::USER if within != 0 => base,
            flags => best(20, || process::brief(flags, 0)),
        };
        let remedy = if kind == "mount" {
            "the mount table is copied for each container: unmount what is not needed"
        } else {
            busy
        };
        add(&mut section, label, whole.map(|cost| cost.saturating_sub(without)), remedy);
    }
    let mounts = mountinfo::table("self").map_or(0, |table| table.lines().count());
    section.say("mounts (number)", Fact::Number(mounts as u64));
    let slow = "a process that an engine moves between cgroups waits for it (containers of rruntime's are born \
                in theirs): mount cgroup2 with favordynmods (Linux 6.0), or boot with rcupdate.rcu_expedited=1";
    add(&mut section, "grace period (RCU)", best(3, probe::grace_period), slow);
    let own = layout
        .and_then(|layout| own_directory(layout, if layout.is_unified() { None } else { Some("memory") }));
    let cgroup = own.and_then(|own| {
        let path = format!("{own}/rruntime-doctor-{}", std::process::id());
        best(5, || {
            let made = fs::create_dir(&path).and_then(|()| fs::remove_dir(&path));
            made.map_err(|e| crate::sys::Errno(e.raw_os_error().unwrap_or(0)))
        })
    });
    add(&mut section, "cgroup", cgroup, busy);
    add(
        &mut section,
        "question to systemd",
        trip,
        "containers with --systemd-cgroup ask several: look at systemctl list-jobs",
    );
    section
}

/// The shortest of some rounds, as the others waited for something else; `None` where it is refused.
fn best(rounds: u32, act: impl Fn() -> SysResult<()>) -> Option<Duration> {
    let mut shortest = Duration::MAX;
    for _ in 0..rounds {
        let begin = Instant::now();
        act().ok()?;
        shortest = shortest.min(begin.elapsed());
    }
    Some(shortest)
}
