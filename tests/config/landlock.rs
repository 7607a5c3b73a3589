//! `org.rruntime.landlock`: what the rules leave of a container's rights, seen from inside. What is denied is also shown
//! to be free without them.

use crate::support::Container;
use crate::support::older_kernel::without;
use rruntime::sys::identity::landlock_version;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;

const NAME: &str = "org.rruntime.landlock";

fn ruled(container: Container, rules: &Value) -> Container {
    container.edit(|config| config["annotations"][NAME] = rules.to_string().into())
}

/// Everything may be read and executed; /tmp and /dev may be written to.
fn temporary_only() -> Value {
    json!({
        "ruleset": {"handledAccessFS": ["all"]},
        "rules": {"pathBeneath": [
            {"allowedAccess": ["execute", "read_file", "read_dir"], "paths": ["/"]},
            {"allowedAccess": ["all"], "paths": ["/tmp", "/dev"]},
        ]},
    })
}

/// Ends a test where the kernel's Landlock is older than this version.
macro_rules! needs_version {
    ($version:literal) => {
        match landlock_version() {
            Ok(version) if version >= $version => {}
            Ok(version) => skip!("this kernel's Landlock is version {version}, not {}", $version),
            Err(errno) => skip!("this kernel has no Landlock: errno {}", errno.0),
        }
    };
}

/// Says "kept" where the rules are in force, and "free" where they are not. It leaves nothing.
const TRY: &str = "echo a > /tmp/a && cat /tmp/a >/dev/null || exit 1
    if echo b > /etc/b; then rm /etc/b; echo free; else echo kept; fi";

#[test]
fn what_the_rules_do_not_allow_is_denied_and_the_rest_goes_on() {
    needs_version!(1);
    for no_new_privileges in [false, true] {
        for filtered in [false, true] {
            let container = || {
                Container::new().sh(TRY).edit(|config| {
                    config["process"]["noNewPrivileges"] = no_new_privileges.into();
                    if !filtered {
                        config["linux"].as_object_mut().unwrap().remove("seccomp");
                    }
                })
            };
            let ended = ruled(container(), &temporary_only()).run();
            assert_eq!((ended.code, &*ended.out), (0, "kept\n"), "{no_new_privileges} {filtered}: {ended:?}");
            assert!(ended.err.contains("Permission denied"), "{}", ended.err);
            assert_eq!(container().run().ok(), "free\n");
        }
    }
}

#[test]
fn nothing_of_what_the_restriction_took_is_left() {
    needs_version!(1);
    for filtered in [false, true] {
        let container = |rules: bool| {
            let container =
                Container::new().sh("grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status").edit(|config| {
                    if !filtered {
                        config["linux"].as_object_mut().unwrap().remove("seccomp");
                    }
                });
            if rules { ruled(container, &temporary_only()) } else { container }
        };
        assert_eq!(container(true).run().ok(), container(false).run().ok());
    }
}

#[test]
fn exec_and_hooks_inside_are_restricted_as_the_container_is() {
    needs_version!(1);
    let hook = format!("({TRY}) > /tmp/hook 2>&1");
    let container = ruled(Container::new().sh("exec sleep 1000"), &temporary_only()).edit(|config| {
        config["hooks"]["startContainer"] = json!([{"path": "/bin/sh", "args": ["sh", "-c", hook]}]);
    });
    let container = container.started();
    let told = container.exec_sh("cat /tmp/hook").ok();
    assert!(told.contains("Permission denied") && told.ends_with("kept\n"), "{told}");
    assert_eq!(container.exec_sh(TRY).ok(), "kept\n");
    // A process of its own has the container's rules too, and what it is given besides changes nothing.
    let process =
        json!({"args": ["sh", "-c", TRY], "cwd": "/tmp", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}});
    fs::write(container.dir.join("process.json"), process.to_string()).unwrap();
    let file = container.dir.join("process.json");
    let out = container.call(&["exec", "--process", file.to_str().unwrap(), &container.id]).ok();
    assert_eq!(out, "kept\n");
    let out = container.call(&["exec", "--cap", "CAP_SYS_ADMIN", &container.id, "sh", "-c", TRY]).ok();
    assert_eq!(out, "kept\n");
    // The rules are those that the container was made with, whatever has become of the bundle.
    let mut container = container;
    container.config["annotations"].as_object_mut().unwrap().remove(NAME);
    container.write_config();
    assert_eq!(container.exec_sh(TRY).ok(), "kept\n");
}

#[test]
fn a_container_in_the_pid_namespace_of_another_is_restricted_too() {
    needs_version!(1);
    let first = Container::new().sh("exec sleep 1000").started();
    let path = format!("/proc/{}/ns/pid", first.pid());
    let container = Container::new().sh(TRY).namespace("pid", Some(&path));
    assert_eq!(ruled(container, &temporary_only()).run().ok(), "kept\n");
    assert_eq!(Container::new().sh(TRY).namespace("pid", Some(&path)).run().ok(), "free\n");
}

#[test]
fn an_ordinary_users_container_is_restricted() {
    needs_version!(1);
    for no_new_privileges in [false, true] {
        let container = || {
            Container::ordinary()
                .sh(TRY)
                .edit(|config| config["process"]["noNewPrivileges"] = no_new_privileges.into())
        };
        let ended = container().run();
        if ended.code != 0 {
            skip!("an ordinary user makes no container here: {}", ended.err);
        }
        assert_eq!(ended.ok(), "free\n");
        assert_eq!(ruled(container(), &temporary_only()).run().ok(), "kept\n");
    }
}

#[test]
fn paths_are_the_containers_and_links_in_them_stay_inside() {
    needs_version!(1);
    let rules = |path: &str| {
        json!({
            "ruleset": {"handledAccessFS": ["read_file"]},
            "rules": {"pathBeneath": [
                {"allowedAccess": ["read_file"], "paths": ["/bin", "/lib", "/lib64", "/dev"], "optional": true},
                {"allowedAccess": ["read_file"], "paths": [path]},
            ]},
        })
    };
    let container = |path: &str| {
        let container = Container::new().sh("cat /data/file; cat /etc/passwd >/dev/null");
        let rootfs = container.rootfs();
        fs::create_dir(rootfs.join("data")).unwrap();
        fs::write(rootfs.join("data/file"), "inside\n").unwrap();
        fs::create_dir_all(rootfs.join("etc")).unwrap();
        fs::write(rootfs.join("etc/passwd"), "root:x:0:0:::\n").unwrap();
        symlink("/data", rootfs.join("link")).unwrap();
        symlink("../../../../data/file", rootfs.join("up")).unwrap();
        ruled(container, &rules(path))
    };
    for path in ["/data", "/data/file", "/link", "/link/../data", "/up"] {
        let ended = container(path).run();
        assert_eq!(ended.out, "inside\n", "{path}: {}", ended.err);
        assert!(ended.err.contains("/etc/passwd") && ended.code != 0, "{path}: {ended:?}");
    }
}

#[test]
fn a_path_that_is_missing_is_named_unless_it_may_be() {
    needs_version!(1);
    let rules = |optional: bool| {
        json!({
            "ruleset": {"handledAccessFS": ["write_file"]},
            "rules": {"pathBeneath": [
                {"allowedAccess": ["write_file"], "paths": ["/dev", "/nowhere/at/all"], "optional": optional},
            ]},
        })
    };
    let container = ruled(Container::new().args(&["true"]), &rules(false));
    let error = container.run().fails();
    for word in ["/annotations/org.rruntime.landlock", "/nowhere/at/all", "no such file", "optional"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    container.assert_gone();
    ruled(Container::new().args(&["true"]), &rules(true)).run().ok();
}

#[test]
fn a_file_gets_the_rights_that_a_file_can_have_and_one_of_directories_alone_is_refused() {
    needs_version!(1);
    let rules = |rights: &[&str]| {
        json!({
            "ruleset": {"handledAccessFS": ["all"]},
            "rules": {"pathBeneath": [
                {"allowedAccess": ["execute", "read_file", "read_dir"], "paths": ["/"]},
                {"allowedAccess": rights, "paths": ["/dev/null"]},
            ]},
        })
    };
    ruled(Container::new().sh("echo > /dev/null"), &rules(&["all"])).run().ok();
    ruled(Container::new().sh("echo > /dev/null"), &rules(&["read_file"])).run().fails();
    let error = ruled(Container::new().args(&["true"]), &rules(&["make_dir"])).run().fails();
    assert!(error.contains("/dev/null") && error.contains("rights of directories"), "{error}");
}

#[test]
fn a_program_that_may_not_be_executed_is_explained() {
    needs_version!(1);
    let rules = json!({
        "ruleset": {"handledAccessFS": ["execute"]},
        "rules": {"pathBeneath": [{"allowedAccess": ["execute"], "paths": ["/etc"]}]},
    });
    let container = Container::new().args(&["true"]);
    fs::create_dir_all(container.rootfs().join("etc")).unwrap();
    let error = ruled(container, &rules).run().fails();
    assert!(error.contains(NAME) && error.contains("execute"), "{error}");
}

#[test]
fn ports_are_denied_but_for_those_that_are_listed() {
    needs_version!(4);
    let rules = json!({
        "ruleset": {"handledAccessNet": ["bind_tcp"]},
        "rules": {"netPort": [{"allowedAccess": ["bind_tcp"], "ports": [8080]}]},
    });
    // busybox waits for a connection until its time is over: what is asked is whether it may begin.
    let listen = |port| format!("timeout 1 busybox nc -l -p {port}; echo $?");
    let run = |port: u16, rules: Option<&Value>| {
        let container = Container::new().sh(&listen(port).replace("timeout", "busybox timeout"));
        match rules {
            Some(rules) => ruled(container, rules).run(),
            None => container.run(),
        }
    };
    let refused = run(8081, Some(&rules));
    assert!(refused.err.contains("Permission denied"), "{refused:?}");
    for allowed in [run(8080, Some(&rules)), run(8081, None)] {
        assert!(allowed.code == 0 && !allowed.err.contains("denied"), "{allowed:?}");
    }
}

#[test]
fn a_scope_keeps_signals_among_the_processes_of_one_start() {
    needs_version!(6);
    let started = |rules: Option<Value>| {
        let container = Container::new().sh("exec sleep 1000");
        match rules {
            Some(rules) => ruled(container, &rules).started(),
            None => container.started(),
        }
    };
    let kept = started(Some(json!({"ruleset": {"scoped": ["signal"]}})));
    let error = kept.exec_sh("kill -0 1").fails();
    assert!(error.contains("not permitted"), "{error}");
    kept.exec_sh("sleep 100 & kill $!").ok();
    started(None).exec_sh("kill -0 1").ok();
}

#[test]
fn a_right_that_this_kernel_lacks_is_a_warning_or_an_error() {
    // A filter that hides the calls is what a kernel without them looks like.
    let rules = |required: bool| {
        let mut rules = temporary_only();
        rules["disableBestEffort"] = required.into();
        rules
    };
    let container = ruled(Container::new().sh("echo x > /etc/x && echo free"), &rules(false));
    let ended = without("landlock_create_ruleset", || container.run());
    assert!(ended.code == 0 && ended.out == "free\n", "{ended:?}");
    assert!(ended.err.contains("/annotations/org.rruntime.landlock has no effect"), "{}", ended.err);
    let container = ruled(Container::new().args(&["true"]), &rules(true));
    let error = without("landlock_create_ruleset", || container.run()).fails();
    assert!(error.contains("has no Landlock") && error.contains("disableBestEffort"), "{error}");
    container.assert_gone();
}

#[test]
fn a_restricted_container_is_not_checkpointed() {
    needs_version!(1);
    let container = ruled(Container::new().sh("exec sleep 1000"), &temporary_only()).started();
    let images = container.dir.join("images");
    let error =
        container.call(&["checkpoint", "--image-path", images.to_str().unwrap(), &container.id]).fails();
    assert!(error.contains(NAME) && error.contains("criu cannot restrict"), "{error}");
    assert!(!images.exists());
    assert_eq!(container.status(), "running");
    fs::create_dir(&images).unwrap();
    let other = ruled(Container::new().sh("exec sleep 1000"), &temporary_only());
    other.write_config();
    let bundle = other.bundle();
    let arguments = [
        "restore",
        "--image-path",
        images.to_str().unwrap(),
        "--bundle",
        bundle.to_str().unwrap(),
        &other.id,
    ];
    let error = other.call(&arguments).fails();
    assert!(error.contains(NAME) && error.contains("criu cannot restrict"), "{error}");
    other.assert_gone();
}

#[test]
fn features_tells_the_rights_and_on_this_host_those_of_the_kernel() {
    let told = |arguments: &[&str]| {
        let text = Container::new().call(arguments).ok();
        let features: Value = serde_json::from_str(&text).unwrap();
        let of = |kind: &str| features["annotations"][format!("{NAME}.{kind}")].as_str().unwrap().to_owned();
        [of("accessFS"), of("accessNet"), of("scoped")]
            .map(|list| list.split(',').filter(|word| !word.is_empty()).count())
    };
    assert_eq!(told(&["features"]), [16, 2, 2]);
    let there = landlock_version().map_or([0; 3], rruntime::names::landlock_rights);
    assert_eq!(told(&["features", "--host"]), there);
    assert_eq!(without("landlock_create_ruleset", || told(&["features", "--host"])), [0; 3]);
}
