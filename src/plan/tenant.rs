//! The plans of processes that join a container: `exec`, and the hooks that run inside.

use super::affinity::{Entrance, push_entrance, push_membership};
use super::loading;
use super::opens::{Open, Opens};
use super::process::labels;
use super::program::{Birth, Program, Sets, Tracers};
use super::script::{Field, Script, StringList, c};
use super::{Host, settings};
use super::{behind, belonging};
use crate::cgroup::{Location, Unit};
use crate::error::{Error, Result};
use crate::names;
use crate::names::namespaces::USER;
use crate::seccomp::Filter;
use crate::spec::{Hook, Linux, Process};
use crate::wire::{Bytes, Handle, Point, Step};

/// What a joining process does.
#[derive(Debug)]
pub struct Tenant<'a> {
    pub script: Script,
    pub opens: Opens<'a>,
    pub entrance: Entrance,
    /// The unit whose manager moves it into its cgroup, where it is not born there.
    pub mover: Option<Unit>,
    /// What the process has before it makes the one that the container sees: to be compared with what it really has.
    pub confined: Option<Sets>,
    pub warnings: Vec<Error>,
}

impl Tenant<'_> {
    pub(super) fn new() -> Self {
        let (script, opens) = (Script::default(), Opens::default());
        Tenant { script, opens, entrance: Entrance::Birth, mover: None, confined: None, warnings: Vec::new() }
    }

    /// Enters the cgroup, or has itself moved there.
    fn enter(&mut self, to: Destination) {
        self.mover = to.mover.cloned();
        self.entrance = push_membership(to.cgroup, to.mover, &mut self.script, &mut self.opens);
    }
}

/// Where a tenant goes.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'i> {
    /// The container's own namespaces (`CLONE_NEW…`).
    pub namespaces: u64,
    /// The user namespaces that these may belong to, by number, the container's own first; none where they are not known.
    pub user_namespaces: &'i [u64],
    /// The container's cgroup, as far as it is there.
    pub cgroup: Option<&'i Location>,
    /// The unit whose manager moves the process into that, where this caller may not.
    pub mover: Option<&'i Unit>,
    /// The container is in resctrl groups.
    pub in_resctrl: bool,
    /// The name of the container's session keyring, where it has one of its own.
    pub keyring: Option<&'i str>,
}

/// Joins, then is the process of `exec`.
pub fn exec<'a>(
    process: &'a Process<'a>,
    linux: &Linux,
    to: Destination,
    host: &Host,
    filter: Option<&Filter>,
    tracers: Tracers,
    (preserve_fds, held): (u32, bool),
) -> Result<Tenant<'a>> {
    let mut tenant = Tenant::new();
    let pidfd = tenant.opens.add(Open::Pidfd);
    let script = &mut tenant.script;
    tenant.entrance = push_entrance(process, (to.cgroup, to.mover), script, &mut tenant.opens)?;
    tenant.mover = to.mover.cloned();
    if to.in_resctrl {
        script.push(Field::Fixed("/linux/intelRdt"), Step::Sync { point: Point::Resctrl });
    }
    push_self_files(process, process.oom_score_adj, host, script);
    if to.namespaces & USER != 0 && host.privileged && !process.rlimits.is_empty() {
        script.push(Field::Fixed("/process/rlimits"), Step::Sync { point: Point::Limits });
    }
    push_join(to, pidfd, host.keep_groups, script);
    if let Some(name) = to.keyring {
        script.push(Field::None, Step::JoinKeyring { name: &c(name) });
    }
    settings::push(linux, script)?;
    script.push(Field::None, Step::OpenRoot { path: c"/" });
    if process.terminal {
        script.push(Field::Fixed("/process/terminal"), Step::Console { bind: false, held: true });
    }
    let cwd = c(&process.cwd);
    script.push(Field::Fixed("/process/cwd"), Step::Chdir { path: &cwd, patient: true });
    let (soft, hard) = host.open_files;
    let raised = host.open_files_are_raised || tenant.opens.exceed(soft);
    if raised && !process.rlimits.iter().any(|limit| &*limit.kind == "RLIMIT_NOFILE") {
        // The engine may have raised it for itself.
        tenant.script.push(Field::None, Step::Rlimit { resource: names::RLIMIT_NOFILE, soft, hard });
    }
    let program = Program { preserve_fds, held, ..program(process, to, host, filter, tracers) };
    tenant.confined = program.push(&mut tenant.script, &mut tenant.warnings)?;
    Ok(tenant)
}

/// The first call behind the filter that this process lacks: then the engine looks first for processes that could trace it.
pub fn lacks(process: &Process, filter: Option<&Filter>, held: bool) -> Option<&'static str> {
    if process.no_new_privileges {
        return None;
    }
    behind::lacking(filter?, loading::needs(process, filter, Birth::Late, None, held))
}

/// Joins, then runs a createContainer hook, a program of the host's, in the root file system (`rootfs`, a path of the
/// host's tree, which is still there). The hook is not confined, so `to` has no pid namespace that others are in.
pub fn host_hook<'a>(hook: &'a Hook<'a>, rootfs: &str, to: Destination) -> Tenant<'a> {
    let mut tenant = Tenant::new();
    let pidfd = tenant.opens.add(Open::Pidfd);
    tenant.enter(to);
    let script = &mut tenant.script;
    push_setns(to, pidfd, script);
    // The way there may be passable for the host's root alone, or for the container's.
    let rootfs = c(rootfs);
    script.push(Field::None, Step::Chdir { path: &rootfs, patient: true });
    if to.namespaces & USER != 0 {
        script.push(Field::None, Step::BecomeRoot { keep_groups: false });
    }
    script.push(Field::None, Step::Chdir { path: &rootfs, patient: false });
    script.push(Field::None, Step::Spawn { flags: 0 });
    script.push(Field::None, Step::Session {});
    script.push(Field::None, Step::Confine { first: 3, word: Handle::NONE, answer: Handle::NONE });
    let argv = match &hook.args[..] {
        [] => StringList::of([&*hook.path]),
        args => StringList::of(args.iter().map(|arg| &**arg)),
    };
    let env = StringList::of(hook.env.iter().flatten().map(|variable| &**variable));
    // Which of the hooks it is, the caller knows.
    script.push(Field::None, Step::Arguments { argv: argv.wire(), env: env.wire() });
    script.push(Field::None, Step::ExecPath { path: &c(&hook.path) });
    tenant
}

/// Joins, then runs a startContainer hook. Its program is looked up in the container, so the image chooses it: it
/// gets the user, the capabilities, the labels and the filter of the container's own `process`, and no more.
pub fn own_hook<'a>(
    hook: &'a Hook<'a>,
    process: &Process<'a>,
    to: Destination,
    host: &Host,
    filter: Option<&Filter>,
    tracers: Tracers,
) -> Result<Tenant<'a>> {
    let args = if hook.args.is_empty() { vec![hook.path.clone()] } else { hook.args.clone() };
    // A hook whose config says nothing of its environment has the container's.
    let env = hook.env.clone().unwrap_or_else(|| process.env.clone());
    let process = Process { args, env, terminal: false, ..process.clone() };
    let mut tenant = Tenant::new();
    let pidfd = tenant.opens.add(Open::Pidfd);
    tenant.enter(to);
    let script = &mut tenant.script;
    push_self_files(&process, None, host, script);
    push_join(to, pidfd, host.keep_groups, script);
    if host.landlock.is_some() {
        script.push(Field::None, Step::OpenRoot { path: c"/" });
    }
    script.push(Field::None, Step::Chdir { path: &c(&process.cwd), patient: true });
    let whole_environment = hook.env.is_some();
    let own = program(&process, to, host, filter, tracers);
    let program = Program { file: Some(&hook.path), whole_environment, ..own };
    // Warnings about what cannot be given were reported when the container was made.
    tenant.confined = program.push(&mut tenant.script, &mut Vec::new())?;
    Ok(tenant)
}

/// What every process that joins is to become.
fn program<'a, 'p>(
    process: &'a Process<'a>,
    to: Destination,
    host: &'p Host,
    filter: Option<&'p Filter>,
    tracers: Tracers,
) -> Program<'a, 'p> {
    Program {
        process,
        file: None,
        whole_environment: false,
        host,
        user_namespace: to.namespaces & USER != 0,
        filter,
        preserve_fds: 0,
        listening: false,
        start: None,
        birth: Birth::Late,
        tracers,
        held: false,
    }
}

/// What the kernel takes through /proc/self and children inherit: written through the host's procfs, before
/// anything of the container's is near.
fn push_self_files(process: &Process, oom_score_adj: Option<i64>, host: &Host, script: &mut Script) {
    let score = oom_score_adj
        .map(|score| (Field::Fixed("/process/oomScoreAdj"), c"oom_score_adj", score.to_string()));
    let mut files = score.into_iter().chain(labels(process, host.stacks_profiles)).peekable();
    if files.peek().is_none() {
        return;
    }
    script.push(Field::None, Step::OpenHostProc {});
    for (field, file, value) in files {
        script.push(field, Step::SelfFile { file, value: Bytes(value.as_bytes()) });
    }
    script.push(Field::None, Step::CloseHostProc {});
}

/// A pid namespace is entered by children only, so the process that joins is not the one that stays: a `Spawn`
/// follows.
fn push_join(to: Destination, pidfd: Handle, keep_groups: bool, script: &mut Script) {
    push_setns(to, pidfd, script);
    if to.namespaces & USER != 0 {
        script.push(Field::None, Step::BecomeRoot { keep_groups });
    }
}

fn push_setns(to: Destination, pidfd: Handle, script: &mut Script) {
    script.push(Field::None, Step::Undumpable {});
    // setns(2) takes no empty set.
    if to.namespaces != 0 {
        script.push(Field::None, Step::OpenHostProc {});
        script.push(Field::None, Step::Join { namespace: pidfd, flags: to.namespaces });
        belonging::push(to.user_namespaces, to.namespaces, script);
        script.push(Field::None, Step::CloseHostProc {});
    }
}
