//! `linux.intelRdt`. No machine of ours has resctrl, so its logic works on a directory with the same files, in which
//! the test does the kernel's part (a new group has files; files vanish with their group). The binary is tried for what
//! it says where there is no resctrl.

use crate::host_script;
use crate::support::Container;
use rruntime::error::{Error, Result};
use rruntime::resctrl::{Demand, Place, Tree};
use rruntime::spec::IntelRdt;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that looks like resctrl; gone when dropped.
struct Looks(PathBuf);

const DEFAULT: &str = "    MB:0=100;1=100\n    L3:0=7ff;1=7ff\n";

impl Looks {
    fn new() -> Looks {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("resctrl-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let top = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(top.join("info")).unwrap();
        fs::write(top.join("info/last_cmd_status"), "ok\n").unwrap();
        let looks = Looks(top);
        looks.populate("");
        looks
    }

    /// With these files and no others.
    fn with(files: &[(&str, &str)]) -> Looks {
        let looks = Looks::new();
        fs::remove_dir_all(&looks.0).unwrap();
        for (file, text) in files {
            let file = looks.0.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        looks
    }

    fn stats(&self, group: &str, monitor: Option<&str>) -> Option<Value> {
        let place = Place { group: group.into(), monitor: monitor.map(Into::into), ..Place::default() };
        self.tree().stats(&place).unwrap().map(|stats| serde_json::to_value(stats).unwrap())
    }

    /// What the kernel puts into a new group.
    fn populate(&self, group: &str) {
        let group = self.0.join(group);
        fs::create_dir_all(group.join("mon_groups")).unwrap();
        fs::write(group.join("schemata"), DEFAULT).unwrap();
        fs::write(group.join("tasks"), "").unwrap();
    }

    fn populate_monitor(&self, path: &str) {
        fs::create_dir_all(self.0.join(path)).unwrap();
        fs::write(self.0.join(path).join("tasks"), "").unwrap();
    }

    /// The kernel's files go with their directory, as far as they hinder rmdir here.
    fn empty(&self, group: &str) {
        for name in ["schemata", "tasks"] {
            // A monitoring group has no schemata.
            let _ = fs::remove_file(self.0.join(group).join(name));
        }
        // A group that monitors has none.
        let _ = fs::remove_dir(self.0.join(group).join("mon_groups"));
    }

    fn tree(&self) -> Tree {
        Tree::of(fs::File::open(&self.0).unwrap().into())
    }

    fn demand(&self, id: &str, rdt: &Value) -> Result<Demand> {
        let text = rdt.to_string();
        let rdt: IntelRdt = serde_json::from_str(&text).unwrap();
        Demand::new(self.tree(), self.0.clone(), id, &rdt)
    }

    #[track_caller]
    fn refuses(&self, rdt: &Value) -> String {
        let before = self.listing();
        let error = self.demand("box", rdt).err().map(|e: Error| e.to_string());
        assert_eq!(self.listing(), before, "something has changed");
        error.unwrap_or_else(|| panic!("accepted: {rdt}"))
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    fn has(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }

    fn listing(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> =
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        // What stays is in scratch space.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn without_a_name_the_group_is_the_containers_own_and_goes_with_it() {
    let looks = Looks::new();
    let demand = looks.demand("box", &json!({"l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20"})).unwrap();
    assert!(!looks.has("box"));
    assert!(demand.place.own && demand.place.group == "box");
    demand.make_group().unwrap();
    looks.populate("box");
    demand.write().unwrap();
    // One write each, the cache first; in a plain file the second covers the first.
    assert!(looks.read("box/schemata").starts_with("MB:0=20\n"), "{}", looks.read("box/schemata"));
    demand.join(42).unwrap();
    assert_eq!(looks.read("box/tasks"), "42");
    looks.empty("box");
    demand.place.remove_from(&looks.tree()).unwrap();
    assert!(!looks.has("box"));
    // A second time is no error.
    demand.place.remove_from(&looks.tree()).unwrap();
}

#[test]
fn a_group_of_the_containers_name_that_was_there_is_used_and_stays() {
    let looks = Looks::new();
    looks.populate("box");
    let demand = looks.demand("box", &json!({"schemata": ["L3:0=f"]})).unwrap();
    demand.make().unwrap();
    assert!(looks.read("box/schemata").starts_with("L3:0=f\n"));
    looks.empty("box");
    demand.place.remove_from(&looks.tree()).unwrap();
    assert!(looks.has("box"));
}

#[test]
fn a_named_group_is_made_if_its_schemata_are_given_and_stays() {
    let looks = Looks::new();
    let demand = looks.demand("box", &json!({"closID": "gold", "schemata": ["L3:0=f", "MB:1=50"]})).unwrap();
    demand.make_group().unwrap();
    looks.populate("gold");
    demand.write().unwrap();
    assert!(looks.read("gold/schemata").starts_with("L3:0=f\nMB:1=50\n"));
    looks.empty("gold");
    demand.place.remove_from(&looks.tree()).unwrap();
    assert!(looks.has("gold"));
}

#[test]
fn a_named_group_that_is_there_takes_the_container_as_it_is() {
    let looks = Looks::new();
    looks.populate("gold");
    fs::write(looks.0.join("gold/schemata"), "    L3:0=0f0;1=00f\n").unwrap();
    for rdt in [json!({"closID": "gold"}), json!({"closID": "gold", "l3CacheSchema": "L3:0=f0"})] {
        let demand = looks.demand("box", &rdt).unwrap();
        demand.make().unwrap();
        demand.join(42).unwrap();
        assert_eq!(looks.read("gold/tasks"), "42");
        assert_eq!(looks.read("gold/schemata"), "    L3:0=0f0;1=00f\n", "what was there is not written to");
    }
}

#[test]
fn a_named_group_with_other_schemata_is_refused() {
    let looks = Looks::new();
    looks.populate("gold");
    for (rdt, field) in [
        (json!({"closID": "gold", "l3CacheSchema": "L3:0=f"}), "l3CacheSchema"),
        (json!({"closID": "gold", "memBwSchema": "MB:1=10"}), "memBwSchema"),
        (json!({"closID": "gold", "schemata": ["L3:0=7ff", "MB:0=9"]}), "schemata"),
        (json!({"closID": "/", "l3CacheSchema": "L3:0=f"}), "l3CacheSchema"),
    ] {
        let err = looks.refuses(&rdt);
        assert!(err.contains(&format!("/linux/intelRdt/{field}")) && err.contains("exists and has"), "{err}");
    }
}

#[test]
fn a_named_group_that_is_missing_is_refused_without_schemata() {
    let err = Looks::new().refuses(&json!({"closID": "gold"}));
    assert!(err.contains("/linux/intelRdt/closID") && err.contains("gold"), "{err}");
}

#[test]
fn a_slash_is_the_default_class() {
    let looks = Looks::new();
    let demand = looks.demand("box", &json!({"closID": "/", "enableMonitoring": true})).unwrap();
    assert!(demand.place.group.is_empty() && !demand.place.own);
    demand.make_group().unwrap();
    demand.make_monitor().unwrap();
    looks.populate_monitor("mon_groups/box");
    demand.join(42).unwrap();
    assert_eq!(looks.read("tasks"), "42");
    assert_eq!(looks.read("mon_groups/box/tasks"), "42");
    looks.empty("mon_groups/box");
    demand.place.remove_from(&looks.tree()).unwrap();
    assert!(!looks.has("mon_groups/box") && looks.has("mon_groups") && looks.has("tasks"));
}

#[test]
fn a_monitoring_group_is_the_containers_own_also_in_a_named_group() {
    let looks = Looks::new();
    looks.populate("gold");
    let demand = looks.demand("box", &json!({"closID": "gold", "enableMonitoring": true})).unwrap();
    demand.make().unwrap();
    looks.populate_monitor("gold/mon_groups/box");
    demand.join(42).unwrap();
    assert_eq!(looks.read("gold/mon_groups/box/tasks"), "42");
    let err = looks.refuses(&json!({"closID": "gold", "enableMonitoring": true}));
    assert!(err.contains("/linux/intelRdt/enableMonitoring") && err.contains("box"), "{err}");
    looks.empty("gold/mon_groups/box");
    demand.place.remove_from(&looks.tree()).unwrap();
    assert!(!looks.has("gold/mon_groups/box") && looks.has("gold/tasks"));
}

#[test]
fn what_the_machine_cannot_do_is_refused_by_its_field() {
    let looks = Looks::new();
    let err = looks.refuses(&json!({"schemata": ["L3:0=f", "L2:0=f"]}));
    assert!(err.contains("/linux/intelRdt/schemata") && err.contains("L2"), "{err}");
    fs::remove_dir(looks.0.join("mon_groups")).unwrap();
    let err = looks.refuses(&json!({"enableMonitoring": true}));
    assert!(err.contains("/linux/intelRdt/enableMonitoring"), "{err}");
    // Hardware that only monitors.
    fs::remove_file(looks.0.join("schemata")).unwrap();
    let err = looks.refuses(&json!({"memBwSchema": "MB:0=10"}));
    assert!(err.contains("/linux/intelRdt/memBwSchema") && err.contains("nothing"), "{err}");
}

#[test]
fn directories_of_resctrl_itself_are_no_groups() {
    let looks = Looks::new();
    for name in ["info", "mon_groups", "mon_data"] {
        let err = looks.refuses(&json!({"closID": name}));
        assert!(err.contains("/linux/intelRdt/closID"), "{err}");
    }
    assert!(looks.demand("info", &json!({})).is_err());
}

#[test]
fn the_kernels_words_are_in_the_error_and_nothing_stays() {
    let looks = Looks::new();
    fs::write(looks.0.join("info/last_cmd_status"), "mask f0f has non-consecutive 1-bits\n").unwrap();
    // In a new group of a plain directory there is nothing to write to: the write fails as a refused one does.
    let demand = looks.demand("box", &json!({"l3CacheSchema": "L3:0=f0f"})).unwrap();
    demand.make_group().unwrap();
    let err = demand.write().unwrap_err().to_string();
    assert!(err.contains("/linux/intelRdt/l3CacheSchema") && err.contains("non-consecutive"), "{err}");
    fs::write(looks.0.join("box/tasks"), "").unwrap();
    looks.empty("box");
    demand.place.remove_from(&looks.tree()).unwrap();
    assert!(!looks.has("box"));
}

#[test]
fn undo_leaves_a_group_that_somebody_uses_by_now() {
    let looks = Looks::new();
    let demand = looks.demand("box", &json!({"closID": "gold", "schemata": ["L3:0=f"]})).unwrap();
    demand.make_group().unwrap();
    looks.populate("gold");
    fs::write(looks.0.join("gold/tasks"), "77\n").unwrap();
    demand.undo().unwrap();
    assert!(looks.has("gold"));
}

fn has_resctrl() -> bool {
    fs::read_to_string("/proc/self/mountinfo").unwrap().contains(" - resctrl ")
}

#[test]
fn a_host_without_resctrl_says_so_and_nothing_changes() {
    if has_resctrl() {
        skip!("this host has resctrl");
    }
    for rdt in
        [json!({}), json!({"closID": "gold"}), json!({"l3CacheSchema": "L3:0=f", "enableMonitoring": true})]
    {
        let container = Container::new().edit(|c| c["linux"]["intelRdt"] = rdt).sh("true");
        let err = container.run().fails();
        assert!(err.contains("/linux/intelRdt: no resctrl file system is mounted"), "{err}");
        container.assert_gone();
    }
}

#[test]
fn another_file_system_is_not_taken_for_resctrl() {
    if has_resctrl() {
        skip!("this host has resctrl");
    }
    let container = Container::new().edit(|c| c["linux"]["intelRdt"] = json!({"closID": "/"})).sh("true");
    let place = container.dir.join("resctrl");
    let script = format!("mkdir {0}; mount -t tmpfs resctrl {0}; touch {0}/tasks; $RR", place.display());
    let err = host_script(&container, &script).fails();
    assert!(err.contains("no resctrl file system is mounted"), "{err}");
    container.assert_gone();
}

#[test]
fn a_container_whose_resctrl_is_gone_can_be_used_and_deleted() {
    let container = Container::new().args(&["sleep", "100"]).started();
    let file = container.state_root().join(&container.id).join("state.json");
    let mut record: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    record["resctrl"] =
        json!({"mount": "/sys/fs/resctrl", "group": container.id, "own": true, "monitor": "box"});
    fs::write(&file, record.to_string()).unwrap();
    assert_eq!(container.exec_sh("echo here").ok(), "here\n");
    container.call(&["delete", "--force", &container.id]).ok();
    container.assert_gone();
}

#[test]
fn bad_values_are_refused_by_their_field() {
    for (rdt, field) in [
        (json!("gold"), "intelRdt"),
        (json!({"closID": 1}), "intelRdt/closID"),
        (json!({"closID": "a/b"}), "intelRdt/closID"),
        (json!({"closID": ".."}), "intelRdt/closID"),
        (json!({"closID": "x".repeat(256)}), "intelRdt/closID"),
        (json!({"l3CacheSchema": ["L3:0=f"]}), "intelRdt/l3CacheSchema"),
        (json!({"memBwSchema": "L3:0=f"}), "intelRdt/memBwSchema"),
        (json!({"memBwSchema": "MB:0=1\nMB:1=1"}), "intelRdt/memBwSchema"),
        (json!({"schemata": "L3:0=f"}), "intelRdt/schemata"),
        (json!({"schemata": ["L3:0=f", "L2:0=f\nL2:1=f"]}), "intelRdt/schemata/1"),
        (json!({"schemata": ["L3"]}), "intelRdt/schemata/0"),
        (json!({"enableMonitoring": "yes"}), "intelRdt/enableMonitoring"),
    ] {
        let container = Container::new().edit(|c| c["linux"]["intelRdt"] = rdt).sh("true");
        let err = container.run().fails();
        assert!(err.contains(&format!("/linux/{field}")), "{field}: {err}");
        container.assert_gone();
    }
}

/// A machine that allocates and counts.
const COUNTED: [(&str, &str); 10] = [
    ("tasks", ""),
    ("schemata", "    L3:0=7ff;1=7ff\n    MB:0=100;1=100\n"),
    ("info/L3/cbm_mask", "7ff\n"),
    ("info/L3/min_cbm_bits", "1\n"),
    ("info/L3/num_closids", "16\n"),
    ("info/MB/bandwidth_gran", "10\n"),
    ("info/MB/delay_linear", "1\n"),
    ("info/MB/min_bandwidth", "10\n"),
    ("info/MB/num_closids", "8\n"),
    ("info/L3_MON/mon_features", "llc_occupancy\nmbm_total_bytes\nmbm_local_bytes\n"),
];

#[test]
fn a_group_is_told_with_its_limits_and_its_use() {
    let mut files = COUNTED.to_vec();
    files.extend([
        ("gold/tasks", ""),
        ("gold/schemata", "L3:0=f;1=f\nMB:0=50;1=20\n"),
        ("gold/mon_data/mon_L3_00/llc_occupancy", "1\n"),
        ("gold/mon_groups/web/mon_data/mon_L3_01/llc_occupancy", "40\n"),
        ("gold/mon_groups/web/mon_data/mon_L3_01/mbm_total_bytes", "Unavailable\n"),
        ("gold/mon_groups/web/mon_data/mon_L3_01/mbm_local_bytes", "6\n"),
        ("gold/mon_groups/web/mon_data/mon_L3_00/llc_occupancy", "30\n"),
        ("gold/mon_groups/web/mon_data/mon_L3_00/mbm_total_bytes", "5\n"),
    ]);
    let looks = Looks::with(&files);
    let expected = json!({
        "l3_cache_info": {"cbm_mask": "7ff", "min_cbm_bits": 1, "num_closids": 16},
        "l3_cache_schema_root": "L3:0=7ff;1=7ff",
        "l3_cache_schema": "L3:0=f;1=f",
        "mem_bw_info": {"bandwidth_gran": 10, "delay_linear": 1, "min_bandwidth": 10, "num_closids": 8},
        "mem_bw_schema_root": "MB:0=100;1=100",
        "mem_bw_schema": "MB:0=50;1=20",
        "schemata": ["L3:0=f;1=f", "MB:0=50;1=20"],
        "mbm_stats": [{"mbm_total_bytes": 5, "mbm_local_bytes": 0}, {"mbm_total_bytes": 0, "mbm_local_bytes": 6}],
        "cmt_stats": [{"llc_occupancy": 30}, {"llc_occupancy": 40}],
    });
    assert_eq!(looks.stats("gold", Some("web")), Some(expected));
    let other = looks.stats("gold", None).unwrap();
    assert_eq!(other["cmt_stats"], json!([{"llc_occupancy": 1}]), "without a group of its own: its class's");
}

#[test]
fn what_the_processor_lacks_is_left_out() {
    let looks = Looks::with(&[
        ("schemata", "L2:0=ff\n"),
        ("tasks", ""),
        ("web/schemata", "L2:0=3\n"),
        ("web/tasks", ""),
    ]);
    assert_eq!(looks.stats("web", None), Some(json!({"schemata": ["L2:0=3"]})));
    assert_eq!(looks.stats("", None), Some(json!({"schemata": ["L2:0=ff"]})), "everybody's group");
}

#[test]
fn a_group_that_is_gone_tells_nothing() {
    let looks = Looks::with(&[("schemata", "L3:0=f\n"), ("tasks", "")]);
    assert_eq!(looks.stats("missing", None), None);
}
