//! `tmpcopyup` of what a container can change while it is copied: nothing is opened that was not looked at, and what is
//! copied is the container's own memory.

use crate::files::live::mounts;
use crate::files::races::Flipper;
use crate::support::{Container, limited};
use nix::sys::stat::{Mode, SFlag, mknod};
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

const LONGEST: Duration = Duration::from_secs(4);

const LOOK: &str = "cd /flips; echo *; cat name other 2> /dev/null; true";

/// A directory of the image, `/flips`, with a file and a node of /dev/zero, of which there is more than fits. It stands
/// for a disk of the host: what a container may make, it need not be allowed to read.
fn with_a_device(container: &Container) -> Flipper {
    let directory = container.rootfs().join("flips");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("name"), "plain").unwrap();
    let mode = Mode::from_bits_truncate(0o666);
    mknod(&directory.join("other"), SFlag::S_IFCHR, mode, nix::sys::stat::makedev(1, 5)).unwrap();
    Flipper::of(directory.join("name"), directory.join("other"))
}

#[test]
fn a_file_that_becomes_a_device_is_not_opened_as_one() {
    let container = Container::new().args(&["sleep", "1000"]);
    let flipper = with_a_device(&container);
    let container = container.started();
    let list = json!([{"destination": "/flips", "type": "tmpfs", "source": "x", "options": ["tmpcopyup", "size=64k"]}]);
    let begin = Instant::now();
    let (mut first, mut second) = (0, 0);
    while begin.elapsed() < LONGEST {
        mounts(&container, "add", list.clone()).ok();
        match &*container.exec_sh(LOOK).ok() {
            "name\nplain" => first += 1,
            "other\nplain" => second += 1,
            // Both names were the node when they were looked at, or both the file.
            "*\n" | "name other\nplainplain" => {}
            other => panic!("{other:?}"),
        }
        mounts(&container, "remove", list.clone()).ok();
    }
    drop(flipper);
    eprintln!("name was the file {first} times, other {second} times");
    assert!(first > 0 && second > 0);
}

/// The same code copies when the container is made.
#[test]
fn nor_is_it_while_the_container_is_made() {
    let container = Container::new().sh(LOOK);
    let flipper = with_a_device(&container);
    let container = container.edit(|config| {
        let mount = json!({"destination": "/flips", "type": "tmpfs", "source": "x", "options": ["tmpcopyup", "size=64k"]});
        config["mounts"].as_array_mut().unwrap().push(mount);
    });
    let begin = Instant::now();
    let mut seen = std::collections::BTreeMap::new();
    while begin.elapsed() < LONGEST {
        *seen.entry(container.run().ok()).or_insert(0) += 1;
    }
    drop(flipper);
    eprintln!("{seen:?}");
    let known = ["name\nplain", "other\nplain", "*\n", "name other\nplainplain"];
    assert!(seen.keys().all(|out| known.contains(&&**out)), "{seen:?}");
}

#[test]
fn what_is_copied_takes_the_memory_of_the_container() {
    needs!("memory");
    let container =
        limited(json!({"memory": {"limit": 32 << 20, "swap": 32 << 20}})).args(&["sleep", "1000"]);
    let directory = container.rootfs().join("sparse");
    fs::create_dir(&directory).unwrap();
    fs::File::create(directory.join("file")).unwrap().set_len(2 << 30).unwrap();
    let container = container.started();
    let before = container.exec_sh("cat /proc/self/mountinfo").ok();
    let list = json!([
        {"destination": "/first", "type": "tmpfs", "source": "x"},
        {"destination": "/sparse", "type": "tmpfs", "source": "x", "options": ["tmpcopyup", "size=3g"]},
    ]);
    let err = mounts(&container, "add", list).fails();
    assert!(err.contains("memory") && err.contains("size="), "{err}");
    assert_eq!(container.exec_sh("cat /proc/self/mountinfo").ok(), before);
    assert_eq!(container.status(), "running");
}

#[test]
fn pipes_sockets_and_devices_are_left_out() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    let made = "mkdir -p /kinds/below; cd /kinds; mknod pipe p; mknod null c 1 3; echo text > file; chown 7:8 file
                chmod 4711 file; ln -s /nowhere link; chown -h 9 link; echo deep > below/file; chmod 1700 below";
    container.exec_sh(made).ok();
    // By the directory's descriptor: the address of a socket is short.
    let kinds = std::fs::File::open(container.rootfs().join("kinds")).unwrap();
    let socket = format!("/proc/self/fd/{}/socket", std::os::fd::AsRawFd::as_raw_fd(&kinds));
    let _socket = std::os::unix::net::UnixListener::bind(socket).unwrap();
    let list = json!([{"destination": "/kinds", "type": "tmpfs", "source": "x", "options": ["tmpcopyup"]}]);
    mounts(&container, "add", list).ok();
    let out =
        container.exec_sh("cd /kinds; stat -c '%A %u:%g %n' * below/*; cat file below/file; readlink link");
    let expected = "drwx-----T 0:0 below\n-rws--x--x 7:8 file\nlrwxrwxrwx 9:0 link\n-rw-r--r-- 0:0 below/file\n\
                    text\ndeep\n/nowhere\n";
    assert_eq!(out.ok(), expected);
}
