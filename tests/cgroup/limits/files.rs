//! Limits whose effect would need hardware or minutes: what the container's cgroup holds.

use crate::limits::{limited, missing};
use crate::support::{Container, disk, is_v2, of_the_v2_side};
use serde_json::json;
use std::fs;

fn throttled(disk: &str) -> Container {
    let (major, minor) = disk.split_once(':').expect("major:minor");
    let of = |rate: u64| json!([{"major": major.parse::<i64>().unwrap(), "minor": minor.parse::<i64>().unwrap(), "rate": rate}]);
    limited(json!({"blockIO": {
        "throttleReadBpsDevice": of(1_048_576), "throttleWriteBpsDevice": of(2_097_152),
        "throttleReadIOPSDevice": of(100), "throttleWriteIOPSDevice": of(200)}}))
}

#[test]
fn throttles_of_a_disk_are_set() {
    let Some(disk) = disk() else { crate::skip!("this machine has no disk") };
    if is_v2() {
        needs!("io");
        let found = throttled(&disk).sh("cat /sys/fs/cgroup/io.max").run().ok();
        assert_eq!(found, format!("{disk} rbps=1048576 wbps=2097152 riops=100 wiops=200\n"));
        return;
    }
    needs!("blkio");
    let script = "cd /sys/fs/cgroup/blkio; for f in read_bps write_bps read_iops write_iops; do cat blkio.throttle.${f}_device; done";
    let found = throttled(&disk).sh(script).run().ok();
    assert_eq!(found, format!("{disk} 1048576\n{disk} 2097152\n{disk} 100\n{disk} 200\n"));
}

/// The throttle is the kernel's: a megabyte a second is felt.
#[test]
fn a_throttled_disk_reads_no_faster_than_its_rate() {
    let Some(disk) = disk() else { crate::skip!("this machine has no disk") };
    if let Some(reason) = missing("blkio") {
        crate::skip!("{reason}");
    }
    let (major, minor) = disk.split_once(':').expect("major:minor");
    let script = format!(
        "mknod /disk b {major} {minor} && dd if=/disk of=/dev/null bs=64k count=16 iflag=direct 2>&1"
    );
    let container = throttled(&disk).sh(&script).edit(|config| {
        let rules = config["linux"]["resources"]["devices"].as_array_mut().expect("rules");
        rules.push(json!({"allow": true, "access": "rm", "type": "b"}));
    });
    let start = std::time::Instant::now();
    let ended = container.run();
    if !ended.out.contains("16+0") {
        crate::skip!("the disk cannot be read past the cache: {ended:?}");
    }
    assert!(start.elapsed().as_millis() > 700, "a megabyte took {:?}: {ended:?}", start.elapsed());
}

#[test]
fn a_weight_is_set_or_refused_by_name() {
    if let Some(reason) = missing("blkio") {
        crate::skip!("{reason}");
    }
    let script = "cd /sys/fs/cgroup; cat io.bfq.weight io.weight blkio/blkio.bfq.weight blkio/blkio.weight 2>/dev/null";
    let ended = limited(json!({"blockIO": {"weight": 500}})).sh(script).run();
    if ended.code == 0 || !ended.out.is_empty() {
        assert!(ended.out.contains("500") || ended.out.contains("4950"), "{ended:?}");
    } else {
        assert!(ended.err.contains("/linux/resources/blockIO/weight"), "{ended:?}");
    }
}

#[test]
fn huge_pages_are_limited_by_size() {
    if !fs::exists("/sys/kernel/mm/hugepages/hugepages-2048kB").unwrap_or(false) {
        crate::skip!("this kernel has no huge pages of 2 MB");
    }
    // On a hybrid host the controller may be on the v2 leg, of which the container has no view.
    let directories = ["/sys/fs/cgroup", "/sys/fs/cgroup/hugetlb", "/sys/fs/cgroup/unified"];
    let container =
        limited(json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 4_194_304}]})).sh("sleep 1000");
    let created = container.create();
    if created.code != 0 {
        assert!(created.err.contains("/linux/resources/hugepageLimits/0"), "{created:?}");
        crate::skip!("the hugetlb controller is not in this host's cgroup tree");
    }
    let files = directories.iter().flat_map(|directory| {
        ["max", "limit_in_bytes"].map(|name| format!("{directory}/{}/hugetlb.2MB.{name}", container.id))
    });
    let found: Vec<String> = files.filter_map(|file| fs::read_to_string(file).ok()).collect();
    assert_eq!(found, ["4194304\n"]);
}

#[test]
fn a_network_class_is_set_where_v1_has_them() {
    if is_v2() {
        crate::skip!("cgroup v2 has no net_cls");
    }
    needs!("net_cls");
    let resources = json!({"network": {"classID": 1_048_577}});
    assert_eq!(limited(resources).sh("cat /sys/fs/cgroup/net_cls/net_cls.classid").run().ok(), "1048577\n");
}

#[test]
fn network_priorities_are_set_where_v1_has_them() {
    if is_v2() {
        crate::skip!("cgroup v2 has no net_prio");
    }
    needs!("net_prio");
    let resources = json!({"network": {"priorities": [{"name": "lo", "priority": 3}]}});
    assert!(
        limited(resources).sh("cat /sys/fs/cgroup/net_prio/net_prio.ifpriomap").run().ok().contains("lo 3")
    );
}

#[test]
fn a_limit_without_its_controller_is_an_error_that_names_the_field() {
    let cases = [
        ("net_cls", json!({"network": {"classID": 1}}), "/linux/resources/network"),
        ("memory", json!({"memory": {"limit": 67_108_864}}), "/linux/resources/memory/limit"),
        ("pids", json!({"pids": {"limit": 9}}), "/linux/resources/pids/limit"),
        ("cpu", json!({"cpu": {"quota": 50_000}}), "/linux/resources/cpu/quota"),
        ("cpuset", json!({"cpu": {"cpus": "0"}}), "/linux/resources/cpu/cpus"),
    ];
    for (controller, resources, field) in cases {
        // cgroup v2 has replaced the network controllers by something that is not ours; a warning says so.
        if missing(controller).is_none() || of_the_v2_side(controller) || (controller == "net_cls" && is_v2())
        {
            continue;
        }
        let container = limited(resources).sh("echo ran");
        let ended = container.run();
        assert_eq!(ended.out, "", "{controller}");
        let error = ended.fails();
        assert!(error.contains(field), "{controller}: {error}");
        container.assert_gone();
    }
}

#[test]
fn files_of_the_unified_map_are_written() {
    if !is_v2() {
        let error = limited(json!({"unified": {"pids.max": "17"}})).sh("true").run().fails();
        assert!(error.contains("/linux/resources/unified/pids.max"), "{error}");
        return;
    }
    needs!("pids");
    needs!("memory");
    let resources =
        json!({"unified": {"pids.max": "17", "memory.high": "33554432", "memory.oom.group": "1"}});
    let script = "cd /sys/fs/cgroup; cat pids.max memory.high memory.oom.group";
    assert_eq!(limited(resources).sh(script).run().ok(), "17\n33554432\n1\n");
}

#[test]
fn the_unified_map_wins_over_the_older_field() {
    if !is_v2() {
        crate::skip!("the unified map is for cgroup v2");
    }
    needs!("pids");
    let resources = json!({"pids": {"limit": 5}, "unified": {"pids.max": "19"}});
    assert_eq!(limited(resources).sh("cat /sys/fs/cgroup/pids.max").run().ok(), "19\n");
}
