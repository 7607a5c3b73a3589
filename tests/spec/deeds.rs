//! The order of the deeds on the host's side, what they are done with, and the way back from them.

use rruntime::cgroup::systemd::ScopeSettings;
use rruntime::cgroup::{Leg, Limits, Location, Version};
use rruntime::error::{Error, Kind};
use rruntime::host::cgroups::Layout;
use rruntime::plan::affinity::Entrance;
use rruntime::plan::deeds::{
    Creation, Deed, FORCE, Shares, Stage, There, Wishes, back_from_start, create, delete, join, start, undo,
    update,
};
use rruntime::plan::program::Sets;
use rruntime::plan::script::{Field, Script};
use rruntime::plan::tenant::Tenant;
use rruntime::plan::{Plan, StartWord};
use rruntime::resctrl::{Demand, Group, Place, Tree};
use rruntime::spec::{IdMapping, IntelRdt, Spec};
use rruntime::wire::{Bytes, Point, Step};
use std::fs::File;
use std::path::Path;

fn script(points: &[Point]) -> Script {
    let mut script = Script::default();
    points.iter().for_each(|point| script.push(Field::None, Step::Sync { point: *point }));
    script.push(Field::None, Step::AwaitStart {});
    script
}

fn plan(points: &[Point]) -> Plan<'static> {
    let map = IdMapping { container_id: 0, host_id: 1000, size: 1 };
    let has = |point| points.contains(&point);
    Plan {
        script: script(points),
        opens: Default::default(),
        clone_flags: (libc::CLONE_NEWNS | libc::CLONE_NEWPID) as u64,
        staged: false,
        moved_while_building: false,
        confined: has(Point::Confined).then(Sets::default),
        created: 0,
        joined: 0,
        id_maps: has(Point::Map).then(|| (vec![map], vec![map])),
        warnings: Vec::new(),
    }
}

fn tenant(points: &[Point]) -> Tenant<'static> {
    Tenant {
        mover: None,
        script: script(points),
        opens: Default::default(),
        entrance: Entrance::Birth,
        confined: None,
        warnings: Vec::new(),
    }
}

fn spec(config: &str) -> Spec<'_> {
    rruntime::spec::load::parse("config.json", config.as_bytes()).unwrap()
}

fn at(version: Version) -> Location {
    let leg = Leg {
        version,
        controllers: Vec::new(),
        mount: "/sys/fs/cgroup".into(),
        path: "box".into(),
        inode: None,
    };
    Location { legs: vec![leg], unit: None }
}

/// A group that there is not yet, in a directory that stands for resctrl.
fn demand() -> Demand {
    let tree = Tree::of(File::open(env!("CARGO_MANIFEST_DIR")).unwrap().into());
    Demand::new(tree, "/sys/fs/resctrl".into(), "box", &IntelRdt::default()).unwrap()
}

/// The whole of a creation, which a test changes.
struct Case {
    plan: Plan<'static>,
    config: &'static str,
    cgroup: Option<Location>,
    limits: Limits,
    demand: Option<Demand>,
    /// systemd makes the cgroup.
    scope: bool,
    raises: bool,
    wishes: Wishes<'static>,
}

impl Case {
    fn of(points: &[Point]) -> Case {
        Case {
            plan: plan(points),
            config: "{}",
            cgroup: None,
            limits: Limits::default(),
            demand: None,
            scope: false,
            raises: true,
            wishes: Wishes::default(),
        }
    }

    fn with<T>(&self, look: impl FnOnce(&[Deed]) -> T) -> T {
        let (spec, layout) = (spec(self.config), Layout::v2("/sys/fs/cgroup"));
        let creation = Creation {
            id: "box",
            plan: &self.plan,
            spec: &spec,
            cgroup: self.cgroup.as_ref(),
            limits: &self.limits,
            scope: self.scope.then_some(ScopeSettings {
                id: "box",
                limits: &self.limits,
                layout: &layout,
                owner: None,
                annotated: &[],
            }),
            resctrl: self.demand.as_ref(),
            raises: self.raises,
            wishes: self.wishes,
        };
        look(&create(&creation).unwrap())
    }

    fn words(&self) -> Vec<String> {
        self.with(words)
    }
}

fn words(deeds: &[Deed]) -> Vec<String> {
    deeds.iter().map(|deed| deed.words()).collect()
}

fn place(words: &[String], deed: &str) -> usize {
    words.iter().position(|it| it == deed).unwrap_or_else(|| panic!("{deed:?} is not in {words:?}"))
}

const SET_LIMITS: &str = "set the limits of the container's cgroup";
const GO: &str = "let init go on";

#[test]
fn limits_stand_before_a_process_that_enters_by_itself_and_come_beside_one_that_is_born_there() {
    for (version, before) in [(Version::V1, true), (Version::V2, false)] {
        let mut case = Case { cgroup: Some(at(version)), ..Case::of(&[]) };
        let deeds = case.words();
        assert_eq!(place(&deeds, SET_LIMITS) < place(&deeds, "start init"), before);
        assert!(place(&deeds, "set the device rules of the cgroup") < place(&deeds, "start init"));
        case.plan.staged = true;
        let deeds = case.words();
        assert!(place(&deeds, SET_LIMITS) > place(&deeds, "wait until init is ready"));
    }
}

/// As the plan of an ordinary user's is, who may make none: nothing is tried, and nothing is planned anew.
#[test]
fn without_a_cgroup_no_deed_is_about_one_and_all_others_are_the_same() {
    let with = Case { cgroup: Some(at(Version::V2)), ..Case::of(&[]) }.words();
    let without = Case::of(&[]).words();
    let (about, others): (Vec<_>, Vec<_>) = with.into_iter().partition(|deed| deed.contains("cgroup"));
    assert_eq!(about.len(), 4, "{about:?}");
    assert_eq!(others, without);
}

#[test]
fn what_will_be_made_is_written_down_first_and_what_is_made_is_published_last() {
    let wishes = Wishes {
        start: StartWord::Taken,
        shows_created: true,
        notify: true,
        pidfd: true,
        pid_file: Some(Path::new("/run/box.pid")),
    };
    let config = r#"{"hooks": {"prestart": [{"path": "/a"}], "createContainer": [{"path": "/b"}]}}"#;
    let points = [Point::Map, Point::Hooks];
    let case = Case { cgroup: Some(at(Version::V1)), config, wishes, ..Case::of(&points) };
    let deeds = case.words();
    assert_eq!(deeds[..3], ["make the state directory", "claim the path of the cgroup", "record the intent"]);
    assert_eq!(
        deeds[deeds.len() - 4..],
        [
            "send the process descriptor",
            "publish the record",
            "write the summary for list",
            "write the pid file"
        ]
    );
    assert!(place(&deeds, "record the process") < place(&deeds, "run the prestart hooks"));
    let created = place(&deeds, "record that the container is created");
    assert!(place(&deeds, "run the createContainer hooks") < created);
    // There are none.
    assert!(!deeds.iter().any(|deed| deed == "run the createRuntime hooks"));
}

#[test]
fn init_goes_on_only_after_the_hosts_part() {
    let config = r#"{
        "hooks": {"prestart": [{"path": "/a"}], "createRuntime": [{"path": "/b"}]},
        "process": {"cwd": "/", "terminal": true, "scheduler": {"policy": "SCHED_DEADLINE"},
            "rlimits": [{"type": "RLIMIT_NPROC", "soft": 1, "hard": 2}]},
        "linux": {"netDevices": {"eth1": {"name": "eth0"}}}
    }"#;
    let (cgroup, demand_of) = (Some(at(Version::V2)), || Some(demand()));
    let case = Case { config, cgroup, scope: true, demand: demand_of(), ..Case::of(&Point::ALL) };
    let deeds = case.words();
    let ready = place(&deeds, "wait until init is ready");
    let parts: Vec<&[String]> = deeds[..ready].split(|deed| deed == GO).collect();
    let part = |point: &str| {
        let met = parts
            .iter()
            .find_map(|part| part.iter().position(|deed| deed.ends_with(point)).map(|at| &part[at + 1..]));
        met.unwrap_or_else(|| panic!("{point} is not met: {deeds:?}"))
    };
    assert_eq!(
        part("to have it moved into the scope"),
        ["wait until systemd has made the scope", "set the device rules of the cgroup"]
    );
    assert_eq!(part("to write its id maps"), ["write the id maps", "raise hard resource limits"]);
    assert_eq!(part("to run its hooks"), ["run the prestart hooks", "run the createRuntime hooks"]);
    assert_eq!(part("to raise its limits"), ["raise hard resource limits"]);
    assert_eq!(part("to move its network devices"), ["move network devices into the container"]);
    assert_eq!(part("to put it into the resctrl group"), ["add the process to the resctrl group"]);
    assert_eq!(
        part("to check that it has dropped its privileges"),
        ["check that init has dropped its privileges"]
    );
    assert_eq!(part("to limit its number of processes"), ["limit the number of processes"]);
    assert_eq!(
        part("to apply settings to the new process"),
        ["set the scheduler of the process that was born", "let the container's user open the terminal"]
    );
    assert_eq!(parts.len(), Point::ALL.len() + 1, "each is let go once");
    // An ordinary user's hard limits are what they are.
    let deeds = Case { raises: false, ..case }.words();
    assert!(!deeds.iter().any(|deed| deed == "raise hard resource limits"));
}

/// On v2 init's first stage is what systemd moves, so that all that comes after it is born in the scope. On v1 init enters
/// its cgroups by files, which are there only once systemd has made them.
#[test]
fn a_scope_is_there_before_anything_of_the_container_is_born() {
    let order = |version, points: &[Point]| {
        let deeds = Case { cgroup: Some(at(version)), scope: true, ..Case::of(points) }.words();
        let place = |deed| place(&deeds, deed);
        (
            place("ask systemd for the scope"),
            place("wait until systemd has made the scope"),
            place("set the device rules of the cgroup"),
            place("start init"),
        )
    };
    let (ask, wait, guard, init) = order(Version::V2, &[Point::Scope]);
    assert!(init < ask && ask < wait && wait < guard, "{init} {ask} {wait} {guard}");
    let (ask, wait, guard, init) = order(Version::V1, &[]);
    assert!(ask < wait && wait < guard && guard < init, "{ask} {wait} {guard} {init}");
}

/// The terminal and the listener are taken where the script hands them over, and what is said behind `Ready` is said to
/// the command that starts the container.
#[test]
fn what_init_hands_over_is_a_deed_at_its_place() {
    let config = r#"{"process": {"cwd": "/", "terminal": true},
        "linux": {"seccomp": {"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/run/agent"}}}"#;
    let console = Step::Console { bind: true, held: false };
    let filter = Step::Seccomp { flags: 0, program: Bytes(b""), notify: true };
    let script = |late: bool| {
        let mut script = script(&[Point::Limits]);
        let mut steps = vec![console, filter];
        let mut behind = Script::default();
        if late {
            behind.push(Field::None, steps.remove(1));
        }
        let mut more = Script::default();
        steps.into_iter().for_each(|step| more.push(Field::None, step));
        script = script.insert(more, |step| matches!(step, Step::AwaitStart {}));
        script.append(behind);
        script
    };
    const TERMINAL: &str = "take the terminal and give it to the caller";
    const LISTENER: &str = "send the seccomp listener to its agent";
    for (late, expected) in [(false, vec![TERMINAL, LISTENER]), (true, vec![TERMINAL])] {
        let case = Case { plan: Plan { script: script(late), ..plan(&[]) }, config, ..Case::of(&[]) };
        let deeds = case.words();
        let ready = place(&deeds, "wait until init is ready");
        let handed: Vec<&String> =
            deeds[..ready].iter().filter(|deed| [TERMINAL, LISTENER].contains(&&***deed)).collect();
        assert_eq!(handed, expected);
        assert!(place(&deeds, TERMINAL) > place(&deeds, GO), "in the order of the script");
        assert_eq!(deeds.iter().filter(|deed| *deed == LISTENER).count(), usize::from(!late));
        case.with(|deeds| {
            assert!(late || deeds.iter().any(|deed| deed.values() == "/run/agent"));
        });
        // Who joins is let go at once.
        let (spec, tenant) = (spec(config), Tenant { script: script(late), ..tenant(&[]) });
        let told = words(&join(&tenant, &spec, None, Wishes::default()).unwrap());
        assert!(place(&told, LISTENER) > place(&told, TERMINAL));
    }
    // A script that hands over what the config lacks is no plan.
    for step in [console, filter] {
        let mut script = Script::default();
        script.push(Field::None, step);
        assert!(join(&Tenant { script, ..tenant(&[]) }, &spec("{}"), None, Wishes::default()).is_err());
    }
}

/// A check that is not there must not be passed over.
#[test]
fn a_point_without_its_part_is_an_error_before_anything_is_done() {
    for point in [Point::Confined, Point::Resctrl, Point::Map] {
        let (spec, limits) = (spec("{}"), Limits::default());
        let plan = Plan { script: script(&[point]), ..plan(&[]) };
        let creation = Creation {
            id: "box",
            plan: &plan,
            spec: &spec,
            cgroup: None,
            limits: &limits,
            scope: None,
            resctrl: None,
            raises: true,
            wishes: Wishes::default(),
        };
        assert!(create(&creation).is_err(), "{point:?}");
        assert!(join(&tenant(&[point]), &spec, None, Wishes::default()).is_err(), "{point:?}");
    }
}

#[test]
fn a_start_runs_its_hooks_around_the_program_and_a_hook_that_fails_ends_it_all() {
    let config = r#"{"hooks": {"startContainer": [{"path": "/a"}], "poststart": [{"path": "/b"}]}}"#;
    let (spec, none) = (spec(config), spec("{}"));
    let [before, after] = ["run the startContainer hooks", "run the poststart hooks"];
    let [say, run] = ["tell init to start the program", "wait until the program runs"];
    let [hide, renew] = ["remove the mark of a created container", "update the summary for list"];
    let deeds = start(&spec, Stage::Shown, Some(Path::new("/run/notify")));
    assert_eq!(words(&deeds), ["listen for the program's readiness", before, say, run, hide, renew, after]);
    assert_eq!(words(&start(&none, Stage::Unshown, None)), [say, run]);
    // That of 0.1.0 asks for them behind the word, where it has any.
    let asks = "wait until init needs the runtime to run its hooks";
    let asking = start(&spec, Stage::Asking, None);
    assert_eq!(words(&asking), [say, asks, before, GO, run, hide, renew, after]);
    assert_eq!(words(&start(&none, Stage::Asking, None)), [say, run, hide, renew]);
    let location = at(Version::V2);
    let there = There { cgroup: Some(&location), resctrl: None };
    for deed in deeds.into_iter().chain(asking) {
        let back = words(&back_from_start(deed, there));
        let expected = match deed {
            Deed::RunHooks(..) => words(&delete(there)),
            Deed::RelayReadiness(_) | Deed::HideCreated | Deed::RenewBrief => Vec::new(),
            _ => ["kill the container's first process", hide, renew].map(str::to_owned).to_vec(),
        };
        assert_eq!(back, expected, "{}", deed.words());
    }
}

#[test]
fn what_joins_is_opened_for_and_started_meets_the_host_before_its_program_and_is_given_after_it() {
    let config = r#"{"process": {"cwd": "/", "terminal": true,
        "rlimits": [{"type": "RLIMIT_CORE", "soft": 1, "hard": 2}]}}"#;
    let (spec, tenant) = (spec(config), tenant(&[Point::Limits, Point::Born]));
    let wishes = Wishes { pidfd: true, pid_file: Some(Path::new("/run/pid")), ..Wishes::default() };
    let deeds = join(&tenant, &spec, None, wishes).unwrap();
    let told = words(&deeds);
    assert_eq!(told[..2], ["open what the steps name", "start init"]);
    assert_eq!(told[3..5], ["raise hard resource limits", GO]);
    assert_eq!(told[6..8], ["let the container's user open the terminal", GO]);
    assert_eq!(
        told[8..],
        ["wait until the program runs", "send the process descriptor", "write the pid file"]
    );
    // Whatever fails, a process that its caller does not know is ended.
    assert!(undo(&deeds[..1], There::default()).is_empty());
    for done in 2..=deeds.len() {
        assert_eq!(
            words(&undo(&deeds[..done], There::default())),
            ["end the process that joins the container"]
        );
    }
}

#[test]
fn the_way_back_is_the_ledger_from_its_end() {
    let case = Case { cgroup: Some(at(Version::V2)), demand: Some(demand()), ..Case::of(&[Point::Network]) };
    let mut known = at(Version::V2);
    known.legs[0].inode = Some(7);
    let there = There { cgroup: Some(&known), resctrl: None };
    case.with(|deeds| {
        let all = undo(deeds, there);
        let expected = [
            "give network devices back to the host",
            "end the container's processes",
            "remove the resctrl group",
            "remove the cgroup",
            "run the poststop hooks",
            "release the path of the cgroup",
            "remove the state directory",
        ];
        assert_eq!(words(&all), expected);
        // What is removed has the number that it was made with.
        assert!(all.iter().any(|deed| matches!(deed, Deed::RemoveCgroup(it) if it.legs[0].inode == Some(7))));
        for done in 0..=deeds.len() {
            assert!(words(&all).ends_with(&words(&undo(&deeds[..done], there))), "after {done}");
        }
    });
    assert!(undo(&[], there).is_empty());
}

#[test]
fn a_container_is_taken_away_as_far_as_its_record_names_it_with_the_record_last() {
    let (location, place) = (at(Version::V2), Place { group: "box".into(), ..Place::default() });
    let all = words(&delete(There { cgroup: Some(&location), resctrl: Some(&place) }));
    let expected = [
        "end the container's processes",
        "remove the cgroup",
        "remove the resctrl group",
        "run the poststop hooks",
        "release the path of the cgroup",
        "remove the state directory",
    ];
    assert_eq!(all, expected);
    assert_eq!(words(&delete(There::default())), [expected[0], expected[3], expected[5]]);
    assert_eq!(words(&FORCE), [expected[0], "end other processes in the container's cgroup"]);
}

#[test]
fn an_update_names_a_new_group_first_and_is_remembered_last() {
    let (limits, demand, place) = (Limits::default(), demand(), Place::default());
    let shares = |group| Some(Shares { group, l3_cache: Some("L3:0=f"), bandwidth: None });
    let [record, change] =
        ["prepare the record of the new limits", "change the limits of the container's cgroup"];
    assert_eq!(words(&update(&limits, "{}", None)), [record, change, "publish the record"]);
    let kept = update(&limits, "{}", shares(Group::Recorded(&place)));
    assert_eq!(words(&kept), [record, change, "change the resctrl group", "publish the record"]);
    assert_eq!(kept[2].values(), "the default group, L3:0=f");
    let made = update(&limits, "{}", shares(Group::Wanted(&demand)));
    assert_eq!(words(&made)[..2], ["record the change of the resctrl group", record]);
    let back = words(&undo(&made, There::default()));
    assert_eq!(back, ["restore the old limits", "take back the change of the resctrl group"]);
}

#[test]
fn a_deed_tells_its_values_as_people_read_them() {
    let config = r#"{
        "hooks": {"prestart": [{"path": "/usr/bin/a"}, {"path": "/usr/bin/b"}]},
        "process": {"cwd": "/", "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 18446744073709551615}]},
        "linux": {"netDevices": {"eth1": {"name": "eth0"}, "lan": {}}}
    }"#;
    let points = [Point::Map, Point::Network, Point::Hooks];
    let pid_file = Some(Path::new("/run/box.pid"));
    let wishes = Wishes { start: StartWord::Named, pid_file, ..Wishes::default() };
    let case = Case { cgroup: Some(at(Version::V2)), config, wishes, ..Case::of(&points) };
    let limits = r#"{"pids": {"limit": 10}, "memory": {"limit": 65536}, "devices": [{"allow": false, "access": "rwm"}]}"#;
    let resources = rruntime::spec::load::parse("resources", limits.as_bytes()).unwrap();
    let layout = rruntime::host::cgroups::Layout::v2("/sys/fs/cgroup");
    let rules = rruntime::cgroup::DeviceRules::Enforce;
    let (limits, _) = Limits::from_spec(&resources, &layout, rules).unwrap();
    let case = Case { limits, ..case };
    let told: Vec<String> =
        case.with(|deeds| deeds.iter().map(|deed| format!("{}: {}", deed.words(), deed.values())).collect());
    for expected in [
        "make the state directory: box",
        "make the cgroup: /box",
        "make the pipes of start: in the state directory",
        "start init: pid, mount",
        "set the limits of the container's cgroup: memory/limit = 65536, pids/limit = 10",
        "write the id maps: users 0-0 map to host 1000-1000; groups 0-0 map to host 1000-1000",
        "raise hard resource limits: RLIMIT_NOFILE: soft 1024, hard unlimited",
        "move network devices into the container: eth1 as eth0, lan",
        "run the prestart hooks: /usr/bin/a, /usr/bin/b",
        "write the pid file: /run/box.pid",
    ] {
        assert!(told.iter().any(|line| line == expected), "{expected}: {told:#?}");
    }
    let rules = told.iter().find(|line| line.starts_with("set the device rules of the cgroup")).unwrap();
    assert!(rules.contains(": deny a *:* rwm, ") && rules.contains("allow c 1:3 rwm"), "{rules}");
}

#[test]
fn an_error_says_what_was_being_done_once() {
    let (spec, limits) = (spec("{}"), Limits::default());
    let pid_file = Deed::WritePidFile(Path::new("/run/pid"));
    let rows = [
        // It does not say so.
        (
            Deed::SetLimits(&limits),
            Error::new("no"),
            "set the limits of the container's cgroup: /linux/resources: no",
        ),
        (
            Deed::Publish,
            Error::os("rename", libc::ENOSPC),
            "publish the record: rename: no space left on device",
        ),
        // It says so: by its activity, by its reason, by the call that failed on a field's value.
        (
            Deed::SetLimits(&limits),
            Error::new("no").doing("no limit was changed"),
            "no limit was changed: /linux/resources: no",
        ),
        (pid_file, Error::os("write the pid file", libc::EACCES), "write the pid file: permission denied"),
        (
            Deed::SetLimits(&limits),
            Error::os("write /x/pids.max", libc::EINVAL).field("/linux/resources/pids/limit").value(5),
            "/linux/resources/pids/limit = \"5\": write /x/pids.max: invalid argument",
        ),
        // Which field is to blame for a start of init is known where it fails.
        (
            Deed::StartInit(1),
            Error::os("memfd_create", libc::ENOMEM),
            "start init: memfd_create: cannot allocate memory",
        ),
        // One of a class is complete.
        (Deed::MakeState("box"), Error::new("it exists").kind(Kind::IdInUse), "it exists"),
    ];
    for (deed, error, expected) in rows {
        assert_eq!(deed.failed(error, &spec).to_string(), expected);
    }
}
