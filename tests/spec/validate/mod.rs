//! One row a rule: what is changed in a good config, and what the message has to name.

mod landlock;
mod linux;
mod mounts;
mod namespaces;
mod process;
mod resources;

use rruntime::spec::load::parse;
use rruntime::spec::validate::{self, Checked, Circumstances, validate};
use rruntime::spec::{RootChange, Spec};
use serde_json::Value;

const BASE: &str = r#"{
    "ociVersion": "1.3.0",
    "process": {"user": {"uid": 0, "gid": 0}, "args": ["sh"], "env": ["PATH=/bin"], "cwd": "/"},
    "root": {"path": "rootfs"},
    "hostname": "box",
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
    "linux": {
        "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "uts"}, {"type": "ipc"},
                       {"type": "network"}, {"type": "time"}, {"type": "cgroup"}]
    }
}"#;

/// RFC 7386: objects are merged, null removes, everything else replaces.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let target = target.as_object_mut().expect("was just made an object");
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

fn edited(patch: &str) -> String {
    let mut config: Value = serde_json::from_str(BASE).expect("BASE is JSON");
    merge(&mut config, serde_json::from_str(patch).unwrap_or_else(|e| panic!("{patch}: {e}")));
    config.to_string()
}

/// Every problem of a config, as (pointer, whole line).
fn problems(json: &str, facts: &Circumstances) -> Vec<(String, String)> {
    let spec: Spec = parse("config.json", json.as_bytes()).unwrap_or_else(|e| panic!("{json}: {e}"));
    let Err(error) = validate(&spec, facts) else { return Vec::new() };
    std::iter::once(&error)
        .chain(&error.detail().others)
        .map(|problem| {
            let detail = problem.detail();
            assert!(detail.remedy.is_some(), "{problem} has no remedy");
            let field = detail.field.clone().unwrap_or_default();
            (field.clone(), format!("{field} {:?} {}", detail.value, detail.reason))
        })
        .collect()
}

fn accepted(json: &str, facts: &Circumstances) -> Checked {
    let spec: Spec = parse("config.json", json.as_bytes()).unwrap_or_else(|e| panic!("{json}: {e}"));
    validate(&spec, facts).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// (change, pointer, part of the line "pointer value reason")
type Row = (&'static str, &'static str, &'static str);

/// The top of a config; each other part has a file of its own.
const REFUSED: &[Row] = &[
    (r#"{"root": null}"#, "/root", "missing"),
    (r#"{"root": {"path": ""}}"#, "/root/path", "missing or empty"),
    (r#"{"root": {"path": "a\u0000b"}}"#, "/root/path", "NUL"),
    (r#"{"linux": {"namespaces": [{"type": "mount"}]}}"#, "/hostname", "uts namespace"),
    (
        r#"{"hostname": null, "domainname": "x", "linux": {"namespaces": [{"type": "mount"}]}}"#,
        "/domainname",
        "uts namespace",
    ),
    (r#"{"hostname": "a\u0000b"}"#, "/hostname", "NUL"),
    (
        r#"{"hostname": "0123456789012345678901234567890123456789012345678901234567890123456789"}"#,
        "/hostname",
        "longer than 64",
    ),
];

#[test]
fn each_rule_names_its_field_and_says_why() {
    let parts = [
        REFUSED,
        process::REFUSED,
        mounts::REFUSED,
        namespaces::REFUSED,
        linux::REFUSED,
        resources::REFUSED,
        landlock::REFUSED,
    ];
    for (patch, pointer, text) in parts.into_iter().flatten() {
        let found = problems(&edited(patch), &Circumstances::default());
        assert!(
            found.iter().any(|(field, line)| field == pointer && line.contains(text)),
            "{patch}\n  wanted {pointer}: … {text}\n  found {found:#?}"
        );
    }
}

/// Changes that peers accept: (change, pointer of the warning or "" for none, part of the warning).
const ACCEPTED: &[Row] = &[
    ("{}", "", ""),
    (r#"{"ociVersion": "1.0.2-dev"}"#, "", ""),
    (
        r#"{"process": {"capabilities": {"bounding": ["CAP_FOO"]}}}"#,
        "/process/capabilities/bounding/0",
        "CAP_FOO",
    ),
    (
        r#"{"process": {"capabilities": {"ambient": ["CAP_KILL"], "permitted": ["CAP_KILL"]}}}"#,
        "/process/capabilities/ambient",
        "cannot become ambient",
    ),
    (
        r#"{"process": {"capabilities": {"permitted": ["cap_kill"]}}}"#,
        "/process/capabilities/permitted/0",
        "is not a known capability: ignored",
    ),
    (r#"{"ociVersion": null}"#, "/ociVersion", "missing"),
    (r#"{"process": null}"#, "/process", "cannot be started"),
    (r#"{"ociVersion": "1.0"}"#, "/ociVersion", "not a semantic version"),
    (r#"{"ociVersion": "2.0.0"}"#, "/ociVersion", "another major version"),
    (r#"{"process": {"user": {"umask": 512}}}"#, "/process/user/umask", "0o1000"),
    (
        r#"{"process": {"consoleSize": {"height": 70000, "width": 80}}}"#,
        "/process/consoleSize/height",
        "65535",
    ),
    (
        r#"{"process": {"rlimits": [{"type": "RLIMIT_CORE"}, {"type": "RLIMIT_CORE"}]}}"#,
        "/process/rlimits/1/type",
        "twice",
    ),
    (
        r#"{"linux": {"uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}}"#,
        "/linux/uidMappings",
        "has none: ignored",
    ),
    (
        r#"{"linux": {"devices": [{"path": "d", "type": "p"}]}}"#,
        "/linux/devices/0/path",
        "taken from the root",
    ),
    (
        r#"{"linux": {"devices": [{"path": "/d", "type": "c", "minor": 1}]}}"#,
        "/linux/devices/0/major",
        "missing",
    ),
    (
        r#"{"linux": {"devices": [{"path": "/d", "type": "p", "fileMode": 65536}]}}"#,
        "/linux/devices/0/fileMode",
        "not a file mode",
    ),
    (
        r#"{"linux": {"devices": [{"path": "/d", "type": "p", "uid": 4294967295}]}}"#,
        "/linux/devices/0/uid",
        "no id",
    ),
    (
        r#"{"linux": {"devices": [{"path": "/d", "type": "p"}, {"path": "/d", "type": "c", "major": 1, "minor": 3}]}}"#,
        "/linux/devices/1/path",
        "different devices",
    ),
    (r#"{"linux": {"maskedPaths": ["/a", "proc"]}}"#, "/linux/maskedPaths/1", "taken from the root"),
    (r#"{"linux": {"readonlyPaths": [""]}}"#, "/linux/readonlyPaths/0", "empty"),
    (
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_ERRNO"}]}}}"#,
        "/linux/seccomp/syscalls/0/names",
        "missing",
    ),
    (
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}}}"#,
        "/linux/seccomp/listenerMetadata",
        "needs a listenerPath",
    ),
    (
        r#"{"linux": {"resources": {"devices": [{"allow": false, "access": "rx"}]}}}"#,
        "/linux/resources/devices/0/access",
        "other than r, w and m, and that letter is ignored",
    ),
    (
        r#"{"linux": {"resources": {"hugepageLimits": [{"pageSize": "2MB", "limit": 1}, {"pageSize": "2MB", "limit": 1}]}}}"#,
        "/linux/resources/hugepageLimits/1/pageSize",
        "twice",
    ),
    (r#"{"process": {"user": {"umask": 511, "uid": 4294967294}}}"#, "", ""),
    (r#"{"process": {"execCPUAffinity": {"initial": "0,2-3, 5", "final": ""}}}"#, "", ""),
    (
        r#"{"process": {"scheduler": {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_RESET_ON_FORK"]}}}"#,
        "",
        "",
    ),
    (r#"{"mounts": [{"destination": "data", "type": "tmpfs"}]}"#, "/mounts/0/destination", "relative to /"),
    (
        r#"{"mounts": [{"destination": "/a", "type": "tmpfs", "options": ["ro", "nosuid", "rw"]}]}"#,
        "/mounts/0/options/2",
        "contradicts",
    ),
    (
        r#"{"mounts": [{"destination": "/a", "type": "tmpfs", "options": ["rshared", "rslave"]}]}"#,
        "/mounts/0/options/1",
        "contradicts",
    ),
    (
        r#"{"mounts": [{"destination": "/a", "source": "b", "type": "bind", "options": ["ro", "rprivate"]}]}"#,
        "",
        "",
    ),
    (
        r#"{"mounts": [{"destination": "/a", "source": "/b", "options": ["bind", "ridmap"], "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}]}"#,
        "",
        "",
    ),
    (
        r#"{"mounts": [{"destination": "/a", "type": "proc", "options": ["tmpcopyup"]}]}"#,
        "/mounts/0/options",
        "tmpcopyup",
    ),
    (
        r#"{"linux": {"personality": {"domain": "LINUX32", "flags": ["X"]}}}"#,
        "/linux/personality/flags/0",
        "ignored",
    ),
    (
        r#"{"linux": {"devices": [{"path": "/p", "type": "p"}, {"path": "/p", "type": "p"}]}}"#,
        "/linux/devices/1/path",
        "twice",
    ),
    (
        r#"{"linux": {"devices": [{"path": "/d", "type": "c", "major": 1, "minor": 3, "fileMode": 8630}]}}"#,
        "",
        "",
    ),
    (
        r#"{"linux": {"resources": {"devices": [{"allow": true, "major": 1, "access": "r"}]}}}"#,
        "/linux/resources/devices/0/major",
        "block and character devices",
    ),
    (
        r#"{"linux": {"resources": {"devices": [{"allow": false, "access": "rwm"}, {"allow": false, "type": ""}]}}}"#,
        "",
        "",
    ),
    (
        r#"{"linux": {"resources": {"memory": {"limit": 1048576, "swap": 1048576}, "pids": {"limit": 0}}}}"#,
        "",
        "",
    ),
    (r#"{"linux": {"resources": {"memory": {"limit": -1, "swap": -1}, "pids": {"limit": -1}}}}"#, "", ""),
    (
        r#"{"linux": {"resources": {"cpu": {"period": 0, "quota": 0, "cpus": "0-3:1/2", "mems": ""}, "blockIO": {"weight": 0}}}}"#,
        "",
        "",
    ),
    (
        r#"{"linux": {"resources": {"hugepageLimits": [{"pageSize": "2MB", "limit": 18446744073709551615}]}}}"#,
        "",
        "",
    ),
    (r#"{"linux": {"resources": {"unified": {"memory.high": "1"}}}}"#, "", ""),
    (
        r#"{"linux": {"sysctl": {"net.ipv4.ip_forward": "1", "kernel/sem": "1", "fs.mqueue.msg_max": "1", "kernel.domainname": "x"}}}"#,
        "",
        "",
    ),
    (r#"{"linux": {"timeOffsets": {"boottime": {"secs": -5, "nanosecs": 5}}}}"#, "", ""),
    (r#"{"linux": {"netDevices": {"eth0": {"name": "c0"}, "eth1": {}}}}"#, "", ""),
    (r#"{"linux": {"cgroupsPath": "", "rootfsPropagation": "", "seccomp": null}}"#, "", ""),
    (r#"{"linux": {"rootfsPropagation": "rslave", "cgroupsPath": "/a/b..c"}}"#, "", ""),
    (r#"{"annotations": {"": "x"}}"#, "/annotations", "empty"),
    (r#"{"hooks": {"poststop": [{"path": "/a", "env": ["A"]}]}}"#, "/hooks/poststop/0/env/0", "="),
];

#[test]
fn what_peers_accept_is_accepted_and_a_warning_names_it() {
    for (patch, pointer, text) in ACCEPTED {
        let warnings = accepted(&edited(patch), &Circumstances::default()).warnings;
        if pointer.is_empty() {
            assert!(warnings.is_empty(), "{patch}: {warnings:?}");
        } else {
            let line = warnings.first().map(ToString::to_string).unwrap_or_default();
            assert!(warnings.len() == 1 && line.contains(text), "{patch}: {warnings:?}");
            let field = warnings[0].detail().field.as_deref();
            assert!(field.is_some_and(|field| field.starts_with(pointer)), "{patch}: {field:?}");
        }
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let json = edited(
        r#"{"ociVersion": "9.0.0", "process": {"cwd": "x", "args": []}, "root": null,
            "linux": {"namespaces": [{"type": "bogus"}], "sysctl": {"vm.x": "1"}}}"#,
    );
    let found: Vec<String> =
        problems(&json, &Circumstances::default()).into_iter().map(|(field, _)| field).collect();
    for pointer in [
        "/process/cwd",
        "/process/args",
        "/root",
        "/hostname",
        "/mounts",
        "/linux/namespaces/0/type",
        "/linux/sysctl/vm.x",
    ] {
        assert!(found.iter().any(|field| field == pointer), "{pointer} is not in {found:?}");
    }
}

#[test]
fn ten_thousand_wrong_entries_are_told_as_a_hundred() {
    let entries = vec![r#""/nul\u0000""#; 10_000].join(",");
    let found = problems(
        &edited(&format!(r#"{{"linux": {{"maskedPaths": [{entries}]}}}}"#)),
        &Circumstances::default(),
    );
    assert_eq!(found.len(), 101);
    assert!(found[100].1.contains("9900 more problems"), "{:?}", found[100]);
}

#[test]
fn an_environment_value_is_never_repeated_in_a_message() {
    for patch in [r#"{"process": {"env": ["TOKEN=secret\u0000"]}}"#, r#"{"process": {"env": ["secret"]}}"#] {
        let found = problems(&edited(patch), &Circumstances::default());
        assert!(!found.is_empty() && found.iter().all(|(_, line)| !line.contains("secret")), "{found:?}");
    }
}

#[test]
fn a_systemd_cgroup_path_has_three_parts() {
    let facts = Circumstances { systemd_cgroup: true, ..Circumstances::default() };
    for (path, good) in
        [("system.slice:r:a", true), (":r:a", true), ("/a/b", false), ("a:b:", false), ("a:b:c:d", false)]
    {
        let json = edited(&format!(r#"{{"linux": {{"cgroupsPath": "{path}"}}}}"#));
        assert_eq!(problems(&json, &facts).is_empty(), good, "{path}");
    }
}

#[test]
fn private_propagation_needs_pivot_root() {
    let facts = Circumstances { root_change: RootChange::MoveMount, ..Circumstances::default() };
    let found = problems(&edited(r#"{"linux": {"rootfsPropagation": "rprivate"}}"#), &facts);
    assert!(found.iter().any(|(field, _)| field == "/linux/rootfsPropagation"), "{found:?}");
    assert_eq!(problems(&edited(r#"{"linux": {"rootfsPropagation": "rslave"}}"#), &facts), Vec::new());
}

#[test]
fn a_capability_that_the_kernel_lacks_is_a_warning() {
    let facts = Circumstances { last_capability: 37, ..Circumstances::default() };
    let json = edited(r#"{"process": {"capabilities": {"bounding": ["CAP_AUDIT_READ", "CAP_BPF"]}}}"#);
    let warnings = accepted(&json, &facts).warnings;
    assert!(warnings.len() == 1 && warnings[0].to_string().contains("CAP_BPF"), "{warnings:?}");
}

#[test]
fn a_process_and_resources_are_checked_alone_with_their_own_pointers() {
    let exec = parse("process.json", br#"{"args": ["sh"], "cwd": "x"}"#).expect("is a process");
    let error = validate::process(&exec, &Circumstances::default()).expect_err("cwd is relative");
    assert_eq!(error.detail().field.as_deref(), Some("/cwd"));
    let limits = parse("resources.json", br#"{"pids": {"limit": -5}}"#).expect("are resources");
    let error = validate::resources(&limits).expect_err("the limit is negative");
    assert_eq!(error.detail().field.as_deref(), Some("/pids/limit"));
}

#[test]
fn null_means_not_set_for_every_field() {
    let nulls = r#"{"ociVersion": "1.3.0", "hostname": null, "domainname": null, "mounts": null, "hooks": null,
        "annotations": {"a": null}, "root": {"path": "rootfs", "readonly": null},
        "process": {"terminal": null, "consoleSize": null, "args": ["sh"], "env": null, "cwd": "/",
            "user": null, "capabilities": null, "rlimits": null, "noNewPrivileges": null, "apparmorProfile": null,
            "oomScoreAdj": null, "selinuxLabel": null, "scheduler": null, "ioPriority": null, "execCPUAffinity": null},
        "linux": {"uidMappings": null, "gidMappings": null, "sysctl": null, "cgroupsPath": null, "namespaces": null,
            "devices": null, "netDevices": {"eth0": null}, "seccomp": null, "rootfsPropagation": null,
            "maskedPaths": null, "readonlyPaths": null, "mountLabel": null, "intelRdt": null, "memoryPolicy": null,
            "personality": null, "timeOffsets": {"boottime": null},
            "resources": {"devices": [{"allow": false, "type": null, "major": null, "minor": null, "access": null}],
                "memory": {"limit": null}, "cpu": null, "pids": {"limit": null}, "blockIO": null,
                "hugepageLimits": null, "network": null, "rdma": {"x": null}, "unified": null}}}"#;
    let spec: Spec = parse("config.json", nulls.as_bytes()).expect("null is not a wrong type");
    assert!(spec.linux.is_some_and(|linux| linux.net_devices.len() == 1));
}
