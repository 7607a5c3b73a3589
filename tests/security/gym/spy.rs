//! The spies: hostile programs for the inside of a container, built from `spies/` once and kept in target/tmp. Any test
//! program may include this file beside `support`.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use crate::support::{Container, copy_program, wait_until};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

const COMMON: &str = include_str!("spies/common.h");
/// A name and its source; what each does is said at the top of the source.
const SPIES: [(&str, &str); 7] = [
    ("hunter", include_str!("spies/hunter.c")),
    ("stopper", include_str!("spies/stopper.c")),
    ("names", include_str!("spies/names.c")),
    ("terminal", include_str!("spies/terminal.c")),
    ("lease", include_str!("spies/lease.c")),
    ("deaf", include_str!("spies/deaf.c")),
    ("idle", include_str!("spies/idle.c")),
];

/// Where a spy's report is, seen from inside.
pub const REPORT: &str = "/tmp/report";

/// Why spies cannot be built here; `None` if they can.
pub fn missing() -> Option<String> {
    let works = Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success());
    (!works).then(|| "the spies need a C compiler, cc".to_owned())
}

/// Ends a test where spies cannot be built.
#[macro_export]
macro_rules! needs_spies {
    () => {
        if let Some(reason) = $crate::gym::spy::missing() {
            $crate::skip!("{reason}");
        }
    };
}

/// The static program of this name.
#[track_caller]
pub fn program(name: &str) -> PathBuf {
    let (_, source) = SPIES.iter().find(|(spy, _)| *spy == name).expect("a spy of that name");
    let mut hasher = DefaultHasher::new();
    (COMMON, source).hash(&mut hasher);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spies");
    let built = directory.join(format!("{name}-{:016x}", hasher.finish()));
    if !built.exists() {
        fs::create_dir_all(&directory).expect("target/tmp is writable");
        // Another test may build it at the same time: the one that comes last replaces the same bytes.
        let fresh = built.with_extension(std::process::id().to_string());
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/security/gym/spies");
        let mut compiler = Command::new("cc");
        compiler.args(["-static", "-O1", "-o"]).arg(&fresh).arg(sources.join(name).with_extension("c"));
        assert!(compiler.status().expect("there is a cc").success(), "{name}.c cannot be compiled");
        fs::rename(&fresh, &built).expect("target/tmp is writable");
    }
    built
}

/// Puts the spy into the container's root as /NAME.
#[track_caller]
pub fn put(container: &Container, name: &str) {
    copy_program(&program(name), &container.rootfs().join(name));
}

/// What the spies of this container have reported, line by line.
pub fn report(container: &Container) -> Vec<String> {
    let text = fs::read_to_string(container.rootfs().join(&REPORT[1..])).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Waits until the spy of this container has begun.
#[track_caller]
pub fn wait_ready(container: &Container) {
    wait_until("the spy begins", || report(container).iter().any(|line| line.ends_with("ready")));
}
