//! `restore`: a container as its config says, whose processes CRIU makes again from files.
//!
//! ```text
//!  read, check, plan                 as by `create`
//!  state directory, cgroup, limits   as by `create`
//!  a model                           the container as `create` builds it, up to its program: every mount point is made,
//!                                    and its mount table says what the restored one may be
//!  criu, in the cgroup               in a mount table of its own (`plan/criu.rs`)
//!  its talk                          network devices and hooks; the terminal; the comparison, before anything goes on
//!  the record
//! ```

use crate::cgroup::{Cgroup, Driver, membership};
use crate::criu::messages::{CgroupRoot, InheritFd, JoinNamespace, Kind, MountMap, Notify, Options, Request};
use crate::engine::caller::console;
use crate::engine::caller::pidfd::Role;
use crate::engine::carry::carry_out;
use crate::engine::checkpoint::compare::{self, Mount};
use crate::engine::checkpoint::dump::{
    check_namespaces, common, config_file, external_key, has_no_landlock, needs_root,
};
use crate::engine::checkpoint::externals::{self, External};
use crate::engine::checkpoint::guard::Guard;
use crate::engine::checkpoint::images::Images;
use crate::engine::checkpoint::look::{self, Look, Name};
use crate::engine::checkpoint::service::{self, Service, Start};
use crate::engine::checkpoint::{streams, verify};
use crate::engine::child::open::{self, Given};
use crate::engine::child::open_files::RaisedLimit;
use crate::engine::child::{belonging, birth};
use crate::engine::life::create::{Ready, intent};
use crate::engine::life::making::{Making, Parts};
use crate::engine::life::prepare;
use crate::engine::life::run::{Running, check_terminal};
use crate::engine::life::start_pipes::Starter;
use crate::engine::{Call, CgroupMode, Label, Planned, RestoreOptions, Started};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::host::{mountinfo, survey};
use crate::names;
use crate::names::namespaces::{CGROUP, MOUNT, NETWORK, PID, TIME, USER};
use crate::plan::deeds::{self, Creation, Deed, HookKind, Wishes};
use crate::plan::{self, Open, Opens, Plan, criu as stage};
use crate::spec::text::{Text, given};
use crate::spec::{Linux, Process, Spec};
use crate::sys::file::cwd;
use crate::sys::launch::{Child, Sleeper};
use crate::sys::{SysResult, mount, process, wait};
use crate::wire::Handle;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

const LOG: &str = "restore.log";
const NULL: &str = "/dev/null";

impl Call<'_> {
    pub fn restore(&self, options: &RestoreOptions) -> Result<Running> {
        let create = &options.create;
        let bundle = self.read(create)?;
        let mut spec = self.spec(&bundle, create)?;
        label(&mut spec, options)?;
        spec.needs_process()?;
        check_terminal(&spec, create)?;
        check_namespaces(&spec)?;
        let mut ready = self.ready(create, &spec, Starter::Us)?;
        needs_root(&ready.prepared.facts)?;
        has_no_landlock(&ready.prepared)?;
        // CRIU needs the host's tree, and opens for it all that the model does.
        ready.prepared.host.small_table = false;
        // CRIU and the model are born in a cgroup that is there already, with every driver.
        let place = ready.prepared.host.cgroup.as_mut();
        let unit = place.and_then(|location| location.unit.take());
        let Ready { plan_options, prepared, .. } = &ready;
        let plan = prepare::plan(prepared, &spec, &bundle.path, plan_options)?;
        self.warn_of(&plan.warnings);
        let config = config_file(&options.criu, &spec)?;
        let model = model_of(&spec);
        let model_plan = plan::container(&model, &bundle.path, &prepared.host, None, plan_options)?;
        service::check_version(&self.waits)?;
        let criu = &options.criu;
        let images = Images::open(&criu.image_path, criu.work_path.as_deref(), LOG)?
            .taken(criu.auto_dedup, self.open_files)?;
        if let Some(location) = &mut ready.prepared.host.cgroup {
            location.unit = unit;
        }
        let Ready { plan_options, prepared, rdt } = &ready;
        let record = intent(plan_options, create, &bundle, &spec, (prepared, rdt.as_ref()), &plan);
        let creation = Creation {
            id: &create.id,
            plan: &plan,
            spec: &spec,
            cgroup: prepared.host.cgroup.as_ref(),
            limits: &prepared.limits,
            scope: ready.scope_settings(&create.id, &spec),
            resctrl: rdt.as_ref(),
            raises: prepared.facts.privileged,
            wishes: Wishes { pid_file: create.pid_file.as_deref(), ..Wishes::default() },
        };
        let deeds = deeds::restore(&creation);
        let models = deeds::model(&Creation {
            plan: &model_plan,
            spec: &model,
            scope: None,
            wishes: Wishes::default(),
            ..creation
        })?;
        let nothing = Process::default();
        let process = spec.process.as_ref().unwrap_or(&nothing);
        let console = console::plan(process, &create.terminal, Role::First, &self.waits)?;
        let making = Making {
            engine: self,
            options: create,
            bundle: &bundle,
            spec: &spec,
            plan: &plan,
            prepared,
            record,
            console,
            receivers: Vec::new(),
            made: Parts::default(),
        };
        let model = Model { spec: &model, plan: &model_plan, deeds: &models };
        let mut restoring = Restoring {
            making,
            options,
            config,
            images,
            model,
            mounts: Vec::new(),
            externals: Vec::new(),
            names: Vec::new(),
            service: None,
            socket: None,
            guards: Vec::new(),
            _raised: None,
        };
        let planned = Planned::of("restore", &deeds, &spec);
        let mut ledger = Vec::with_capacity(deeds.len());
        let done = carry_out(&self.waits, planned, &mut ledger, &mut |deed| restoring.do_one(deed));
        let Restoring { making, service, .. } = restoring;
        drop(service);
        if let Err(error) = done {
            making.undo(&ledger);
            return Err(error);
        }
        let Making { record, made: Parts { entry, restored, master, .. }, .. } = making;
        let (Some(entry), Some(first)) = (entry, restored) else { return Err(Deed::Restore.misplaced()) };
        entry.unlock();
        Ok(Running::of(Started::of(first, master), entry, record))
    }
}

/// The labels that the caller wants stand in the config's place, for what they are compared with too.
fn label(spec: &mut Spec, options: &RestoreOptions) -> Result<()> {
    let lacks = |module: &str, option: &'static str| {
        let error = Error::new(format!("this host's kernel has no {module}, or it is switched off"));
        Err(error.kind(ErrorKind::Unsupported).field(option))
    };
    if options.lsm_mount_context.is_some() && !survey::has_selinux() {
        return lacks("SELinux", "--lsm-mount-context");
    }
    let given = |name: &str| Some(Text(name.to_owned().into()));
    if let (Some(context), Some(linux)) = (&options.lsm_mount_context, &mut spec.linux) {
        // CRIU gives it to what had one.
        linux.mount_label = linux.mount_label.take().and_then(|_| given(context));
    }
    let Some(process) = &mut spec.process else { return Ok(()) };
    match &options.label {
        Some(Label::AppArmor(_)) if !survey::has_apparmor() => return lacks("AppArmor", "--lsm-profile"),
        Some(Label::SeLinux(_)) if !survey::has_selinux() => return lacks("SELinux", "--lsm-profile"),
        Some(Label::AppArmor(name)) => process.apparmor_profile = given(name),
        Some(Label::SeLinux(name)) => process.selinux_label = given(name),
        None => {}
    }
    Ok(())
}

/// The config of the model: hooks, devices of the network and agents of filters are the restored container's.
fn model_of<'a>(spec: &Spec<'a>) -> Spec<'a> {
    let linux = spec.linux.clone().map(|linux| Linux {
        seccomp: None,
        intel_rdt: None,
        net_devices: Default::default(),
        ..linux
    });
    Spec { hooks: None, linux, ..spec.clone() }
}

struct Model<'a> {
    spec: &'a Spec<'a>,
    plan: &'a Plan<'a>,
    deeds: &'a [Deed<'a>],
}

/// A container that is being restored.
struct Restoring<'a> {
    making: Making<'a>,
    options: &'a RestoreOptions<'a>,
    /// CRIU's.
    config: Option<String>,
    images: Images,
    model: Model<'a>,
    /// The model's.
    mounts: Vec<Mount>,
    externals: Vec<External>,
    /// What CRIU makes or removes.
    names: Vec<Name>,
    service: Option<Service>,
    /// A copy of its socket, for the guard.
    socket: Option<OwnedFd>,
    guards: Vec<Guard>,
    _raised: Option<RaisedLimit>,
}

impl Restoring<'_> {
    fn do_one(&mut self, deed: Deed) -> Result<()> {
        match deed {
            Deed::BuildModel => self.build_model(),
            Deed::StartCriu => self.start_criu(),
            Deed::Restore => self.restore(),
            _ => self.making.do_one(deed),
        }
    }

    fn build_model(&mut self) -> Result<()> {
        let Making { engine, options, bundle, prepared, ref record, .. } = self.making;
        let Model { spec, plan, deeds } = self.model;
        let driver = Driver::open(record.cgroup.as_ref())?;
        let mut model = Making {
            engine,
            options,
            bundle,
            spec,
            plan,
            prepared,
            record: record.clone(),
            console: console::Console::None,
            receivers: Vec::new(),
            made: Parts::beside(driver),
        };
        let planned = Planned { name: "the model", deeds, script: Some(&plan.script), spec };
        let built = carry_out(&engine.waits, planned, &mut Vec::new(), &mut |deed| model.do_one(deed));
        let looked = built.and_then(|()| {
            let pid = model.pid()?;
            let table = mountinfo::table(pid)?;
            let externals = externals::of(pid, &table, &plan.script)?;
            Ok((table, externals))
        });
        if let Some(init) = &model.made.init {
            init.end();
        }
        self.making.record.user_namespaces = model.record.user_namespaces;
        let (table, externals) = looked?;
        (self.mounts, self.externals) = (compare::mounts(&table), externals);
        self.look()
    }

    /// Before CRIU reads a word of them.
    fn look(&mut self) -> Result<()> {
        let inherited = streams::inherited(&self.images)?;
        let look = Look {
            images: &self.images,
            spec: self.making.spec,
            created: self.model.plan.created,
            model: compare::Model { mounts: &self.mounts, shown: &self.shown() },
            options: &self.options.criu,
            inherited: &inherited.iter().map(|stream| &*stream.key).collect::<Vec<_>>(),
        };
        self.names = look.all().map_err(|error| error.doing("look at the images"))?;
        Ok(())
    }

    fn shown(&self) -> Vec<&str> {
        self.externals.iter().map(|external| &*external.point).chain(["/"]).collect()
    }

    fn start_criu(&mut self) -> Result<()> {
        let Making { engine, options, spec, ref made, .. } = self.making;
        let cgroup = made.driver.cgroup();
        let Model { plan, .. } = self.model;
        let wanted = Given { cgroup, open_files: engine.open_files, ..Given::default() };
        let opened = open::open(&plan.opens, wanted, spec, &engine.waits)?;
        let numbers = opened.numbers.clone();
        let given: Vec<BorrowedFd> = plan
            .opens
            .iter()
            .zip(&numbers)
            .filter(|(open, _)| is_external(open))
            .map(|(_, number)| opened.borrow(*number))
            .collect();
        let mut numbers = numbers;
        let known = known_machine();
        let mut add = |tree: &OwnedFd| {
            numbers.push(tree.as_raw_fd());
            Handle(numbers.len() as u32 - 1)
        };
        let trees: Vec<(&str, Handle)> =
            self.images.trees.iter().map(|(place, tree)| (&**place, add(tree))).collect();
        let known = known.as_ref().map(add);
        // Where CRIU manages cgroups it makes the namespace too.
        let late = if self.manages_cgroups() { CGROUP } else { 0 };
        let script = stage::stage(&plan.script, plan.created & !late, &trees, &self.hidden(), known);
        let empty = plan::Script::default();
        let birth = birth::Start {
            namespaces: MOUNT,
            cgroup: cgroup.and_then(Cgroup::birth),
            sleeper: Sleeper::Caller,
            streams: options.streams,
            ..birth::Start::of(&empty, &numbers, &engine.waits)
        };
        let (service, init, script) = Service::start(script, Start { birth, given: &given })?;
        let mut init = init.with(opened.into_sources(), &script);
        let ready = service::await_program(&mut init, &script, spec, &|warning| engine.warn(warning));
        self.making.made.init = Some(init);
        self.service = Some(service);
        ready
    }

    /// What CRIU's mount table shows nothing of: directories without its programs, and without what it is told of by a path.
    fn hidden(&self) -> Vec<&'static str> {
        let programs =
            ["criu", "sh", "tar", "ip", "iptables-restore"].into_iter().filter_map(survey::program);
        let told = self
            .config
            .iter()
            .cloned()
            .chain(self.joined().map(|namespace| namespace.file))
            .map(PathBuf::from);
        let places = |path: PathBuf| [fs::canonicalize(&path).ok(), std::path::absolute(path).ok()];
        let needed: Vec<PathBuf> = programs.chain(told).flat_map(places).flatten().collect();
        let is_hidden = |directory: &&str| {
            fs::symlink_metadata(directory).is_ok_and(|found| found.is_dir())
                && !needed.iter().any(|path| path.starts_with(directory))
        };
        stage::HIDDEN.into_iter().filter(is_hidden).collect()
    }

    /// The namespaces by path that CRIU opens itself.
    fn joined(&self) -> impl Iterator<Item = JoinNamespace> {
        self.making.spec.linux().namespaces.iter().filter_map(|namespace| {
            let known = names::namespace(&namespace.kind)?;
            let file = given(&namespace.path)?.to_owned();
            let criu = known.flag != CGROUP && external_key(known.flag).is_none();
            criu.then(|| JoinNamespace { kind: known.proc_name.to_owned(), file })
        })
    }

    fn manages_cgroups(&self) -> bool {
        self.options.criu.cgroups.is_some_and(|mode| mode != CgroupMode::Ignore)
    }

    /// The groups of the images lie where CRIU was born: in the container's own.
    fn cgroup_roots(&self) -> Result<Vec<CgroupRoot>> {
        let Some(criu) = self.making.made.init.as_ref().filter(|_| self.manages_cgroups()) else {
            return Ok(Vec::new());
        };
        let text = membership(&criu.process().pid.to_string())?;
        let root = |line: &str| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            Some(CgroupRoot { controllers: Some(controllers.to_owned()), path: path.to_owned() })
        };
        Ok(text.lines().filter_map(root).collect())
    }

    fn request(&self) -> Result<Request> {
        let RestoreOptions { criu, lsm_mount_context, .. } = self.options;
        let spec = self.making.spec;
        let external = |external: &External| MountMap {
            key: external.point.clone(),
            value: format!("{}/{}{}", stage::DIRECTORY, external.bind, external.below),
        };
        let mut ext_mnt: Vec<MountMap> = self.externals.iter().map(external).collect();
        // What runc calls each masked file. What is mounted by it is compared as all else.
        if ext_mnt.iter().all(|known| known.key != NULL) {
            ext_mnt.push(MountMap { key: NULL.to_owned(), value: NULL.to_owned() });
        }
        let mut inherit_fd = streams::inherited(&self.images)?;
        // CRIU would look for the caller's terminal at descriptor 0, which it has moved out of the way then.
        let exchanged = inherit_fd.iter().any(|stream| stream.key.starts_with("tty["));
        let keys = self.model.plan.opens.iter().filter_map(|open| match open {
            Open::Namespace { flag, .. } => external_key(*flag),
            _ => None,
        });
        inherit_fd.extend((4..).zip(keys).map(|(fd, (_, key))| InheritFd { key: key.to_owned(), fd }));
        let label = spec.process.as_ref().and_then(|process| {
            let profile = given(&process.apparmor_profile).filter(|_| survey::has_apparmor());
            let label = given(&process.selinux_label).filter(|_| survey::has_selinux());
            profile
                .map(|name| format!("apparmor:{name}"))
                .or_else(|| label.map(|name| format!("selinux:{name}")))
        });
        let options = Options {
            root: Some(stage::ROOT.to_owned()),
            rst_sibling: Some(true),
            evasive_devices: Some(true),
            ext_mnt,
            inherit_fd,
            shell_job: Some(criu.shell_job && !exchanged),
            join_ns: self.joined().collect(),
            cg_root: self.cgroup_roots()?,
            lsm_profile: label,
            lsm_mount_context: lsm_mount_context.clone(),
            // The processes are born in the cgroup that the config names; images say nothing of others unless asked.
            manage_cgroups_mode: Some(criu.cgroups.unwrap_or(CgroupMode::Ignore) as i32),
            config_file: self.config.clone(),
            ..common(criu, &self.images)
        };
        Ok(Request { options: Some(options), ..Request::of(Kind::Restore) })
    }

    fn restore(&mut self) -> Result<()> {
        let request = self.request()?;
        let service = self.service.take().ok_or_else(|| Deed::StartCriu.misplaced())?;
        let waits = self.making.engine.waits.clone();
        self.socket = Some(service.copy()?);
        let asked = service.ask(&request, &waits, &mut |notify, passed| self.hear(notify, passed));
        if asked.is_err() {
            self.end();
        }
        self.socket = None;
        self.release()?;
        let init = self.making.made.init.take().ok_or_else(|| Deed::StartCriu.misplaced())?;
        service.finish(&init, &waits)?;
        let doing = "restore the container's processes";
        match asked.map_err(|error| error.doing(doing))? {
            Some(response) if response.success == Some(true) => {}
            response => {
                let engine = self.making.engine;
                return Err(service::failed(engine, &self.images, response.as_ref()).doing(doing));
            }
        }
        if self.making.made.restored.is_none() {
            return Err(Error::new("criu did not name the restored process").doing(doing));
        }
        if self.model.plan.created & USER != 0 {
            let own = belonging::of_new(self.making.pid()?)?;
            self.making.record.user_namespaces[..1].fill(own);
        }
        Ok(())
    }

    /// The runtime's part at a point that CRIU has come to.
    fn hear(&mut self, notify: &Notify, passed: Option<OwnedFd>) -> Result<()> {
        if let Some(pid) = notify.pid.filter(|pid| *pid > 0)
            && self.making.made.restored.is_none()
        {
            let pidfd = process::pidfd_open(pid).map_err(|e| e.because("open the restored process"))?;
            if !wait::is_child(pidfd.as_fd()) {
                return Err(Error::new(format!("criu named process {pid}, which it did not restore for us")));
            }
            self.making.made.restored = Some(Child { pid, pidfd });
            self.start_guard()?;
            self.making.do_one(Deed::RecordProcess)?;
        }
        match notify.script.as_deref() {
            Some("setup-namespaces") => self.set_up(),
            Some("post-setup-namespaces") => look::names(&self.names, self.making.pid()?),
            Some("orphan-pts-master") => self.take_terminal(passed),
            Some("post-restore") => self.guard_others(),
            Some("pre-resume") => self.compare(),
            _ => Ok(()),
        }
    }

    fn start_guard(&mut self) -> Result<()> {
        let Making { engine, ref made, .. } = self.making;
        if let (Some(criu), Some(socket)) = (&made.init, self.socket.take()) {
            let kills = [&self.making.first()?.pidfd, &criu.process().pidfd].map(AsFd::as_fd);
            self.guards.push(Guard::start(kills, socket.as_fd(), &engine.waits)?);
        }
        Ok(())
    }

    /// All processes are there, and wait for CRIU.
    fn guard_others(&mut self) -> Result<()> {
        if self.model.plan.created & PID != 0 {
            return Ok(());
        }
        let others = verify::tree(self.making.pid()?)?.into_iter().skip(1);
        // Each is a descriptor, and each guard two.
        self._raised = RaisedLimit::for_files(2 * others.len(), self.making.engine.open_files)?;
        let others: SysResult<Vec<OwnedFd>> = others.map(process::pidfd_open).collect();
        for pair in others.map_err(|e| e.because("open a restored process"))?.chunks(2) {
            let kills = [&pair[0], &pair[pair.len() - 1]].map(AsFd::as_fd);
            let guard = self.guards.last().ok_or_else(|| Deed::StartCriu.misplaced())?;
            let guard = guard.behind(kills, &self.making.engine.waits)?;
            self.guards.push(guard);
        }
        Ok(())
    }

    fn release(&mut self) -> Result<()> {
        self.guards.drain(..).try_for_each(Guard::release)
    }

    /// The end of its socket would let CRIU go on with what is not compared.
    fn end(&self) {
        let Parts { restored: Some(first), init, .. } = &self.making.made else { return };
        // CRIU traces them, and would wait for ever for one that waits until CRIU has fetched another's end.
        verify::end(first);
        if let Some(criu) = init {
            process::pidfd_kill(criu.process().pidfd.as_fd());
        }
    }

    /// The first process has its namespaces.
    fn set_up(&mut self) -> Result<()> {
        let spec = self.making.spec;
        if self.model.plan.created & NETWORK != 0 {
            self.bring_loopback_up()?;
        }
        if !spec.linux().net_devices.is_empty() {
            self.making.do_one(Deed::MoveDevices(spec.linux()))?;
        }
        let Some(hooks) = &spec.hooks else { return Ok(()) };
        for (kind, hooks) in
            [(HookKind::Prestart, &hooks.prestart), (HookKind::CreateRuntime, &hooks.create_runtime)]
        {
            let deed = Deed::RunHooks(kind, hooks);
            self.making.do_one(deed).map_err(|error| deed.failed(error, spec))?;
        }
        Ok(())
    }

    fn bring_loopback_up(&self) -> Result<()> {
        let Making { engine, spec, .. } = self.making;
        let mut opens = Opens::default();
        let script = stage::loopback(opens.add(Open::Pidfd));
        let first = self.making.first()?.pidfd.as_fd();
        let given = Given { pidfd: Some(first), ..Given::default() };
        let opened = open::open(&opens, given, spec, &engine.waits)?;
        let mut init = birth::start(birth::Start::of(&script, &opened.numbers, &engine.waits))?;
        let done = service::await_program(&mut init, &script, spec, &|warning| engine.warn(warning));
        init.end();
        done.map_err(|error| error.doing("bring the loopback device up"))
    }

    fn take_terminal(&mut self, passed: Option<OwnedFd>) -> Result<()> {
        let absent = || Error::new("criu sent no terminal");
        let process = self.making.spec.process.as_ref().ok_or_else(absent)?;
        let master = passed.ok_or_else(absent)?;
        self.making.made.master = console::take(master, &self.making.console, process)?;
        Ok(())
    }

    /// Every process is there with all its rights, and stands before its first instruction. One that may not be so has none.
    fn compare(&mut self) -> Result<()> {
        let Making { spec, prepared, ref made, .. } = self.making;
        let criu = made.init.as_ref().map_or(0, |init| init.process().pid);
        let restored = verify::Restored {
            spec,
            prepared,
            plan: self.model.plan,
            images: &self.images,
            model: compare::Model { mounts: &self.mounts, shown: &self.shown() },
            criu,
        };
        match restored.check(self.making.pid()?) {
            Ok(namespaces) => {
                // CRIU gives what it restores a time namespace, for its clocks to go on.
                self.making.record.namespaces_created |= (namespaces & TIME) as u32;
                self.release()
            }
            Err(error) => {
                // Whatever CRIU makes of a refusal at this point.
                self.end();
                Err(error.doing("compare the restored container with its config"))
            }
        }
    }
}

/// Without it CRIU would take its time to find it out again.
fn known_machine() -> Option<OwnedFd> {
    let tree = crate::sys::c(stage::KNOWN).and_then(|path| mount::clone_tree(cwd(), &path, 0)).ok()?;
    mount::set_attributes(tree.as_fd(), libc::MOUNT_ATTR_RDONLY).ok()?;
    Some(tree)
}

fn is_external(open: &Open) -> bool {
    matches!(open, Open::Namespace { flag, .. } if external_key(*flag).is_some())
}
