//! `linux.resources`.

use super::Row;

pub const REFUSED: &[Row] = &[
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
