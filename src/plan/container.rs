//! The plan of a new container: `create` and `run`.

use super::affinity;
use super::devices::{self, Nodes};
use super::mounts::{Mounts, label_option, small_table};
use super::namespaces::Namespaces;
use super::opens::{Copier, Moment, Open, Opens, push_cgroup};
use super::process::{groups, labels, searches_anywhere};
use super::program::{Birth, Ends, Program, Sets, Tracers};
use super::script::{Field, Script, StringList, c};
use super::{Host, settings};
use crate::error::{Error, Kind, Result};
use crate::names;
use crate::names::namespaces::{CGROUP, MOUNT, NETWORK, PID, TIME, USER, UTS};
use crate::seccomp::Filter;
use crate::spec::destination::{absolute, in_bundle, is_root};
use crate::spec::text::given;
use crate::spec::validate::sysctl_path;
use crate::spec::{IdMapping, Process, Spec};
use crate::wire::{Attributes, Bytes, Point, Remount, Root, Searcher, Step};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What the caller asks for beyond the config.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The root is entered by moving it over the host's: what is mounted in the tree that this leaves below the container's,
    /// and must not stay there. Absent: by pivot_root(2).
    pub left_below: Option<Vec<String>>,
    /// The session keyring to make; absent: the caller's stays.
    pub keyring: Option<SessionKeyring>,
    pub preserve_fds: u32,
    pub start: StartWord,
    /// The host has a /proc/kcore.
    pub has_core: bool,
}

/// How the container hears that it may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartWord {
    /// From the process that has made it, in the conversation that goes on.
    #[default]
    Maker,
    /// By two pipes that `start` takes from init.
    Taken,
    /// By two pipes with names in the state directory, where `start` may not be allowed to take anything from init.
    Named,
}

/// What a container's session keyring is made with: words that cannot be guessed.
#[derive(Clone, Debug)]
pub struct SessionKeyring {
    pub name: String,
    /// The user id that it belongs to until its permissions are set.
    pub hidden: u32,
}

/// Everything that will be done.
#[derive(Debug)]
pub struct Plan<'a> {
    pub script: Script,
    pub opens: Opens<'a>,
    /// `CLONE_NEW…` for the first process.
    pub clone_flags: u64,
    /// The first process spawns the one that stays.
    pub staged: bool,
    /// systemd moves it into the scope while it builds its tree ([`Point::Scope`]).
    pub moved_while_building: bool,
    /// What the process has when it is ready, behind a filter: to be compared with what it really has.
    pub confined: Option<Sets>,
    /// The namespaces that are made for the container, and those that it joins.
    pub created: u64,
    pub joined: u64,
    /// The id maps of a new user namespace.
    pub id_maps: Option<(Vec<IdMapping>, Vec<IdMapping>)>,
    pub warnings: Vec<Error>,
}

/// Plans a container. `bundle` is absolute; `filter` is the compiled seccomp profile.
pub fn container<'a>(
    spec: &'a Spec<'a>,
    bundle: &'a str,
    host: &Host,
    filter: Option<&Filter>,
    options: &Options,
) -> Result<Plan<'a>> {
    let mut opens = Opens::default();
    let taken = options.start == StartWord::Taken;
    let ends = match options.start {
        StartWord::Maker => Ends::NONE,
        _ => Ends { word: opens.add(Open::StartWord), answer: opens.add(Open::StartAnswer), taken },
    };
    let mut namespaces = Namespaces::of(spec, host.privileged, &mut opens);
    let scope = host.cgroup.as_ref().filter(|at| at.is_entered_by_birth()).and_then(|at| at.unit.as_ref());
    // A user's manager checks who owns the process that it is to move, and the owner changes while the tree is built; a
    // group below the scope can only be entered by a birth.
    let moved_while_building =
        scope.is_some_and(|unit| !namespaces.staged() && !unit.users && unit.below.is_none());
    namespaces.born_into_scope = scope.is_some() && !moved_while_building;
    let mut builder = Builder {
        spec,
        bundle,
        host,
        options,
        namespaces,
        moved_while_building,
        early: Script::default(),
        script: Script::default(),
        opens,
        warnings: Vec::new(),
    };
    builder.become_member();
    builder.prepare_namespaces()?;
    builder.build_tree()?;
    let confined = builder.run_program(filter, ends)?;
    builder.join_halves();
    builder.await_scope();
    let maps = || (spec.linux().uid_mappings.clone(), spec.linux().gid_mappings.clone());
    let id_maps = (builder.namespaces.new & USER != 0).then(maps);
    let staged = builder.namespaces.staged();
    Ok(Plan {
        clone_flags: if staged { 0 } else { builder.namespaces.at_clone() },
        staged,
        moved_while_building,
        confined,
        created: builder.namespaces.new,
        joined: builder.namespaces.joined(),
        script: builder.script,
        opens: builder.opens,
        id_maps,
        warnings: builder.warnings,
    })
}

/// Steps that are the same in whichever cgroup they are done, under whatever device rules. A new kind of step is not among
/// them until it is looked at.
fn works_anywhere(step: &Step) -> bool {
    match step {
        Step::Filesystem(of) => {
            !of.copy_up && [c"proc", c"tmpfs", c"devpts", c"mqueue", c"sysfs"].contains(&of.kind)
        }
        Step::Sync { point } => matches!(point, Point::Map | Point::Resctrl | Point::Network),
        Step::Undumpable {} | Step::OpenHostProc {} | Step::CloseHostProc {} | Step::SelfFile { .. } => true,
        Step::Join { .. } | Step::Unshare { .. } | Step::EnterTimeNamespace {} | Step::BecomeRoot { .. } => {
            true
        }
        Step::CpuAffinity { .. } | Step::Keyring { .. } | Step::LoopbackUp {} | Step::Umask { .. } => true,
        Step::Copy { .. } | Step::HostPropagation { .. } | Step::Root(_) | Step::RootAttributes { .. } => {
            true
        }
        Step::Bind(_) | Step::Remount(_) | Step::Symlink { .. } | Step::OpenProc {} => true,
        _ => false,
    }
}

struct Builder<'a, 'p> {
    spec: &'a Spec<'a>,
    bundle: &'a str,
    host: &'p Host,
    options: &'p Options,
    namespaces: Namespaces,
    /// The process is moved into a scope while it works.
    moved_while_building: bool,
    /// The steps up to the point where the process becomes root of its user namespace.
    early: Script,
    script: Script,
    opens: Opens<'a>,
    warnings: Vec<Error>,
}

impl<'a> Builder<'a, '_> {
    fn push(&mut self, step: Step) {
        self.script.push(Field::None, step);
    }

    /// A step that comes from this field.
    fn push_for(&mut self, field: &'static str, step: Step) {
        self.script.push(Field::Fixed(field), step);
    }

    fn birth(&self) -> Birth {
        if self.namespaces.joined() & PID != 0 { Birth::Late } else { Birth::Inside }
    }

    fn user_namespace(&self) -> bool {
        self.namespaces.has(USER)
    }

    /// Namespaces, identity in them, and the files about ourselves that are the host's.
    fn become_member(&mut self) {
        if self.namespaces.born_into_scope {
            self.push_for("/linux/cgroupsPath", Step::Sync { point: Point::Scope });
            let unit = self.host.cgroup.as_ref().and_then(|location| location.unit.as_ref());
            if self.birth() == Birth::Late && unit.is_some_and(|unit| unit.below.is_some()) {
                // The group below the scope is entered by a birth, and the last one is behind a filter.
                self.push(Step::Spawn { flags: 0 });
            }
        }
        let by_file = self.host.cgroup.as_ref().filter(|at| !at.is_entered_by_birth());
        push_cgroup(by_file, &mut self.script, &mut self.opens);
        affinity::push_all(&mut self.script);
        if self.spec.linux().intel_rdt.is_some() {
            self.push_for("/linux/intelRdt", Step::Sync { point: Point::Resctrl });
        }
        let maps = self.namespaces.new & USER != 0;
        // To lower it needs CAP_SYS_RESOURCE on the host, which ends with the new user namespace: the engine sets it there.
        let oom = self.spec.process.as_ref().and_then(|process| process.oom_score_adj);
        let oom = oom.filter(|_| !(maps && self.host.privileged));
        let needs_proc = oom.is_some() || self.namespaces.new & TIME != 0;
        if self.namespaces.staged() {
            self.open_host_proc(needs_proc, oom);
            // Processes in the namespaces that are joined must not be able to look into this one.
            if !maps || self.host.privileged {
                self.push(Step::Undumpable {});
            }
            self.namespaces.push_joins(&mut self.script);
            match self.birth() {
                // Processes of a pid namespace that is joined must not see one that builds a container: it has all
                // rights, and the host's mounts. The one that they see is born when it has neither.
                Birth::Late if self.namespaces.at_clone() != 0 => {
                    self.push(Step::Unshare { flags: self.namespaces.at_clone() });
                }
                Birth::Late => {}
                Birth::Inside => self.push(Step::Spawn { flags: self.namespaces.at_clone() as u32 }),
            }
            if maps {
                self.push(Step::Sync { point: Point::Map });
            }
        } else {
            if maps {
                self.push(Step::Sync { point: Point::Map });
            }
            self.open_host_proc(needs_proc, oom);
        }
        let delegated = self.enter_delegated();
        self.push(Step::Undumpable {});
        if self.user_namespace() {
            self.early = std::mem::take(&mut self.script);
            let keep_groups = self.host.keep_groups;
            self.push(Step::BecomeRoot { keep_groups });
        }
        if !self.namespaces.staged() {
            self.namespaces.push_joins(&mut self.script);
        }
        let late =
            self.namespaces.new & (if delegated || self.moved_while_building { TIME } else { CGROUP | TIME });
        if late != 0 {
            self.push(Step::Unshare { flags: late });
        }
        if late & TIME != 0 {
            self.set_clocks();
            self.push(Step::CloseHostProc {});
        }
    }

    /// Enters the group that the container manages, behind the root of its cgroup namespace, which is the group above it: as
    /// the caller's user, since that one may write to both.
    fn enter_delegated(&mut self) -> bool {
        let unit = self.host.cgroup.as_ref().and_then(|location| location.unit.as_ref());
        let Some(delegated) = unit.and_then(|unit| unit.delegated.as_ref()) else { return false };
        let path = c(&format!("{delegated}/cgroup.procs"));
        if self.namespaces.new & CGROUP != 0 {
            self.push(Step::Unshare { flags: CGROUP });
        }
        self.push_for("/annotations/run.oci.delegate-cgroup", Step::EnterBelow { path: &path });
        true
    }

    /// The trees that are wanted are known at the end only, and have to be copied in the middle: by the container's
    /// own process, so that the host's flags are locked, and before it becomes another user, which may not be able to
    /// reach them. A mount namespace that is joined has none of them: before that it makes one to copy them in.
    fn join_halves(&mut self) {
        let copies = self.opens.early_copies();
        let mut early = std::mem::take(&mut self.early);
        if self.namespaces.joined() & MOUNT != 0 && !copies.is_empty() {
            let mut before = Script::default();
            before.push(Field::None, Step::Unshare { flags: MOUNT });
            before.append(copies);
            early = early.insert(before, |step| matches!(step, Step::Join { flags: MOUNT, .. }));
        } else {
            early.append(copies);
        }
        early.append(std::mem::take(&mut self.script));
        self.script = early;
    }

    /// systemd takes its time for a scope: meanwhile the tree is built, as far as neither the cgroup shows in it nor
    /// anything is opened that a device rule could forbid.
    fn await_scope(&mut self) {
        if !self.moved_while_building {
            return;
        }
        let mut arrival = Script::default();
        arrival.push(Field::Fixed("/linux/cgroupsPath"), Step::Sync { point: Point::Scope });
        if self.namespaces.new & CGROUP != 0 {
            arrival.push(Field::None, Step::Unshare { flags: CGROUP });
        }
        self.script = std::mem::take(&mut self.script).insert(arrival, |step| !works_anywhere(step));
    }

    fn copier(&self) -> Copier {
        Copier::of(self.host, self.namespaces.new | self.namespaces.joined(), Moment::Building)
    }

    fn open_host_proc(&mut self, needed: bool, oom: Option<i64>) {
        if needed {
            self.push(Step::OpenHostProc {});
        }
        if let Some(value) = oom {
            let value = value.to_string();
            let step = Step::SelfFile { file: c"oom_score_adj", value: Bytes(value.as_bytes()) };
            self.push_for("/process/oomScoreAdj", step);
            if self.namespaces.new & TIME == 0 {
                self.push(Step::CloseHostProc {});
            }
        }
    }

    fn set_clocks(&mut self) {
        let offsets = self.spec.linux().time_offsets.iter();
        let lines = offsets.map(|(clock, offset)| format!("{clock} {} {}\n", offset.secs, offset.nanosecs));
        let text: String = lines.collect();
        if !text.is_empty() {
            let step = Step::SelfFile { file: c"timens_offsets", value: Bytes(text.as_bytes()) };
            self.push_for("/linux/timeOffsets", step);
        }
        self.push(Step::EnterTimeNamespace {});
    }

    fn prepare_namespaces(&mut self) -> Result<()> {
        if let Some(keyring) = &self.options.keyring {
            let first = self.host.privileged && !self.host.in_user_namespace && !self.user_namespace();
            let hidden = if first { keyring.hidden } else { 0 };
            self.push(Step::Keyring { name: &c(&keyring.name), hidden });
        }
        if self.namespaces.new & NETWORK != 0 {
            self.push(Step::LoopbackUp {});
        }
        if !self.spec.linux().net_devices.is_empty() {
            self.push_for("/linux/netDevices", Step::Sync { point: Point::Network });
        }
        settings::push(self.spec.linux(), &mut self.script)
    }

    /// The root filesystem and everything below it, up to the point where the host's tree is gone.
    fn build_tree(&mut self) -> Result<()> {
        let spec = self.spec;
        let Some(root) = &spec.root else {
            return Err(Error::new("a root filesystem is needed").kind(Kind::Config).field("/root"));
        };
        if !self.namespaces.has(MOUNT) {
            self.enter_root(&root.path);
            return Ok(());
        }
        let propagation = given(&spec.linux().rootfs_propagation).and_then(names::propagation_mode);
        // A copy of a tree stays in the peer group of its original; unless the config shares on purpose, nothing
        // that is mounted inside may appear on the host. Sharing is for the volumes that ask for it: the root itself
        // never stays the host's peer, because what we mount on it is not the host's business, and pivot_root(2)
        // refuses a shared root. `shared` makes it the first of a new peer group afterwards (config-linux.md, Rootfs
        // Mount Propagation).
        let base = match propagation {
            Some((libc::MS_SHARED, _)) => 0,
            Some((libc::MS_PRIVATE, _)) => libc::MS_PRIVATE,
            _ => libc::MS_SLAVE,
        };
        // Directories and device nodes have the mode that they are made with, whatever the caller's umask is; the process
        // gets a mask of its own.
        self.push(Step::Umask { value: 0 });
        // What is mounted in the image follows the host where propagation is asked for. The root itself never does.
        let shares = propagation.is_some_and(|(flag, _)| matches!(flag, libc::MS_SHARED | libc::MS_SLAVE));
        let before = std::mem::take(&mut self.script);
        self.attach_root(&root.path, if shares { libc::MS_SLAVE } else { libc::MS_PRIVATE });
        if shares {
            let attributes = Attributes { propagation: libc::MS_PRIVATE, ..Attributes::NONE };
            self.push(Step::RootAttributes { attributes, recursive: false });
        }
        let mounts = Mounts {
            script: &mut self.script,
            opens: &mut self.opens,
            list: &spec.mounts,
            spec,
            bundle: self.bundle,
            host: self.host,
            namespaces: self.namespaces.new | self.namespaces.joined(),
            base_propagation: base,
            moment: Moment::Building,
            pidns: self.namespaces.joined_handle(PID),
        };
        let furnished = mounts.furnished()?;
        mounts.push()?;
        let nodes = if self.user_namespace() || self.host.in_user_namespace {
            Nodes::Bind(self.copier())
        } else {
            Nodes::Make
        };
        devices::push(spec, nodes, self.options.has_core, &mut self.script, &mut self.opens)?;
        if spec.process.as_ref().is_some_and(|process| process.terminal) {
            let held = self.birth() == Birth::Late;
            self.push_for("/process/terminal", Step::Console { bind: true, held });
        }
        if self.shares_processes() {
            // The host's tree is still there.
            self.push(Step::OpenHostProc {});
            self.push_sysctls();
            self.push(Step::CloseHostProc {});
        }
        if (!spec.linux().sysctl.is_empty() && !self.shares_processes())
            || spec.process.as_ref().is_some_and(|process| labels(process, false).next().is_some())
        {
            self.push(Step::OpenProc {});
        }
        if self.hooks_before_pivot() {
            self.push_for("/hooks", Step::Sync { point: Point::Hooks });
        }
        for (index, target) in furnished {
            let attributes = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::NONE };
            let change = Remount { target: &target, attributes, recursive_attributes: Attributes::NONE };
            self.script.push(Field::Mount(index), Step::Remount(change));
        }
        self.leave_host();
        self.take_table(before);
        self.finish_tree(root.readonly, propagation);
        Ok(())
    }

    /// Puts what comes before it ahead of the tree, and the tree into a copy of the small mount namespace if that suffices.
    /// The first process has been in the host's own namespace until then: nothing before this mounts anything.
    fn take_table(&mut self, before: Script) {
        let tree = std::mem::replace(&mut self.script, before);
        let ours = self.namespaces.new & MOUNT != 0 && !self.namespaces.staged() && !self.user_namespace();
        if ours && self.host.small_table && small_table::suffices(&tree) {
            self.namespaces.from_small_table = true;
            let namespace = self.opens.add(Open::SmallTable);
            self.push(Step::Join { namespace, flags: MOUNT });
            self.push_for("/linux/namespaces", Step::Unshare { flags: MOUNT });
        }
        self.script.append(tree);
    }

    /// Without a mount namespace nothing is mounted and no device is made: it would be in the host's tree. The root file
    /// system is entered and no more (config-linux.md, Namespaces: what is not listed is inherited).
    fn enter_root(&mut self, path: &str) {
        let warning = Error::new("has no mount namespace: what is mounted in the container is the host's");
        self.warnings.push(warning.field("/linux/namespaces"));
        self.push(Step::Umask { value: 0 });
        let source = in_bundle(self.bundle, path);
        self.script.push(Field::Fixed("/root/path"), Step::OpenRoot { path: &c(&source) });
        if self.spec.process.as_ref().is_some_and(|process| labels(process, false).next().is_some()) {
            self.push(Step::OpenProc {});
        }
        if self.hooks_before_pivot() {
            self.script.push(Field::Fixed("/hooks"), Step::Sync { point: Point::Hooks });
        }
        self.push(Step::Chroot { elsewhere: false, left_below: StringList::default().wire() });
        self.finish_tree(false, None);
    }

    fn hooks_before_pivot(&self) -> bool {
        let hooks = self.spec.hooks();
        [&hooks.prestart, &hooks.create_runtime, &hooks.create_container].iter().any(|kind| !kind.is_empty())
    }

    /// Hooks expect to find the root filesystem at its own path; without hooks it is attached over the root,
    /// so that no directory on the way has to be passable for the container's user.
    fn attach_root(&mut self, path: &'a str, propagation: u64) {
        let source = in_bundle(self.bundle, path);
        let attach = if self.hooks_before_pivot() { c(&source) } else { c("/") };
        let field = Field::Fixed("/root/path");
        let copier = self.copier();
        let by_path = if copier == Copier::Late { c(&source) } else { c("") };
        let path = Cow::Owned(source.into_owned());
        let open = Open::Tree { path, flags: libc::AT_RECURSIVE as u32, mapping: None, copier, field };
        // Nothing that happens to our copy of the host's tree may reach the host, and nothing of ours either.
        self.push(Step::HostPropagation { flags: libc::MS_PRIVATE, recursive: true });
        let step = Step::Root(Root {
            tree: self.opens.add(open),
            path: &by_path,
            attach: &attach,
            attributes: Attributes { propagation, ..Attributes::NONE },
        });
        self.script.push(field, step);
    }

    fn leave_host(&mut self) {
        if let Some(left_below) = &self.options.left_below {
            let places = StringList::of(left_below);
            let elsewhere = self.hooks_before_pivot();
            self.push(Step::Chroot { elsewhere, left_below: places.wire() });
        } else {
            self.push(Step::Pivot {});
        }
    }

    /// After the hooks: as with runc and crun, a createContainer hook still sees the host's name.
    fn set_names(&mut self) {
        if !self.namespaces.has(UTS) {
            return;
        }
        if let Some(name) = given(&self.spec.hostname) {
            self.push_for("/hostname", Step::Hostname { name: Bytes(name.as_bytes()) });
        }
        if let Some(name) = given(&self.spec.domainname) {
            self.push_for("/domainname", Step::Domainname { name: Bytes(name.as_bytes()) });
        }
    }

    fn finish_tree(&mut self, readonly: bool, propagation: Option<(u64, bool)>) {
        let spec = self.spec;
        self.set_names();
        if !spec.linux().masked_paths.is_empty() {
            self.push(Step::OpenNull {});
        }
        if let Some(process) = &spec.process {
            // Made before the root may become read-only, and entered while nothing can refuse it.
            let groups = groups(process, self.host);
            let user = Searcher {
                anywhere: searches_anywhere(process),
                uid: process.user.uid,
                gid: process.user.gid,
                keep_groups: groups.is_none(),
                groups: Bytes(groups.as_deref().unwrap_or_default()),
            };
            self.push_for("/process/cwd", Step::Cwd { path: &c(&process.cwd), user });
        }
        if readonly {
            let attributes = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::NONE };
            self.push_for("/root/readonly", Step::RootAttributes { attributes, recursive: false });
        }
        self.push_paths();
        // After the paths: an unbindable root cannot be copied, which is how they are made read-only.
        if let Some((flag, recursive)) = propagation {
            let attributes = Attributes { propagation: flag, ..Attributes::NONE };
            self.push_for("/linux/rootfsPropagation", Step::RootAttributes { attributes, recursive });
        }
    }

    /// Kernel parameters before the read-only paths, which may cover them; masks at the end, over everything.
    fn push_paths(&mut self) {
        let spec = self.spec;
        let linux = spec.linux();
        if !self.shares_processes() {
            self.push_sysctls();
        }
        // The same path twice is the same mount twice.
        let mut seen = BTreeSet::new();
        for (i, path) in linux.readonly_paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
            let attributes = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::NONE };
            // No process would see a mount over the root: the root's own mount is changed.
            if is_root(path) {
                self.script.push(Field::Readonly(i), Step::RootAttributes { attributes, recursive: false });
                continue;
            }
            for path in readings(path).filter(|path| seen.insert(path.clone())) {
                self.script.push(Field::Readonly(i), Step::Readonly { path: &c(&path) });
            }
        }
        let label = StringList::of(label_option(spec));
        let mut seen = BTreeSet::new();
        for (i, path) in linux.masked_paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
            for path in readings(path).filter(|path| seen.insert(path.clone())) {
                self.script.push(Field::Masked(i), Step::Mask { path: &c(&path), options: label.wire() });
            }
        }
    }

    fn push_sysctls(&mut self) {
        for (i, (key, value)) in self.spec.linux().sysctl.iter().enumerate() {
            let path = c(&sysctl_path(key).unwrap_or_default());
            self.script.push(Field::Sysctl(i), Step::Sysctl { path: &path, value: Bytes(value.as_bytes()) });
        }
    }

    /// In a user namespace without a pid namespace of its own the kernel mounts no proc: kernel parameters are written
    /// through the host's, where they are those of the namespaces of the process that writes.
    fn shares_processes(&self) -> bool {
        let own = self.user_namespace() || self.host.in_user_namespace;
        own && !self.namespaces.has(PID) && !self.spec.linux().sysctl.is_empty()
    }

    fn run_program(&mut self, filter: Option<&Filter>, ends: Ends) -> Result<Option<Sets>> {
        // Without a program the container waits for a start that is refused.
        let nothing = Process { cwd: "/".into(), ..Process::default() };
        let process = self.spec.process.as_ref().unwrap_or(&nothing);
        let own_limit = process.rlimits.iter().any(|limit| &*limit.kind == "RLIMIT_NOFILE");
        let (soft, hard) = self.host.open_files;
        if !own_limit && (self.host.open_files_are_raised || self.opens.exceed(soft)) {
            // The engine raises it for the descriptors of this plan.
            self.push(Step::Rlimit { resource: names::RLIMIT_NOFILE, soft, hard });
        }
        // Without a pid namespace of its own a container's processes are seen by the caller's anyway. In a new one it is
        // alone, until another process is let in while it waits for hooks or for `start`.
        let hooks = !self.spec.hooks().start_container.is_empty();
        let alone =
            !self.namespaces.has(PID) || (self.birth() == Birth::Inside && ends == Ends::NONE && !hooks);
        let program = Program {
            process,
            file: None,
            whole_environment: false,
            host: self.host,
            user_namespace: self.user_namespace(),
            filter,
            preserve_fds: self.options.preserve_fds,
            listening: !self.spec.amendments.sockets.is_none(),
            start: Some(ends),
            birth: self.birth(),
            tracers: if alone { Tracers::None } else { Tracers::Possible },
            held: false,
        };
        program.push(&mut self.script, &mut self.warnings)
    }
}

/// The places that a path to be masked or protected may mean. Read as text it cannot lead elsewhere, whatever the image
/// has there; with a `..` behind a link the path on the disk is another, the one that runc takes: then both are protected.
fn readings(path: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let on_disk = path.split('/').any(|part| part == "..").then_some(Cow::Borrowed(path));
    std::iter::once(absolute(path)).chain(on_disk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protective_path_is_read_as_text_and_with_dots_as_the_disk_has_it_too() {
        for (path, expected) in [
            ("/proc/keys", &["/proc/keys"][..]),
            ("//proc/./keys/", &["/proc/keys"]),
            ("/proc/..x/a..", &["/proc/..x/a.."]),
            ("/nodir/../proc/sys", &["/proc/sys", "/nodir/../proc/sys"]),
        ] {
            assert_eq!(readings(path).collect::<Vec<_>>(), expected);
        }
    }
}
