//! Memory: in several dumps that build on each other, or fetched when it is used.

use super::image::Image;
use super::{checkpoint_to, count, counting, counts_on, images, needs_criu, restore_from, started};
use crate::support::{Container, RRUNTIME, wait_until};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

fn size_of_pages(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let pages = files.filter(|entry| entry.file_name().to_string_lossy().starts_with("pages-"));
    pages.map(|entry| entry.metadata().unwrap().len()).sum()
}

fn has_feature(name: &str) -> bool {
    let mut criu = std::process::Command::new("criu");
    criu.env("PATH", super::path()).args(["check", "--feature", name]);
    criu.output().is_ok_and(|said| said.status.success())
}

/// Some megabytes that stay as they are.
const LARGE: &str = "x=$(head -c 8000000 /dev/zero | tr '\\0' x); ";

#[test]
fn a_dump_behind_a_pre_dump_has_what_has_changed_since() {
    needs_criu!();
    if !has_feature("mem_dirty_track") {
        crate::skip!("the kernel does not track memory (CONFIG_MEM_SOFT_DIRTY)");
    }
    // In a process that makes no others: a new one is written whole, and has the memory of its parent until it executes.
    let large = format!("mkfifo /tmp/never; (exec 9<>/tmp/never; {LARGE}: > /tmp/large; read y <&9) & ");
    let container = started(Container::new().sh(&format!("{large}{}", super::COUNTS)));
    wait_until("it has memory", || container.rootfs().join("tmp/large").exists());
    let directory = container.dir.join("iterations");
    let at = |name: &str| directory.join(name);
    let pre = checkpoint_to(&container, &at("whole"), &["--leave-running"]);
    pre.ok();
    checkpoint_to(&container, &at("1"), &["--pre-dump"]).ok();
    assert_eq!(container.status(), "running");
    checkpoint_to(&container, &at("2"), &["--pre-dump", "--parent-path", "../1"]).ok();
    checkpoint_to(&container, &at("last"), &["--parent-path", "../2"]).ok();
    let (whole, last) = (size_of_pages(&at("whole")), size_of_pages(&at("last")));
    assert!(whole > 7_000_000 && last < whole / 4, "{last} of {whole} bytes");
    let before = count(&container);
    restore_from(&container, &at("last"), &[]).ok();
    counts_on(&container, before);
    for (given, reason) in
        [("/x", "must be relative"), ("../none", "no such file"), ("../1/pages-1.img", "not a directory")]
    {
        let said = checkpoint_to(&container, &at("3"), &["--parent-path", given]).fails();
        assert!(said.contains(reason), "{given}: {said}");
    }
}

/// As CRIU writes it where the kernel tracks memory: nothing has changed since the dump before.
#[test]
fn memory_is_read_from_the_dumps_that_one_builds_on() {
    needs_criu!();
    const IN_PARENT: u64 = 1;
    let container = started(counting());
    let last = container.dir.join("dumps/last");
    checkpoint_to(&container, &last, &[]).ok();
    for (name, target) in [("2", "../1"), ("1", "")] {
        let directory = container.dir.join("dumps").join(name);
        fs::create_dir(&directory).unwrap();
        for file in ["pagemap-1.img", "pages-1.img", "inventory.img"] {
            fs::copy(last.join(file), directory.join(file)).unwrap();
        }
        if !target.is_empty() {
            std::os::unix::fs::symlink(target, directory.join("parent")).unwrap();
        }
    }
    std::os::unix::fs::symlink("../2", last.join("parent")).unwrap();
    for directory in [&last, &container.dir.join("dumps/2")] {
        let mut pages = Image::find(directory, "pagemap-1.img");
        for area in pages.entries.iter_mut().skip(1) {
            area.set(4, IN_PARENT);
        }
        pages.write();
        fs::write(directory.join("pages-1.img"), "").unwrap();
    }
    let before = count(&container);
    restore_from(&container, &last, &[]).ok();
    counts_on(&container, before);
}

/// From another id on this machine, while the page server still has the memory of the first.
#[test]
fn lazy_pages_are_fetched_from_the_page_server_after_the_restore() {
    needs_criu!();
    let show = "if [ -e /tmp/show ]; then echo $x > /tmp/all; rm /tmp/show; fi; sleep 0.02";
    let script = format!("{LARGE}{}", super::COUNTS.replace("sleep 0.02", show));
    let container = started(Container::new().sh(&script));
    let port = (27000 + std::process::id() % 2000).to_string();
    let (images, work, ready) = (images(&container), container.dir.join("work"), container.dir.join("ready"));
    // The shell opens the descriptor that is named.
    let line = format!(
        "exec 5>{}; exec {RRUNTIME} --root {} checkpoint --lazy-pages --page-server 127.0.0.1:{port} --status-fd 5 --image-path {} {}",
        ready.display(),
        container.state_root().display(),
        images.display(),
        container.id
    );
    let mut dump = Command::new("sh");
    let mut dump = dump.args(["-c", &line]).env("PATH", super::path()).stdin(Stdio::null()).spawn().unwrap();
    wait_until("the page server is ready", || fs::metadata(&ready).is_ok_and(|found| found.len() == 1));
    let small = size_of_pages(&images);
    assert!(small < 1_000_000, "{small} bytes are in files");
    let before = count(&container);
    fs::create_dir(&work).unwrap();
    let (images, work) = (images.to_str().unwrap(), work.to_str().unwrap());
    let fetch = ["lazy-pages", "--images-dir", images, "-W", work, "-o", "lazy.log"];
    let mut fetch = Command::new("criu")
        .args([&fetch[..], &["--page-server", "--address", "127.0.0.1", "--port", &port]].concat())
        .env("PATH", super::path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let socket = Path::new(work).join("lazy-pages.socket");
    wait_until("the memory can be asked for", || socket.exists() || fetch.try_wait().unwrap().is_some());
    let id = format!("{}-lazy", container.id);
    let container = container.edit(|config| config["linux"]["cgroupsPath"] = format!("/{id}").into());
    container.write_config();
    let bundle = container.bundle();
    let messages = container.dir.join("restore.messages");
    let args = [
        "--log",
        messages.to_str().unwrap(),
        "restore",
        "--detach",
        "--lazy-pages",
        "--bundle",
        bundle.to_str().unwrap(),
    ];
    let args = [&args[..], &["--image-path", images, "--work-path", work, &id]].concat();
    let mut restore = super::command(&container, &args);
    let mut restore =
        restore.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut restored = None;
    wait_until("it is restored", || {
        if fetch.try_wait().unwrap().is_some_and(|ended| !ended.success()) {
            // Its memory will never come.
            rruntime::sys::signal::kill(restore.id() as i32, libc::SIGTERM).unwrap();
        }
        restored = restore.try_wait().unwrap();
        restored.is_some()
    });
    let restored = restored.is_some_and(|status| status.success());
    let log = [Path::new(images).join("dump.log"), Path::new(work).join("lazy.log"), messages];
    let log = log.map(|path| fs::read_to_string(path).unwrap_or_default()).concat();
    let log: String = log.lines().filter(|line| line.contains("rror")).collect();
    if !restored && log.contains("splice") {
        rruntime::sys::signal::kill(dump.id() as i32, libc::SIGTERM).unwrap();
        assert_ne!(dump.wait().unwrap().code(), Some(0));
        fetch.kill().unwrap();
        fetch.wait().unwrap();
        crate::skip!("criu's page server fails with splice(2) on this kernel, for runc too");
    }
    assert!(restored, "{log}");
    counts_on(&container, before);
    assert!(dump.wait().unwrap().success(), "all memory has been fetched");
    assert!(fetch.wait().unwrap().success());
    let container_is_there = container.call(&["state", &container.id]).code;
    assert_ne!(container_is_there, 0, "what is checkpointed is deleted");
    fs::write(container.rootfs().join("tmp/show"), "").unwrap();
    wait_until("it shows its memory", || !container.rootfs().join("tmp/show").exists());
    let all = fs::read(container.rootfs().join("tmp/all")).unwrap();
    assert!(all.len() == 8_000_001 && all[..8_000_000].iter().all(|byte| *byte == b'x'));
    container.call(&["delete", "--force", &id]).ok();
}
