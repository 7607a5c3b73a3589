//! `update`: options or a file in, one set of limits out.
//!
//! The options are a table: what parses them, help, and the limits that come out of it all read it.

use super::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::arguments::{integer, option};
use crate::cli::{Arguments, Session};
use crate::engine::{Typed, UpdateOptions};
use crate::error::{self, Error, Result};
use crate::spec::DeviceRule;
use crate::state::NoRoot;
use crate::sys::{Errno, file};
use clap::Arg;
use serde_json::{Value, json};
use std::os::fd::AsFd;
use std::path::Path;

pub const COMMAND: Command = Command {
    name: "update",
    about: "change the limits of a container",
    detail: "Changes all limits that are given, or none if one is refused; other limits stay the same.\n\
             Sizes are in bytes or have a unit: 64m, 1.5g; -1 removes a limit.\n\
             --resources reads the limits from a file (linux.resources as in config.json); all other options\n\
             except --device-rule, --l3-cache-schema and --mem-bw-schema are then ignored, as are its device rules.\n\
             --device-rule opens devices, or closes them: 'c 10:200 rwm', 'b 8:* r', 'deny c 10:229 rwm'. The rule\n\
             comes behind those that the container has; the last one that fits decides.",
    examples: "update --memory 256m --pids-limit 100 web\n\
               update --resources limits.json web  # {\"cpu\": {\"shares\": 512}}\n\
               update --device-rule 'c 10:229 rw' web  # /dev/fuse",
    options,
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

/// What the value of an option is.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Unsigned,
    Signed,
    Size,
    Weight,
}
use Kind::{Signed, Size, Text, Unsigned, Weight};

/// (option, its value, help, where in `linux.resources` it goes, what it is). Without help it is hidden: it does nothing any
/// more.
const LIMITS: [(&str, &str, &str, &str, Kind); 16] = [
    ("blkio-weight", "WEIGHT", "relative weight of block I/O, 10 to 1000", "/blockIO/weight", Weight),
    ("cpu-period", "MICROSECONDS", "period of the CPU quota", "/cpu/period", Unsigned),
    ("cpu-quota", "MICROSECONDS", "CPU time in each period; -1: no limit", "/cpu/quota", Signed),
    ("cpu-burst", "MICROSECONDS", "unused quota that may be saved up", "/cpu/burst", Unsigned),
    ("cpu-share", "SHARES", "relative weight of CPU time", "/cpu/shares", Unsigned),
    ("cpu-rt-period", "MICROSECONDS", PERIOD, "/cpu/realtimePeriod", Unsigned),
    ("cpu-rt-runtime", "MICROSECONDS", RUNTIME, "/cpu/realtimeRuntime", Signed),
    ("cpuset-cpus", "LIST", "CPUs to use, as in 0-2,7", "/cpu/cpus", Text),
    ("cpuset-mems", "LIST", "memory nodes to use", "/cpu/mems", Text),
    ("cpu-idle", "0|1", "1: run only when no other cgroup needs the CPU", "/cpu/idle", Signed),
    ("memory", "SIZE", "memory limit", "/memory/limit", Size),
    ("memory-reservation", "SIZE", RESERVATION, "/memory/reservation", Size),
    ("memory-swap", "SIZE", "limit for memory and swap together", "/memory/swap", Size),
    ("pids-limit", "NUMBER", "largest number of tasks; -1: no limit", "/pids/limit", Signed),
    ("kernel-memory", "SIZE", "", "/memory/kernel", Size),
    ("kernel-memory-tcp", "SIZE", "", "/memory/kernelTCP", Size),
];
const PERIOD: &str = "period of the real-time limit (cgroup v1)";
const RUNTIME: &str = "real-time CPU time in each period (cgroup v1)";
const RESERVATION: &str = "soft limit: memory below it is reclaimed last";

fn options() -> Vec<Arg> {
    let limits = LIMITS.iter().map(|(name, value, help, ..)| option(name, value, help).hide(help.is_empty()));
    let mut options = vec![
        option("resources", "FILE", "read the limits from this JSON file; - for standard input").short('r'),
    ];
    options.extend(limits);
    options.push(crate::cli::arguments::options(
        "device-rule",
        "RULE",
        "open devices: 'c 10:200 rwm', or 'deny …'",
    ));
    options.push(option("l3-cache-schema", "SCHEMA", "Intel RDT: L3 cache allocation"));
    options.push(option("mem-bw-schema", "SCHEMA", "Intel RDT: memory bandwidth allocation"));
    options
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let options = parse(session, arguments)?;
    session.engine_for_change(NoRoot::Empty)?.update(&arguments.id(), &options).map(|()| 0)
}

fn parse(session: &Session, arguments: &Arguments) -> Result<UpdateOptions> {
    let owned = |name| Ok(arguments.text(name)?.map(str::to_owned));
    let (from, resources, mut typed) = match arguments.path("resources") {
        Some(file) => {
            for (name, ..) in LIMITS.iter().filter(|(name, ..)| arguments.value(name).is_some()) {
                let warning = Error::new("is ignored because --resources is given");
                session.log.warn(&warning.field(format!("--{name}")));
            }
            let (from, resources) = read(&file)?;
            (from, resources, Vec::new())
        }
        None => ("the options".to_owned(), given(arguments)?.to_string().into_bytes(), typed(arguments)?),
    };
    let texts = arguments.texts("device-rule")?;
    let device_rules = texts.iter().map(|text| device_rule(text)).collect::<Result<Vec<_>>>()?;
    if !texts.is_empty() {
        let option = "--device-rule".to_owned();
        typed.push(Typed { pointer: "/devices", option, value: Some(texts.join(", ")) });
    }
    Ok(UpdateOptions {
        from,
        resources,
        device_rules,
        typed,
        l3_cache_schema: owned("l3-cache-schema")?,
        mem_bw_schema: owned("mem-bw-schema")?,
    })
}

/// `[allow|deny] TYPE MAJOR:MINOR ACCESS`, as the v1 files and Docker's --device-cgroup-rule have it.
fn device_rule(text: &str) -> Result<DeviceRule<'static>> {
    let (allow, rule) = match text.split_once(' ') {
        Some(("deny", rule)) => (false, rule),
        Some(("allow", rule)) => (true, rule),
        _ => (true, text),
    };
    let words: Vec<&str> = rule.split(' ').collect();
    let parsed = match words[..] {
        [kind @ ("a" | "b" | "c"), numbers, access] if is_access(access) => {
            numbers.split_once(':').and_then(|(major, minor)| {
                let (major, minor) = (number(major, 1 << 12)?, number(minor, 1 << 20)?);
                let (kind, access) = (Some(kind.to_owned().into()), Some(access.to_owned().into()));
                Some(DeviceRule { allow, kind, major, minor, access })
            })
        }
        _ => None,
    };
    let form = "must be [allow|deny] TYPE MAJOR:MINOR ACCESS, as in 'c 10:200 rwm': TYPE a, b or c, a number or * for all, \
                ACCESS of r, w and m";
    parsed.ok_or_else(|| Error::argument("--device-rule", text, form))
}

/// Some of the letters, each once.
pub fn is_access(text: &str) -> bool {
    !text.is_empty() && text.chars().enumerate().all(|(i, c)| "rwm".contains(c) && !text[..i].contains(c))
}

/// A device's number, below `end`; `*` is every one.
fn number(text: &str, end: i64) -> Option<Option<i64>> {
    if text == "*" {
        return Some(None);
    }
    text.parse().ok().filter(|number| (0..end).contains(number)).map(Some)
}

/// Larger than any list of devices.
const LARGEST_FILE: usize = 16 << 20;

/// What errors call it, and what is in it.
fn read(path: &Path) -> Result<(String, Vec<u8>)> {
    let (name, read) = if path == Path::new("-") {
        ("standard input".to_owned(), file::read_all(std::io::stdin().as_fd(), LARGEST_FILE))
    } else {
        (path.display().to_string(), file::read_path(path, LARGEST_FILE))
    };
    let error = match read {
        Err(Errno(libc::EFBIG)) => Error::new("the resources are larger than 16 MiB"),
        Err(errno) => errno.because("read the resources"),
        Ok(bytes) => return Ok((name, bytes)),
    };
    let error = error.kind(error::Kind::Argument).field("--resources").value(path.display());
    Err(error.remedy("name a JSON file as linux.resources of config.json is, or - for standard input"))
}

/// The limits that are given, as `linux.resources` has them.
fn given(arguments: &Arguments) -> Result<Value> {
    let mut resources = json!({});
    for (name, _, _, pointer, kind) in LIMITS {
        let Some(text) = arguments.text(name)? else { continue };
        let (value, form) = match kind {
            Text => (Some(text.into()), ""),
            Unsigned => (text.parse::<u64>().ok().map(Value::from), "a whole number that is not negative"),
            Signed => (integer(text).map(Value::from), "a whole number"),
            Size => (size(text).map(Value::from), "a size in bytes or with a unit (64m, 1.5g), or -1"),
            Weight => (text.parse::<u16>().ok().map(Value::from), "a whole number from 10 to 1000"),
        };
        let wrong = || {
            let reason = format!("invalid value for {name}");
            Error::argument(format!("--{name}"), text, reason).remedy(format!("give {form}"))
        };
        let (part, field) = pointer[1..].split_once('/').unwrap_or_default();
        resources[part][field] = value.ok_or_else(wrong)?;
    }
    Ok(resources)
}

/// What an error calls these limits, and the values as they were written.
fn typed(arguments: &Arguments) -> Result<Vec<Typed>> {
    let typed = |(option, .., pointer, _): &(&'static str, _, _, &'static str, _)| {
        Ok(Typed {
            pointer,
            option: format!("--{option}"),
            value: arguments.text(option)?.map(str::to_owned),
        })
    };
    LIMITS.iter().map(typed).collect()
}

/// Bytes: a number, then a unit in powers of 1024 ("k", "KiB", " mb"); or -1. The number is what docker takes, which reads
/// it as a fraction: `1.5g`, `1e8`, `1_000_000`.
fn size(text: &str) -> Option<i64> {
    if text == "-1" {
        return Some(-1);
    }
    let end = text.rfind(|c: char| c.is_ascii_digit() || c == '.').map_or(0, |last| last + 1);
    let (number, unit) = text.split_at(end);
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let power = match unit.strip_suffix('i').unwrap_or(unit) {
        "" if unit.is_empty() => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<i64>() {
        return whole.checked_mul(1024_i64.checked_pow(power)?).filter(|size| *size >= 0);
    }
    // Neither "inf" nor "nan", which parse would take.
    let begins =
        number.strip_prefix('+').unwrap_or(number).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let bytes =
        number.replace('_', "").parse::<f64>().ok().filter(|_| begins)? * (1_i64 << (10 * power)) as f64;
    // i64::MAX as f64 is one more than fits.
    (bytes < i64::MAX as f64).then_some(bytes as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        for (text, expected) in [
            ("0", 0),
            ("1000", 1000),
            ("-1", -1),
            ("1k", 1024),
            ("64m", 64 << 20),
            ("64M", 64 << 20),
            ("64MiB", 64 << 20),
            ("64 mb", 64 << 20),
            ("2gb", 2 << 30),
            ("1t", 1 << 40),
            ("1p", 1 << 50),
            ("10b", 10),
            ("1.5g", 3 << 29),
            ("+5", 5),
            ("+100m", 100 << 20),
            ("1_000_000", 1_000_000),
            ("1e3", 1000),
        ] {
            assert_eq!(size(text), Some(expected), "{text:?}");
        }
        let too_large = ["9223372036854775808", "9000p", "99999999.9p"];
        let no_sizes = ["", ".", "i", "10i", "-2", "-1k", "1.2.3", "12x", "m", "inf", "nan"];
        for text in too_large.iter().chain(&no_sizes) {
            assert_eq!(size(text), None, "{text:?}");
        }
    }
}
