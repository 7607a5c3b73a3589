//! `doctor`, also called `info`: what this host can do for containers of this caller, what it costs, and what helps where
//! it cannot.
//!
//! It changes nothing. Without `--measure` one process is made, in a user namespace of its own, and ends at once; besides,
//! `criu --version` is executed where there is a criu. With it, more such processes, in each kind of namespace, and a
//! cgroup that is removed again.

mod caller;
mod cgroups;
mod costs;
mod kernel;
mod limits;

use super::commands::command::{Action, Command, ON_THE_HOST};
use super::facts::Fact;
use super::findings::{Section, Verdict, count, object, table};
use super::table::{Form, form_option, form_or_json};
use super::{Arguments, Session, arguments::switch, streams, version};
use crate::cgroup::systemd::{Buses, ask_version};
use crate::error::Result;
use crate::host::{Facts, cgroups as hierarchies, survey};
use crate::sys::{identity, spawn};
use clap::Arg;
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use {Verdict::Note, Verdict::Ok as Fine, Verdict::Problem};

const DETAIL: &str = "\
Shows the kernel, the caller, cgroups, systemd, security modules, id maps, CRIU and limits. A line with ! is a problem:
ordinary containers of this caller, or the defaults of an engine, fail. A line with * is a note: something is slower than
it could be, or some containers cannot have it. Below such a line stands what helps. In JSON each fact has its name, and
`findings` lists the notes and problems.

`doctor` exits with 0 if there is no problem, with 2 if there is one, and with 1 after an error of its own; `info` exits
with 0 even if it finds a problem. Nothing on the host is changed. --measure also shows costs, in microseconds: the best of several
processes in new namespaces that end at once, of cgroups that are removed again, and of RCU grace periods.";

pub const COMMAND: Command = Command {
    name: "doctor",
    about: "show what this host can do for containers, what it costs, and what helps",
    detail: DETAIL,
    examples: "doctor\n\
               doctor --measure --json > report.json",
    options,
    action: Action::Call(|session, arguments| examine(session, arguments, PROBLEMS)),
    ..ON_THE_HOST
};

/// The name that it had first.
pub const INFO: Command = Command {
    name: "info",
    about: "show what `doctor` shows; it exits with 0 even if it finds a problem",
    detail: DETAIL,
    examples: "info\n\
               info --format json",
    options,
    action: Action::Call(|session, arguments| examine(session, arguments, 0)),
    ..ON_THE_HOST
};

/// The exit code where there is a problem: not that of an error.
const PROBLEMS: i32 = 2;

fn options() -> Vec<Arg> {
    vec![
        form_option(),
        switch("json", "as --format json"),
        switch(
            "measure",
            "also measure what namespaces, cgroups and grace periods cost (less than a second)",
        ),
    ]
}

fn examine(session: &Session, arguments: &Arguments, problems: i32) -> Result<i32> {
    let form = form_or_json(arguments)?;
    let probed = crate::host::probe();
    let facts = probed.as_ref().ok();
    let layout = hierarchies::detect().ok();
    let (systemd, trip) = systemd(facts);
    let mut sections = vec![
        program(session),
        kernel::section(facts),
        caller::section(probed.as_ref()),
        cgroups::section(layout.as_ref(), facts),
        systemd,
        caller::security(),
        caller::ids(facts),
        criu(),
        limits::section(facts),
    ];
    if arguments.switch("measure") {
        sections.push(costs::section(layout.as_ref(), facts, trip));
    }
    let found = (count(&sections, Problem), count(&sections, Note));
    match form {
        Form::Json => streams::print_pretty_json(&object(sections))?,
        Form::Table => {
            let end = format!("problems (!): {}, notes (*): {}\n", found.0, found.1);
            streams::print(&(table(&sections) + &end))?;
        }
    }
    Ok(if found.0 > 0 { problems } else { 0 })
}

fn program(session: &Session) -> Section {
    let mut section = Section::new("rruntime");
    section.say("version", Fact::text(version::VERSION));
    section.say("commit", Fact::text(version::COMMIT));
    section.say("specification", Fact::text(version::SPECIFICATION));
    let root = session.root_path();
    section.say("state directory", Fact::text(root.display()));
    let there = root.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let in_memory = statfs(there).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC);
    let remedy = "records on a disk make commands slower and outlive a restart: use a directory of a tmpfs";
    section.expect("state in memory", in_memory, Note, remedy);
    section
}

/// And how long a question to it takes.
fn systemd(facts: Option<&Facts>) -> (Section, Option<Duration>) {
    let mut section = Section::new("systemd");
    section.say("is the init system", Fact::Yes(Path::new("/run/systemd/system").is_dir()));
    let buses = Buses::of_environment();
    let ordinary = facts.is_none_or(|facts| facts.euid != 0 || facts.in_user_namespace);
    let address = if ordinary { buses.user } else { Some(buses.system) };
    let (answer, remedy) = match &address {
        Some(address) => (ask_version(address).ok(), USE_FILES),
        None => (None, "set XDG_RUNTIME_DIR or DBUS_SESSION_BUS_ADDRESS, as a login session does"),
    };
    section.say("bus", address.map_or(Fact::Missing, Fact::Text));
    let remedy = if ordinary && identity::euid() != 0 { USERS_BUS } else { remedy };
    section.expect("answers", answer.is_some(), Note, remedy);
    let (version, trip) = answer.map_or((None, None), |(version, trip)| (Some(version), Some(trip)));
    section.say("version", version.map_or(Fact::Missing, Fact::Text));
    (section, trip)
}

const USE_FILES: &str = "no systemd answers there, so containers with --systemd-cgroup fail: let \
                         engines make cgroups by file (podman: cgroup_manager = \"cgroupfs\"; Docker: native.cgroupdriver=cgroupfs; \
                         containerd: SystemdCgroup = false)";
const USERS_BUS: &str = "no systemd of yours answers there: log in through PAM (ssh, machinectl shell), \
                          or run loginctl enable-linger and set XDG_RUNTIME_DIR=/run/user/UID";

/// Debian 12's, 3.17, knows today's kernels no more.
const OLDEST_CRIU: (u32, u32) = (4, 2);

fn criu() -> Section {
    let mut section = Section::new("checkpoint (CRIU)");
    let path = survey::program("criu");
    let absent = "checkpoint and restore need CRIU 4.2 or newer in PATH";
    let verdict = if path.is_some() { Fine } else { Note };
    let shown = path.as_ref().map_or(Fact::Missing, |path| Fact::text(path.display()));
    section.judge("program", shown, verdict, absent);
    if let Some(path) = path {
        let mut command = spawn::program(path);
        let said = command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
        let text = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
        let version = text.split_whitespace().nth(1).unwrap_or("unknown");
        let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
        let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let verdict = if number < OLDEST_CRIU { Note } else { Fine };
        section.judge("version", Fact::text(version), verdict, absent);
    }
    // Only a kernel with CONFIG_CHECKPOINT_RESTORE has this file.
    let able = Path::new("/proc/self/timers").exists();
    section.expect("kernel support", able, Note, "a kernel with CONFIG_CHECKPOINT_RESTORE is needed");
    section
}
