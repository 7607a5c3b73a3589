//! A hostile container whose mounts are changed while it runs, and an image that plants links for the options about
//! links: CVE-2021-30465, CVE-2024-45310 and CVE-2025-31133 where the enemy is awake.

use crate::canary::{Canary, LOOK_AROUND, assert_saw_nothing, bind, in_user_namespace, own, protect};
use crate::files::races::Flipper;
use crate::support::{Container, Ended};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

const STAY: &str = "while :; do sleep 60; done";

/// What a destination of the image can be, with CANARY for the path of the canary.
const LINKS: [&str; 9] = [
    "CANARY/dir",
    "CANARY/file",
    "CANARY/dir/new",
    "../../../../../../../../../../../..CANARY/dir",
    "place",
    "/proc/sysrq-trigger",
    "/proc/sys/kernel/core_pattern",
    "/proc/self/fd/3",
    "/proc/self/cwd",
];

fn mounts(container: &Container, verb: &str, list: &Value) -> Ended {
    let file = container.dir.join("mounts.json");
    fs::write(&file, list.to_string()).unwrap();
    container.call(&["mounts", verb, &container.id, file.to_str().unwrap()])
}

/// Everything that `mounts add` can mount, at and below this destination.
fn lists(container: &Container, destination: &str) -> Vec<Value> {
    let volume = container.dir.join("volume");
    let file = container.dir.join("volume-file");
    fs::create_dir_all(&volume).unwrap();
    fs::write(&file, "").unwrap();
    let below = format!("{destination}/below/deep");
    vec![
        json!([{"destination": destination, "type": "tmpfs", "source": "x", "options": ["tmpcopyup", "rshared"]}]),
        json!([{"destination": below, "type": "tmpfs", "source": "x"}]),
        json!([{"destination": destination, "type": "bind", "source": volume, "options": ["rbind", "rro"]}]),
        json!([{"destination": below, "type": "bind", "source": file, "options": ["bind"]}]),
        json!([{"destination": destination, "type": "bind", "source": file, "options": ["bind", "dest-nofollow"]}]),
        json!([{"destination": below, "type": "bind", "source": file, "options": ["bind", "dest-nofollow"]}]),
        json!([{"destination": destination, "type": "proc", "source": "proc"}]),
    ]
}

fn hostile(namespace: bool) -> (Container, Canary) {
    let container = Container::new().sh(STAY);
    let canary = Canary::of(&container);
    let container = container.edit(protect);
    let container = if namespace { in_user_namespace(container) } else { container };
    (container, canary)
}

#[test]
fn a_link_of_a_running_container_leads_no_mount_to_the_host() {
    for namespace in [false, true] {
        let (container, canary) = hostile(namespace);
        let container = container.started();
        for link in LINKS {
            let place = container.rootfs().join("place");
            for i in 0..lists(&container, "/place").len() {
                // What was made for the attack before may be in the way.
                let _ = fs::remove_file(&place).or_else(|_| fs::remove_dir_all(&place));
                symlink(link.replace("CANARY", &canary.text()), &place).unwrap();
                let list = &lists(&container, "/place")[i];
                let what = format!("{link}, {list}, user namespace: {namespace}");
                let added = mounts(&container, "add", list);
                let seen = container.exec_sh(LOOK_AROUND);
                assert!(seen.out.contains("INSIDE"), "{what}: {seen:?}");
                assert_saw_nothing(&seen.out, &what);
                if added.code == 0 {
                    // It may have gone elsewhere inside, where a removal does not follow.
                    mounts(&container, "remove", list);
                }
                canary.assert_untouched(&what);
            }
        }
    }
}

#[test]
fn a_removal_never_uncovers_what_is_masked() {
    let (container, canary) = hostile(false);
    let container = container.started();
    let place = container.rootfs().join("place");
    for link in
        ["/proc/kcore", "/proc/keys", "/sys/firmware", "proc/sys", "/proc/sysrq-trigger", "/proc", "/"]
    {
        symlink(link, &place).unwrap();
        for path in
            ["/place", "/place/", "/place/.", "/place/../proc/kcore", "/place/kcore", "/place/proc/kcore"]
        {
            mounts(&container, "remove", &json!([{"destination": path}])).fails();
        }
        fs::remove_file(&place).unwrap();
        assert_saw_nothing(&container.exec_sh(LOOK_AROUND).out, link);
        canary.assert_untouched(link);
    }
}

/// Mounts are added and removed while a directory and a link change places.
fn race(namespace: bool, link: impl Fn(&Canary) -> String) {
    let (container, canary) = hostile(namespace);
    let volume = container.dir.join("shared");
    fs::create_dir_all(volume.join("a/below/deep")).unwrap();
    symlink(link(&canary), volume.join("b")).unwrap();
    if namespace {
        own(&volume, 100_000);
    }
    let container = container.edit(|config| bind(config, &volume, "/shared")).started();
    let lists = lists(&container, "/shared/a");
    let begin = Instant::now();
    let flipper = Flipper::of(volume.join("a"), volume.join("b"));
    let (mut added, mut removed, mut refused) = (0, 0, 0);
    while begin.elapsed() < Duration::from_secs(4) && added + refused < 200 {
        for list in &lists {
            if mounts(&container, "add", list).code == 0 {
                added += 1;
            } else {
                refused += 1;
            }
            removed += i32::from(mounts(&container, "remove", list).code == 0);
        }
        canary.assert_untouched("a race");
    }
    drop(flipper);
    let seen = container.exec_sh(LOOK_AROUND);
    assert_saw_nothing(&seen.out, "a race");
    canary.assert_untouched("a race");
    eprintln!("{added} added, {removed} removed, {refused} refused");
    assert!(added > 0, "nothing was added: the race was never lost, nor won");
}

#[test]
fn a_destination_that_flips_to_an_absolute_link_leads_nowhere() {
    race(false, |canary| format!("{}/dir", canary.text()));
}

#[test]
fn a_destination_that_flips_to_a_link_upwards_leads_nowhere() {
    race(true, |canary| format!("../../../../../../../../../..{}/dir", canary.text()));
}

#[test]
fn a_destination_that_flips_to_what_is_protected_leaves_it_protected() {
    race(false, |_| "/proc/sys/kernel".to_owned());
}

/// The image's links against the options about links.
#[test]
fn options_about_links_stay_inside() {
    for namespace in [false, true] {
        for link in if namespace { &LINKS[..3] } else { &LINKS[..] } {
            for options in [
                &["bind", "copy-symlink"][..],
                &["bind", "src-nofollow"],
                &["bind", "dest-nofollow"],
                &["bind", "src-nofollow", "dest-nofollow"],
            ] {
                for destination in ["/place", "/place/below"] {
                    let (container, canary) = hostile(namespace);
                    let what = format!("{link}, {options:?}, {destination}");
                    let link = link.replace("CANARY", &canary.text());
                    symlink(&link, container.rootfs().join("place")).unwrap();
                    // The host's link is the config's word, and points to something harmless.
                    fs::write(container.dir.join("file"), "").unwrap();
                    symlink("file", container.dir.join("link")).unwrap();
                    let source = container.dir.join("link");
                    let container = container.sh(LOOK_AROUND).edit(|config| {
                        let mount = json!({"destination": destination, "type": "bind",
                            "source": source, "options": options});
                        config["mounts"].as_array_mut().unwrap().push(mount);
                    });
                    assert_saw_nothing(&container.run().out, &what);
                    canary.assert_untouched(&what);
                    container.assert_gone();
                }
            }
        }
    }
}

/// A link that was copied says what the host's says, and means something of the container.
#[test]
fn a_link_that_is_copied_shows_nothing_of_the_host() {
    let (container, canary) = hostile(false);
    symlink(canary.path.join("dir"), container.dir.join("link")).unwrap();
    let source = container.dir.join("link");
    for options in [&["bind", "copy-symlink"][..], &["bind", "src-nofollow"]] {
        let (container, _) = hostile(false);
        let script = format!("cat /place/* 2>/dev/null; {LOOK_AROUND}");
        let container = container.sh(&script).edit(|config| {
            let mount =
                json!({"destination": "/place", "type": "bind", "source": source, "options": options});
            config["mounts"].as_array_mut().unwrap().push(mount);
        });
        let seen = container.run().ok();
        assert!(seen.contains("INSIDE") && !seen.contains("canary"), "{options:?}: {seen}");
        canary.assert_untouched("a copied link");
    }
}
