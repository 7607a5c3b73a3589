//! Changing the root: pivot_root everywhere it can be done, and `--no-pivot` where it cannot (an initramfs).

use crate::support::{Container, Ended, copy_program, finish};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn without_pivot_the_container_sees_its_own_tree_and_leaves_nothing_behind() {
    let container =
        Container::new().sh("ls / | tr '\\n' ' '; touch /made; awk '$2 == \"/\"' /proc/mounts | wc -l");
    let ended = container.run_with(&["--no-pivot"]);
    assert!(ended.out.starts_with("bin dev etc proc root sys tmp "), "{ended:?}");
    assert!(container.rootfs().join("made").exists());
    container.assert_gone();
}

#[test]
fn exec_works_in_a_container_without_pivot() {
    let container = Container::new().sh("sleep 1000");
    let created = container.create_with(&["--no-pivot"]);
    assert_eq!(created.code, 0, "{}", created.err);
    container.start().ok();
    assert_eq!(container.exec_sh("cd /; pwd; ls / | head -n 1").ok(), "/\nbin\n");
}

/// The host goes on while a container is made: a hook stands for it here.
#[test]
fn a_host_mount_that_goes_away_meanwhile_is_no_hindrance() {
    let container = Container::new().sh("echo fine; ls / | tr '\\n' ' '");
    let gone = container.dir.join("gone");
    fs::create_dir(&gone).expect("target/tmp is writable");
    let script = format!("umount {0} && rmdir {0}", gone.display());
    let container = container.edit(|config| {
        config["hooks"] = json!({"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]});
    });
    for options in ["", "--no-pivot"] {
        container.write_config();
        fs::create_dir_all(&gone).expect("target/tmp is writable");
        let line = format!(
            "mount -t tmpfs gone {}; exec {} --root {} run {options} --bundle {} {}",
            gone.display(),
            container.binary().display(),
            container.state_root().display(),
            container.bundle().display(),
            container.id
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", &line]).stdin(Stdio::null());
        let ended = finish(command);
        assert_eq!((ended.code, &*ended.err), (0, ""), "{options:?}");
        assert!(ended.out.starts_with("fine\nbin dev etc "), "{options:?}: {ended:?}");
    }
}

/// A second chroot inside and a descriptor of the first root is how one climbs out of a plain chroot.
fn climb(options: &[&str]) -> Ended {
    let container = Container::new()
        .sh("exec 3</; exec chroot /cell /bin/busybox ls /proc/self/fd/3/../../../../..")
        .edit(|config| {
            let mounts = config["mounts"].as_array_mut().expect("mounts");
            mounts.push(json!({"destination": "/cell/proc", "type": "proc", "source": "proc"}));
            config["linux"].as_object_mut().expect("linux").remove("seccomp");
        });
    fs::create_dir_all(container.rootfs().join("cell/bin")).expect("target/tmp is writable");
    copy_program(Path::new("/bin/busybox"), &container.rootfs().join("cell/bin/busybox"));
    container.run_with(options)
}

#[test]
fn nobody_climbs_out_of_the_root() {
    for options in [&[][..], &["--no-pivot"]] {
        let found = climb(options);
        assert_eq!(found.out, "bin\ncell\ndev\netc\nproc\nroot\nsys\ntmp\n", "{options:?}: {found:?}");
    }
}

/// In a chroot the caller's root is no mount, and neither its propagation can be changed nor can it be pivoted.
#[test]
fn in_a_chroot_the_error_says_what_makes_it_work() {
    let container = Container::new().sh("echo fine; ls / | head -n 1");
    container.write_config();
    let jail = &container.dir;
    copy_program(&container.binary(), &jail.join("rruntime"));
    for directory in ["proc", "sys", "dev"] {
        fs::create_dir_all(jail.join(directory)).expect("target/tmp is writable");
    }
    let run = |before: &str, options: &str| {
        let id = &container.id;
        let line = format!(
            "{before} for d in proc sys dev; do mount --rbind /$d $0/$d; done; cd $0; \
             exec chroot $0 /rruntime --root /state run {options} --bundle /bundle {id}"
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", &line]).arg(jail).stdin(Stdio::null());
        finish(command)
    };
    // Without the mount table of the kernel's thread, which needs none of the caller's (`config/mounts/small_table.rs`).
    let small = container.state_root().join(".thread:kdevtmpfs");
    fs::create_dir_all(container.state_root()).expect("target/tmp is writable");
    symlink("0", &small).expect("target/tmp is writable");
    let error = run("", "").fails();
    assert!(error.contains("chroot") && error.contains("bind it onto itself"), "{error}");
    fs::remove_file(&small).expect("it was made");
    if fs::read_to_string("/proc/2/comm").is_ok_and(|name| name == "kthreadd\n") {
        assert_eq!(run("", "").ok(), "fine\nbin\n");
    }
    for options in ["", "--no-pivot"] {
        let ended = run("mount --bind $0 $0;", options);
        assert_eq!((&*ended.out, &*ended.err), ("fine\nbin\n", ""), "{options:?}");
    }
}
