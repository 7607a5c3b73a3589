//! The parent's part of a plan: what rruntime does on the host's side, in order, each deed with the field of config.json
//! that it comes from.
//!
//! The engine does them one after the other and keeps a ledger of what was done; [`undo`] of that ledger is the way back,
//! and `delete` is the way back from all of it.

pub use super::script::Hooks;
use super::script::{Field, Script, Talk};
use super::{Plan, StartWord, sync};
use crate::host::cgroups::Layout;
use crate::spec::Spec;

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
    Meet(u32),
    Release,
    WriteIdMaps,
    RaiseLimits,
    JoinResctrl,
    MoveDevices,
    RunHooks(Hooks),
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
    /// Where it comes from.
    pub fn field(self) -> Field {
        Field::Fixed(match self {
            Deed::ClaimCgroup | Deed::MakeCgroup | Deed::RemoveCgroup | Deed::ReleaseCgroup => {
                "/linux/cgroupsPath"
            }
            Deed::MakeResctrl | Deed::JoinResctrl | Deed::RemoveResctrl => "/linux/intelRdt",
            Deed::AnnounceShares | Deed::SetShares | Deed::ForgetShares => "/linux/intelRdt",
            Deed::GuardDevices => "/linux/resources/devices",
            Deed::SetLimits | Deed::ChangeLimits | Deed::SetLimitsBack => "/linux/resources",
            Deed::StartInit => "/linux/namespaces",
            Deed::WriteIdMaps => "/linux/uidMappings",
            Deed::RaiseLimits | Deed::LimitProcesses => "/process/rlimits",
            Deed::MoveDevices | Deed::GiveDevicesBack => "/linux/netDevices",
            Deed::SayStart | Deed::AwaitProgram => "/process/args",
            Deed::CheckConfined => "/process/capabilities",
            Deed::SettleBorn => "/process/scheduler",
            Deed::ShowTerminal => "/process/terminal",
            Deed::RunHooks(hooks) => return Field::Hooks(hooks),
            _ => return Field::None,
        })
    }

    /// The deed that takes it back. Removing the state directory removes all that is in it.
    fn undone_by(self) -> Option<Deed> {
        match self {
            Deed::MakeState => Some(Deed::RemoveState),
            Deed::ClaimCgroup => Some(Deed::ReleaseCgroup),
            Deed::WriteIntent => Some(Deed::RunHooks(Hooks::Poststop)),
            Deed::MakeCgroup => Some(Deed::RemoveCgroup),
            Deed::MakeResctrl => Some(Deed::RemoveResctrl),
            Deed::StartInit => Some(Deed::EndProcesses),
            Deed::MoveDevices => Some(Deed::GiveDevicesBack),
            Deed::AnnounceShares => Some(Deed::ForgetShares),
            Deed::ChangeLimits => Some(Deed::SetLimitsBack),
            _ => None,
        }
    }
}

/// The way back from what was done: the ledger, read from its end.
pub fn undo(ledger: &[Deed]) -> Vec<Deed> {
    ledger.iter().rev().filter_map(|deed| deed.undone_by()).collect()
}

/// The way back from a container that was made, or from whatever exists of it.
pub const DELETE: [Deed; 6] = [
    Deed::EndProcesses,
    Deed::RemoveCgroup,
    Deed::RemoveResctrl,
    Deed::RunHooks(Hooks::Poststop),
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
        (!hooks.start_container.is_empty(), Deed::RunHooks(Hooks::StartContainer)),
        (true, Deed::SayStart),
        (true, Deed::AwaitProgram),
        (shown, Deed::HideCreated),
        (shown, Deed::RenewBrief),
        (!hooks.poststart.is_empty(), Deed::RunHooks(Hooks::Poststart)),
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
pub fn at(point: u32) -> &'static [Deed] {
    match point {
        sync::MAP => &[Deed::WriteIdMaps, Deed::RaiseLimits],
        sync::LIMITS => &[Deed::RaiseLimits],
        sync::RESCTRL => &[Deed::JoinResctrl],
        sync::NETWORK => &[Deed::MoveDevices],
        sync::HOOKS => &[
            Deed::RunHooks(Hooks::Prestart),
            Deed::RunHooks(Hooks::CreateRuntime),
            Deed::RunHooks(Hooks::CreateContainer),
        ],
        sync::CONFINED => &[Deed::CheckConfined],
        sync::PROCESSES => &[Deed::LimitProcesses],
        sync::BORN => &[Deed::SettleBorn, Deed::ShowTerminal],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::cgroups::Mount;
    use crate::wire::Step;

    fn plan(points: &[u32]) -> Plan<'static> {
        let mut script = Script::default();
        points.iter().for_each(|point| script.push(Field::None, Step::Sync { point: *point }));
        script.push(Field::None, Step::AwaitStart {});
        Plan {
            script,
            opens: Default::default(),
            clone_flags: 0,
            staged: false,
            confined: None,
            created: 0,
            joined: 0,
            id_maps: None,
            warnings: Vec::new(),
        }
    }

    fn spec(config: &str) -> Spec<'_> {
        crate::spec::load::parse("config.json", config.as_bytes()).unwrap()
    }

    const ROOT: Mount = Mount { path: String::new(), root: String::new() };
    const UNIFIED: Layout = Layout { hierarchies: Vec::new(), unified: Some(ROOT) };
    const LEGACY: Layout = Layout { hierarchies: Vec::new(), unified: None };

    fn place(deeds: &[Deed], deed: Deed) -> usize {
        deeds.iter().position(|it| *it == deed).unwrap_or_else(|| panic!("{deed:?} is not in {deeds:?}"))
    }

    #[test]
    fn limits_stand_before_a_process_that_enters_by_itself_and_come_beside_one_that_is_born_there() {
        for (layout, before) in [(LEGACY, true), (UNIFIED, false)] {
            let deeds = create(&plan(&[]), &spec("{}"), Some(&layout), Wishes::default());
            assert_eq!(place(&deeds, Deed::SetLimits) < place(&deeds, Deed::StartInit), before);
            assert!(place(&deeds, Deed::GuardDevices) < place(&deeds, Deed::StartInit));
            let staged = Plan { staged: true, ..plan(&[]) };
            let deeds = create(&staged, &spec("{}"), Some(&layout), Wishes::default());
            assert!(place(&deeds, Deed::SetLimits) > place(&deeds, Deed::AwaitReady));
        }
        let deeds = create(&plan(&[]), &spec("{}"), None, Wishes::default());
        assert!(!deeds.contains(&Deed::SetLimits) && !deeds.contains(&Deed::MakeCgroup));
    }

    #[test]
    fn what_will_be_made_is_written_down_first_and_what_is_made_is_published_last() {
        let wishes = Wishes {
            start: StartWord::Taken,
            shows_created: true,
            notify: true,
            pidfd: true,
            pid_file: true,
        };
        let deeds =
            create(&plan(&[sync::MAP, sync::HOOKS]), &spec(r#"{"hooks": {}}"#), Some(&LEGACY), wishes);
        assert_eq!(deeds[..3], [Deed::MakeState, Deed::ClaimCgroup, Deed::WriteIntent]);
        assert_eq!(
            deeds[deeds.len() - 4..],
            [Deed::GivePidfd, Deed::Publish, Deed::WriteBrief, Deed::WritePidFile]
        );
        assert!(place(&deeds, Deed::RecordProcess) < place(&deeds, Deed::RunHooks(Hooks::Prestart)));
        assert!(place(&deeds, Deed::RunHooks(Hooks::CreateContainer)) < place(&deeds, Deed::RecordCreated));
    }

    #[test]
    fn init_goes_on_only_after_the_hosts_part() {
        let points = [
            sync::RESCTRL,
            sync::MAP,
            sync::NETWORK,
            sync::HOOKS,
            sync::CONFINED,
            sync::PROCESSES,
            sync::BORN,
        ];
        let deeds = create(&plan(&points), &spec("{}"), None, Wishes::default());
        for point in points {
            let met = place(&deeds, Deed::Meet(point));
            let part = at(point);
            assert!(!part.is_empty());
            assert_eq!(deeds[met + 1..=met + part.len()], *part);
            assert_eq!(deeds[met + 1 + part.len()], Deed::Release);
        }
        assert!(place(&deeds, Deed::AwaitReady) > place(&deeds, Deed::Meet(sync::BORN)));
    }

    #[test]
    fn a_start_runs_its_hooks_around_the_program_and_a_hook_that_fails_ends_it_all() {
        let config = r#"{"hooks": {"startContainer": [{"path": "/a"}], "poststart": [{"path": "/b"}]}}"#;
        let hooks = [Hooks::StartContainer, Hooks::Poststart].map(Deed::RunHooks);
        let expected =
            [hooks[0], Deed::SayStart, Deed::AwaitProgram, Deed::HideCreated, Deed::RenewBrief, hooks[1]];
        assert_eq!(start(&spec(config), true), expected);
        assert_eq!(start(&spec("{}"), false), [Deed::SayStart, Deed::AwaitProgram]);
        for deed in expected {
            assert_eq!(back_from_start(deed) == DELETE, hooks.contains(&deed), "{deed:?}");
        }
    }

    #[test]
    fn what_joins_meets_the_host_before_its_program_and_is_given_after_it() {
        let wishes = Wishes { pidfd: true, pid_file: true, ..Wishes::default() };
        let deeds = join(&plan(&[sync::LIMITS, sync::BORN]).script, wishes);
        assert_eq!(deeds[..3], [Deed::Meet(sync::LIMITS), Deed::RaiseLimits, Deed::Release]);
        assert_eq!(deeds[7..], [Deed::AwaitProgram, Deed::GivePidfd, Deed::WritePidFile]);
    }

    #[test]
    fn the_way_back_is_the_ledger_from_its_end() {
        let config = r#"{"linux": {"intelRdt": {}}}"#;
        let deeds = create(&plan(&[sync::NETWORK]), &spec(config), Some(&UNIFIED), Wishes::default());
        let all = undo(&deeds);
        let expected = [
            Deed::GiveDevicesBack,
            Deed::EndProcesses,
            Deed::RemoveResctrl,
            Deed::RemoveCgroup,
            Deed::RunHooks(Hooks::Poststop),
            Deed::ReleaseCgroup,
            Deed::RemoveState,
        ];
        assert_eq!(all, expected);
        for done in 0..=deeds.len() {
            assert!(all.ends_with(&undo(&deeds[..done])), "after {done}");
        }
        assert!(undo(&[]).is_empty());
        assert_eq!(undo(&UPDATE), [Deed::SetLimitsBack, Deed::ForgetShares]);
        assert!(place(&UPDATE, Deed::ChangeLimits) < place(&UPDATE, Deed::Publish));
    }
}
