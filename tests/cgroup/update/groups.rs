//! `exec --cgroup`: a process in a group below the container's.

use crate::support::{Container, is_v2};
use std::fs;
use std::path::PathBuf;

/// Makes this group in every hierarchy that the container is in.
fn make(container: &Container, path: &str) {
    for dir in container.cgroups() {
        fs::create_dir_all(dir.join(path)).unwrap();
        // A new cpuset of v1 takes no process before it has processors and memory.
        for (up, file) in path
            .split('/')
            .scan(dir, |at, part| {
                let up = at.clone();
                at.push(part);
                Some((up, at.clone()))
            })
            .flat_map(|(up, at)| ["cpuset.cpus", "cpuset.mems"].map(|file| (up.join(file), at.join(file))))
        {
            if file.exists() && !is_v2() {
                fs::write(file, fs::read_to_string(up).unwrap()).unwrap();
            }
        }
    }
}

fn exec(container: &Container, groups: &[&str], script: &str) -> crate::support::Ended {
    let mut words = vec!["exec"];
    for group in groups {
        words.extend(["--cgroup", group]);
    }
    words.extend([&*container.id, "sh", "-c", script]);
    crate::update::plain(container.call(&words))
}

/// A container that shares the host's cgroup namespace, so that its paths are the host's.
fn container() -> Container {
    Container::new().without_namespace("cgroup").sh("sleep 1000").started()
}

/// (controllers, path) of each line of /proc/self/cgroup.
fn lines(text: &str) -> Vec<(String, String)> {
    let parts = text.lines().map(|line| line.splitn(3, ':').map(str::to_owned).collect::<Vec<_>>());
    parts.map(|parts| (parts[1].clone(), parts[2].clone())).collect()
}

#[test]
fn the_process_is_in_the_group_and_the_others_stay() {
    let container = container();
    make(&container, "sub/deep");
    for path in ["sub/deep", "/sub/deep", "./sub//deep/"] {
        let found = lines(&exec(&container, &[path], "cat /proc/self/cgroup").ok());
        let expected = format!("/{}/sub/deep", container.id);
        let inside = found.iter().filter(|(_, path)| *path == expected).count();
        assert_eq!(inside, container.cgroups().len(), "{found:?}");
    }
    let first = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).unwrap();
    assert!(!first.contains("/sub"), "{first}");
    assert!(!exec(&container, &[], "cat /proc/self/cgroup").ok().contains("/sub"));
    assert!(!exec(&container, &["/"], "cat /proc/self/cgroup").ok().contains("/sub"));
}

#[test]
fn on_v1_each_controller_may_have_a_group_of_its_own() {
    let container = container();
    if is_v2() {
        make(&container, "sub");
        let error = exec(&container, &["memory:sub"], "echo INSIDE").fails();
        assert!(error.contains("--cgroup = \"sub\"") && error.contains("one hierarchy"), "{error}");
        return;
    }
    needs!("cpu", "pids", "memory");
    make(&container, "one");
    make(&container, "two");
    let found = lines(&exec(&container, &["cpu,pids:one", "memory:two"], "cat /proc/self/cgroup").ok());
    for (controllers, path) in found.iter().filter(|(_, path)| path.contains(&container.id)) {
        let expected = match controllers.as_str() {
            "memory" => "/two",
            names if names.split(',').any(|name| name == "cpu" || name == "pids") => "/one",
            _ => "",
        };
        assert_eq!(*path, format!("/{}{expected}", container.id), "{controllers}");
    }
    for (groups, reason) in [
        (&["memory:one", "cpu,memory:two"][..], "named twice"),
        (&["nothing:one"], "has no cgroup for the controller nothing"),
        (&["one", "memory:two"], "each must name its controllers"),
        (&[":one"], "a controller's name is missing"),
    ] {
        let ended = exec(&container, groups, "echo INSIDE");
        assert!(!ended.out.contains("INSIDE"), "{groups:?}");
        let error = ended.fails();
        assert!(error.contains("--cgroup") && error.contains(reason), "{groups:?}: {error}");
    }
}

#[test]
fn a_group_that_is_not_there_is_made_and_goes_with_the_container() {
    let container = container();
    let where_it_is = exec(&container, &["new/deep"], "cat /proc/self/cgroup").ok();
    assert!(where_it_is.contains("/new/deep"), "{where_it_is}");
    assert!(container.cgroups().iter().any(|dir| dir.join("new/deep").exists()));
    // A file of the group is no group.
    assert!(exec(&container, &["cgroup.procs"], "echo INSIDE").out.is_empty());
}

#[test]
fn no_path_leaves_the_containers_group() {
    let container = container();
    let outside = Container::new().sh("sleep 1000").started();
    let absolute = format!("/sys/fs/cgroup/{}", outside.id);
    let sibling = format!("../{}", outside.id);
    let deep = format!("a/../../{}", outside.id);
    make(&container, "a");
    // What looks like the host's path is a group below the container's own.
    let own = exec(&container, &[&absolute], "cat /proc/self/cgroup").ok();
    assert!(own.lines().all(|line| !line.ends_with(&format!(":/{}", outside.id))), "{own}");
    for path in ["..", "../..", "/..", &sibling, &deep, "a/../..", "a/\n/b"] {
        let ended = exec(&container, &[path], "echo INSIDE");
        assert!(!ended.out.contains("INSIDE"), "{path}");
        assert!(ended.fails().contains("--cgroup"), "{path}");
    }
}

#[test]
fn a_group_that_hands_controllers_down_takes_no_process_and_says_so() {
    if !is_v2() || crate::update::missing("memory").is_some() {
        crate::skip!("domain controllers on cgroup v2 are what this is about");
    }
    let container = container();
    make(&container, "busy/leaf");
    let dir: PathBuf = container.cgroups().remove(0);
    // The container's own processes stand in the way of handing down; they move beside.
    fs::create_dir(dir.join("init")).unwrap();
    fs::write(dir.join("init/cgroup.procs"), container.pid().to_string()).unwrap();
    fs::write(dir.join("cgroup.subtree_control"), "+memory").unwrap();
    fs::write(dir.join("busy/cgroup.subtree_control"), "+memory").unwrap();
    let error = exec(&container, &["busy"], "echo INSIDE").fails();
    assert!(error.contains("--cgroup") && error.contains("hands controllers down"), "{error}");
    assert!(exec(&container, &["busy/leaf"], "echo INSIDE").ok().contains("INSIDE"));
    // The container's own group takes none either; without --cgroup the process goes where the first one is.
    assert!(exec(&container, &["/"], "echo INSIDE").fails().contains("hands controllers down"));
    assert!(exec(&container, &[], "cat /proc/self/cgroup").ok().contains("/init"));
}

#[test]
fn processors_of_exec_and_a_group_go_together() {
    let container = Container::new()
        .without_namespace("cgroup")
        .sh("sleep 1000")
        .edit(|c| c["process"]["execCPUAffinity"] = serde_json::json!({"initial": "0", "final": "0"}))
        .started();
    make(&container, "sub");
    let found =
        exec(&container, &["sub"], "cat /proc/self/cgroup; grep Cpus_allowed_list /proc/self/status").ok();
    assert!(found.contains("Cpus_allowed_list:\t0\n"), "{found}");
    let inside = found.lines().filter(|line| line.ends_with(&format!("/{}/sub", container.id))).count();
    assert_eq!(inside, container.cgroups().len(), "{found}");
}
