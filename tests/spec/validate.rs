//! One row a rule: what is changed in a good config, and what the message has to name.

use rruntime::spec::Spec;
use rruntime::spec::load::parse;
use rruntime::spec::validate::{Checked, Circumstances, process, resources, validate};
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
const REFUSED: &[(&str, &str, &str)] = &[
    // the top
    (r#"{"ociVersion": null}"#, "/ociVersion", "missing"),
    (r#"{"ociVersion": "1.0"}"#, "/ociVersion", "not a semantic version"),
    (r#"{"ociVersion": "2.0.0"}"#, "/ociVersion", "another major version"),
    (r#"{"ociVersion": "0.9.0"}"#, "/ociVersion", "another major version"),
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
    // process
    (r#"{"process": null}"#, "/process", "missing"),
    (r#"{"process": {"args": null}}"#, "/process/args", "missing"),
    (r#"{"process": {"args": []}}"#, "/process/args", "missing or empty"),
    (r#"{"process": {"args": null, "commandLine": "x"}}"#, "/process/args", "Windows"),
    (r#"{"process": {"args": [""]}}"#, "/process/args/0", "empty"),
    (r#"{"process": {"args": ["a", "b\u0000c"]}}"#, "/process/args/1", "NUL"),
    (r#"{"process": {"cwd": null}}"#, "/process/cwd", "missing"),
    (r#"{"process": {"cwd": "home"}}"#, "/process/cwd", "not an absolute path"),
    (r#"{"process": {"env": ["A=1", "B"]}}"#, "/process/env/1", "has no \"=\""),
    (r#"{"process": {"env": ["=x"]}}"#, "/process/env/0", "empty name"),
    (r#"{"process": {"env": ["A=1\u0000"]}}"#, "/process/env/0", "NUL"),
    (r#"{"process": {"user": {"uid": 4294967295}}}"#, "/process/user/uid", "no id"),
    (r#"{"process": {"user": {"gid": 4294967295}}}"#, "/process/user/gid", "no id"),
    (
        r#"{"process": {"user": {"additionalGids": [1, 4294967295]}}}"#,
        "/process/user/additionalGids/1",
        "no id",
    ),
    (r#"{"process": {"user": {"umask": 512}}}"#, "/process/user/umask", "0o1000"),
    (
        r#"{"process": {"consoleSize": {"height": 70000, "width": 80}}}"#,
        "/process/consoleSize/height",
        "65535",
    ),
    (
        r#"{"process": {"capabilities": {"effective": ["CAP_KILL"]}}}"#,
        "/process/capabilities/effective",
        "CAP_KILL that the permitted set lacks",
    ),
    (
        r#"{"process": {"capabilities": {"inheritable": ["CAP_KILL", "CAP_BPF"], "bounding": ["CAP_BPF"]}}}"#,
        "/process/capabilities/inheritable",
        "CAP_KILL that the bounding set lacks",
    ),
    (r#"{"process": {"rlimits": [{"type": "RLIMIT_FOO"}]}}"#, "/process/rlimits/0/type", "not known"),
    (r#"{"process": {"rlimits": [{"hard": 1}]}}"#, "/process/rlimits/0/type", "missing"),
    (
        r#"{"process": {"rlimits": [{"type": "RLIMIT_CORE"}, {"type": "RLIMIT_CORE"}]}}"#,
        "/process/rlimits/1/type",
        "twice",
    ),
    (
        r#"{"process": {"rlimits": [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]}}"#,
        "/process/rlimits/0/soft",
        "above the hard",
    ),
    (r#"{"process": {"oomScoreAdj": 1001}}"#, "/process/oomScoreAdj", "-1000 to 1000"),
    (r#"{"process": {"apparmorProfile": "a\u0000"}}"#, "/process/apparmorProfile", "NUL"),
    (r#"{"process": {"selinuxLabel": "a\u0000"}}"#, "/process/selinuxLabel", "NUL"),
    (r#"{"process": {"scheduler": {"nice": 0}}}"#, "/process/scheduler/policy", "missing"),
    (r#"{"process": {"scheduler": {"policy": "SCHED_X"}}}"#, "/process/scheduler/policy", "not known"),
    (
        r#"{"process": {"scheduler": {"policy": "SCHED_OTHER", "nice": 20}}}"#,
        "/process/scheduler/nice",
        "-20 to 19",
    ),
    (
        r#"{"process": {"scheduler": {"policy": "SCHED_OTHER", "priority": 1}}}"#,
        "/process/scheduler/priority",
        "realtime",
    ),
    (
        r#"{"process": {"scheduler": {"policy": "SCHED_FIFO", "priority": 0}}}"#,
        "/process/scheduler/priority",
        "1 to 99",
    ),
    (
        r#"{"process": {"scheduler": {"policy": "SCHED_RR", "priority": 1, "runtime": 5}}}"#,
        "/process/scheduler/runtime",
        "SCHED_DEADLINE",
    ),
    (
        r#"{"process": {"scheduler": {"policy": "SCHED_OTHER", "flags": ["X"]}}}"#,
        "/process/scheduler/flags/0",
        "not known",
    ),
    (
        r#"{"process": {"scheduler": {"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 9}}}"#,
        "/process/scheduler/runtime",
        "1024",
    ),
    (
        r#"{"process": {"scheduler": {"policy": "SCHED_DEADLINE", "runtime": 9000, "deadline": 8000}}}"#,
        "/process/scheduler/deadline",
        "below the run time",
    ),
    (
        r#"{"process": {"scheduler": {"policy": "SCHED_DEADLINE", "runtime": 9000, "deadline": 9000, "period": 1}}}"#,
        "/process/scheduler/period",
        "below the deadline",
    ),
    (r#"{"process": {"ioPriority": {"class": "IOPRIO_CLASS_X"}}}"#, "/process/ioPriority/class", "not known"),
    (r#"{"process": {"ioPriority": {"priority": 1}}}"#, "/process/ioPriority/class", "missing"),
    (
        r#"{"process": {"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 8}}}"#,
        "/process/ioPriority/priority",
        "0 to 7",
    ),
    (
        r#"{"process": {"execCPUAffinity": {"initial": "1-0"}}}"#,
        "/process/execCPUAffinity/initial",
        "not a list",
    ),
    (r#"{"process": {"execCPUAffinity": {"final": "x"}}}"#, "/process/execCPUAffinity/final", "not a list"),
    // mounts
    (r#"{"mounts": [{"type": "proc"}]}"#, "/mounts/0/destination", "missing"),
    (r#"{"mounts": [{"destination": "/a\u0000", "type": "proc"}]}"#, "/mounts/0/destination", "NUL"),
    (
        r#"{"mounts": [{"destination": "/a", "type": "tmpfs", "options": ["size=1\u0000"]}]}"#,
        "/mounts/0/options/0",
        "NUL",
    ),
    (r#"{"mounts": [{"destination": "/a"}]}"#, "/mounts/0/type", "missing"),
    (r#"{"mounts": [{"destination": "/a", "options": ["bind"]}]}"#, "/mounts/0/source", "missing"),
    (r#"{"mounts": [{"destination": "/a", "type": "bind"}]}"#, "/mounts/0/source", "missing"),
    (
        r#"{"hostname": null, "linux": {"namespaces": [{"type": "pid"}]}}"#,
        "/mounts",
        "needs a mount namespace",
    ),
    (
        r#"{"mounts": [{"destination": "/a", "type": "tmpfs", "options": ["idmap"]}]}"#,
        "/mounts/0",
        "not a bind mount",
    ),
    (
        r#"{"mounts": [{"destination": "/a", "source": "/", "options": ["bind", "idmap"]}]}"#,
        "/mounts/0",
        "id-mapped without a mapping",
    ),
    (
        r#"{"mounts": [{"destination": "/a", "source": "/", "options": ["bind"], "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}]}"#,
        "/mounts/0/gidMappings",
        "missing, but uidMappings is set",
    ),
    (
        r#"{"mounts": [{"destination": "/a", "source": "/", "options": ["bind"], "gidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}]}"#,
        "/mounts/0/uidMappings",
        "missing, but gidMappings is set",
    ),
    (
        r#"{"mounts": [{"destination": "/a", "source": "/b", "options": ["bind", "idmap=uids=0-1-1"]}]}"#,
        "/mounts/0/options/1",
        "both uids and gids",
    ),
    // hooks
    (r#"{"hooks": {"prestart": [{"path": "a"}]}}"#, "/hooks/prestart/0/path", "not an absolute path"),
    (r#"{"hooks": {"createRuntime": [{"args": ["a"]}]}}"#, "/hooks/createRuntime/0/path", "missing"),
    (
        r#"{"hooks": {"createContainer": [{"path": "/a", "timeout": 0}]}}"#,
        "/hooks/createContainer/0/timeout",
        "positive",
    ),
    (
        r#"{"hooks": {"startContainer": [{"path": "/a", "timeout": -1}]}}"#,
        "/hooks/startContainer/0/timeout",
        "positive",
    ),
    (r#"{"hooks": {"poststart": [{"path": "/a", "args": ["\u0000"]}]}}"#, "/hooks/poststart/0/args/0", "NUL"),
    (r#"{"hooks": {"poststop": [{"path": "/a", "env": ["A=\u0000"]}]}}"#, "/hooks/poststop/0/env/0", "NUL"),
    // namespaces and what needs one
    (
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "net"}]}}"#,
        "/linux/namespaces/2/type",
        "not known",
    ),
    (
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {}]}}"#,
        "/linux/namespaces/2/type",
        "missing",
    ),
    (
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "uts"}]}}"#,
        "/linux/namespaces/2/type",
        "twice",
    ),
    (
        r#"{"linux": {"namespaces": [{"type": "mount", "path": "ns"}, {"type": "uts"}]}}"#,
        "/linux/namespaces/0/path",
        "not an absolute path",
    ),
    (
        r#"{"linux": {"uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}}"#,
        "/linux/uidMappings",
        "needs a user namespace",
    ),
    (
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "user"}]}}"#,
        "/linux/gidMappings",
        "missing for the new user",
    ),
    (
        r#"{"linux": {"uidMappings": [{"containerID": 0, "hostID": 1, "size": 0}]}}"#,
        "/linux/uidMappings/0/size",
        "empty range",
    ),
    (
        r#"{"linux": {"uidMappings": [{"containerID": 0, "hostID": 4294967295, "size": 1}]}}"#,
        "/linux/uidMappings/0/hostID",
        "past the highest id",
    ),
    (
        r#"{"linux": {"uidMappings": [{"containerID": 0, "hostID": 1, "size": 10}, {"containerID": 5, "hostID": 100, "size": 10}]}}"#,
        "/linux/uidMappings/1/containerID",
        "overlaps range 0",
    ),
    (
        r#"{"linux": {"gidMappings": [{"containerID": 0, "hostID": 1, "size": 10}, {"containerID": 50, "hostID": 10, "size": 10}]}}"#,
        "/linux/gidMappings/1/hostID",
        "overlaps range 0",
    ),
    (
        r#"{"linux": {"sysctl": {"vm.swappiness": "1"}}}"#,
        "/linux/sysctl/vm.swappiness",
        "not belong to a namespace",
    ),
    (
        r#"{"linux": {"sysctl": {"kernel.shmfoo": "1"}}}"#,
        "/linux/sysctl/kernel.shmfoo",
        "not belong to a namespace",
    ),
    (
        r#"{"linux": {"sysctl": {"net/../kernel/x": "1"}}}"#,
        "/linux/sysctl/net~1..~1kernel~1x",
        "not the name of a sysctl",
    ),
    (r#"{"linux": {"sysctl": {"kernel.hostname": "x"}}}"#, "/linux/sysctl/kernel.hostname", "duplicates"),
    (
        r#"{"linux": {"sysctl": {"net.core.somaxconn": "1\u0000"}}}"#,
        "/linux/sysctl/net.core.somaxconn",
        "NUL",
    ),
    (
        r#"{"linux": {"sysctl": {"user.max_user_namespaces": "1"}}}"#,
        "/linux/sysctl/user.max_user_namespaces",
        "no user namespace",
    ),
    (
        r#"{"hostname": null, "linux": {"sysctl": {"kernel.domainname": "x"}, "namespaces": [{"type": "mount"}]}}"#,
        "/linux/sysctl/kernel.domainname",
        "no uts namespace",
    ),
    (
        r#"{"hostname": null, "linux": {"sysctl": {"net.ipv4.ip_forward": "1"}, "namespaces": [{"type": "mount"}]}}"#,
        "/linux/sysctl/net.ipv4.ip_forward",
        "no network namespace",
    ),
    (
        r#"{"hostname": null, "linux": {"sysctl": {"fs/mqueue/msg_max": "1"}, "namespaces": [{"type": "mount"}]}}"#,
        "/linux/sysctl/fs~1mqueue~1msg_max",
        "no ipc namespace",
    ),
    (
        r#"{"linux": {"timeOffsets": {"realtime": {"secs": 1}}}}"#,
        "/linux/timeOffsets/realtime",
        "not a clock",
    ),
    (
        r#"{"linux": {"timeOffsets": {"boottime": {"nanosecs": 1000000000}}}}"#,
        "/linux/timeOffsets/boottime/nanosecs",
        "999999999",
    ),
    (
        r#"{"hostname": null, "linux": {"timeOffsets": {"boottime": {"secs": 1}}, "namespaces": [{"type": "mount"}]}}"#,
        "/linux/timeOffsets",
        "needs a time namespace",
    ),
    (
        r#"{"hostname": null, "linux": {"timeOffsets": {"boottime": {"secs": 1}}, "namespaces": [{"type": "mount"}, {"type": "time", "path": "/x"}]}}"#,
        "/linux/timeOffsets",
        "joined",
    ),
    (
        r#"{"hostname": null, "linux": {"netDevices": {"eth0": {}}, "namespaces": [{"type": "mount"}]}}"#,
        "/linux/netDevices",
        "needs a network namespace",
    ),
    (r#"{"linux": {"netDevices": {"a:b": {}}}}"#, "/linux/netDevices/a:b", "not a valid name"),
    (
        r#"{"linux": {"netDevices": {"eth0": {"name": "sixteen-letters-"}}}}"#,
        "/linux/netDevices/eth0/name",
        "not a valid name",
    ),
    (
        r#"{"linux": {"netDevices": {"eth0": {"name": "a"}, "eth1": {"name": "a"}}}}"#,
        "/linux/netDevices/eth1/name",
        "two devices",
    ),
    // the rest of linux
    (
        r#"{"linux": {"devices": [{"path": "/d", "type": "x", "major": 1, "minor": 1}]}}"#,
        "/linux/devices/0/type",
        "not known",
    ),
    (r#"{"linux": {"devices": [{"path": "/d"}]}}"#, "/linux/devices/0/type", "missing"),
    (
        r#"{"linux": {"devices": [{"path": "d", "type": "p"}]}}"#,
        "/linux/devices/0/path",
        "not an absolute path",
    ),
    (
        r#"{"linux": {"devices": [{"path": "/d", "type": "c", "minor": 1}]}}"#,
        "/linux/devices/0/major",
        "missing",
    ),
    (
        r#"{"linux": {"devices": [{"path": "/d", "type": "b", "major": 1}]}}"#,
        "/linux/devices/0/minor",
        "missing",
    ),
    (
        r#"{"linux": {"devices": [{"path": "/d", "type": "u", "major": -1, "minor": 1}]}}"#,
        "/linux/devices/0/major",
        "0 to 4095",
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
    (r#"{"linux": {"rootfsPropagation": "public"}}"#, "/linux/rootfsPropagation", "not known"),
    (r#"{"linux": {"maskedPaths": ["/a", "proc"]}}"#, "/linux/maskedPaths/1", "not an absolute path"),
    (r#"{"linux": {"readonlyPaths": [""]}}"#, "/linux/readonlyPaths/0", "empty"),
    (
        r#"{"hostname": null, "mounts": null, "linux": {"maskedPaths": ["/a"], "namespaces": [{"type": "pid"}]}}"#,
        "/linux/maskedPaths",
        "needs a mount namespace",
    ),
    (
        r#"{"hostname": null, "mounts": null, "linux": {"readonlyPaths": ["/a"], "namespaces": [{"type": "pid"}]}}"#,
        "/linux/readonlyPaths",
        "needs a mount namespace",
    ),
    (
        r#"{"hostname": null, "mounts": null, "root": {"readonly": true}, "linux": {"namespaces": [{"type": "pid"}]}}"#,
        "/root/readonly",
        "needs a mount namespace",
    ),
    (
        r#"{"hostname": null, "mounts": null, "linux": {"rootfsPropagation": "slave", "namespaces": [{"type": "pid"}]}}"#,
        "/linux/rootfsPropagation",
        "needs a mount namespace",
    ),
    (r#"{"linux": {"cgroupsPath": "/a/../b"}}"#, "/linux/cgroupsPath", ".."),
    (r#"{"linux": {"mountLabel": "a\u0000"}}"#, "/linux/mountLabel", "NUL"),
    (r#"{"linux": {"intelRdt": {"closID": ".."}}}"#, "/linux/intelRdt/closID", "not the name of a directory"),
    (
        r#"{"linux": {"intelRdt": {"closID": "a/b"}}}"#,
        "/linux/intelRdt/closID",
        "not the name of a directory",
    ),
    (r#"{"linux": {"intelRdt": {"memBwSchema": "L3:0=1"}}}"#, "/linux/intelRdt/memBwSchema", "MB:"),
    (
        r#"{"linux": {"intelRdt": {"memBwSchema": "MB:0=1\nL3:0=1"}}}"#,
        "/linux/intelRdt/memBwSchema",
        "more than one line",
    ),
    (
        r#"{"linux": {"intelRdt": {"schemata": ["L3:0=1\n"]}}}"#,
        "/linux/intelRdt/schemata/0",
        "more than one line",
    ),
    (r#"{"linux": {"memoryPolicy": {"nodes": "0"}}}"#, "/linux/memoryPolicy/mode", "missing"),
    (r#"{"linux": {"memoryPolicy": {"mode": "MPOL_X"}}}"#, "/linux/memoryPolicy/mode", "not known"),
    (r#"{"linux": {"memoryPolicy": {"mode": "MPOL_BIND"}}}"#, "/linux/memoryPolicy/nodes", "missing"),
    (
        r#"{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "a"}}}"#,
        "/linux/memoryPolicy/nodes",
        "not a list",
    ),
    (
        r#"{"linux": {"memoryPolicy": {"mode": "MPOL_DEFAULT", "nodes": "0"}}}"#,
        "/linux/memoryPolicy/nodes",
        "does not apply",
    ),
    (
        r#"{"linux": {"memoryPolicy": {"mode": "MPOL_LOCAL", "flags": ["X"]}}}"#,
        "/linux/memoryPolicy/flags/0",
        "not known",
    ),
    (
        r#"{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]}}}"#,
        "/linux/memoryPolicy/flags",
        "both",
    ),
    (
        r#"{"linux": {"memoryPolicy": {"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]}}}"#,
        "/linux/memoryPolicy/flags",
        "this mode does not accept",
    ),
    (r#"{"linux": {"personality": {"domain": "BSD"}}}"#, "/linux/personality/domain", "not known"),
    (r#"{"linux": {"personality": {}}}"#, "/linux/personality/domain", "missing"),
    // seccomp
    (r#"{"linux": {"seccomp": {"architectures": []}}}"#, "/linux/seccomp/defaultAction", "missing"),
    (
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_ERRNO"}]}}}"#,
        "/linux/seccomp/syscalls/0/names",
        "missing",
    ),
    (
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"]}]}}}"#,
        "/linux/seccomp/syscalls/0/action",
        "missing",
    ),
    (
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}]}}}"#,
        "/linux/seccomp/syscalls/0/args/0/index",
        "0 to 5",
    ),
    (
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0}]}]}}}"#,
        "/linux/seccomp/syscalls/0/args/0/op",
        "missing",
    ),
    (
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}}}"#,
        "/linux/seccomp/listenerMetadata",
        "needs a listenerPath",
    ),
    (
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "x"}}}"#,
        "/linux/seccomp/listenerPath",
        "not an absolute path",
    ),
    // resources
    (
        r#"{"linux": {"resources": {"devices": [{"allow": true, "type": "x", "access": "r"}]}}}"#,
        "/linux/resources/devices/0/type",
        "not known",
    ),
    (
        r#"{"linux": {"resources": {"devices": [{"allow": true}]}}}"#,
        "/linux/resources/devices/0/access",
        "missing",
    ),
    (
        r#"{"linux": {"resources": {"devices": [{"allow": false, "access": "rx"}]}}}"#,
        "/linux/resources/devices/0/access",
        "other than r, w and m",
    ),
    (
        r#"{"linux": {"resources": {"devices": [{"allow": true, "type": "c", "major": -2, "access": "r"}]}}}"#,
        "/linux/resources/devices/0/major",
        "not a device number",
    ),
    (r#"{"linux": {"resources": {"memory": {"limit": -2}}}}"#, "/linux/resources/memory/limit", "negative"),
    (
        r#"{"linux": {"resources": {"memory": {"reservation": -2}}}}"#,
        "/linux/resources/memory/reservation",
        "negative",
    ),
    (
        r#"{"linux": {"resources": {"memory": {"kernelTCP": -2}}}}"#,
        "/linux/resources/memory/kernelTCP",
        "negative",
    ),
    (
        r#"{"linux": {"resources": {"memory": {"limit": 200, "swap": 100}}}}"#,
        "/linux/resources/memory/swap",
        "below the memory limit",
    ),
    (
        r#"{"linux": {"resources": {"memory": {"swap": 100}}}}"#,
        "/linux/resources/memory/swap",
        "without memory.limit",
    ),
    (
        r#"{"linux": {"resources": {"memory": {"swappiness": 101}}}}"#,
        "/linux/resources/memory/swappiness",
        "0 to 100",
    ),
    (r#"{"linux": {"resources": {"pids": {"limit": -2}}}}"#, "/linux/resources/pids/limit", "negative"),
    (
        r#"{"linux": {"resources": {"cpu": {"period": 999}}}}"#,
        "/linux/resources/cpu/period",
        "1000 to 1000000",
    ),
    (r#"{"linux": {"resources": {"cpu": {"quota": -2}}}}"#, "/linux/resources/cpu/quota", "negative"),
    (r#"{"linux": {"resources": {"cpu": {"quota": 999}}}}"#, "/linux/resources/cpu/quota", "below 1000"),
    (
        r#"{"linux": {"resources": {"cpu": {"quota": 2000, "burst": 2001}}}}"#,
        "/linux/resources/cpu/burst",
        "above the quota",
    ),
    (r#"{"linux": {"resources": {"cpu": {"idle": 2}}}}"#, "/linux/resources/cpu/idle", "0 to 1"),
    (
        r#"{"linux": {"resources": {"cpu": {"realtimeRuntime": 2, "realtimePeriod": 1}}}}"#,
        "/linux/resources/cpu/realtimeRuntime",
        "above the period",
    ),
    (r#"{"linux": {"resources": {"cpu": {"cpus": "0-"}}}}"#, "/linux/resources/cpu/cpus", "not a list"),
    (r#"{"linux": {"resources": {"cpu": {"mems": "0;1"}}}}"#, "/linux/resources/cpu/mems", "not a list"),
    (
        r#"{"linux": {"resources": {"blockIO": {"weight": 9}}}}"#,
        "/linux/resources/blockIO/weight",
        "10 to 1000",
    ),
    (
        r#"{"linux": {"resources": {"blockIO": {"leafWeight": 1001}}}}"#,
        "/linux/resources/blockIO/leafWeight",
        "10 to 1000",
    ),
    (
        r#"{"linux": {"resources": {"blockIO": {"weightDevice": [{"major": 8, "minor": 0}]}}}}"#,
        "/linux/resources/blockIO/weightDevice/0",
        "neither weight nor leafWeight",
    ),
    (
        r#"{"linux": {"resources": {"blockIO": {"throttleReadIOPSDevice": [{"major": -1, "minor": 0, "rate": 1}]}}}}"#,
        "/linux/resources/blockIO/throttleReadIOPSDevice/0/major",
        "0 to",
    ),
    (
        r#"{"linux": {"resources": {"hugepageLimits": [{"pageSize": "64kB", "limit": 1}]}}}"#,
        "/linux/resources/hugepageLimits/0/pageSize",
        "64kB",
    ),
    (
        r#"{"linux": {"resources": {"hugepageLimits": [{"pageSize": "../2MB", "limit": 1}]}}}"#,
        "/linux/resources/hugepageLimits/0/pageSize",
        "page size",
    ),
    (
        r#"{"linux": {"resources": {"hugepageLimits": [{"pageSize": "2MB", "limit": 1}, {"pageSize": "2MB", "limit": 1}]}}}"#,
        "/linux/resources/hugepageLimits/1/pageSize",
        "twice",
    ),
    (
        r#"{"linux": {"resources": {"network": {"priorities": [{"name": "", "priority": 1}]}}}}"#,
        "/linux/resources/network/priorities/0/name",
        "not a network interface",
    ),
    (
        r#"{"linux": {"resources": {"rdma": {"mlx5_1": {}}}}}"#,
        "/linux/resources/rdma/mlx5_1",
        "neither hcaHandles",
    ),
    (
        r#"{"linux": {"resources": {"rdma": {"a b": {"hcaHandles": 1}}}}}"#,
        "/linux/resources/rdma/a b",
        "RDMA device",
    ),
    (
        r#"{"linux": {"resources": {"unified": {"../memory.max": "1"}}}}"#,
        "/linux/resources/unified/..~1memory.max",
        "cgroup file",
    ),
    (
        r#"{"linux": {"resources": {"unified": {"memory": "1"}}}}"#,
        "/linux/resources/unified/memory",
        "cgroup file",
    ),
];

#[test]
fn each_rule_names_its_field_and_says_why() {
    for (patch, pointer, text) in REFUSED {
        let found = problems(&edited(patch), &Circumstances::default());
        assert!(
            found.iter().any(|(field, line)| field == pointer && line.contains(text)),
            "{patch}\n  wanted {pointer}: … {text}\n  found {found:#?}"
        );
    }
}

/// Changes that peers accept: (change, pointer of the warning or "" for none, part of the warning).
const ACCEPTED: &[(&str, &str, &str)] = &[
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
    (r#"{"process": {"capabilities": {"effective": ["cap_kill"], "permitted": ["KILL"]}}}"#, "", ""),
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
        r#"{"mounts": [{"destination": "/a", "source": "b", "options": ["rbind", "size=1"]}]}"#,
        "/mounts/0/options/1",
        "has no effect on a bind mount",
    ),
    (
        r#"{"mounts": [{"destination": "/a", "source": "b", "options": ["rbind", "nosiud"]}]}"#,
        "/mounts/0/options/1",
        "did you mean \"nosuid\"?",
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
    (r#"{"linux": {"resources": {"memory": {"limit": 100, "swap": 100}, "pids": {"limit": 0}}}}"#, "", ""),
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
            assert_eq!(warnings, Vec::<String>::new(), "{patch}");
        } else {
            assert!(
                warnings.len() == 1 && warnings[0].starts_with(pointer) && warnings[0].contains(text),
                "{patch}: {warnings:?}"
            );
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
        "/ociVersion",
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
    let entries = vec![r#""relative""#; 10_000].join(",");
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

const USER_NAMESPACE: &str = r#"{"linux": {
    "namespaces": [{"type": "user"}, {"type": "mount"}, {"type": "uts"}, {"type": "network"}],
    "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}],
    "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}}"#;

fn in_user_namespace(patch: &str) -> String {
    let mut config: Value = serde_json::from_str(&edited(USER_NAMESPACE)).expect("is JSON");
    merge(&mut config, serde_json::from_str(patch).expect("patch is JSON"));
    config.to_string()
}

#[test]
fn ids_have_to_be_mapped_into_a_new_user_namespace() {
    for (patch, pointer) in [
        (r#"{"process": {"user": {"uid": 1}}}"#, "/process/user/uid"),
        (r#"{"process": {"user": {"gid": 1}}}"#, "/process/user/gid"),
        (r#"{"process": {"user": {"additionalGids": [5]}}}"#, "/process/user/additionalGids/0"),
        (r#"{"linux": {"uidMappings": [{"containerID": 1, "hostID": 1, "size": 1}]}}"#, "/linux/uidMappings"),
        (r#"{"linux": {"gidMappings": null}}"#, "/linux/gidMappings"),
        (
            r#"{"mounts": [{"destination": "/a", "type": "devpts", "options": ["gid=5"]}]}"#,
            "/mounts/0/options/0",
        ),
    ] {
        let found = problems(&in_user_namespace(patch), &Circumstances::default());
        assert!(found.iter().any(|(field, _)| field == pointer), "{patch}: {found:?}");
    }
    assert_eq!(accepted(&in_user_namespace("{}"), &Circumstances::default()).warnings, Vec::<String>::new());
    let sysctl = r#"{"linux": {"sysctl": {"user.max_user_namespaces": "1"}}}"#;
    assert_eq!(problems(&in_user_namespace(sysctl), &Circumstances::default()), Vec::new());
}

#[test]
fn mappings_beside_a_joined_user_namespace_are_a_warning() {
    let patch = r#"{"linux": {"namespaces": [{"type": "user", "path": "/proc/7/ns/user"}, {"type": "mount"}, {"type": "uts"}]}}"#;
    let warnings = accepted(&in_user_namespace(patch), &Circumstances::default()).warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[test]
fn more_ranges_than_the_kernel_takes_are_refused() {
    let range = |i: u32| format!(r#"{{"containerID": {i}, "hostID": {i}, "size": 1}}"#);
    let ranges = (0..341).map(range).collect::<Vec<_>>().join(",");
    let found = problems(
        &in_user_namespace(&format!(r#"{{"linux": {{"uidMappings": [{ranges}]}}}}"#)),
        &Circumstances::default(),
    );
    assert!(
        found.iter().any(|(field, line)| field == "/linux/uidMappings" && line.contains("more ranges")),
        "{found:?}"
    );
}

#[test]
fn an_ordinary_user_needs_a_user_namespace_and_may_not_map_mounts_or_move_devices() {
    let facts = Circumstances { unprivileged: true, ..Circumstances::default() };
    let found = problems(BASE, &facts);
    assert!(found.iter().any(|(field, _)| field == "/linux/namespaces"), "{found:?}");
    for (patch, pointer) in [
        (r#"{"mounts": [{"destination": "/a", "source": "/", "options": ["bind", "idmap"]}]}"#, "/mounts/0"),
        (r#"{"linux": {"netDevices": {"eth0": {}}}}"#, "/linux/netDevices"),
    ] {
        let found = problems(&in_user_namespace(patch), &facts);
        assert!(found.iter().any(|(field, _)| field == pointer), "{patch}: {found:?}");
    }
    assert_eq!(problems(&in_user_namespace("{}"), &facts), Vec::new());
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
    let facts = Circumstances { no_pivot: true, ..Circumstances::default() };
    let found = problems(&edited(r#"{"linux": {"rootfsPropagation": "rprivate"}}"#), &facts);
    assert!(found.iter().any(|(field, _)| field == "/linux/rootfsPropagation"), "{found:?}");
    assert_eq!(problems(&edited(r#"{"linux": {"rootfsPropagation": "rslave"}}"#), &facts), Vec::new());
}

#[test]
fn a_capability_that_the_kernel_lacks_is_a_warning() {
    let facts = Circumstances { last_capability: 37, ..Circumstances::default() };
    let json = edited(r#"{"process": {"capabilities": {"bounding": ["CAP_AUDIT_READ", "CAP_BPF"]}}}"#);
    let warnings = accepted(&json, &facts).warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("CAP_BPF"), "{warnings:?}");
}

#[test]
fn a_process_and_resources_are_checked_alone_with_their_own_pointers() {
    let exec = parse("process.json", br#"{"args": ["sh"], "cwd": "x"}"#).expect("is a process");
    let error = process(&exec, &Circumstances::default()).expect_err("cwd is relative");
    assert_eq!(error.detail().field.as_deref(), Some("/cwd"));
    let limits = parse("resources.json", br#"{"pids": {"limit": -5}}"#).expect("are resources");
    let error = resources(&limits).expect_err("the limit is negative");
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
