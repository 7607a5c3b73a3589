//! Another process exchanges a directory and a link, as fast as the kernel can, while containers are made on top
//! of it: CVE-2021-30465, CVE-2024-45310, CVE-2025-31133, CVE-2025-52565, CVE-2025-52881.

use crate::canary::{Canary, LOOK_AROUND, assert_saw_nothing, bind, protect, without_mount};
use crate::support::Container;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const CONTAINERS: u32 = 300;
const LONGEST: Duration = Duration::from_secs(4);

/// Exchanges two names until it is dropped.
pub struct Flipper {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flipper {
    pub fn of(a: PathBuf, b: PathBuf) -> Flipper {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = stop.clone();
        let thread = std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                let exchanged = renameat2(AT_FDCWD, &a, AT_FDCWD, &b, RenameFlags::RENAME_EXCHANGE);
                // A mount that is on it, or a victim that has taken it away, ends a round and not the attack.
                if exchanged.is_err() {
                    std::thread::yield_now();
                }
            }
        });
        Flipper { stop, thread: Some(thread) }
    }
}

impl Drop for Flipper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed.
            let _ = thread.join();
        }
    }
}

/// Runs containers while `a` and `b` are exchanged; how many of them ran and how many were refused.
fn attack(container: &Container, canary: &Canary, a: &Path, b: &Path) -> (u32, u32) {
    let begin = Instant::now();
    let flipper = Flipper::of(a.to_owned(), b.to_owned());
    let (mut ran, mut refused) = (0, 0);
    while ran + refused < CONTAINERS && begin.elapsed() < LONGEST {
        let ended = container.run();
        assert_saw_nothing(&ended.out, "a race");
        if ended.out.contains("INSIDE") {
            ran += 1;
        } else {
            refused += 1;
        }
        if (ran + refused) % 10 == 0 {
            canary.assert_untouched("a race");
        }
    }
    drop(flipper);
    canary.assert_untouched("a race");
    container.assert_gone();
    eprintln!("{ran} ran, {refused} were refused");
    (ran, refused)
}

/// A volume that two share: the mounts below it go through a name that is a directory and a link in turns.
fn shared_volume(link: impl Fn(&Canary) -> String) {
    let container = Container::new().sh(LOOK_AROUND);
    let canary = Canary::of(&container);
    let volume = container.dir.join("volume");
    let other = container.dir.join("other");
    fs::create_dir_all(volume.join("a/below")).unwrap();
    fs::create_dir(&other).unwrap();
    symlink(link(&canary), volume.join("b")).unwrap();
    let container = container.edit(|config| {
        protect(config);
        bind(config, &volume, "/volume");
        bind(config, &other, "/volume/a/below");
        bind(config, &other, "/volume/a/new");
        bind(config, &container_file(&other), "/volume/a/file");
        let tmpfs = json!({"destination": "/volume/a/tmp/deep", "type": "tmpfs", "source": "tmpfs"});
        config["mounts"].as_array_mut().unwrap().push(tmpfs);
        let masked = config["linux"]["maskedPaths"].as_array_mut().unwrap();
        masked.push("/volume/a/below".into());
        config["process"]["cwd"] = "/volume/a/cwd".into();
        config["linux"]["devices"] =
            json!([{"path": "/volume/a/null", "type": "c", "major": 1, "minor": 3, "uid": 7, "gid": 7}]);
    });
    let (ran, _) = attack(&container, &canary, &volume.join("a"), &volume.join("b"));
    assert!(ran > 0, "not one container got through: the race was never lost, nor won");
}

fn container_file(directory: &Path) -> PathBuf {
    let path = directory.join("file");
    fs::write(&path, "inside").unwrap();
    path
}

#[test]
fn a_shared_volume_that_flips_to_an_absolute_link_leads_nowhere() {
    shared_volume(|canary| format!("{}/dir", canary.text()));
}

#[test]
fn a_shared_volume_that_flips_to_a_link_upwards_leads_nowhere() {
    shared_volume(|canary| format!("../../../../../../../../../..{}/dir", canary.text()));
}

#[test]
fn a_dev_of_the_image_that_flips_leads_nowhere() {
    let container = Container::new().sh(LOOK_AROUND);
    let canary = Canary::of(&container);
    let rootfs = container.rootfs();
    symlink(format!("../../../../../../../../..{}/dev", canary.text()), rootfs.join("link")).unwrap();
    let container = container.edit(|config| {
        protect(config);
        for mount in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
            without_mount(config, mount);
        }
    });
    let (ran, _) = attack(&container, &canary, &rootfs.join("dev"), &rootfs.join("link"));
    assert!(ran > 0);
}

#[test]
fn a_null_device_that_flips_to_a_link_masks_or_is_refused() {
    let container = Container::new().sh(LOOK_AROUND);
    let canary = Canary::of(&container);
    let rootfs = container.rootfs();
    let node = nix::sys::stat::makedev(1, 3);
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o666);
    nix::sys::stat::mknod(&rootfs.join("dev/null"), nix::sys::stat::SFlag::S_IFCHR, mode, node).unwrap();
    symlink("/proc/sys/kernel/core_pattern", rootfs.join("dev/other")).unwrap();
    let container = container.edit(|config| {
        protect(config);
        without_mount(config, "/dev");
    });
    let (ran, _) = attack(&container, &canary, &rootfs.join("dev/null"), &rootfs.join("dev/other"));
    assert!(ran > 0);
}

#[test]
fn a_console_and_a_ptmx_that_flip_lead_nowhere() {
    for name in ["console", "ptmx", "pts"] {
        let container = Container::new().sh(LOOK_AROUND);
        let canary = Canary::of(&container);
        let dev = container.rootfs().join("dev");
        if name == "pts" {
            fs::create_dir(dev.join(name)).unwrap();
        } else {
            fs::write(dev.join(name), "").unwrap();
        }
        symlink(format!("../../../../../../../../..{}/pts", canary.text()), dev.join("link")).unwrap();
        let container = container.edit(|config| {
            protect(config);
            without_mount(config, "/dev");
            config["process"]["terminal"] = true.into();
        });
        let (ran, _) = attack(&container, &canary, &dev.join(name), &dev.join("link"));
        assert!(ran > 0, "{name}");
    }
}

#[test]
fn a_proc_that_flips_to_a_link_is_mounted_in_place_or_refused() {
    let container = Container::new().sh(LOOK_AROUND);
    let canary = Canary::of(&container);
    let rootfs = container.rootfs();
    fs::create_dir_all(rootfs.join("evil/sys/kernel")).unwrap();
    // The attacker's own directory could get files of these names between a look at proc and the try to write there.
    // The first two can be opened by nobody, and what is masked looks like the third, where proc has it.
    let nodes = [("sys/kernel/core_pattern", 240, 7), ("sysrq-trigger", 240, 7), ("kcore", 1, 3)];
    for (name, major, minor) in
        nodes.into_iter().filter(|(name, ..)| *name != "kcore" || Path::new("/proc/kcore").exists())
    {
        let (kind, mode) = (nix::sys::stat::SFlag::S_IFCHR, nix::sys::stat::Mode::S_IRWXU);
        nix::sys::stat::mknod(&rootfs.join("evil").join(name), kind, mode, libc::makedev(major, minor))
            .unwrap();
    }
    symlink("evil", rootfs.join("link")).unwrap();
    let container = container.edit(protect);
    let (ran, _) = attack(&container, &canary, &rootfs.join("proc"), &rootfs.join("link"));
    assert!(ran > 0);
}

/// A volume that two share: a node gets its owner, and what is exchanged for it does not.
#[test]
fn a_node_that_is_exchanged_gives_its_owner_to_nothing_else() {
    let fifo = json!({"path": "/volume/node", "type": "p", "uid": 4321, "gid": 4321, "fileMode": 0o666});
    let container = Container::new().sh("echo INSIDE");
    let volume = container.dir.join("volume");
    fs::create_dir(&volume).unwrap();
    let (node, victim) = (volume.join("node"), volume.join("victim"));
    nix::unistd::mkfifo(&node, nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::write(&victim, "").unwrap();
    let container = container.edit(|c| {
        c["linux"]["devices"] = json!([fifo]);
        bind(c, &volume, "/volume");
    });
    let flipper = Flipper::of(node.clone(), victim.clone());
    let (begin, mut ran, mut refused) = (Instant::now(), 0, 0);
    while begin.elapsed() < LONGEST {
        match container.run().out.contains("INSIDE") {
            true => ran += 1,
            false => refused += 1,
        }
    }
    drop(flipper);
    let files = [&node, &victim].map(|path| path.symlink_metadata().unwrap());
    let (pipes, others): (Vec<_>, Vec<_>) = files.iter().partition(|found| found.file_type().is_fifo());
    eprintln!("{ran} ran, {refused} were refused");
    assert_eq!(others[0].uid(), 0, "the victim has another owner");
    assert!(ran > 0 && pipes[0].uid() == 4321, "nothing was tried");
}
