//! `process.user`, `process.capabilities`, `process.noNewPrivileges`.

use crate::support::Container;
use serde_json::{Value, json};

const NET_RAW: u64 = 1 << 13;
const CHOWN: u64 = 1;
const KILL: u64 = 1 << 5;
const NET_BIND: u64 = 1 << 10;

/// The five sets as the program finds them: inheritable, permitted, effective, bounding, ambient.
fn sets(container: Container) -> [u64; 5] {
    let out = container.args(&["/bin/grep", "Cap", "/proc/self/status"]).run().ok();
    let mut found =
        out.lines().map(|line| u64::from_str_radix(line.split('\t').nth(1).unwrap(), 16).unwrap());
    std::array::from_fn(|_| found.next().expect("five sets are shown"))
}

fn with(capabilities: Value) -> Container {
    Container::new().edit(|c| c["process"]["capabilities"] = capabilities)
}

fn as_user(container: Container, uid: u32) -> Container {
    container.edit(|c| c["process"]["user"] = json!({"uid": uid, "gid": uid}))
}

#[test]
fn root_has_the_sets_of_the_config() {
    let names = json!(["CAP_CHOWN", "CAP_KILL"]);
    let container = with(json!({"bounding": names, "effective": names, "permitted": names}));
    let both = CHOWN | KILL;
    assert_eq!(sets(container), [0, both, both, both, 0]);
}

#[test]
fn inheritable_and_ambient_sets_are_roots_too() {
    let names = json!(["CAP_CHOWN", "CAP_KILL"]);
    let container = with(json!({
        "bounding": names, "effective": names, "permitted": names, "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"],
    }));
    let both = CHOWN | KILL;
    assert_eq!(sets(container), [KILL, both, both, both, KILL]);
}

#[test]
fn another_user_than_root_keeps_the_bounding_set_only() {
    let names = json!(["CAP_CHOWN", "CAP_KILL"]);
    let container = with(json!({"bounding": names, "effective": names, "permitted": names}));
    assert_eq!(sets(as_user(container, 1000)), [0, 0, 0, CHOWN | KILL, 0]);
}

#[test]
fn another_user_than_root_has_its_ambient_set() {
    let names = json!(["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]);
    let container = with(json!({
        "bounding": names, "effective": names, "permitted": names, "inheritable": names,
        "ambient": ["CAP_NET_BIND_SERVICE"],
    }));
    let expected = [CHOWN | NET_BIND, NET_BIND, NET_BIND, CHOWN | NET_BIND, NET_BIND];
    assert_eq!(sets(as_user(container, 1000)), expected);
}

#[test]
fn the_sets_are_the_same_with_and_without_a_filter_and_no_new_privileges() {
    let names = json!(["CAP_CHOWN", "CAP_NET_RAW"]);
    for uid in [0, 1000] {
        let mut found = Vec::new();
        for (filter, no_new) in [(true, true), (true, false), (false, true), (false, false)] {
            let container = with(json!({
                "bounding": names, "effective": names, "permitted": names, "inheritable": names, "ambient": ["CAP_CHOWN"],
            }))
            .edit(|c| {
                c["process"]["noNewPrivileges"] = no_new.into();
                if !filter {
                    c["linux"].as_object_mut().unwrap().remove("seccomp");
                }
            });
            found.push(sets(as_user(container, uid)));
        }
        let both = CHOWN | NET_RAW;
        let expected =
            if uid == 0 { [both, both, both, both, CHOWN] } else { [both, CHOWN, CHOWN, both, CHOWN] };
        assert_eq!(found, [expected; 4], "uid {uid}");
    }
}

#[test]
fn without_capabilities_there_are_none() {
    for uid in [0, 1000] {
        let container = Container::new().edit(|c| {
            c["process"].as_object_mut().unwrap().remove("capabilities");
        });
        assert_eq!(sets(as_user(container, uid)), [0; 5]);
        assert_eq!(sets(as_user(with(json!({})), uid)), [0; 5]);
    }
}

#[test]
fn every_capability_that_the_host_has_can_be_given() {
    let host = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = |set: &str| {
        let line = host.lines().find(|line| line.starts_with(set)).unwrap();
        u64::from_str_radix(line.split('\t').nth(1).unwrap(), 16).unwrap()
    };
    let names: Vec<&str> = rruntime::names::CAPABILITIES.to_vec();
    let container = with(json!({"bounding": names, "effective": names, "permitted": names}));
    let expected = mask("CapPrm:");
    assert_eq!(sets(container)[1..4], [expected; 3]);
}

#[test]
fn an_unknown_capability_is_left_out_with_a_warning() {
    let names = json!(["CAP_CHOWN", "CAP_FLY"]);
    let container = with(json!({"bounding": names, "effective": names, "permitted": names}));
    let ended = container.sh("grep CapEff /proc/self/status").run();
    assert!(ended.err.contains("CAP_FLY"), "{ended:?}");
    assert_eq!(ended.ok(), "CapEff:\t0000000000000001\n");
}

#[test]
fn the_user_and_the_groups_are_set() {
    let container = Container::new()
        .edit(|c| c["process"]["user"] = json!({"uid": 1234, "gid": 2345, "additionalGids": [7, 8, 2345]}))
        .sh("id -u; id -g; id -G; grep -E '^(Uid|Gid|Groups)' /proc/self/status");
    let out = container.run().ok();
    assert!(out.starts_with("1234\n2345\n2345 7 8\n"), "{out}");
    assert!(out.contains("Uid:\t1234\t1234\t1234\t1234\nGid:\t2345\t2345\t2345\t2345\n"), "{out}");
}

#[test]
fn there_may_be_as_many_groups_as_the_kernel_takes() {
    let groups: Vec<u32> = (100_000..165_536).collect();
    let container = Container::new().edit(|c| {
        c["process"]["user"]["additionalGids"] = json!(groups);
        c["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW"});
    });
    let out = container.sh("id -G | wc -w").run().ok();
    assert_eq!(out.trim(), "65537");
}

#[test]
fn without_additional_groups_the_callers_are_gone() {
    let container = Container::new().args(&["/bin/grep", "Groups", "/proc/self/status"]);
    container.write_config();
    let script = format!(
        "exec setpriv --groups 4,24,27 {} --root {} run --bundle {} {}",
        crate::support::RRUNTIME,
        container.state_root().display(),
        container.bundle().display(),
        container.id
    );
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]);
    assert_eq!(crate::support::finish(command).ok().trim_end(), "Groups:");
}

#[test]
fn the_umask_is_the_configs_or_the_usual_one() {
    let umask = |value: Option<u32>| {
        let container = Container::new().sh("umask; umask -S; touch /tmp/x; stat -c %a /tmp/x").edit(|c| {
            if let Some(value) = value {
                c["process"]["user"]["umask"] = value.into();
            }
        });
        crate::host_script(&container, "umask 011; $RR").ok()
    };
    assert_eq!(umask(Some(0o077)), "0077\nu=rwx,g=,o=\n600\n");
    assert_eq!(umask(Some(0)), "0000\nu=rwx,g=rwx,o=rwx\n666\n");
    assert_eq!(umask(None), "0022\nu=rwx,g=rx,o=rx\n644\n");
}

#[test]
fn no_new_privileges_is_set_only_if_asked_for() {
    for (wanted, shown) in [(true, "NoNewPrivs:\t1\n"), (false, "NoNewPrivs:\t0\n")] {
        let container = Container::new().edit(|c| c["process"]["noNewPrivileges"] = wanted.into()).args(&[
            "/bin/grep",
            "NoNewPrivs",
            "/proc/self/status",
        ]);
        assert_eq!(container.run().ok(), shown);
    }
}

#[test]
fn a_set_user_id_program_gives_its_owners_rights_unless_they_are_refused() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    for (no_new, works) in [(false, true), (true, false)] {
        // busybox would drop what it is given; rruntime itself is a static program that writes where it may.
        let container = as_user(Container::new(), 1000)
            .edit(|c| c["process"]["noNewPrivileges"] = no_new.into())
            .args(&["/bin/setuid", "--log", "/root/log", "state", "nothing"]);
        let program = container.rootfs().join("bin/setuid");
        std::fs::copy(crate::support::RRUNTIME, &program).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o4755)).unwrap();
        let closed = container.rootfs().join("root");
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
        container.run().fails();
        let log = closed.join("log").metadata();
        assert_eq!(log.is_ok_and(|file| file.uid() == 0), works, "noNewPrivileges: {no_new}");
    }
}

#[test]
fn the_standard_streams_can_be_opened_again_by_another_user() {
    let container = as_user(Container::new(), 1000).sh("echo out > /dev/stdout; echo err > /dev/stderr");
    let ended = container.run();
    assert_eq!((&*ended.out, &*ended.err), ("out\n", "err\n"), "{ended:?}");
}
