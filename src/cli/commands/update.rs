//! `update`: options or a file in, one set of limits out.
//!
//! The options are a table: what parses them, help, and the limits that come out of it all read it.

use super::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::arguments::{integer, option};
use crate::cli::{Arguments, Session, session::Which};
use crate::engine::{Changes, UpdateOptions};
use crate::error::{Error, Kind, Result};
use crate::spec::{Resources, Text};
use clap::Arg;
use std::borrow::Cow;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

pub const COMMAND: Command = Command {
    name: "update",
    about: "change the limits of a container",
    detail: "Changes all limits that are given, or none if one is refused; other limits stay the same.\n\
             Sizes are in bytes or have a unit: 64m, 1.5g; -1 removes a limit.\n\
             --resources reads the limits from a file (linux.resources as in config.json); all other options\n\
             except --l3-cache-schema and --mem-bw-schema are then ignored. Device rules do not change.",
    options,
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

/// Where the value of an option goes.
#[derive(Clone, Copy)]
enum Slot {
    Text(for<'r> fn(&'r mut Resources<'static>) -> &'r mut Option<Text<'static>>),
    Unsigned(for<'r> fn(&'r mut Resources<'static>) -> &'r mut Option<u64>),
    Signed(for<'r> fn(&'r mut Resources<'static>) -> &'r mut Option<i64>),
    Size(for<'r> fn(&'r mut Resources<'static>) -> &'r mut Option<i64>),
    Weight,
}

/// (option, its value, help, where it goes). Without help it is hidden: it does nothing any more.
const LIMITS: [(&str, &str, &str, Slot); 16] = [
    ("blkio-weight", "WEIGHT", "relative weight of block I/O, 10 to 1000", Slot::Weight),
    ("cpu-period", "MICROSECONDS", "period of the CPU quota", Slot::Unsigned(|r| &mut cpu(r).period)),
    (
        "cpu-quota",
        "MICROSECONDS",
        "CPU time in each period; -1: no limit",
        Slot::Signed(|r| &mut cpu(r).quota),
    ),
    ("cpu-burst", "MICROSECONDS", "unused quota that may be saved up", Slot::Unsigned(|r| &mut cpu(r).burst)),
    ("cpu-share", "SHARES", "relative weight of CPU time", Slot::Unsigned(|r| &mut cpu(r).shares)),
    (
        "cpu-rt-period",
        "MICROSECONDS",
        "period of the real-time limit (cgroup v1)",
        Slot::Unsigned(|r| &mut cpu(r).realtime_period),
    ),
    (
        "cpu-rt-runtime",
        "MICROSECONDS",
        "real-time CPU time in each period (cgroup v1)",
        Slot::Signed(|r| &mut cpu(r).realtime_runtime),
    ),
    ("cpuset-cpus", "LIST", "CPUs to use, as in 0-2,7", Slot::Text(|r| &mut cpu(r).cpus)),
    ("cpuset-mems", "LIST", "memory nodes to use", Slot::Text(|r| &mut cpu(r).mems)),
    ("cpu-idle", "0|1", "1: run only when no other cgroup needs the CPU", Slot::Signed(|r| &mut cpu(r).idle)),
    ("memory", "SIZE", "memory limit", Slot::Size(|r| &mut memory(r).limit)),
    (
        "memory-reservation",
        "SIZE",
        "soft limit: memory below it is reclaimed last",
        Slot::Size(|r| &mut memory(r).reservation),
    ),
    ("memory-swap", "SIZE", "limit for memory and swap together", Slot::Size(|r| &mut memory(r).swap)),
    (
        "pids-limit",
        "NUMBER",
        "largest number of tasks; -1: no limit",
        Slot::Signed(|r| &mut r.pids.get_or_insert_default().limit),
    ),
    ("kernel-memory", "SIZE", "", Slot::Size(|r| &mut memory(r).kernel)),
    ("kernel-memory-tcp", "SIZE", "", Slot::Size(|r| &mut memory(r).kernel_tcp)),
];

fn cpu<'r>(resources: &'r mut Resources<'static>) -> &'r mut crate::spec::Cpu<'static> {
    resources.cpu.get_or_insert_default()
}

fn memory<'r>(resources: &'r mut Resources<'static>) -> &'r mut crate::spec::Memory {
    resources.memory.get_or_insert_default()
}

fn options() -> Vec<Arg> {
    let limits = LIMITS.iter().map(|(name, value, help, _)| option(name, value, help).hide(help.is_empty()));
    let mut options = vec![
        option("resources", "FILE", "read the limits from this JSON file; - for standard input").short('r'),
    ];
    options.extend(limits);
    options.push(option("l3-cache-schema", "SCHEMA", "Intel RDT: L3 cache allocation"));
    options.push(option("mem-bw-schema", "SCHEMA", "Intel RDT: memory bandwidth allocation"));
    options
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let options = parse(session, arguments)?;
    session.engine_for_change(Which::One)?.update(&arguments.id(), &options).map(|()| 0)
}

fn parse(session: &Session, arguments: &Arguments) -> Result<UpdateOptions> {
    let owned = |name| Ok(arguments.text(name)?.map(str::to_owned));
    let changes = match arguments.path("resources") {
        Some(file) => {
            for (name, ..) in LIMITS.iter().filter(|(name, ..)| arguments.value(name).is_some()) {
                let warning = Error::new("is ignored because --resources is given");
                session.log.warn(&warning.field(format!("--{name}")));
            }
            Changes::File { name: shown(&file), bytes: read(&file)? }
        }
        None => Changes::Given(Box::new(given(arguments)?)),
    };
    Ok(UpdateOptions {
        changes,
        l3_cache_schema: owned("l3-cache-schema")?,
        mem_bw_schema: owned("mem-bw-schema")?,
    })
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") { "standard input".into() } else { file.display().to_string() }
}

/// Larger than any list of devices.
const LARGEST_FILE: u64 = 16 << 20;

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(LARGEST_FILE + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
    };
    let error = match read {
        Ok(length) if length as u64 > LARGEST_FILE => Error::new("the resources are larger than 16 MiB"),
        Ok(_) => return Ok(bytes),
        Err(e) => Error::io("read the resources", &e),
    };
    Err(error.kind(Kind::Argument).field("--resources").value(path.display()))
}

fn given(arguments: &Arguments) -> Result<Resources<'static>> {
    let mut resources = Resources::default();
    for (name, .., slot) in LIMITS {
        let Some(text) = arguments.text(name)? else { continue };
        let wrong = |what: &str| {
            let reason = format!("invalid value for {name}: must be {what}");
            Error::argument(format!("--{name}"), text, reason)
        };
        match slot {
            Slot::Text(of) => *of(&mut resources) = Some(Text(Cow::Owned(text.to_owned()))),
            Slot::Unsigned(of) => {
                *of(&mut resources) =
                    Some(text.parse().map_err(|_| wrong("a whole number that is not negative"))?);
            }
            Slot::Signed(of) => {
                *of(&mut resources) = Some(integer(text).ok_or_else(|| wrong("a whole number"))?)
            }
            Slot::Size(of) => {
                let size =
                    size(text).ok_or_else(|| wrong("a size in bytes or with a unit (64m, 1.5g), or -1"))?;
                *of(&mut resources) = Some(size);
            }
            Slot::Weight => {
                let weight = u16::from_str(text).map_err(|_| wrong("a whole number from 10 to 1000"))?;
                resources.block_io.get_or_insert_default().weight = Some(weight);
            }
        }
    }
    Ok(resources)
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
    let bytes = number.replace('_', "").parse::<f64>().ok().filter(|_| begins)? * 1024_f64.powi(power as i32);
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
