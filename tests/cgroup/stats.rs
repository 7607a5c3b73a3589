//! The numbers of `events`, of groups that are files in a scratch directory.

use rruntime::cgroup::stats::counting;
use rruntime::cgroup::{Cgroup, Leg, Location, Version};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A container's directory of one hierarchy, with these files.
struct Hierarchy {
    scratch: PathBuf,
    leg: Leg,
}

fn held(version: Version, controllers: &[&str], files: &[(&str, &str)]) -> Hierarchy {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let scratch = std::env::temp_dir().join(format!("rruntime-stats-{}-{number}", std::process::id()));
    fs::create_dir_all(scratch.join("c")).unwrap();
    for (name, text) in files {
        fs::write(scratch.join("c").join(name), text).unwrap();
    }
    let leg = Leg { mount: scratch.to_str().unwrap().into(), ..leg(version, controllers) };
    Hierarchy { scratch, leg }
}

fn leg(version: Version, controllers: &[&str]) -> Leg {
    let controllers = controllers.iter().map(|&name| name.to_owned()).collect();
    Leg { version, controllers, mount: "/m".into(), path: "c".into(), inode: None }
}

impl Drop for Hierarchy {
    fn drop(&mut self) {
        // What stays is in the scratch space of the machine.
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

fn stats(held: Vec<Hierarchy>) -> Value {
    let legs = held.iter().map(|hierarchy| hierarchy.leg.clone()).collect();
    let cgroup = Cgroup::open(&Location { legs, unit: None }).unwrap().unwrap();
    serde_json::to_value(cgroup.stats().unwrap()).unwrap()
}

/// Everything at zero, as runc prints it.
fn nothing() -> Value {
    let none = json!({"limit": 0, "failcnt": 0});
    json!({
        "cpu": {"usage": {"kernel": 0, "user": 0}, "throttling": {}},
        "cpuset": {"cpu_exclusive": 0, "mem_hardwall": 0, "mem_exclusive": 0, "memory_migrate": 0,
            "memory_spread_page": 0, "memory_spread_slab": 0, "memory_pressure": 0, "sched_load_balance": 0,
            "sched_relax_domain_level": 0},
        "memory": {"usage": none, "swap": none, "kernel": none, "kernelTCP": none},
        "pids": {}, "blkio": {}, "hugetlb": {},
    })
}

#[test]
fn an_empty_directory_counts_nothing_on_either_version() {
    assert_eq!(
        stats(vec![held(
            Version::V1,
            &["cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "hugetlb"],
            &[]
        )]),
        nothing()
    );
    assert_eq!(stats(vec![held(Version::V2, &[], &[])]), nothing());
}

#[test]
fn v2_is_told_in_the_units_of_v1() {
    let found = stats(vec![held(
        Version::V2,
        &[],
        &[
            (
                "cpu.stat",
                "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 7\nnr_throttled 1\nthrottled_usec 9\nnew_key 1\n",
            ),
            ("memory.stat", "anon 10\nfile 20\nodd line here\nhalf\n"),
            ("memory.current", "100\n"),
            ("memory.max", "max\n"),
            ("memory.peak", "150\n"),
            ("memory.swap.current", "30\n"),
            ("memory.swap.max", "50\n"),
            ("memory.swap.peak", "40\n"),
            ("pids.current", "4\n"),
            ("pids.max", "max\n"),
            (
                "io.stat",
                "8:0 rbytes=1 wbytes=2 rios=3 wios=0 dbytes=5 dios=6\n8:16\nloop0 rbytes=1\n253:1 rbytes=7 cost.usage=1\n",
            ),
            (
                "io.pressure",
                "some avg10=1.50 avg60=0.00 avg300=100.00 total=12\nfull avg10=nan total=3\nhalf\n",
            ),
        ],
    )]);
    assert_eq!(
        found["cpu"],
        json!({"usage": {"total": 5000, "kernel": 2000, "user": 3000},
            "throttling": {"periods": 7, "throttledPeriods": 1, "throttledTime": 9000}})
    );
    let memory = &found["memory"];
    assert_eq!(memory["cache"], 20);
    assert_eq!(memory["raw"], json!({"anon": 10, "file": 20}));
    assert_eq!(memory["usage"], json!({"limit": u64::MAX, "usage": 100, "max": 150, "failcnt": 0}));
    assert_eq!(memory["swap"], json!({"limit": u64::MAX, "usage": 130, "failcnt": 0}), "memory and swap");
    assert_eq!(found["pids"], json!({"current": 4}), "no limit is left out");
    assert_eq!(
        found["blkio"],
        json!({
            "ioServiceBytesRecursive": [
                {"major": 8, "op": "Read", "value": 1}, {"major": 8, "op": "Write", "value": 2},
                {"major": 253, "minor": 1, "op": "Read", "value": 7}],
            "ioServicedRecursive": [{"major": 8, "op": "Read", "value": 3}, {"major": 8, "op": "Write"}],
            "psi": {"some": {"avg10": 1.5, "avg60": 0, "avg300": 100, "total": 12},
                "full": {"avg10": 0, "avg60": 0, "avg300": 0, "total": 3}}})
    );
}

#[test]
fn v1_hierarchies_give_their_parts() {
    let cpu = held(
        Version::V1,
        &["cpu", "cpuacct"],
        &[
            ("cpu.stat", "nr_periods 1\nnr_throttled 0\nthrottled_time 77\n"),
            ("cpuacct.stat", "user 3\nsystem 2\n"),
            ("cpuacct.usage", "50000001\n"),
            ("cpuacct.usage_percpu", "40000000 10000001 \n"),
            ("cpuacct.usage_all", "cpu user system\n0 30 10\n1 5 5\nodd\n"),
        ],
    );
    let memory = held(
        Version::V1,
        &["memory"],
        &[
            ("memory.stat", "cache 5\nrss -4096\n"),
            ("memory.usage_in_bytes", "10\n"),
            ("memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory.max_usage_in_bytes", "11\n"),
            ("memory.failcnt", "2\n"),
            ("memory.kmem.tcp.usage_in_bytes", "0\n"),
            ("memory.kmem.tcp.limit_in_bytes", "6\n"),
        ],
    );
    let cpuset = held(
        Version::V1,
        &["cpuset"],
        &[
            ("cpuset.cpus", "0-2,8\n"),
            ("cpuset.mems", "\n"),
            ("cpuset.sched_load_balance", "1\n"),
            ("cpuset.sched_relax_domain_level", "-1\n"),
        ],
    );
    let other = held(Version::V1, &["name=systemd"], &[("pids.current", "9\n")]);
    let found = stats(vec![cpu, memory, cpuset, other]);
    assert_eq!(
        found["cpu"],
        json!({"usage": {"total": 50_000_001, "percpu": [40_000_000, 10_000_001],
            "percpu_kernel": [10, 5], "percpu_user": [30, 5], "kernel": 20_000_000, "user": 30_000_000},
            "throttling": {"periods": 1, "throttledTime": 77}})
    );
    let none = json!({"limit": 0, "failcnt": 0});
    assert_eq!(
        found["memory"],
        json!({"cache": 5, "usage": {"limit": 9_223_372_036_854_771_712_u64, "usage": 10, "max": 11, "failcnt": 2},
            "swap": none, "kernel": none, "kernelTCP": {"limit": 6, "failcnt": 0}, "raw": {"cache": 5, "rss": 0}})
    );
    assert_eq!(found["cpuset"]["cpus"], json!([0, 1, 2, 8]));
    assert_eq!(found["cpuset"]["mems"], Value::Null);
    assert_eq!(found["cpuset"]["sched_relax_domain_level"], -1);
    assert_eq!(found["pids"], json!({}), "a hierarchy without the controller has no say");
}

#[test]
fn v1_takes_transfers_from_the_scheduler_or_from_the_throttling_layer() {
    let throttle = ("blkio.throttle.io_serviced_recursive", "8:0 Read 1\n8:0 Total 1\nTotal 1\n");
    let bytes = ("blkio.throttle.io_service_bytes_recursive", "8:0 Read 4096\nTotal 4096\n");
    let bfq = ("blkio.bfq.io_serviced_recursive", "8:0 Sync 2\nTotal 2\n");
    let time = ("blkio.bfq.time_recursive", "8:0 6792\n");
    let blkio = |files: &[(&str, &str)]| stats(vec![held(Version::V1, &["blkio"], files)])["blkio"].clone();
    assert_eq!(
        blkio(&[throttle, bytes, (bfq.0, "")]),
        json!({"ioServiceBytesRecursive": [{"major": 8, "op": "Read", "value": 4096}],
            "ioServicedRecursive":
                [{"major": 8, "op": "Read", "value": 1}, {"major": 8, "op": "Total", "value": 1}]})
    );
    assert_eq!(
        blkio(&[throttle, bytes, bfq, time]),
        json!({"ioServicedRecursive": [{"major": 8, "op": "Sync", "value": 2}],
            "ioTimeRecursive": [{"major": 8, "value": 6792}]})
    );
}

#[test]
fn on_a_hybrid_host_v2_adds_only_what_v1_does_not_count() {
    let v1 = held(Version::V1, &["cpuacct"], &[("cpuacct.usage", "7\n")]);
    let pids = held(Version::V1, &["pids"], &[("pids.current", "3\n")]);
    let pressure = "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";
    let files = [
        ("cpu.stat", "usage_usec 1000\n"),
        ("cpu.pressure", pressure),
        ("pids.current", "9\n"),
        ("memory.stat", "anon 1\n"),
        ("memory.current", "8\n"),
    ];
    let found = stats(vec![v1, pids, held(Version::V2, &[], &files)]);
    assert_eq!(found["cpu"]["usage"]["total"], 7);
    assert_eq!(found["cpu"]["psi"]["some"]["total"], 5);
    assert_eq!(found["pids"], json!({"current": 3}));
    assert_eq!(found["memory"]["usage"]["usage"], 8);
}

#[test]
fn only_what_counts_is_opened() {
    let legs =
        vec![leg(Version::V1, &["devices"]), leg(Version::V1, &["net_cls", "pids"]), leg(Version::V2, &[])];
    let found = counting(&Location { legs: legs.clone(), unit: None });
    assert_eq!(found.legs, legs[1..]);
}
