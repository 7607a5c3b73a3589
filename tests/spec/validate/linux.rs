//! The rest of `linux`, without its limits.

use super::Row;

pub const REFUSED: &[Row] = &[
    // linux
    (
        r#"{"linux": {"devices": [{"path": "/d", "type": "x", "major": 1, "minor": 1}]}}"#,
        "/linux/devices/0/type",
        "not known",
    ),
    (r#"{"linux": {"devices": [{"path": "/d"}]}}"#, "/linux/devices/0/type", "missing"),
    (
        r#"{"linux": {"devices": [{"path": "/d", "type": "u", "major": -1, "minor": 1}]}}"#,
        "/linux/devices/0/major",
        "0 to 4095",
    ),
    (r#"{"linux": {"rootfsPropagation": "public"}}"#, "/linux/rootfsPropagation", "not known"),
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
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "x"}}}"#,
        "/linux/seccomp/listenerPath",
        "not an absolute path",
    ),
    (r#"{"linux": {"cgroupsPath": "/a/../b"}}"#, "/linux/cgroupsPath", ".."),
];
