//! `checkpoint` and `restore`, with a real CRIU: that of PATH, or of `hack/peers --fetch`.

mod cycle;
mod effects;
mod hostile;
mod image;
mod labels;
mod memory;
mod namespaces;
mod options;
mod peers;
mod silent;
mod written;
mod wrong;

use crate::support::{Container, Ended, wait_until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The directory of a CRIU that works with today's kernels.
fn criu() -> Option<PathBuf> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::iter::once(peers).chain(std::env::split_paths(&path));
    let works = |place: &PathBuf| {
        let said = Command::new(place.join("criu")).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let major =
            text.lines().find_map(|line| line.strip_prefix("Version: ")?.split('.').next()?.parse().ok());
        major.filter(|major: &u32| *major >= 4)
    };
    // What criu is started from as a program is not hidden by the tmpfs that a restore has on /tmp.
    places.map(|place| fs::canonicalize(&place).unwrap_or(place)).find(|place| works(place).is_some())
}

/// Ends a test where there is none.
macro_rules! needs_criu {
    () => {
        if !std::path::Path::new("/proc/sys/kernel/ns_last_pid").exists() {
            $crate::skip!("criu does not work with this kernel (CONFIG_CHECKPOINT_RESTORE)");
        }
        if $crate::checkpoint::criu().is_none() {
            $crate::skip!("no criu 4 or newer (`hack/peers --fetch criu` fetches it)");
        }
    };
}
use needs_criu;

fn path() -> String {
    let own = std::env::var("PATH").unwrap_or_default();
    format!("{}:{own}", criu().expect("the test has looked for criu").display())
}

/// Counts in a file, and says nothing.
const COUNTS: &str =
    "i=0; while :; do i=$((i+1)); echo $i > /tmp/new; mv /tmp/new /tmp/count; sleep 0.02; done";

fn counting() -> Container {
    Container::new().sh(COUNTS)
}

fn count(container: &Container) -> u32 {
    let text = fs::read_to_string(container.rootfs().join("tmp/count")).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// It counts on from there, and did not begin again.
#[track_caller]
fn counts_on(container: &Container, from: u32) {
    wait_until("it counts on", || {
        let now = count(container);
        assert!(now == 0 || now >= from, "it has begun again: {now}, not {from}");
        now > from + 2
    });
}

/// A command with criu in its PATH.
fn command(container: &Container, args: &[&str]) -> Command {
    let mut command = container.command(args);
    command.env("PATH", path());
    command
}

fn images(container: &Container) -> PathBuf {
    container.dir.join("images")
}

fn checkpoint(container: &Container, options: &[&str]) -> Ended {
    checkpoint_to(container, &images(container), options)
}

fn checkpoint_to(container: &Container, images: &Path, options: &[&str]) -> Ended {
    let images = images.to_str().unwrap();
    let args = [&["checkpoint", "--image-path", images][..], options, &[&container.id]].concat();
    crate::support::finish(command(container, &args))
}

fn restore(container: &Container, options: &[&str]) -> Ended {
    restore_from(container, &images(container), options)
}

/// Detached. A restored container keeps its streams: a pipe would never end.
fn restore_from(container: &Container, images: &Path, options: &[&str]) -> Ended {
    let log = container.dir.join("restore.messages");
    // There may be none yet.
    let _ = fs::remove_file(&log);
    let (bundle, images) = (container.bundle(), images.to_str().unwrap());
    let (log_text, bundle) = (log.to_str().unwrap(), bundle.to_str().unwrap());
    let first = ["--log", log_text, "restore", "--detach", "--bundle", bundle, "--image-path", images];
    let mut command = command(container, &[&first[..], options, &[&container.id]].concat());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let code = command.status().unwrap().code().unwrap_or(255);
    Ended { code, out: String::new(), err: fs::read_to_string(&log).unwrap_or_default() }
}

/// A container that runs, with its streams at /dev/null.
fn running(container: Container) -> Container {
    let started = container.create();
    assert_eq!(started.code, 0, "{}", started.err);
    container.start().ok();
    container
}

/// The same once it has counted a little.
fn started(container: Container) -> Container {
    let container = running(container);
    wait_until("it counts", || count(&container) > 3);
    container
}
