//! The parent's part of a plan: what rruntime does on the host's side, in order, each deed with the field of config.json
//! that it comes from.
//!
//! The engine does them one after the other and keeps a ledger of what was done; [`undo`] of that ledger is the way back,
//! and `delete` is the way back from all of it.

pub use super::script::HookKind;
use super::script::{Field, Script, Talk};
use super::words::host_part;
use super::{Plan, StartWord};
use crate::error::Error;
use crate::host::cgroups::Layout;
use crate::spec::Spec;
use crate::wire::Point;

/// One thing that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    // A container in the making.
    MakeState,
    ClaimCgroup,
    WriteIntent,
    MakeCgroup,
    MakeResctrl,
    MakeStartPipes,
    ShowCreated,
    MakeNotifyDirectory,
    Open,
    GuardDevices,
    SetLimits,
    StartInit,
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
    WriteIdMaps,
    RaiseLimits,
    JoinResctrl,
    MoveDevices,
    RunHooks(HookKind),
    CheckConfined,
    LimitProcesses,
    SettleBorn,
    AwaitReady,
    ShowTerminal,
    GivePidfd,
    Publish,
    WriteBrief,
    WritePidFile,
    // A start.
    SayStart,
    /// Follow init until its program runs.
    AwaitProgram,
    HideCreated,
    RenewBrief,
    // An update.
    AnnounceShares,
    RecordLimits,
    ChangeLimits,
    SetShares,
    // The way back.
    SetLimitsBack,
    ForgetShares,
    KillFirst,
    GiveDevicesBack,
    EndProcesses,
    RemoveCgroup,
    RemoveResctrl,
    ReleaseCgroup,
    RemoveState,
}

impl Deed {
    /// What it is called, the field it comes from ("" for none), and the deed that takes it back: removing the state
    /// directory removes all that is in it.
    fn about(self) -> (&'static str, &'static str, Option<Deed>) {
        match self {
            Deed::MakeState => ("make the state directory", "", Some(Deed::RemoveState)),
            Deed::ClaimCgroup => {
                ("claim the path of the cgroup", "/linux/cgroupsPath", Some(Deed::ReleaseCgroup))
            }
            Deed::WriteIntent => ("record the intent", "", Some(Deed::RunHooks(HookKind::Poststop))),
            Deed::MakeCgroup => ("make the cgroup", "/linux/cgroupsPath", Some(Deed::RemoveCgroup)),
            Deed::MakeResctrl => ("make the resctrl group", "/linux/intelRdt", Some(Deed::RemoveResctrl)),
            Deed::MakeStartPipes => ("make the pipes of start", "", None),
            Deed::ShowCreated => ("mark the container as created", "", None),
            Deed::MakeNotifyDirectory => ("make the directory of the notify socket", "", None),
            Deed::Open => ("open what the steps name", "", None),
            Deed::GuardDevices => ("set the device rules of the cgroup", "/linux/resources/devices", None),
            Deed::SetLimits => ("set the limits of the container's cgroup", "/linux/resources", None),
            Deed::StartInit => ("start init", "/linux/namespaces", Some(Deed::EndProcesses)),
            Deed::KeepConfig => ("keep a copy of config.json", "", None),
            Deed::KeepScript => ("keep the steps with their fields", "", None),
            Deed::RecordProcess => ("record the process", "", None),
            Deed::RecordCreated => ("record that the container is created", "", None),
            Deed::Meet(_) => ("wait until init needs the runtime to", "", None),
            Deed::Release => ("let init go on", "", None),
            Deed::WriteIdMaps => ("write the id maps", "/linux/uidMappings", None),
            Deed::RaiseLimits => ("raise hard resource limits", "/process/rlimits", None),
            Deed::JoinResctrl => ("put init into the resctrl group", "/linux/intelRdt", None),
            Deed::MoveDevices => {
                ("move network devices into the container", "/linux/netDevices", Some(Deed::GiveDevicesBack))
            }
            Deed::RunHooks(_) => ("run the hooks", "", None),
            Deed::CheckConfined => {
                ("check that init has dropped its privileges", "/process/capabilities", None)
            }
            Deed::LimitProcesses => ("limit the number of processes", "/process/rlimits", None),
            Deed::SettleBorn => {
                ("set the scheduler of the process that was born", "/process/scheduler", None)
            }
            Deed::AwaitReady => ("wait until init is ready", "", None),
            Deed::ShowTerminal => ("let the container's user open the terminal", "/process/terminal", None),
            Deed::GivePidfd => ("send a descriptor of the process", "", None),
            Deed::Publish => ("publish the record", "", None),
            Deed::WriteBrief => ("write the summary for list", "", None),
            Deed::WritePidFile => ("write the pid file", "", None),
            Deed::SayStart => ("tell init to start the program", "/process/args", None),
            Deed::AwaitProgram => ("wait until the program runs", "/process/args", None),
            Deed::HideCreated => ("mark the container as started", "", None),
            Deed::RenewBrief => ("update the summary for list", "", None),
            Deed::AnnounceShares => {
                ("record the change of the resctrl group", "/linux/intelRdt", Some(Deed::ForgetShares))
            }
            Deed::RecordLimits => ("prepare the record of the new limits", "", None),
            Deed::ChangeLimits => {
                ("change the limits of the container's cgroup", "/linux/resources", Some(Deed::SetLimitsBack))
            }
            Deed::SetShares => ("change the resctrl group", "/linux/intelRdt", None),
            Deed::SetLimitsBack => ("restore the old limits", "/linux/resources", None),
            Deed::ForgetShares => ("take back the change of the resctrl group", "/linux/intelRdt", None),
            Deed::KillFirst => ("kill the container's first process", "", None),
            Deed::GiveDevicesBack => ("give network devices back to the host", "/linux/netDevices", None),
            Deed::EndProcesses => ("end the container's processes", "", None),
            Deed::RemoveCgroup => ("remove the cgroup", "/linux/cgroupsPath", None),
            Deed::RemoveResctrl => ("remove the resctrl group", "/linux/intelRdt", None),
            Deed::ReleaseCgroup => ("release the path of the cgroup", "/linux/cgroupsPath", None),
            Deed::RemoveState => ("remove the state directory", "", None),
        }
    }

    /// What rruntime does on the host's side.
    pub fn words(self) -> String {
        match (self, self.about().0) {
            (Deed::Meet(point), words) => format!("{words} {}", host_part(point)),
            (Deed::RunHooks(hooks), _) => format!("run the {} hooks", hooks.name()),
            (_, words) => words.into(),
        }
    }

    /// The error where no executor knows it, or what it needs is not there: a plan never asks for what it has not prepared.
    pub fn misplaced(self) -> Error {
        Error::new(format!("the plan is out of order: {}", self.words()))
    }

    /// Where it comes from.
    pub fn field(self) -> Field {
        match (self, self.about().1) {
            (Deed::RunHooks(hooks), _) => Field::Hooks(hooks),
            (_, "") => Field::None,
            (_, field) => Field::Fixed(field),
        }
    }
}

/// The way back from what was done: the ledger, read from its end.
pub fn undo(ledger: &[Deed]) -> Vec<Deed> {
    ledger.iter().rev().filter_map(|deed| deed.about().2).collect()
}

/// The way back from a container that was made, or from whatever exists of it.
pub const DELETE: [Deed; 6] = [
    Deed::EndProcesses,
    Deed::RemoveCgroup,
    Deed::RemoveResctrl,
    Deed::RunHooks(HookKind::Poststop),
    Deed::ReleaseCgroup,
    Deed::RemoveState,
];

/// What the caller of a creation wants besides the container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    pub start: StartWord,
    /// The state is "created" for a while.
    pub shows_created: bool,
    /// The notify socket is bound into the container.
    pub notify: bool,
    pub pidfd: bool,
    pub pid_file: bool,
}

/// The deeds of a creation, up to a process that waits for start.
pub fn create(plan: &Plan, spec: &Spec, layout: Option<&Layout>, wishes: Wishes) -> Vec<Deed> {
    let resctrl = spec.linux().intel_rdt.is_some();
    let terminal = spec.process.as_ref().is_some_and(|process| process.terminal);
    let cgroup = layout.is_some();
    // On v1 the process enters its cgroups by itself and finds its limits there; on v2 they are set while the child works.
    // A first process that spawns the real one must not meet a limit of one task.
    let legacy = layout.is_some_and(|layout| !layout.is_unified());
    // What says "created" is written while the child builds its tree, and counts only when it is published: a container in
    // the making that was taken for a running one would let `exec` into the host's tree. Hooks may ask for the state
    // before; and a new user namespace is seen only when its process waits for the id maps, and belongs into the record.
    let hooks = spec.hooks.is_some();
    let late = plan.staged || hooks || plan.id_maps.is_some();
    let mut deeds = wanted([
        (true, Deed::MakeState),
        (cgroup, Deed::ClaimCgroup),
        (true, Deed::WriteIntent),
        (cgroup, Deed::MakeCgroup),
        (resctrl, Deed::MakeResctrl),
        (wishes.start != StartWord::Maker, Deed::MakeStartPipes),
        (wishes.shows_created && wishes.start != StartWord::Named, Deed::ShowCreated),
        (wishes.notify, Deed::MakeNotifyDirectory),
        (true, Deed::Open),
        // Nothing that the container's image or volumes hold is opened by a process without its device rules.
        (cgroup, Deed::GuardDevices),
        (cgroup && legacy && !plan.staged, Deed::SetLimits),
        (true, Deed::StartInit),
        (cgroup && !legacy && !plan.staged, Deed::SetLimits),
        (true, Deed::KeepConfig),
        (wishes.start != StartWord::Maker, Deed::KeepScript),
        (hooks && !plan.staged, Deed::RecordProcess),
        (!late, Deed::RecordCreated),
    ]);
    deeds.extend(meet(&plan.script));
    deeds.extend(wanted([
        (true, Deed::AwaitReady),
        (plan.confined.is_some(), Deed::CheckConfined),
        (terminal, Deed::ShowTerminal),
        (cgroup && plan.staged, Deed::SetLimits),
        (late, Deed::RecordCreated),
        (wishes.pidfd, Deed::GivePidfd),
        (true, Deed::Publish),
        (true, Deed::WriteBrief),
        (wishes.pid_file, Deed::WritePidFile),
    ]));
    deeds
}

fn wanted<const N: usize>(deeds: [(bool, Deed); N]) -> Vec<Deed> {
    deeds.into_iter().filter_map(|(wanted, deed)| wanted.then_some(deed)).collect()
}

/// The deeds of a start; `shown`: the container's state is "created" until then.
pub fn start(spec: &Spec, shown: bool) -> Vec<Deed> {
    let hooks = spec.hooks();
    wanted([
        (!hooks.start_container.is_empty(), Deed::RunHooks(HookKind::StartContainer)),
        (true, Deed::SayStart),
        (true, Deed::AwaitProgram),
        (shown, Deed::HideCreated),
        (shown, Deed::RenewBrief),
        (!hooks.poststart.is_empty(), Deed::RunHooks(HookKind::Poststart)),
    ])
}

/// The way back from a start of which this has failed. A hook that fails destroys the container (runtime.md, Lifecycle,
/// steps 7 and 9); a program that cannot be executed leaves one that has stopped.
pub fn back_from_start(failed: Deed) -> &'static [Deed] {
    match failed {
        Deed::RunHooks(_) => &DELETE,
        Deed::SayStart | Deed::AwaitProgram => &[Deed::KillFirst, Deed::HideCreated, Deed::RenewBrief],
        _ => &[],
    }
}

/// The deeds of an update. What the container has afterwards is remembered in one step, when the kernel has taken all of it.
pub const UPDATE: [Deed; 5] =
    [Deed::AnnounceShares, Deed::RecordLimits, Deed::ChangeLimits, Deed::SetShares, Deed::Publish];

/// The deeds for a process that joins a container, from its start to its program.
pub fn join(script: &Script, wishes: Wishes) -> Vec<Deed> {
    let mut deeds = meet(script);
    deeds.extend(wanted([
        (true, Deed::AwaitProgram),
        (wishes.pidfd, Deed::GivePidfd),
        (wishes.pid_file, Deed::WritePidFile),
    ]));
    deeds
}

/// Where init waits for the host's part.
fn meet(script: &Script) -> Vec<Deed> {
    let mut deeds = Vec::new();
    for (_, talk) in script.talks() {
        if let Talk::Reached(point) = *talk {
            deeds.push(Deed::Meet(point));
            deeds.extend_from_slice(at(point));
            deeds.push(Deed::Release);
        }
    }
    deeds
}

/// The host's part at a point where init waits.
pub fn at(point: Point) -> &'static [Deed] {
    match point {
        Point::Map => &[Deed::WriteIdMaps, Deed::RaiseLimits],
        Point::Limits => &[Deed::RaiseLimits],
        Point::Resctrl => &[Deed::JoinResctrl],
        Point::Network => &[Deed::MoveDevices],
        Point::Hooks => &[
            Deed::RunHooks(HookKind::Prestart),
            Deed::RunHooks(HookKind::CreateRuntime),
            Deed::RunHooks(HookKind::CreateContainer),
        ],
        Point::Confined => &[Deed::CheckConfined],
        Point::Processes => &[Deed::LimitProcesses],
        Point::Born => &[Deed::SettleBorn, Deed::ShowTerminal],
    }
}
