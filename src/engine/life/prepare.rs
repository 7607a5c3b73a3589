//! From a config to a plan with everything that it needs: host facts, the compiled filter, checked limits.
//! Pure but for questions to the kernel; nothing is made here.

use crate::cgroup::systemd::Property;
use crate::cgroup::{DeviceRules, Driver, Limits, Location};
use crate::engine::child::open_files;
use crate::engine::{CgroupManager, Engine, Rootless};
use crate::error::{Error, Kind, Result};
use crate::host::cgroups::Layout;
use crate::host::small_table::{self, SmallTable};
use crate::host::{self, Facts, survey};
use crate::plan::{self, Host};
use crate::seccomp::tables::Syscall;
use crate::seccomp::{self, Filter};
use crate::spec::landlock::Landlock;
use crate::spec::{Process, Resources, Seccomp, Spec, Text, annotations};
use crate::state::{Record, Store};
use crate::sys::identity;

/// What planning needs.
pub struct Prepared {
    pub facts: Facts,
    pub host: Host,
    pub filter: Option<Filter>,
    pub limits: Limits,
    /// Looked for only where a container is made.
    pub small_table: Option<SmallTable>,
    /// What annotations ask of the scope that systemd is to make.
    pub annotated: Vec<Property>,
    pub warnings: Vec<Error>,
}

impl Prepared {
    /// Looks for a small mount namespace to make the container's of. To join it takes rights in the machine's first user
    /// namespace, to which it belongs.
    pub fn take_small_table(&mut self, store: &Store) {
        let Facts { privileged, in_user_namespace, permitted, .. } = self.facts;
        if privileged && !in_user_namespace && permitted & host::SYS_CHROOT != 0 {
            self.small_table = small_table::find(store.remembered(small_table::LINK));
            self.host.small_table = self.small_table.as_ref().is_some_and(|table| table.namespace.is_some());
        }
    }
}

impl Engine {
    /// Asks the host, compiles the filter, checks the limits of a container that exists.
    pub(in crate::engine) fn prepare(&self, spec: &Spec, record: &Record) -> Result<Prepared> {
        self.prepare_with(host::probe()?, spec, &|_, _| Ok(record.cgroup.clone()))
    }

    /// What a process that joins a container needs: its cgroup's limits are set, and the record says where it is.
    pub(in crate::engine) fn prepare_joining(&self, spec: &Spec, record: &Record) -> Result<Prepared> {
        let layout = record.cgroup.as_ref().map(Location::layout).unwrap_or_default();
        self.prepare_in(host::probe()?, spec, (layout, record.cgroup.clone()))
    }

    /// The same for a container whose cgroup is where `locate` says.
    pub(in crate::engine) fn prepare_with(
        &self,
        facts: Facts,
        spec: &Spec,
        locate: &dyn Fn(&Facts, &Layout) -> Result<Option<Location>>,
    ) -> Result<Prepared> {
        // In a user namespace the kernel gives access to no device, and an ordinary user may load no program.
        let may = facts.administrator && !facts.in_user_namespace;
        let layout = match self.cgroup_manager.layout() {
            // In a container there may be no view of them.
            Err(_) if !may && self.forgives_cgroups(&facts) && !has_cgroups_path(spec) => Layout::default(),
            found => found?,
        };
        let linux = spec.linux.as_ref();
        let none = Resources::default();
        let resources = linux.and_then(|linux| linux.resources.as_ref()).unwrap_or(&none);
        let rules = if may && self.cgroup_manager != CgroupManager::Disabled {
            DeviceRules::Enforce
        } else {
            DeviceRules::Skip
        };
        let (limits, warnings) = Limits::from_spec(resources, &layout, rules)?;
        let cgroup = if layout == Layout::default() { None } else { locate(&facts, &layout)? };
        let prepared = self.prepare_in(facts, spec, (layout, cgroup))?;
        let warnings = warnings.into_iter().chain(prepared.warnings).collect();
        Ok(Prepared { limits, warnings, ..prepared })
    }

    fn prepare_in(
        &self,
        facts: Facts,
        spec: &Spec,
        (layout, cgroup): (Layout, Option<Location>),
    ) -> Result<Prepared> {
        let mut warnings = Vec::new();
        let filter = self.watch.span("compile", || compile(spec, &facts, &mut warnings))?;
        let landlock = landlock(spec, &mut warnings)?;
        let open_files = open_files::open_files().map_err(|e| e.because("getrlimit"))?;
        let host = Host {
            privileged: facts.privileged,
            in_user_namespace: facts.in_user_namespace,
            groups_are_fixed: facts.groups_are_fixed,
            keep_groups: crate::engine::life::allowed::keeps_groups(spec, &facts),
            permitted: facts.permitted,
            last_capability: facts.last_capability,
            small_table: false,
            stacks_profiles: spec.process.as_ref().is_some_and(stacks_profiles),
            landlock,
            open_files,
            open_files_are_raised: open_files::is_raised(),
            cgroups: layout,
            cgroup,
        };
        let limits = Limits::default();
        Ok(Prepared { facts, host, filter, limits, small_table: None, annotated: Vec::new(), warnings })
    }

    /// What a container without a cgroup cannot have: a limit is refused, since its author counts on it. Device
    /// rules are in every engine's config, so a warning says that they have no effect.
    pub(in crate::engine) fn check_without_cgroup(&self, spec: &Spec, prepared: &Prepared) -> Result<()> {
        if prepared.host.cgroup.is_some() {
            return Ok(());
        }
        if let Some(field) = prepared.limits.first_field() {
            return Err(Error::new("a container without a cgroup has no limits")
                .kind(Kind::Config)
                .field(field)
                .remedy("leave the limit out, or use --cgroup-manager cgroupfs"));
        }
        let resources = spec.linux.as_ref().and_then(|linux| linux.resources.as_ref());
        if resources.is_some_and(|resources| !resources.devices.is_empty()) {
            let warning = Error::new("has no effect: a container without a cgroup has no device rules");
            self.warn(warning.field("/linux/resources/devices"));
        }
        Ok(())
    }

    /// A caller without the permission that has asked neither for a place nor for a limit gets a container without a cgroup,
    /// and no warning. The kernel is asked beforehand, so that the plan has what will be done.
    pub(in crate::engine) fn does_without_cgroup(&self, spec: &Spec, prepared: &Prepared) -> bool {
        self.forgives_cgroups(&prepared.facts)
            && prepared.limits == Limits::default()
            && !has_cgroups_path(spec)
            && prepared.host.cgroup.as_ref().is_some_and(Driver::is_refused)
    }

    /// Refused permissions on cgroups are forgiven to this caller.
    fn forgives_cgroups(&self, facts: &Facts) -> bool {
        match self.rootless {
            Rootless::Auto => facts.euid != 0 || facts.in_user_namespace,
            Rootless::Yes => true,
            Rootless::No => false,
        }
    }
}

fn has_cgroups_path(spec: &Spec) -> bool {
    spec.linux().cgroups_path.as_deref().is_some_and(|path| !path.is_empty())
}

/// Asked of the kernel only where the process is to have both.
pub(in crate::engine) fn stacks_profiles(process: &Process) -> bool {
    process.no_new_privileges
        && process.apparmor_profile.as_deref().is_some_and(|profile| !profile.is_empty())
        && survey::value("/proc/self/attr/apparmor/current").is_some_and(|label| label != "unconfined")
}

fn compile(spec: &Spec, facts: &Facts, warnings: &mut Vec<Error>) -> Result<Option<Filter>> {
    let profile = spec.linux.as_ref().and_then(|linux| linux.seccomp.as_ref());
    let (major, minor) = facts.kernel;
    let supported = seccomp::flags_of_kernel(major, minor);
    let native = || seccomp::native().map_err(|e| e.field("/linux/seccomp"));
    if spec.amendments.recorder.is_some() {
        return seccomp::record::filter(native()?, supported);
    }
    if let Some(text) = annotations::find(&spec.annotations, annotations::SECCOMP_BPF) {
        // Engines copy an image's annotations: its author does not choose the filter that is to contain the image.
        if profile.is_some() {
            return Err(Error::new("a filter of an annotation does not take the place of linux.seccomp")
                .kind(Kind::Config)
                .field(annotations::pointer(annotations::SECCOMP_BPF))
                .remedy("leave the annotation out, or linux.seccomp if the annotation is to be trusted"));
        }
        return seccomp::raw::filter(text).map(Some);
    }
    let Some(profile) = profile else { return Ok(None) };
    if annotations::find(&spec.annotations, annotations::SECCOMP_FAIL_UNKNOWN).is_some() {
        refuse_unknown_calls(profile)?;
    }
    let mut filter = seccomp::compile(profile, native()?, supported)?;
    if let Some(filter) = &mut filter {
        warnings.append(&mut filter.warnings);
    }
    Ok(filter)
}

/// The kernel is asked only where there are rules.
fn landlock(spec: &Spec, warnings: &mut Vec<Error>) -> Result<Option<Landlock>> {
    match annotations::landlock(spec)? {
        Some(rules) => plan::process::landlock::on_this_kernel(rules, identity::landlock_version(), warnings),
        None => Ok(None),
    }
}

/// What is a warning otherwise, because profiles are written for many kernels.
fn refuse_unknown_calls(profile: &Seccomp) -> Result<()> {
    for (i, rule) in profile.syscalls.iter().enumerate() {
        let unknown = |(_, name): &(usize, &Text)| Syscall::by_name(name).is_none();
        if let Some((j, name)) = rule.names.iter().enumerate().find(unknown) {
            return Err(Error::new("unknown system call")
                .kind(Kind::Config)
                .field(format!("/linux/seccomp/syscalls/{i}/names/{j}"))
                .value(name)
                .remedy(format!(
                    "the annotation {} asks for this error",
                    annotations::SECCOMP_FAIL_UNKNOWN
                )));
        }
    }
    Ok(())
}

/// The plan of a container that was prepared.
pub fn plan<'a>(
    prepared: &Prepared,
    spec: &'a Spec<'a>,
    bundle: &'a str,
    options: &plan::Options,
) -> Result<plan::Plan<'a>> {
    plan::container(spec, bundle, &prepared.host, prepared.filter.as_ref(), options)
}
