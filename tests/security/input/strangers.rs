//! A cgroup that has the path of the container's, and is another: what lives in it is none of the container's.

use crate::support::{Container, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A process of the host in groups that bear the container's name.
struct Stranger {
    process: Child,
    groups: Vec<PathBuf>,
}

impl Stranger {
    /// Takes the container's groups away, which are empty, and makes new ones in their place.
    fn in_place_of(groups: Vec<PathBuf>) -> Stranger {
        let process = Command::new("sleep").arg("1000").spawn().unwrap();
        for group in &groups {
            // What was killed a moment ago may be on its way out.
            wait_until("the container's group is empty", || fs::remove_dir(group).is_ok());
            fs::create_dir(group).unwrap();
            for name in
                ["cpuset.cpus", "cpuset.mems"].iter().filter(|_| group.join("cpuset.cpu_exclusive").exists())
            {
                let above = fs::read_to_string(group.parent().unwrap().join(name)).unwrap();
                fs::write(group.join(name), above).unwrap();
            }
            enter(group, process.id());
        }
        Stranger { process, groups }
    }

    #[track_caller]
    fn assert_untouched(&mut self, after: &str) {
        assert!(self.process.try_wait().unwrap().is_none(), "{after}: it was ended");
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        assert!(stat.contains(") S ") || stat.contains(") R "), "{after}: {stat}");
        for group in &self.groups {
            let text = |name: &str| fs::read_to_string(group.join(name)).unwrap_or_default();
            assert!(
                text("cgroup.procs").contains(&self.process.id().to_string()),
                "{after}: {}",
                group.display()
            );
            assert!(!text("freezer.state").contains("FR") && !text("cgroup.freeze").contains('1'), "{after}");
            assert!(!text("pids.max").contains("77"), "{after}: it has the container's limits");
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        for group in &self.groups {
            // Frozen by mistake, it would not die.
            for (file, word) in [("freezer.state", "THAWED"), ("cgroup.freeze", "0")] {
                let _absent_elsewhere = group.join(file).exists().then(|| fs::write(group.join(file), word));
            }
        }
        // It may have been ended by mistake.
        let _ = self.process.kill();
        let _ = self.process.wait();
        for group in &self.groups {
            // A test that has failed panics already, so this is no assertion.
            for _ in (0..100).take_while(|_| group.exists() && fs::remove_dir(group).is_err()) {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

fn enter(group: &Path, pid: u32) {
    fs::write(group.join("cgroup.procs"), pid.to_string()).unwrap();
}

/// Every command, and how it ends for a container that has ended and whose group is gone.
fn try_all(container: &Container, stranger: &mut Stranger) {
    let id = container.id.as_str();
    assert_eq!(container.status(), "stopped");
    for (command, reason) in [
        (&["kill", "--all", id, "KILL"][..], None),
        (&["kill", id, "KILL"], Some("container not running")),
        (&["pause", id], Some("container not running")),
        (&["resume", id], Some("container not paused")),
        (&["update", "--pids-limit", "77", id], Some("container not running")),
        (&["events", "--stats", id], Some("is not running")),
        (&["exec", id, "true"], Some("stopped")),
    ] {
        let ended = container.call(command);
        match reason {
            None => assert_eq!(ended.code, 0, "{command:?}: {ended:?}"),
            Some(reason) => assert!(ended.code != 0 && ended.err.contains(reason), "{command:?}: {ended:?}"),
        }
        stranger.assert_untouched(command[0]);
    }
    let pid = stranger.process.id().to_string();
    assert!(!container.call(&["ps", "--format", "json", id]).ok().contains(&pid));
}

#[test]
fn another_group_of_the_same_path_is_not_the_containers() {
    for (own_pids, delete) in [(true, &["delete"][..]), (true, &["delete", "--force"]), (false, &["delete"])]
    {
        let mut container = Container::new().args(&["sleep", "1000"]);
        if !own_pids {
            container = container.without_namespace("pid");
        }
        let container = container.started();
        container.call(&["kill", &container.id, "KILL"]).ok();
        container.wait_for_status("stopped");
        let mut stranger = Stranger::in_place_of(container.cgroups());
        assert!(!stranger.groups.is_empty());
        try_all(&container, &mut stranger);
        let begun = Instant::now();
        container.call(&[delete, &[container.id.as_str()]].concat()).ok();
        assert!(begun.elapsed() < Duration::from_secs(5));
        stranger.assert_untouched("delete");
        assert!(!container.state_root().join(&container.id).exists(), "state is left");
        drop(stranger);
        container.assert_gone();
    }
}

#[test]
fn a_container_that_was_moved_out_of_its_group_is_deleted_and_who_lives_there_now_is_not_touched() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    let elsewhere: Vec<PathBuf> = container
        .cgroups()
        .iter()
        .map(|group| {
            let place = group.with_file_name(format!("{}-elsewhere", container.id));
            fs::create_dir(&place).unwrap();
            for name in ["cpuset.cpus", "cpuset.mems"].iter().filter(|name| place.join(name).exists()) {
                let above = fs::read_to_string(group.join(name)).unwrap();
                let _empty_on_v2 = fs::write(place.join(name), above);
            }
            enter(&place, container.pid() as u32);
            place
        })
        .collect();
    let mut stranger = Stranger::in_place_of(container.cgroups());
    for command in [&["pause"][..], &["update", "--pids-limit", "77"], &["kill", "--all"]] {
        container.call(&[command, &[container.id.as_str()]].concat()).fails();
        stranger.assert_untouched(command[0]);
    }
    assert_eq!(container.status(), "running");
    let begun = Instant::now();
    container.call(&["delete", "--force", &container.id]).ok();
    assert!(begun.elapsed() < Duration::from_secs(5));
    stranger.assert_untouched("delete --force");
    for place in elsewhere {
        wait_until("the container has ended", || fs::remove_dir(&place).is_ok());
    }
    drop(stranger);
    container.assert_gone();
}

/// Its record has the path of the groups, and not yet their numbers.
#[test]
fn what_lives_at_the_path_of_a_creation_that_was_cut_short_is_not_touched() {
    let container = Container::new().args(&["sleep", "1000"]);
    assert_eq!(container.create().code, 0);
    let groups = container.cgroups();
    let state = container.state_root().join(&container.id).join("state.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    for leg in record["cgroup"]["legs"].as_array_mut().unwrap() {
        leg.as_object_mut().unwrap().remove("inode");
    }
    let record = record.as_object_mut().unwrap();
    record["phase"] = "creating".into();
    let pid = record.remove("pid").unwrap().as_i64().unwrap();
    record.remove("pid_start").unwrap();
    kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
    let mut stranger = Stranger::in_place_of(groups);
    fs::write(&state, serde_json::to_vec(record).unwrap()).unwrap();
    container.call(&["delete", "--force", &container.id]).ok();
    stranger.assert_untouched("delete --force");
    assert!(!state.exists());
    drop(stranger);
    container.assert_gone();
}

/// A record that cannot be read may be of a container that runs.
#[test]
fn the_path_of_a_container_with_a_damaged_record_stays_its_own() {
    let container = Container::new().without_namespace("pid").sh("sleep 1000 & exec sleep 1000").started();
    let other = Container::new().args(&["true"]).edit(|config| {
        config["linux"]["cgroupsPath"] = format!("/{}", container.id).into();
    });
    other.write_config();
    fs::write(container.state_root().join(&container.id).join("state.json"), "junk").unwrap();
    let bundle = other.bundle();
    let args = ["run", "--bundle", bundle.to_str().unwrap(), &other.id];
    let err = container.call(&args).fails();
    assert!(err.contains("cgroupsPath"), "{err}");
    container.call(&["delete", "--force", &container.id]).ok();
    container.assert_gone();
    container.call(&args).ok();
}

/// What was put into the container's own group is ended with it, but only by force.
#[test]
fn delete_by_force_ends_what_is_in_the_containers_group() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    let mut guest = Command::new("sleep").arg("1000").spawn().unwrap();
    container.cgroups().iter().for_each(|group| enter(group, guest.id()));
    let begun = Instant::now();
    container.call(&["delete", "--force", &container.id]).ok();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(!guest.wait().unwrap().success());
    container.assert_gone();
}

#[test]
fn create_refuses_a_group_that_another_container_has_live_or_stopped() {
    let first = Container::new().args(&["sleep", "1000"]).started();
    let second = Container::new().args(&["sleep", "1000"]).edit(|config| {
        config["linux"]["cgroupsPath"] = format!("/{}", first.id).into();
    });
    second.write_config();
    let create = || {
        let log = second.dir.join("log");
        let mut command = first.command(&["--log", log.to_str().unwrap(), "create", "--bundle"]);
        command.arg(second.bundle()).arg(&second.id).stdout(std::process::Stdio::null());
        let code = command.stderr(std::process::Stdio::null()).status().unwrap().code().unwrap();
        (code, fs::read_to_string(&log).unwrap_or_default())
    };
    let refused = |when: &str| {
        let (code, err) = create();
        assert!(code != 0 && err.contains(&first.id) && err.contains("cgroupsPath"), "{when}: {err}");
        assert!(!first.state_root().join(&second.id).exists());
    };
    refused("live");
    first.call(&["kill", &first.id, "KILL"]).ok();
    first.wait_for_status("stopped");
    refused("stopped");
    for group in first.cgroups() {
        wait_until("the group is empty", || fs::remove_dir(&group).is_ok());
    }
    refused("its group is gone");
    first.call(&["delete", &first.id]).ok();
    assert_eq!(first.left_in_state_root(), Vec::<PathBuf>::new(), "nothing is left in the root");
    let (code, err) = create();
    assert_eq!(code, 0, "{err}");
    first.call(&["delete", "--force", &second.id]).ok();
    assert_eq!(first.left_in_state_root(), Vec::<PathBuf>::new(), "nothing is left in the root");
}
