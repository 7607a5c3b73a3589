//! The image plants a link where the runtime will make, mount or write something: CVE-2019-19921, -2021-30465,
//! -2023-27561, -2024-45310, -2025-52565, -2026-41579, -2026-47766 and their kin.

use crate::canary::{
    Canary, LOOK_AROUND, assert_saw_nothing, bind, in_user_namespace, own, protect, without_mount,
};
use crate::support::Container;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Paths of the image at which the runtime does something.
const PLACES: [&str; 16] = [
    "/dev",
    "/dev/pts",
    "/dev/shm",
    "/dev/mqueue",
    "/dev/console",
    "/dev/null",
    "/dev/fd",
    "/dev/ptmx",
    "/dev/pts/ptmx",
    "/proc",
    "/sys",
    "/proc/self",
    "/mnt/volume",
    "/mnt",
    "/work",
    "/masked",
];

/// Links, with CANARY for the path of the canary.
const LINKS: [(&str, &str); 8] = [
    ("absolute", "CANARY/dir"),
    ("absolute, to a file", "CANARY/file"),
    ("relative", "../../../../../../../../../../../..CANARY/dir"),
    ("dangling", "CANARY/dir/new"),
    ("loop", "LOOP"),
    ("sysrq", "/proc/sysrq-trigger"),
    ("core_pattern", "/proc/sys/kernel/core_pattern"),
    ("magic", "/proc/self/fd/3"),
];

#[derive(Clone, Copy, PartialEq)]
enum Dev {
    Tmpfs,
    OfTheImage,
}

#[derive(Clone, Copy, PartialEq)]
enum User {
    Root,
    Namespace,
}

#[derive(Clone, Copy, PartialEq)]
enum By {
    Run,
    /// create, start, exec, exec -t
    Steps,
}

/// A container that uses every one of `PLACES`, with a canary.
fn victim(dev: Dev, user: User) -> (Container, Canary) {
    let container = Container::new().sh(LOOK_AROUND);
    let canary = Canary::of(&container);
    let volume = container.dir.join("volume");
    fs::create_dir(&volume).unwrap();
    let container = container.edit(|config| {
        protect(config);
        if dev == Dev::OfTheImage {
            without_mount(config, "/dev");
        }
        bind(config, &volume, "/mnt/volume");
        let tmpfs = json!({"destination": "/mnt/deep/er", "type": "tmpfs", "source": "tmpfs"});
        config["mounts"].as_array_mut().unwrap().push(tmpfs);
        config["process"]["cwd"] = "/work/below".into();
        config["process"]["terminal"] = true.into();
        config["linux"]["maskedPaths"].as_array_mut().unwrap().push("/masked".into());
        config["linux"]["readonlyPaths"].as_array_mut().unwrap().push("/masked/too".into());
        if user == User::Root {
            let node = json!({"path": "/dev/own", "type": "c", "major": 1, "minor": 3, "uid": 5, "gid": 5});
            config["linux"]["devices"] = json!([node]);
        }
    });
    (if user == User::Namespace { in_user_namespace(container) } else { container }, canary)
}

fn plant(rootfs: &Path, place: &str, link: &str, canary: &Canary, user: User) {
    let at = rootfs.join(&place[1..]);
    // What an earlier case has left there.
    let _ = fs::remove_dir_all(&at);
    let _ = fs::remove_file(&at);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    let to = link.replace("CANARY", &canary.text()).replace("LOOP", place);
    symlink(to, &at).unwrap();
    if user == User::Namespace {
        own(rootfs, 100_000);
    }
}

fn unplant(rootfs: &Path, user: User) {
    for entry in fs::read_dir(rootfs).unwrap().flatten() {
        let name = entry.file_name();
        if name == "bin" || name == "etc" {
            continue;
        }
        fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path())).unwrap();
    }
    for directory in ["proc", "sys", "dev", "tmp"] {
        fs::create_dir(rootfs.join(directory)).unwrap();
    }
    if user == User::Namespace {
        own(rootfs, 100_000);
    }
}

fn attack(dev: Dev, user: User, by: By) {
    let (container, canary) = victim(dev, user);
    // The control: without an attack everything works.
    let outcome = container.run();
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert!(outcome.out.contains("INSIDE"), "{}", outcome.out);
    assert_saw_nothing(&outcome.out, "no attack");
    let mut container = container;
    if by == By::Steps {
        container = container.sh("sleep 1000").edit(|config| config["process"]["terminal"] = false.into());
    }
    for place in PLACES {
        // The steps make the same tree as `run`: some kinds are enough.
        let kinds = if by == By::Run { &LINKS[..] } else { &LINKS[..4] };
        for (kind, link) in kinds {
            let what = format!("{place} is a link ({kind})");
            unplant(&container.rootfs(), user);
            plant(&container.rootfs(), place, link, &canary, user);
            let seen = match by {
                By::Run => container.run().out,
                By::Steps => steps(&container, &what),
            };
            assert_saw_nothing(&seen, &what);
            canary.assert_untouched(&what);
            container.assert_gone();
        }
    }
}

fn steps(container: &Container, what: &str) -> String {
    if container.create().code != 0 {
        return String::new();
    }
    let mut seen = String::new();
    if container.start().code == 0 {
        let id = &container.id;
        for options in
            [&["exec", id, "sh", "-c", LOOK_AROUND][..], &["exec", "-t", id, "sh", "-c", LOOK_AROUND]]
        {
            seen += &container.call(options).out;
        }
    }
    let deleted = container.call(&["delete", "--force", &container.id]);
    assert_eq!(deleted.code, 0, "{what}: {}", deleted.err);
    seen
}

#[test]
fn a_link_in_the_image_leads_run_nowhere_with_a_tmpfs_on_dev() {
    attack(Dev::Tmpfs, User::Root, By::Run);
}

#[test]
fn a_link_in_the_image_leads_run_nowhere_with_the_images_dev() {
    attack(Dev::OfTheImage, User::Root, By::Run);
}

#[test]
fn a_link_in_the_image_leads_run_nowhere_in_a_user_namespace() {
    attack(Dev::Tmpfs, User::Namespace, By::Run);
}

#[test]
fn a_link_in_the_image_leads_run_nowhere_in_a_user_namespace_with_the_images_dev() {
    attack(Dev::OfTheImage, User::Namespace, By::Run);
}

#[test]
fn a_link_in_the_image_leads_create_start_and_exec_nowhere_with_a_tmpfs_on_dev() {
    attack(Dev::Tmpfs, User::Root, By::Steps);
}

#[test]
fn a_link_in_the_image_leads_create_start_and_exec_nowhere_with_the_images_dev() {
    attack(Dev::OfTheImage, User::Root, By::Steps);
}

#[test]
fn a_link_in_the_image_leads_create_start_and_exec_nowhere_in_a_user_namespace() {
    attack(Dev::OfTheImage, User::Namespace, By::Steps);
}

#[test]
fn a_device_path_of_the_config_stays_inside() {
    let container = Container::new().sh(LOOK_AROUND);
    let canary = Canary::of(&container);
    symlink(canary.path.join("dir"), container.rootfs().join("out")).unwrap();
    let climb = format!("/dev/../../../../../../../..{}/dir/node", canary.text());
    for path in [&*climb, "/out/node", "/out/below/node", "/dev/..", "/dev/../..", "/out"] {
        let node = json!([{"path": path, "type": "c", "major": 1, "minor": 3, "uid": 5, "gid": 5}]);
        let container = Container::new().sh(LOOK_AROUND).edit(|config| config["linux"]["devices"] = node);
        symlink(canary.path.join("dir"), container.rootfs().join("out")).unwrap();
        assert_saw_nothing(&container.run().out, path);
        canary.assert_untouched(path);
        container.assert_gone();
    }
}

#[test]
fn a_mount_destination_that_climbs_stays_inside() {
    for destination in
        ["/../../../..CANARY/dir", "CANARY/dir", "../..CANARY/dir", "/out/x", "/out", "/dev/../out"]
    {
        let container = Container::new().sh(LOOK_AROUND);
        let canary = Canary::of(&container);
        symlink(canary.path.join("dir"), container.rootfs().join("out")).unwrap();
        let volume = container.dir.join("volume");
        fs::create_dir(&volume).unwrap();
        let container = container.edit(|config| {
            bind(config, &volume, &destination.replace("CANARY", &canary.text()));
        });
        assert_saw_nothing(&container.run().out, destination);
        canary.assert_untouched(destination);
        container.assert_gone();
    }
}

/// What holds the path is a file, a socket or a device where a directory is needed, and the other way round.
#[test]
fn something_else_at_a_place_of_the_runtime_harms_nobody() {
    let container = Container::new().sh(LOOK_AROUND);
    let canary = Canary::of(&container);
    let container = container.edit(|config| {
        protect(config);
        without_mount(config, "/dev");
        config["process"]["terminal"] = true.into();
    });
    for place in PLACES {
        for directory in [true, false] {
            unplant(&container.rootfs(), User::Root);
            let at = container.rootfs().join(&place[1..]);
            if directory {
                fs::create_dir_all(at.join("below")).unwrap();
            } else {
                // The image may have none.
                let _ = fs::remove_dir(&at);
                fs::create_dir_all(at.parent().unwrap()).unwrap();
                fs::write(&at, "something else").unwrap();
            }
            assert_saw_nothing(&container.run().out, place);
            canary.assert_untouched(place);
            container.assert_gone();
        }
    }
}
