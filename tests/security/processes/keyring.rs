//! Keys are the kernel's for a user: another container of the same user may not reach a container's.

use crate::support::{Container, wait_until};
use serde_json::json;
use std::fs;
use std::process::Command;

/// The kernel's word for: everything to its possessor, the user may search it.
const SEARCH_ALONE: &str = "3f080000";

/// Containers with the program /bin/keys, without a filter and with /proc/keys; with a user namespace where `mapped`.
/// None where that cannot be.
fn container(mapped: bool) -> Option<Container> {
    if !fs::exists("/proc/keys").unwrap() {
        return None;
    }
    let container = Container::new().edit(|config| {
        config["linux"]["maskedPaths"] = json!([]);
        config["linux"].as_object_mut().unwrap().remove("seccomp");
    });
    let program = container.rootfs().join("bin/keys");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/security/processes/keys.c");
    let compiled = Command::new("cc").args(["-static", "-O1", "-o"]).arg(&program).arg(source).status();
    if !compiled.is_ok_and(|status| status.success()) {
        return None;
    }
    if !mapped {
        return Some(container);
    }
    std::os::unix::fs::chown(container.rootfs(), Some(100_000), Some(100_000)).unwrap();
    std::os::unix::fs::chown(container.rootfs().join("tmp"), Some(100_000), Some(100_000)).unwrap();
    Some(container.namespace("user", None).edit(|config| {
        for map in ["uidMappings", "gidMappings"] {
            config["linux"][map] = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
        }
    }))
}

/// The lines about keyrings that this binary made for the container `id`: by its id, or by a random name. Other tests,
/// and older binaries, make theirs at the same time.
fn about(said: &str, id: &str) -> Vec<String> {
    let ours = |word: &str| {
        word.strip_prefix("_ses.").is_some_and(|rest| {
            rest == id || (rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
        })
    };
    said.lines().filter(|line| line.split(' ').any(ours)).map(str::to_owned).collect()
}

macro_rules! container {
    ($mapped:expr) => {
        match container($mapped) {
            Some(container) => container,
            None => crate::skip!("no /proc/keys, or no cc that links static programs"),
        }
    };
}

fn holder(container: Container) -> Container {
    let container = container.args(&["keys", "hold"]).started();
    wait_until("the key is there", || container.rootfs().join("tmp/held").exists());
    container
}

#[test]
fn another_container_of_the_same_user_finds_neither_the_keyring_nor_its_key() {
    for mapped in [false, true] {
        let first = holder(container!(mapped));
        let record = fs::read_to_string(first.state_root().join(&first.id).join("state.json")).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        let name = record["keyring"].as_str().unwrap_or_default();
        // A process that knows the name can join it, in the same user namespace: so nothing reveals the name.
        for words in [&["state", &first.id][..], &["list", "--format", "json"], &["list"]] {
            assert!(name.len() > 30 && !first.call(words).ok().contains(name), "{words:?}");
        }
        let old = format!("_ses.{}", first.id);
        let second = container!(mapped).args(&["keys", "hunt", &old, &first.id, "_ses", "_ses."]);
        let found = second.run().ok();
        assert!(!found.contains("canary"), "{mapped}: {found}");
        // It sees its own, so it would have seen another.
        let seen = about(&found, &first.id);
        let [own] = &seen[..] else { panic!("{mapped}: {found}") };
        assert!(own.ends_with(SEARCH_ALONE) && !own.contains(name), "{mapped}: {found}");
    }
}

#[test]
fn a_process_of_exec_has_the_containers_keyring() {
    for mapped in [false, true] {
        let first = holder(container!(mapped));
        let own = first.call(&["exec", &first.id, "keys", "own"]).ok();
        assert!(own.contains("canary by session: secret") && own.contains(SEARCH_ALONE), "{mapped}: {own}");
        let owner = own.split(';').nth(1);
        assert_eq!(owner, Some("0"), "{own}");
    }
}

/// A keyring that has just been made may be viewed and linked by its user, until its permissions are set.
#[test]
fn a_keyring_in_the_making_is_not_caught_either() {
    for mapped in [false, true] {
        let spy = container!(mapped).args(&["keys", "watch"]);
        let victim = container!(mapped).args(&["true"]);
        spy.write_config();
        let mut command = spy.command(&["run", "--bundle"]);
        command.arg(spy.bundle()).arg(&spy.id).stdout(std::process::Stdio::piped());
        let child = command.spawn().unwrap();
        wait_until("the spy watches", || spy.rootfs().join("tmp/watching").exists());
        for _ in 0..40 {
            victim.run().ok();
        }
        fs::write(spy.rootfs().join("tmp/stop"), "").unwrap();
        let said = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let rounds: u32 = said.rsplit("rounds ").next().and_then(|n| n.trim().parse().ok()).unwrap_or(0);
        assert!(rounds > 100, "the spy saw too little: {said}");
        let caught = about(&said, &victim.id);
        // In another user namespace the name alone is of no use.
        let harmless = |line: &&String| mapped && line.starts_with("seen");
        let caught: Vec<_> = caught.iter().filter(|line| !harmless(line)).collect();
        assert!(caught.is_empty(), "{mapped}: {caught:?}");
    }
}

/// 0.1.0 made the name from the id.
#[test]
fn exec_joins_the_keyring_of_a_container_of_the_first_release_by_its_old_name() {
    let first = container!(false);
    let name = format!("_ses.{}", first.id);
    let first = holder(first);
    let path = first.state_root().join(&first.id).join("state.json");
    let mut record: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    record.as_object_mut().unwrap().remove("keyring");
    fs::write(&path, record.to_string()).unwrap();
    // Its keyring has the new name, so exec makes one by the old name, which is what 0.1.0 would have joined.
    let text = first.call(&["exec", &first.id, "sh", "-c", "cat /proc/keys"]).ok();
    let line =
        text.lines().find(|line| line.contains(&format!("{name}:"))).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains(SEARCH_ALONE), "{line}");
}
