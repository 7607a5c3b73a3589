//! Places that a container cannot have: a cgroup that is in use or frozen, a namespace that is none.

use crate::support::{Container, is_v2};
use std::fs;
use std::process::{Child, Command};

/// A process of the test's in a directory of the given hierarchy.
struct Squatter {
    dir: std::path::PathBuf,
    child: Child,
}

impl Squatter {
    fn at(container: &Container, controller: &str) -> Squatter {
        let base = std::path::Path::new("/sys/fs/cgroup");
        let dir = if is_v2() { base.join(&container.id) } else { base.join(controller).join(&container.id) };
        fs::create_dir(&dir).unwrap();
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        fs::write(dir.join("cgroup.procs"), child.id().to_string()).unwrap();
        Squatter { dir, child }
    }
}

impl Drop for Squatter {
    fn drop(&mut self) {
        // Whatever fails here shows as a directory that is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
        crate::support::wait_until("the cgroup is empty", || {
            fs::remove_dir(&self.dir).is_ok() || !self.dir.exists()
        });
    }
}

#[test]
fn a_cgroup_with_processes_is_refused_and_left_alone() {
    let container = Container::new().sh("echo INSIDE");
    let mut squatter = Squatter::at(&container, "freezer");
    let ended = container.run();
    assert!(!ended.out.contains("INSIDE"));
    let error = ended.fails();
    assert!(error.contains("container's cgroup is not empty: 1 process(es) found"), "{error}");
    assert!(error.contains("/linux/cgroupsPath"), "{error}");
    assert!(squatter.child.try_wait().unwrap().is_none(), "the stranger lives");
    assert!(squatter.dir.exists(), "its directory is not ours to remove");
    assert!(!container.state_root().join(&container.id).exists());
    drop(squatter);
    container.assert_gone();
}

#[test]
fn a_second_container_cannot_have_the_cgroup_of_the_first() {
    let first = Container::new().sh("sleep 1000").started();
    let path = format!("/{}", first.id);
    let second = Container::new().sh("echo INSIDE").edit(|c| c["linux"]["cgroupsPath"] = path.into());
    let error = second.run().fails();
    assert!(error.contains("container's cgroup is not empty"), "{error}");
    assert_eq!(first.status(), "running");
}

#[test]
fn a_frozen_cgroup_is_refused() {
    if !is_v2() && crate::update::missing("freezer").is_some() {
        crate::skip!("no freezer");
    }
    let container = Container::new().sh("echo INSIDE");
    let base = std::path::Path::new("/sys/fs/cgroup");
    let dir = if is_v2() { base.join(&container.id) } else { base.join("freezer").join(&container.id) };
    fs::create_dir(&dir).unwrap();
    let (file, frozen, thawed) =
        if is_v2() { ("cgroup.freeze", "1", "0") } else { ("freezer.state", "FROZEN", "THAWED") };
    fs::write(dir.join(file), frozen).unwrap();
    let error = container.run().fails();
    assert!(error.contains("container's cgroup unexpectedly frozen"), "{error}");
    assert!(dir.exists(), "it was there before us");
    fs::write(dir.join(file), thawed).unwrap();
    assert_eq!(container.run().ok(), "INSIDE\n");
    container.assert_gone();
}

#[test]
fn a_namespace_path_that_is_none_is_told_by_field_and_kind() {
    let file = Container::new();
    let plain = file.dir.join("plain");
    fs::write(&plain, "").unwrap();
    for (kind, path, reason) in [
        ("network", "/nowhere/ns", "no such file"),
        ("network", plain.to_str().unwrap(), "is no namespace (a path like /proc/PID/ns/net is expected)"),
        ("network", "/proc/self/ns/uts", "this is a uts namespace, not a network namespace"),
        ("ipc", "/proc/self/ns", "namespace"),
    ] {
        let container = Container::new().sh("echo INSIDE").namespace(kind, Some(path));
        let ended = container.run();
        assert!(!ended.out.contains("INSIDE"), "{path}");
        let error = ended.fails();
        assert!(error.contains("/linux/namespaces/") && error.contains("/path = "), "{error}");
        assert!(error.contains(reason) && error.contains(path), "{error}");
        container.assert_gone();
    }
}
