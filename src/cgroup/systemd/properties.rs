//! What systemd is told of a scope: limits, device rules, and what `org.systemd.property.…` annotations ask for. Pure.

use super::devices;
use super::value::{INFINITY, Property, Value};
use super::variant;
use crate::cgroup::limits::Limits;
use crate::cgroup::render::{v1, v2};
use crate::error::{Error, Kind, Result};
use crate::spec::annotations::{self, SUBGROUP};
use crate::spec::{Text, cpus};
use std::collections::BTreeMap;

/// The limit of tasks.
pub const TASKS: &str = "TasksMax";

/// What a new scope has whatever its limits are.
pub fn of_scope(id: &str, slice: &str, pid: u32, unified: bool) -> Vec<Property> {
    let text = |name, text: &str| Property::new(name, Value::Text(text.to_owned()));
    let switch = |name, on| Property::new(name, Value::Switch(on));
    let mut properties = vec![
        text("Description", &format!("rruntime container {id}")),
        text("Slice", slice),
        Property::new("PIDs", Value::Pids(vec![pid])),
        // Its control files are ours, and the container's below it.
        switch("Delegate", true),
        // It must not end before what it depends on is told to, nor wait for anything.
        switch("DefaultDependencies", false),
        // One that was ended by a signal is forgotten like one that ended by itself.
        text("CollectMode", "inactive-or-failed"),
    ];
    let io = if unified { "IOAccounting" } else { "BlockIOAccounting" };
    let counts = ["CPUAccounting", io, "MemoryAccounting", "TasksAccounting"];
    properties.extend(counts.into_iter().map(|name| switch(name, true)));
    properties
}

/// Limits that systemd knows, as it will write them again when its configuration is reloaded; without device rules.
pub fn of_limits(limits: &Limits, unified: bool) -> Vec<Property> {
    let mut properties = Vec::new();
    let mut add = |name: &str, value: Option<u64>| {
        properties.extend(value.map(|value| Property::new(name, Value::U64(value))));
    };
    let mut quota = None;
    let mut sets = Vec::new();
    let mut rates: Vec<(&str, String, u64)> = Vec::new();
    for write in if unified { v2::files(limits) } else { v1::files(limits) } {
        let value = write.value.trim();
        match &*write.file {
            "memory.max" => add("MemoryMax", amount(value)),
            "memory.high" => add("MemoryHigh", amount(value)),
            "memory.low" => add("MemoryLow", amount(value)),
            "memory.min" => add("MemoryMin", amount(value)),
            "memory.swap.max" => add("MemorySwapMax", amount(value)),
            "memory.limit_in_bytes" => add("MemoryLimit", amount(value)),
            "pids.max" => add(TASKS, amount(value)),
            "cpu.weight" => add("CPUWeight", amount(value)),
            // systemd takes what the kernel has: from 2.
            "cpu.shares" => add("CPUShares", amount(value).map(|shares| shares.max(2))),
            "io.weight" => add("IOWeight", amount(value.trim_start_matches("default ")).filter(is_weight)),
            "io.bfq.weight" if !value.contains(' ') => {
                add("IOWeight", limits.io.weight.map(v2::weight_of_blkio));
            }
            "cpu.max" => {
                let (most, period) = value.split_once(' ').unwrap_or((value, "100000"));
                quota = Some((amount(most), amount(period).unwrap_or(100_000)));
            }
            "cpuset.cpus" => sets.push(("AllowedCPUs", value.to_owned())),
            "cpuset.mems" => sets.push(("AllowedMemoryNodes", value.to_owned())),
            "io.max" => rates.extend(rates_of(value)),
            _ => {}
        }
    }
    if !unified {
        add("BlockIOWeight", limits.io.weight.map(u64::from));
    }
    if !unified && (limits.cpu.quota.is_some() || limits.cpu.period.is_some()) {
        let most = limits.cpu.quota.map(|quota| quota.or("-1"));
        quota = Some((most.and_then(|most| amount(&most)), limits.cpu.period.unwrap_or(100_000)));
    }
    if let Some((most, period)) = quota.filter(|(_, period)| *period != 0) {
        add("CPUQuotaPerSecUSec", Some(most.map_or(INFINITY, |most| a_second(most, period))));
        add("CPUQuotaPeriodUSec", Some(period));
    }
    if unified && !limits.io.device_weights.is_empty() {
        let weights = limits.io.device_weights.iter();
        let weights = weights.map(|one| (path_of(&one.device), v2::weight_of_blkio(one.weight)));
        properties.push(Property::new("IODeviceWeight", Value::Rates(weights.collect())));
    }
    for name in RATES.map(|(_, name)| name) {
        let of_name: Vec<(String, u64)> = rates
            .iter()
            .filter(|(other, ..)| *other == name)
            .map(|(_, device, rate)| (device.clone(), *rate))
            .collect();
        if !of_name.is_empty() {
            properties.push(Property::new(name, Value::Rates(of_name)));
        }
    }
    for (name, list) in sets {
        // Validation has refused what is no list.
        properties.extend(cpus::mask(&list).ok().map(|bits| Property::new(name, Value::Bits(bits))));
    }
    properties
}

/// What those that were `changed` are to be again: as `earlier`, or as systemd has them where nothing is set.
pub fn back(changed: &[Property], earlier: &[Property]) -> Vec<Property> {
    let before = |changed: &Property| {
        let known = earlier.iter().find(|known| known.name == changed.name);
        let unset = match (&changed.value, &*changed.name) {
            (Value::Bits(_), _) => Value::Bits(Vec::new()),
            (Value::Rates(_), _) => Value::Rates(Vec::new()),
            (_, "MemoryLow" | "MemoryMin") => Value::U64(0),
            _ => Value::U64(INFINITY),
        };
        known.cloned().unwrap_or_else(|| Property::new(&changed.name, unset))
    };
    changed.iter().map(before).collect()
}

/// The device rules as far as systemd has words for them.
pub fn of_devices(limits: &Limits) -> Vec<Property> {
    let Some(rules) = &limits.devices else { return Vec::new() };
    match devices::allowed(rules) {
        Some(list) => vec![
            Property::new("DevicePolicy", Value::Text("strict".to_owned())),
            Property::new("DeviceAllow", Value::Rules(list)),
        ],
        None => vec![Property::new("DevicePolicy", Value::Text("auto".to_owned()))],
    }
}

/// The same in the place of rules that a scope has: systemd adds to its list, unless that is emptied first.
pub fn of_other_devices(limits: &Limits) -> Vec<Property> {
    let mut properties = of_devices(limits);
    if !properties.is_empty() {
        properties.insert(0, Property::new("DeviceAllow", Value::Rules(Vec::new())));
    }
    properties
}

/// What a scope does not have on cgroup v1, as warnings.
pub fn lacking_on_v1(limits: &Limits, all: &BTreeMap<Text, Text>) -> Vec<Error> {
    let exceptions = limits.devices.as_ref().is_some_and(devices::has_exceptions).then(|| {
        Error::new(
            "systemd cannot express these exceptions, and takes them back on cgroup v1 when it is reloaded",
        )
        .field("/linux/resources/devices")
        .remedy("list the devices that are allowed, or use cgroup v2")
    });
    let group = annotations::find(all, SUBGROUP).filter(|name| !name.is_empty()).map(|name| {
        Error::new("has no effect on cgroup v1, where scopes have no groups below them")
            .field(annotations::pointer(SUBGROUP))
            .value(name)
    });
    exceptions.into_iter().chain(group).collect()
}

/// The keys of io.max, and their properties.
const RATES: [(&str, &str); 4] = [
    ("rbps", "IOReadBandwidthMax"),
    ("wbps", "IOWriteBandwidthMax"),
    ("riops", "IOReadIOPSMax"),
    ("wiops", "IOWriteIOPSMax"),
];

/// A line of io.max: "8:0 rbps=1 wiops=max".
fn rates_of(line: &str) -> Vec<(&'static str, String, u64)> {
    let (device, rates) = line.split_once(' ').unwrap_or((line, ""));
    let rates = rates.split_whitespace().filter_map(|rate| {
        let (key, value) = rate.split_once('=')?;
        let (_, name) = RATES.into_iter().find(|(known, _)| *known == key)?;
        Some((name, path_of(device), amount(value)?))
    });
    rates.collect()
}

fn path_of(device: &str) -> String {
    format!("/dev/block/{device}")
}

fn is_weight(weight: &u64) -> bool {
    (1..=10_000).contains(weight)
}

/// A control file's number; its words for "no limit" are systemd's infinity.
fn amount(text: &str) -> Option<u64> {
    if matches!(text, "max" | "-1") { Some(INFINITY) } else { text.parse().ok() }
}

/// Microseconds of CPU time a second; as runc rounds it, up to what systemd keeps: ten milliseconds.
fn a_second(quota: u64, period: u64) -> u64 {
    if quota == INFINITY {
        return INFINITY;
    }
    let exact = u128::from(quota) * 1_000_000 / u128::from(period);
    u64::try_from(exact.next_multiple_of(10_000)).unwrap_or(INFINITY)
}

/// What annotations may set that changes no more than how the scope ends and when: podman, CRI-O and containerd do. A name
/// that ends with Sec is one of runc's.
const FREE: [&str; 11] = [
    "After",
    "Before",
    "CollectMode",
    "DefaultDependencies",
    "Delegate",
    "Description",
    "KillSignal",
    "RuntimeMaxSec",
    "RuntimeMaxUSec",
    "TimeoutStopSec",
    "TimeoutStopUSec",
];

/// The properties that annotations ask for. `allowed` are those that the administrator, or the caller, allows by their
/// annotations' names.
pub fn of_annotations(all: &BTreeMap<Text, Text>, allowed: impl Fn(&str) -> bool) -> Result<Vec<Property>> {
    let mut properties = Vec::new();
    for (annotation, name, text) in annotations::unit_properties(all) {
        let refused = |reason: String| {
            Error::new(reason).kind(Kind::Config).field(annotations::pointer(annotation)).value(text)
        };
        if name.len() < 3 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(
                refused("is not the name of a systemd property".into()).remedy("use letters and digits")
            );
        }
        if !FREE.contains(&name) && !allowed(annotation) {
            return Err(refused(format!("an image may not set the property {name} of its scope"))
                .remedy(annotations::how_to_allow(annotation)));
        }
        let value = variant::read(text).ok_or_else(|| {
            refused("is not a value in GVariant's text format".into())
                .remedy("write 'text', true, 5, uint64 5 or ['a', 'b']")
        })?;
        if value.texts().iter().any(|text| is_more_than_a_line(text)) {
            return Err(refused("in systemd's file of a unit this would be more than one line".into())
                .remedy("leave out control characters, and a backslash at the end"));
        }
        let property = match name
            .strip_suffix("Sec")
            .filter(|stem| stem.ends_with(|last: char| last.is_ascii_lowercase()))
        {
            Some(stem) => {
                let value =
                    microseconds(&value).ok_or_else(|| refused("is not a number of seconds".into()))?;
                Property { name: format!("{stem}USec"), value: Value::U64(value) }
            }
            // A time, however its number is written.
            None if name.ends_with("USec") => Property::new(name, unsigned(value)),
            None => Property::new(name, value),
        };
        properties.push(property);
    }
    Ok(properties)
}

/// systemd writes a text as it is into the file of the unit, and reads that again when its configuration is reloaded: other
/// lines would be other settings.
fn is_more_than_a_line(text: &str) -> bool {
    text.contains(char::is_control) || text.ends_with('\\')
}

/// A number that is not negative as the type that times have; anything else as it is.
fn unsigned(value: Value) -> Value {
    let number = match value {
        Value::I32(number) => u64::try_from(number).ok(),
        Value::U32(number) => Some(number.into()),
        Value::I64(number) => u64::try_from(number).ok(),
        _ => None,
    };
    number.map_or(value, Value::U64)
}

/// Seconds as microseconds.
fn microseconds(seconds: &Value) -> Option<u64> {
    const MICROSECONDS: u64 = 1_000_000;
    match *seconds {
        Value::I32(seconds) => u64::try_from(seconds).ok()?.checked_mul(MICROSECONDS),
        Value::U32(seconds) => u64::from(seconds).checked_mul(MICROSECONDS),
        Value::I64(seconds) => u64::try_from(seconds).ok()?.checked_mul(MICROSECONDS),
        Value::U64(seconds) => seconds.checked_mul(MICROSECONDS),
        // `as` cuts at the ends of the range.
        Value::Double(seconds) if seconds >= 0.0 => Some((seconds * MICROSECONDS as f64) as u64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::limits::DeviceRules;
    use crate::host::cgroups::Layout;
    use crate::spec::Resources;

    fn of(json: &str, unified: bool) -> Vec<String> {
        let resources: Resources = serde_json::from_str(json).unwrap();
        let layout = Layout::v2("/sys/fs/cgroup");
        let (limits, _) = Limits::from_spec(&resources, &layout, DeviceRules::Skip).unwrap();
        of_limits(&limits, unified).iter().map(|one| format!("{}={:?}", one.name, one.value)).collect()
    }

    #[test]
    fn limits_become_the_properties_that_systemd_writes_again() {
        let memory = r#"{"memory":{"limit":1000,"reservation":500,"swap":3000}}"#;
        assert_eq!(
            of(memory, true),
            ["MemorySwapMax=U64(2000)", "MemoryMax=U64(1000)", "MemoryLow=U64(500)"]
        );
        assert_eq!(of(r#"{"blockIO":{"weight":500}}"#, true), ["IOWeight=U64(4950)"]);
        assert_eq!(
            of(r#"{"blockIO":{"weight":500},"cpu":{"shares":7}}"#, false),
            ["CPUShares=U64(7)", "BlockIOWeight=U64(500)",]
        );
        assert_eq!(of(r#"{"pids":{"limit":-1}}"#, true), ["TasksMax=U64(18446744073709551615)"]);
        assert_eq!(of(r#"{"pids":{"limit":7}}"#, true), ["TasksMax=U64(7)"]);
        assert_eq!(
            of(r#"{"cpu":{"shares":1024,"cpus":"0,9"}}"#, true),
            ["CPUWeight=U64(100)", "AllowedCPUs=Bits([1, 2])"]
        );
        let quota = |quota: i64, period: u64| {
            of(&format!(r#"{{"cpu":{{"quota":{quota},"period":{period}}}}}"#), true)
        };
        assert_eq!(
            quota(50_000, 100_000),
            ["CPUQuotaPerSecUSec=U64(500000)", "CPUQuotaPeriodUSec=U64(100000)"]
        );
        assert_eq!(quota(33_333, 100_000)[0], "CPUQuotaPerSecUSec=U64(340000)", "up to ten milliseconds");
        assert_eq!(quota(-1, 50_000)[0], "CPUQuotaPerSecUSec=U64(18446744073709551615)");
        let unified = r#"{"unified":{"memory.high":"5","memory.min":"max","io.max":"8:0 rbps=5 wiops=max",
            "io.weight":"default 50","cpu.max":"max 20000"}}"#;
        assert_eq!(
            of(unified, true),
            [
                "IOWeight=U64(50)",
                "MemoryHigh=U64(5)",
                "MemoryMin=U64(18446744073709551615)",
                "CPUQuotaPerSecUSec=U64(18446744073709551615)",
                "CPUQuotaPeriodUSec=U64(20000)",
                "IOReadBandwidthMax=Rates([(\"/dev/block/8:0\", 5)])",
                "IOWriteIOPSMax=Rates([(\"/dev/block/8:0\", 18446744073709551615)])",
            ]
        );
    }

    #[test]
    fn what_was_changed_is_set_back_or_unset() {
        let of = |json: &str| {
            let resources: Resources = serde_json::from_str(json).unwrap();
            let layout = Layout::v2("/sys/fs/cgroup");
            of_limits(&Limits::from_spec(&resources, &layout, DeviceRules::Skip).unwrap().0, true)
        };
        let changed =
            of(r#"{"pids":{"limit":9},"memory":{"limit":2000,"reservation":7},"cpu":{"cpus":"1"}}"#);
        let back = back(&changed, &of(r#"{"memory":{"limit":1000},"cpu":{"shares":7}}"#));
        let mut back: Vec<String> = back.iter().map(|one| format!("{}={:?}", one.name, one.value)).collect();
        back.sort();
        assert_eq!(
            back,
            [
                "AllowedCPUs=Bits([])",
                "MemoryLow=U64(0)",
                "MemoryMax=U64(1000)",
                "TasksMax=U64(18446744073709551615)"
            ]
        );
    }

    fn annotated(name: &str, text: &str, allowed: bool) -> Result<Vec<Property>> {
        let all = [(Text::from(format!("org.systemd.property.{name}")), Text::from(text.to_owned()))].into();
        of_annotations(&all, |_| allowed)
    }

    #[test]
    fn annotations_set_harmless_properties_and_others_where_they_are_allowed() {
        let set = |name, text| annotated(name, text, false).map(|mut all| all.remove(0));
        assert_eq!(
            set("TimeoutStopSec", "5").unwrap(),
            Property::new("TimeoutStopUSec", Value::U64(5_000_000))
        );
        assert_eq!(set("TimeoutStopSec", "1.5").unwrap().value, Value::U64(1_500_000));
        assert_eq!(set("TimeoutStopUSec", "uint64 7").unwrap().name, "TimeoutStopUSec");
        assert_eq!(set("TimeoutStopUSec", "5000000").unwrap().value, Value::U64(5_000_000));
        assert_eq!(set("KillSignal", "9").unwrap().value, Value::I32(9));
        for (name, text) in [
            ("TimeoutStopSec", "'x'"),
            ("TimeoutStopSec", "-1"),
            ("Description", "x"),
            ("Description", "'x\\n[Unit]\\nOnSuccess=debug-shell.service'"),
            ("Description", "'x\\\\'"),
            ("After", "['a.service', 'b.service\\n']"),
            ("a/b", "true"),
            ("CPUWeight", "uint64 5"),
        ] {
            let error = set(name, text).unwrap_err();
            assert!(
                error.detail().field.as_deref().unwrap_or_default().starts_with("/annotations/"),
                "{name}"
            );
        }
        assert_eq!(annotated("CPUWeight", "uint64 5", true).unwrap().len(), 1);
    }
}
