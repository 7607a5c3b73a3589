//! The parent's part of a plan: what rruntime does on the host's side, in order, each deed with what it is done with and
//! the field of config.json that it comes from.
//!
//! One loop of the engine (`engine/carry.rs`) does them one after the other and keeps a ledger of what was done; [`undo`] of
//! that ledger is the way back, and [`delete`] is the way back from all of it. `plan/words.rs` prints them.

use super::opens::Opens;
use super::program::Sets;
use super::scheduling::forbids_birth;
pub use super::script::HookKind;
use super::script::{Field, Talk};
use super::tenant::Tenant;
use super::{Plan, StartWord};
use crate::cgroup::systemd::ScopeSettings;
use crate::cgroup::{Limits, Location, Unit};
use crate::error::{Error, Result};
use crate::resctrl::{Demand, Group, Place};
use crate::spec::{Hook, IdMapping, Linux, Process, Rlimit, Seccomp, Spec};
use crate::wire::Point;
use std::path::Path;

/// One thing that is done. What is known only when it is done, such as a pid, is its executor's.
#[derive(Clone, Copy)]
pub enum Deed<'a> {
    // A container in the making.
    /// For the container of this id.
    MakeState(&'a str),
    ClaimCgroup(&'a Location),
    WriteIntent,
    /// With the controllers that the limits need.
    MakeCgroup(&'a Location, &'a Limits),
    /// A process that does nothing, for a scope that has to be there before init is started.
    StartHolder,
    /// Of systemd, with that process or init in it; not waited for.
    AskForScope(ScopeSettings<'a>),
    AwaitScope(&'a Limits),
    /// init has taken its place.
    EndHolder,
    /// Have the process that joins moved into its scope.
    MoveIntoScope(&'a Unit),
    /// The same as `Release`, with the group that the process is born in where that is below the scope.
    ReleaseIntoScope,
    MakeResctrl(&'a Demand),
    MakeStartPipes(StartWord),
    ShowCreated,
    MakeNotifyDirectory,
    Open(&'a Opens<'a>),
    GuardDevices(&'a Limits),
    SetLimits(&'a Limits),
    /// In new namespaces of these kinds (`CLONE_NEW…`).
    StartInit(u64),
    KeepConfig,
    /// For a later command: `plan/kept.rs`.
    KeepScript,
    /// The record names the process: hooks may ask.
    RecordProcess,
    /// The record says that the container is created; it counts from `Publish` on.
    RecordCreated,
    /// Follow init until it waits at this point.
    Meet(Point),
    Release,
    /// Those of users, then those of groups.
    WriteIdMaps(&'a [IdMapping], &'a [IdMapping]),
    RaiseLimits(&'a [Rlimit<'a>]),
    ScoreForOom(i64),
    JoinResctrl(Group<'a>),
    MoveDevices(&'a Linux<'a>),
    RunHooks(HookKind, &'a [Hook<'a>]),
    CheckConfined(&'a Sets),
    LimitProcesses(&'a [Rlimit<'a>]),
    SettleBorn(&'a Process<'a>),
    AwaitReady,
    /// Follow init until it has handed over the master of its terminal.
    TakeTerminal(&'a Process<'a>),
    ShowTerminal,
    /// Follow init until it has handed over the listener of its filter.
    SendListener(&'a Seccomp<'a>),
    GivePidfd,
    Publish,
    /// Of a container that may wait for start.
    WriteBrief(bool),
    WritePidFile(&'a Path),
    // A process that joins a container.
    /// Its init, with what exec's caller gives it.
    StartJoining,
    // A restore.
    /// A container as the config says, without its program: what is restored is held against it.
    BuildModel,
    StartCriu,
    /// Makes the processes again, compares, and lets them go on.
    Restore,
    // A start.
    /// Pass on to the service manager's socket that the program is ready.
    RelayReadiness(&'a Path),
    SayStart,
    /// Follow init until its program runs. Where a strict profile is loaded last, its listener comes meanwhile.
    AwaitProgram,
    HideCreated,
    RenewBrief,
    // An update.
    AnnounceShares(&'a Demand),
    RecordLimits(&'a str),
    ChangeLimits(&'a Limits),
    SetShares(Shares<'a>),
    // The way back.
    SetLimitsBack,
    ForgetShares(&'a Demand),
    KillFirst,
    EndJoining,
    GiveDevicesBack,
    EndProcesses,
    EndStrangers,
    RemoveCgroup(&'a Location),
    RemoveResctrl(Group<'a>),
    /// Its hooks are in the copy of config.json, which is read when it is their turn.
    RunPoststop,
    ReleaseCgroup(&'a Location),
    RemoveState,
}

/// The shares of resctrl that an update gives a container, in the group that it has or in one that is made.
#[derive(Clone, Copy)]
pub struct Shares<'a> {
    pub group: Group<'a>,
    pub l3_cache: Option<&'a str>,
    pub bandwidth: Option<&'a str>,
}

/// What there is of a container, by its record.
#[derive(Clone, Copy, Default)]
pub struct There<'a> {
    pub cgroup: Option<&'a Location>,
    pub resctrl: Option<&'a Place>,
}

impl<'a> Deed<'a> {
    /// What it is called, the field it comes from ("" for none), and the deed that takes it back: removing the state
    /// directory removes all that is in it. A cgroup is taken back as the record knows it: by its inode number.
    fn about(self, there: There<'a>) -> (&'static str, &'static str, Option<Deed<'a>>) {
        match self {
            Deed::MakeState(_) => ("make the state directory", "", Some(Deed::RemoveState)),
            Deed::ClaimCgroup(location) => {
                ("claim the path of the cgroup", "/linux/cgroupsPath", Some(Deed::ReleaseCgroup(location)))
            }
            Deed::WriteIntent => ("record the intent", "", Some(Deed::RunPoststop)),
            Deed::MakeCgroup(..) => {
                ("make the cgroup", "/linux/cgroupsPath", there.cgroup.map(Deed::RemoveCgroup))
            }
            Deed::StartHolder => ("start a process to hold the scope", "", None),
            Deed::AskForScope(_) => ("ask systemd for the scope", "/linux/cgroupsPath", None),
            Deed::AwaitScope(_) => ("wait until systemd has made the scope", "/linux/cgroupsPath", None),
            Deed::EndHolder => ("end the process that held the scope", "", None),
            Deed::MakeResctrl(demand) => {
                let back = Deed::RemoveResctrl(Group::Wanted(demand));
                ("make the resctrl group", "/linux/intelRdt", Some(back))
            }
            Deed::MakeStartPipes(_) => ("make the pipes of start", "", None),
            Deed::ShowCreated => ("mark the container as created", "", None),
            Deed::MakeNotifyDirectory => ("make the directory of the notify socket", "", None),
            Deed::Open(_) => ("open what the steps name", "", None),
            Deed::GuardDevices(_) => ("set the device rules of the cgroup", "/linux/resources/devices", None),
            Deed::SetLimits(_) => ("set the limits of the container's cgroup", "/linux/resources", None),
            Deed::StartInit(0) => ("start init", "", Some(Deed::EndProcesses)),
            Deed::StartInit(_) => ("start init", "/linux/namespaces", Some(Deed::EndProcesses)),
            Deed::KeepConfig => ("keep a copy of config.json", "", None),
            Deed::KeepScript => ("keep the steps with their fields", "", None),
            Deed::RecordProcess => ("record the process", "", None),
            Deed::RecordCreated => ("record that the container is created", "", None),
            Deed::Meet(_) => ("wait until init needs the runtime to", "", None),
            Deed::MoveIntoScope(_) => ("have systemd move the process into the scope", "", None),
            Deed::Release | Deed::ReleaseIntoScope => ("let init go on", "", None),
            Deed::WriteIdMaps(..) => ("write the id maps", "/linux/uidMappings", None),
            Deed::RaiseLimits(_) => ("raise hard resource limits", "/process/rlimits", None),
            Deed::ScoreForOom(_) => ("set the score of the OOM killer", "/process/oomScoreAdj", None),
            Deed::JoinResctrl(_) => ("add the process to the resctrl group", "/linux/intelRdt", None),
            Deed::MoveDevices(_) => {
                ("move network devices into the container", "/linux/netDevices", Some(Deed::GiveDevicesBack))
            }
            Deed::RunHooks(..) => ("run the hooks", "", None),
            Deed::CheckConfined(_) => {
                ("check that init has dropped its privileges", "/process/capabilities", None)
            }
            Deed::LimitProcesses(_) => ("limit the number of processes", "/process/rlimits", None),
            Deed::SettleBorn(_) => {
                ("set the scheduler of the process that was born", "/process/scheduler", None)
            }
            Deed::AwaitReady => ("wait until init is ready", "", None),
            Deed::TakeTerminal(_) => {
                ("take the terminal and give it to the caller", "/process/terminal", None)
            }
            Deed::SendListener(_) => {
                ("send the seccomp listener to its agent", "/linux/seccomp/listenerPath", None)
            }
            Deed::ShowTerminal => ("let the container's user open the terminal", "/process/terminal", None),
            Deed::GivePidfd => ("send the process descriptor", "", None),
            Deed::Publish => ("publish the record", "", None),
            Deed::WriteBrief(_) => ("write the summary for list", "", None),
            Deed::WritePidFile(_) => ("write the pid file", "", None),
            Deed::StartJoining => ("start init", "", Some(Deed::EndJoining)),
            Deed::BuildModel => ("build what the container is compared with", "", None),
            Deed::StartCriu => ("start criu", "", Some(Deed::EndProcesses)),
            Deed::Restore => ("restore the processes", "", None),
            Deed::RelayReadiness(_) => ("listen for the program's readiness", "", None),
            Deed::SayStart => ("tell init to start the program", "/process/args", None),
            Deed::AwaitProgram => ("wait until the program runs", "/process/args", None),
            Deed::HideCreated => ("remove the mark of a created container", "", None),
            Deed::RenewBrief => ("update the summary for list", "", None),
            Deed::AnnounceShares(demand) => (
                "record the change of the resctrl group",
                "/linux/intelRdt",
                Some(Deed::ForgetShares(demand)),
            ),
            Deed::RecordLimits(_) => ("prepare the record of the new limits", "", None),
            Deed::ChangeLimits(_) => {
                ("change the limits of the container's cgroup", "/linux/resources", Some(Deed::SetLimitsBack))
            }
            Deed::SetShares(_) => ("change the resctrl group", "/linux/intelRdt", None),
            Deed::SetLimitsBack => ("restore the old limits", "/linux/resources", None),
            Deed::ForgetShares(_) => ("take back the change of the resctrl group", "/linux/intelRdt", None),
            Deed::KillFirst => ("kill the container's first process", "", None),
            Deed::EndJoining => ("end the process that joins the container", "", None),
            Deed::GiveDevicesBack => ("give network devices back to the host", "/linux/netDevices", None),
            Deed::EndProcesses => ("end the container's processes", "", None),
            Deed::EndStrangers => ("end other processes in the container's cgroup", "", None),
            Deed::RemoveCgroup(_) => ("remove the cgroup", "/linux/cgroupsPath", None),
            Deed::RemoveResctrl(_) => ("remove the resctrl group", "/linux/intelRdt", None),
            Deed::RunPoststop => ("run the poststop hooks", "/hooks/poststop", None),
            Deed::ReleaseCgroup(_) => ("release the path of the cgroup", "/linux/cgroupsPath", None),
            Deed::RemoveState => ("remove the state directory", "", None),
        }
    }

    /// Its name, which `words` makes a sentence of.
    pub(super) fn name(self) -> &'static str {
        self.about(There::default()).0
    }

    /// Where it comes from.
    pub fn field(self) -> Field {
        match (self, self.about(There::default()).1) {
            (Deed::RunHooks(hooks, _), _) => Field::Hooks(hooks),
            (_, "") => Field::None,
            (_, field) => Field::Fixed(field),
        }
    }

    /// The same where a failure without a field of its own is about it. What starts init or listens to it knows whether
    /// one is; the limits of an update are not config.json's.
    pub fn blamed(self) -> Field {
        match self {
            Deed::StartInit(_)
            | Deed::StartJoining
            | Deed::SayStart
            | Deed::AwaitProgram
            | Deed::ChangeLimits(_) => Field::None,
            _ => self.field(),
        }
    }
}

/// The way back from what was done: the ledger, read from its end.
pub fn undo<'a>(ledger: &[Deed<'a>], there: There<'a>) -> Vec<Deed<'a>> {
    ledger.iter().rev().filter_map(|deed| deed.about(there).2).collect()
}

/// What comes first where it need not have stopped, and before the lock: a command that waits for this container's process
/// holds that.
pub const FORCE: [Deed; 2] = [Deed::EndProcesses, Deed::EndStrangers];

/// The way back from a container that was made, or from whatever exists of it.
pub fn delete(there: There) -> Vec<Deed> {
    let all = [
        Some(Deed::EndProcesses),
        there.cgroup.map(Deed::RemoveCgroup),
        there.resctrl.map(Group::Recorded).map(Deed::RemoveResctrl),
        Some(Deed::RunPoststop),
        there.cgroup.map(Deed::ReleaseCgroup),
        Some(Deed::RemoveState),
    ];
    all.into_iter().flatten().collect()
}

/// What the caller of a creation, or of exec, wants besides the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes<'a> {
    pub start: StartWord,
    /// The state is "created" for a while.
    pub shows_created: bool,
    /// The notify socket is bound into the container.
    pub notify: bool,
    pub pidfd: bool,
    pub pid_file: Option<&'a Path>,
}

/// What a container is made of.
#[derive(Clone, Copy)]
pub struct Creation<'a> {
    pub id: &'a str,
    pub plan: &'a Plan<'a>,
    pub spec: &'a Spec<'a>,
    /// Where its cgroup will be, if it is to have one.
    pub cgroup: Option<&'a Location>,
    pub limits: &'a Limits,
    /// What systemd is asked for, where it makes the cgroup.
    pub scope: Option<ScopeSettings<'a>>,
    pub resctrl: Option<&'a Demand>,
    /// The caller may raise hard limits and lower the score of the OOM killer. Only what an ordinary user may set by itself
    /// is in its config.
    pub raises: bool,
    pub wishes: Wishes<'a>,
}

/// The deeds of a creation, up to a process that waits for start. A point where init would wait for a part that there is
/// not is an error.
pub fn create<'a>(of: &Creation<'a>) -> Result<Vec<Deed<'a>>> {
    let Creation { id, plan, spec, cgroup, limits, scope, resctrl, wishes, .. } = *of;
    let terminal = spec.process.as_ref().is_some_and(|process| process.terminal);
    // On v1 the process enters its cgroups by itself and finds its limits there; on v2 they are set while the child works.
    // A first process that spawns the real one must not meet a limit of one task.
    let legacy = cgroup.is_some_and(|location| !location.is_entered_by_birth());
    let limited = |now: bool| cgroup.filter(|_| now).map(|_| Deed::SetLimits(limits));
    // So the scope is there before it on v1; on v2 systemd moves init into it, or its first stage, which makes the real one.
    let (before, beside) = if legacy { (scope, None) } else { (None, scope) };
    // What says "created" is written while the child builds its tree, and counts only when it is published: a container in
    // the making that was taken for a running one would let `exec` into the host's tree. Hooks may ask for the state
    // before; and a new user namespace is seen only when its process waits for the id maps, and belongs into the record.
    let hooks = spec.hooks.is_some();
    // Only then is the process in its cgroup, and in the second case there at all.
    let arrives = plan.moved_while_building || plan.staged;
    let late = arrives || hooks || plan.id_maps.is_some();
    let kept = wishes.start != StartWord::Maker;
    let mut deeds = wanted([
        Some(Deed::MakeState(id)),
        cgroup.map(Deed::ClaimCgroup),
        Some(Deed::WriteIntent),
        cgroup.map(|location| Deed::MakeCgroup(location, limits)),
        before.map(|_| Deed::StartHolder),
        before.map(Deed::AskForScope),
        before.map(|_| Deed::AwaitScope(limits)),
        resctrl.map(Deed::MakeResctrl),
        kept.then_some(Deed::MakeStartPipes(wishes.start)),
        (wishes.shows_created && wishes.start != StartWord::Named).then_some(Deed::ShowCreated),
        wishes.notify.then_some(Deed::MakeNotifyDirectory),
        Some(Deed::Open(&plan.opens)),
        // Nothing that the container's image or volumes hold is opened by a process without its device rules.
        cgroup.filter(|_| beside.is_none()).map(|_| Deed::GuardDevices(limits)),
        limited(legacy && !plan.staged),
        Some(Deed::StartInit(plan.clone_flags)),
        beside.map(Deed::AskForScope),
        limited(!legacy && !arrives),
        Some(Deed::KeepConfig),
        kept.then_some(Deed::KeepScript),
        (hooks && !arrives).then_some(Deed::RecordProcess),
        (!late).then_some(Deed::RecordCreated),
    ]);
    let part = HostsPart {
        spec,
        id_maps: plan.id_maps.as_ref(),
        raises: of.raises,
        confined: plan.confined.as_ref(),
        resctrl: resctrl.map(Group::Wanted),
        records: arrives,
        // Before init goes on: with it the scope may end.
        scope: scope.map(|_| {
            wanted([
                Some(Deed::AwaitScope(limits)),
                Some(Deed::GuardDevices(limits)),
                limited(plan.moved_while_building),
            ])
        }),
    };
    // What comes after it is said to the command that starts the container.
    part.meet(plan.script.talks().iter().take_while(|(_, talk)| *talk != Talk::Ready), &mut deeds)?;
    deeds.extend(wanted([
        Some(Deed::AwaitReady),
        before.map(|_| Deed::EndHolder),
        plan.confined.as_ref().map(Deed::CheckConfined),
        terminal.then_some(Deed::ShowTerminal),
        limited(plan.staged),
        late.then_some(Deed::RecordCreated),
        wishes.pidfd.then_some(Deed::GivePidfd),
        Some(Deed::Publish),
        Some(Deed::WriteBrief(wishes.shows_created)),
        wishes.pid_file.map(Deed::WritePidFile),
    ]));
    Ok(deeds)
}

/// The deeds of a restore: a container whose processes come from files of a checkpoint.
pub fn restore<'a>(of: &Creation<'a>) -> Vec<Deed<'a>> {
    let Creation { id, cgroup, limits, scope, resctrl, wishes, .. } = *of;
    wanted([
        Some(Deed::MakeState(id)),
        cgroup.map(Deed::ClaimCgroup),
        Some(Deed::WriteIntent),
        cgroup.map(|location| Deed::MakeCgroup(location, limits)),
        scope.map(|_| Deed::StartHolder),
        scope.map(Deed::AskForScope),
        scope.map(|_| Deed::AwaitScope(limits)),
        resctrl.map(Deed::MakeResctrl),
        cgroup.map(|_| Deed::GuardDevices(limits)),
        Some(Deed::KeepConfig),
        Some(Deed::BuildModel),
        cgroup.map(|_| Deed::SetLimits(limits)),
        Some(Deed::StartCriu),
        // From here on `delete --force` finds all of it.
        Some(Deed::RecordProcess),
        resctrl.map(Group::Wanted).map(Deed::JoinResctrl),
        Some(Deed::Restore),
        scope.map(|_| Deed::EndHolder),
        Some(Deed::RecordCreated),
        Some(Deed::Publish),
        Some(Deed::WriteBrief(false)),
        wishes.pid_file.map(Deed::WritePidFile),
    ])
}

/// Of the deeds of a creation those that build the container, up to a process that would become its program.
pub fn model<'a>(of: &Creation<'a>) -> Result<Vec<Deed<'a>>> {
    let builds = |deed: &Deed| {
        matches!(
            deed,
            Deed::Open(_)
                | Deed::StartInit(_)
                | Deed::Meet(_)
                | Deed::WriteIdMaps(..)
                | Deed::RaiseLimits(_)
                | Deed::ScoreForOom(_)
                | Deed::LimitProcesses(_)
                | Deed::SettleBorn(_)
                | Deed::TakeTerminal(_)
                | Deed::Release
                | Deed::AwaitReady
        )
    };
    Ok(create(of)?.into_iter().filter(builds).collect())
}

fn wanted<'a, const N: usize>(deeds: [Option<Deed<'a>>; N]) -> Vec<Deed<'a>> {
    deeds.into_iter().flatten().collect()
}

/// Where there are any.
fn run<'a>(kind: HookKind, hooks: &'a [Hook<'a>]) -> Option<Deed<'a>> {
    (!hooks.is_empty()).then_some(Deed::RunHooks(kind, hooks))
}

/// How a container waits for its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In the hands of its maker, its state being "creating" until it runs.
    Unshown,
    /// Its state is "created".
    Shown,
    /// As 0.1.0 has made it: shown, and its init asks for the hooks once it is told to start.
    Asking,
}

/// The deeds of a start; `notify` is the service manager's socket.
pub fn start<'a>(spec: &'a Spec<'a>, stage: Stage, notify: Option<&'a Path>) -> Vec<Deed<'a>> {
    let hooks = spec.hooks();
    let first = run(HookKind::StartContainer, &hooks.start_container);
    let (asks, shown) = (stage == Stage::Asking, stage != Stage::Unshown);
    wanted([
        notify.map(Deed::RelayReadiness),
        first.filter(|_| !asks),
        Some(Deed::SayStart),
        first.filter(|_| asks).map(|_| Deed::Meet(Point::Hooks)),
        first.filter(|_| asks),
        first.filter(|_| asks).map(|_| Deed::Release),
        Some(Deed::AwaitProgram),
        shown.then_some(Deed::HideCreated),
        shown.then_some(Deed::RenewBrief),
        run(HookKind::Poststart, &hooks.poststart),
    ])
}

/// The way back from a start of which this has failed. A hook that fails destroys the container (runtime.md, Lifecycle,
/// steps 7 and 9); a program that cannot be executed leaves one that has stopped.
pub fn back_from_start<'a>(failed: Deed, there: There<'a>) -> Vec<Deed<'a>> {
    match failed {
        Deed::RunHooks(..) => delete(there),
        Deed::SayStart | Deed::Meet(_) | Deed::Release | Deed::AwaitProgram => {
            vec![Deed::KillFirst, Deed::HideCreated, Deed::RenewBrief]
        }
        _ => Vec::new(),
    }
}

/// The deeds of an update. What the container has afterwards is remembered in one step, when the kernel has taken all of it:
/// `record` are its limits then.
pub fn update<'a>(limits: &'a Limits, record: &'a str, shares: Option<Shares<'a>>) -> Vec<Deed<'a>> {
    let announced = shares.and_then(|shares| match shares.group {
        Group::Wanted(demand) => Some(Deed::AnnounceShares(demand)),
        Group::Recorded(_) => None,
    });
    wanted([
        announced,
        Some(Deed::RecordLimits(record)),
        Some(Deed::ChangeLimits(limits)),
        shares.map(Deed::SetShares),
        Some(Deed::Publish),
    ])
}

/// The deeds for a process that joins a container, up to its program.
pub fn join<'a>(
    tenant: &'a Tenant<'a>,
    spec: &'a Spec<'a>,
    resctrl: Option<&'a Place>,
    wishes: Wishes<'a>,
) -> Result<Vec<Deed<'a>>> {
    let mut deeds = vec![Deed::Open(&tenant.opens), Deed::StartJoining];
    let (confined, resctrl) = (tenant.confined.as_ref(), resctrl.map(Group::Recorded));
    let scope = tenant.mover.as_ref().map(|unit| vec![Deed::MoveIntoScope(unit)]);
    let part = HostsPart { spec, id_maps: None, raises: true, confined, resctrl, records: false, scope };
    part.meet(tenant.script.talks().iter(), &mut deeds)?;
    deeds.extend(wanted([
        Some(Deed::AwaitProgram),
        wishes.pidfd.then_some(Deed::GivePidfd),
        wishes.pid_file.map(Deed::WritePidFile),
    ]));
    Ok(deeds)
}

/// What the host's part at the points where init waits is done with.
struct HostsPart<'a> {
    spec: &'a Spec<'a>,
    id_maps: Option<&'a (Vec<IdMapping>, Vec<IdMapping>)>,
    raises: bool,
    confined: Option<&'a Sets>,
    resctrl: Option<Group<'a>>,
    /// The process that hooks may ask for is there only by then.
    records: bool,
    /// What puts the process into a scope.
    scope: Option<Vec<Deed<'a>>>,
}

impl<'a> HostsPart<'a> {
    /// Where init waits for the host's part, or hands something over.
    fn meet<'t>(
        &self,
        talks: impl Iterator<Item = &'t (u32, Talk)>,
        deeds: &mut Vec<Deed<'a>>,
    ) -> Result<()> {
        let lacks = |what| Error::new(format!("the plan lacks what init waits for at {what:?}"));
        for (_, talk) in talks {
            match *talk {
                Talk::Reached(point) => {
                    deeds.push(Deed::Meet(point));
                    deeds.extend(self.at(point).ok_or_else(|| lacks(*talk))?);
                    deeds.push(if point == Point::Scope { Deed::ReleaseIntoScope } else { Deed::Release });
                }
                Talk::Console => {
                    let process = self.spec.process.as_ref().ok_or_else(|| lacks(*talk))?;
                    deeds.push(Deed::TakeTerminal(process));
                }
                Talk::Listener => {
                    let seccomp = self.spec.linux().seccomp.as_ref();
                    deeds.push(Deed::SendListener(seccomp.ok_or_else(|| lacks(*talk))?));
                }
                Talk::Spawned | Talk::Ready => {}
            }
        }
        Ok(())
    }

    /// The host's part at a point where init waits; `None` where the plan does not have it.
    fn at(&self, point: Point) -> Option<Vec<Deed<'a>>> {
        let process = self.spec.process.as_ref();
        let rlimits = process.map_or(&[][..], |process| &process.rlimits);
        let raise = (self.raises && !rlimits.is_empty()).then_some(Deed::RaiseLimits(rlimits));
        let hooks = self.spec.hooks();
        Some(match point {
            Point::Map => {
                let (uids, gids) = self.id_maps?;
                let score = process.filter(|_| self.raises).and_then(|process| process.oom_score_adj);
                wanted([Some(Deed::WriteIdMaps(uids, gids)), raise, score.map(Deed::ScoreForOom)])
            }
            Point::Scope => self.scope.clone()?,
            Point::Limits => wanted([raise]),
            Point::Resctrl => vec![Deed::JoinResctrl(self.resctrl?)],
            Point::Network => vec![Deed::MoveDevices(self.spec.linux())],
            Point::Hooks => wanted([
                self.records.then_some(Deed::RecordProcess),
                run(HookKind::Prestart, &hooks.prestart),
                run(HookKind::CreateRuntime, &hooks.create_runtime),
                run(HookKind::CreateContainer, &hooks.create_container),
            ]),
            Point::Confined => vec![Deed::CheckConfined(self.confined?)],
            Point::Processes => vec![Deed::LimitProcesses(rlimits)],
            Point::Born => {
                let settled = process.filter(|process| forbids_birth(process)).map(Deed::SettleBorn);
                let terminal = process.is_some_and(|process| process.terminal);
                wanted([settled, terminal.then_some(Deed::ShowTerminal)])
            }
        })
    }
}
