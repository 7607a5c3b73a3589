//! Maps with more than one id: newuidmap and newgidmap write them, as /etc/subuid and /etc/subgid allow.

use crate::support::Container;
use crate::support::ordinary::{Ranges, ordinary_ids};
use std::fs;

/// Where the ranges of the tests' user begin: far from what distributions give to people.
const FIRST: u32 = 1_700_000_000;
const COUNT: u32 = 65_536;

/// The ranges of the ordinary user; `None` where the helpers are missing or nothing can be allotted.
pub fn ranges() -> Option<Ranges> {
    Ranges::allotted((FIRST, COUNT))
}

const MISSING: &str = "newuidmap and newgidmap are not installed, or the user has no range of ids";

#[test]
fn ranges_from_etc_subuid_give_the_container_many_ids() {
    let Some(ranges) = ranges() else { skip!("{MISSING}") };
    let container = Container::ordinary().with_ranges(&ranges).sh(
        "while read line; do set -- $line; echo $*; done < /proc/self/uid_map; cat /proc/self/setgroups; \
         touch /f && chown 1000:100 /f && stat -c %u:%g /f; id -G",
    );
    let (uid, _) = ordinary_ids();
    let expected = format!("0 {uid} 1\n1 {FIRST} {COUNT}\nallow\n1000:100\n0\n");
    assert_eq!(container.run().ok(), expected);
    use std::os::unix::fs::MetadataExt;
    let file = fs::metadata(container.rootfs().join("f")).expect("it was made");
    assert_eq!((file.uid(), file.gid()), (FIRST + 999, FIRST + 99), "the host sees the ids of the range");
}

#[test]
fn the_process_can_be_another_user_of_the_range_with_groups() {
    let Some(ranges) = ranges() else { skip!("{MISSING}") };
    let container = Container::ordinary()
        .with_ranges(&ranges)
        .sh("id -u; id -g; id -G; grep ^CapEff /proc/self/status | tr -d '\\t'")
        .edit(|config| {
            config["process"]["user"] =
                serde_json::json!({"uid": 1000, "gid": 100, "additionalGids": [5, 27]});
        });
    assert_eq!(container.run().ok(), "1000\n100\n100 5 27\nCapEff:0000000000000000\n");
}

/// The tests' user has a second group on the host.
#[test]
fn no_group_of_the_host_comes_along_where_groups_can_be_dropped() {
    let Some(ranges) = ranges() else { skip!("{MISSING}") };
    let report = "grep ^Groups: /proc/self/status | tr -d '\\t '";
    let container = Container::ordinary().with_ranges(&ranges).sh(&format!("{report} > /groups; sleep 1000"));
    let container = container.started();
    let file = container.rootfs().join("groups");
    crate::support::wait_until("the program reports", || {
        fs::read_to_string(&file).is_ok_and(|text| !text.is_empty())
    });
    assert_eq!(fs::read_to_string(&file).unwrap_or_default(), "Groups:\n");
    assert_eq!(container.exec_sh(report).ok(), "Groups:\n");
}

#[test]
fn exec_can_be_another_user_of_the_range() {
    let Some(ranges) = ranges() else { skip!("{MISSING}") };
    let container = Container::ordinary().with_ranges(&ranges).sh("sleep 1000").started();
    let ended = container.call(&[
        "exec",
        "--user",
        "1000:100",
        "--additional-gids",
        "27",
        &container.id,
        "sh",
        "-c",
        "id -u; id -G",
    ]);
    assert_eq!(ended.ok(), "1000\n100 27\n");
}

#[test]
fn terminals_can_have_their_group_where_the_group_is_mapped() {
    let Some(ranges) = ranges() else { skip!("{MISSING}") };
    let container =
        Container::ordinary().with_ranges(&ranges).sh("grep /dev/pts /proc/mounts").edit(|config| {
            let options = &mut crate::support::ordinary::mount_of(config, "/dev/pts")["options"];
            options.as_array_mut().expect("a list").push("gid=5".into());
        });
    let out = container.run().ok();
    assert!(out.contains(&format!("gid={}", FIRST + 4)) || out.contains("gid=5"), "{out}");
}

#[test]
fn a_range_that_is_not_the_users_is_refused_with_the_place_to_ask_for_it() {
    let Some(ranges) = ranges() else { skip!("{MISSING}") };
    let container = Container::ordinary().with_ranges(&ranges.wanting((5_000_000, 10))).sh("true");
    let error = container.run().fails();
    assert!(error.contains("/linux/uidMappings") && error.contains("/etc/subuid"), "{error}");
    container.assert_gone();
}
