//! A /proc that is not the kernel's: CVE-2019-16884, -2019-19921, -2023-27561, -2023-28642, -2025-52881,
//! -2025-54867. What the runtime writes to control files must go to the real ones.

use crate::canary::{Canary, LOOK_AROUND, assert_saw_nothing, bind, protect, without_mount};
use crate::support::Container;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// A directory that looks like a procfs to a program that does not look twice.
fn fake(at: &Path) {
    for directory in ["self/attr/apparmor", "self/fd", "sys/net/ipv4", "sys/kernel", "1"] {
        fs::create_dir_all(at.join(directory)).unwrap();
    }
    for file in FAKES {
        fs::write(at.join(file), "fake").unwrap();
    }
}

const FAKES: [&str; 5] = [
    "self/attr/exec",
    "self/attr/current",
    "self/attr/apparmor/exec",
    "sys/net/ipv4/ip_forward",
    "self/oom_score_adj",
];

#[track_caller]
fn assert_unwritten(at: &Path) {
    for file in FAKES {
        assert_eq!(fs::read_to_string(at.join(file)).unwrap(), "fake", "{file}");
    }
}

#[test]
fn a_link_at_proc_or_sys_is_refused() {
    for name in ["proc", "sys"] {
        for to in ["/evil", "evil", "../../../evil", "/dev", "/nowhere", "/proc2/deep"] {
            let container = Container::new().sh(LOOK_AROUND).edit(protect);
            let rootfs = container.rootfs();
            fs::create_dir(rootfs.join("evil")).unwrap();
            fake(&rootfs.join("evil"));
            fs::remove_dir(rootfs.join(name)).unwrap();
            symlink(to, rootfs.join(name)).unwrap();
            let error = container.run().fails();
            assert!(error.contains("/mounts/"), "{error}");
            assert_unwritten(&rootfs.join("evil"));
            container.assert_gone();
        }
    }
}

#[test]
fn only_a_procfs_may_be_mounted_on_proc() {
    for kind in ["tmpfs", "sysfs", "mqueue"] {
        let container = Container::new().sh(LOOK_AROUND).edit(|config| {
            let mount = json!({"destination": "/proc", "type": kind, "source": kind});
            config["mounts"].as_array_mut().unwrap().push(mount);
        });
        let error = container.run().fails();
        assert!(error.contains("/mounts/"), "{error}");
    }
}

#[test]
fn little_may_be_mounted_inside_of_proc() {
    for destination in ["/proc/self/attr", "/proc/sys/net", "/proc/./self", "/x/../proc/self", "//proc//1"] {
        let container = Container::new().sh(LOOK_AROUND);
        let fakes = container.dir.join("fake");
        fake(&fakes);
        let container = container.edit(|config| bind(config, &fakes, destination));
        let error = container.run().fails();
        assert!(error.contains("/mounts/"), "{destination}: {error}");
        assert_unwritten(&fakes);
    }
}

/// The image makes the destination of an innocent volume a link to /proc, or to a part of it.
#[test]
fn a_sysctl_goes_to_the_kernel_whatever_is_mounted_over_proc() {
    for to in ["/proc", "/proc/sys", "/proc/sys/net/ipv4", "proc/self", "/proc/self/attr"] {
        let container = Container::new().sh(LOOK_AROUND);
        let canary = Canary::of(&container);
        let fakes = container.dir.join("fake");
        fake(&fakes);
        let shown = match to {
            "/proc/sys" => fakes.join("sys"),
            "/proc/sys/net/ipv4" => fakes.join("sys/net/ipv4"),
            "proc/self" => fakes.join("self"),
            "/proc/self/attr" => fakes.join("self/attr"),
            _ => fakes.clone(),
        };
        symlink(to, container.rootfs().join("data")).unwrap();
        let container = container.edit(|config| {
            bind(config, &shown, "/data");
            config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
        });
        let ended = container.run();
        assert_saw_nothing(&ended.out, to);
        assert_unwritten(&fakes);
        canary.assert_untouched(to);
        container.assert_gone();
    }
}

#[test]
fn a_bind_on_proc_cannot_take_the_sysctl_or_the_oom_score() {
    let script = "cat /proc/sys/net/ipv4/ip_forward; echo; umount /proc 2>/dev/null; echo INSIDE";
    let container = Container::new().sh(script);
    let fakes = container.dir.join("fake");
    fake(&fakes);
    let container = container.edit(|config| {
        without_mount(config, "/proc");
        bind(config, &fakes, "/proc");
        config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
        config["process"]["oomScoreAdj"] = 77.into();
    });
    container.run();
    assert_unwritten(&fakes);
    container.assert_gone();
}

/// A profile that cannot be set is an error, wherever the file that takes it seems to be.
#[test]
fn a_label_never_goes_to_a_file_of_the_image() {
    for field in ["apparmorProfile", "selinuxLabel"] {
        let container = Container::new().sh("cat /proc/self/attr/current; echo INSIDE");
        let fakes = container.dir.join("fake");
        fake(&fakes);
        symlink("/proc", container.rootfs().join("data")).unwrap();
        let container = container.edit(|config| {
            bind(config, &fakes, "/data");
            config["process"][field] = "unconfined-no-such-profile".into();
        });
        container.run().fails();
        assert_unwritten(&fakes);
        container.assert_gone();
    }
}

/// Also by a process that joins: a label that cannot be set is an error, and goes to the kernel's files only.
#[test]
fn a_label_of_exec_never_goes_to_a_file_of_the_image() {
    // No link of the image leads a mount of the config onto /proc: the container covers it by itself.
    let container = Container::new().sh("mount --bind /fakes /proc && touch /tmp/ready; sleep 1000");
    let fakes = container.dir.join("fake");
    fake(&fakes);
    let container = container.edit(|config| {
        bind(config, &fakes, "/fakes");
        config["linux"].as_object_mut().unwrap().remove("seccomp");
        for set in ["bounding", "effective", "permitted"] {
            config["process"]["capabilities"][set].as_array_mut().unwrap().push(json!("CAP_SYS_ADMIN"));
        }
    });
    let container = container.started();
    let ready = container.rootfs().join("tmp/ready");
    crate::support::wait_until("the container covers its /proc", || ready.exists());
    for option in ["--apparmor", "--process-label"] {
        let ended = container.call(&["exec", option, "no-such-label", &container.id, "echo", "INSIDE"]);
        assert!(!ended.out.contains("INSIDE"), "{option}");
        ended.fails();
        assert_unwritten(&fakes);
    }
}

#[test]
fn sysctls_cannot_climb_out_of_proc_sys() {
    for key in
        ["../sysrq-trigger", "net/../../sysrq-trigger", "net.ipv4/../../../self/comm", "/proc/self/comm", ""]
    {
        let container = Container::new().sh("echo INSIDE").edit(|config| {
            config["linux"]["sysctl"] = json!({ key: "h" });
        });
        container.run().fails();
        container.assert_gone();
    }
}
