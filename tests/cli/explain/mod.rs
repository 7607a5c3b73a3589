//! `explain` and `validate`: the plan in words is the plan that is carried out, and what is found is there.

mod differences;
mod findings;
mod schema;
mod syscalls;

use crate::support::cli::planned;
use crate::support::{Container, Ended, has_controller, is_v2};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// `explain` of this container's bundle, as it would be created here.
fn explain(container: &Container, options: &[&str]) -> Ended {
    container.write_config();
    let bundle = container.bundle().display().to_string();
    container.call(&[&["explain", "--id", &container.id, &bundle], options].concat())
}

fn page(container: &Container) -> Value {
    let ended = explain(container, &["--json"]);
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// The items of a section: what, value, field.
fn items(page: &Value, section: &str) -> Vec<[String; 3]> {
    let sections = page["sections"].as_array().expect("there are sections");
    let found = sections.iter().find(|one| one["name"] == section);
    let items = found.and_then(|one| one["items"].as_array()).cloned().unwrap_or_default();
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    items.iter().map(|item| ["what", "value", "field"].map(|name| text(item, name))).collect()
}

#[track_caller]
fn has(page: &Value, section: &str, what: &str, value: &str, field: &str) {
    let items = items(page, section);
    assert!(items.contains(&[what, value, field].map(str::to_owned)), "{section}: {what}: {items:#?}");
}

#[test]
fn dockers_default_config_is_told_by_subject() {
    let container = Container::new().args(&["sh", "-c", "true"]);
    let page = page(&container);
    assert_eq!((&page["valid"], &page["exists"]), (&json!(true), &json!(false)));
    has(&page, "namespaces", "pid", "new", "/linux/namespaces/0");
    has(&page, "namespaces", "user", "shared with the runtime", "");
    has(&page, "mounts", "/dev", "tmpfs, mode=755 size=65536k, nosuid", "/mounts/1");
    has(&page, "mounts", "/proc/kcore", "masked", "/linux/maskedPaths/3");
    has(&page, "mounts", "/proc/sys", "read-only", "/linux/readonlyPaths/3");
    has(&page, "devices", "/dev/null", "1:3, mode 0666, owner 0:0", "");
    has(&page, "devices", "/dev/fd", "to /proc/self/fd", "");
    has(&page, "process", "user and group", "0:0", "/process/user");
    has(&page, "process", "working directory", "/", "/process/cwd");
    has(&page, "process", "arguments", "sh -c true", "/process/args");
    has(
        &page,
        "seccomp",
        "what no rule names",
        "refused with errno 1 (operation not permitted)",
        "/linux/seccomp/defaultAction",
    );
    has(&page, "capabilities", "ambient", "kept none", "/process/capabilities/ambient");
    let bounding = &items(&page, "capabilities")[0];
    assert!(
        bounding[1].starts_with("kept CAP_CHOWN ") && !bounding[1].contains("CAP_SYS_ADMIN"),
        "{bounding:?}"
    );
}

#[test]
fn a_page_for_people_has_the_mounts_as_a_tree_and_the_field_of_each() {
    let out = explain(&Container::new().args(&["true"]), &[]).out;
    for line in [
        "    /proc                             proc, nosuid,nodev,noexec  [/mounts/0]",
        "      /proc/kcore                     masked  [/linux/maskedPaths/3]",
        "on the host, in this order",
    ] {
        assert!(out.lines().any(|known| known == line), "{line:?} in\n{out}");
    }
    assert!(!out.contains("inside, in this order"));
    assert!(explain(&Container::new().args(&["true"]), &["--steps"]).out.contains("inside, in this order\n"));
}

/// Deeds or steps of the log of `create`: what, value, field.
fn done(log: &str, kind: &str) -> Vec<[String; 3]> {
    let of_kind = planned(log).into_iter().filter(|plan| plan.kind == kind);
    of_kind.map(|plan| [plan.words, String::new(), plan.field]).collect()
}

/// As the log has them: in one text.
fn told(page: &Value, section: &str) -> Vec<[String; 3]> {
    let joined = |[what, value, field]: [String; 3]| {
        let joint = if value.is_empty() { "" } else { ": " };
        [format!("{what}{joint}{value}"), String::new(), field]
    };
    items(page, section).into_iter().map(joined).collect()
}

fn what_is_told_is_done(container: &Container) {
    let page = page(container);
    let log = container.dir.join("log");
    let mut command = container.command(&["--debug", "--log-format", "json", "--log"]);
    command.arg(&log).args(["create", "--bundle"]).arg(container.bundle()).arg(&container.id);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let status = command.status().unwrap();
    let log = fs::read_to_string(log).unwrap();
    assert!(status.success(), "{log}");
    // Hooks inside have plans of their own.
    let create = log.split("the deeds of the host's side").nth(1).unwrap();
    for (kind, section) in [("deed", "hostSide"), ("step", "inside")] {
        let (told, done) = (told(&page, section), done(create, kind));
        assert!(done.len() > 10, "{kind}: {log}");
        assert_eq!(told, done, "{kind}");
    }
    container.call(&["delete", "--force", &container.id]).ok();
}

#[test]
fn every_deed_and_step_that_is_told_is_the_one_that_create_does() {
    what_is_told_is_done(&Container::new().args(&["sleep", "100"]));
    let rich = Container::new().args(&["sleep", "100"]).edit(|config| {
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000, "additionalGids": [5, 6], "umask": 63});
        config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 512, "hard": 1024}]);
        config["process"]["noNewPrivileges"] = json!(true);
        config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
        config["root"]["readonly"] = json!(true);
        config["hooks"] =
            json!({"prestart": [{"path": "/bin/true"}], "createContainer": [{"path": "/bin/true"}]});
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.push(
            json!({"destination": "/etc2", "type": "bind", "source": "/etc", "options": ["rbind", "ro"]}),
        );
    });
    what_is_told_is_done(&rich);
}

#[test]
fn the_files_of_the_cgroup_get_what_is_told() {
    if !has_controller("pids") {
        skip!("there is no pids controller");
    }
    let container = Container::new().args(&["sleep", "100"]).edit(|config| {
        config["linux"]["resources"]["pids"] = json!({"limit": 123});
        config["linux"]["resources"]["cpu"] = json!({"shares": 2048});
    });
    let page = page(&container);
    has(&page, "limits", "pids.max", "123", "/linux/resources/pids/limit");
    let created = container.create();
    assert_eq!(created.code, 0, "{}", created.err);
    let places = items(&page, "cgroup");
    for [file, value, _] in items(&page, "limits") {
        let controller = file.split('.').next().unwrap();
        let of = |what: &str| {
            if is_v2() { what == "cgroup v2" } else { what.split(',').any(|one| one == controller) }
        };
        let place = places.iter().find(|[what, ..]| of(what)).unwrap_or_else(|| panic!("{file}: {places:?}"));
        let found = fs::read_to_string(Path::new(&place[1]).join(&file)).unwrap();
        assert_eq!(found.trim(), value, "{}/{file}", place[1]);
    }
}

#[test]
fn a_container_that_exists_is_told_by_its_own_config_and_its_last_update() {
    if !has_controller("pids") {
        skip!("there is no pids controller");
    }
    let container = Container::new().args(&["sleep", "100"]);
    let created = container.create();
    assert_eq!(created.code, 0, "{}", created.err);
    container.call(&["update", "--pids-limit", "77", &container.id]).ok();
    // The bundle's is another one by now.
    fs::write(container.bundle().join("config.json"), "{}").unwrap();
    let told = container.call(&["explain", "--json", &container.id]);
    let page: Value = serde_json::from_str(&told.out).unwrap_or_else(|error| panic!("{error}: {told:?}"));
    assert_eq!((&page["exists"], page["id"].as_str()), (&json!(true), Some(&*container.id)));
    has(&page, "limits", "pids.max", "77", "/linux/resources/pids/limit");
    has(&page, "process", "arguments", "sleep 100", "/process/args");
    let nobody = container.call(&["explain", "nobody"]);
    assert!(nobody.fails().contains("container does not exist"));
}

#[test]
fn explaining_changes_nothing() {
    let container = Container::new().args(&["true"]);
    explain(&container, &[]);
    container.assert_gone();
    assert!(!container.state_root().exists());
    let names =
        |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names(&container.bundle()).len(), 2, "config.json and rootfs");
    assert!(!container.rootfs().join("dev/null").exists());
}

/// An ordinary user who may not even search the state directory.
#[test]
fn a_config_of_roots_is_planned_for_an_ordinary_user_with_the_reason() {
    let ordinary = Container::ordinary().edit(|config| {
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "user");
        let linux = config["linux"].as_object_mut().unwrap();
        linux.remove("uidMappings");
        linux.remove("gidMappings");
    });
    let ended = explain(&ordinary.args(&["true"]), &[]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.out.contains("planned as root would run it: this caller cannot"), "{}", ended.out);
    assert!(ended.out.contains("cannot run here: /linux/namespaces lacks a user namespace"), "{}", ended.out);
    assert!(ended.out.contains("\nmounts\n") && ended.out.contains("1:3, mode 0666"), "{}", ended.out);
}

#[test]
fn an_ordinary_users_own_config_is_planned_as_that_user_runs_it() {
    let ordinary = Container::ordinary().args(&["true"]);
    let (uid, page) = (ordinary.ids.unwrap().0, page(&ordinary));
    assert_eq!(page["plannedAsRoot"], json!(false));
    has(&page, "idMaps", "users", &format!("0-0 map to host {uid}-{uid}"), "/linux/uidMappings/0");
    assert!(
        items(&page, "devices").iter().any(|[what, ..]| what == "/dev/null bound from the host"),
        "{page:#}"
    );
}

#[test]
fn ids_that_an_ordinary_user_does_not_own_are_an_obstacle() {
    let ordinary = Container::ordinary().args(&["true"]).edit(|config| {
        let foreign = json!({"containerID": 1, "hostID": 0, "size": 1});
        for map in ["uidMappings", "gidMappings"] {
            config["linux"][map].as_array_mut().unwrap().push(foreign.clone());
        }
    });
    let ended = explain(&ordinary, &[]);
    assert_eq!(ended.code, 2, "{ended:?}");
    for line in [
        "cannot run here: /linux/uidMappings/1/hostID = \"0\" is neither this caller's own id nor in its ranges",
        "cannot run here: /linux/gidMappings/1/hostID = \"0\" is neither this caller's own id nor in its ranges",
    ] {
        assert!(ended.out.lines().any(|found| found.starts_with(line)), "{line}: {}", ended.out);
    }
}

#[test]
fn the_options_of_create_count() {
    let container = Container::new().args(&["true"]);
    container.write_config();
    let other = container.dir.join("other.json");
    let mut config = container.config.clone();
    config["process"]["args"] = json!(["another"]);
    config["linux"].as_object_mut().unwrap().remove("cgroupsPath");
    fs::write(&other, config.to_string()).unwrap();
    let bundle = container.bundle().display().to_string();
    let options = ["--json", "--id", "some-id", "--no-pivot", "--config", other.to_str().unwrap(), &bundle];
    let told = container.call(&[&["explain"][..], &options].concat());
    let page: Value = serde_json::from_str(&told.out).unwrap_or_else(|error| panic!("{error}: {told:?}"));
    has(&page, "process", "arguments", "another", "/process/args");
    assert!(items(&page, "cgroup").iter().all(|[_, place, _]| place.ends_with("/some-id")), "{page:#}");
    assert!(
        items(&page, "mounts").iter().any(|[_, how, _]| how.contains("entered by chroot(2)")),
        "{page:#}"
    );
    // By systemd it would be a scope.
    let told = container.call(&[&["--systemd-cgroup", "explain"][..], &options].concat());
    assert!(told.out.contains("rruntime-some-id.scope"), "{told:?}");
    let validated = container.call(&[&["validate"][..], &options].concat());
    let page: Value =
        serde_json::from_str(&validated.out).unwrap_or_else(|error| panic!("{error}: {validated:?}"));
    assert!(page["id"] == "some-id" && page.get("sections").is_none(), "{page:#}");
    assert!(container.call(&["explain", "--id", "a/b", &bundle]).fails().contains("a/b"));
}

#[test]
fn help_says_what_the_exit_codes_mean() {
    for command in ["explain", "validate"] {
        let help = Container::new().call(&[command, "--help"]).ok();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            help.contains("The exit code is 0 if nothing is wrong, 1 if the config is not valid"),
            "{help}"
        );
    }
}
