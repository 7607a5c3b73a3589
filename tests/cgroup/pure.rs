//! `linux.resources` as files of cgroup v1 and v2: tables of what would be written. Pure, no cgroup is touched.

use rruntime::cgroup::{DeviceRules, Limits, v1, v2};
use rruntime::error::Error;
use rruntime::host::cgroups::{Hierarchy, Layout, Mount};
use rruntime::spec::{Resources, validate};

fn unified() -> Layout {
    Layout::v2("/sys/fs/cgroup")
}

fn legacy() -> Layout {
    let names =
        ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "net_cls", "net_prio", "rdma", "devices"];
    let hierarchies = names
        .iter()
        .map(|name| Hierarchy {
            controllers: vec![(*name).into()],
            mount: Mount { path: format!("/sys/fs/cgroup/{name}"), root: "/".into() },
        })
        .collect();
    Layout { hierarchies, unified: None }
}

/// As `create` and `update` do it: the rules of the specification first, then what this host can.
fn check(json: &str, layout: &Layout) -> rruntime::error::Result<(Limits, Vec<Error>)> {
    let resources: Resources = serde_json::from_str(json).unwrap();
    validate::resources(&resources)?;
    Limits::from_spec(&resources, layout, DeviceRules::Enforce)
}

fn rendered(json: &str, layout: &Layout) -> Vec<String> {
    let (limits, _) = check(json, layout).unwrap();
    let files = if layout.is_unified() { v2::files(&limits) } else { v1::files(&limits) };
    files.iter().map(|w| format!("{} {}", w.file, w.value)).collect()
}

#[test]
fn limits_become_the_files_of_each_version() {
    // (resources, files of v1, files of v2)
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("{}", &[], &[]),
        ("{\"memory\":{\"limit\":0,\"swap\":0,\"reservation\":0}}", &[], &[]),
        (
            "{\"memory\":{\"limit\":1000,\"reservation\":500,\"swap\":3000}}",
            &[
                "memory.limit_in_bytes 1000",
                "memory.memsw.limit_in_bytes 3000",
                "memory.soft_limit_in_bytes 500",
            ],
            &["memory.swap.max 2000", "memory.max 1000", "memory.low 500"],
        ),
        (
            "{\"memory\":{\"limit\":1000,\"swap\":1000}}",
            &["memory.limit_in_bytes 1000", "memory.memsw.limit_in_bytes 1000"],
            &["memory.swap.max 0", "memory.max 1000"],
        ),
        (
            "{\"memory\":{\"limit\":1000,\"swap\":-1}}",
            &["memory.limit_in_bytes 1000", "memory.memsw.limit_in_bytes -1"],
            &["memory.swap.max max", "memory.max 1000"],
        ),
        (
            "{\"memory\":{\"limit\":-1}}",
            &["memory.limit_in_bytes -1", "memory.memsw.limit_in_bytes -1"],
            &["memory.swap.max max", "memory.max max"],
        ),
        (
            "{\"memory\":{\"swappiness\":60,\"disableOOMKiller\":true}}",
            &["memory.oom_control 1", "memory.swappiness 60"],
            &[],
        ),
        ("{\"memory\":{\"swappiness\":18446744073709551615}}", &[], &[]),
        (
            "{\"cpu\":{\"shares\":1024,\"quota\":50000,\"period\":100000,\"burst\":1000,\"idle\":0,\"cpus\":\"0-1\",\"mems\":\"0\"}}",
            &[
                "cpuset.cpus 0-1",
                "cpuset.mems 0",
                "cpu.shares 1024",
                "cpu.idle 0",
                "cpu.cfs_burst_us 1000",
                "cpu.cfs_period_us 100000",
                "cpu.cfs_quota_us 50000",
            ],
            &[
                "cpu.weight 100",
                "cpu.idle 0",
                "cpu.max.burst 1000",
                "cpu.max 50000 100000",
                "cpuset.cpus 0-1",
                "cpuset.mems 0",
            ],
        ),
        ("{\"cpu\":{\"quota\":-1}}", &["cpu.cfs_quota_us -1"], &["cpu.max max 100000"]),
        ("{\"cpu\":{\"period\":5000}}", &["cpu.cfs_period_us 5000"], &["cpu.max max 5000"]),
        ("{\"cpu\":{\"shares\":0,\"quota\":0,\"period\":0,\"cpus\":\"\"}}", &[], &[]),
        ("{\"pids\":{}}", &[], &[]),
        ("{\"pids\":{\"limit\":0}}", &["pids.max max"], &["pids.max max"]),
        ("{\"pids\":{\"limit\":-1}}", &["pids.max max"], &["pids.max max"]),
        ("{\"pids\":{\"limit\":64}}", &["pids.max 64"], &["pids.max 64"]),
        (
            "{\"blockIO\":{\"weight\":10,\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":1000}]}}",
            &["blkio.bfq.weight 10", "blkio.bfq.weight_device 8:0 1000"],
            &["io.bfq.weight 10", "io.bfq.weight 8:0 1000"],
        ),
        (
            "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":600},{\"major\":8,\"minor\":16,\"rate\":7}],\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":0}]}}",
            &[
                "blkio.throttle.read_bps_device 8:0 600",
                "blkio.throttle.read_bps_device 8:16 7",
                "blkio.throttle.write_iops_device 8:0 0",
            ],
            &["io.max 8:0 rbps=600 wiops=max", "io.max 8:16 rbps=7"],
        ),
        (
            "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}",
            &["hugetlb.2MB.limit_in_bytes 4194304", "hugetlb.2MB.rsvd.limit_in_bytes 4194304"],
            &["hugetlb.2MB.max 4194304", "hugetlb.2MB.rsvd.max 4194304"],
        ),
        (
            "{\"network\":{\"classID\":1048577,\"priorities\":[{\"name\":\"eth0\",\"priority\":5}]}}",
            &["net_cls.classid 1048577", "net_prio.ifpriomap eth0 5"],
            &[],
        ),
        (
            "{\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3,\"hcaObjects\":9},\"rxe3\":{\"hcaObjects\":1}}}",
            &["rdma.max mlx5_1 hca_handle=3 hca_object=9", "rdma.max rxe3 hca_object=1"],
            &["rdma.max mlx5_1 hca_handle=3 hca_object=9", "rdma.max rxe3 hca_object=1"],
        ),
    ];
    for (json, on_v1, on_v2) in rows {
        assert_eq!(rendered(json, &legacy()), *on_v1, "v1 of {json}");
        assert_eq!(rendered(json, &unified()), *on_v2, "v2 of {json}");
    }
}

#[test]
fn real_time_limits_are_v1_files() {
    let json = "{\"cpu\":{\"realtimeRuntime\":950000,\"realtimePeriod\":1000000}}";
    assert_eq!(rendered(json, &legacy()), ["cpu.rt_period_us 1000000", "cpu.rt_runtime_us 950000"]);
}

#[test]
fn unified_entries_are_written_line_by_line() {
    let json = "{\"unified\":{\"io.max\":\"259:0 rbps=2 \\n253:0 rbps=3\",\"hugetlb.1GB.max\":\"1\"}}";
    assert_eq!(
        rendered(json, &unified()),
        ["hugetlb.1GB.max 1", "io.max 259:0 rbps=2 ", "io.max 253:0 rbps=3"]
    );
    let (limits, _) = check(json, &unified()).unwrap();
    assert_eq!(v2::controllers(&limits), ["hugetlb", "io"]);
}

#[test]
fn wrong_limits_are_refused_with_their_field() {
    // (resources, v1 refuses, v2 refuses, field)
    let rows: &[(&str, bool, bool, &str)] = &[
        ("{\"memory\":{\"limit\":-2}}", true, true, "memory/limit"),
        ("{\"memory\":{\"swap\":5}}", true, true, "memory/swap"),
        ("{\"memory\":{\"limit\":10,\"swap\":5}}", true, true, "memory/swap"),
        ("{\"memory\":{\"swappiness\":101}}", true, true, "memory/swappiness"),
        ("{\"cpu\":{\"quota\":5000,\"burst\":6000}}", true, true, "cpu/burst"),
        ("{\"cpu\":{\"idle\":2}}", true, true, "cpu/idle"),
        ("{\"cpu\":{\"realtimeRuntime\":5}}", false, true, "cpu/realtimeRuntime"),
        ("{\"cpu\":{\"realtimePeriod\":5}}", false, true, "cpu/realtimePeriod"),
        ("{\"blockIO\":{\"weight\":9}}", true, true, "blockIO/weight"),
        ("{\"blockIO\":{\"weightDevice\":[{\"weight\":1001}]}}", true, true, "blockIO/weightDevice/0/weight"),
        ("{\"hugepageLimits\":[{\"pageSize\":\"../2MB\"}]}", true, true, "hugepageLimits/0/pageSize"),
        ("{\"hugepageLimits\":[{\"pageSize\":\"0MB\"}]}", true, true, "hugepageLimits/0/pageSize"),
        ("{\"rdma\":{\"a b\":{\"hcaObjects\":1}}}", true, true, "rdma/a b"),
        ("{\"rdma\":{\"a\":{}}}", true, true, "rdma/a"),
        ("{\"unified\":{\"memory.max\":\"1\"}}", true, false, "unified/memory.max"),
        ("{\"unified\":{\"../x/memory.max\":\"1\"}}", true, true, "unified/..~1x~1memory.max"),
        ("{\"unified\":{\"memory..max\":\"1\"}}", true, true, "unified/memory..max"),
        ("{\"unified\":{\"memory\":\"1\"}}", true, true, "unified/memory"),
        ("{\"unified\":{\"cgroup.procs\":\"1\"}}", true, true, "unified/cgroup.procs"),
        ("{\"devices\":[{\"allow\":true,\"type\":\"p\",\"access\":\"r\"}]}", true, true, "devices/0/type"),
        ("{\"devices\":[{\"allow\":true}]}", true, true, "devices/0/access"),
        ("{\"devices\":[{\"allow\":true,\"access\":\"r\",\"major\":-2}]}", true, true, "devices/0/major"),
    ];
    for (json, on_v1, on_v2, field) in rows {
        for (layout, refused) in [(legacy(), on_v1), (unified(), on_v2)] {
            match check(json, &layout) {
                Ok(_) => assert!(!refused, "{json} was accepted for {layout:?}"),
                Err(error) => {
                    assert!(refused, "{json} was refused for {layout:?}: {error}");
                    let found = error.detail().field.as_deref().unwrap_or_default();
                    let found = found.strip_prefix("/linux/resources").unwrap_or(found);
                    assert_eq!(found.strip_prefix('/'), Some(*field), "{json}");
                }
            }
        }
    }
}

#[test]
fn several_wrong_limits_are_told_at_once() {
    let error =
        check("{\"memory\":{\"limit\":-2},\"cpu\":{\"idle\":7}}", &unified()).unwrap_err().to_string();
    assert!(error.contains("memory/limit") && error.contains("cpu/idle"), "{error}");
}

#[test]
fn what_a_version_does_not_have_but_peers_accept_is_a_warning() {
    let json = "{\"memory\":{\"kernel\":5,\"kernelTCP\":5,\"swappiness\":1,\"disableOOMKiller\":true},\
                \"blockIO\":{\"leafWeight\":10},\"network\":{\"classID\":1}}";
    let (_, warnings) = check(json, &unified()).unwrap();
    assert_eq!(warnings.len(), 6, "{warnings:?}");
    let (_, warnings) = check(json, &legacy()).unwrap();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
}

#[test]
fn a_leaf_weight_of_a_device_is_a_warning() {
    let json = "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":20,\"leafWeight\":10}]}}";
    for layout in [legacy(), unified()] {
        let (_, warnings) = check(json, &layout).unwrap();
        assert!(
            warnings.iter().any(|warning| warning.to_string().contains("weightDevice/0/leafWeight")),
            "{warnings:?}"
        );
    }
}

#[test]
fn a_v1_controller_that_is_not_mounted_is_an_error_with_field_value_and_remedy() {
    let layout = Layout::default();
    let error = check("{\"cpu\":{\"shares\":512}}", &layout).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("/linux/resources/cpu/shares = \"512\""), "{text}");
    assert!(text.contains("controller cpu") && text.contains("remove the limit"), "{text}");
    check("{}", &layout).unwrap();
}

#[test]
fn shares_become_weights_that_keep_the_ends_and_the_default() {
    for (shares, weight) in [(1, 1), (2, 1), (1024, 100), (262_144, 10_000), (u64::MAX, 10_000)] {
        assert_eq!(v2::weight_of_shares(shares), weight, "{shares}");
    }
    let weights: Vec<u64> = (2..=262_144).map(v2::weight_of_shares).collect();
    // As the C library's functions have it.
    let by_libm = (2..262_144_u64).map(|shares| {
        let l = (shares as f64).log2();
        (10_f64.powf((l * l + 125.0 * l) / 612.0 - 7.0 / 34.0) - 1e-9).ceil() as u64
    });
    assert!(by_libm.eq(weights[..weights.len() - 1].iter().copied()));
    assert!(weights.is_sorted(), "a larger share never gets a smaller weight");
    assert!(weights.iter().all(|w| (1..=10_000).contains(w)));
}

#[test]
fn blkio_weights_become_io_weights_linearly() {
    for (blkio, io) in [(10, 1), (100, 910), (500, 4950), (1000, 10_000)] {
        assert_eq!(v2::weight_of_blkio(blkio), io, "{blkio}");
    }
}
