//! `doctor` and `info`: what is said of hosts that lack something, in words, in JSON and by the exit code.

use crate::support::cli::{Said, Scratch, rruntime, said};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_rruntime");

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"))
}

/// By a shell, whose last command it is.
fn after(script: &str) -> Said {
    said(Command::new("sh").args(["-c", &format!("{script} \"$0\" doctor --json"), BINARY]).output().unwrap())
}

fn finding<'a>(found: &'a Value, name: &str) -> Option<&'a Value> {
    found["findings"].as_array().unwrap().iter().find(|finding| finding["name"] == name)
}

#[track_caller]
fn assert_found(said: &Said, name: &str, verdict: &str, remedy: &str) {
    let found = json(said);
    let finding = finding(&found, name).unwrap_or_else(|| panic!("{name}: {said:?}"));
    assert_eq!(finding["verdict"], verdict, "{finding}");
    assert!(finding["remedy"].as_str().unwrap().contains(remedy), "{finding}");
    assert_eq!(said.code, if verdict == "problem" { 2 } else { said.code }, "{said:?}");
}

#[test]
fn words_json_and_exit_code_say_the_same_of_this_host() {
    let (words, of_json) = (rruntime(&["doctor"]), rruntime(&["doctor", "--json"]));
    let found = json(&of_json);
    let all = found["findings"].as_array().unwrap();
    let count = |verdict: &str| all.iter().filter(|finding| finding["verdict"] == verdict).count();
    let (problems, notes) = (count("problem"), count("note"));
    assert_eq!(problems + notes, all.len());
    let marked = |mark| words.out.lines().filter(|line| line.starts_with(mark)).count();
    assert_eq!((marked('!'), marked('*')), (problems, notes), "{words:?}");
    assert!(words.out.ends_with(&format!("problems (!): {problems}, notes (*): {notes}\n")), "{words:?}");
    assert_eq!((words.code, of_json.code), if problems > 0 { (2, 2) } else { (0, 0) });
    for finding in all {
        let (section, name) = (finding["section"].as_str().unwrap(), finding["name"].as_str().unwrap());
        assert!(found[section].get(name).is_some(), "a finding is of a fact that is there: {finding}");
        assert!(words.out.contains(finding["remedy"].as_str().unwrap()), "{finding}");
    }
    let missing = found["kernel"]["systemCallsThatAreRefused"].as_array().unwrap();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(found["kernel"]["statmount"].is_boolean() && found["security"]["landlock"].is_u64(), "{found}");
}

/// Scripts have read it since it was there.
#[test]
fn info_has_all_that_it_had_and_its_exit_code() {
    for arguments in [&["info", "--format", "json"][..], &["info", "-f", "json"], &["info", "--json"]] {
        let info = rruntime(arguments);
        assert_eq!((info.code, info.err.as_str()), (0, ""));
        let found = json(&info);
        for (section, names) in [
            ("rruntime", &["version", "commit", "specification", "stateDirectory"][..]),
            ("kernel", &["release", "machine", "namespaces", "cgroupKill", "idMappedOverlay"]),
            ("caller", &["userId", "mayMount", "inAUserNamespace", "capabilities"]),
            ("cgroups", &["layout", "controllers"]),
            ("security", &["modules", "apparmor", "selinux", "seccompActions", "resctrl", "memoryPolicies"]),
            ("idMaps", &["newuidmap", "newgidmap", "subordinateUserIds", "subordinateGroupIds"]),
            (
                "limits",
                &[
                    "processors",
                    "memory",
                    "swap",
                    "openFiles",
                    "processes",
                    "userNamespaces",
                    "mountsInANamespace",
                    "keysOfAUser",
                ],
            ),
        ] {
            for name in names {
                assert!(found[section].get(name).is_some(), "{section}.{name}: {found}");
            }
        }
    }
    assert_eq!(rruntime(&["info"]).code, 0);
}

#[test]
fn a_wrong_line_is_refused_with_code_1_and_nothing_is_shown() {
    for (arguments, words) in [
        (&["doctor", "here"][..], "requires exactly 0"),
        (&["doctor", "--format", "yaml"], "use table or json"),
        (&["doctor", "--measur"], "--measure"),
    ] {
        let said = rruntime(arguments);
        assert_eq!((said.code, said.out.contains("kernel")), (1, false), "{said:?}");
        assert!(said.err.contains(words), "{said:?}");
    }
}

#[test]
fn a_limit_that_engines_ask_for_and_this_caller_may_not_set_is_a_problem() {
    if !nix::unistd::geteuid().is_root() {
        skip!("for root");
    }
    let said = after("ulimit -n 1024; exec setpriv --bounding-set -sys_resource");
    assert_found(&said, "openFilesAtMost", "problem", "nofile=1024:1024");
    let said = after("exec setpriv --reuid 12345 --clear-groups prlimit --nofile=512:512");
    assert_found(&said, "openFilesAtMost", "note", "nofile=512:512");
}

#[test]
fn what_refuses_user_namespaces_is_named() {
    if !nix::unistd::geteuid().is_root() {
        skip!("for root");
    }
    let set = "echo 0 > /proc/sys/user/max_user_namespaces; exec";
    let said = after(&format!("exec unshare --user --map-root-user --mount sh -c '{set} \"$@\"' sh"));
    assert_found(&said, "userNamespaces", "note", "user.max_user_namespaces");
    assert_eq!(json(&said)["idMaps"]["userNamespaces"], false);
}

#[test]
fn what_an_ordinary_user_lacks_is_named() {
    if !nix::unistd::geteuid().is_root() {
        skip!("root becomes an ordinary user for it");
    }
    let user = "exec setpriv --reuid 12345 --regid 12345 --clear-groups env -u XDG_RUNTIME_DIR -u DBUS_SESSION_BUS_ADDRESS";
    let said = after(user);
    assert_found(&said, "subordinateUserIds", "note", "usermod --add-subuids");
    assert_found(&said, "answers", "note", "enable-linger");
    assert_found(&said, "mayMakeCgroups", "note", "systemd-run --user");
    assert_eq!(json(&said)["caller"]["userId"], 12345);
    let said = after(&user.replace("--clear-groups", "--clear-groups --no-new-privs"));
    assert_found(&said, "noNewPrivileges", "problem", "newuidmap");
}

#[test]
fn a_covered_part_of_proc_is_a_problem_in_a_user_namespace() {
    if !nix::unistd::geteuid().is_root() {
        skip!("for root");
    }
    let cover = "exec unshare --mount sh -c 'mount -t tmpfs none /proc/sys/fs; exec \"$@\"' sh";
    assert_eq!(finding(&json(&after(cover)), "procIsMasked"), None, "root mounts a proc all the same");
    let user = cover.replace("exec \"$@\"", "exec setpriv --reuid 12345 --clear-groups \"$@\"");
    assert_found(&after(&user), "procIsMasked", "problem", "unmask=ALL");
}

#[test]
fn records_on_a_disk_are_a_note_and_those_in_memory_are_none() {
    // A directory of /proc is neither written to nor in memory; one that is not there yet counts by what is above it.
    for (root, is_noted) in [("/dev/shm/rr-none/x", false), ("/proc/rr-none", true)] {
        let said = rruntime(&["--root", root, "doctor", "--json"]);
        let found = json(&said);
        assert_eq!(found["rruntime"]["stateDirectory"], root);
        assert_eq!(found["rruntime"]["stateInMemory"], !is_noted, "{found}");
        let remedy = finding(&found, "stateInMemory").map(|finding| finding["remedy"].to_string());
        assert_eq!(remedy.is_some_and(|text| text.contains("tmpfs")), is_noted, "{found}");
        assert!(!std::path::Path::new(root).exists());
    }
}

#[test]
fn a_criu_that_is_missing_or_too_old_is_a_note() {
    let scratch = Scratch::new();
    let criu = scratch.file("criu");
    let here = scratch.path().display();
    assert_found(&after(&format!("PATH={here} exec")), "program", "note", "CRIU 4.2 or newer");
    for (version, is_old) in [("3.17.1", true), ("4.1", true), ("4.2", false), ("10.0", false)] {
        fs::write(&criu, format!("#!/bin/sh\necho Version: {version}\necho GitID: v{version}\n")).unwrap();
        fs::set_permissions(&criu, fs::Permissions::from_mode(0o755)).unwrap();
        let said = after(&format!("PATH={here}:$PATH exec"));
        let found = json(&said);
        assert_eq!(found["checkpoint"]["version"], version, "{found}");
        assert_eq!(finding(&found, "version").is_some(), is_old, "{found}");
    }
}

#[test]
fn costs_are_measured_where_that_is_asked_for_and_nothing_stays() {
    assert!(json(&rruntime(&["doctor", "--json"]))["costs"].is_null());
    let said = rruntime(&["doctor", "--measure", "--json"]);
    let found = json(&said);
    for name in ["process", "networkNamespace", "mountNamespace"] {
        assert!(found["costs"][name].as_u64().is_some(), "{name}: {said:?}");
    }
    assert!(found["costs"]["process"].as_u64().unwrap() > 0, "{said:?}");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    let counted = found["costs"]["mounts"].as_u64().unwrap() as usize;
    assert!(counted.abs_diff(mounts) < 50, "{counted}: {mounts}");
    if let Some(own) = found["cgroups"]["ownCgroup"].as_str() {
        let below = fs::read_dir(own).unwrap().flatten().map(|entry| entry.file_name());
        let left: Vec<_> = below.filter(|name| name.to_string_lossy().contains("rruntime-doctor")).collect();
        assert!(left.is_empty(), "{left:?}");
        let may = found["cgroups"]["mayMakeCgroups"] == true;
        assert_eq!(found["costs"]["cgroup"].is_u64(), may, "{found}");
    }
}
