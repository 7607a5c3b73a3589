//! Hooks: six kinds at six points, each with the container's state on its standard input.

use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, Ended, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ON_HOST: [&str; 4] = ["prestart", "createRuntime", "poststart", "poststop"];

/// A real shell script with this text, on the host.
fn script(container: &Container, name: &str, text: &str) -> PathBuf {
    let path = container.dir.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A hook with a path of the container.
fn inside(text: &str) -> Value {
    json!([{"path": "/bin/sh", "args": ["sh", "-c", text], "env": ["PATH=/bin"]}])
}

fn hook(path: &PathBuf) -> Value {
    json!([{"path": path, "env": ["PATH=/bin:/usr/bin"]}])
}

/// Hooks of every kind that append a line to one file of the root filesystem.
fn witness_of_every_kind(container: Container, text: &str) -> Container {
    let log = container.rootfs().join("tmp/log");
    let scripts: Vec<(&str, Value)> =
        ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
            .into_iter()
            .map(|kind| {
                let text = format!("({text}) >> {} 2>&1", log.display()).replace("KIND", kind);
                (kind, hook(&script(&container, kind, &text)))
            })
            .collect();
    let text = format!("({text}) >> /tmp/log 2>&1").replace("KIND", "startContainer");
    container.edit(|config| {
        for (kind, value) in scripts {
            config["hooks"][kind] = value;
        }
        config["hooks"]["startContainer"] = inside(&text);
    })
}

fn log(container: &Container) -> String {
    fs::read_to_string(container.rootfs().join("tmp/log")).unwrap_or_default()
}

const ORDER: &str = "prestart\ncreateRuntime\ncreateContainer\nstartContainer\n";

#[test]
fn the_six_kinds_run_in_their_order() {
    let container = witness_of_every_kind(Container::new().sh("exit 5"), "echo KIND");
    assert_eq!(container.run().code, 5);
    let text = log(&container);
    assert!(text.starts_with(ORDER) && text.ends_with("poststart\npoststop\n"), "{text}");
    assert_nothing_left(&container);
}

#[test]
fn a_poststop_hook_runs_whose_key_is_written_with_an_escape() {
    let container = witness_of_every_kind(Container::new().args(&["true"]), "echo KIND");
    container.write_config();
    let config = container.bundle().join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("\"poststop\""), "{text}");
    fs::write(&config, text.replace("\"poststop\"", "\"post\\u0073top\"")).unwrap();
    container.call(&["run", "--bundle", container.bundle().to_str().unwrap(), &container.id]).ok();
    assert!(log(&container).ends_with("poststop\n"), "{}", log(&container));
    assert_nothing_left(&container);
}

#[test]
fn create_start_and_delete_each_run_their_own_kinds() {
    let container =
        witness_of_every_kind(Container::new().sh("echo program >> /tmp/log; sleep 100"), "echo KIND");
    assert_eq!(container.create().code, 0);
    assert_eq!(log(&container), "prestart\ncreateRuntime\ncreateContainer\n");
    container.start().ok();
    crate::support::wait_until("the program runs", || log(&container).contains("program"));
    let text = log(&container);
    assert!(text.starts_with(ORDER) && text.contains("poststart\n"), "{text}");
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    assert!(!log(&container).contains("poststop"));
    container.call(&["delete", &container.id]).ok();
    assert!(log(&container).ends_with("poststop\n"));
    assert_nothing_left(&container);
}

#[test]
fn each_kind_gets_the_state_with_the_status_of_its_point() {
    let container = witness_of_every_kind(Container::new().args(&["true"]), "echo KIND; cat; echo")
        .edit(|config| config["annotations"] = json!({"org.example": "yes"}));
    container.run().ok();
    let text = log(&container);
    for (kind, status) in [
        ("prestart", "creating"),
        ("createRuntime", "creating"),
        ("createContainer", "creating"),
        ("startContainer", "created"),
        ("poststart", "running"),
        ("poststop", "stopped"),
    ] {
        let after = text.split(&format!("{kind}\n")).nth(1).unwrap_or_else(|| panic!("{kind}: {text}"));
        let line = after.lines().next().unwrap();
        let state: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{kind}: {e}: {text}"));
        assert_eq!(state["status"], status, "{kind}");
        assert_eq!(state["id"], container.id.as_str(), "{kind}");
        assert_eq!(state["bundle"], container.bundle().to_str().unwrap(), "{kind}");
        assert_eq!(state["annotations"]["org.example"], "yes", "{kind}");
        assert!(state["ociVersion"].as_str().unwrap().starts_with("1."), "{kind}");
        if kind != "poststop" {
            assert!(state["pid"].as_i64().unwrap() > 0, "{kind}: {line}");
        }
    }
}

#[test]
fn hooks_run_in_the_namespaces_of_their_kind() {
    let look =
        "echo KIND $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/uts) $(readlink /proc/self/ns/net)";
    let container = witness_of_every_kind(Container::new().sh("sleep 100"), look);
    assert_eq!(container.create().code, 0);
    container.start().ok();
    let namespaces = |pid: &str| {
        let name = |n| fs::read_link(format!("/proc/{pid}/ns/{n}")).unwrap().display().to_string();
        format!("{} {} {}", name("mnt"), name("uts"), name("net"))
    };
    let (host, own) = (namespaces("self"), namespaces(&container.pid().to_string()));
    let text = log(&container);
    let line = |kind: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{kind} "))).unwrap();
    for kind in ["prestart", "createRuntime", "poststart"] {
        assert_eq!(line(kind), host, "{kind}");
    }
    for kind in ["createContainer", "startContainer"] {
        assert_eq!(line(kind), own, "{kind}");
    }
}

#[test]
fn create_container_hooks_see_paths_of_the_host_and_start_container_hooks_those_of_the_container() {
    let container = Container::new().args(&["true"]);
    let out = container.rootfs().join("tmp/out");
    let create = script(
        &container,
        "hook",
        &format!(
            "(ls -d /usr/bin; ls -d {}/bin/busybox; hostname) > {} 2>&1",
            container.rootfs().display(),
            out.display()
        ),
    );
    let container = container.edit(|config| {
        config["hostname"] = json!("its-own");
        config["hooks"]["createContainer"] = hook(&create);
        config["hooks"]["startContainer"] =
            inside("(ls -d /usr/bin; hostname; cat /proc/1/comm) > /tmp/out2 2>&1");
    });
    container.run().ok();
    let text = fs::read_to_string(out).unwrap();
    let busybox = container.rootfs().join("bin/busybox");
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(text, format!("/usr/bin\n{}\n{host}", busybox.display()), "the container has no name yet");
    let text = fs::read_to_string(container.rootfs().join("tmp/out2")).unwrap();
    assert!(text.contains("No such file") && text.contains("its-own"), "{text}");
}

#[test]
fn arguments_and_environment_are_exactly_those_of_the_config() {
    let show = "echo \"$0|$*|$(env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD= | sort | tr '\\n' ',')\"";
    let container = Container::new().args(&["true"]);
    let log = container.rootfs().join("tmp/log");
    let text = format!("{show} >> {}", log.display());
    let args = json!({"path": "/bin/sh", "args": ["sh", "-c", text, "name", "one", "two words"],
        "env": ["PATH=/bin:/usr/bin", "A=1", "B=x=y"]});
    let inner = json!({"path": "/bin/sh", "args": ["sh", "-c", format!("{show} >> /tmp/log"), "name", "one", "two words"],
        "env": ["PATH=/bin:/usr/bin", "A=1", "B=x=y"]});
    let container = container.edit(|config| {
        for kind in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
            config["hooks"][kind] = json!([args]);
        }
        config["hooks"]["startContainer"] = json!([inner]);
    });
    container.run().ok();
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!(text, "name|one two words|A=1,B=x=y,PATH=/bin:/usr/bin,\n".repeat(6));
}

#[test]
fn a_failing_hook_ends_the_start_with_its_words_and_nothing_stays() {
    for (kind, command) in [
        ("prestart", "run"),
        ("createRuntime", "run"),
        ("createContainer", "run"),
        ("startContainer", "run"),
        ("poststart", "run"),
        ("prestart", "create"),
        ("createContainer", "create"),
    ] {
        let container = Container::new().sh("echo ran > /tmp/ran; sleep 100");
        let poststop = script(&container, "poststop", "cat > $(dirname $0)/poststop.ran");
        let good = script(&container, "good", "true");
        let bad = script(&container, "bad", "echo what the hook says; echo on stderr >&2; exit 13");
        let container = container.edit(|config| {
            config["hooks"][kind] = match kind {
                "startContainer" => json!([
                    {"path": "/bin/true"},
                    {"path": "/bin/sh", "args": ["sh", "-c", "echo what the hook says; echo on stderr >&2; exit 13"]}]),
                _ => json!([{"path": good}, {"path": bad}]),
            };
            config["hooks"]["poststop"] = hook(&poststop);
        });
        let Ended { code, err, .. } = if command == "run" { container.run() } else { container.create() };
        assert_eq!(code, 1, "{kind}: {err}");
        for wanted in
            [format!("/hooks/{kind}/1"), "exit status 13".into(), "what the hook says; on stderr".into()]
        {
            assert!(err.contains(&wanted), "{kind}: {wanted:?} is wanted: {err}");
        }
        assert!(kind == "poststart" || !container.rootfs().join("tmp/ran").exists(), "{kind}");
        assert!(container.dir.join("poststop.ran").exists(), "{kind}: poststop hooks run after a failure");
        assert_nothing_left(&container);
    }
}

#[test]
fn a_failing_hook_of_start_destroys_the_container_and_poststop_hooks_run() {
    for kind in ["startContainer", "poststart"] {
        let container = Container::new().sh("echo ran > /tmp/ran; sleep 100");
        let poststop = script(&container, "poststop", "cat > $(dirname $0)/poststop.ran");
        let container = container.edit(|config| {
            let path = if kind == "startContainer" { "/bin/false" } else { "/usr/bin/false" };
            config["hooks"][kind] = json!([{"path": path}]);
            config["hooks"]["poststop"] = hook(&poststop);
        });
        assert_eq!(container.create().code, 0);
        let error = container.start().fails();
        assert!(error.contains(&format!("/hooks/{kind}/0")), "{error}");
        // runtime.md, Lifecycle: steps 7 and 9 go on at step 12.
        let state = fs::read_to_string(container.dir.join("poststop.ran")).unwrap();
        assert!(state.contains("stopped"), "{state}");
        assert!(container.call(&["state", &container.id]).fails().contains("does not exist"));
        assert_nothing_left(&container);
    }
}

#[test]
fn a_failing_poststop_hook_is_a_warning_and_the_next_one_runs() {
    let container = Container::new().sh("exit 4");
    let told = container.dir.join("told");
    let last = script(&container, "last", &format!("echo > {}", told.display()));
    let container = container
        .edit(|config| config["hooks"]["poststop"] = json!([
            {"path": "/usr/bin/true"}, {"path": "/usr/bin/false"}, {"path": "/usr/bin/false"}, {"path": last}]));
    let ended = container.run();
    assert_eq!(ended.code, 4);
    for index in [1, 2] {
        let warned = format!("/hooks/poststop/{index} ");
        assert!(ended.err.contains("warning") && ended.err.contains(&warned), "{ended:?}");
    }
    assert!(!ended.err.contains("/hooks/poststop/0"), "{ended:?}");
    assert!(told.exists());
    assert_nothing_left(&container);
}

#[test]
fn a_hook_that_outruns_its_timeout_is_killed() {
    for kind in ["createRuntime", "createContainer", "startContainer"] {
        let container = Container::new().args(&["true"]).edit(|config| {
            config["hooks"][kind] = json!([{"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}]);
        });
        let begun = Instant::now();
        let error = container.run().fails();
        assert!(begun.elapsed() < Duration::from_secs(20), "{kind}");
        assert!(error.contains(&format!("/hooks/{kind}/0")) && error.contains("timeout of 1 s"), "{error}");
        assert_nothing_left(&container);
    }
}

#[test]
fn a_hook_within_its_timeout_is_waited_for() {
    let container = Container::new().args(&["cat", "/tmp/made"]);
    let made = container.rootfs().join("tmp/made");
    let slow = script(&container, "slow", &format!("sleep 0.2; echo yes > {}", made.display()));
    let container = container.edit(|config| {
        config["hooks"]["createRuntime"] = json!([{"path": slow, "env": ["PATH=/bin"], "timeout": 30}])
    });
    assert_eq!(container.run().ok(), "yes\n");
}

/// As the hooks of graphics drivers do it: they find the container by the pid in the state, enter its mount namespace,
/// and mount into the root filesystem's path there.
#[test]
fn what_a_prestart_hook_mounts_into_the_root_filesystem_is_seen_inside() {
    for kind in ["prestart", "createRuntime"] {
        let container = Container::new().args(&["cat", "/opt/given/file"]);
        let given = container.dir.join("given");
        fs::create_dir(&given).unwrap();
        fs::write(given.join("file"), "from the hook\n").unwrap();
        let rootfs = container.rootfs();
        let text = format!(
            "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); mkdir -p {0}/opt/given; \
             exec nsenter --mount=/proc/$pid/ns/mnt mount --bind {1} {0}/opt/given",
            rootfs.display(),
            given.display()
        );
        let path = script(&container, "mount", &text);
        let container = container.edit(|config| config["hooks"][kind] = hook(&path));
        assert_eq!(container.run().ok(), "from the hook\n", "{kind}");
        // The host never saw the mount.
        assert_eq!(fs::read_dir(rootfs.join("opt/given")).unwrap().count(), 0);
        assert_nothing_left(&container);
    }
}

#[test]
fn a_create_container_hook_mounts_into_the_root_filesystem_without_entering_anything() {
    let container = Container::new().args(&["cat", "/opt/file"]);
    fs::create_dir(container.rootfs().join("opt")).unwrap();
    let given = container.dir.join("given");
    fs::create_dir(&given).unwrap();
    fs::write(given.join("file"), "from the hook\n").unwrap();
    let text = format!("mount --bind {} {}/opt", given.display(), container.rootfs().display());
    let path = script(&container, "mount", &text);
    let container = container.edit(|config| config["hooks"]["createContainer"] = hook(&path));
    assert_eq!(container.run().ok(), "from the hook\n");
    assert_nothing_left(&container);
}

#[test]
fn hooks_work_with_a_user_namespace() {
    let container = witness_of_every_kind(Container::new().sh("exit 5"), "echo KIND")
        .namespace("user", None)
        .edit(|config| {
            for map in ["uidMappings", "gidMappings"] {
                config["linux"][map] = json!([{"containerID": 0, "hostID": 0, "size": 65536}]);
            }
        });
    assert_eq!(container.run().code, 5);
    let text = log(&container);
    assert!(text.starts_with(ORDER) && text.ends_with("poststart\npoststop\n"), "{text}");
}

/// They clean up, so nothing that is amiss keeps them from it.
#[test]
fn a_poststop_hook_whose_words_have_no_place_runs_and_says_so() {
    let container = Container::new().args(&["sleep", "100"]).allowing("run.oci.hooks.stdout");
    let ran = container.dir.join("ran");
    let path = script(&container, "poststop", &format!("echo > {}", ran.display()));
    let logs = container.dir.join("logs");
    fs::create_dir(&logs).unwrap();
    let container = container
        .edit(|config| {
            config["annotations"]["run.oci.hooks.stdout"] = logs.join("out").to_str().into();
            config["hooks"]["poststop"] = hook(&path);
        })
        .started();
    fs::remove_dir_all(&logs).unwrap();
    let deleted = container.call(&["delete", "--force", &container.id]);
    assert!(deleted.code == 0 && deleted.err.contains("/annotations/run.oci.hooks.stdout"), "{deleted:?}");
    assert!(ran.exists());
}

/// As runc's do.
#[test]
fn hooks_begin_in_the_bundle_in_the_root_file_system_and_in_the_working_directory() {
    for (options, user_namespace) in [(&[][..], false), (&["--no-pivot"][..], false), (&[][..], true)] {
        let container = witness_of_every_kind(Container::new().sh("true"), "echo KIND $(pwd)")
            .edit(|config| config["process"]["cwd"] = "/tmp".into());
        let container = if user_namespace { mapped(container) } else { container };
        container.run_with(options).ok();
        let text = log(&container);
        let at = |kind: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{kind} ")));
            line.unwrap_or_else(|| panic!("{kind}: {text}")).to_owned()
        };
        for kind in ON_HOST {
            assert_eq!(at(kind), container.bundle().to_str().unwrap(), "{options:?} {kind}");
        }
        assert_eq!(at("createContainer"), container.rootfs().to_str().unwrap(), "{options:?}");
        assert_eq!(at("startContainer"), "/tmp", "{options:?}");
    }
}

/// A user namespace whose root is not the host's.
fn mapped(container: Container) -> Container {
    for path in [container.rootfs(), container.rootfs().join("tmp")] {
        std::os::unix::fs::chown(path, Some(100_000), Some(100_000)).unwrap();
    }
    // Hooks of the host and of the container write here.
    let log = container.rootfs().join("tmp/log");
    fs::write(&log, "").unwrap();
    fs::set_permissions(&log, fs::Permissions::from_mode(0o666)).unwrap();
    container.namespace("user", None).edit(|config| {
        for map in ["uidMappings", "gidMappings"] {
            config["linux"][map] = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
        }
    })
}

/// The hook has all of the runtime's rights: its path is the host's, whatever the image has there.
#[test]
fn the_image_does_not_choose_the_program_of_a_create_container_hook() {
    for options in [&[][..], &["--no-pivot"]] {
        let container = Container::new().args(&["true"]);
        let out = container.rootfs().join("tmp/out");
        let path = script(&container, "hook", &format!("echo the host > {}", out.display()));
        let inside = container.rootfs().join(path.strip_prefix("/").unwrap());
        fs::create_dir_all(inside.parent().unwrap()).unwrap();
        fs::write(&inside, "#!/bin/sh\necho the image > /tmp/out\n").unwrap();
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o755)).unwrap();
        let container = container.edit(|config| config["hooks"]["createContainer"] = hook(&path));
        container.run_with(options).ok();
        assert_eq!(fs::read_to_string(&out).unwrap(), "the host\n", "{options:?}");
    }
}

/// Who is in a pid namespace that a container joins could trace what is born there.
#[test]
fn a_create_container_hook_is_born_outside_of_a_pid_namespace_that_was_joined() {
    let neighbour = Container::new().args(&["sleep", "100"]).started();
    let joined = format!("/proc/{}/ns/pid", neighbour.pid());
    for (path, outside) in [(Some(&*joined), true), (None, false)] {
        let container = Container::new().sh("readlink /proc/self/ns/pid").namespace("pid", path);
        let out = container.rootfs().join("tmp/out");
        let text = format!("readlink /proc/$$/ns/pid /proc/self/ns/pid > {}", out.display());
        // In a pid namespace of its own the hook's number means nothing in the host's proc.
        let text = text.replace(if outside { "" } else { "/proc/$$/ns/pid " }, "");
        let hook = hook(&script(&container, "hook", &text));
        let container = container.edit(|config| config["hooks"]["createContainer"] = hook);
        let own = container.run().ok();
        let said = fs::read_to_string(&out).unwrap_or_default();
        let host = fs::read_link("/proc/self/ns/pid").unwrap().display().to_string();
        if outside {
            assert_eq!(own.trim(), fs::read_link(&joined).unwrap().to_str().unwrap());
            assert!(said.lines().count() == 2 && said.lines().all(|line| line == host), "{said}");
        } else {
            assert!(!said.contains(&host), "{said}");
        }
    }
}

#[test]
fn poststop_hooks_run_where_the_bundle_is_gone() {
    let container = Container::new().args(&["sleep", "100"]);
    let out = container.dir.join("out");
    let path = script(&container, "poststop", &format!("(pwd; cat) > {}", out.display()));
    let container = container.edit(|config| {
        config["hooks"]["poststop"] = hook(&path);
    });
    let container = container.started();
    fs::rename(container.bundle(), container.dir.join("elsewhere")).unwrap();
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    let deleted = container.call(&["delete", &container.id]);
    assert_eq!((deleted.code, &*deleted.err), (0, ""));
    let text = fs::read_to_string(&out).unwrap();
    assert!(text.starts_with("/\n{") && text.contains("stopped"), "{text}");
    assert_nothing_left(&container);
}

/// "running" is for a program that runs (runtime.md, State).
#[test]
fn the_status_is_created_while_start_container_hooks_run() {
    for command in ["run", "start"] {
        let container = Container::new().args(&["sleep", "100"]).edit(|config| {
            config["hooks"]["startContainer"] =
                inside("echo > /tmp/hook; until [ -e /tmp/go ]; do sleep 0.05; done");
        });
        container.write_config();
        let mut child = if command == "run" {
            let mut line = container.command(&["run", "-d", "--bundle"]);
            line.arg(container.bundle()).arg(&container.id).stdout(Stdio::null()).stderr(Stdio::null());
            line.spawn().unwrap()
        } else {
            assert_eq!(container.create().code, 0);
            container.command(&["start", &container.id]).spawn().unwrap()
        };
        wait_until("the hook runs", || container.rootfs().join("tmp/hook").exists());
        assert_eq!(container.status(), "created", "{command}");
        fs::write(container.rootfs().join("tmp/go"), "").unwrap();
        assert!(child.wait().unwrap().success(), "{command}");
        assert_eq!(container.status(), "running", "{command}");
    }
}

#[test]
fn a_hook_that_outruns_its_timeout_takes_what_it_has_started_along() {
    for kind in ["createRuntime", "createContainer", "startContainer", "poststop"] {
        let container = Container::new().args(&["true"]);
        let seconds = format!("7{}", std::process::id());
        let text = format!("sleep {seconds} & sleep {seconds}");
        let path = script(&container, "slow", &text);
        let container = container.edit(|config| {
            config["hooks"][kind] = match kind {
                "startContainer" => json!([{"path": "/bin/sh", "args": ["sh", "-c", text],
                    "env": ["PATH=/bin"], "timeout": 1}]),
                _ => json!([{"path": path, "env": ["PATH=/bin"], "timeout": 1}]),
            };
        });
        let ended = container.run();
        assert!(ended.err.contains("timeout of 1 s"), "{kind}: {ended:?}");
        wait_until(&format!("{kind}: everything of the hook ends"), || {
            let processes = Command::new("pgrep").args(["-f", &format!("sleep {seconds}")]).output().unwrap();
            processes.stdout.is_empty()
        });
    }
}

#[test]
fn a_container_whose_hook_never_ends_can_be_deleted() {
    for kind in ["createRuntime", "startContainer"] {
        let container = Container::new().args(&["true"]);
        let begun = container.rootfs().join("tmp/begun");
        let path = script(&container, "hang", &format!("echo > {}; exec sleep 1000", begun.display()));
        let container = container.edit(|config| {
            config["hooks"][kind] = match kind {
                "startContainer" => inside("echo > /tmp/begun; exec sleep 1000"),
                _ => json!([{"path": path, "env": ["PATH=/bin"]}]),
            };
        });
        container.write_config();
        let mut line = container.command(&["run", "--bundle"]);
        line.arg(container.bundle()).arg(&container.id).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = line.spawn().unwrap();
        wait_until("the hook runs", || begun.exists());
        container.call(&["delete", "--force", &container.id]).ok();
        let output = child.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(&format!("/hooks/{kind}/0")), "{error}");
        assert_nothing_left(&container);
    }
}

#[test]
fn a_hook_with_a_relative_path_is_refused_by_its_pointer() {
    for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
        let container = Container::new().args(&["true"]).edit(|config| {
            config["hooks"][kind] = json!([{"path": "/bin/true"}, {"path": "bin/true"}]);
        });
        let error = container.run().fails();
        assert!(error.contains(&format!("/hooks/{kind}/1/path")) && error.contains("absolute"), "{error}");
        container.assert_gone();
    }
}

#[test]
fn the_words_of_hooks_go_to_the_files_of_the_annotations() {
    let container = Container::new().args(&["true"]);
    let (out, err) = (container.dir.join("out"), container.dir.join("err"));
    fs::write(&out, "before\n").unwrap();
    let text = "echo to out; echo to err >&2";
    let path = script(&container, "say", text);
    let container = container.edit(|config| {
        config["annotations"] = json!({"run.oci.hooks.stdout": out, "run.oci.hooks.stderr": err});
        for kind in ["prestart", "createContainer", "poststart", "poststop"] {
            config["hooks"][kind] = hook(&path);
        }
        config["hooks"]["startContainer"] = inside(text);
    });
    let container = container.allowing("run.oci.hooks.stdout").allowing("run.oci.hooks.stderr");
    container.run().ok();
    assert_eq!(fs::read_to_string(&out).unwrap(), format!("before\n{}", "to out\n".repeat(5)));
    assert_eq!(fs::read_to_string(&err).unwrap(), "to err\n".repeat(5));
    let container =
        container.edit(|config| config["annotations"]["run.oci.hooks.stdout"] = "/dev/null".into());
    container.run().ok();
    let mut container = container;
    for (path, word) in [("/nonexistent/directory/file", "nonexistent"), ("/dev/full", "a device")] {
        container.config["annotations"]["run.oci.hooks.stdout"] = path.into();
        let error = container.run().fails();
        assert!(error.contains("/annotations/run.oci.hooks.stdout") && error.contains(word), "{error}");
        container.assert_gone();
    }
}
