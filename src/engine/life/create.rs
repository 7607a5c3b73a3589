//! `create`, and the first half of `run`: from a bundle to a container that waits for start.
//!
//! ```text
//!  read, check, prepare, plan        nothing on the host has changed
//!  state directory with the intent   from here on `delete --force` finds everything
//!  making.rs                         cgroup, init, the conversation with it, the record with the pid
//! ```
//!
//! Whatever fails after the intent undoes everything, in the reverse order, by the same code as `delete`.

use crate::cgroup::Driver;
use crate::cgroup::systemd::{self, CgroupRequest, ScopeSettings};
use crate::engine::caller::{
    console, pid_file,
    pidfd::{self, Role},
};
use crate::engine::carry::carry_out;
use crate::engine::child::init::Init;
use crate::engine::life::{
    bundle::Bundle,
    making::{Making, Parts},
    own_maps,
    prepare::{self, Prepared},
    start_pipes,
    start_pipes::Starter,
};
use crate::engine::{Call, CreateOptions, Engine, Keyring, Planned, RootChange, Started};
use crate::error::Result;
use crate::host::{self, mountinfo, survey};
use crate::plan::deeds::{self, Creation, Deed, Wishes};
use crate::plan::{self, Plan, SessionKeyring};
use crate::resctrl;
use crate::spec::amend::has_notify_socket;
use crate::spec::destination::in_bundle;
use crate::spec::{Amendments, Listening, Namespace, Process, Spec, annotations, idmap};
use crate::state::{Entry, Record};
use crate::sys::random;
use crate::time;
use crate::wire::Word;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

/// A container whose process waits for start.
pub struct Made {
    pub entry: Entry,
    pub record: Record,
    pub init: Init,
    /// The master of its terminal, unless it was sent to a socket.
    pub master: Option<OwnedFd>,
    /// Steps and fields, for what may still fail after start.
    pub script: plan::Script,
    pub prepared: Prepared,
    pub driver: Driver,
}

/// What a new container is planned with, before anything on the host has changed.
pub struct Ready {
    pub plan_options: plan::Options,
    pub prepared: Prepared,
    pub rdt: Option<resctrl::Demand>,
}

impl Ready {
    /// What is asked of systemd, where that makes the cgroup.
    pub fn scope_settings<'r>(&'r self, id: &'r str, spec: &Spec) -> Option<ScopeSettings<'r>> {
        let prepared = &self.prepared;
        prepared.host.cgroup.as_ref()?.unit.as_ref()?;
        Some(ScopeSettings {
            id,
            limits: &prepared.limits,
            layout: &prepared.host.cgroups,
            owner: root_outside(spec).filter(|_| prepared.facts.administrator),
            annotated: &prepared.annotated,
        })
    }
}

impl Engine {
    /// Whether the config gives the process a terminal.
    pub fn wants_terminal(&self, options: &CreateOptions) -> Result<bool> {
        let bundle = Bundle::read(options)?;
        // They are told when the container is made.
        let spec = bundle.spec(&mut Vec::new())?;
        Ok(spec.process.is_some_and(|process| process.terminal))
    }
}

impl Call<'_> {
    pub fn create(&self, options: &CreateOptions) -> Result<Started> {
        let bundle = self.read(options)?;
        let spec = self.spec(&bundle, options)?;
        let made = self.make(options, &bundle, &spec, Starter::Command);
        let made = made.map_err(|error| bundle.misspelt(error))?;
        made.init.say(Word::Detach)?;
        Ok(Started::of(made.init.into_process(), made.master))
    }

    pub(in crate::engine) fn read(&self, options: &CreateOptions) -> Result<Bundle> {
        self.watch.span("load", || Bundle::read(options))
    }

    /// The config with what the caller adds to it.
    pub(in crate::engine) fn spec<'b>(
        &self,
        bundle: &'b Bundle,
        options: &CreateOptions,
    ) -> Result<Spec<'b>> {
        self.watch.span("parse", || self.parsed(bundle, options))
    }

    fn parsed<'b>(&self, bundle: &'b Bundle, options: &CreateOptions) -> Result<Spec<'b>> {
        let mut warnings = Vec::new();
        let mut spec = bundle.spec(&mut warnings)?;
        let [uid_mappings, gid_mappings] = own_maps::missing(&spec, &mut warnings)?;
        self.warn_of(&warnings);
        let amendments = Amendments {
            allowed_annotations: Some(self.allowed_annotations(&spec)?),
            seccomp_receiver: options.seccomp_receiver.clone(),
            recorder: options.recorder.clone(),
            uid_mappings,
            gid_mappings,
            sockets: Listening { count: options.sockets.len() as u32, names: options.socket_names.clone() },
            notify: options.notify_socket.is_some() && !has_notify_socket(&spec),
        };
        spec.amend(amendments, &self.store.path().join(&options.id))?;
        self.tell_ignored(&spec)?;
        Ok(spec)
    }

    /// What a new container is planned with.
    pub(in crate::engine) fn ready(
        &self,
        options: &CreateOptions,
        spec: &Spec,
        starter: Starter,
    ) -> Result<Ready> {
        self.watch.span("prepare", || self.prepared(options, spec, starter))
    }

    fn prepared(&self, options: &CreateOptions, spec: &Spec, starter: Starter) -> Result<Ready> {
        crate::state::id::check(&options.id)?;
        options.pid_file.iter().try_for_each(|path| pid_file::check(path))?;
        let facts = host::probe()?;
        let plan_options = self.plan_options(options, spec, starter, &facts)?;
        self.watch.span("validate", || self.check(spec, &facts, options.root_change))?;
        let (mut prepared, rdt) = self.demands(&options.id, facts, spec)?;
        prepared.take_small_table(&self.store);
        Ok(Ready { plan_options, prepared, rdt })
    }

    pub(in crate::engine) fn plan_options(
        &self,
        options: &CreateOptions,
        spec: &Spec,
        starter: Starter,
        facts: &host::Facts,
    ) -> Result<plan::Options> {
        Ok(plan::Options {
            left_below: match options.root_change {
                RootChange::MoveMount => Some(left_below(spec, facts)?),
                RootChange::PivotRoot => None,
            },
            keyring: match options.keyring {
                Keyring::New => Some(fresh_keyring()?),
                Keyring::Inherit => None,
            },
            preserve_fds: (options.sockets.len() + options.preserve_fds.len()) as u32,
            start: start_pipes::word(starter, spec, facts),
            has_core: survey::has_core(),
        })
    }

    /// What the config asks of cgroups, seccomp and resctrl, where that can be had.
    pub(in crate::engine) fn demands(
        &self,
        id: &str,
        facts: host::Facts,
        spec: &Spec,
    ) -> Result<(Prepared, Option<resctrl::Demand>)> {
        let rdt = spec.linux.as_ref().and_then(|linux| linux.intel_rdt.as_ref());
        let rdt = rdt.map(|rdt| resctrl::Demand::find(id, rdt)).transpose()?;
        let path = spec.linux.as_ref().and_then(|linux| linux.cgroups_path.as_deref());
        let mut prepared = self.prepare_with(facts, spec, &|facts, layout| {
            let (annotations, buses) = (&spec.annotations, &self.buses);
            let request = CgroupRequest { path, id, annotations, facts, buses };
            self.cgroup_manager.locate(layout, &request)
        })?;
        if let Some(location) = prepared.host.cgroup.as_ref().filter(|location| location.unit.is_some()) {
            if !location.is_unified() {
                prepared.warnings.extend(systemd::lacking_on_v1(&prepared.limits, &spec.annotations));
            }
            let allowed = |name: &str| annotations::allowed(spec, name).is_some();
            prepared.annotated = systemd::of_annotations(&spec.annotations, allowed)?;
        }
        self.check_without_cgroup(spec, &prepared)?;
        if self.does_without_cgroup(spec, &prepared) {
            prepared.host.cgroup = None;
        }
        self.warn_of(&prepared.warnings);
        Ok((prepared, rdt))
    }

    /// Makes the container up to the point where its process waits for start.
    pub(in crate::engine) fn make(
        &self,
        options: &CreateOptions,
        bundle: &Bundle,
        spec: &Spec,
        starter: Starter,
    ) -> Result<Made> {
        let ready = self.ready(options, spec, starter)?;
        let Ready { plan_options, prepared, rdt } = &ready;
        let plan = self.watch.span("plan", || prepare::plan(prepared, spec, &bundle.path, plan_options))?;
        self.warn_of(&plan.warnings);
        let receivers = pidfd::receivers(options.pidfd_socket.as_deref(), spec, Role::First, &self.waits)?;
        let record = intent(plan_options, options, bundle, spec, (prepared, rdt.as_ref()), &plan);
        let wishes = Wishes {
            start: plan_options.start,
            shows_created: start_pipes::shows(starter, spec),
            notify: spec.amendments.notify,
            pidfd: !receivers.is_empty(),
            pid_file: options.pid_file.as_deref(),
        };
        let creation = Creation {
            id: &options.id,
            plan: &plan,
            spec,
            cgroup: prepared.host.cgroup.as_ref(),
            limits: &prepared.limits,
            scope: ready.scope_settings(&options.id, spec),
            resctrl: rdt.as_ref(),
            raises: prepared.facts.privileged,
            wishes,
        };
        let deeds = deeds::create(&creation)?;
        let nothing = Process::default();
        let console = console::plan(
            spec.process.as_ref().unwrap_or(&nothing),
            &options.terminal,
            Role::First,
            &self.waits,
        )?;
        let mut making = Making {
            engine: self,
            options,
            bundle,
            spec,
            plan: &plan,
            prepared,
            record,
            console,
            receivers,
            made: Parts::default(),
        };
        let planned = Planned { name: "create", deeds: &deeds, script: Some(&plan.script), spec };
        let mut ledger = Vec::with_capacity(deeds.len());
        if let Err(error) = carry_out(&self.waits, planned, &mut ledger, &mut |deed| making.do_one(deed)) {
            let begun = ledger.iter().any(|deed| matches!(deed, Deed::WriteIntent));
            making.undo(&ledger);
            return Err(if begun { error.doing("unable to start container process") } else { error });
        }
        let Making { record, made: Parts { entry, init, master, driver, .. }, .. } = making;
        let (Some(entry), Some(init)) = (entry, init) else { return Err(Deed::StartInit(0).misplaced()) };
        let script = plan.script;
        Ok(Made { entry, record, init, master, script, prepared: ready.prepared, driver })
    }
}

/// What is mounted below our root, if nothing holds it there: all of it is out of reach then, also for a process that
/// makes mount tables of its own. In a user namespace, what came with its mount table is locked, and the whole procs and
/// sysfs are covered, of which the kernel would give out unmasked ones (mount_too_revealing).
fn left_below(spec: &Spec, facts: &host::Facts) -> Result<Vec<String>> {
    let namespaces = spec.linux.as_ref().map_or(&[][..], |linux| &linux.namespaces);
    // One that is joined has another tree, and others who live in it.
    let joined = |namespace: &Namespace| {
        &*namespace.kind == "mount" && namespace.path.as_deref().is_some_and(|path| !path.is_empty())
    };
    if namespaces.iter().any(joined) {
        return Ok(Vec::new());
    }
    let locked = facts.in_user_namespace || namespaces.iter().any(|namespace| &*namespace.kind == "user");
    let table = mountinfo::table("self")?;
    let root = if locked { 0 } else { mountinfo::id_of_root()? };
    let left = |line: &mountinfo::Line| match locked {
        true => line.root == "/" && matches!(line.kind, "proc" | "sysfs"),
        false => line.parent == root && line.point != "/",
    };
    let mut places: Vec<String> =
        mountinfo::lines(&table).filter(left).map(|line| mountinfo::unescape(line.point)).collect();
    // What lies above hides the way to what lies below it: the kernel takes the first away together with all on it. Its path
    // is the beginning of the other's.
    places.sort_unstable();
    Ok(places)
}

/// What there is to clean up if this command dies at the next instant.
pub fn intent(
    planned: &plan::Options,
    options: &CreateOptions,
    bundle: &Bundle,
    spec: &Spec,
    (prepared, rdt): (&Prepared, Option<&resctrl::Demand>),
    plan: &Plan,
) -> Record {
    let root = spec.root.as_ref().map_or("", |root| &*root.path);
    Record {
        version: crate::state::record::VERSION,
        id: options.id.clone(),
        oci_version: spec.oci_version.to_string(),
        rootfs: in_bundle(&bundle.path, root).into_owned(),
        bundle: bundle.path.clone(),
        created: time::rfc3339_nano(SystemTime::now()),
        owner_uid: prepared.facts.euid,
        boot: crate::state::boot_id(),
        cgroup: prepared.host.cgroup.clone(),
        resctrl: rdt.map(|rdt| rdt.place.clone()),
        annotations: annotations::owned(&spec.annotations),
        amendments: spec.amendments.clone(),
        namespaces_created: plan.created as u32,
        namespaces_joined: plan.joined as u32,
        root_change: options.root_change,
        session: options.keyring,
        keyring: planned.keyring.as_ref().map(|keyring| keyring.name.clone()),
        preserve_fds: planned.preserve_fds,
        ..Record::default()
    }
}

/// Who root of a new user namespace is outside of it.
fn root_outside(spec: &Spec) -> Option<(u32, u32)> {
    let linux = spec.linux();
    Some((idmap::outside(&linux.uid_mappings, 0)?, idmap::outside(&linux.gid_mappings, 0)?))
}

/// A name that cannot be guessed, and a user id without a user: real ones end far below.
fn fresh_keyring() -> Result<SessionKeyring> {
    let mut bytes = [0; 20];
    random::fill(&mut bytes).map_err(|e| e.because("getrandom"))?;
    let (name, hidden) = bytes.split_at(16);
    let name = name.iter().fold(String::from("_ses."), |name, byte| format!("{name}{byte:02x}"));
    let hidden = hidden.iter().fold(0u32, |id, byte| id << 8 | u32::from(*byte));
    Ok(SessionKeyring { name, hidden: (hidden | 1 << 31) & !1 })
}
