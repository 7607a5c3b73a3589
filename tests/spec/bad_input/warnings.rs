//! What is accepted: unknown fields in silence, what peers only warn about with a warning that names it.

use crate::bad_input::assert_nothing_left;
use crate::support::Container;
use serde_json::{Value, json};

/// What is odd; how the config gets it; what the warning names.
type Row = (&'static str, fn(&mut Value), &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        "an unknown capability",
        |c| c["process"]["capabilities"]["bounding"][0] = json!("CAP_DO_ANYTHING"),
        &["/process/capabilities/bounding/0", "CAP_DO_ANYTHING", "not a known capability"],
    ),
    (
        "a capability in small letters",
        |c| c["process"]["capabilities"]["bounding"][0] = json!("net_admin"),
        &["/process/capabilities/bounding/0", "net_admin", "did you mean \"CAP_NET_ADMIN\"?"],
    ),
    (
        "an unknown system call in a profile",
        |c| {
            let names = c["linux"]["seccomp"]["syscalls"][0]["names"].as_array_mut().unwrap();
            names.push(json!("no_such_call"));
        },
        &["no_such_call", "/linux/seccomp/syscalls/0/names/"],
    ),
    (
        "an ambient capability that is not inheritable",
        |c| c["process"]["capabilities"]["ambient"] = json!(["CAP_CHOWN"]),
        &["/process/capabilities/ambient", "CAP_CHOWN", "cannot become ambient"],
    ),
    (
        "a relative destination",
        |c| {
            c["mounts"]
                .as_array_mut()
                .unwrap()
                .push(json!({"destination": "opt", "type": "tmpfs", "source": "x"}))
        },
        &["/mounts/7/destination", "opt", "taken relative to /"],
    ),
    (
        "options that contradict each other",
        |c| {
            let mount =
                json!({"destination": "/opt", "type": "tmpfs", "source": "x", "options": ["ro", "rw"]});
            c["mounts"].as_array_mut().unwrap().push(mount);
        },
        &["/mounts/7/options/1", "rw", "the later one applies"],
    ),
    (
        "a device twice",
        |c| {
            let device = json!({"type": "c", "path": "/dev/other", "major": 1, "minor": 3});
            c["linux"]["devices"] = json!([device, device]);
        },
        &["/linux/devices/1/path", "/dev/other", "given twice"],
    ),
    ("an empty annotation key", |c| c["annotations"] = json!({"": "x"}), &["/annotations", "empty key"]),
];

#[test]
fn what_peers_accept_with_a_warning_runs_with_a_warning_that_names_it() {
    for (what, edit, words) in ROWS {
        let container = Container::new().sh("echo ran").edit(edit);
        let ended = container.run();
        assert!(ended.code == 0 && ended.out == "ran\n", "{what}: {ended:?}");
        let warning = ended.err.replace('\\', "");
        assert!(warning.contains("level=warning"), "{what}: {warning}");
        assert!(!warning.contains("level=error"), "{what}: {warning}");
        for word in *words {
            assert!(warning.contains(word), "{what}: {word:?} is wanted: {warning}");
        }
        assert_nothing_left(&container);
    }
}

#[test]
fn unknown_fields_are_ignored_in_silence() {
    let container = Container::new().sh("echo ran").edit(|config| {
        for pointer in [
            "",
            "/process",
            "/process/user",
            "/root",
            "/mounts/0",
            "/linux",
            "/linux/resources",
            "/linux/namespaces/0",
            "/linux/seccomp",
            "/linux/resources/devices/0",
        ] {
            config.pointer_mut(pointer).unwrap()["ofTheFuture"] = json!({"a": [1, "b", null]});
        }
        config["windows"] = json!({"layerFolders": ["x"]});
        config["solaris"] = json!({"milestone": 5});
        config["vm"] = json!({"kernel": {"path": "vmlinuz"}});
        config["zos"] = json!({"namespaces": [{"type": "pid"}]});
        config["freebsd"] = json!({"jail": {"vnet": "new"}});
        config["process"]["commandLine"] = json!("cmd.exe");
        config["process"]["user"]["username"] = json!("ContainerUser");
    });
    let ended = container.run();
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (0, "ran\n", ""));
}

#[test]
fn the_usual_config_runs_without_a_word() {
    let ended = Container::new().sh("echo ran").run();
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (0, "ran\n", ""));
}
