//! What a container may use, independent of the version of cgroups: `linux.resources`, checked.
//!
//! [`Limits`] is plain data. `v1` and `v2` render it as files; nothing here touches the host. "Not set" and zero
//! are kept apart where the specification does (pids); where peers take zero for "not set" (memory, cpu, block
//! I/O weights), so do we, because engines write zeros for options that nobody gave.

use super::devices::{self, Rules};
use crate::error::{Error, Kind, Result};
use crate::host::cgroups::Layout;
use crate::spec::{BlockIo, Cpu, Memory, Network, Resources};

/// An amount that can be without a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Unlimited,
    Of(u64),
}

/// Whether the device rules are part of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRules {
    /// The listed rules and the ones that every container gets.
    Enforce,
    /// None: in a user namespace the kernel refuses device nodes anyway, and an update leaves them alone.
    Skip,
}

/// Checked limits. Every absent part leaves the kernel's value alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    pub memory: MemoryLimits,
    pub cpu: CpuLimits,
    /// Tasks.
    pub pids: Option<Amount>,
    pub io: IoLimits,
    /// (page size as file names have it, bytes).
    pub hugepages: Vec<(String, u64)>,
    /// v1 only.
    pub net_class: Option<u32>,
    /// (interface, priority), v1 only.
    pub net_priorities: Vec<(String, u32)>,
    /// (device, handles, objects).
    pub rdma: Vec<(String, Option<u32>, Option<u32>)>,
    /// (file, content), v2 only.
    pub unified: Vec<(String, String)>,
    pub devices: Option<Rules>,
}

/// Bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryLimits {
    pub limit: Option<Amount>,
    pub reservation: Option<Amount>,
    /// Memory and swap together.
    pub swap: Option<Amount>,
    pub swappiness: Option<u64>,
    pub oom_killer_disabled: bool,
    pub check_before_update: bool,
}

/// Microseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CpuLimits {
    pub shares: Option<u64>,
    pub quota: Option<Amount>,
    pub period: Option<u64>,
    pub burst: Option<u64>,
    pub realtime_runtime: Option<i64>,
    pub realtime_period: Option<u64>,
    pub idle: Option<i64>,
    pub cpus: Option<String>,
    pub mems: Option<String>,
}

/// Block I/O.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IoLimits {
    pub weight: Option<u16>,
    pub device_weights: Vec<DeviceWeight>,
    pub throttles: Vec<Throttle>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceWeight {
    pub field: String,
    pub major: i64,
    pub minor: i64,
    pub weight: u16,
}

/// A rate in bytes or operations a second; zero takes a limit away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throttle {
    pub field: String,
    pub direction: Direction,
    pub major: i64,
    pub minor: i64,
    pub rate: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ReadBytes,
    WriteBytes,
    ReadOperations,
    WriteOperations,
}

/// Files of cgroup.* that are not limits: writing them would move or stop processes.
const NOT_LIMITS: [&str; 6] = [
    "cgroup.procs",
    "cgroup.threads",
    "cgroup.kill",
    "cgroup.freeze",
    "cgroup.type",
    "cgroup.subtree_control",
];

impl Limits {
    /// Checks `linux.resources` for this host. The second part are warnings for the log.
    ///
    /// Errors name the field: a value out of its range, values that contradict each other, a field that the
    /// host's version of cgroups does not have, a v1 controller that is not mounted.
    pub fn from_spec(
        resources: &Resources,
        layout: &Layout,
        device_rules: DeviceRules,
    ) -> Result<(Limits, Vec<String>)> {
        let mut check = Check { v2: layout.is_unified(), problems: Vec::new(), warnings: Vec::new() };
        let mut limits = Limits::default();
        if let Some(memory) = &resources.memory {
            limits.memory = check.memory(memory);
        }
        if let Some(cpu) = &resources.cpu {
            limits.cpu = check.cpu(cpu);
        }
        limits.pids = resources.pids.as_ref().and_then(|p| p.limit).map(|n| match u64::try_from(n) {
            Ok(n) => Amount::Of(n),
            Err(_) => Amount::Unlimited,
        });
        if let Some(io) = &resources.block_io {
            limits.io = check.io(io);
        }
        check.hugepages(resources, &mut limits);
        if let Some(network) = &resources.network {
            check.network(network, &mut limits);
        }
        check.rdma(resources, &mut limits);
        check.unified(resources, &mut limits);
        if device_rules == DeviceRules::Enforce {
            match devices::Rules::from_spec(&resources.devices) {
                Ok(rules) => limits.devices = Some(rules),
                Err(problem) => check.problems.push(problem),
            }
        }
        if !check.v2 {
            check.v1_controllers(&limits, layout);
        }
        match Error::all(check.problems) {
            None => Ok((limits, check.warnings)),
            Some(error) => Err(error),
        }
    }
}

/// Collects what is wrong with the values.
struct Check {
    v2: bool,
    problems: Vec<Error>,
    warnings: Vec<String>,
}

impl Check {
    fn wrong(&mut self, field: &str, value: impl std::fmt::Display, reason: &'static str) {
        self.problems.push(
            Error::new(reason).kind(Kind::Config).field(format!("/linux/resources/{field}")).value(value),
        );
    }

    fn ignored(&mut self, field: &str, why: &str) {
        self.warnings.push(format!("/linux/resources/{field} is ignored: {why}"));
    }

    /// Bytes or microseconds: -1 has no limit, 0 is "not set".
    fn amount(&mut self, field: &str, value: Option<i64>) -> Option<Amount> {
        match value? {
            0 => None,
            -1 => Some(Amount::Unlimited),
            n => match u64::try_from(n) {
                Ok(n) => Some(Amount::Of(n)),
                Err(_) => {
                    self.wrong(field, n, "a limit is positive, or -1 for no limit");
                    None
                }
            },
        }
    }

    fn memory(&mut self, memory: &Memory) -> MemoryLimits {
        let limits = MemoryLimits {
            limit: self.amount("memory/limit", memory.limit),
            reservation: self.amount("memory/reservation", memory.reservation),
            swap: self.amount("memory/swap", memory.swap),
            // Engines written in Go write -1 into the unsigned field for "not set".
            swappiness: memory.swappiness.filter(|s| *s != u64::MAX),
            oom_killer_disabled: memory.disable_oom_killer == Some(true),
            check_before_update: memory.check_before_update == Some(true),
        };
        match (limits.limit, limits.swap) {
            (None, Some(Amount::Of(swap))) => {
                self.wrong(
                    "memory/swap",
                    swap,
                    "swap counts memory and swap together, and no memory limit is set",
                );
            }
            (Some(Amount::Of(limit)), Some(Amount::Of(swap))) if swap < limit => {
                self.wrong(
                    "memory/swap",
                    swap,
                    "swap counts memory and swap together, and is below memory/limit",
                );
            }
            _ => {}
        }
        if let Some(swappiness) = limits.swappiness.filter(|s| *s > 100) {
            self.wrong("memory/swappiness", swappiness, "swappiness is 0 to 100");
        }
        if memory.kernel.is_some_and(|n| n != 0) {
            self.ignored("memory/kernel", "kernels no longer limit kernel memory apart");
        }
        if memory.kernel_tcp.is_some_and(|n| n != 0) {
            self.ignored("memory/kernelTCP", "kernel memory for TCP is counted in memory/limit");
        }
        if memory.use_hierarchy == Some(false) {
            self.ignored("memory/useHierarchy", "kernels since 5.11 always count hierarchically");
        }
        if self.v2 && limits.swappiness.is_some() {
            self.ignored("memory/swappiness", "cgroup v2 has no swappiness");
        }
        if self.v2 && limits.oom_killer_disabled {
            self.ignored("memory/disableOOMKiller", "cgroup v2 cannot disable the OOM killer");
        }
        limits
    }

    fn cpu(&mut self, cpu: &Cpu) -> CpuLimits {
        let text = |t: &Option<crate::spec::Text>| t.as_deref().filter(|t| !t.is_empty()).map(str::to_owned);
        let limits = CpuLimits {
            shares: cpu.shares.filter(|n| *n != 0),
            // Any negative quota is "no limit", as the v1 file has it.
            quota: cpu
                .quota
                .filter(|n| *n != 0)
                .map(|n| u64::try_from(n).map_or(Amount::Unlimited, Amount::Of)),
            period: cpu.period.filter(|n| *n != 0),
            burst: cpu.burst,
            realtime_runtime: cpu.realtime_runtime.filter(|n| *n != 0),
            realtime_period: cpu.realtime_period.filter(|n| *n != 0),
            idle: cpu.idle,
            cpus: text(&cpu.cpus),
            mems: text(&cpu.mems),
        };
        if let (Some(Amount::Of(quota)), Some(burst)) = (limits.quota, limits.burst)
            && burst > quota
        {
            self.wrong("cpu/burst", burst, "a burst may not be larger than cpu/quota");
        }
        if let Some(idle) = limits.idle.filter(|n| !(0..=1).contains(n)) {
            self.wrong("cpu/idle", idle, "idle is 0 or 1");
        }
        if let Some(shares) = limits.shares.filter(|n| !(2..=262_144).contains(n)) {
            self.warnings.push(format!("/linux/resources/cpu/shares = {shares}: the range is 2 to 262144"));
        }
        if self.v2 {
            for (field, value) in [
                ("cpu/realtimeRuntime", limits.realtime_runtime.map(|n| n.to_string())),
                ("cpu/realtimePeriod", limits.realtime_period.map(|n| n.to_string())),
            ] {
                if let Some(value) = value {
                    self.wrong(field, value, "cgroup v2 has no real-time limits");
                }
            }
        }
        limits
    }

    fn io(&mut self, io: &BlockIo) -> IoLimits {
        let mut limits = IoLimits::default();
        if io.leaf_weight.is_some_and(|w| w != 0) {
            self.ignored("blockIO/leafWeight", "kernels since 5.0 have no leaf weights");
        }
        limits.weight = io.weight.filter(|w| *w != 0);
        if let Some(weight) = limits.weight.filter(|w| !(10..=1000).contains(w)) {
            self.wrong("blockIO/weight", weight, "a weight is 10 to 1000");
        }
        for (i, device) in io.weight_device.iter().enumerate() {
            let field = format!("blockIO/weightDevice/{i}");
            if device.leaf_weight.is_some_and(|w| w != 0) {
                self.ignored(&format!("{field}/leafWeight"), "kernels since 5.0 have no leaf weights");
            }
            let Some(weight) = device.weight.filter(|w| *w != 0) else { continue };
            if !(10..=1000).contains(&weight) {
                self.wrong(&format!("{field}/weight"), weight, "a weight is 10 to 1000");
            }
            let field = format!("/linux/resources/{field}");
            limits.device_weights.push(DeviceWeight {
                field,
                major: device.major,
                minor: device.minor,
                weight,
            });
        }
        for (name, direction, devices) in [
            ("throttleReadBpsDevice", Direction::ReadBytes, &io.throttle_read_bps_device),
            ("throttleWriteBpsDevice", Direction::WriteBytes, &io.throttle_write_bps_device),
            ("throttleReadIOPSDevice", Direction::ReadOperations, &io.throttle_read_iops_device),
            ("throttleWriteIOPSDevice", Direction::WriteOperations, &io.throttle_write_iops_device),
        ] {
            for (i, device) in devices.iter().enumerate() {
                limits.throttles.push(Throttle {
                    field: format!("/linux/resources/blockIO/{name}/{i}"),
                    direction,
                    major: device.major,
                    minor: device.minor,
                    rate: device.rate,
                });
            }
        }
        limits
    }

    fn hugepages(&mut self, resources: &Resources, limits: &mut Limits) {
        for (i, page) in resources.hugepage_limits.iter().enumerate() {
            if is_page_size(&page.page_size) {
                limits.hugepages.push((page.page_size.to_string(), page.limit));
            } else {
                let field = format!("hugepageLimits/{i}/pageSize");
                self.wrong(&field, &page.page_size, "a page size is a number and KB, MB or GB (2MB)");
            }
        }
    }

    fn network(&mut self, network: &Network, limits: &mut Limits) {
        limits.net_class = network.class_id.filter(|id| *id != 0);
        for (i, priority) in network.priorities.iter().enumerate() {
            if priority.name.is_empty() || priority.name.contains(char::is_whitespace) {
                let field = format!("network/priorities/{i}/name");
                self.wrong(&field, &priority.name, "this is not the name of an interface");
            }
            limits.net_priorities.push((priority.name.to_string(), priority.priority));
        }
        if self.v2 && (limits.net_class.is_some() || !limits.net_priorities.is_empty()) {
            self.ignored("network", "cgroup v2 has neither net_cls nor net_prio");
        }
    }

    fn rdma(&mut self, resources: &Resources, limits: &mut Limits) {
        for (name, device) in &resources.rdma {
            if name.is_empty() || name.contains(char::is_whitespace) {
                self.wrong("rdma", name, "this is not the name of an RDMA device");
            }
            if device.hca_handles.is_none() && device.hca_objects.is_none() {
                self.wrong(&format!("rdma/{name}"), name, "hcaHandles or hcaObjects has to be set");
            }
            limits.rdma.push((name.to_string(), device.hca_handles, device.hca_objects));
        }
    }

    fn unified(&mut self, resources: &Resources, limits: &mut Limits) {
        for (file, content) in &resources.unified {
            let field = format!("unified/{}", file.replace('~', "~0").replace('/', "~1"));
            let named = file.split_once('.').is_some_and(|(c, p)| !c.is_empty() && !p.is_empty());
            if !self.v2 {
                self.wrong(&field, content, "this host has cgroup v1, and these are parameters of cgroup v2");
            } else if file.contains('/') || file.contains("..") || file.contains('\0') || !named {
                self.wrong(
                    &field,
                    content,
                    "a key is a file of cgroup v2: CONTROLLER.PARAMETER, without slashes",
                );
            } else if NOT_LIMITS.contains(&&**file) {
                self.wrong(&field, content, "this file is not a limit: the runtime itself writes it");
            }
            limits.unified.push((file.to_string(), content.to_string()));
        }
    }

    /// On v1 it is known beforehand which controllers there are, except the ones of a hybrid host's v2 leg.
    fn v1_controllers(&mut self, limits: &Limits, layout: &Layout) {
        if matches!(layout, Layout::Legacy { unified: Some(_), .. }) {
            return;
        }
        for write in super::v1::files(limits) {
            if !layout.has_v1(&write.controller) {
                self.problems.push(super::write::no_controller(&write));
            }
        }
    }
}

/// `2MB`, `64KB`, `1GB`: it becomes part of a file name.
fn is_page_size(text: &str) -> bool {
    ["KB", "MB", "GB"].iter().filter_map(|unit| text.strip_suffix(unit)).any(|number| {
        !number.starts_with('0') && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    })
}
