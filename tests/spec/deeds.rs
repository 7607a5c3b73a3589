//! The order of the deeds on the host's side, and the way back from them.

use rruntime::host::cgroups::Layout;
use rruntime::host::cgroups::Mount;
use rruntime::plan::Plan;
use rruntime::plan::StartWord;
use rruntime::plan::deeds::{
    DELETE, Deed, HookKind, UPDATE, Wishes, at, back_from_start, create, join, start, undo,
};
use rruntime::plan::script::{Field, Script};
use rruntime::spec::Spec;
use rruntime::wire::{Point, Step};

fn plan(points: &[Point]) -> Plan<'static> {
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
    rruntime::spec::load::parse("config.json", config.as_bytes()).unwrap()
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
    let wishes =
        Wishes { start: StartWord::Taken, shows_created: true, notify: true, pidfd: true, pid_file: true };
    let deeds = create(&plan(&[Point::Map, Point::Hooks]), &spec(r#"{"hooks": {}}"#), Some(&LEGACY), wishes);
    assert_eq!(deeds[..3], [Deed::MakeState, Deed::ClaimCgroup, Deed::WriteIntent]);
    assert_eq!(
        deeds[deeds.len() - 4..],
        [Deed::GivePidfd, Deed::Publish, Deed::WriteBrief, Deed::WritePidFile]
    );
    assert!(place(&deeds, Deed::RecordProcess) < place(&deeds, Deed::RunHooks(HookKind::Prestart)));
    assert!(place(&deeds, Deed::RunHooks(HookKind::CreateContainer)) < place(&deeds, Deed::RecordCreated));
}

#[test]
fn init_goes_on_only_after_the_hosts_part() {
    let deeds = create(&plan(&Point::ALL), &spec("{}"), None, Wishes::default());
    for point in Point::ALL {
        let met = place(&deeds, Deed::Meet(point));
        let part = at(point);
        assert!(!part.is_empty());
        assert_eq!(deeds[met + 1..=met + part.len()], *part);
        assert_eq!(deeds[met + 1 + part.len()], Deed::Release);
    }
    assert!(place(&deeds, Deed::AwaitReady) > place(&deeds, Deed::Meet(Point::Born)));
}

#[test]
fn a_start_runs_its_hooks_around_the_program_and_a_hook_that_fails_ends_it_all() {
    let config = r#"{"hooks": {"startContainer": [{"path": "/a"}], "poststart": [{"path": "/b"}]}}"#;
    let hooks = [HookKind::StartContainer, HookKind::Poststart].map(Deed::RunHooks);
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
    let deeds = join(&plan(&[Point::Limits, Point::Born]).script, wishes);
    assert_eq!(deeds[..3], [Deed::Meet(Point::Limits), Deed::RaiseLimits, Deed::Release]);
    assert_eq!(deeds[7..], [Deed::AwaitProgram, Deed::GivePidfd, Deed::WritePidFile]);
}

#[test]
fn the_way_back_is_the_ledger_from_its_end() {
    let config = r#"{"linux": {"intelRdt": {}}}"#;
    let deeds = create(&plan(&[Point::Network]), &spec(config), Some(&UNIFIED), Wishes::default());
    let all = undo(&deeds);
    let expected = [
        Deed::GiveDevicesBack,
        Deed::EndProcesses,
        Deed::RemoveResctrl,
        Deed::RemoveCgroup,
        Deed::RunHooks(HookKind::Poststop),
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
