//! Every limit that config.json has for a scope: the property that systemd is told, the control file, what becomes of both
//! when systemd writes it again, and what is told of a scope that is out of memory.

use crate::fixture::{file_of, path_of, property, run, scoped, started, systemctl, unit};
use crate::rules::{reload, reloads};
use crate::support::{Container, disk, finish, is_v2, wait_until};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::process::Stdio;

const MIB: u64 = 1 << 20;

/// A limit with its property, as `systemctl show` has it, and with its control file: what is in that, and what is in it once
/// systemd has written it again.
struct Row {
    resources: Value,
    property: String,
    file: &'static str,
    content: String,
    again: String,
}

/// A limit that systemd writes again as it was; one without a property it leaves alone.
fn row(resources: Value, property: impl Into<String>, file: &'static str, content: impl ToString) -> Row {
    let content = content.to_string();
    Row { resources, property: property.into(), file, again: content.clone(), content }
}

impl Row {
    fn again(self, content: &str) -> Row {
        Row { again: content.to_owned(), ..self }
    }

    /// Its file has one of these.
    #[track_caller]
    fn assert(&self, container: &Container, contents: &[&str]) {
        if let Some((name, value)) = self.property.split_once('=') {
            assert_eq!(property(container, name), value, "{name} for {}", self.resources);
        }
        let controller = self.file.split('.').next().unwrap_or_default();
        let found = file_of(container, controller, self.file);
        assert!(contents.contains(&&*found), "{}: {found} {contents:?} {}", self.file, self.resources);
    }
}

/// Adds what is in `more`, however deep.
fn merge(into: &mut Value, more: &Value) {
    match more.as_object() {
        Some(more) => more.iter().for_each(|(key, more)| merge(&mut into[key], more)),
        None => *into = more.clone(),
    }
}

/// A container that has all of them: once it is made, after a reload (systemd 252 writes files again at once, 257 when it
/// next has to), and once systemd was made to write them.
#[track_caller]
fn assert_limits(rows: &[Row]) {
    let alone = reloads();
    let container = started(scoped().args(&["sleep", "100"]).edit(|config| {
        rows.iter().for_each(|row| merge(&mut config["linux"]["resources"], &row.resources));
    }));
    rows.iter().for_each(|row| row.assert(&container, &[&row.content]));
    reload(&alone);
    rows.iter().for_each(|row| row.assert(&container, &[&row.content, &row.again]));
    // A quota has another name there; its controller's other properties have it written.
    let named = |one: &&String| !one.is_empty() && !one.starts_with("CPUQuota");
    let properties: Vec<&String> = rows.iter().map(|row| &row.property).filter(named).collect();
    if !properties.is_empty() {
        let mut set = systemctl();
        set.args(["set-property", "--runtime", &unit(&container)]).args(properties);
        finish(set).ok();
    }
    for _ in 0..2 {
        rows.iter().for_each(|row| row.assert(&container, &[&row.again]));
        reload(&alone);
    }
    container.call(&["delete", "--force", &container.id]).ok();
}

#[test]
fn memory_is_limited_by_properties_and_files() {
    needs_limits!("memory");
    let (limit, reservation, swap) = (
        json!({"memory": {"limit": 64 * MIB}}),
        json!({"memory": {"reservation": 32 * MIB}}),
        json!({"memory": {"swap": 96 * MIB}}),
    );
    let of = |name: &str, mebibytes: u64| format!("{name}={}", mebibytes * MIB);
    if !is_v2() {
        return assert_limits(&[
            row(limit, of("MemoryLimit", 64), "memory.limit_in_bytes", 64 * MIB),
            row(reservation, "", "memory.soft_limit_in_bytes", 32 * MIB),
            row(swap, "", "memory.memsw.limit_in_bytes", 96 * MIB),
        ]);
    }
    let unified = |file: &str, mebibytes: u64| json!({"unified": {file: (mebibytes * MIB).to_string()}});
    assert_limits(&[
        row(limit, of("MemoryMax", 64), "memory.max", 64 * MIB),
        row(reservation, of("MemoryLow", 32), "memory.low", 32 * MIB),
        row(swap, of("MemorySwapMax", 32), "memory.swap.max", 32 * MIB),
        row(unified("memory.high", 60), of("MemoryHigh", 60), "memory.high", 60 * MIB),
        row(unified("memory.min", 8), of("MemoryMin", 8), "memory.min", 8 * MIB),
    ]);
}

/// systemd keeps a quota in steps of ten milliseconds a second, and writes that again: 666.66 become 670.
#[test]
fn processor_time_and_tasks_are_limited_by_properties_and_files() {
    needs_limits!("cpu", "pids");
    let (shares, time, tasks) = (
        json!({"cpu": {"shares": 512}}),
        json!({"cpu": {"quota": 33_333, "period": 50_000}}),
        json!({"pids": {"limit": 50}}),
    );
    let rate = "CPUQuotaPerSecUSec=670ms";
    let tasks = row(tasks, "TasksMax=50", "pids.max", 50);
    if !is_v2() {
        return assert_limits(&[
            row(shares, "CPUShares=512", "cpu.shares", 512),
            row(time.clone(), rate, "cpu.cfs_quota_us", 33_333).again("33500"),
            row(time, "CPUQuotaPeriodUSec=50ms", "cpu.cfs_period_us", 50_000),
            tasks,
        ]);
    }
    assert_limits(&[
        row(shares, "CPUWeight=59", "cpu.weight", 59),
        row(time.clone(), rate, "cpu.max", "33333 50000").again("33500 50000"),
        row(time, "CPUQuotaPeriodUSec=50ms", "cpu.max", "33333 50000").again("33500 50000"),
        tasks,
    ]);
    assert_limits(&[
        row(json!({"unified": {"cpu.weight": "77"}}), "CPUWeight=77", "cpu.weight", 77),
        // A period without a quota is nothing that it writes.
        row(
            json!({"unified": {"cpu.max": "max 50000"}}),
            "CPUQuotaPerSecUSec=infinity",
            "cpu.max",
            "max 50000",
        )
        .again("max 100000"),
        row(json!({"unified": {"pids.max": "51"}}), "TasksMax=51", "pids.max", 51),
    ]);
}

#[test]
fn processors_and_memory_nodes_are_properties_and_files() {
    needs_limits!("cpuset");
    let (cpus, nodes) = (json!({"cpu": {"cpus": "0"}}), json!({"cpu": {"mems": "0"}}));
    assert_limits(&[
        row(cpus, "AllowedCPUs=0", "cpuset.cpus", 0),
        row(nodes, "AllowedMemoryNodes=0", "cpuset.mems", 0),
    ]);
}

#[test]
fn rates_of_a_disk_are_properties_and_files() {
    needs_limits!("blkio");
    let Some(disk) = disk() else { skip!("this machine has no disk") };
    let (major, minor) = disk.split_once(':').unwrap();
    let number = |text: &str| text.parse::<u64>().unwrap();
    let rates = [
        ("throttleReadBpsDevice", "IOReadBandwidthMax", "blkio.throttle.read_bps_device", 1_048_576),
        ("throttleWriteBpsDevice", "IOWriteBandwidthMax", "blkio.throttle.write_bps_device", 2_097_152),
        ("throttleReadIOPSDevice", "IOReadIOPSMax", "blkio.throttle.read_iops_device", 100),
        ("throttleWriteIOPSDevice", "IOWriteIOPSMax", "blkio.throttle.write_iops_device", 200),
    ];
    let all = format!("{disk} rbps=1048576 wbps=2097152 riops=100 wiops=200");
    let rows = rates.map(|(field, name, file, rate)| {
        let resources =
            json!({"blockIO": {field: [{"major": number(major), "minor": number(minor), "rate": rate}]}});
        match is_v2() {
            true => row(resources, format!("{name}=/dev/block/{disk} {rate}"), "io.max", &all),
            false => row(resources, "", file, format!("{disk} {rate}")),
        }
    });
    assert_limits(&rows);
}

#[test]
fn weights_of_block_io_are_properties_and_files() {
    needs_limits!("blkio");
    let weight = json!({"blockIO": {"weight": 500}});
    let other = started(scoped().args(&["sleep", "100"]));
    let has = |name: &str| fs::exists(path_of(&other, "blkio", name)).unwrap();
    // systemd has a scale of its own for BFQ, and 252 takes a weight of cgroup v1 for one of v2's there.
    let row = match is_v2() {
        true if has("io.bfq.weight") => {
            row(weight, "IOWeight=4950", "io.bfq.weight", "default 500").again("default 540")
        }
        true if has("io.weight") => row(weight, "IOWeight=4950", "io.weight", "default 4950"),
        false if has("blkio.bfq.weight") => {
            row(weight, "BlockIOWeight=500", "blkio.bfq.weight", 500).again("136")
        }
        false if has("blkio.weight") => row(weight, "BlockIOWeight=500", "blkio.weight", 500),
        _ => skip!("no disk of this machine has a scheduler with weights"),
    };
    other.call(&["delete", "--force", &other.id]).ok();
    assert_limits(&[row]);
}

#[test]
fn a_scope_that_runs_out_of_memory_says_so_and_its_numbers_are_its_own() {
    needs_limits!("memory", "pids");
    let small = |container: Container| {
        container.edit(|config| {
            config["linux"]["resources"]["memory"] = json!({"limit": 32 * MIB, "swap": 32 * MIB});
            config["linux"]["resources"]["pids"] = json!({"limit": 20});
        })
    };
    let too_much = "dd if=/dev/zero of=/dev/null bs=128M count=1 2>/dev/null";
    let ended = run(&small(scoped().sh(&format!("exec {too_much}"))));
    assert_eq!(ended.code, 137, "{}", ended.err);

    let container = started(small(scoped().args(&["sleep", "100"])));
    let told = container.dir.join("events");
    let mut command = container.command(&["events", "--interval", "1h", &container.id]);
    let mut watching =
        command.stdout(File::create(&told).unwrap()).stderr(Stdio::null()).spawn().expect("it starts");
    // It holds what it waits for.
    wait_until("the wait for events", || {
        let held = fs::read_dir(format!("/proc/{}/fd", watching.id())).unwrap().flatten();
        held.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|to| {
            to.to_string_lossy().contains("memory.events") || to.to_string_lossy().contains("[eventfd]")
        })
    });
    assert_eq!(container.exec_sh(too_much).code, 137);
    let oom = format!("{{\"type\":\"oom\",\"id\":\"{}\"}}\n", container.id);
    wait_until("the kill is told", || fs::read_to_string(&told).unwrap() == oom);
    assert_eq!(property(&container, "ActiveState"), "active", "the other process lives on");

    let told: Value = serde_json::from_str(&container.call(&["events", "--stats", &container.id]).ok())
        .expect("it is JSON");
    let (tasks, memory) = (&told["data"]["pids"], &told["data"]["memory"]["usage"]);
    assert_eq!((&tasks["current"], &tasks["limit"]), (&json!(1), &json!(20)));
    assert_eq!(memory["limit"], json!(32 * MIB));
    assert!((1..32 * MIB).contains(&memory["usage"].as_u64().unwrap()), "{memory}");
    assert_eq!(property(&container, "TasksCurrent"), "1");
    container.call(&["delete", "--force", &container.id]).ok();
    wait_until("the stream ends", || watching.try_wait().unwrap().is_some());
}

/// With such a program the scope has lost its only process at once.
#[test]
fn a_program_that_is_not_there_is_named_whatever_the_limits() {
    needs_limits!("pids", "memory");
    for round in 0..20 {
        let container = scoped().args(&["no-such-command"]).edit(|config| {
            config["linux"]["resources"]["pids"] = json!({"limit": 20});
            config["linux"]["resources"]["memory"] = json!({"limit": 32 * MIB});
        });
        let ended = run(&container);
        assert!(ended.err.contains("no-such-command"), "round {round}: {}", ended.err);
    }
}
