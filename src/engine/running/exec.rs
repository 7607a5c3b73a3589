//! `exec`: another process in a container, by the same sealed init with another plan: join, then become the
//! program.

use crate::cgroup::{Cgroup, Driver};
use crate::engine::caller::{
    console, listener, pid_file,
    pidfd::{self, Role},
};
use crate::engine::child::{
    birth::Birthplace,
    tenant::{self, Beginning, Passed},
    tracers,
};
use crate::engine::life::{
    kill::ENDED,
    prepare::{self, Prepared},
};
use crate::engine::{Call, Event, ExecOptions, ExecProcess, Paused, Started, Status};
use crate::error::{Error, Kind, Result};
use crate::names as known;
use crate::plan::deeds::Wishes;
use crate::plan::tenant::{self as plan, Destination};
use crate::spec::{Capabilities, Process, Spec, Text, load};
use crate::state::{Life, Record};
use crate::sys::file;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;

const PROCESS_LIMIT: usize = 32 * 1024 * 1024;

impl Call<'_> {
    pub fn exec(&self, id: &str, options: &ExecOptions) -> Result<Started> {
        let (entry, record) = self.reach(id)?;
        record.must_be_ours()?;
        check_status(id, Status::of(&entry, &record), options)?;
        let record = self.with_user_namespaces(record)?;
        if record.namespaces() & libc::CLONE_NEWNS as u64 == 0 {
            // It would run in the host's root.
            return Err(Error::new(
                "the container has no mount namespace of its own, by which its root could be entered",
            )
            .kind(Kind::Unsupported)
            .value(id));
        }
        let config = entry.config()?;
        let mut spec: Spec = self.watch.span("parse", || load::parse("config.json", &config))?;
        let file = read_process_file(options)?;
        // As config.json has it: a service manager's sockets, and ours for its news, are for the first process.
        let (mended, mut warnings) = (OnceCell::new(), Vec::new());
        let process = process(options, &spec, file.as_deref(), &mended, &mut warnings)?;
        self.warn_of(&warnings);
        self.amend_again(&mut spec, &entry, &record)?;
        let mut prepared = self.watch.span("prepare", || self.prepare_joining(&spec, &record))?;
        prepared.host.stacks_profiles = prepare::stacks_profiles(&process);
        self.watch.span("validate", || self.check_process(&process, &prepared.facts))?;
        // The process of `exec` is not the config's, but errors use the same terms.
        let spec = Spec { process: Some(process), ..spec };
        // A session leader of the container's can make a new terminal its own before the program does. Another one may be
        // luckier.
        let birth = || self.exec_process(options, &record, &spec, &prepared);
        let mut tries = 10;
        let started = loop {
            tries -= 1;
            match birth() {
                Err(error) if error.detail().kind == Kind::Taken && tries > 0 => {}
                other => break other,
            }
        };
        let started = started.or_else(|error| self.with_room(id, error, birth));
        started.map_err(|e| e.doing("unable to start container process")).map_err(|e| {
            match record.process.map(|first| first.life()) {
                // What the kernel says of a pid namespace that has ended is that there is no memory.
                Some(Life::Alive) => e,
                _ => e.doing("the container has ended").kind(Kind::WrongState),
            }
        })
    }

    fn exec_process(
        &self,
        options: &ExecOptions,
        record: &Record,
        spec: &Spec,
        prepared: &Prepared,
    ) -> Result<Started> {
        let nothing = || Error::new("there is no process to start").field("/process");
        let process = spec.process.as_ref().ok_or_else(nothing)?;
        options.pid_file.iter().try_for_each(|path| pid_file::check(path))?;
        let console = console::plan(process, &options.terminal, Role::Tenant, &self.waits)?;
        let gone = || Error::new("cannot exec in a stopped container").kind(Kind::WrongState);
        let (pid, first) = tenant::first(record, gone)?;
        let (driver, birthplace) = birthplace(options, record)?;
        let cgroup = driver.cgroup();
        let (there, keyring) = (cgroup.map(Cgroup::there), record.session_keyring());
        let to = Destination {
            mover: cgroup.and_then(Cgroup::mover),
            in_resctrl: record.resctrl.is_some(),
            keyring: keyring.as_deref(),
            ..tenant::destination(record, there.as_ref())
        };
        let filter = prepared.filter.as_ref();
        let tracers = tracers::of(process, filter, options.held, to.namespaces, pid)?;
        let (linux, host) = (spec.linux(), &prepared.host);
        let (count, held) = (options.preserve_fds.len() as u32, options.held);
        let tenant = self
            .watch
            .span("plan", || plan::exec(process, linux, to, host, filter, tracers, (count, held)))?;
        self.warn_of(&tenant.warnings);
        let wishes = Wishes {
            pidfd: options.pidfd_socket.is_some(),
            pid_file: options.pid_file.as_deref(),
            ..Wishes::default()
        };
        let receivers = pidfd::receivers(options.pidfd_socket.as_deref(), spec, Role::Tenant, &self.waits)?;
        let beginning = Beginning {
            birthplace,
            streams: options.streams,
            preserved: &options.preserve_fds,
            ..Beginning::beside((pid, first.as_fd()), cgroup)
        };
        let mut master = None;
        let passed = |passed: Passed| match passed {
            Passed::Console(fd) => console::take(fd, &console, process).map(|kept| {
                kept.iter().for_each(|master| self.tell(&Event::Terminal(master.as_fd())));
                master = kept;
            }),
            Passed::Listener(profile, fd) => {
                listener::send(profile, record, Status::Running, pid, fd.as_fd(), &self.waits)
            }
            Passed::Warning(warning) => {
                self.warn(warning);
                Ok(())
            }
            Passed::Pidfd(pidfd) => receivers.iter().try_for_each(|receiver| receiver.send(pidfd)),
            Passed::Pid(path, pid) => pid_file::write(path, pid),
        };
        let about = (spec, record.resctrl.as_ref());
        let init = tenant::join(&tenant, about, beginning, wishes, &self.waits, passed)?;
        Ok(Started::of(init.into_process(), master))
    }
}

/// The container's cgroup, or the one below it that was asked for.
fn birthplace(options: &ExecOptions, record: &Record) -> Result<(Driver, Birthplace)> {
    let driver = Driver::open(record.cgroup.as_ref())?;
    if options.cgroups.is_empty() {
        return Ok((driver, Birthplace::OrBeside));
    }
    let below = driver.below(&options.cgroups).map_err(|e| e.field("--cgroup"))?;
    Ok((below, Birthplace::Exactly))
}

fn check_status(id: &str, status: Status, options: &ExecOptions) -> Result<()> {
    let (what, remedy) = match status {
        Status::Stopped => ("stopped", ENDED),
        Status::Creating => ("stopped", "it is still being created: wait for `create` to end, and start it"),
        Status::Unknown => ("stopped", "its record cannot be read: `rruntime delete --force` removes it"),
        Status::Paused if options.paused == Paused::Refuse => ("paused", "use --ignore-paused to override"),
        _ => return Ok(()),
    };
    let error = Error::new(format!("cannot exec in a {what} container")).kind(Kind::WrongState);
    Err(error.value(id).remedy(remedy))
}

fn read_process_file<'a>(options: &'a ExecOptions) -> Result<Option<Cow<'a, [u8]>>> {
    let path = match &options.process {
        ExecProcess::File(path) => path,
        ExecProcess::Object(bytes) => return Ok(Some(Cow::Borrowed(bytes))),
        ExecProcess::Command(_) => return Ok(None),
    };
    let bytes = file::read_path(path, PROCESS_LIMIT);
    bytes.map(|bytes| Some(Cow::Owned(bytes))).map_err(|e| {
        let error = e.because("read the process file").field("--process").value(path.display());
        error.remedy("name a JSON file with a process, as `process` of config.json has it")
    })
}

/// The process to run: the file's, or the container's own with another program; then the options.
fn process<'a>(
    options: &'a ExecOptions<'_>,
    spec: &Spec<'a>,
    file: Option<&'a [u8]>,
    mended: &'a OnceCell<Vec<u8>>,
    warnings: &mut Vec<Error>,
) -> Result<Process<'a>> {
    let mut process: Process = match (&options.process, file) {
        (ExecProcess::File(_) | ExecProcess::Object(_), Some(bytes)) => {
            let parses = |text: &[u8]| load::read::<Process>(text).map(drop);
            let name = match &options.process {
                ExecProcess::File(path) => path.to_string_lossy(),
                _ => Cow::Borrowed("the process"),
            };
            let mut process: Process = load::parse_mended(&name, bytes, mended, parses, warnings)?;
            // The container's is for every exec; a file that has one of its own means that.
            let own = || spec.process.as_ref()?.exec_cpu_affinity.clone();
            process.exec_cpu_affinity = process.exec_cpu_affinity.take().or_else(own);
            // As the peers have it: without a word about them it has the rights of the container's own program.
            if let Some(own) = &spec.process {
                process.capabilities = process.capabilities.take().or_else(|| own.capabilities.clone());
                process.oom_score_adj = process.oom_score_adj.or(own.oom_score_adj);
            }
            process
        }
        (ExecProcess::Command(arguments), _) => {
            let own = spec.process.clone().unwrap_or_default();
            Process { args: texts(arguments, "/process/args")?, terminal: false, console_size: None, ..own }
        }
        (ExecProcess::File(_) | ExecProcess::Object(_), None) => Process::default(),
    };
    if let Some(terminal) = options.tty {
        process.terminal = terminal;
    }
    if let Some(cwd) = &options.cwd {
        process.cwd = text(cwd, || "/process/cwd".to_owned())?;
    }
    process.env.extend(texts(&options.env, "/process/env")?);
    if let Some(user) = options.user {
        process.user.uid = user.uid;
        process.user.gid = user.gid.unwrap_or(process.user.gid);
    }
    process.user.additional_gids.extend(&options.additional_gids);
    if let Some(label) = &options.process_label {
        process.selinux_label = Some(Text::from(&**label));
    }
    if let Some(profile) = &options.apparmor {
        process.apparmor_profile = Some(Text::from(&**profile));
    }
    if let Some(no_new_privileges) = options.no_new_privileges {
        process.no_new_privileges = no_new_privileges;
    }
    add_capabilities(&mut process, &options.capabilities);
    Ok(process)
}

/// Never to the inheritable set: what a program inherits by it survives an exec by an ordinary user (CVE-2022-29162).
fn add_capabilities<'a>(process: &mut Process<'a>, names: &'a [String]) {
    if names.is_empty() {
        return;
    }
    let sets = process.capabilities.get_or_insert_with(Capabilities::default);
    // What the config has made inheritable may be ambient too: only so does a program of an ordinary user have it.
    let inheritable = known::capability_mask(sets.inheritable.iter().map(|name| &**name));
    let may = |name: &&String| known::capability_mask([name]) & inheritable != 0;
    sets.ambient.extend(names.iter().filter(may).map(|name| Text::from(&**name)));
    for set in [&mut sets.bounding, &mut sets.effective, &mut sets.permitted] {
        set.extend(names.iter().map(|name| Text::from(&**name)));
    }
}

fn texts<'a>(list: &'a [OsString], pointer: &str) -> Result<Vec<Text<'a>>> {
    (0..).zip(list).map(|(i, word)| text(word, || format!("{pointer}/{i}"))).collect()
}

/// The kernel takes any bytes; a process, which is JSON elsewhere, is text.
fn text(word: &OsStr, pointer: impl Fn() -> String) -> Result<Text<'_>> {
    let refused =
        || Error::new("not UTF-8").kind(Kind::Argument).field(pointer()).value(word.to_string_lossy());
    word.to_str().map(Text::from).ok_or_else(refused)
}
