//! The specification's own examples, and oci-spec as the oracle of what a config means.

use proptest::prelude::*;
use rruntime::spec::Spec;
use rruntime::spec::load::parse;
use rruntime::spec::validate::{Circumstances, validate};
use serde_json::{Value, json};
use std::path::Path;

type Oracle = oci_spec::runtime::Spec;

fn data(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The pointers of all problems; none for a config that passes.
fn refused(json: &str) -> Vec<String> {
    let error = match parse::<Spec>("config.json", json.as_bytes()) {
        Err(error) => error,
        Ok(spec) => match validate(&spec, &Circumstances::default()) {
            Ok(_) => return Vec::new(),
            Err(error) => error,
        },
    };
    let problems = std::iter::once(&error).chain(&error.detail().others);
    problems.map(|problem| problem.detail().field.clone().unwrap_or_default()).collect()
}

/// Which examples there are; each needs its row below.
fn examples(folder: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/spec").join(folder);
    let mut names: Vec<String> = std::fs::read_dir(path)
        .expect("the folder is there")
        .map(|entry| entry.expect("can be read").file_name().into_string().expect("is UTF-8"))
        .collect();
    names.sort();
    names
}

/// Every good example loads; what validation says to it. The specification lets `process` be absent until
/// `start`, and so do we.
#[test]
fn good_examples_load() {
    let rows: [(&str, &[&str]); 9] = [
        // A jail needs no namespaces: these load, and cannot run here.
        ("freebsd-example.json", &["/hostname", "/mounts", "/process/terminal"]),
        ("freebsd-minimal.json", &[]),
        ("linux-netdevice.json", &["/linux/netDevices"]),
        ("linux-rdma.json", &[]),
        ("minimal-for-start.json", &[]),
        ("minimal.json", &[]),
        ("spec-example.json", &[]),
        ("zos-example.json", &["/hostname", "/mounts", "/process/terminal", "/hooks/startContainer"]),
        ("zos-minimal.json", &[]),
    ];
    assert_eq!(examples("good"), rows.map(|(name, _)| name));
    for (name, problems) in rows {
        let text = data(&format!("spec/good/{name}"));
        if let Err(error) = parse::<Spec>(name, text.as_bytes()) {
            panic!("{name}: {error}");
        }
        assert_eq!(refused(&text), problems, "{name}");
    }
}

#[test]
fn bad_examples_are_refused_by_name() {
    let rows = [
        // What is wrong is in a part for another system, which loads as an unknown field.
        ("freebsd-vnet-disable.json", "none"),
        ("invalid-json.json", ""),
        ("linux-hugepage.json", "/linux/resources/hugepageLimits/0/pageSize"),
        ("linux-netdevice.json", "/linux/netDevices/eth0/name"),
        ("linux-rdma.json", "/linux/resources/rdma/mlx5_1/hcaHandles"),
    ];
    assert_eq!(examples("bad"), rows.map(|(name, _)| name));
    for (name, pointer) in rows {
        let found = refused(&data(&format!("spec/bad/{name}")));
        let none = pointer == "none" && found.is_empty();
        assert!(none || found.iter().any(|field| field == pointer), "{name}: {found:?}");
    }
}

#[test]
fn dockers_config_passes_without_a_warning() {
    let text = data("docker-default.json");
    let spec: Spec = parse("config.json", text.as_bytes()).expect("loads");
    assert!(validate(&spec, &Circumstances::default()).expect("is valid").warnings.is_empty());
}

/// Our own reading of a config, written out again.
fn rewritten(text: &str) -> Result<Value, String> {
    let spec: Spec = parse("config.json", text.as_bytes()).map_err(|e| e.to_string())?;
    serde_json::to_value(&spec).map_err(|e| e.to_string())
}

/// What oci-spec understood. It tells "absent" from "empty" and from false where the specification does not:
/// those are left out. Capability sets come in random order: they are sorted.
fn meaning(oracle: &Oracle) -> Value {
    let mut value = serde_json::to_value(oracle).expect("can be written");
    if let Some(Value::Object(sets)) = value.pointer_mut("/process/capabilities") {
        for set in sets.values_mut().filter_map(Value::as_array_mut) {
            set.sort_by_key(|name| name.to_string());
        }
    }
    // oci-spec has these at the top as well; the specification has them in `linux` and in mounts alone.
    for key in ["uidMappings", "gidMappings"] {
        value.as_object_mut().expect("is an object").remove(key);
    }
    without_defaults(value)
}

/// Fields that the specification's own types have as plain numbers.
const ZERO_IS_ABSENT: [&str; 8] =
    ["valueTwo", "secs", "nanosecs", "nice", "priority", "runtime", "deadline", "period"];

fn without_defaults(value: Value) -> Value {
    let nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(map) => {
            let members = map.into_iter().map(|(key, value)| (key, without_defaults(value)));
            let zero = |key: &str, value: &Value| ZERO_IS_ABSENT.contains(&key) && value == 0;
            Value::Object(members.filter(|(key, value)| !nothing(value) && !zero(key, value)).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(without_defaults).collect()),
        other => other,
    }
}

/// Ends of the fields that oci-spec has with a wider type, or a signed one, than the specification.
const WIDER_THERE: [&str; 3] = ["/ioPriority/priority: ", "/index: ", "/limit: "];

/// Holds a config against oci-spec: whatever it accepts we accept, and our reading of it means the same to it.
/// `None` where oci-spec refuses the config.
fn agrees(config: &Value) -> Option<Result<(), String>> {
    let theirs: Oracle = serde_json::from_value(config.clone()).ok()?;
    let ours = match rewritten(&config.to_string()) {
        Ok(ours) => ours,
        // Out of the schema's range (int32, uint32, uint64), in that of oci-spec's types.
        Err(error) if WIDER_THERE.iter().any(|field| error.contains(field)) => return None,
        // Derived readers take a list of an object's values; the schema wants the object.
        Err(error) if error.contains("must be an object, not a list") => return None,
        Err(error) => return Some(Err(format!("oci-spec accepts it, we do not: {error}"))),
    };
    Some(match serde_json::from_value::<Oracle>(ours.clone()) {
        Ok(again) if meaning(&again) == meaning(&theirs) => Ok(()),
        Ok(again) => {
            Err(format!("means something else: {}", differences(&meaning(&theirs), &meaning(&again))))
        }
        // A required name that is missing stays empty with us; oci-spec invents one. Validation refuses it.
        Err(_) if !refused(&config.to_string()).is_empty() => Ok(()),
        Err(error) => Err(format!("what we write is refused: {error}: {ours}")),
    })
}

/// Where two values differ.
fn differences(theirs: &Value, ours: &Value) -> String {
    let (mut found, mut lines) = (Vec::new(), Vec::new());
    places(theirs, String::new(), &mut found);
    places(ours, String::new(), &mut found);
    for at in found {
        let (theirs, ours) = (theirs.pointer(&at), ours.pointer(&at));
        let deeper = |value: Option<&Value>| value.is_some_and(|value| value.is_object() || value.is_array());
        if theirs != ours && !(deeper(theirs) && deeper(ours)) {
            lines.push(format!("{at}: theirs {theirs:?}, ours {ours:?}"));
        }
    }
    lines.join("\n")
}

/// Every field of the Linux part of the specification, each with a value that both sides accept.
fn maximal() -> Value {
    json!({
        "ociVersion": "1.3.0",
        "process": {
            "terminal": true, "consoleSize": {"height": 25, "width": 80},
            "user": {"uid": 1, "gid": 2, "umask": 63, "additionalGids": [5, 6]},
            "args": ["sh", "-c", "a\tb"], "env": ["PATH=/bin", "É=\u{e9}"], "cwd": "/",
            "capabilities": {
                "bounding": ["CAP_KILL", "CAP_BPF"], "effective": ["CAP_KILL"], "inheritable": ["CAP_KILL"],
                "permitted": ["CAP_KILL"], "ambient": ["CAP_KILL"]
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 18_446_744_073_709_551_615_u64, "soft": 1024}],
            "noNewPrivileges": true, "apparmorProfile": "p", "oomScoreAdj": -100, "selinuxLabel": "l",
            "scheduler": {
                "policy": "SCHED_DEADLINE", "nice": 0, "priority": 0, "flags": ["SCHED_FLAG_RECLAIM"],
                "runtime": 2000, "deadline": 3000, "period": 4000
            },
            "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
            "execCPUAffinity": {"initial": "0-1", "final": "0"}
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "h", "domainname": "d",
        "mounts": [{
            "destination": "/a", "type": "none", "source": "/b", "options": ["rbind", "ridmap"],
            "uidMappings": [{"containerID": 0, "hostID": 5, "size": 1}],
            "gidMappings": [{"containerID": 0, "hostID": 5, "size": 1}]
        }],
        "hooks": {
            "prestart": [{"path": "/h", "args": ["h"], "env": ["A=b"], "timeout": 5}],
            "createRuntime": [{"path": "/h"}], "createContainer": [{"path": "/h"}],
            "startContainer": [{"path": "/h"}], "poststart": [{"path": "/h"}], "poststop": [{"path": "/h"}]
        },
        "annotations": {"a/b": "c"},
        "linux": {
            "uidMappings": [{"containerID": 0, "hostID": 100_000, "size": 65536}],
            "gidMappings": [{"containerID": 0, "hostID": 100_000, "size": 65536}],
            "sysctl": {"net.ipv4.ip_forward": "1"},
            "resources": {
                "devices": [{"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"}],
                "memory": {
                    "limit": 1000, "reservation": 500, "swap": 2000, "kernel": -1, "kernelTCP": -1,
                    "swappiness": 10, "disableOOMKiller": true, "useHierarchy": true, "checkBeforeUpdate": true
                },
                "cpu": {
                    "shares": 512, "quota": 20000, "burst": 1000, "period": 100_000, "realtimeRuntime": 900,
                    "realtimePeriod": 1000, "cpus": "0-1", "mems": "0", "idle": 1
                },
                "pids": {"limit": 100},
                "blockIO": {
                    "weight": 10, "leafWeight": 20,
                    "weightDevice": [{"major": 8, "minor": 0, "weight": 10, "leafWeight": 20}],
                    "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}],
                    "throttleWriteBpsDevice": [{"major": 8, "minor": 1, "rate": 2}],
                    "throttleReadIOPSDevice": [{"major": 8, "minor": 2, "rate": 3}],
                    "throttleWriteIOPSDevice": [{"major": 8, "minor": 3, "rate": 4}]
                },
                "hugepageLimits": [{"pageSize": "2MB", "limit": 4096}],
                "network": {"classID": 5, "priorities": [{"name": "eth0", "priority": 6}]},
                "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 4}},
                "unified": {"memory.high": "1"}
            },
            "cgroupsPath": "/a/b",
            "namespaces": [
                {"type": "mount"}, {"type": "pid"}, {"type": "network", "path": "/n"}, {"type": "uts"},
                {"type": "ipc"}, {"type": "user"}, {"type": "cgroup"}, {"type": "time"}
            ],
            "devices": [{
                "path": "/dev/x", "type": "c", "major": 10, "minor": 1, "fileMode": 438, "uid": 0, "gid": 0
            }],
            "netDevices": {"eth0": {"name": "c0"}, "eth1": {}},
            "seccomp": {
                "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
                "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
                "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
                "listenerPath": "/s", "listenerMetadata": "m",
                "syscalls": [{
                    "names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1,
                    "args": [{"index": 1, "value": 18_446_744_073_709_551_615_u64, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]
                }]
            },
            "rootfsPropagation": "slave",
            "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"], "mountLabel": "l",
            "intelRdt": {
                "closID": "c", "schemata": ["L3:0=1"], "l3CacheSchema": "L3:0=1", "memBwSchema": "MB:0=1",
                "enableMonitoring": true
            },
            "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
            "personality": {"domain": "LINUX32"},
            "timeOffsets": {"boottime": {"secs": -3, "nanosecs": 4}, "monotonic": {"secs": 5, "nanosecs": 6}}
        }
    })
}

#[test]
fn every_field_means_to_us_what_it_means_to_oci_spec() {
    let configs = [
        maximal(),
        serde_json::from_str(&data("docker-default.json")).expect("is JSON"),
        serde_json::from_str(&data("spec/good/minimal-for-start.json")).expect("is JSON"),
    ];
    for config in configs {
        match agrees(&config) {
            Some(Ok(())) => {}
            Some(Err(difference)) => panic!("{difference}"),
            None => panic!(
                "oci-spec refuses {config}: {:?}",
                serde_json::from_value::<Oracle>(config.clone()).err()
            ),
        }
    }
}

/// Nothing of the full config is lost on its way through our types.
#[test]
fn our_own_round_trip_keeps_every_field() {
    assert_eq!(rewritten(&maximal().to_string()).expect("loads"), maximal());
}

/// What oci-spec 0.10 refuses although the specification allows it: why it is an oracle here and not our reader.
#[test]
fn valid_configs_that_oci_spec_refuses_are_accepted() {
    for (pointer, value) in [
        ("/process/scheduler/flags", json!(["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN"])),
        ("/process/capabilities/bounding", json!(["CAP_KILL", "CAP_FROM_THE_FUTURE"])),
        ("/linux/resources/hugepageLimits/0/limit", json!(u64::MAX)),
        ("/process/execCPUAffinity/final", json!("0,2-3, 5")),
        ("/linux/resources/devices/0", json!({"allow": false, "type": "", "major": null, "access": "rwm"})),
    ] {
        let mut config = maximal();
        // The rest of the example does not matter here: leave out what contradicts.
        *config.pointer_mut("/process/user").expect("is there") = json!({"uid": 0, "gid": 0});
        config["process"]["capabilities"] = json!({"bounding": ["CAP_KILL"]});
        config["linux"]["resources"]["cpu"]["idle"] = json!(0);
        let oracle = |config: &Value| serde_json::from_str::<Oracle>(&config.to_string());
        assert!(oracle(&config).is_ok(), "{:?}", oracle(&config).err());
        *config.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        assert_eq!(refused(&config.to_string()), Vec::<String>::new(), "{pointer}");
        assert!(oracle(&config).is_err(), "oci-spec accepts {pointer} now: correct docs/dependencies.md");
    }
}

#[test]
fn a_pids_limit_of_zero_differs_from_none() {
    for (text, limit) in [("{\"limit\": 0}", Some(0)), ("{}", None), ("{\"limit\": null}", None)] {
        let json = format!(r#"{{"linux": {{"resources": {{"pids": {text}}}}}}}"#);
        let spec: Spec = parse("config.json", json.as_bytes()).expect("loads");
        let pids = spec.linux.and_then(|linux| linux.resources).and_then(|resources| resources.pids);
        assert_eq!(pids.expect("is there").limit, limit);
    }
}

// --- mutated configs ------------------------------------------------------------------------------------

/// Pointers of every value in a config.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                places(value, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(list) => {
            for (i, value) in list.iter().enumerate() {
                places(value, format!("{at}/{i}"), found);
            }
        }
        _ => {}
    }
    found.push(at);
}

/// Values that hurt: the ends of every integer type, other types, empty and odd texts.
fn odd_value() -> impl Strategy<Value = Value> {
    let numbers = [
        json!(0),
        json!(-1),
        json!(1),
        json!(-2),
        json!(511),
        json!(65535),
        json!(65536),
        json!(i32::MAX),
        json!(u32::MAX),
        json!(4_294_967_296_u64),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1.5),
        json!(1e300),
    ];
    let others =
        [json!(null), json!(true), json!([]), json!({}), json!([null]), json!({"": null}), json!([[]])];
    let texts = [
        "",
        "/",
        "..",
        "a/../b",
        "\0",
        "a\0b",
        "1.0.0",
        "rw",
        "user",
        "SCHED_DEADLINE",
        "0-",
        "9-1",
        "CAP_KILL",
        "é\u{202e}",
        "net/../x",
        "-",
        "2MB",
        ":",
        "=",
        "\n",
    ];
    prop_oneof![
        proptest::sample::select(numbers.to_vec()),
        proptest::sample::select(others.to_vec()),
        proptest::sample::select(texts.to_vec()).prop_map(|text| json!(text)),
        ".{0,40}".prop_map(|text| json!(text)),
        any::<i64>().prop_map(|number| json!(number)),
        Just(json!("x".repeat(5000))),
    ]
}

#[derive(Clone, Debug)]
enum Mutation {
    Replace(Value),
    Remove,
    /// Puts a copy of one value in the place of another.
    Copy(prop::sample::Index),
    /// Doubles an element of a list.
    Double,
}

fn mutation() -> impl Strategy<Value = (prop::sample::Index, Mutation)> {
    let what = prop_oneof![
        6 => odd_value().prop_map(Mutation::Replace),
        2 => Just(Mutation::Remove),
        2 => any::<prop::sample::Index>().prop_map(Mutation::Copy),
        1 => Just(Mutation::Double),
    ];
    (any::<prop::sample::Index>(), what)
}

fn mutate(config: &mut Value, place: prop::sample::Index, what: &Mutation) {
    let mut found = Vec::new();
    places(config, String::new(), &mut found);
    let target = place.get(&found).clone();
    match what {
        Mutation::Replace(value) => *config.pointer_mut(&target).expect("was found") = value.clone(),
        Mutation::Copy(from) => {
            let copy = config.pointer(&found[from.index(found.len())]).expect("was found").clone();
            *config.pointer_mut(&target).expect("was found") = copy;
        }
        Mutation::Remove | Mutation::Double => {
            let Some((parent, key)) = target.rsplit_once('/') else { return };
            match config.pointer_mut(parent).expect("was found") {
                Value::Object(map) => {
                    map.remove(&key.replace("~1", "/").replace("~0", "~"));
                }
                Value::Array(list) => {
                    let index: usize = key.parse().expect("is an index");
                    if matches!(what, Mutation::Remove) {
                        list.remove(index);
                    } else {
                        list.insert(index, list[index].clone());
                    }
                }
                _ => unreachable!("only objects and lists have members"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_config_gets_an_answer_and_never_a_panic(
        base in proptest::bool::ANY,
        mutations in prop::collection::vec(mutation(), 1..6),
        unprivileged in proptest::bool::ANY,
        systemd_cgroup in proptest::bool::ANY,
    ) {
        let mut config =
            if base { maximal() } else { serde_json::from_str(&data("docker-default.json")).expect("is JSON") };
        for (place, what) in &mutations {
            mutate(&mut config, *place, what);
        }
        let text = config.to_string();
        match parse::<Spec>("config.json", text.as_bytes()) {
            Err(error) => prop_assert!(!error.to_string().contains('\n'), "{}", error),
            Ok(spec) => {
                let facts = Circumstances { unprivileged, systemd_cgroup, ..Circumstances::default() };
                if let Err(error) = validate(&spec, &facts) {
                    for problem in std::iter::once(&error).chain(&error.detail().others) {
                        prop_assert!(problem.detail().field.is_some(), "{}", problem);
                        let detail = problem.detail();
                        let length = detail.reason.len() + detail.remedy.as_ref().map_or(0, |text| text.len());
                        prop_assert!(length < 800 && detail.value.as_ref().is_none_or(|value| value.len() < 200));
                    }
                }
            }
        }
        if let Some(Err(difference)) = agrees(&config) {
            prop_assert!(false, "{}\n{}", difference, text);
        }
    }

    #[test]
    fn bytes_that_are_no_config_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(spec) = parse::<Spec>("config.json", &bytes) {
            prop_assert!(validate(&spec, &Circumstances::default()).is_err());
        }
    }
}
