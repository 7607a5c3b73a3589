//! What `explain` and `validate` find: problems, obstacles, risks, what has no effect, unknown keys.

use super::explain;
use crate::support::Container;
use serde_json::{Value, json};
use std::fs;

/// `validate` of the bundle: its exit code and its lines.
fn validate(container: &Container) -> (i32, Vec<String>) {
    container.write_config();
    let ended = container.call(&["validate", "--id", &container.id, container.bundle().to_str().unwrap()]);
    assert_eq!(ended.err, "", "{ended:?}");
    (ended.code, ended.out.lines().map(str::to_owned).collect())
}

fn plain() -> Container {
    Container::new().args(&["true"])
}

/// The beginning of a line, and the change of the config that brings it.
type Case = (&'static str, fn(&mut Value));

/// Risks of [`plain`] as it is, and the change that takes each away.
const TAKEN_AWAY: [Case; 2] = [
    ("risk: /process/user/uid = \"0\" is the host's root", |c| c["process"]["user"]["uid"] = json!(1000)),
    ("risk: /process/noNewPrivileges = \"false\"", |c| c["process"]["noNewPrivileges"] = json!(true)),
];

/// Each with the beginning of its line, which the config as it is does not have.
#[test]
fn what_is_risky_is_named_with_its_field() {
    fn without(config: &mut Value, kind: &str) {
        config["linux"]["namespaces"].as_array_mut().unwrap().retain(|one| one["type"] != kind);
    }
    fn capability(config: &mut Value, name: &str) {
        for set in ["bounding", "effective", "permitted"] {
            config["process"]["capabilities"][set].as_array_mut().unwrap().push(name.into());
        }
    }
    fn bind(config: &mut Value, source: &str, options: &[&str]) {
        let mount = json!({"destination": "/x", "type": "bind", "source": source, "options": options});
        config["mounts"].as_array_mut().unwrap().push(mount);
    }
    fn rule(config: &mut Value, rule: Value) {
        let rules = config["linux"]["resources"]["devices"].as_array_mut().unwrap();
        rules.push(rule);
    }
    let known = validate(&plain()).1;
    for (line, change) in TAKEN_AWAY {
        assert!(known.iter().any(|known| known.starts_with(line)), "{line}: {known:#?}");
        let (_, lines) = validate(&plain().edit(change));
        assert!(!lines.iter().any(|found| found.starts_with(line)), "{line}: {lines:#?}");
    }
    let cases: [Case; 22] = [
        ("risk: /linux/namespaces has no pid namespace", |c| without(c, "pid")),
        ("risk: /linux/namespaces has no network namespace", |c| without(c, "network")),
        ("risk: /linux/namespaces has no ipc namespace", |c| without(c, "ipc")),
        ("risk: /linux/namespaces has no mount namespace", |c| {
            without(c, "mount");
            (c["mounts"], c["linux"]["maskedPaths"], c["linux"]["readonlyPaths"]) =
                (json!([]), json!([]), json!([]));
        }),
        ("risk: /linux/namespaces has no uts namespace", |c| {
            without(c, "uts");
            c.as_object_mut().unwrap().remove("hostname");
            capability(c, "CAP_SYS_ADMIN");
        }),
        ("risk: /linux/namespaces/0 = \"/proc/self/ns/ipc\" is the runtime's own namespace", |c| {
            without(c, "ipc");
            let own = json!({"type": "ipc", "path": "/proc/self/ns/ipc"});
            c["linux"]["namespaces"].as_array_mut().unwrap().insert(0, own);
        }),
        ("risk: /process/apparmorProfile = \"unconfined\"", |c| {
            c["process"]["apparmorProfile"] = "unconfined".into();
        }),
        ("risk: /process/capabilities = \"CAP_SYS_ADMIN\" is as good as root", |c| {
            capability(c, "CAP_SYS_ADMIN")
        }),
        ("risk: /process/capabilities = \"CAP_SYS_MODULE\" is as good as root", |c| {
            capability(c, "CAP_SYS_MODULE")
        }),
        ("risk: /process/capabilities/bounding = \"CAP_SYS_TIME\": come back with the program's exec", |c| {
            c["process"]["capabilities"]["bounding"].as_array_mut().unwrap().push("CAP_SYS_TIME".into());
        }),
        ("risk: /linux/seccomp is missing", |c| drop(c["linux"].as_object_mut().unwrap().remove("seccomp"))),
        ("risk: /linux/seccomp/defaultAction = \"SCMP_ACT_ALLOW\"", |c| {
            c["linux"]["seccomp"]["defaultAction"] = "SCMP_ACT_ALLOW".into();
            c["linux"]["seccomp"].as_object_mut().unwrap().remove("defaultErrnoRet");
        }),
        ("risk: /mounts/7 = \"/etc\": gives the container a way to change the host", |c| {
            bind(c, "/etc", &["rbind"])
        }),
        ("risk: /mounts/7 = \"/\": gives the container a way to change the host", |c| {
            bind(c, "/", &["rbind"])
        }),
        ("risk: /root/path = \"/\" is the host's own tree", |c| c["root"]["path"] = json!("/")),
        ("risk: /mounts/7 = \"/run/docker.sock\" has the socket of a service", |c| {
            bind(c, "/var/run/docker.sock", &["bind", "ro"]);
        }),
        ("risk: /mounts/0 = \"/proc/kcore /proc/keys", |c| c["linux"]["maskedPaths"] = json!([])),
        ("risk: /mounts/3 = \"/sys\" is a writable sysfs", |c| {
            c["mounts"][3]["options"].as_array_mut().unwrap().retain(|option| option != "ro");
        }),
        ("risk: /linux/resources/devices = \"allow b *:* rw\"", |c| {
            rule(c, json!({"allow": true, "type": "b", "access": "rwm"}));
        }),
        ("risk: /linux/devices/0 = \"/dev/disk\" is a block device of the host", |c| {
            c["linux"]["devices"] = json!([{"type": "b", "path": "/dev/disk", "major": 8, "minor": 0}]);
        }),
        ("risk: /mounts/7 = \"/x\": shares mount events with the host", |c| {
            bind(c, "/tmp", &["rbind", "shared"])
        }),
        ("risk: /process/oomScoreAdj = \"-500\"", |c| c["process"]["oomScoreAdj"] = json!(-500)),
    ];
    for (line, change) in cases {
        assert!(!known.iter().any(|known| known.starts_with(line)), "{line}");
        let (code, lines) = validate(&plain().edit(change));
        assert_ne!(code, 1, "{line}: {lines:#?}");
        assert!(lines.iter().any(|found| found.starts_with(line)), "{line}: {lines:#?}");
    }
}

#[test]
fn a_bind_that_is_read_only_or_of_its_own_is_no_risk() {
    let container = plain();
    let own = container.dir.display().to_string();
    for (source, options) in
        [("/etc", ["rbind", "ro"]), ("/etc/hosts", ["bind", "rw"]), (&own, ["rbind", "rw"])]
    {
        let (_, lines) = validate(&plain().edit(|config| {
            let mount = json!({"destination": "/x", "type": "bind", "source": source, "options": options});
            config["mounts"].as_array_mut().unwrap().push(mount);
        }));
        assert!(!lines.iter().any(|line| line.contains("/mounts/7")), "{source}: {lines:#?}");
    }
}

#[test]
fn a_user_namespace_takes_the_risk_out_of_capabilities() {
    let (_, lines) = validate(&plain().edit(|config| {
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        (config["linux"]["uidMappings"], config["linux"]["gidMappings"]) = (map.clone(), map);
        let bounding = config["process"]["capabilities"]["permitted"].as_array_mut().unwrap();
        bounding.push("CAP_SYS_ADMIN".into());
    }));
    assert!(
        !lines.iter().any(|line| line.contains("CAP_SYS_ADMIN") && line.starts_with("risk")),
        "{lines:#?}"
    );
    assert!(!lines.iter().any(|line| line.contains("is the host's root")), "{lines:#?}");
}

#[test]
fn what_has_no_effect_is_told() {
    let (code, lines) = validate(&plain().edit(|config| {
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000, "username": "www-data"});
        config["process"]["rlimits"] = json!([{"type": "RLIMIT_RSS", "soft": 1, "hard": 1}]);
    }));
    assert_ne!(code, 1);
    for line in [
        "no effect: /process/rlimits/0: no Linux since 2.6 looks at this limit",
        "no effect: /process/capabilities/permitted = \"CAP_CHOWN ",
        "no effect: /process/user/username = \"www-data\" is for Windows",
    ] {
        assert!(lines.iter().any(|found| found.starts_with(line)), "{line}: {lines:#?}");
    }
}

#[test]
fn unknown_and_misspelt_keys_are_told_with_what_was_meant() {
    let (code, lines) = validate(&plain().edit(|config| {
        config["process"]["noNewPrivilege"] = json!(true);
        config["linux"]["maskedPath"] = json!(["/proc/x"]);
        config["linux"]["resources"]["memory"] = json!({"limitt": 5});
        config["linux"]["seccomp"]["syscalls"][0]["argz"] = json!([]);
        config["annotations"] = json!({"org.example.maskedPath": "x"});
        config["windows"] = json!({"layerFolders": []});
    }));
    assert_ne!(code, 1);
    let unknown: Vec<&String> = lines.iter().filter(|line| line.starts_with("unknown key: ")).collect();
    let wanted = [
        ("/process/noNewPrivilege ", "did you mean \"noNewPrivileges\"?"),
        ("/linux/maskedPath ", "did you mean \"maskedPaths\"?"),
        ("/linux/resources/memory/limitt ", "did you mean \"limit\"?"),
        ("/linux/seccomp/syscalls/0/argz ", "did you mean \"args\"?"),
        ("/windows is for another operating system", ""),
    ];
    assert_eq!(unknown.len(), wanted.len(), "{unknown:#?}");
    for (what, remedy) in wanted {
        assert!(
            unknown.iter().any(|line| line.contains(what) && line.contains(remedy)),
            "{what}: {unknown:#?}"
        );
    }
}

#[test]
fn every_problem_is_told_and_the_exit_code_is_1() {
    let (code, lines) = validate(&plain().edit(|config| {
        config["process"]["cwd"] = "x".into();
        config["linux"]["namespaces"][0]["type"] = "pidd".into();
        config["linux"]["seccomp"]["syscalls"][0]["action"] = "SCMP_ACT_ALOW".into();
    }));
    assert_eq!(code, 1, "{lines:#?}");
    for line in [
        "error: /process/cwd = \"x\" is not an absolute path",
        "error: /linux/namespaces/0/type = \"pidd\" is not known (did you mean \"pid\"?",
        "error: /linux/seccomp/syscalls/0/action = \"SCMP_ACT_ALOW\": unknown action (did you mean \"SCMP_ACT_ALLOW\"?",
    ] {
        assert!(lines.iter().any(|found| found.starts_with(line)), "{line}: {lines:#?}");
    }
}

#[test]
fn what_cannot_be_read_as_a_config_is_a_problem_and_what_is_not_there_an_error() {
    let container = plain();
    for (text, line) in [
        ("{\"process\": 5}", "error: config.json: /process must be an object, not 5"),
        ("{", "error: config.json is not valid JSON"),
        ("", "error: config.json is empty"),
    ] {
        fs::write(container.bundle().join("config.json"), text).unwrap();
        for command in ["validate", "explain"] {
            let ended = container.call(&[command, container.bundle().to_str().unwrap()]);
            assert!(ended.code == 1 && ended.out.contains(line), "{text}: {ended:?}");
        }
    }
    let ended = container.call(&["validate", "/nonexistent/bundle"]);
    assert_eq!(ended.code, 1);
    assert!(ended.fails().contains("a bundle is a directory with config.json in it"));
}

/// A bundle may be anyone's, and to open a device may do something by that alone.
#[test]
fn a_link_to_a_device_is_not_opened_as_a_config() {
    let container = plain();
    let bundle = container.bundle();
    container.write_config();
    fs::remove_file(bundle.join("config.json")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", bundle.join("config.json")).unwrap();
    for command in ["validate", "explain", "create"] {
        let ended = match command {
            "create" => container.call(&["create", "--bundle", bundle.to_str().unwrap(), &container.id]),
            _ => container.call(&[command, bundle.to_str().unwrap()]),
        };
        assert!(ended.code == 1 && ended.err.contains("no such device"), "{ended:?}");
    }
}

#[test]
fn a_mount_of_the_containers_own_cgroup_is_no_obstacle() {
    let container = plain().edit(|config| {
        let kinds = config["linux"]["namespaces"].as_array_mut().unwrap();
        kinds.retain(|one| one["type"] != "cgroup");
        let options = ["nosuid", "noexec", "nodev", "ro"];
        let mount = json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": options});
        config["mounts"].as_array_mut().unwrap().push(mount);
    });
    let ended = explain(&container, &[]);
    assert!(ended.code == 0 && !ended.out.contains("cannot run here"), "{ended:?}");
}

#[test]
fn what_this_host_lacks_is_an_obstacle_and_the_rest_is_planned() {
    let container = plain().edit(|config| {
        config["root"]["path"] = "nothing".into();
        config["linux"]["intelRdt"] = json!({"closID": "no-such-group", "schemata": ["XX:0=f"]});
        config["hooks"] = json!({"prestart": [{"path": "/nonexistent/hook"}]});
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.push(
            json!({"destination": "/x", "type": "bind", "source": "/nonexistent/dir", "options": ["bind"]}),
        );
    });
    let (code, lines) = validate(&container);
    assert_eq!(code, 2, "{lines:#?}");
    for line in [
        "cannot run here: /root/path: open ",
        "cannot run here: /linux/intelRdt",
        "cannot run here: /hooks/prestart/0/path = \"/nonexistent/hook\"",
        "cannot run here: /mounts/7: open /nonexistent/dir: no such file or directory",
    ] {
        assert!(lines.iter().any(|found| found.starts_with(line)), "{line}: {lines:#?}");
    }
    let ended = explain(&container, &[]);
    assert!(
        ended.code == 2 && ended.out.contains("\nmounts\n") && ended.out.contains("\ncapabilities\n"),
        "{ended:?}"
    );
}

#[test]
fn text_of_a_config_cannot_command_the_terminal() {
    let container = plain().edit(|config| {
        config["process"]["args"] = json!(["true", "\u{1b}[2J"]);
        config["process"]["\u{1b}[31m"] = json!(1);
    });
    let out = explain(&container, &[]).out;
    assert!(!out.contains('\u{1b}') && out.contains("\\u{1b}[2J") && out.contains("\\u001b[31m"), "{out}");
}

/// `create` only warns, since a container can be made for its namespaces.
#[test]
fn a_config_without_a_process_is_no_valid_one() {
    let (code, lines) =
        validate(&plain().edit(|config| drop(config.as_object_mut().unwrap().remove("process"))));
    assert_eq!(code, 1, "{lines:#?}");
    let about: Vec<&String> = lines.iter().filter(|line| line.contains("/process is missing")).collect();
    assert!(about.len() == 1 && about[0].starts_with("error: "), "{lines:#?}");
    let misspelt = plain().edit(|config| {
        let process = config["process"].take();
        config.as_object_mut().unwrap().remove("process");
        config["proces"] = process;
    });
    let (code, lines) = validate(&misspelt);
    assert_eq!(code, 1);
    let named =
        "error: /process is missing (/proces is not a key of the specification: did you mean \"process\"?)";
    assert!(lines.iter().any(|line| line == named), "{lines:#?}");
}

/// What a kernel or a cgroup driver takes without a word, and a person does not mean.
#[test]
fn limits_and_paths_that_are_not_meant_so_are_warned_of() {
    let known = validate(&plain()).1;
    let cases: [Case; 4] = [
        ("warning: /process/rlimits/0/soft = \"1000000\" is a number of bytes", |c| {
            c["process"]["rlimits"] = json!([{"type": "RLIMIT_AS", "soft": 1_000_000, "hard": 1_000_000}]);
        }),
        ("warning: /linux/resources/memory/limit = \"1\" is a number of bytes", |c| {
            c["linux"]["resources"]["memory"] = json!({"limit": 1});
        }),
        ("warning: /linux/resources/memory/reservation = \"200000000\" is above the memory limit", |c| {
            c["linux"]["resources"]["memory"] = json!({"limit": 100_000_000, "reservation": 200_000_000});
        }),
        ("warning: /linux/cgroupsPath = \"system.slice:rr:x\" is slice:prefix:name", |c| {
            c["linux"]["cgroupsPath"] = json!("system.slice:rr:x");
        }),
    ];
    for (line, change) in cases {
        assert!(!known.iter().any(|known| known.starts_with(line)), "{line}");
        let (code, lines) = validate(&plain().edit(change));
        assert_eq!(code, 0, "{line}: {lines:#?}");
        assert!(lines.iter().any(|found| found.starts_with(line)), "{line}: {lines:#?}");
    }
}

#[test]
fn the_config_itself_stands_for_the_directory_that_it_is_in() {
    let container = plain();
    container.write_config();
    let bundle = container.bundle();
    let of = |directory: &std::path::Path, word: &str| {
        let mut command = container.command(&["validate", "--json", word]);
        command.current_dir(directory);
        let ended = crate::support::finish(command);
        let page: Value =
            serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
        (ended.code, page["findings"].clone())
    };
    let directory = of(&bundle, ".");
    assert_eq!(directory.0, 0, "{directory:?}");
    assert_eq!(of(&bundle, "config.json"), directory);
    assert_eq!(of(&container.dir, "bundle/config.json"), directory);
    let absolute = bundle.join("config.json");
    assert_eq!(of(std::path::Path::new("/"), absolute.to_str().unwrap()), directory);
}
