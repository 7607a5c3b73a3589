//! More binds than a process may have descriptors open.

use crate::support::Container;
use crate::support::mountinfo::{add_mount, host_script};
use std::fs;

/// 2000 binds of one file, in directories that the image has.
fn many() -> Container {
    let container = Container::new();
    let source = container.dir.join("source");
    fs::write(&source, "").unwrap();
    let source = source.to_str().unwrap().to_owned();
    container.edit(|config| {
        for i in 0..2000 {
            add_mount(config, &format!("/many/{i}"), "bind", &source, &["bind", "ro"]);
        }
    })
}

const COUNT: &str = "grep -c ' /many/' /proc/self/mountinfo; ulimit -Sn; ulimit -Hn";

#[test]
fn two_thousand_binds_fit_into_a_soft_limit_of_a_thousand_files() {
    let container = many().edit(|c| c["process"]["rlimits"] = serde_json::json!([])).sh(COUNT);
    let ended = host_script(&container, "ulimit -Sn 1024; $RR");
    let hard = ended.out.lines().last().unwrap_or_default().to_owned();
    // The caller's own limit is what the program gets.
    assert_eq!(ended.ok(), format!("2000\n1024\n{hard}\n"));
}

#[test]
fn a_limit_of_the_config_counts_after_many_binds() {
    let limits = serde_json::json!([{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]);
    for user in [false, true] {
        let mut container = many().edit(|c| c["process"]["rlimits"] = limits.clone()).sh(COUNT);
        if user {
            container = crate::mounts::in_user_namespace(container);
        }
        let ended = host_script(&container, "ulimit -Sn 1024; $RR");
        assert_eq!(ended.ok(), "2000\n100\n200\n", "user namespace: {user}");
    }
}

#[test]
fn a_hard_limit_that_is_too_low_is_named() {
    let container = many().sh("true");
    let ended = host_script(&container, "ulimit -n 1024; $RR");
    let err = ended.fails();
    assert!(err.contains("/mounts/") && err.contains("ulimit -Hn"), "{err}");
    container.assert_gone();
}
