//! `linux.resources` → [`Limits`], checked for this host. Pure.

use super::devices::Rules;
use super::limits::{
    Amount, CpuLimits, DeviceRules, DeviceWeight, Direction, IoLimits, Limits, MemoryLimits, Throttle,
};
use super::render::{v1, v2};
use crate::error::{Error, Kind, Result};
use crate::host::cgroups::Layout;
use crate::spec::locate::escaped;
use crate::spec::{BlockIo, Cpu, Memory, Network, Resources};

impl Limits {
    /// `linux.resources` for this host. The second part are warnings for the log.
    ///
    /// The values have passed [`crate::spec::validate`]: ranges and contradictions are not looked at again. Errors
    /// name the field: one that the host's version of cgroups does not have, a v1 controller that is not mounted, a
    /// device rule that is none.
    pub fn from_spec(
        resources: &Resources,
        layout: &Layout,
        device_rules: DeviceRules,
    ) -> Result<(Limits, Vec<Error>)> {
        let mut check = Check { v2: layout.is_unified(), problems: Vec::new(), warnings: Vec::new() };
        let mut limits = Limits::default();
        if let Some(memory) = &resources.memory {
            limits.memory = check.memory(memory);
        }
        if let Some(cpu) = &resources.cpu {
            limits.cpu = check.cpu(cpu);
        }
        // 0 is no limit, as peers have it: a container that may have no process is of no use. Where there is no controller
        // there is none either.
        let pids = resources.pids.as_ref().and_then(|pids| pids.limit);
        limits.pids = pids.map(|limit| if limit == 0 { Amount::Unlimited } else { unsigned(limit) });
        if let Some(io) = &resources.block_io {
            limits.io = check.io(io);
        }
        limits.hugepages =
            resources.hugepage_limits.iter().map(|page| (page.page_size.to_string(), page.limit)).collect();
        if let Some(network) = &resources.network {
            check.network(network, &mut limits);
        }
        limits.rdma = resources
            .rdma
            .iter()
            .map(|(name, device)| (name.to_string(), device.hca_handles, device.hca_objects))
            .collect();
        check.unified(resources, &mut limits);
        if device_rules == DeviceRules::Enforce {
            match Rules::from_spec(&resources.devices) {
                Ok(rules) => limits.devices = Some(rules),
                Err(problem) => check.problems.push(problem),
            }
        }
        if !check.v2 {
            check.v1_controllers(&limits, layout);
        }
        Error::all(check.problems).map_or(Ok((limits, check.warnings)), Err)
    }

    /// A field that asks for a limit, if there is one.
    pub fn first_field(&self) -> Option<String> {
        v1::files(self).into_iter().chain(v2::files(self)).map(|write| write.field).next()
    }
}

/// -1 is no limit.
fn unsigned(value: i64) -> Amount {
    u64::try_from(value).map_or(Amount::Unlimited, Amount::Of)
}

/// Bytes: 0 is "not set".
fn amount(value: Option<i64>) -> Option<Amount> {
    value.filter(|n| *n != 0).map(unsigned)
}

fn numbers(major: i64, minor: i64) -> String {
    format!("{major}:{minor}")
}

/// Collects what this host cannot do.
struct Check {
    v2: bool,
    problems: Vec<Error>,
    warnings: Vec<Error>,
}

impl Check {
    fn wrong(&mut self, field: &str, value: impl std::fmt::Display, reason: &'static str) {
        self.problems.push(
            Error::new(reason).kind(Kind::Config).field(format!("/linux/resources/{field}")).value(value),
        );
    }

    fn ignored(&mut self, field: &str, why: &str) {
        let warning = Error::new(format!("is ignored: {why}"));
        self.warnings.push(warning.field(format!("/linux/resources/{field}")));
    }

    fn memory(&mut self, memory: &Memory) -> MemoryLimits {
        let limits = MemoryLimits {
            limit: amount(memory.limit),
            reservation: amount(memory.reservation),
            swap: amount(memory.swap),
            // Engines written in Go write -1 into the unsigned field for "not set".
            swappiness: memory.swappiness.filter(|s| *s != u64::MAX),
            oom_killer_disabled: memory.disable_oom_killer == Some(true),
            check_before_update: memory.check_before_update == Some(true),
        };
        if memory.kernel.is_some_and(|n| n != 0) {
            self.ignored("memory/kernel", "kernels no longer limit kernel memory separately");
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
            quota: amount(cpu.quota),
            period: cpu.period.filter(|n| *n != 0),
            burst: cpu.burst,
            realtime_runtime: cpu.realtime_runtime.filter(|n| *n != 0),
            realtime_period: cpu.realtime_period.filter(|n| *n != 0),
            idle: cpu.idle,
            cpus: text(&cpu.cpus),
            mems: text(&cpu.mems),
        };
        if let Some(shares) = limits.shares.filter(|n| !(2..=262_144).contains(n)) {
            let warning = Error::new("the range is 2 to 262144").field("/linux/resources/cpu/shares");
            self.warnings.push(warning.value(shares));
        }
        let realtime = [
            ("cpu/realtimeRuntime", limits.realtime_runtime.map(i128::from)),
            ("cpu/realtimePeriod", limits.realtime_period.map(i128::from)),
        ];
        for (field, value) in realtime {
            if let Some(value) = value.filter(|_| self.v2) {
                self.wrong(field, value, "cgroup v2 has no real-time limits");
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
        for (i, device) in io.weight_device.iter().enumerate() {
            let field = format!("blockIO/weightDevice/{i}");
            if device.leaf_weight.is_some_and(|w| w != 0) {
                self.ignored(&format!("{field}/leafWeight"), "kernels since 5.0 have no leaf weights");
            }
            let Some(weight) = device.weight.filter(|w| *w != 0) else { continue };
            let (field, device) = (format!("/linux/resources/{field}"), numbers(device.major, device.minor));
            limits.device_weights.push(DeviceWeight { field, device, weight });
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
                    device: numbers(device.major, device.minor),
                    rate: device.rate,
                });
            }
        }
        limits
    }

    fn network(&mut self, network: &Network, limits: &mut Limits) {
        limits.net_class = network.class_id.filter(|id| *id != 0);
        limits.net_priorities =
            network.priorities.iter().map(|one| (one.name.to_string(), one.priority)).collect();
        if self.v2 && (limits.net_class.is_some() || !limits.net_priorities.is_empty()) {
            self.ignored("network", "cgroup v2 has neither net_cls nor net_prio");
        }
    }

    fn unified(&mut self, resources: &Resources, limits: &mut Limits) {
        for (file, content) in &resources.unified {
            if !self.v2 {
                let field = format!("/linux/resources/unified/{}", escaped(file));
                let error = Error::new("this host has cgroup v1, and these parameters are for cgroup v2");
                let remedy = "use memory, cpu, pids and the other fields, which both versions have";
                self.problems.push(error.kind(Kind::Config).field(field).value(content).remedy(remedy));
            }
            limits.unified.push((file.to_string(), content.to_string()));
        }
    }

    /// On v1 it is known beforehand which controllers there are, except the ones of a hybrid host's v2 leg.
    fn v1_controllers(&mut self, limits: &Limits, layout: &Layout) {
        if layout.unified.is_some() {
            return;
        }
        for write in v1::files(limits) {
            if !layout.has_v1(&write.controller) {
                self.problems.push(write.no_controller());
            }
        }
    }
}
