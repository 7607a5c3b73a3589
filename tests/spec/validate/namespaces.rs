//! `linux.namespaces`, and what needs one of them.

use super::{BASE, Row, accepted, edited, merge, problems};
use rruntime::spec::validate::Circumstances;
use serde_json::Value;

pub const REFUSED: &[Row] = &[
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
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "user"}]}}"#,
        "/linux/gidMappings",
        "missing for the new user",
    ),
    (
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "user", "path": "/x"}], "uidMappings": [{"containerID": 0, "hostID": 1, "size": 0}]}}"#,
        "/linux/uidMappings/0/size",
        "empty range",
    ),
    (
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "user", "path": "/x"}], "uidMappings": [{"containerID": 0, "hostID": 4294967295, "size": 1}]}}"#,
        "/linux/uidMappings/0/hostID",
        "past the highest id",
    ),
    (
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "user", "path": "/x"}], "uidMappings": [{"containerID": 0, "hostID": 1, "size": 10}, {"containerID": 5, "hostID": 100, "size": 10}]}}"#,
        "/linux/uidMappings/1/containerID",
        "overlaps range 0",
    ),
    (
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "user", "path": "/x"}], "gidMappings": [{"containerID": 0, "hostID": 1, "size": 10}, {"containerID": 50, "hostID": 10, "size": 10}]}}"#,
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
];

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
    assert!(accepted(&in_user_namespace("{}"), &Circumstances::default()).warnings.is_empty());
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
