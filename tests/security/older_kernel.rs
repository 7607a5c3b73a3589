//! Lives on what an older kernel would answer.

use crate::support::Container;
use crate::support::older_kernel::without;
use serde_json::json;
use std::fs;
use std::process::Stdio;

/// Every call of ours that is newer than Linux 3.10, or that a kernel can be built without.
const NEWER: [&str; 26] = [
    "sched_setattr",
    "seccomp",
    "memfd_create",
    "getrandom",
    "bpf",
    "execveat",
    "statx",
    "pidfd_send_signal",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "clone3",
    "pidfd_open",
    "openat2",
    "pidfd_getfd",
    "faccessat2",
    "close_range",
    "mount_setattr",
    "set_mempolicy",
    "keyctl",
    "add_key",
    "ioprio_set",
    "personality",
    "signalfd4",
];

#[test]
fn a_life_without_a_call_works_or_says_which_kernel_has_it() {
    for name in NEWER {
        let container = Container::new().sh("sleep 1000").edit(|config| {
            config["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_BE", "priority": 5});
            config["process"]["scheduler"] = json!({"policy": "SCHED_BATCH"});
        });
        let (id, bundle) = (container.id.clone(), container.bundle().display().to_string());
        let commands: [&[&str]; 7] = [
            &["run", "--detach", "--bundle", &bundle, &id],
            &["exec", &id, "true"],
            &["state", &id],
            &["pause", &id],
            &["resume", &id],
            &["kill", &id, "KILL"],
            &["delete", "--force", &id],
        ];
        container.write_config();
        let run = |arguments: &[&str]| {
            // A container that stays holds no pipe of ours.
            let log = fs::File::create(container.dir.join("said")).unwrap();
            let mut command = container.command(arguments);
            let status = command.stdout(Stdio::null()).stderr(log).status().unwrap();
            (status.success(), fs::read_to_string(container.dir.join("said")).unwrap())
        };
        let mut lacking = 0;
        for arguments in commands {
            let refused = arguments[0] != "run" && !container.state_root().join(&id).exists();
            if refused {
                // Nothing was made, so the other commands are asked of one that the whole kernel has made.
                assert!(run(commands[0]).0, "{name}: a kernel that has it");
            }
            let (done, text) = without(name, || run(arguments));
            let told = text.contains("Linux 5.12") || text.contains("the kernel needs CONFIG_");
            assert!(done || told, "without {name}, {}: {text}", arguments[0]);
            lacking += u32::from(!done);
        }
        eprintln!("{name}: {lacking} of {} commands need it", commands.len());
        container.call(&["delete", "--force", &id]).ok();
        container.assert_gone();
    }
}

#[test]
fn doctor_names_the_calls_that_are_refused() {
    for name in ["openat2", "fsopen", "clone3", "execveat", "seccomp"] {
        let said = without(name, || {
            let mut doctor = std::process::Command::new(env!("CARGO_BIN_EXE_rruntime"));
            doctor.args(["doctor", "--json"]).output().unwrap()
        });
        let found: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        assert_eq!(found["kernel"]["systemCallsThatAreRefused"], json!([name]), "{name}");
        assert_eq!(said.status.code(), Some(2), "{name}");
    }
}
