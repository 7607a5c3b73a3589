//! The plans of processes that join a container: `exec`, and the hooks that run inside.

use super::Host;
use super::namespaces::USER;
use super::process::Program;
use super::script::{Field, Open, Opens, Script, StringList, c, push_cgroup};
use crate::cgroup::Location;
use crate::error::Result;
use crate::seccomp::Filter;
use crate::spec::{Hook, Process};
use crate::wire::{Handle, Step};

/// What a joining process does.
#[derive(Debug)]
pub struct Tenant<'a> {
    pub script: Script,
    pub opens: Opens<'a>,
    pub warnings: Vec<String>,
}

/// Where a tenant goes.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'i> {
    pub id: &'i str,
    /// The container's own namespaces (`CLONE_NEW…`).
    pub namespaces: u64,
    /// The container's cgroup.
    pub cgroup: Option<&'i Location>,
}

/// Joins, then is the process of `exec`.
pub fn exec<'a>(
    process: &'a Process<'a>,
    to: Destination,
    host: &Host,
    filter: Option<&Filter>,
    preserve_fds: u32,
) -> Result<Tenant<'a>> {
    let mut tenant = Tenant { script: Script::default(), opens: Opens::default(), warnings: Vec::new() };
    let pidfd = tenant.opens.add(Open::Pidfd);
    let script = &mut tenant.script;
    push_cgroup(to.cgroup, script, &mut tenant.opens);
    if let Some(value) = process.oom_score_adj {
        script.push(Field::None, Step::OpenHostProc {});
        let value = value.to_string();
        let step = Step::SelfFile { file: c"oom_score_adj", value: value.as_bytes() };
        script.push(Field::Fixed("/process/oomScoreAdj"), step);
        script.push(Field::None, Step::CloseHostProc {});
    }
    push_join(to, pidfd, script);
    script.push(Field::None, Step::Keyring { name: &c(&format!("_ses.{}", to.id)) });
    script.push(Field::None, Step::OpenRoot {});
    if process.terminal {
        script.push(Field::Fixed("/process/terminal"), Step::Console { bind: false });
    }
    if Program::has_labels(process) {
        script.push(Field::None, Step::OpenProc {});
    }
    let cwd = c(&process.cwd);
    script.push(Field::Fixed("/process/cwd"), Step::Chdir { path: &cwd, patient: true });
    let program = Program {
        process,
        file: None,
        host,
        user_namespace: to.namespaces & USER != 0,
        filter,
        preserve_fds,
        listener: None,
        start_hooks: false,
    };
    program.push(&mut tenant.script, &mut tenant.warnings)?;
    Ok(tenant)
}

/// Joins, then runs a createContainer hook, whose program is the host's.
pub fn host_hook<'a>(hook: &'a Hook<'a>, to: Destination) -> Tenant<'a> {
    let mut tenant = Tenant { script: Script::default(), opens: Opens::default(), warnings: Vec::new() };
    let pidfd = tenant.opens.add(Open::Pidfd);
    let script = &mut tenant.script;
    push_cgroup(to.cgroup, script, &mut tenant.opens);
    push_join(to, pidfd, script);
    script.push(Field::None, Step::Session {});
    script.push(Field::None, Step::CloseOnExec { first: 3 });
    let argv = match &hook.args[..] {
        [] => StringList::of([&*hook.path]),
        args => StringList::of(args.iter().map(|arg| &**arg)),
    };
    let env = StringList::of(hook.env.iter().map(|variable| &**variable));
    let step = Step::ExecPath { path: &c(&hook.path), argv: argv.wire(), env: env.wire() };
    script.push(Field::Fixed("/hooks"), step);
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
) -> Result<Tenant<'a>> {
    let args = if hook.args.is_empty() { vec![hook.path.clone()] } else { hook.args.clone() };
    let process = Process { args, env: hook.env.clone(), terminal: false, ..process.clone() };
    let mut tenant = Tenant { script: Script::default(), opens: Opens::default(), warnings: Vec::new() };
    let pidfd = tenant.opens.add(Open::Pidfd);
    let script = &mut tenant.script;
    push_cgroup(to.cgroup, script, &mut tenant.opens);
    push_join(to, pidfd, script);
    if Program::has_labels(&process) {
        script.push(Field::None, Step::OpenProc {});
    }
    script.push(Field::None, Step::Chdir { path: &c(&process.cwd), patient: true });
    let program = Program {
        process: &process,
        file: Some(&hook.path),
        host,
        user_namespace: to.namespaces & USER != 0,
        filter,
        preserve_fds: 0,
        listener: None,
        start_hooks: false,
    };
    // What cannot be given was told when the container was made.
    program.push(&mut tenant.script, &mut Vec::new())?;
    Ok(tenant)
}

/// A pid namespace is entered by children only, so the process that joins is not the one that stays.
fn push_join(to: Destination, pidfd: Handle, script: &mut Script) {
    script.push(Field::None, Step::Undumpable {});
    let flags = to.namespaces;
    // setns(2) takes no empty set.
    if flags != 0 {
        script.push(Field::None, Step::Join { namespace: pidfd, flags });
    }
    script.push(Field::None, Step::Spawn { flags: 0 });
    if flags & USER != 0 {
        script.push(Field::None, Step::BecomeRoot {});
    }
}
