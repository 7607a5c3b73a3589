//! Users and capabilities: CVE-2016-3697, CVE-2022-29162, CVE-2022-27650, CVE-2024-40635, CVE-2026-30892.

use crate::support::Container;
use serde_json::json;
use std::fs;

const IDS: &str = "grep -E '^(Uid|Gid|Groups):' /proc/self/status";

/// A passwd file that gives names of numbers to root.
fn tricky() -> Container {
    let container = Container::new();
    let passwd =
        "1000:x:0:0::/root:/bin/sh\n1:x:0:0::/:/bin/sh\nroot:x:1000:1000::/:/bin/sh\n:x:0:0::/:/bin/sh\n";
    fs::write(container.rootfs().join("etc/passwd"), passwd).unwrap();
    fs::write(container.rootfs().join("etc/group"), "1000:x:0:\n2:x:0:\n").unwrap();
    container
}

fn status(uid: u32, gid: u32) -> (String, String) {
    (format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}"), format!("Gid:\t{gid}\t{gid}\t{gid}\t{gid}"))
}

#[track_caller]
fn assert_ids(out: &str, uid: u32, gid: u32) {
    let (uid, gid) = status(uid, gid);
    assert!(out.contains(&uid) && out.contains(&gid), "{out}");
}

#[test]
fn a_number_is_never_looked_up_as_a_name() {
    let container =
        tricky().sh(IDS).edit(|config| config["process"]["user"] = json!({"uid": 1000, "gid": 1000}));
    assert_ids(&container.run().ok(), 1000, 1000);
}

#[test]
fn exec_as_a_user_is_that_user_or_an_error() {
    let container = tricky().sh("sleep 1000").started();
    for (user, ids) in [
        ("0", Some((0, 0))),
        ("1", Some((1, 0))),
        ("1:2", Some((1, 2))),
        ("1000", Some((1000, 0))),
        ("1000:1000", Some((1000, 1000))),
        ("2147483648:2147483648", Some((2_147_483_648, 2_147_483_648))),
        ("4294967294:4294967294", Some((4_294_967_294, 4_294_967_294))),
        ("4294967295", None),
        ("4294967296", None),
        ("1:4294967295", None),
        ("1:4294967296", None),
        ("18446744073709551616", None),
        ("10000000000", None),
        ("1e10", None),
        ("-1", None),
        ("+1", None),
        // As if it were not given, for runc too.
        ("", Some((0, 0))),
        (":", None),
        ("1:", None),
        (":2", None),
        ("0x1", None),
        ("1 ", None),
        ("abc", None),
        ("root", None),
        ("1000:wheel", None),
        ("1:2:3", None),
        ("1x", None),
        (" 1", None),
        ("1:-1", None),
    ] {
        let ended = container.call(&["exec", &format!("--user={user}"), &container.id, "sh", "-c", IDS]);
        match ids {
            Some((uid, gid)) => assert_ids(&ended.ok(), uid, gid),
            None => assert!(!ended.out.contains("Uid:") && ended.code != 0, "{user}: {}", ended.out),
        }
    }
}

#[test]
fn a_user_of_the_config_beyond_the_kernels_ids_is_refused() {
    for (field, value) in [
        ("uid", json!(4_294_967_295u64)),
        ("uid", json!(4_294_967_296u64)),
        ("uid", json!(-1)),
        ("uid", json!("1000")),
        ("uid", json!(1.5)),
        ("gid", json!(4_294_967_295u64)),
        ("gid", json!(4_294_967_296u64)),
        ("additionalGids", json!([4_294_967_295u64])),
    ] {
        let container =
            Container::new().sh(IDS).edit(|config| config["process"]["user"][field] = value.clone());
        let ended = container.run();
        assert!(!ended.out.contains("Uid:"), "{field} {value}: {}", ended.out);
        ended.fails();
        container.assert_gone();
    }
}

#[test]
fn supplementary_groups_of_the_caller_stay_outside() {
    let container = Container::new().sh(IDS).edit(|config| {
        config["process"]["user"] = json!({"uid": 5, "gid": 6, "additionalGids": [7, 9]});
    });
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id);
    let out = crate::support::finish(command).ok();
    assert_ids(&out, 5, 6);
    let groups = out.lines().find(|line| line.starts_with("Groups:")).unwrap();
    assert_eq!(groups.split_whitespace().collect::<Vec<_>>(), ["Groups:", "7", "9"]);
}

#[test]
fn exec_with_a_capability_makes_nothing_inheritable() {
    let container = Container::new().sh("sleep 1000").started();
    let script = "grep -E '^Cap(Inh|Amb|Prm|Bnd):' /proc/self/status";
    for options in [&["--cap", "CAP_NET_ADMIN"][..], &["--cap", "CAP_SYS_PTRACE", "--user", "1000:1000"], &[]]
    {
        let mut args = vec!["exec"];
        args.extend(options);
        args.extend([&*container.id, "sh", "-c", script]);
        let out = container.call(&args).ok();
        for set in ["CapInh", "CapAmb"] {
            assert!(out.contains(&format!("{set}:\t0000000000000000")), "{options:?}: {out}");
        }
    }
}

#[test]
fn a_container_inherits_no_capability_that_its_config_does_not_name() {
    let script = "grep ^Cap /proc/self/status";
    let container = Container::new().sh(script).edit(|config| {
        config["process"]["capabilities"] = json!({"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"]});
    });
    let out = container.run().ok();
    for (set, mask) in [("CapInh", 0), ("CapAmb", 0), ("CapEff", 0x20), ("CapPrm", 0x20), ("CapBnd", 0x20)] {
        // The exec by root turns the bounding set into the permitted and effective ones.
        assert!(out.contains(&format!("{set}:\t{mask:016x}")), "{out}");
    }
}

#[test]
fn the_template_of_spec_names_no_inheritable_capability() {
    let container = Container::new();
    let bundle = container.dir.join("fresh");
    fs::create_dir(&bundle).unwrap();
    container.call(&["spec", "--bundle", bundle.to_str().unwrap()]).ok();
    let text = fs::read(bundle.join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let inheritable = &config["process"]["capabilities"]["inheritable"];
    assert!(inheritable.is_null() || inheritable == &json!([]), "{inheritable}");
}
