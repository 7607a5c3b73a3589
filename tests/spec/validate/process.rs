//! `process`.

use super::Row;

pub const REFUSED: &[Row] = &[
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
];
