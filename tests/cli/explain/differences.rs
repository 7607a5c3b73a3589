//! `explain --diff`: what two configs do differently.

use super::explain;
use crate::support::{Container, has_controller};
use serde_json::{Value, json};

fn diff(one: &Container, other: &Container, options: &[&str]) -> String {
    other.write_config();
    let bundle = other.bundle().display().to_string();
    explain(one, &[&["--diff", &bundle], options].concat()).out
}

/// Both at one place and with one rootfs.
fn pair(change: fn(&mut Value)) -> [Container; 2] {
    let one = Container::new().args(&["true"]);
    let (path, rootfs) = (one.config["linux"]["cgroupsPath"].clone(), one.rootfs().display().to_string());
    let other = Container::new().args(&["true"]).edit(|config| config["linux"]["cgroupsPath"] = path);
    let share =
        |container: Container| container.edit(|config| config["root"]["path"] = rootfs.clone().into());
    [share(one), share(other).edit(change)]
}

#[test]
fn two_configs_that_do_the_same_have_no_difference_however_they_are_written() {
    let [one, other] = pair(|config| {
        // Another text, the same plan.
        config["annotations"] = json!({"org.example": "x"});
        config["mounts"][0]["options"] = json!(["noexec", "nodev", "nosuid"]);
        config["process"]["capabilities"]["bounding"].as_array_mut().unwrap().reverse();
    });
    assert_eq!(diff(&one, &other, &[]), "no difference\n");
}

#[test]
fn a_difference_is_told_by_subject_with_both_sides() {
    let [one, other] = pair(|config| {
        config["process"]["user"] = json!({"uid": 7, "gid": 8});
        config["process"]["capabilities"]["bounding"].as_array_mut().unwrap().push("CAP_SYS_ADMIN".into());
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| mount["destination"] != "/dev/mqueue");
        mounts.push(
            json!({"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m"]}),
        );
        config["linux"]["namespaces"].as_array_mut().unwrap().retain(|one| one["type"] != "ipc");
    });
    let text = diff(&one, &other, &[]);
    for line in [
        "- user and group: 0:0",
        "+ user and group: 7:8",
        "- ipc: new",
        "+ ipc: shared with the runtime",
        "- /dev/mqueue: mqueue, nosuid,nodev,noexec",
        "+ /data: tmpfs, size=1m",
        "+ bounding: … CAP_SYS_ADMIN",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
    assert!(!text.contains("/proc/kcore") && !text.contains("hostSide"), "{text}");
    let page: Value = serde_json::from_str(&diff(&one, &other, &["--json"])).unwrap();
    let wanted = json!({"section": "process", "what": "user and group", "here": "0:0", "there": "7:8", "field": "/process/user"});
    assert!(page["differences"].as_array().unwrap().contains(&wanted), "{page:#}");
}

/// Capabilities alone are in two halves, whatever words a value begins with.
#[test]
fn a_variable_that_reads_like_a_set_of_capabilities_is_none() {
    let [one, other] = pair(|config| {
        let variables = ["A=kept x", "B=kept x", "C=dropped x"].map(Value::from);
        config["process"]["env"].as_array_mut().unwrap().extend(variables);
    });
    let text = diff(&one, &other, &[]);
    for line in ["+ A: kept x", "+ B: kept x", "+ C: dropped x"] {
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
    let page = explain(&other, &[]).out;
    assert!(
        page.lines().any(|line| line.trim_start().starts_with("A") && line.contains("/process/env/")),
        "{page}"
    );
    assert!(!page.contains("A, B"), "{page}");
}

#[test]
fn a_container_is_compared_with_a_bundle() {
    if !has_controller("pids") {
        skip!("there is no pids controller");
    }
    let container = Container::new().args(&["sleep", "100"]);
    let created = container.create();
    assert_eq!(created.code, 0, "{}", created.err);
    let bundle = container.bundle().display().to_string();
    let diff = || container.call(&["explain", &container.id, "--id", &container.id, "--diff", &bundle]).out;
    assert_eq!(diff(), "no difference\n");
    container.call(&["update", "--pids-limit", "99", &container.id]).ok();
    assert_eq!(diff(), "limits\n- pids.max: 99\n");
    let wrong = container.call(&["explain", &container.id, "--diff", "/nonexistent"]);
    assert!(wrong.fails().contains("--diff: "));
}
