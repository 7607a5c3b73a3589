//! Numbers of a resctrl tree that is made of files.

use super::*;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

/// A directory that looks like resctrl.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, files: &[(&str, &str)]) -> Tree {
        let path = std::env::temp_dir().join(format!("rruntime-resctrl-stats-{}-{name}", std::process::id()));
        for (file, text) in files {
            let file = path.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Tree(path)
    }

    fn stats(&self, group: &str, monitor: Option<&str>) -> Option<serde_json::Value> {
        let tree = super::Tree::of(fs::File::open(&self.0).unwrap().into());
        let place = Place { group: group.into(), monitor: monitor.map(Into::into), ..Place::default() };
        tree.stats(&place).unwrap().map(|stats| serde_json::to_value(stats).unwrap())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // What stays is in the scratch space of the machine.
        let _ = fs::remove_dir_all(&self.0);
    }
}

const ROOT: [(&str, &str); 10] = [
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
    let mut files = ROOT.to_vec();
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
    let tree = Tree::new("whole", &files);
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
    assert_eq!(tree.stats("gold", Some("web")), Some(expected));
    let other = tree.stats("gold", None).unwrap();
    assert_eq!(other["cmt_stats"], json!([{"llc_occupancy": 1}]), "without a group of its own: its class's");
}

#[test]
fn what_the_processor_lacks_is_left_out() {
    let tree = Tree::new(
        "bare",
        &[("schemata", "L2:0=ff\n"), ("tasks", ""), ("web/schemata", "L2:0=3\n"), ("web/tasks", "")],
    );
    assert_eq!(tree.stats("web", None), Some(json!({"schemata": ["L2:0=3"]})));
    assert_eq!(tree.stats("", None), Some(json!({"schemata": ["L2:0=ff"]})), "everybody's group");
}

#[test]
fn a_group_that_is_gone_tells_nothing() {
    let tree = Tree::new("gone", &[("schemata", "L3:0=f\n"), ("tasks", "")]);
    assert_eq!(tree.stats("missing", None), None);
}
