//! Images that were written by an attacker: they are refused before CRIU reads them, and nothing of the host changes.

use super::image::{Image, Message};
use super::{checkpoint, counting, images, needs_criu, restore, started};
use crate::support::Container;
use crate::support::leftovers::assert_nothing_left;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const REMAPS: u32 = 0x5913_3954;
const GHOSTS: u32 = 0x5258_3605;
const BINFMT: u32 = 0x6734_3323;

/// A checkpoint, to be changed again and again.
struct Attack {
    container: Container,
}

impl Attack {
    fn on(edit: impl FnOnce(&mut Value)) -> Attack {
        let container = started(counting().edit(edit));
        checkpoint(&container, &[]).ok();
        let kept = container.dir.join("kept");
        fs::rename(images(&container), kept).unwrap();
        Attack { container }
    }

    /// What `restore` says of the images when `change` was made to them.
    #[track_caller]
    fn says(&self, options: &[&str], change: impl FnOnce(&Path)) -> String {
        let directory = images(&self.container);
        // There may be none yet.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).unwrap();
        for entry in fs::read_dir(self.container.dir.join("kept")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), directory.join(entry.file_name())).unwrap();
        }
        change(&directory);
        let said = restore(&self.container, options).fails();
        assert_nothing_left(&self.container);
        assert!(
            !fs::read_to_string(directory.join("restore.log")).unwrap().contains("criu"),
            "criu ran: {said}"
        );
        said
    }
}

fn mounts(directory: &Path) -> Image {
    Image::find(directory, "mountpoints-")
}

fn at<'a>(image: &'a mut Image, point: &str) -> &'a mut Message {
    image.entries.iter_mut().find(|entry| entry.text(7) == point).unwrap()
}

/// A file that was open when the container was written.
fn file(id: u64, name: &str, flags: u64, mount: u64) -> Message {
    let owner = (1..=5).fold(Message::default(), |owner, field| owner.with(field, 0));
    let regular = Message::default().with(1, id).with(2, flags).with(3, 0).with(5, owner);
    let regular = regular.with(6, name).with(7, mount << 1);
    Message::default().with(1, 1).with(2, id).with(3, regular)
}

fn add_file(directory: &Path, name: &str, flags: u64, point: &str) {
    let mount = at(&mut mounts(directory), point).number(2);
    let mut files = Image::find(directory, "files.img");
    files.entries.push(file(100 + files.entries.len() as u64, name, flags, mount));
    files.write();
}

/// The last file is one that has lost its name: another of it is the file before, or it is kept in a ghost-file.
fn add_remap(directory: &Path, kind: u64) {
    let files = Image::find(directory, "files.img");
    let last = files.entries.last().unwrap().number(2);
    let mut remaps = Image::new(directory.join("remap-fpath.img"), REMAPS);
    let to = if kind == 0 { last - 1 } else { 1 };
    remaps.entries.push(Message::default().with(1, last).with(2, to).with(3, kind));
    remaps.write();
}

#[test]
fn mounts_are_the_models_and_no_path_leads_upwards() {
    needs_criu!();
    // A right to mount makes no difference.
    let attack = Attack::on(|config| {
        for set in ["bounding", "effective", "permitted"] {
            let names = config["process"]["capabilities"][set].as_array_mut().unwrap();
            names.push("CAP_SYS_ADMIN".into());
        }
    });
    // The host's tmpfs for the container's, as a bind of its root filesystem that leads there.
    let said = attack.says(&[], |directory| {
        let mut image = mounts(directory);
        let root = at(&mut image, "/").clone();
        let shm = at(&mut image, "/dev/shm");
        for field in [1, 3, 8, 9] {
            shm.set(field, root.get(field).unwrap().clone());
        }
        shm.set(6, &*format!("{}/../../../../dev/shm", root.text(6)));
        image.write();
    });
    assert!(said.contains("mountpoints-") && said.contains("at /dev/shm"), "{said}");
    // The host's root at a place of its own.
    let said = attack.says(&[], |directory| {
        let mut image = mounts(directory);
        let root = at(&mut image, "/").clone();
        let more = root.clone().with(2, 900).with(4, root.number(2)).with(6, "/").with(7, "/data");
        image.entries.push(more);
        image.write();
    });
    assert!(said.contains("a mount that its config does not have at /data"), "{said}");
    let change = |point: &'static str, field: u64, value: super::image::Value| {
        move |directory: &Path| {
            let mut image = mounts(directory);
            at(&mut image, point).set(field, value);
            image.write();
        }
    };
    let said = attack.says(&[], change("/proc/sys", 5, 0.into()));
    assert!(said.contains("not ro at /proc/sys"), "{said}");
    // A mask below what it masks.
    let said = attack.says(&[], |directory| {
        let mut image = mounts(directory);
        let root = at(&mut image, "/").number(2);
        at(&mut image, "/proc/sys").set(4, root);
        image.write();
    });
    assert!(said.contains("not on the one that its config has it on at /proc/sys"), "{said}");
    let said = attack.says(&[], change("/proc", 1, 2.into()));
    assert!(said.contains("a sysfs instead of a proc at /proc"), "{said}");
    let said = attack.says(&[], change("/proc", 18, "/".into()));
    assert!(said.contains("a mount that its config does not have at /proc"), "{said}");
    // Without mounts of its own CRIU would work in those of its own.
    let said = attack.says(&[], |directory| {
        let number = Image::find(directory, "ids-").entries[0].number(9);
        let mut inventory = Image::find(directory, "inventory.img");
        inventory.entries[0].change(3, |ids| ids.set(9, number));
        inventory.write();
    });
    assert!(said.contains("in CRIU's own mounts"), "{said}");
    let said = attack.says(&[], |directory| Image::new(directory.join("binfmt-misc.img"), BINFMT).write());
    assert!(said.contains("binfmt-misc.img") && said.contains("not restored"), "{said}");
    let said = attack.says(&[], |directory| fs::write(directory.join("pstree.img"), "x").unwrap());
    assert!(said.contains("pstree.img") && said.contains("damaged"), "{said}");
    restore(&attack.container, &[]).fails();
}

#[test]
fn no_file_is_made_or_removed_where_the_container_may_not_write() {
    needs_criu!();
    let volume = std::env::temp_dir().join(format!("rr-written-{}", std::process::id()));
    fs::create_dir_all(&volume).unwrap();
    for name in ["victim", "link_remap.1"] {
        fs::write(volume.join(name), "as it was").unwrap();
    }
    let source = volume.to_str().unwrap().to_owned();
    let attack = Attack::on(|config| {
        let mount =
            |options: &[&str], at: &str| json!({"destination": at, "source": source, "options": options});
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.extend([mount(&["bind", "ro"], "/ro"), mount(&["bind", "rw"], "/rw")]);
    });
    let files = |names: [&'static str; 2], point: &'static str, kind: u64| {
        move |directory: &Path| {
            names.iter().for_each(|name| add_file(directory, name, 0, point));
            add_remap(directory, kind);
        }
    };
    let link = ["--link-remap"];
    let said = attack.says(&[], files(["/rw/link_remap.1", "/rw/x"], "/rw", 0));
    assert!(said.contains("--link-remap"), "{said}");
    for (names, point) in [
        (["/ro/link_remap.1", "/ro/x"], "/ro"),
        (["/rw/victim", "/rw/x"], "/rw"),
        (["/rw/link_remap.1", "/rw/x"], "/ro"),
    ] {
        let said = attack.says(&link, files(names, point, 0));
        assert!(said.contains("remap-fpath.img") && said.contains("no container's"), "{names:?}: {said}");
    }
    let ghost = |mode: u32, point: &'static str| {
        move |directory: &Path| {
            files(["/rw/y", "/rw/x"], point, 1)(directory);
            let mut ghost = Image::new(directory.join("ghost-file-1.img"), GHOSTS);
            ghost.entries.push(Message::default().with(1, 0).with(2, 0).with(3, u64::from(mode)));
            ghost.write();
        }
    };
    let said = attack.says(&[], ghost(0o100_644, "/ro"));
    assert!(said.contains("no container's to make"), "{said}");
    for mode in [0o104_755, 0o060_666, 0o120_777] {
        let said = attack.says(&[], ghost(mode, "/rw"));
        assert!(said.contains("a deleted file that is a device or set-uid"), "{mode:o}: {said}");
    }
    for (name, flags, point, reason) in [
        ("/rw/victim", libc::O_WRONLY | libc::O_TRUNC, "/rw", "that opening makes"),
        ("/rw/new", libc::O_WRONLY | libc::O_CREAT, "/rw", "that opening makes"),
        ("/rw/../../x", 0, "/rw", "none of the container's"),
        ("/ro/victim", libc::O_WRONLY, "/ro", "on what is read-only"),
        ("/ro/victim", libc::O_WRONLY, "/rw", "on what is read-only"),
    ] {
        let said = attack.says(&[], |directory| add_file(directory, name, flags as u64, point));
        assert!(said.contains(reason), "{name}: {said}");
    }
    let said = attack.says(&[], |directory| {
        let mut memory = Image::find(directory, "mm-");
        let area = Message::default().with(10, libc::O_TRUNC as u64);
        memory.entries[0].0.push((14, area.into()));
        memory.write();
    });
    assert!(said.contains("a mapping that makes a file"), "{said}");
    for name in ["victim", "link_remap.1"] {
        assert_eq!(fs::read_to_string(volume.join(name)).unwrap(), "as it was");
    }
    assert_eq!(fs::read_dir(&volume).unwrap().count(), 2);
    fs::remove_dir_all(volume).unwrap();
}

#[test]
fn no_link_on_the_way_to_a_deleted_file_is_followed() {
    needs_criu!();
    let elsewhere = std::env::temp_dir().join(format!("rr-links-{}", std::process::id()));
    fs::create_dir_all(&elsewhere).unwrap();
    fs::write(elsewhere.join("link_remap.1"), "as it was").unwrap();
    let container = started(counting());
    std::os::unix::fs::symlink(
        format!("/proc/1/root{}", elsewhere.display()),
        container.rootfs().join("away"),
    )
    .unwrap();
    checkpoint(&container, &[]).ok();
    let directory = images(&container);
    ["/away/link_remap.1", "/away/x"].iter().for_each(|name| add_file(&directory, name, 0, "/"));
    add_remap(&directory, 0);
    let said = restore(&container, &["--link-remap"]).fails();
    assert!(said.contains("behind a link"), "{said}");
    assert_eq!(fs::read_to_string(elsewhere.join("link_remap.1")).unwrap(), "as it was");
    assert_nothing_left(&container);
    fs::remove_dir_all(elsewhere).unwrap();
}

#[test]
fn what_a_process_has_open_needs_its_right() {
    needs_criu!();
    let attack = Attack::on(|config| {
        for set in ["bounding", "effective", "permitted"] {
            config["process"]["capabilities"][set] = json!(["CAP_KILL"]);
        }
        config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]);
    });
    let add = |entry: Message| {
        move |directory: &Path| {
            let mut files = Image::find(directory, "files.img");
            files.entries.push(entry);
            files.write();
        }
    };
    let open = |kind: u64, field: u64, content: Message| {
        Message::default().with(1, kind).with(2, 100).with(field, content)
    };
    let raw = Message::default().with(4, libc::SOCK_RAW as u64);
    let group = Message::default().with(3, libc::NETLINK_AUDIT as u64).with(8, 1);
    for (entry, what) in [
        (open(10, 6, Message::default()), "a packet socket"),
        (open(15, 11, Message::default()), "a tun device"),
        (open(4, 4, raw), "a raw socket"),
        (open(13, 7, group), "a netlink socket in a group"),
        (open(16, 15, Message::default()), "an open file of kind 16"),
    ] {
        let said = attack.says(&[], add(entry));
        assert!(said.contains(what), "{what}: {said}");
    }
    let socket = |name: &str| open(5, 16, Message::default().with(11, name).with(17, 2));
    let said = attack.says(&[], add(socket("/proc/../x")));
    assert!(said.contains("none of the container's: /proc/../x"), "{said}");
    let said = attack.says(&[], |directory| {
        let mut core = Image::find(directory, "core-1.img");
        core.entries[0].change(5, |thread| thread.change(10, |credentials| credentials.set(13, 1)));
        core.write();
    });
    assert!(said.contains("secure bits 0x1"), "{said}");
    let said = attack.says(&[], |directory| {
        let mut core = Image::find(directory, "core-1.img");
        let number = libc::RLIMIT_NOFILE as usize;
        core.entries[0].change(3, |task| {
            task.change(8, |limits| {
                limits.0[number].1 = Message::default().with(1, 9).with(2, 1 << 20).into()
            });
        });
        core.write();
    });
    assert!(said.contains("a higher RLIMIT_NOFILE"), "{said}");
    let said = attack.says(&[], |directory| {
        let mut tree = Image::find(directory, "pstree.img");
        tree.entries.push(Message::default().with(1, 900).with(2, 1).with(3, 1).with(4, 1).with(5, 900));
        tree.write();
        let mut core = Image::find(directory, "core-1.img");
        core.entries[0].change(3, |task| task.set(1, 2));
        core.write();
    });
    assert!(said.contains("a process whose parent has ended"), "{said}");
}

#[test]
fn crius_mount_table_shows_no_data_and_no_socket_of_the_host() {
    needs_criu!();
    let container = counting();
    let seen = container.dir.join("seen");
    // Its first process has CRIU's mounts still.
    let look = format!(
        "pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/'); cd /proc/$pid/root; ls -A run var dev/shm home root > {}",
        seen.display()
    );
    let container = started(container.edit(|config| {
        config["hooks"] = json!({"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", look]}]});
    }));
    checkpoint(&container, &[]).ok();
    restore(&container, &[]).ok();
    let text = fs::read_to_string(seen).unwrap();
    let names: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.ends_with(':')).collect();
    assert!(text.contains("run:") && names.iter().all(|name| name.starts_with("criu.kdat")), "{text}");
}
