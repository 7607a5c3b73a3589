//! `mounts`, and the hooks.

use super::Row;

pub const REFUSED: &[Row] = &[
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
    (r#"{"mounts": [{"destination": "/x", "type": "rbind"}]}"#, "/mounts/0/source", "missing or empty"),
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
    (
        r#"{"mounts": [{"destination": "/a", "source": "b", "options": ["rbind", "size=1"]}]}"#,
        "/mounts/0/options/1",
        "is no option of a bind mount",
    ),
    (
        r#"{"mounts": [{"destination": "/a", "source": "b", "options": ["rbind", "nosiud"]}]}"#,
        "/mounts/0/options/1",
        "is no option of a bind mount",
    ),
];
