//! Limits over limits: what `update` asks for, over what a container has.
//!
//! What is not asked for stays. Engines write zero for "not set" in memory, CPU and weights, so zero asks for
//! nothing there, as it does at `create`. Device rules are left out: an update does not touch them.

use super::{BlockIo, Cpu, Memory, Resources, Text, ThrottleDevice, WeightDevice};

/// How the container's swap limit is counted when its memory limit alone is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapCount {
    /// The kernel keeps one limit of memory and swap together (cgroup v1), and so that sum stays.
    WithMemory,
    /// The kernel limits swap by itself (cgroup v2), and so the difference of both stays.
    Alone,
}

/// Adds to `wanted` those limits of `present` that are one value with what it asks for: a quota is written with its
/// period, swap is counted from memory, a burst is checked against the quota. What comes out can be checked, and
/// written, by itself.
pub fn complete<'a>(wanted: &mut Resources<'a>, present: &Resources<'a>, count: SwapCount) {
    if let Some(pids) = &mut wanted.pids {
        // Every negative limit is none.
        pids.limit = given(pids.limit).map(|limit| limit.max(-1));
    }
    if let Some(quota) = wanted.cpu.as_mut().and_then(|cpu| cpu.quota.as_mut()) {
        *quota = (*quota).max(-1);
    }
    let none = Memory::default();
    let had = present.memory.as_ref().unwrap_or(&none);
    if let Some(memory) = &mut wanted.memory {
        let limit = given(memory.limit);
        if given(memory.swap).is_none() && limit.is_some() {
            memory.swap = kept_swap(limit, had, count);
        }
        if given(memory.swap).is_some() {
            memory.limit = limit.or(given(had.limit));
        }
        memory.check_before_update = memory.check_before_update.or(had.check_before_update);
    }
    if let (Some(cpu), Some(had)) = (&mut wanted.cpu, &present.cpu) {
        if given(cpu.quota).is_some() || given(cpu.period).is_some() || cpu.burst.is_some() {
            cpu.quota = given(cpu.quota).or(had.quota);
            cpu.period = given(cpu.period).or(had.period);
            cpu.burst = cpu.burst.or(had.burst);
        }
        if given(cpu.realtime_runtime).is_some() || given(cpu.realtime_period).is_some() {
            cpu.realtime_runtime = given(cpu.realtime_runtime).or(had.realtime_runtime);
            cpu.realtime_period = given(cpu.realtime_period).or(had.realtime_period);
        }
        if cpu.idle == Some(0) {
            // The kernel forgets the weight of a cgroup that was idle.
            cpu.shares = given(cpu.shares).or(had.shares);
        }
    }
}

fn kept_swap(limit: Option<i64>, had: &Memory, count: SwapCount) -> Option<i64> {
    let swap = given(had.swap)?;
    match (limit?, given(had.limit)) {
        // Without a limit of memory, memory and swap together have none.
        (-1, _) => None,
        (limit, Some(before)) if count == SwapCount::Alone && before > 0 && swap > 0 => {
            Some(limit.saturating_add(swap.saturating_sub(before)))
        }
        _ => Some(swap),
    }
}

/// What the container has after `wanted`, which [`complete`] has seen.
pub fn merge<'a>(present: &mut Resources<'a>, wanted: &Resources<'a>) {
    if let Some(wanted) = &wanted.memory {
        memory(present.memory.get_or_insert_default(), wanted);
    }
    if let Some(wanted) = &wanted.cpu {
        cpu(present.cpu.get_or_insert_default(), wanted);
    }
    // 0 is what engines write for an option that was not given.
    if let Some(limit) = wanted.pids.as_ref().and_then(|pids| pids.limit).filter(|limit| *limit != 0) {
        present.pids.get_or_insert_default().limit = Some(limit);
    }
    if let Some(wanted) = &wanted.block_io {
        block_io(present.block_io.get_or_insert_default(), wanted);
    }
    by_key(&mut present.hugepage_limits, &wanted.hugepage_limits, |a, b| a.page_size == b.page_size);
    if let Some(wanted) = &wanted.network {
        let network = present.network.get_or_insert_default();
        over(&mut network.class_id, given(wanted.class_id));
        by_key(&mut network.priorities, &wanted.priorities, |a, b| a.name == b.name);
    }
    for (device, wanted) in &wanted.rdma {
        let limit = present.rdma.entry(device.clone()).or_default();
        over(&mut limit.hca_handles, wanted.hca_handles);
        over(&mut limit.hca_objects, wanted.hca_objects);
    }
    present.unified.extend(wanted.unified.iter().map(|(file, value)| (file.clone(), value.clone())));
}

fn memory(present: &mut Memory, wanted: &Memory) {
    if given(wanted.limit) == Some(-1) && given(wanted.swap).is_none() {
        present.swap = None;
    }
    over(&mut present.limit, given(wanted.limit));
    over(&mut present.swap, given(wanted.swap));
    over(&mut present.reservation, given(wanted.reservation));
    over(&mut present.swappiness, wanted.swappiness.filter(|&value| value != u64::MAX));
    over(&mut present.disable_oom_killer, wanted.disable_oom_killer);
    over(&mut present.check_before_update, wanted.check_before_update);
}

fn cpu<'a>(present: &mut Cpu<'a>, wanted: &Cpu<'a>) {
    let text = |text: &Option<Text<'a>>| text.clone().filter(|text| !text.is_empty());
    over(&mut present.shares, given(wanted.shares));
    over(&mut present.quota, given(wanted.quota));
    over(&mut present.burst, wanted.burst);
    over(&mut present.period, given(wanted.period));
    over(&mut present.realtime_runtime, given(wanted.realtime_runtime));
    over(&mut present.realtime_period, given(wanted.realtime_period));
    over(&mut present.cpus, text(&wanted.cpus));
    over(&mut present.mems, text(&wanted.mems));
    over(&mut present.idle, wanted.idle);
}

fn block_io(present: &mut BlockIo, wanted: &BlockIo) {
    let same_weight = |a: &WeightDevice, b: &WeightDevice| (a.major, a.minor) == (b.major, b.minor);
    let same = |a: &ThrottleDevice, b: &ThrottleDevice| (a.major, a.minor) == (b.major, b.minor);
    over(&mut present.weight, given(wanted.weight));
    by_key(&mut present.weight_device, &wanted.weight_device, same_weight);
    by_key(&mut present.throttle_read_bps_device, &wanted.throttle_read_bps_device, same);
    by_key(&mut present.throttle_write_bps_device, &wanted.throttle_write_bps_device, same);
    by_key(&mut present.throttle_read_iops_device, &wanted.throttle_read_iops_device, same);
    by_key(&mut present.throttle_write_iops_device, &wanted.throttle_write_iops_device, same);
}

/// Zero is "not set".
fn given<N: Default + PartialEq>(value: Option<N>) -> Option<N> {
    value.filter(|value| *value != N::default())
}

fn over<T>(present: &mut Option<T>, wanted: Option<T>) {
    if wanted.is_some() {
        *present = wanted;
    }
}

/// Entries of a list that is a map in truth.
fn by_key<T: Clone>(present: &mut Vec<T>, wanted: &[T], same: fn(&T, &T) -> bool) {
    present.retain(|old| !wanted.iter().any(|new| same(old, new)));
    present.extend_from_slice(wanted);
}
