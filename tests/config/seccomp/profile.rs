//! `linux.seccomp`, from the profile to what the program sees of it.

use crate::support::Container;
use serde_json::{Value, json};

/// A container with this profile; unless it says otherwise, everything is allowed.
fn filtered(mut profile: Value) -> Container {
    if profile.get("defaultAction").is_none() {
        profile["defaultAction"] = "SCMP_ACT_ALLOW".into();
    }
    Container::new().edit(|c| c["linux"]["seccomp"] = profile)
}

fn rule(names: &[&str], action: &str) -> Value {
    json!({"syscalls": [{"names": names, "action": action}]})
}

/// With and without no_new_privs: the filter is loaded by different rights.
fn both(container: impl Fn() -> Container, check: impl Fn(Container)) {
    for no_new in [false, true] {
        check(container().edit(|c| c["process"]["noNewPrivileges"] = no_new.into()));
    }
}

#[test]
fn a_refused_call_fails_with_the_errno_of_the_rule() {
    for (errno, text) in
        [(None, "not permitted"), (Some(38), "not implemented"), (Some(28), "No space"), (Some(122), "quota")]
    {
        let make = || {
            let mut profile = rule(&["mkdir", "mkdirat"], "SCMP_ACT_ERRNO");
            if let Some(errno) = errno {
                profile["syscalls"][0]["errnoRet"] = errno.into();
            }
            filtered(profile).sh("mkdir /tmp/x")
        };
        both(make, |container| {
            let err = container.run().fails();
            assert!(err.contains(text), "{errno:?}: {err}");
        });
    }
}

#[test]
fn the_default_action_has_its_own_errno() {
    let mut profile: Value = serde_json::from_str::<Value>(include_str!("../../data/docker-default.json"))
        .unwrap()["linux"]["seccomp"]
        .clone();
    profile["defaultErrnoRet"] = 95.into();
    let err = filtered(profile).sh("unshare -U true").run().fails();
    assert!(err.contains("not supported"), "{err}");
}

#[test]
fn a_killed_program_ends_by_sigsys() {
    for action in ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"] {
        let make = || filtered(rule(&["mkdir", "mkdirat"], action)).args(&["/bin/mkdir", "/tmp/x"]);
        both(make, |container| {
            let ended = container.run();
            assert_eq!(ended.code, 128 + libc::SIGSYS, "{action}: {ended:?}");
            assert!(!container.rootfs().join("tmp/x").exists());
        });
    }
}

#[test]
fn a_logged_call_goes_on_and_an_untraced_trace_fails() {
    assert_eq!(
        filtered(rule(&["mkdir", "mkdirat"], "SCMP_ACT_LOG")).sh("mkdir /tmp/x && echo made").run().ok(),
        "made\n"
    );
    let err = filtered(rule(&["mkdir", "mkdirat"], "SCMP_ACT_TRACE")).sh("mkdir /tmp/x").run().fails();
    assert!(err.contains("not implemented"), "{err}");
}

#[test]
fn argument_operators_compare_what_the_program_passes() {
    // chmod(path, mode): the mode is argument 1; busybox calls chmod, other libraries fchmodat with argument 2.
    for (op, value, second, refused) in [
        ("SCMP_CMP_EQ", 0o700, 0, vec!["700"]),
        ("SCMP_CMP_NE", 0o700, 0, vec!["600", "644", "4755"]),
        ("SCMP_CMP_LT", 0o644, 0, vec!["600"]),
        ("SCMP_CMP_LE", 0o644, 0, vec!["600", "644"]),
        ("SCMP_CMP_GE", 0o700, 0, vec!["700", "4755"]),
        ("SCMP_CMP_GT", 0o700, 0, vec!["4755"]),
        ("SCMP_CMP_MASKED_EQ", 0o4000, 0o4000, vec!["4755"]),
    ] {
        let condition = |index: u32| json!([{"index": index, "value": value, "valueTwo": second, "op": op}]);
        let profile = json!({"syscalls": [
            {"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18, "args": condition(1)},
            {"names": ["fchmodat", "fchmodat2"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18, "args": condition(2)},
        ]});
        let make = || {
            filtered(profile.clone())
                .sh("for m in 600 644 700 4755; do chmod $m /tmp 2>/dev/null || echo $m; done")
        };
        let expected: String = refused.iter().map(|mode| format!("{mode}\n")).collect();
        both(make, |container| assert_eq!(container.run().ok(), expected, "{op}"));
    }
}

#[test]
fn a_profile_without_the_calls_of_the_runtime_itself_still_loads() {
    // What init does between a naively early filter and the program: none of it is the program's affair.
    let deadly = [
        "execveat",
        "capset",
        "capget",
        "setgroups",
        "setresuid",
        "setresgid",
        "sendmsg",
        "sendto",
        "recvmsg",
        "recvfrom",
        "accept4",
        "chdir",
        "fchdir",
        "umask",
        "setsid",
        "close_range",
        "close",
        "seccomp",
        "openat2",
        "mount",
        "move_mount",
        "pivot_root",
        "getcwd",
        "rt_sigaction",
        "rt_sigprocmask",
        "mmap",
        "openat",
        "fstat",
        "statx",
    ];
    // What busybox does without needing it.
    let refused = ["prctl", "prlimit64", "newfstatat"];
    let profile = json!({"syscalls": [
        {"names": deadly, "action": "SCMP_ACT_KILL_PROCESS"}, {"names": refused, "action": "SCMP_ACT_ERRNO"},
    ]});
    for (uid, ambient) in [(0, false), (1000, false), (1000, true)] {
        let make = || {
            filtered(profile.clone()).args(&["/bin/echo", "on"]).edit(|c| {
                c["process"]["user"] = json!({"uid": uid, "gid": uid});
                c["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64}]);
                if ambient {
                    let one = json!(["CAP_CHOWN"]);
                    c["process"]["capabilities"] =
                        json!({"bounding": one, "effective": one, "permitted": one, "inheritable": one, "ambient": one});
                }
            })
        };
        both(make, |container| assert_eq!(container.run().ok(), "on\n", "uid {uid}"));
    }
}

#[test]
fn a_profile_that_allows_little_more_than_exec_is_enough_for_a_program_that_needs_little() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "syscalls": [{
            "names": ["execve", "brk", "arch_prctl", "set_tid_address", "mprotect", "write", "exit_group"],
            "action": "SCMP_ACT_ALLOW",
        }],
    });
    both(
        || filtered(profile.clone()).args(&["/bin/echo", "on"]),
        |container| assert_eq!(container.run().ok(), "on\n"),
    );
}

#[test]
fn the_program_runs_in_filter_mode_and_without_a_profile_in_none() {
    let args = ["/bin/grep", "^Seccomp:", "/proc/self/status"];
    both(|| Container::new().args(&args), |container| assert_eq!(container.run().ok(), "Seccomp:\t2\n"));
    let container = Container::new().args(&args).edit(|c| {
        c["linux"].as_object_mut().unwrap().remove("seccomp");
    });
    assert_eq!(container.run().ok(), "Seccomp:\t0\n");
}

#[test]
fn dockers_profile_refuses_what_it_is_for_and_allows_the_rest() {
    let ended = Container::new()
        .sh("unshare -U true; mount -t tmpfs x /tmp; dmesg; ls / > /dev/null && echo files; sleep 0 && echo children")
        .run();
    assert_eq!(ended.out, "files\nchildren\n");
    assert!(ended.err.matches("not permitted").count() >= 2, "{ended:?}");
}

#[test]
fn flags_of_the_filter_are_accepted_by_the_kernel() {
    for flags in [
        json!(["SECCOMP_FILTER_FLAG_LOG"]),
        json!(["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]),
        json!([]),
        json!(["SECCOMP_FILTER_FLAG_TSYNC"]),
    ] {
        let mut profile = rule(&["mkdir", "mkdirat"], "SCMP_ACT_ERRNO");
        profile["flags"] = flags.clone();
        let make = || filtered(profile.clone()).sh("mkdir /tmp/x || echo refused");
        both(make, |container| assert_eq!(container.run().ok(), "refused\n", "{flags}"));
    }
}

#[test]
fn an_unknown_call_is_a_warning_and_an_unknown_action_an_error() {
    let ended = filtered(rule(&["no_such_call", "mkdir", "mkdirat"], "SCMP_ACT_ERRNO"))
        .sh("mkdir /tmp/x || echo refused")
        .run();
    assert!(ended.out == "refused\n" && ended.err.contains("no_such_call"), "{ended:?}");
    let container = filtered(rule(&["mkdir"], "SCMP_ACT_MAYBE")).sh("true");
    let err = container.run().fails();
    assert!(err.contains("/linux/seccomp") && err.contains("SCMP_ACT_MAYBE"), "{err}");
    container.assert_gone();
}

#[test]
fn a_hundred_warnings_are_told_and_the_rest_counted() {
    let names: Vec<String> = (0..5000).map(|number| format!("nope{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ended = filtered(rule(&names, "SCMP_ACT_ERRNO")).sh("true").run();
    assert!(ended.err.contains("4900 more warnings are not shown"), "{ended:?}");
    assert_eq!(ended.err.lines().count(), 101);
}

#[test]
fn the_filter_holds_for_a_process_that_joins_later() {
    let container = filtered(rule(&["mkdir", "mkdirat"], "SCMP_ACT_ERRNO")).sh("sleep 1000").started();
    let ended = container.exec_sh("grep ^Seccomp: /proc/self/status; mkdir /tmp/x");
    assert_eq!(ended.out, "Seccomp:\t2\n");
    assert!(ended.fails().contains("not permitted"));
}

/// It can neither become the program nor say so nor end as programs do; it must not go round for ever.
#[test]
fn a_profile_that_refuses_every_call_ends_the_container() {
    for architectures in [json!(["SCMP_ARCH_X86_64"]), json!([])] {
        let profile = json!({"defaultAction": "SCMP_ACT_ERRNO", "architectures": architectures});
        let container = Container::new().sh("true").edit(|c| c["linux"]["seccomp"] = profile);
        assert_ne!(container.run().code, 0);
        container.assert_gone();
    }
}
