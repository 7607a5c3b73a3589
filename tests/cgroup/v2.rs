//! cgroup v2 on the real kernel: the unified hierarchy, or the v2 leg of a hybrid host taken alone. What needs a
//! controller that is not there is skipped, with the reason; a VM has them all (hack/vm).

use crate::support::cgroups::{Place, Shell, join, run_inside, same, unified, unified_with};
use rruntime::cgroup::{Cgroup, Limits};
use std::io::Write;
use std::os::fd::AsRawFd;

#[test]
fn a_cgroup_is_made_joined_killed_and_removed() {
    if let Some(layout) = unified() {
        same::life(layout);
    }
}

#[test]
fn freezing_stops_every_process() {
    if let Some(layout) = unified() {
        same::freezing(layout);
    }
}

#[test]
fn a_frozen_container_can_be_killed() {
    if let Some(layout) = unified() {
        same::killing_a_frozen_one(layout);
    }
}

#[test]
fn a_frozen_cgroup_is_no_place_for_a_new_container() {
    if let Some(layout) = unified() {
        same::a_frozen_cgroup_is_refused(layout);
    }
}

#[test]
fn cgroups_below_are_listed_killed_and_removed() {
    if let Some(layout) = unified() {
        same::children_go_too(layout);
    }
}

#[test]
fn a_forking_container_ends_at_once() {
    if let Some(layout) = unified() {
        same::many_processes_end_at_once(layout);
    }
}

#[test]
fn device_rules_decide_and_change_under_a_running_container() {
    if let Some(layout) = unified() {
        same::devices(layout);
    }
}

#[test]
fn without_rules_and_with_allow_all_no_program_is_attached() {
    let Some(layout) = unified() else { return };
    let place = Place::new(layout, "allow-all");
    let cgroup = place.limited("{\"devices\":[{\"allow\":true,\"access\":\"rwm\"}]}");
    let dir = cgroup.birth().unwrap();
    assert!(rruntime::sys::bpf::device_program_ids(dir).unwrap().is_empty());
}

#[test]
fn an_update_replaces_the_one_program() {
    let Some(layout) = unified() else { return };
    let place = Place::new(layout, "replace");
    place.limited("{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}");
    let cgroup = Cgroup::open(&place.location).unwrap().unwrap();
    let ids = || rruntime::sys::bpf::device_program_ids(cgroup.birth().unwrap()).unwrap();
    let first = ids();
    assert_eq!(first.len(), 1);
    cgroup.guard_devices(&place.limits("{\"devices\":[{\"allow\":true,\"access\":\"rwm\"}]}")).unwrap();
    let second = ids();
    assert_eq!(second.len(), 1);
    assert_ne!(first, second);
}

/// Both sets of rules forbid the kernel's log, and so does every moment between them.
#[test]
fn between_two_sets_of_rules_nothing_is_allowed_that_both_forbid() {
    let Some(layout) = unified() else { return };
    let place = Place::new(layout, "gap");
    let rules = |minor: u32| {
        place.limits(&format!(
            "{{\"devices\":[{{\"allow\":false,\"access\":\"rwm\"}},\
             {{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":{minor},\"access\":\"rw\"}}]}}"
        ))
    };
    let cgroup = place.create();
    cgroup.guard_devices(&rules(3)).unwrap();
    let script =
        "while read -r go; do (: </dev/kmsg) 2>/dev/null && echo opened; n=$((n+1)); done; echo tried $n";
    let mut shell = Shell::waiting(script);
    join(&place.location, shell.pid());
    let again = Cgroup::open(&place.location).unwrap().unwrap();
    let mut go = shell.0.stdin.take().unwrap();
    for minor in 0..300 {
        go.write_all(b"go\n").unwrap();
        again.guard_devices(&rules(3 + minor % 3)).unwrap();
    }
    drop(go);
    assert_eq!(shell.finish().1.trim(), "tried 299");
}

#[test]
fn the_birth_descriptor_is_the_cgroups_directory() {
    let Some(layout) = unified() else { return };
    let place = Place::new(layout, "birth");
    let cgroup = place.create();
    let link = format!("/proc/self/fd/{}", cgroup.birth().unwrap().as_raw_fd());
    assert_eq!(std::fs::read_link(link).unwrap().to_str().unwrap(), place.location.legs[0].directory());
}

#[test]
fn a_parent_with_processes_leaves_a_usable_cgroup_and_a_clear_error_for_limits() {
    let Some(layout) = unified_with("memory") else { return };
    let place = Place::new(layout, "populated");
    place.create();
    let mut shell = Shell::waiting("true");
    join(&place.location, shell.pid());
    let limits = place.limits("{\"memory\":{\"limit\":8388608}}");
    let inner = Cgroup::make(&place.below("inner"), &limits).unwrap();
    join(&place.below("inner"), shell.pid());
    join(&place.location, shell.pid());
    let error = inner.apply(&limits).unwrap_err().to_string();
    assert!(error.contains("memory/limit") && error.contains("the parent cgroup has processes"), "{error}");
    shell.0.kill().unwrap();
    shell.0.wait().unwrap();
}

#[test]
fn a_process_in_a_cgroup_below_is_found_there() {
    let Some(layout) = unified() else { return };
    let place = Place::new(layout, "beside");
    let cgroup = place.create();
    let mut shells = [Shell::waiting("true"), Shell::waiting("true")];
    // Before there is a cgroup below: one that hands down controllers takes no process.
    join(&place.location, shells[0].pid());
    Cgroup::make(&place.below("init.scope"), &Limits::default()).unwrap();
    join(&place.below("init.scope"), shells[1].pid());
    let directory = place.location.legs[0].directory();
    for (shell, expected) in shells.iter().zip([directory.clone(), format!("{directory}/init.scope")]) {
        let found = cgroup.beside(shell.pid()).unwrap();
        let link = format!("/proc/self/fd/{}", found.as_raw_fd());
        assert_eq!(std::fs::read_link(link).unwrap().to_str().unwrap(), expected);
    }
    assert!(cgroup.beside(std::process::id() as i32).is_err());
    for shell in &mut shells {
        shell.0.kill().unwrap();
        shell.0.wait().unwrap();
    }
}

#[test]
fn a_symbolic_link_or_another_file_system_on_the_way_is_refused() {
    let Some(layout) = unified() else { return };
    let place = Place::new(layout, "beneath");
    let mut location = place.location.clone();
    location.legs[0].path = "../rr-test-outside".into();
    assert!(Cgroup::make(&location, &Limits::default()).is_err());
    assert!(Cgroup::open(&location).is_err());
}

#[test]
fn a_missing_controller_is_an_error_with_field_value_and_remedy() {
    let Some(layout) = unified() else { return };
    let place = Place::new(layout, "missing");
    let cgroup = place.create();
    let text = cgroup.apply(&place.limits("{\"unified\":{\"nosuch.max\":\"5\"}}")).unwrap_err().to_string();
    assert!(text.contains("/linux/resources/unified/nosuch.max = \"5\""), "{text}");
    assert!(text.contains("controller nosuch") && text.contains("remove the limit"), "{text}");
}

#[test]
fn a_pids_limit_stops_forks() {
    if let Some(layout) = unified_with("pids") {
        same::pids_limit(&Place::new(layout, "pids"));
    }
}

#[test]
fn a_memory_limit_ends_what_exceeds_it() {
    if let Some(layout) = unified_with("memory") {
        same::memory_limit_ends_a_process(&Place::new(layout, "oom"));
    }
}

#[test]
fn a_limit_below_the_memory_in_use_is_refused_before_it_hurts() {
    if let Some(layout) = unified_with("memory") {
        same::check_before_update(&Place::new(layout, "check"));
    }
}

#[test]
fn memory_limits_arrive() {
    let Some(layout) = unified_with("memory") else { return };
    let place = Place::new(layout, "memory");
    let cgroup = place.limited("{\"memory\":{\"limit\":8388608,\"swap\":8388608,\"reservation\":4194304}}");
    assert_eq!(place.read("memory.max"), "8388608");
    assert_eq!(place.read("memory.low"), "4194304");
    let directory = place.location.legs[0].directory();
    if std::fs::metadata(format!("{directory}/memory.swap.max")).is_ok() {
        assert_eq!(place.read("memory.swap.max"), "0");
    }
    cgroup.apply(&place.limits("{\"memory\":{\"limit\":-1}}")).unwrap();
    assert_eq!(place.read("memory.max"), "max");
}

#[test]
fn cpu_limits_arrive() {
    let Some(layout) = unified_with("cpu") else { return };
    let place = Place::new(layout, "cpu");
    let cgroup = place.limited("{\"cpu\":{\"shares\":1024,\"quota\":50000,\"period\":100000}}");
    assert_eq!(place.read("cpu.weight"), "100");
    assert_eq!(place.read("cpu.max"), "50000 100000");
    cgroup.apply(&place.limits("{\"cpu\":{\"shares\":512,\"quota\":-1}}")).unwrap();
    assert_eq!(place.read("cpu.max"), "max 100000");
    assert_eq!(place.read("cpu.weight"), rruntime::cgroup::v2::weight_of_shares(512).to_string());
    cgroup.apply(&place.limits("{\"cpu\":{\"quota\":20000,\"burst\":10000}}")).unwrap();
    assert_eq!(place.read("cpu.max.burst"), "10000");
    cgroup.apply(&place.limits("{\"cpu\":{\"idle\":1}}")).unwrap();
    cgroup.apply(&place.limits("{\"cpu\":{\"idle\":0,\"shares\":1024}}")).unwrap();
    assert_eq!((place.read("cpu.idle"), place.read("cpu.weight")), ("0".into(), "100".into()));
}

#[test]
fn block_io_limits_arrive() {
    let Some(layout) = unified_with("io") else { return };
    let place = Place::new(layout, "io");
    let cgroup = place.create();
    let disk = std::fs::read_dir("/sys/block").ok().and_then(|mut d| {
        d.find_map(|d| {
            let numbers = std::fs::read_to_string(d.ok()?.path().join("dev")).ok()?;
            Some(numbers.trim().to_owned())
        })
    });
    if let Some(numbers) = disk {
        let (major, minor) = numbers.split_once(':').unwrap();
        let device = format!("\"major\":{major},\"minor\":{minor}");
        cgroup
            .apply(&place.limits(&format!(
                "{{\"blockIO\":{{\"throttleReadBpsDevice\":[{{{device},\"rate\":1048576}}],\
                 \"throttleWriteIOPSDevice\":[{{{device},\"rate\":50}}]}}}}"
            )))
            .unwrap();
        assert_eq!(place.read("io.max"), format!("{numbers} rbps=1048576 wbps=max riops=max wiops=50"));
    }
    let directory = place.location.legs[0].directory();
    for (file, expected) in [("io.bfq.weight", "default 500"), ("io.weight", "default 4950")] {
        if std::fs::metadata(format!("{directory}/{file}")).is_ok() {
            cgroup.apply(&place.limits("{\"blockIO\":{\"weight\":500}}")).unwrap();
            assert!(place.read(file).starts_with(expected), "{}", place.read(file));
            return;
        }
    }
    crate::support::say_skipped("this kernel has no I/O weights");
}

#[test]
fn a_cpuset_narrows() {
    let Some(layout) = unified_with("cpuset") else { return };
    let place = Place::new(layout, "cpuset");
    place.limited("{\"cpu\":{\"cpus\":\"0\",\"mems\":\"0\"}}");
    let printed = run_inside(&place.location, "grep Cpus_allowed_list /proc/self/status");
    assert!(printed.ends_with("\t0"), "{printed}");
}

#[test]
fn a_hugetlb_limit_arrives_with_its_reservation() {
    let Some(layout) = unified_with("hugetlb") else { return };
    let place = Place::new(layout, "hugetlb");
    let cgroup = place.create();
    match cgroup.apply(&place.limits("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}")) {
        Ok(()) => {
            assert_eq!(place.read("hugetlb.2MB.max"), "4194304");
            assert_eq!(place.read("hugetlb.2MB.rsvd.max"), "4194304");
        }
        Err(error) => crate::support::say_skipped(&format!("{error}")),
    }
    let error = cgroup
        .apply(&place.limits("{\"hugepageLimits\":[{\"pageSize\":\"3MB\",\"limit\":1}]}"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("/linux/resources/hugepageLimits/0/limit"), "{error}");
}

#[test]
fn huge_pages_beyond_the_limit_are_not_given() {
    let Some(layout) = unified_with("hugetlb") else { return };
    let set_aside = std::fs::read_to_string("/proc/sys/vm/nr_hugepages").unwrap_or_default();
    if set_aside.trim().parse().unwrap_or(0) < 4 || std::fs::metadata("/usr/bin/python3").is_err() {
        return crate::support::say_skipped("this host has no huge pages set aside, or no python3");
    }
    let place = Place::new(layout, "huge");
    place.limited("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}");
    let take = "python3 -c 'import mmap, sys; n = int(sys.argv[1]) << 21; \
                m = mmap.mmap(-1, n, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000); \
                m[0] = m[n - 1] = 1; print(\"got\", n)'";
    let printed = run_inside(&place.location, &format!("{take} 2; {take} 3"));
    assert!(printed.contains("got 4194304") && !printed.contains("got 6291456"), "{printed}");
    assert!(printed.contains("Cannot allocate memory"), "{printed}");
}

#[test]
fn unified_parameters_arrive_and_enable_their_controller() {
    let Some(layout) = unified_with("memory") else { return };
    let place = Place::new(layout, "unified");
    place.limited("{\"unified\":{\"memory.high\":\"4194304\",\"cgroup.max.depth\":\"3\"}}");
    assert_eq!(place.read("memory.high"), "4194304");
    assert_eq!(place.read("cgroup.max.depth"), "3");
}

#[test]
fn controllers_reach_a_cgroup_below_new_parents() {
    let Some(layout) = unified_with("pids") else { return };
    let place = Place::new(layout, "deep");
    let outer = place.create();
    let limits = place.limits("{\"pids\":{\"limit\":7}}");
    let inner = Cgroup::make(&place.below("a/b/c"), &limits).unwrap();
    inner.apply(&limits).unwrap();
    let directory = format!("{}/a/b/c/pids.max", place.location.legs[0].directory());
    assert_eq!(std::fs::read_to_string(directory).unwrap().trim(), "7");
    outer.remove(crate::support::cgroups::soon(), &rruntime::sys::poll::rest).unwrap();
}

#[test]
fn a_wait_for_the_last_process_ends_when_it_does() {
    let Some(layout) = unified() else { return };
    let place = Place::new(layout, "wait");
    let cgroup = place.create();
    let shell = Shell::inside(&place.location, "sleep 0.3");
    let began = std::time::Instant::now();
    cgroup.remove(crate::support::cgroups::soon(), &rruntime::sys::poll::rest).unwrap();
    assert!(began.elapsed().as_secs() < 5);
    assert!(shell.finish().0.success());
}

/// What `run` does with the cgroup of a Docker-like container. Watched by the test below.
#[test]
fn one_life() {
    let Some(layout) = unified() else { return };
    let mut resources = vec![
        "\"devices\":[{\"allow\":false,\"access\":\"rwm\"},\
         {\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"rwm\"}]",
    ];
    if unified_with("memory").is_some() {
        resources.push("\"memory\":{\"limit\":67108864}");
    }
    if unified_with("pids").is_some() {
        resources.push("\"pids\":{\"limit\":100}");
    }
    let place = Place::new(layout, "one-life");
    let limits = place.limits(&format!("{{{}}}", resources.join(",")));
    let cgroup = Cgroup::make(&place.location, &limits).unwrap();
    cgroup.apply(&limits).unwrap();
    cgroup.birth().unwrap();
    cgroup.remove(crate::support::cgroups::soon(), &rruntime::sys::poll::rest).unwrap();
    place.leave();
}

#[test]
fn a_whole_life_costs_at_most_25_calls_on_cgroup_files() {
    if unified().is_none() {
        return;
    }
    let log = std::env::temp_dir().join(format!("rr-test-{}-strace", std::process::id()));
    let strace = std::process::Command::new("strace")
        .args(["-f", "-y", "-o"])
        .arg(&log)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "v2::one_life"])
        .output();
    let Ok(output) = strace else {
        crate::support::say_skipped("no strace here");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    // The test itself looks for a controller by reading a file with open(2) or openat(2).
    let began = text.find("mkdirat(").unwrap();
    let began = text[..began].rfind("openat2(AT_FDCWD").unwrap();
    let calls: Vec<&str> = text[began..]
        .lines()
        // A debug build of std checks a descriptor with fcntl(2) before it closes it.
        .filter(|l| !l.contains(" fcntl("))
        .filter(|l| l.contains("/sys/fs/cgroup") || l.contains(" bpf(") || l.contains("bpf-prog"))
        .collect();
    assert!(calls.len() <= 25, "{} calls:\n{}", calls.len(), calls.join("\n"));
    assert!(!text[began..].contains("mountinfo") && !text[began..].contains("cgroup.procs"));
    println!("{} calls:\n{}", calls.len(), calls.join("\n"));
}
