//! `process.rlimits` and `process.oomScoreAdj`.

use crate::support::Container;
use serde_json::json;
use std::fs;

fn limited(limits: serde_json::Value, script: &str) -> Container {
    Container::new().edit(|c| c["process"]["rlimits"] = limits).sh(script)
}

/// Soft and hard of the line that begins with `name` in /proc/PID/limits.
fn shown(out: &str, name: &str) -> (String, String) {
    let line = out.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {out}"));
    let mut words = line[26..].split_whitespace();
    (words.next().unwrap().to_owned(), words.next().unwrap().to_owned())
}

#[test]
fn every_resource_limit_is_set() {
    let table: [(&str, &str, u64, u64); 13] = [
        ("RLIMIT_CPU", "Max cpu time", 1000, 2000),
        ("RLIMIT_FSIZE", "Max file size", 1 << 30, 1 << 31),
        ("RLIMIT_DATA", "Max data size", 1 << 30, 1 << 31),
        ("RLIMIT_STACK", "Max stack size", 1 << 22, 1 << 23),
        ("RLIMIT_CORE", "Max core file size", 0, 1),
        ("RLIMIT_RSS", "Max resident set", 1 << 30, 1 << 31),
        ("RLIMIT_NPROC", "Max processes", 500, 600),
        ("RLIMIT_NOFILE", "Max open files", 100, 200),
        ("RLIMIT_MEMLOCK", "Max locked memory", 1 << 16, 1 << 17),
        ("RLIMIT_AS", "Max address space", 1 << 32, 1 << 33),
        // Nothing looks at this one any more.
        ("RLIMIT_LOCKS", "Max file locks", 50, 60),
        ("RLIMIT_SIGPENDING", "Max pending signals", 70, 80),
        ("RLIMIT_RTTIME", "Max realtime timeout", 5_000_000, 6_000_000),
    ];
    let limits = table.map(|(kind, _, soft, hard)| json!({"type": kind, "soft": soft, "hard": hard}));
    let out = limited(limits.to_vec().into(), "cat /proc/self/limits").run().ok();
    for (kind, name, soft, hard) in table {
        assert_eq!(shown(&out, name), (soft.to_string(), hard.to_string()), "{kind}");
    }
}

#[test]
fn a_hard_limit_is_raised_by_who_may_and_refused_by_its_field_to_who_may_not() {
    let limits = json!([
        {"type": "RLIMIT_MSGQUEUE", "soft": 900_000, "hard": 1_000_000},
        {"type": "RLIMIT_RTPRIO", "soft": 3, "hard": 4},
        {"type": "RLIMIT_NICE", "soft": 5, "hard": 6},
    ]);
    let ended = limited(limits, "cat /proc/self/limits").run();
    if !crate::has_capability(crate::SYS_RESOURCE) {
        assert!(ended.fails().contains("/process/rlimits/0"));
        skip!("no CAP_SYS_RESOURCE");
    }
    let out = ended.ok();
    assert_eq!(shown(&out, "Max msgqueue size"), ("900000".to_owned(), "1000000".to_owned()));
    assert_eq!(shown(&out, "Max realtime priority"), ("3".to_owned(), "4".to_owned()));
    assert_eq!(shown(&out, "Max nice priority"), ("5".to_owned(), "6".to_owned()));
}

#[test]
fn the_largest_number_is_unlimited() {
    let limits = json!([{"type": "RLIMIT_CORE", "soft": u64::MAX, "hard": u64::MAX}]);
    let out = limited(limits, "cat /proc/self/limits").run().ok();
    assert_eq!(shown(&out, "Max core file size"), ("unlimited".to_owned(), "unlimited".to_owned()));
}

#[test]
fn a_very_small_limit_of_open_files_is_the_programs_affair_alone() {
    for count in 3..=10u64 {
        let container = Container::new()
            .edit(|c| {
                c["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": count, "hard": count}]);
            })
            .args(&["/bin/sh", "-c", "ulimit -n"]);
        assert_eq!(container.run().ok(), format!("{count}\n"));
    }
}

#[test]
fn a_small_limit_of_open_files_holds_for_another_user_with_a_filter_too() {
    for no_new in [false, true] {
        let container = Container::new()
            .edit(|c| {
                c["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 4, "hard": 4}]);
                c["process"]["user"] = json!({"uid": 1000, "gid": 1000});
                c["process"]["noNewPrivileges"] = no_new.into();
            })
            .args(&["/bin/sh", "-c", "ulimit -Hn"]);
        assert_eq!(container.run().ok(), "4\n");
    }
}

#[test]
fn a_hard_limit_of_open_files_above_the_callers_is_given_to_another_user() {
    if !crate::has_capability(crate::SYS_RESOURCE) {
        skip!("no CAP_SYS_RESOURCE");
    }
    let container = Container::new().args(&["/bin/cat", "/proc/self/limits"]).edit(|c| {
        c["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 300_000, "hard": 400_000}]);
        c["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    });
    let out = crate::host_script(&container, "ulimit -n 1024; $RR").ok();
    assert_eq!(shown(&out, "Max open files"), ("300000".to_owned(), "400000".to_owned()));
}

#[test]
fn a_limit_of_address_space_has_its_effect() {
    let container = limited(
        json!([{"type": "RLIMIT_FSIZE", "soft": 4096, "hard": 4096}]),
        "dd if=/dev/zero of=/tmp/big bs=1k count=100; stat -c %s /tmp/big",
    );
    assert!(container.run().out.contains("4096"));
}

#[test]
fn an_unknown_limit_is_refused_and_of_one_given_twice_the_last_counts() {
    let err = limited(json!([{"type": "RLIMIT_FUN", "soft": 1, "hard": 1}]), "true").run().fails();
    assert!(err.contains("/process/rlimits/0/type") && err.contains("RLIMIT_FUN"), "{err}");
    let twice = json!([{"type": "RLIMIT_NOFILE", "soft": 9, "hard": 9}, {"type": "RLIMIT_NOFILE", "soft": 90, "hard": 90}]);
    assert_eq!(limited(twice, "ulimit -n").run().ok(), "90\n");
    let above = json!([{"type": "RLIMIT_CPU", "soft": 3, "hard": 2}]);
    assert!(limited(above, "true").run().fails().contains("/process/rlimits/0"));
}

#[test]
fn the_score_of_the_oom_killer_is_set_in_both_directions() {
    for score in [-1000, -500, 0, 1, 1000] {
        if score < 0 && !crate::has_capability(crate::SYS_RESOURCE) {
            let container = Container::new().edit(|c| c["process"]["oomScoreAdj"] = score.into()).sh("true");
            assert!(container.run().fails().contains("/process/oomScoreAdj"));
            continue;
        }
        let container = Container::new()
            .edit(|c| c["process"]["oomScoreAdj"] = score.into())
            .args(&["/bin/cat", "/proc/self/oom_score_adj"]);
        assert_eq!(container.run().ok(), format!("{score}\n"));
    }
}

#[test]
fn without_a_score_the_callers_is_kept() {
    let container = Container::new()
        .edit(|c| {
            c["process"].as_object_mut().unwrap().remove("oomScoreAdj");
        })
        .args(&["/bin/cat", "/proc/self/oom_score_adj"]);
    assert_eq!(crate::host_script(&container, "echo 234 > /proc/self/oom_score_adj; $RR").ok(), "234\n");
    let ours = fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    assert_eq!(container.run().ok(), ours);
}

#[test]
fn a_score_out_of_range_is_refused_by_its_field() {
    let container = Container::new().edit(|c| c["process"]["oomScoreAdj"] = 1001.into()).sh("true");
    let err = container.run().fails();
    assert!(err.contains("/process/oomScoreAdj") && err.contains("1001"), "{err}");
}
