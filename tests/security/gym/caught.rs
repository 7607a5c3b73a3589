//! What the hunter reports, held against what the container itself may do.

use crate::gym::spy;
use crate::support::Container;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;

/// What a container's processes may have: whatever has more is a catch.
pub struct Allowed {
    /// Every capability that the container's own processes have or can get.
    pub capabilities: u64,
    pub filters: u64,
    pub no_new_privs: bool,
    /// Descriptors beyond stdio: the conversation with the parent, and what a container that waits hears and answers by.
    pub descriptors: usize,
}

/// What the cases start: with these names it is no prey any more.
const PROGRAMS: [&str; 5] = ["true", "sh", "sleep", "idle", "joined"];

/// One process that the hunter met.
#[derive(Debug, Default)]
pub struct Prey {
    /// The word and value of each `rights` line, in order.
    pub rights: Vec<BTreeMap<String, String>>,
    /// Kind and link of each descriptor beyond stdio.
    pub descriptors: Vec<(String, String)>,
    /// Ways to the host's files or mount table.
    pub host: Vec<String>,
    pub attacks: Vec<String>,
    /// The numbers of the system calls that it made while it was followed.
    pub calls: Vec<u64>,
    pub memory_open: bool,
    pub refused: bool,
}

impl Prey {
    /// It was seen while it was still the runtime's, not yet the program of a case.
    pub fn was_seen(&self) -> bool {
        let first = self.rights.first().and_then(|rights| rights.get("name"));
        first.is_some_and(|name| !PROGRAMS.contains(&name.as_str()))
    }

    /// The most that it could do beyond the allowed, in words; empty if nothing.
    pub fn excess(&self, allowed: &Allowed) -> Vec<String> {
        let mut found = Vec::new();
        for rights in &self.rights {
            let mask = |word: &str| {
                rights.get(word).and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or_default()
            };
            let number = |word: &str| rights.get(word).and_then(|n| n.parse().ok()).unwrap_or(0u64);
            // The bounding set gives nothing by itself, but an execve as root takes from it.
            let beyond = (mask("prm") | mask("eff") | mask("amb") | mask("bnd")) & !allowed.capabilities;
            if beyond != 0 {
                found.push(format!("capabilities beyond the container's: {beyond:#x}"));
            }
            if number("filters") < allowed.filters {
                found.push(format!("{} filters of {}", number("filters"), allowed.filters));
            }
            if number("nnp") < u64::from(allowed.no_new_privs) {
                found.push("no_new_privs not set".to_owned());
            }
        }
        // A socket leads to the process at its other end: SO_PEERPIDFD.
        let strange = self.descriptors.iter().any(|(kind, _)| kind != "pipe");
        if strange || self.descriptors.len() > allowed.descriptors {
            let name = |(kind, link): &(String, String)| {
                format!(
                    "{kind} {}",
                    link.rsplit('/').next().unwrap_or_default().split(':').next().unwrap_or_default()
                )
            };
            found.push(format!("holds {}", self.descriptors.iter().map(name).collect::<Vec<_>>().join(", ")));
        }
        found.extend(self.host.iter().map(|way| format!("the host by {way}")));
        let opened = self.attacks.iter().filter(|attack| *attack == "opened");
        found.extend(opened.map(|_| "the host's core_pattern opened for writing".to_owned()));
        found.sort();
        found.dedup();
        found
    }
}

/// What the hunter in this container has met, by pid as it sees them.
pub fn prey(hunter: &Container) -> Vec<Prey> {
    prey_of(&spy::report(hunter))
}

fn prey_of(report: &[String]) -> Vec<Prey> {
    let mut all: BTreeMap<i64, Prey> = BTreeMap::new();
    for line in report {
        let mut words = line.split(' ');
        let (Some(pid), Some(kind)) = (words.next().and_then(|pid| pid.parse().ok()), words.next()) else {
            continue;
        };
        if pid == 0 {
            continue;
        }
        let prey = all.entry(pid).or_default();
        let rest: Vec<&str> = words.collect();
        match kind {
            "rights" => {
                let pairs = rest.iter().filter_map(|pair| pair.split_once('='));
                prey.rights.push(pairs.map(|(word, value)| (word.to_owned(), value.to_owned())).collect());
            }
            "fd" => {
                let mode = u32::from_str_radix(rest[1], 8).expect("a file's type");
                prey.descriptors.push((kind_of(mode, &rest[2..].join(" ")), rest[2..].join(" ")));
            }
            "host" => prey.host.push(rest.join(" ")),
            "attack" => prey.attacks.push(rest.join(" ")),
            "called" => prey.calls.extend(rest.iter().filter_map(|number| number.parse::<u64>().ok())),
            "mem" => prey.memory_open = true,
            "refused" => prey.refused = true,
            _ => {}
        }
    }
    for prey in all.values_mut() {
        prey.descriptors.sort();
        prey.descriptors.dedup();
        prey.host.dedup();
    }
    all.into_values().collect()
}

/// The kind of a descriptor's file, from its type and its link.
fn kind_of(mode: u32, link: &str) -> String {
    let kind = match mode {
        libc::S_IFIFO => "pipe",
        libc::S_IFSOCK => "socket",
        libc::S_IFDIR => "directory",
        libc::S_IFREG => "file",
        libc::S_IFCHR | libc::S_IFBLK => "device",
        // Closed between two looks at it.
        _ if link.starts_with("pipe:") => "pipe",
        _ if link.starts_with("socket:") => "socket",
        _ => "other",
    };
    kind.to_owned()
}

/// What /proc on the host says of a process, as the hunter would say it.
pub fn look_at(pid: i32) -> Prey {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().unwrap_or_default().to_owned()
    };
    let words = [
        ("prm", "CapPrm:"),
        ("eff", "CapEff:"),
        ("bnd", "CapBnd:"),
        ("amb", "CapAmb:"),
        ("nnp", "NoNewPrivs:"),
        ("filters", "Seccomp_filters:"),
    ];
    let rights = words.iter().map(|(word, name)| ((*word).to_owned(), value(name))).collect();
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("root sees descriptors").flatten();
    let beyond = entries.filter(|entry| !["0", "1", "2"].iter().any(|stdio| entry.file_name() == *stdio));
    let mut descriptors: Vec<(String, String)> = beyond
        .filter_map(|entry| {
            let link = fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
            let mode = fs::metadata(entry.path()).map_or(0, |found| found.mode() & libc::S_IFMT);
            Some((kind_of(mode, &link), link))
        })
        .collect();
    descriptors.sort();
    Prey { rights: vec![rights], descriptors, ..Prey::default() }
}

/// What this config allows to a process of its container.
pub fn allowed(config: &Value) -> Allowed {
    let filter = !config["linux"]["seccomp"].is_null();
    Allowed {
        capabilities: mask(&config["process"]["capabilities"]["bounding"]),
        filters: u64::from(filter),
        no_new_privs: config["process"]["noNewPrivileges"] == true,
        descriptors: 4,
    }
}

/// A list of capability names as the kernel's mask.
pub fn mask(names: &Value) -> u64 {
    let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
    names
        .map(|name| {
            let capability: caps::Capability = name.parse().expect("a capability's name");
            1u64 << capability.index()
        })
        .sum()
}

/// Of the processes that were met: how many could do more, and in which ways.
pub struct Tally {
    pub met: usize,
    pub caught: usize,
    pub ways: BTreeMap<String, usize>,
    /// The system calls that they made while they were followed.
    pub calls: BTreeSet<u64>,
}

pub fn tally(hunter: &Container, allowed: &Allowed) -> Tally {
    tally_since(hunter, 0, allowed)
}

/// Without the first lines of the report: what was met before.
pub fn tally_since(hunter: &Container, lines: usize, allowed: &Allowed) -> Tally {
    let report = spy::report(hunter);
    let met: Vec<Prey> = prey_of(&report[lines..]).into_iter().filter(Prey::was_seen).collect();
    let mut ways = BTreeMap::new();
    let mut caught = 0;
    for prey in &met {
        let excess = prey.excess(allowed);
        caught += usize::from(!excess.is_empty());
        for way in excess {
            *ways.entry(way).or_insert(0) += 1;
        }
    }
    let calls = met.iter().flat_map(|prey| prey.calls.iter().copied()).collect();
    Tally { met: met.len(), caught, ways, calls }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} of {} caught", self.caught, self.met)?;
        self.ways.iter().try_for_each(|(way, times)| write!(f, "; {times} × {way}"))
    }
}
