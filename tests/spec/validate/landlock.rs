//! Landlock rules in `annotations`.

use super::Row;

pub const REFUSED: &[Row] = &[
    (r#"{"annotations": {"org.rruntime.landlock": ""}}"#, "/annotations/org.rruntime.landlock", "not JSON"),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\":"}}"#,
        "/annotations/org.rruntime.landlock",
        "not JSON",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "[]"}}"#,
        "/annotations/org.rruntime.landlock",
        "not an object",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{}"}}"#,
        "/annotations/org.rruntime.landlock/ruleset",
        "restricts nothing",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessFS\": []}}"}}"#,
        "/annotations/org.rruntime.landlock/ruleset",
        "restricts nothing",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": 5}"}}"#,
        "/annotations/org.rruntime.landlock/ruleset",
        "not an object",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessFs\": [\"all\"]}}"}}"#,
        "/annotations/org.rruntime.landlock/ruleset/handledAccessFs",
        "not known",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"rulesets\": {}}"}}"#,
        "/annotations/org.rruntime.landlock/rulesets",
        "not known",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessFS\": \"all\"}}"}}"#,
        "/annotations/org.rruntime.landlock/ruleset/handledAccessFS",
        "not a list",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessFS\": [\"all\", \"read\"]}}"}}"#,
        "/annotations/org.rruntime.landlock/ruleset/handledAccessFS/1",
        "not known",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessFS\": [5]}}"}}"#,
        "/annotations/org.rruntime.landlock/ruleset/handledAccessFS/0",
        "missing or empty",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessNet\": [\"signal\"]}}"}}"#,
        "/annotations/org.rruntime.landlock/ruleset/handledAccessNet/0",
        "not known",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"scoped\": [\"signal\"]}, \"disableBestEffort\": \"yes\"}"}}"#,
        "/annotations/org.rruntime.landlock/disableBestEffort",
        "neither true nor false",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"scoped\": [\"signal\"]}, \"rules\": {\"pathBelow\": []}}"}}"#,
        "/annotations/org.rruntime.landlock/rules/pathBelow",
        "not known",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessFS\": [\"all\"]}, \"rules\": {\"pathBeneath\": [{\"paths\": [\"/\"]}]}}"}}"#,
        "/annotations/org.rruntime.landlock/rules/pathBeneath/0/allowedAccess",
        "allows nothing",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessFS\": [\"all\"]}, \"rules\": {\"pathBeneath\": [{\"allowedAccess\": [\"all\"]}]}}"}}"#,
        "/annotations/org.rruntime.landlock/rules/pathBeneath/0/paths",
        "is missing",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessFS\": [\"all\"]}, \"rules\": {\"pathBeneath\": [{\"allowedAccess\": [\"all\"], \"paths\": [\"/\", \"etc\"]}]}}"}}"#,
        "/annotations/org.rruntime.landlock/rules/pathBeneath/0/paths/1",
        "not an absolute path",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessFS\": [\"all\"]}, \"rules\": {\"pathBeneath\": [{\"allowedAccess\": [\"all\"], \"paths\": [\"/a\\u0000b\"]}]}}"}}"#,
        "/annotations/org.rruntime.landlock/rules/pathBeneath/0/paths/0",
        "NUL",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessFS\": [\"all\"]}, \"rules\": {\"pathBeneath\": [{\"allowedAccess\": [\"all\"], \"path\": \"/\"}]}}"}}"#,
        "/annotations/org.rruntime.landlock/rules/pathBeneath/0/path",
        "not known",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessFS\": [\"write_file\"]}, \"rules\": {\"pathBeneath\": [{\"allowedAccess\": [\"write_file\", \"read_file\"], \"paths\": [\"/\"]}]}}"}}"#,
        "/annotations/org.rruntime.landlock/rules/pathBeneath/0/allowedAccess",
        "read_file",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessFS\": [\"all\"]}, \"rules\": {\"netPort\": [{\"allowedAccess\": [\"bind_tcp\"], \"ports\": [80]}]}}"}}"#,
        "/annotations/org.rruntime.landlock/rules/netPort/0/allowedAccess",
        "bind_tcp",
    ),
    (
        r#"{"annotations": {"org.rruntime.landlock": "{\"ruleset\": {\"handledAccessNet\": [\"all\"]}, \"rules\": {\"netPort\": [{\"allowedAccess\": [\"bind_tcp\"], \"ports\": [80, 65536]}]}}"}}"#,
        "/annotations/org.rruntime.landlock/rules/netPort/0/ports/1",
        "not a port",
    ),
];
