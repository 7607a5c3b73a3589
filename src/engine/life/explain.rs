//! What would be done for a config, and what stands in its way: the plan as `create` makes it, carried out by no one.
//!
//! Nothing on the host changes. A config that this caller or this host could not run is planned all the same, as far as that
//! goes: as root would run it, or without the part that cannot be had. Each reason is an obstacle.

use crate::cgroup::{Leg, Location};
use crate::engine::life::{
    bundle::{Bundle, check_hooks},
    create::Ready,
    host_namespaces, netdevices, prepare,
    start_pipes::{self, Starter},
};
use crate::engine::{Call, CreateOptions, Engine, Event, Watch};
use crate::error::{Error, Kind, Result};
use crate::host::{self, Facts};
use crate::plan::deeds::{self, Creation, Deed, Wishes};
use crate::plan::{self, Open, Plan};
use crate::resctrl;
use crate::spec::destination::in_bundle;
use crate::spec::load::{self, unknown};
use crate::spec::{Spec, validate};
use crate::state::Record;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What is to be explained.
#[derive(Clone, Copy)]
pub enum Subject<'o> {
    /// What `create` would make with these options.
    Bundle(&'o CreateOptions<'o>),
    /// A container that exists, by its copy of config.json, its record and its last update.
    Container(&'o str),
}

/// What was found by the way.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The config is wrong, on every host.
    pub problems: Vec<Error>,
    /// The config is right, and this host or this caller cannot run it.
    pub obstacles: Vec<Error>,
    /// What `create` would warn of.
    pub warnings: Vec<Error>,
}

/// The plan with what it was made of.
pub struct Whole<'a> {
    pub plan: &'a Plan<'a>,
    pub deeds: &'a [Deed<'a>],
    pub ready: &'a Ready,
    /// Whose plan it is.
    pub facts: &'a Facts,
    /// It is root's, because this caller could not run it.
    pub as_root: bool,
}

/// What there is to say.
pub struct Explained<'a> {
    pub id: &'a str,
    /// The bundle's directory.
    pub bundle: &'a str,
    /// The container exists.
    pub exists: bool,
    /// config.json as it was read.
    pub text: &'a [u8],
    /// Absent: it cannot be read as a config.
    pub spec: Option<&'a Spec<'a>>,
    /// Absent: a problem, or an obstacle that leaves no plan.
    pub whole: Option<Whole<'a>>,
    pub found: Found,
}

/// What the rest of the work is about.
struct Given<'a> {
    spec: Spec<'a>,
    options: &'a CreateOptions<'a>,
    bundle: &'a str,
    text: &'a [u8],
    record: Option<&'a Record>,
}

impl Engine {
    /// Errors: a bundle or a container that is not there, a kernel that is too old. What is wrong in the config is among
    /// what is told.
    pub fn explain(&self, subject: Subject, tell: &mut dyn FnMut(&Explained)) -> Result<()> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let observer = move |event: &Event| {
            if let Event::Warning(warning) = event
                && let Ok(mut heard) = ear.lock()
            {
                heard.push((*warning).clone());
            }
        };
        let quiet = Engine { watch: Watch::new(None, Arc::new(observer)), ..self.clone() };
        let mut tell = |mut explained: Explained| {
            if let Ok(mut heard) = heard.lock() {
                explained.found.warnings.append(&mut heard);
            }
            if explained.exists {
                // Its cgroup is what it is, whatever this command line says of systemd.
                let of_path =
                    |warning: &Error| warning.detail().field.as_deref() == Some("/linux/cgroupsPath");
                explained.found.warnings.retain(|warning| !of_path(warning));
            }
            // `create` makes such a container, for its namespaces; who asks means to run it.
            if let Some(Err(missing)) = explained.spec.map(Spec::needs_process) {
                let field = missing.detail().field.clone();
                explained.found.warnings.retain(|warning| warning.detail().field != field);
                explained.found.problems.push(unknown::misspelt(missing, explained.text, &load::config));
            }
            tell(&explained);
        };
        match subject {
            Subject::Bundle(options) => quiet.call().explain_bundle(options, &mut tell),
            Subject::Container(id) => quiet.call().explain_container(id, &mut tell),
        }
    }
}

type Tell<'t> = &'t mut dyn FnMut(Explained);

impl Call<'_> {
    fn explain_bundle(&self, options: &CreateOptions, tell: Tell) -> Result<()> {
        crate::state::id::check(&options.id)?;
        let bundle = Bundle::read(options)?;
        match self.spec(&bundle, options) {
            Ok(spec) => {
                let text = bundle.text();
                self.lay_out(Given { spec, options, bundle: &bundle.path, text, record: None }, tell)
            }
            Err(error) => {
                let found = Found { problems: error.apart(), ..Found::default() };
                tell(Explained { found, ..explained(&options.id, &bundle.path, bundle.text(), None) });
                Ok(())
            }
        }
    }

    fn explain_container(&self, id: &str, tell: Tell) -> Result<()> {
        let (entry, record) = self.look(id)?;
        record.must_be_ours()?;
        let config = entry.config()?;
        let mut spec = self.spec_again(&config, &entry, &record)?;
        if let (Some(limits), Some(linux)) = (&record.limits, &mut spec.linux) {
            linux.resources = Some(load::parse("the limits in state.json", limits.as_bytes())?);
        }
        let options = CreateOptions {
            id: id.to_owned(),
            bundle: record.bundle.clone().into(),
            root_change: record.root_change,
            keyring: record.session,
            ..CreateOptions::default()
        };
        let (bundle, record) = (record.bundle.as_str(), Some(&record));
        self.lay_out(Given { spec, options: &options, bundle, text: &config, record }, tell)
    }

    fn lay_out(&self, given: Given, tell: Tell) -> Result<()> {
        let Given { mut spec, options, bundle, text, record } = given;
        let (mut found, facts) = (Found::default(), host::probe()?);
        let (facts, as_root) = self.judge(&spec, facts, options, &mut found);
        // What else is wrong is found in any case; a wrong config has no plan.
        let parts = self.parts(&mut spec, facts, options, record, &mut found);
        let parts = parts.filter(|_| found.problems.is_empty());
        let mut explained = explained(&options.id, bundle, text, Some(&spec));
        explained.exists = record.is_some();
        let Some(ready) = parts else {
            tell(Explained { found, ..explained });
            return Ok(());
        };
        let planned = prepare::plan(&ready.prepared, &spec, bundle, &ready.plan_options);
        let plan = match planned {
            Ok(plan) => plan,
            Err(error) => {
                found.sort_in(error);
                tell(Explained { found, ..explained });
                return Ok(());
            }
        };
        found.warnings.extend(plan.warnings.iter().cloned());
        if record.is_none() {
            let cgroup = ready.prepared.host.cgroup.as_ref();
            found.obstacles.extend(missing(&spec, bundle, &plan, (cgroup, as_root)));
        }
        let wishes = Wishes {
            start: ready.plan_options.start,
            shows_created: start_pipes::shows(Starter::Command, &spec),
            notify: spec.amendments.notify,
            ..Wishes::default()
        };
        let creation = Creation {
            id: &options.id,
            plan: &plan,
            spec: &spec,
            cgroup: ready.prepared.host.cgroup.as_ref(),
            limits: &ready.prepared.limits,
            scope: ready.scope_settings(&options.id, &spec),
            resctrl: ready.rdt.as_ref(),
            raises: facts.privileged,
            wishes,
        };
        let deeds = deeds::create(&creation)?;
        explained.whole = Some(Whole { plan: &plan, deeds: &deeds, ready: &ready, facts: &facts, as_root });
        tell(Explained { found, ..explained });
        Ok(())
    }

    /// The rules, for this caller and for root; who the plan is to be for, and whether that is root in the caller's place.
    fn judge(&self, spec: &Spec, facts: Facts, options: &CreateOptions, found: &mut Found) -> (Facts, bool) {
        let root = Facts {
            euid: 0,
            privileged: true,
            administrator: true,
            in_user_namespace: false,
            groups_are_fixed: false,
            permitted: u64::MAX >> (63 - facts.last_capability.min(63)),
            ..facts
        };
        let by = |facts: &Facts| validate::validate(spec, &self.circumstances(facts, options.root_change));
        let (of, as_root) = match (by(&facts), by(&root)) {
            (Ok(checked), _) => {
                self.warn_of(&checked.warnings);
                (facts, false)
            }
            (Err(error), Ok(checked)) => {
                self.warn_of(&checked.warnings);
                found.obstacles.extend(error.apart());
                (root, true)
            }
            (Err(_), Err(error)) => {
                found.problems.extend(error.apart());
                (facts, false)
            }
        };
        for check in [netdevices::check, host_namespaces::check_sysctls, check_hooks] {
            found.obstacles.extend(check(spec).err().into_iter().flat_map(Error::apart));
        }
        (of, as_root)
    }

    /// What the plan is made with. A part that cannot be had is left out of the config, with the reason.
    fn parts(
        &self,
        spec: &mut Spec,
        facts: Facts,
        options: &CreateOptions,
        record: Option<&Record>,
        found: &mut Found,
    ) -> Option<Ready> {
        let plan_options = self.plan_options(options, spec, Starter::Command, &facts);
        let mut plan_options = plan_options.map_err(|error| found.sort_in(error)).ok()?;
        if let Some(record) = record {
            plan_options.preserve_fds = record.preserve_fds;
        }
        loop {
            let demands = match record {
                None => self.demands(&options.id, facts, spec),
                Some(record) => self.demands_of(record, facts, spec),
            };
            match demands {
                Ok((mut prepared, rdt)) => {
                    prepared.take_small_table(&self.store);
                    return Some(Ready { plan_options, prepared, rdt });
                }
                Err(error) => {
                    let field = error.detail().field.clone().unwrap_or_default();
                    found.sort_in(error);
                    if !left_out(spec, &field) {
                        return None;
                    }
                }
            }
        }
    }

    fn demands_of(
        &self,
        record: &Record,
        facts: Facts,
        spec: &Spec,
    ) -> Result<(prepare::Prepared, Option<resctrl::Demand>)> {
        let rdt = spec.linux.as_ref().and_then(|linux| linux.intel_rdt.as_ref());
        let rdt = rdt.map(|rdt| resctrl::Demand::find(&record.id, rdt)).transpose()?;
        let prepared = self.prepare_with(facts, spec, &|_, _| Ok(record.cgroup.clone()))?;
        self.warn_of(&prepared.warnings);
        Ok((prepared, rdt))
    }
}

impl Found {
    /// What is wrong on every host is a problem, and what another host could do an obstacle.
    fn sort_in(&mut self, error: Error) {
        for one in error.apart() {
            let list =
                if one.detail().kind == Kind::Config { &mut self.problems } else { &mut self.obstacles };
            list.push(one);
        }
    }
}

fn explained<'a>(id: &'a str, bundle: &'a str, text: &'a [u8], spec: Option<&'a Spec<'a>>) -> Explained<'a> {
    Explained { id, bundle, exists: false, text, spec, whole: None, found: Found::default() }
}

/// Takes the part that this field is of out of the config; `false`: there is none that could be.
fn left_out(spec: &mut Spec, field: &str) -> bool {
    let Some(linux) = &mut spec.linux else { return false };
    let of = |part: &str| field.starts_with(part);
    match () {
        () if of("/linux/seccomp") => linux.seccomp.take().is_some(),
        () if of("/linux/intelRdt") => linux.intel_rdt.take().is_some(),
        () if of("/linux/resources") => linux.resources.take().is_some(),
        () if of("/linux/cgroupsPath") => linux.cgroups_path.take().is_some(),
        () => false,
    }
}

/// What the plan opens on the host and does not find there.
fn missing(
    spec: &Spec,
    bundle: &str,
    plan: &Plan,
    (cgroup, as_root): (Option<&Location>, bool),
) -> Vec<Error> {
    // Its cgroup is made before it is opened.
    let is_made = |path: &str| {
        let of = |leg: &Leg| {
            path.strip_prefix(&*leg.mount).is_some_and(|rest| *rest.trim_start_matches('/') == *leg.path)
        };
        cgroup.is_some_and(|location| location.legs.iter().any(of))
    };
    let root = plan::Field::Fixed("/root/path");
    let named = plan.opens.iter().filter_map(|open| match open {
        Open::Tree { path, field, .. }
        | Open::Device { path, field, .. }
        | Open::Namespace { path, field, .. } => Some((&**path, *field)),
        Open::Filesystem { source, field, .. } if source.starts_with('/') => Some((&**source, *field)),
        _ => None,
    });
    let mut found: Vec<Error> = Vec::new();
    let own = spec.root.as_ref().map(|root| in_bundle(bundle, &root.path));
    let named = named.filter(|(path, field)| *field != root && !is_made(path));
    for (path, field) in own.iter().map(|path| (&**path, root)).chain(named) {
        let wrong = match std::fs::metadata(Path::new(path)) {
            Ok(there) if field == root && !there.is_dir() => Error::os(format!("open {path}"), libc::ENOTDIR),
            Err(e) if !(as_root && e.kind() == std::io::ErrorKind::PermissionDenied) => {
                Error::io(format!("open {path}"), &e)
            }
            _ => continue,
        };
        found.push(wrong.field_if(field.pointer(spec)).remedy("create it on the host, or correct the path"));
    }
    found
}
