//! A container's scope: each test holds for root and for an ordinary user.

use crate::fixture::{
    assert_gone, cgroup_of, directories, file_of, is_root, property, property_of, run, scoped, start_with,
    started, systemctl, systemd, unit,
};
use crate::support::{Container, finish, is_v2, wait_until};
use std::fs;
use std::process::{Command, Stdio};

fn usual_slice() -> &'static str {
    if is_root() { "system.slice" } else { "user.slice" }
}

#[test]
fn a_container_is_a_scope_that_goes_with_it() {
    under_systemd!();
    let container = started(scoped().args(&["sleep", "100"]));
    let cgroup = cgroup_of(container.pid());
    assert!(cgroup.ends_with(&format!("/{}/{}", usual_slice(), unit(&container))), "{cgroup}");
    assert_eq!(property(&container, "ActiveState"), "active");
    assert_eq!(property(&container, "Delegate"), "yes");
    assert_eq!(property(&container, "Description"), format!("rruntime container {}", container.id));
    let shown = property(&container, "ControlGroup");
    assert_eq!(shown, cgroup);
    container.call(&["delete", "--force", &container.id]).ok();
    assert_gone(&container);
}

#[test]
fn without_a_path_the_scope_is_named_after_the_id() {
    under_systemd!();
    let container = started(scoped().args(&["sleep", "100"]).edit(|config| {
        config["linux"].as_object_mut().unwrap().remove("cgroupsPath");
    }));
    let cgroup = cgroup_of(container.pid());
    let expected = format!("/{}/rruntime-{}.scope", usual_slice(), container.id);
    assert!(cgroup.ends_with(&expected), "{cgroup}");
    container.call(&["delete", "--force", &container.id]).ok();
}

/// The tree is built while systemd works: but for what shows the cgroup, or opens what a device rule could forbid.
#[test]
fn the_tree_is_built_meanwhile_as_far_as_the_scope_does_not_show() {
    under_systemd!(true);
    if !is_v2() {
        skip!("on cgroup v1 init enters its cgroups before it builds");
    }
    let container = scoped()
        .sh("grep ^0: /proc/self/cgroup; head -n 1 /sys/fs/cgroup/cgroup.procs; ls /copy")
        .edit(|config| {
            let mounts = config["mounts"].as_array_mut().unwrap();
            let copy = serde_json::json!({"destination": "/copy", "type": "tmpfs", "source": "tmpfs",
            "options": ["tmpcopyup"]});
            mounts.push(copy);
        });
    fs::create_dir(container.rootfs().join("copy")).unwrap();
    fs::write(container.rootfs().join("copy/of-the-image"), "").unwrap();
    container.write_config();
    let mut command = systemd(&container, &["--debug", "run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id);
    let ended = finish(command);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.starts_with("0::/\n1\n") && ended.out.ends_with("of-the-image\n"), "{}", ended.out);
    let place = |words: &str| {
        ended
            .err
            .lines()
            .position(|line| line.contains(words))
            .unwrap_or_else(|| panic!("{words}: {}", ended.err))
    };
    let arrival = place("wait for the runtime to have it moved into the scope");
    assert!(place("mount proc on /proc") < arrival);
    for later in ["make new namespaces: cgroup", "mount cgroup2", "mount tmpfs on /copy", "make the device"] {
        assert!(arrival < place(later), "{later}");
    }
    assert_gone(&container);
}

#[test]
fn exec_is_born_in_the_scope() {
    under_systemd!();
    let container = started(scoped().args(&["sleep", "100"]));
    let pid_file = container.dir.join("exec.pid");
    let mut command = container.command(&["exec", "--detach", "--pid-file"]);
    command.arg(&pid_file).args([&container.id, "sleep", "100"]).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    let pid = fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    assert_eq!(cgroup_of(pid), cgroup_of(container.pid()));
    container.call(&["delete", "--force", &container.id]).ok();
    assert_gone(&container);
}

#[test]
fn a_slice_that_is_missing_is_made() {
    under_systemd!();
    let container = scoped().args(&["sleep", "100"]);
    let stem = container.id.replace('-', "_");
    let container = started(container.edit(|config| {
        let id = config["linux"]["cgroupsPath"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        config["linux"]["cgroupsPath"] = format!("rr-{stem}.slice:test:{id}").into();
    }));
    let cgroup = cgroup_of(container.pid());
    assert!(cgroup.ends_with(&format!("/rr.slice/rr-{stem}.slice/{}", unit(&container))), "{cgroup}");
    container.call(&["delete", "--force", &container.id]).ok();
    assert_gone(&container);
    let mut stop = systemctl();
    stop.args(["stop", &format!("rr-{stem}.slice")]);
    finish(stop).ok();
}

#[test]
fn annotations_set_properties_and_others_are_refused() {
    under_systemd!();
    let with = |name: &str, value: &str| {
        let annotation = format!("org.systemd.property.{name}");
        scoped()
            .args(&["sleep", "100"])
            .edit(|config| config["annotations"] = serde_json::json!({annotation: value}))
    };
    let container = started(with("TimeoutStopSec", "7").edit(|config| {
        config["annotations"]["org.systemd.property.Description"] = "'a test'".into();
        config["annotations"]["org.systemd.property.KillSignal"] = "int32 3".into();
    }));
    assert_eq!(property(&container, "TimeoutStopUSec"), "7s");
    assert_eq!(property(&container, "Description"), "a test");
    assert_eq!(property(&container, "KillSignal"), "3");
    container.call(&["delete", "--force", &container.id]).ok();

    let refused = with("CPUWeight", "uint64 7");
    let error = start_with(&refused, |_| ()).fails();
    assert!(
        error.contains("/annotations/org.systemd.property.CPUWeight") && error.contains("allow"),
        "{error}"
    );
    assert_gone(&refused);
    let allowed = with("MemoryHigh", "uint64 77000000").allowing("org.systemd.property.MemoryHigh");
    let allowed = started(allowed);
    assert_eq!(property(&allowed, "MemoryHigh"), "77000000");
    allowed.call(&["delete", "--force", &allowed.id]).ok();

    // systemd would read it as settings of the unit once it is reloaded.
    let lines = with("Description", "'x\\n[Unit]\\nOnSuccess=debug-shell.service'");
    let error = start_with(&lines, |_| ()).fails();
    assert!(error.contains("/annotations/org.systemd.property.Description"), "{error}");
    assert_gone(&lines);

    let unknown = with("NoSuchThing", "true").allowing("org.systemd.property.NoSuchThing");
    let error = start_with(&unknown, |_| ()).fails();
    assert!(error.contains("NoSuchThing"), "{error}");
    assert_gone(&unknown);
}

#[test]
fn a_unit_of_the_same_name_is_refused_and_lives_on() {
    under_systemd!();
    let container = scoped().args(&["true"]);
    let mut other = Command::new("systemd-run");
    if !is_root() {
        other.arg("--user");
    }
    let name = unit(&container);
    let mut other = other.args(["--scope", "--quiet", "--unit", &name, "sleep", "100"]).spawn().unwrap();
    wait_until("the unit is there", || property(&container, "ActiveState") == "active");
    let error = start_with(&container, |_| ()).fails();
    assert!(error.contains(&name) && error.contains("/linux/cgroupsPath"), "{error}");
    assert_eq!(error.lines().count(), 1, "no warning about another's processes: {error}");
    assert!(!container.state_root().join(&container.id).exists());
    assert_eq!(property(&container, "ActiveState"), "active", "it is another's");
    assert!(other.try_wait().unwrap().is_none());
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_unit_that_has_taken_the_name_since_lives_on() {
    under_systemd!();
    let container = started(scoped().args(&["sleep", "100"]));
    let name = unit(&container);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(container.pid()), nix::sys::signal::SIGKILL).unwrap();
    // With cgroup v1 alone systemd hears nothing of the end.
    let mut stop = systemctl();
    stop.args(["stop", &name]);
    finish(stop);
    wait_until("it has ended", || property(&container, "LoadState") == "not-found");
    let mut other = Command::new("systemd-run");
    if !is_root() {
        other.arg("--user");
    }
    let mut other = other.args(["--scope", "--quiet", "--unit", &name, "sleep", "100"]).spawn().unwrap();
    wait_until("the unit is there", || property(&container, "ActiveState") == "active");
    let begin = std::time::Instant::now();
    container.call(&["delete", &container.id]).ok();
    assert!(begin.elapsed().as_secs() < 5, "it waits for no process of another's");
    assert_eq!(property(&container, "ActiveState"), "active");
    assert!(other.try_wait().unwrap().is_none(), "it lives on");
    other.kill().unwrap();
    other.wait().unwrap();
}

/// As each upgrade of systemd does it: its word may get lost, and its connection is another one afterwards.
#[test]
fn systemd_may_be_started_anew_meanwhile() {
    under_systemd!(alone);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                let mut again = systemctl();
                again.arg("daemon-reexec");
                finish(again).ok();
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        });
        let ended: Vec<_> = (0..8)
            .map(|_| {
                let container = scoped().sh("exit 3");
                let ended = run(&container);
                (ended.code, ended.err, container.state_root().join(&container.id).exists())
            })
            .collect();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        for (code, error, left) in ended {
            assert_eq!((code, left), (3, false), "{error}");
        }
    });
}

#[test]
fn a_group_below_the_scope_has_the_processes() {
    under_systemd!();
    if !is_v2() {
        skip!("there is none on cgroup v1");
    }
    let container = started(scoped().args(&["sleep", "100"]).edit(|config| {
        config["annotations"] = serde_json::json!({"run.oci.systemd.subgroup": "inner"});
    }));
    let expected = format!("/{}/inner", unit(&container));
    assert!(cgroup_of(container.pid()).ends_with(&expected), "{}", cgroup_of(container.pid()));
    let shown = container.exec_sh("cat /proc/self/cgroup").ok();
    assert!(shown.lines().any(|line| line == "0::/"), "its namespace begins there: {shown}");
    container.call(&["delete", "--force", &container.id]).ok();
    assert_gone(&container);
}

#[test]
fn a_group_that_the_container_manages_is_behind_its_root() {
    under_systemd!();
    if !is_v2() {
        skip!("there is none on cgroup v1");
    }
    let managing = |container: Container| {
        container.namespace("cgroup", None).args(&["sleep", "100"]).edit(|config| {
            config["annotations"] = serde_json::json!({"run.oci.delegate-cgroup": "own"});
            for mount in config["mounts"].as_array_mut().unwrap() {
                if mount["destination"] == "/sys/fs/cgroup" {
                    *mount = serde_json::json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                        "options": ["rw", "nosuid", "noexec", "nodev"]});
                }
            }
        })
    };
    let container = started(managing(scoped()));
    assert!(cgroup_of(container.pid()).ends_with(&format!("/{}/container/own", unit(&container))));
    let shown = container.exec_sh("cat /proc/self/cgroup; mkdir /sys/fs/cgroup/own/mine && echo made").ok();
    assert!(shown.contains("0::/own") && shown.contains("made"), "{shown}");
    container.call(&["delete", "--force", &container.id]).ok();
    assert_gone(&container);
}

#[test]
fn a_creation_that_is_killed_leaves_nothing() {
    under_systemd!();
    for wait in [0, 3, 6, 10, 15, 25] {
        let container = scoped().args(&["sleep", "100"]);
        container.write_config();
        let mut command = systemd(&container, &["create", "--bundle"]);
        command.arg(container.bundle()).arg(&container.id).stdout(Stdio::null()).stderr(Stdio::null());
        let mut creating = command.spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(wait));
        creating.kill().unwrap();
        creating.wait().unwrap();
        container.call(&["delete", "--force", &container.id]).ok();
        wait_until("systemd has noticed", || property(&container, "LoadState") == "not-found");
        assert_gone(&container);
    }
}

#[test]
fn a_container_whose_process_has_ended_can_be_deleted_and_its_name_taken_again() {
    under_systemd!();
    let container = scoped().sh("exit 3");
    for _ in 0..10 {
        let ended = run(&container);
        assert_eq!((ended.code, &*ended.err), (3, ""));
    }
    assert_gone(&container);
    // One that a signal has ended has failed, for systemd.
    let container = started(scoped().args(&["sleep", "100"]));
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id]).ok();
    let container = started(container);
    container.call(&["delete", "--force", &container.id]).ok();
    assert_gone(&container);
}

#[test]
fn one_task_is_enough_for_a_program_that_does_not_fork() {
    needs_limits!("pids");
    let limited = |container: Container| {
        container.edit(|config| config["linux"]["resources"]["pids"] = serde_json::json!({"limit": 1}))
    };
    let container = started(limited(scoped().args(&["sleep", "100"])));
    assert_eq!(property(&container, "TasksMax"), "1");
    assert_eq!(file_of(&container, "pids", "pids.max"), "1");
    container.call(&["delete", "--force", &container.id]).ok();
    let ended = run(&limited(scoped().sh("echo alone; (echo another); true")));
    assert_eq!(ended.out, "alone\n");
    assert!(ended.err.contains("fork"), "{}", ended.err);
}

#[test]
fn pausing_holds_the_scope() {
    under_systemd!();
    if !is_root() && !is_v2() {
        skip!("cgroup v1 gives an ordinary user no freezer");
    }
    let container = started(scoped().args(&["sleep", "100"]));
    container.call(&["pause", &container.id]).ok();
    assert_eq!(container.status(), "paused");
    container.call(&["resume", &container.id]).ok();
    assert_eq!(container.status(), "running");
    container.call(&["kill", "--all", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id]).ok();
    assert_gone(&container);
    assert_eq!(property_of("no-such.scope", "LoadState"), "not-found");
    assert!(directories("no-such.scope").is_empty());
}
