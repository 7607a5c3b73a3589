//! cgroup v1 and the hybrid layout on the real kernel. Skipped, with the reason, where they are not.

use crate::support::cgroups::{Place, legacy, run_inside, same};
use rruntime::cgroup::{Cgroup, Limits};
use std::fs;
use std::path::Path;

/// A layout with this v1 controller.
fn with(controller: &str) -> Option<rruntime::host::cgroups::Layout> {
    let layout = legacy()?;
    if !layout.has_v1(controller) {
        crate::support::say_skipped(&format!("no {controller} controller on cgroup v1 here"));
        return None;
    }
    Some(layout)
}

/// What ran before may have left a directory where a hierarchy would be.
#[test]
fn a_plain_directory_is_no_controller() {
    let directory = std::env::temp_dir().join(format!("rr-cpu-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    assert!(!crate::support::is_hierarchy(&directory));
    fs::remove_dir(&directory).unwrap();
    let Some(layout) = legacy() else { return };
    let place = Place::new(layout, "hierarchy");
    assert!(place.location.legs.iter().any(|leg| crate::support::is_hierarchy(Path::new(&leg.mount))));
}

#[test]
fn a_cgroup_is_made_joined_killed_and_removed() {
    if let Some(layout) = legacy() {
        same::life(layout);
    }
}

#[test]
fn freezing_stops_every_process() {
    if let Some(layout) = with("freezer") {
        same::freezing(layout);
    }
}

#[test]
fn a_frozen_container_can_be_killed() {
    if let Some(layout) = with("freezer") {
        same::killing_a_frozen_one(layout);
    }
}

#[test]
fn a_frozen_cgroup_is_no_place_for_a_new_container() {
    if let Some(layout) = with("freezer") {
        same::a_frozen_cgroup_is_refused(layout);
    }
}

#[test]
fn cgroups_below_are_listed_killed_and_removed() {
    if let Some(layout) = with("freezer") {
        same::children_go_too(layout);
    }
}

#[test]
fn a_forking_container_ends_at_once() {
    if let Some(layout) = with("freezer") {
        same::many_processes_end_at_once(layout);
    }
}

#[test]
fn device_rules_decide_and_change_under_a_running_container() {
    if let Some(layout) = with("devices") {
        same::devices(layout);
    }
}

#[test]
fn a_pids_limit_stops_forks() {
    if let Some(layout) = with("pids") {
        same::pids_limit(&Place::new(layout, "pids"));
    }
}

#[test]
fn a_memory_limit_ends_what_exceeds_it() {
    let Some(layout) = with("memory") else { return };
    let place = Place::new(layout, "memory");
    // Swap accounting is optional on v1.
    place.limited("{\"memory\":{\"limit\":8388608,\"reservation\":4194304}}");
    assert_eq!(place.read("memory.limit_in_bytes"), "8388608");
    assert_eq!(place.read("memory.soft_limit_in_bytes"), "4194304");
    let printed = run_inside(&place.location, "tail /dev/zero; echo $?");
    assert!(printed.contains("137"), "{printed}");
}

#[test]
fn memory_and_swap_are_raised_and_lowered_together() {
    let Some(layout) = with("memory") else { return };
    let place = Place::new(layout, "memsw");
    let cgroup = place.create();
    if std::fs::metadata(format!("{}/memory.memsw.limit_in_bytes", memory(&place))).is_err() {
        crate::support::say_skipped("this kernel counts no swap on cgroup v1");
        return;
    }
    for megabytes in [64_u64, 16, 128, 32] {
        let (limit, swap) = (megabytes << 20, megabytes << 21);
        let resources = format!("{{\"memory\":{{\"limit\":{limit},\"swap\":{swap}}}}}");
        cgroup.apply(&place.limits(&resources)).unwrap();
        assert_eq!(place.read("memory.limit_in_bytes"), limit.to_string());
        assert_eq!(place.read("memory.memsw.limit_in_bytes"), swap.to_string());
    }
    cgroup.apply(&place.limits("{\"memory\":{\"limit\":-1}}")).unwrap();
    assert!(place.read("memory.memsw.limit_in_bytes").len() > 15);
}

fn memory(place: &Place) -> String {
    let leg = place.location.legs.iter().find(|l| l.controllers.iter().any(|c| c == "memory")).unwrap();
    leg.directory()
}

#[test]
fn a_limit_below_the_memory_in_use_is_refused_before_it_hurts() {
    if let Some(layout) = with("memory") {
        same::check_before_update(&Place::new(layout, "check"));
    }
}

#[test]
fn cpu_limits_arrive_and_period_and_quota_change_in_any_order() {
    let Some(layout) = with("cpu") else { return };
    let place = Place::new(layout, "cpu");
    let cgroup = place.limited("{\"cpu\":{\"shares\":512,\"quota\":50000,\"period\":100000}}");
    assert_eq!(place.read("cpu.shares"), "512");
    for (quota, period) in [(5000, 10_000), (900_000, 1_000_000), (2000, 2000), (-1, 100_000)] {
        let resources = format!("{{\"cpu\":{{\"quota\":{quota},\"period\":{period}}}}}");
        cgroup.apply(&place.limits(&resources)).unwrap();
        assert_eq!(place.read("cpu.cfs_quota_us"), quota.to_string());
        assert_eq!(place.read("cpu.cfs_period_us"), period.to_string());
    }
}

#[test]
fn a_burst_and_idleness_arrive() {
    let Some(layout) = with("cpu") else { return };
    let place = Place::new(layout, "burst");
    let cgroup = place.create();
    cgroup.apply(&place.limits("{\"cpu\":{\"quota\":20000,\"burst\":10000}}")).unwrap();
    assert_eq!(place.read("cpu.cfs_burst_us"), "10000");
    cgroup.apply(&place.limits("{\"cpu\":{\"idle\":1}}")).unwrap();
    assert_eq!(place.read("cpu.idle"), "1");
    cgroup.apply(&place.limits("{\"cpu\":{\"idle\":0,\"shares\":256}}")).unwrap();
    assert_eq!(place.read("cpu.shares"), "256");
}

#[test]
fn a_cpuset_is_inherited_at_every_level_and_then_narrowed() {
    let Some(layout) = with("cpuset") else { return };
    let place = Place::new(layout, "cpuset");
    let outer = place.create();
    let below = place.below("x/y");
    let cgroup = Cgroup::make(&below, &Limits::default()).unwrap();
    // The kernel goes by a process's own mask too: that of the tests' caller may be narrower than the machine.
    let allowed = std::fs::read_to_string("/proc/self/status").unwrap();
    let printed = run_inside(&below, "grep Cpus_allowed_list /proc/self/status");
    assert!(allowed.lines().any(|line| line == printed), "{printed}");
    assert_eq!(place.read("x/y/cpuset.cpus"), place.read("cpuset.cpus"));
    cgroup.apply(&place.limits("{\"cpu\":{\"cpus\":\"0\",\"mems\":\"0\"}}")).unwrap();
    let printed = run_inside(&below, "grep Cpus_allowed_list /proc/self/status");
    assert!(printed.ends_with("\t0"), "{printed}");
    cgroup.remove(crate::support::cgroups::soon(), &rruntime::sys::poll::rest).unwrap();
    outer.remove(crate::support::cgroups::soon(), &rruntime::sys::poll::rest).unwrap();
}

#[test]
fn a_value_that_the_kernel_refuses_names_its_field() {
    let Some(layout) = with("cpuset") else { return };
    let place = Place::new(layout, "refused");
    let cgroup = place.create();
    let error = cgroup.apply(&place.limits("{\"cpu\":{\"cpus\":\"4000\"}}")).unwrap_err().to_string();
    assert!(error.contains("/linux/resources/cpu/cpus = \"4000\""), "{error}");
}

#[test]
fn block_io_throttles_arrive() {
    let Some(layout) = with("blkio") else { return };
    let Some(numbers) = disk() else { return };
    let place = Place::new(layout, "blkio");
    let (major, minor) = numbers;
    place.limited(&format!(
        "{{\"blockIO\":{{\"throttleReadBpsDevice\":[{{\"major\":{major},\"minor\":{minor},\"rate\":1048576}}]}}}}"
    ));
    assert_eq!(place.read("blkio.throttle.read_bps_device"), format!("{major}:{minor} 1048576"));
}

/// The numbers of a whole disk.
fn disk() -> Option<(u32, u32)> {
    let found = std::fs::read_dir("/sys/block").ok().and_then(|mut disks| {
        disks.find_map(|disk| {
            let text = std::fs::read_to_string(disk.ok()?.path().join("dev")).ok()?;
            let (major, minor) = text.trim().split_once(':')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        })
    });
    if found.is_none() {
        crate::support::say_skipped("no block device here");
    }
    found
}

#[test]
fn a_hybrid_host_limits_huge_pages_on_its_v2_leg() {
    let Some(layout) = legacy() else { return };
    let place = Place::new(layout, "hugetlb");
    let cgroup = place.create();
    match cgroup.apply(&place.limits("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}")) {
        Ok(()) => {}
        Err(error) => {
            assert!(error.to_string().contains("hugepageLimits/0/limit"), "{error}");
            crate::support::say_skipped("no huge pages here");
            return;
        }
    }
    let files = ["hugetlb.2MB.rsvd.max", "hugetlb.2MB.rsvd.limit_in_bytes"];
    let v1 = place.layout.has_v1("hugetlb");
    assert_eq!(place.read(files[usize::from(v1)]), "4194304");
}
