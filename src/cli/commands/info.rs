//! `info`: this program, this host, and what of each other they can use.

use super::command::{Action, Command, ON_THE_HOST};
use crate::cli::facts::Fact;
use crate::cli::table::{Form, form, form_option};
use crate::cli::{Arguments, Session, streams, version};
use crate::error::Result;
use crate::host::{self, cgroups, subordinate, survey};
use crate::names;
use crate::spec::cpus;
use crate::sys::identity;
use nix::sys::utsname::uname;
use std::borrow::Cow;

pub const COMMAND: Command = Command {
    name: "info",
    about: "show what this host offers to containers",
    detail: "Shows the kernel, cgroups, namespaces, security modules, id maps and limits. A line with ! is something\n\
             that some containers need and this host lacks, with the remedy. `features` shows what rruntime supports.",
    examples: "info\n\
               info --format json  # for programs",
    options: || vec![form_option()],
    action: Action::Call(run),
    ..ON_THE_HOST
};

/// A headline and its facts, in order.
struct Section(&'static str, Vec<(&'static str, Fact)>);

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let sections = [program(session), kernel(), caller(), hierarchies(), security(), ids(), limits()];
    match form(arguments)? {
        Form::Table => streams::print(&table(&sections)),
        Form::Json => streams::print_pretty_json(&object(sections)),
    }
    .map(|()| 0)
}

fn program(session: &Session) -> Section {
    Section(
        "rruntime",
        vec![
            ("version", Fact::text(version::VERSION)),
            ("commit", Fact::text(version::COMMIT)),
            ("specification", Fact::text(version::SPECIFICATION)),
            ("state directory", Fact::text(session.root_path().display())),
        ],
    )
}

fn kernel() -> Section {
    let name = uname();
    let part = |part: Option<&std::ffi::OsStr>| Fact::text(part.unwrap_or_default().to_string_lossy());
    let release = name.as_ref().ok().map(|name| name.release());
    let mut facts = vec![
        ("release", part(release)),
        ("machine", part(name.as_ref().ok().map(|name| name.machine()))),
        ("namespaces", Fact::list(survey::namespaces())),
    ];
    let missing: Vec<&str> =
        names::NAMESPACES.iter().map(|n| n.kind).filter(|k| !survey::namespaces().contains(k)).collect();
    if !missing.is_empty() {
        facts.push(("namespaces that are missing", Fact::list(missing)));
    }
    let kernel = identity::kernel_version();
    if kernel < host::OLDEST_KERNEL {
        facts.push(("age", Fact::Missing("Linux 5.12 or newer is needed")));
    }
    facts.push(("cgroup.kill (5.14)", Fact::Yes(kernel >= (5, 14))));
    facts.push(("id-mapped overlay (5.19)", Fact::Yes(kernel >= (5, 19))));
    Section("kernel", facts)
}

fn caller() -> Section {
    let mut facts = vec![("user id", Fact::Number(identity::euid().into()))];
    match host::probe() {
        Ok(found) => {
            facts.push(("may mount", Fact::Yes(found.privileged)));
            facts.push(("in a user namespace", Fact::Yes(found.in_user_namespace)));
            let held = (0..64).filter(|bit| found.permitted >> bit & 1 == 1);
            let names: Vec<&str> = held.filter_map(names::capability_name).collect();
            facts.push(("capabilities", Fact::list(names)));
        }
        Err(e) => facts.push(("problem", Fact::text(e))),
    }
    Section("caller", facts)
}

const NO_CONTROLLER: &str =
    "limits of this controller are refused: enable it in the kernel or in the parent cgroup";

fn hierarchies() -> Section {
    let facts = match cgroups::detect() {
        Err(_) => vec![("layout", Fact::Missing("mount -t cgroup2 none /sys/fs/cgroup"))],
        Ok(layout) => {
            let controllers = survey::controllers(&layout);
            let mut facts = vec![("layout", Fact::text(survey::layout_name(&layout)))];
            if let Some(mount) = layout.only_v2() {
                facts.push(("mounted on", Fact::text(&mount.path)));
            }
            for wanted in ["cpu", "memory", "pids"] {
                if !controllers.iter().any(|name| name == wanted) {
                    facts.push((wanted, Fact::Missing(NO_CONTROLLER)));
                }
            }
            facts.push(("controllers", Fact::List(controllers)));
            facts
        }
    };
    Section("cgroups", facts)
}

fn security() -> Section {
    let actions = survey::seccomp_actions();
    let seccomp = if actions.is_empty() {
        Fact::Missing("a kernel with CONFIG_SECCOMP_FILTER is needed for seccomp profiles")
    } else {
        Fact::List(actions)
    };
    Section(
        "security",
        vec![
            ("modules", Fact::List(survey::security_modules())),
            ("apparmor", Fact::Yes(survey::has_apparmor())),
            ("selinux", Fact::Yes(survey::has_selinux())),
            ("seccomp actions", seccomp),
            ("resctrl", Fact::Yes(survey::has_resctrl())),
            ("memory policies", Fact::Yes(survey::has_memory_policies())),
        ],
    )
}

fn ids() -> Section {
    let uid = identity::euid();
    let user = crate::state::owner::UserNames::of_host().name(uid);
    let count = |file| {
        let ranges = subordinate::ranges(file, &user, uid);
        Fact::Number(ranges.iter().map(|(_, count)| u64::from(*count)).sum())
    };
    let tool = |name| match survey::program(name) {
        Some(path) => Fact::text(path.display()),
        None => Fact::Missing("install uidmap: ordinary users need it for more than one id"),
    };
    Section(
        "id maps",
        vec![
            ("newuidmap", tool("newuidmap")),
            ("newgidmap", tool("newgidmap")),
            ("subordinate user ids", count(subordinate::UIDS)),
            ("subordinate group ids", count(subordinate::GIDS)),
        ],
    )
}

/// Files of one number that bound how many containers a host can have.
const LIMITS: [(&str, &str); 4] = [
    ("processes (pid_max)", "/proc/sys/kernel/pid_max"),
    ("user namespaces", "/proc/sys/user/max_user_namespaces"),
    ("mounts in a namespace", "/proc/sys/fs/mount-max"),
    ("keys of a user", "/proc/sys/kernel/keys/maxkeys"),
];

fn limits() -> Section {
    let mut facts = Vec::new();
    let online = survey::value("/sys/devices/system/cpu/online").and_then(|list| cpus::mask(&list).ok());
    facts.extend(online.map(|mask| {
        ("processors", Fact::Number(mask.iter().map(|byte| u64::from(byte.count_ones())).sum()))
    }));
    for (name, heading) in [("memory (KiB)", "MemTotal"), ("swap (KiB)", "SwapTotal")] {
        facts.extend(survey::memory_kib(heading).map(|kib| (name, Fact::Number(kib))));
    }
    let files = identity::prlimit(0, libc::RLIMIT_NOFILE, None);
    facts.extend(files.map(|(soft, _)| ("open files", Fact::Number(soft))));
    for (name, file) in LIMITS {
        facts.extend(survey::value(file).and_then(|text| Some((name, Fact::Number(text.parse().ok()?)))));
    }
    Section("limits", facts)
}

fn table(sections: &[Section]) -> String {
    let labels = sections.iter().flat_map(|Section(_, facts)| facts).map(|(label, _)| label.len());
    let width = labels.max().unwrap_or(0);
    let mut out = String::new();
    for Section(title, facts) in sections {
        out.push_str(&format!("{title}\n"));
        for (label, fact) in facts {
            let (mark, shown) = match fact {
                Fact::Text(text) => (' ', text.clone()),
                Fact::Number(number) => (' ', number.to_string()),
                Fact::Yes(yes) => (' ', if *yes { "yes" } else { "no" }.to_owned()),
                Fact::List(names) if names.is_empty() => (' ', "none".to_owned()),
                Fact::List(names) => (' ', names.join(" ")),
                Fact::Missing(help) => ('!', format!("missing: {help}")),
                Fact::Object(_) => continue,
            };
            out.push_str(&format!("{mark} {label:width$}  {shown}\n"));
        }
    }
    out
}

/// The sections as one object, in order.
fn object(sections: impl IntoIterator<Item = Section>) -> Fact {
    let facts = |facts: Vec<(&'static str, Fact)>| facts.into_iter().map(|(label, fact)| (key(label), fact));
    let members =
        sections.into_iter().map(|Section(title, of)| (key(title), Fact::Object(facts(of).collect())));
    Fact::Object(members.collect())
}

/// "state directory" → "stateDirectory"; what stands in parentheses is for people.
fn key(label: &str) -> Cow<'static, str> {
    let label = label.split(" (").next().unwrap_or(label);
    let mut key = String::new();
    for (index, word) in label.split([' ', '.', '-']).enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if index > 0 => key.extend(first.to_uppercase()),
            first => key.extend(first),
        }
        key.push_str(letters.as_str());
    }
    key.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_camel_case() {
        for (label, wanted) in
            [("id maps", "idMaps"), ("cgroup.kill (5.14)", "cgroupKill"), ("layout", "layout")]
        {
            assert_eq!(key(label), wanted);
        }
    }

    #[test]
    fn what_is_missing_is_marked() {
        let sections = [Section("a", vec![("b", Fact::Missing("do c")), ("long", Fact::Yes(true))])];
        assert_eq!(table(&sections), "a\n! b     missing: do c\n  long  yes\n");
    }
}
