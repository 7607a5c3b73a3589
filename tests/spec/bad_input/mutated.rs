//! Mutated configs through the real binary: no crash, no hang, nothing left, nothing of the host changed.
//!
//! `RRUNTIME_MUTATIONS=N` runs N cases instead of a few hundred, `RRUNTIME_MUTATION_SEED=S` one case.

use crate::bad_input::mutator::config;
use crate::random::Random;
use crate::support::leftovers::processes;
use crate::support::{Container, is_v2};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CASES: u64 = 300;
const WORKERS: usize = 2;
/// Nothing here waits for anything; a slow machine has time enough.
const LONGEST: Duration = Duration::from_secs(30);

/// The end of a command, or that it did not end by itself.
fn ended(mut command: Command, log: &Path) -> Result<Output, String> {
    // Files instead of pipes: whatever holds them open, nothing waits for their end.
    let (out, err) = (log.with_extension("out"), log.with_extension("err"));
    command
        .stdin(Stdio::null())
        .stdout(fs::File::create(&out).unwrap())
        .stderr(fs::File::create(&err).unwrap());
    let mut child: Child = command.spawn().unwrap();
    let deadline = Instant::now() + LONGEST;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err(format!("does not end: {}", fs::read_to_string(&err).unwrap_or_default()));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let output = Output { status, stdout: fs::read(out).unwrap(), stderr: fs::read(err).unwrap() };
    let text = String::from_utf8_lossy(&output.stderr);
    if status.signal().is_some() || text.contains("panicked at") {
        return Err(format!("crashes ({status}): {text}"));
    }
    Ok(output)
}

/// Everything in a tree with owner, mode, size and time.
fn snapshot(path: &Path, found: &mut Vec<String>) {
    let Ok(meta) = path.symlink_metadata() else { return };
    found.push(format!(
        "{} {:o} {} {} {} {}",
        path.display(),
        meta.mode(),
        meta.uid(),
        meta.size(),
        meta.mtime(),
        meta.mtime_nsec()
    ));
    if meta.is_dir() {
        let mut below: Vec<PathBuf> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        below.sort();
        below.iter().for_each(|path| snapshot(path, found));
    }
}

/// What a container of any config must leave as it is.
fn host(canary: &Path) -> Vec<String> {
    let mut found = Vec::new();
    snapshot(canary, &mut found);
    for file in ["hostname", "domainname", "core_pattern", "shmmni", "msgmax", "modprobe"] {
        found.push(fs::read_to_string(format!("/proc/sys/kernel/{file}")).unwrap_or_default());
    }
    found.push(fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default());
    let mut devices: Vec<String> =
        fs::read_dir("/dev").unwrap().map(|entry| format!("{:?}", entry.unwrap().file_name())).collect();
    devices.sort();
    found.extend(devices);
    found
}

/// Cgroups of this name anywhere, and below the directory that `cgroupsPath` is kept in.
fn cgroups(container: &Container) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut tops = vec![PathBuf::from("/sys/fs/cgroup")];
    if !is_v2() {
        tops.extend(fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    for top in tops {
        let below = fs::read_dir(&top).into_iter().flatten().flatten().map(|entry| entry.path());
        found.extend(below.filter(|path| path.is_dir() && path.to_string_lossy().contains(&container.id)));
    }
    found
}

/// Parents of a cgroup are made on the way, as peers make them, and stay; a directory with a process does not.
fn remove_parents(at: &Path) -> bool {
    let below = fs::read_dir(at).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
    below.map(|entry| entry.path()).collect::<Vec<_>>().iter().all(|path| remove_parents(path))
        && fs::remove_dir(at).is_ok()
}

/// True if the container was made: its config passed.
fn try_case(container: &Container, seed: u64) -> Result<bool, String> {
    let mut random = Random(seed);
    let text = config(&mut random, container);
    fs::write(container.bundle().join("config.json"), &text).unwrap();
    let log = container.dir.join("said");
    let with_bundle = |word: &str| {
        let mut command = container.command(&[word, "--bundle"]);
        command.arg(container.bundle()).arg(&container.id);
        command
    };
    let output = if random.below(2) == 0 {
        ended(with_bundle("run"), &log)?
    } else {
        let created = ended(with_bundle("create"), &log)?;
        if created.status.success() && random.below(2) == 0 {
            ended(container.command(&["start", &container.id]), &log)?;
        }
        created
    };
    if !output.status.success()
        && output.stderr.is_empty()
        && output.stdout.is_empty()
        && output.status.code() == Some(1)
    {
        // `true` says nothing either; but it does not fail.
        let sure = serde_json::from_slice::<serde_json::Value>(&text)
            .is_ok_and(|c| c["process"]["args"] == container.config["process"]["args"]);
        if sure {
            return Err("fails without a word".to_owned());
        }
    }
    let deleted = ended(container.command(&["delete", "--force", &container.id]), &log)?;
    let said = String::from_utf8_lossy(&deleted.stderr).into_owned();
    if !deleted.status.success() {
        return Err(format!("cannot be deleted: {said}"));
    }
    nothing_left(container).map(|()| output.status.success())
}

fn nothing_left(container: &Container) -> Result<(), String> {
    if let Some(entry) = container.left_in_state_root().first() {
        return Err(format!("leaves state: {entry:?}"));
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    if let Some(mount) = mounts.lines().find(|line| line.contains(&format!("{}/", container.id))) {
        return Err(format!("leaves a mount: {mount}"));
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while !processes(&container.id).is_empty() {
        if Instant::now() > deadline {
            return Err(format!("leaves processes: {:?}", processes(&container.id)));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let left = cgroups(container);
    let whole: Vec<&PathBuf> = left.iter().filter(|path| !remove_parents(path)).collect();
    if whole.is_empty() { Ok(()) } else { Err(format!("leaves cgroups: {whole:?}")) }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_a_config_says_the_host_stays_as_it_was() {
    let one = number("RRUNTIME_MUTATION_SEED");
    let cases = number("RRUNTIME_MUTATIONS").unwrap_or(CASES);
    let (first, last) = one.map_or((0, cases), |seed| (seed, seed + 1));
    println!("seeds {first} to {}; RRUNTIME_MUTATION_SEED=N repeats one", last - 1);
    let (next, made) = (AtomicU64::new(first), AtomicU64::new(0));
    let amiss = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let mut container = Container::new().args(&["true"]);
                let mut tried = 0;
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last {
                        break;
                    }
                    // What runs as root in a root filesystem may spoil it.
                    if tried % 40 == 0 {
                        container = Container::new().args(&["true"]);
                    }
                    tried += 1;
                    let canary = container.dir.join("canary");
                    fs::create_dir_all(container.bundle().join("data")).unwrap();
                    fs::create_dir_all(canary.join("below")).unwrap();
                    fs::write(canary.join("below/file"), "canary").unwrap();
                    let before = host(&canary);
                    let mut result = try_case(&container, seed);
                    if result.is_ok() && host(&canary) != before {
                        result = Err("changes the host".to_owned());
                    }
                    made.fetch_add(u64::from(result == Ok(true)), Ordering::Relaxed);
                    if let Err(what) = result {
                        let kept = fs::read(container.bundle().join("config.json")).unwrap_or_default();
                        let file = std::env::temp_dir().join(format!("rruntime-mutation-{seed}.json"));
                        fs::write(&file, kept).unwrap();
                        amiss.lock().unwrap().push(format!("seed {seed} ({}) {what}", file.display()));
                        // The next case has a container of its own.
                        container = Container::new().args(&["true"]);
                    }
                }
            });
        }
    });
    println!("{} of {} configs made a container", made.into_inner(), last - first);
    let amiss = amiss.into_inner().unwrap();
    assert!(amiss.is_empty(), "{} of {}:\n{}", amiss.len(), last - first, amiss.join("\n"));
}
