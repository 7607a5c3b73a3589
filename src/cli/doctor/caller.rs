//! What the caller may do, and what guards the host against it: rights, security modules, id maps.

use crate::cli::facts::Fact;
use crate::cli::findings::{
    Section,
    Verdict::{Note, Ok as Fine, Problem},
};
use crate::error::Error;
use crate::host::mountinfo::{self, lines};
use crate::host::{Facts, subordinate, survey};
use crate::names::{self, namespaces};
use crate::sys::{Errno, identity, process};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub fn section(probed: Result<&Facts, &Error>) -> Section {
    let mut section = Section::new("caller");
    section.say("user id", Fact::Number(identity::euid().into()));
    let found = match probed {
        Ok(found) => found,
        Err(error) => {
            section.judge("problem", Fact::text(error), Problem, "");
            return section;
        }
    };
    section.say("may mount", Fact::Yes(found.privileged));
    section.say("in a user namespace", Fact::Yes(found.in_user_namespace));
    section.say("capabilities", Fact::list(names::capability_names(found.permitted)));
    let status = survey::value("/proc/self/status").unwrap_or_default();
    let is = |name: &str, value| process::number(&status, name, 10) == Some(value);
    let filtered = is("Seccomp", 2);
    let verdict = if filtered { Note } else { Fine };
    let remedy = "it bounds every container too: what it refuses no profile can allow";
    section.judge("has a seccomp filter", Fact::Yes(filtered), verdict, remedy);
    let bound = is("NoNewPrivs", 1);
    let verdict = if bound && !found.privileged { Problem } else { Fine };
    let remedy = "newuidmap gets no rights, so only your own id can be mapped: start from a process without \
        noNewPrivileges";
    section.judge("no new privileges", Fact::Yes(bound), verdict, remedy);
    let masked = proc_is_masked();
    let verdict = if masked && (found.in_user_namespace || !found.privileged) { Problem } else { Fine };
    let remedy = "the kernel mounts no proc in a user namespace while parts of /proc are covered: bind the host's \
                  /proc, or start the container around without masked paths (Docker, podman: --security-opt \
                  systempaths=unconfined, unmask=ALL)";
    section.judge("proc is masked", Fact::Yes(masked), verdict, remedy);
    section
}

/// Whether something is mounted below /proc, other than where the kernel itself mounts.
fn proc_is_masked() -> bool {
    let table = mountinfo::table("self").unwrap_or_default();
    lines(&table)
        .any(|line| line.point.starts_with("/proc/") && line.kind != "binfmt_misc" && line.kind != "autofs")
}

pub fn security() -> Section {
    let mut section = Section::new("security");
    section.say("modules", Fact::List(survey::security_modules()));
    section.say("apparmor", Fact::Yes(survey::has_apparmor()));
    section.say("selinux", Fact::Yes(survey::has_selinux()));
    if let Some(label) = survey::value("/proc/self/attr/current").filter(|label| !label.is_empty()) {
        section.say("own label", Fact::Text(label.trim_end_matches('\0').to_owned()));
    }
    section.say("landlock", Fact::Number(identity::landlock_version().unwrap_or(0).into()));
    let actions = survey::seccomp_actions();
    if actions.is_empty() {
        let remedy = "a kernel with CONFIG_SECCOMP_FILTER is needed for seccomp profiles";
        section.judge("seccomp actions", Fact::Missing, Problem, remedy);
    } else {
        section.say("seccomp notify", Fact::Yes(actions.iter().any(|action| action == "user_notif")));
        section.say("seccomp actions", Fact::List(actions));
    }
    section.say("resctrl", Fact::Yes(survey::has_resctrl()));
    section.say("memory policies", Fact::Yes(survey::has_memory_policies()));
    section
}

/// What engines map for an ordinary user.
const USUAL_IDS: u64 = 65536;

pub fn ids(facts: Option<&Facts>) -> Section {
    let mut section = Section::new("id maps");
    let ordinary = facts.is_none_or(|facts| !facts.privileged);
    let weight = if ordinary { Problem } else { Note };
    let uid = identity::euid();
    let user = crate::state::owner::UserNames::of_host().name(uid);
    for name in ["newuidmap", "newgidmap"] {
        let path = survey::program(name);
        let (fact, verdict, remedy) = match &path {
            None => (
                Fact::Missing,
                if ordinary { Problem } else { Fine },
                "install uidmap: ordinary users need it for more than one id",
            ),
            Some(path) => {
                let verdict = if has_rights(path) { Fine } else { weight };
                (Fact::text(path.display()), verdict, "it has no rights: chmod u+s it, or reinstall uidmap")
            }
        };
        section.judge(name, fact, verdict, remedy);
    }
    for (label, file) in
        [("subordinate user ids", subordinate::UIDS), ("subordinate group ids", subordinate::GIDS)]
    {
        let count = subordinate::ranges(file, &user, uid).iter().map(|range| u64::from(range.1)).sum();
        let verdict = if count < USUAL_IDS && ordinary && uid != 0 { Note } else { Fine };
        let remedy = format!(
            "containers with several users need 65536 ids: usermod --add-subuids 100000-165535 --add-subgids \
                100000-165535 {user} \
             (as root; choose a range that no other user has)"
        );
        section.judge(label, Fact::Number(count), verdict, remedy);
    }
    // What is made inside shows what a security module leaves of it.
    let made = process::brief(namespaces::USER, namespaces::MOUNT);
    let remedy = match made {
        Err(Errno(libc::ENOSPC)) => "raise the limit: sysctl -w user.max_user_namespaces=15000".to_owned(),
        Err(Errno(errno)) => survey::user_namespaces_refused(survey::value).unwrap_or_else(|| {
            format!("the kernel says error {errno}: a seccomp filter or a chroot around may refuse them")
        }),
        Ok(()) => String::new(),
    };
    section.judge(
        "user namespaces",
        Fact::Yes(made.is_ok()),
        if made.is_ok() { Fine } else { weight },
        remedy,
    );
    section
}

/// By its mode, or by capabilities of its file.
fn has_rights(program: &Path) -> bool {
    let set_user = fs::metadata(program).is_ok_and(|file| file.permissions().mode() & 0o4000 != 0);
    set_user || crate::sys::file::has_capabilities(program)
}
