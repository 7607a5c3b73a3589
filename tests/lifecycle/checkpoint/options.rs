//! What the options of both commands do.

use super::{
    checkpoint, checkpoint_to, command, count, counting, counts_on, images, needs_criu, restore, running,
    started,
};
use crate::support::{Container, finish, is_v2, wait_until};
use rruntime::sys::socket;
use serde_json::json;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;

#[test]
fn what_the_host_shows_is_shown_again_and_what_is_hidden_stays_hidden() {
    needs_criu!();
    let shown = counting();
    let (volume, file) = (shown.dir.join("volume"), shown.dir.join("file"));
    fs::create_dir_all(volume.join("deep")).unwrap();
    fs::write(&file, "of the host\n").unwrap();
    let (source, single) = (volume.to_str().unwrap().to_owned(), file.to_str().unwrap().to_owned());
    let container = started(shown.edit(|config| {
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.push(json!({"destination": "/data", "source": source, "options": ["rbind", "rw"]}));
        mounts.push(json!({"destination": "/ro", "source": source, "options": ["bind", "ro"]}));
        mounts.push(json!({"destination": "/etc/single", "source": single, "options": ["bind", "ro"]}));
    }));
    container.exec_sh("echo before > /data/deep/x; mkdir /dev/shm/mine; echo kept > /dev/shm/mine/y").ok();
    checkpoint(&container, &[]).ok();
    fs::write(volume.join("deep/x"), "changed\n").unwrap();
    // Mount points that a fresh root filesystem lacks are made.
    fs::remove_file(container.rootfs().join("etc/single")).unwrap();
    fs::remove_dir(container.rootfs().join("data")).unwrap();
    restore(&container, &[]).ok();
    let said = container.exec_sh(
        "cat /data/deep/x /ro/deep/x /etc/single /dev/shm/mine/y; echo inside > /data/new; \
         echo no > /ro/no || echo refused; cat /proc/keys; ls /proc/acpi /sys/firmware; echo 1 > /proc/sys/kernel/sysrq || echo fixed",
    );
    assert_eq!(
        said.out, "changed\nchanged\nof the host\nkept\nrefused\n/proc/acpi:\n\n/sys/firmware:\nfixed\n",
        "{said:?}"
    );
    assert_eq!(fs::read_to_string(volume.join("new")).unwrap(), "inside\n");
}

/// An engine's end of `--console-socket`.
fn master(path: &Path) -> impl FnOnce() -> File {
    let listener = UnixListener::bind(path).unwrap();
    move || {
        let (stream, _) = listener.accept().unwrap();
        let (_, passed) = socket::receive(stream.as_fd(), &mut [0; 4096]).unwrap();
        File::from(passed.expect("the terminal's master comes with the message"))
    }
}

#[test]
fn a_terminal_is_given_to_the_new_callers_console_socket() {
    needs_criu!();
    let container = Container::new().edit(|config| config["process"]["terminal"] = true.into());
    let container = container.sh("touch /tmp/on; while read line; do echo \"[$line]\"; done");
    let socket = std::env::temp_dir().join(format!("{}.sock", container.id));
    let taken = master(&socket);
    container.create_with(&["--console-socket", socket.to_str().unwrap()]).ok();
    let first = taken();
    fs::remove_file(&socket).unwrap();
    container.start().ok();
    wait_until("it reads", || container.rootfs().join("tmp/on").exists());
    checkpoint(&container, &[]).ok();
    drop(first);
    let refused = restore(&container, &[]).fails();
    assert!(refused.contains("needs a console socket"), "{refused}");
    let taken = master(&socket);
    restore(&container, &["--console-socket", socket.to_str().unwrap()]).ok();
    let mut terminal = taken();
    fs::remove_file(&socket).unwrap();
    terminal.write_all(b"again\n").unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 256]);
    while !text.contains("[again]") {
        let length = terminal.read(&mut buffer).unwrap();
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
}

#[test]
fn a_file_lock_needs_its_option() {
    needs_criu!();
    // The host's flock(1), which busybox may not have.
    let lock = "exec 9>/tmp/lock; flock -n 9; ";
    let container = Container::new().sh(&format!("{lock}{}", super::COUNTS)).edit(|config| {
        let of_host = |path: &str| json!({"destination": path, "source": path, "options": ["bind", "ro"]});
        config["mounts"].as_array_mut().unwrap().extend(["/usr", "/lib", "/lib64"].map(of_host));
        config["process"]["env"] = json!(["PATH=/bin:/usr/bin"]);
    });
    let container = started(container);
    let said = checkpoint(&container, &[]).fails();
    assert!(said.contains("--file-locks"), "{said}");
    assert_eq!(container.status(), "running");
    checkpoint(&container, &["--file-locks"]).ok();
    restore(&container, &["--file-locks"]).ok();
    let taken = container.exec_sh("exec 8>/tmp/lock; flock -n 8 && echo free || echo held").ok();
    assert_eq!(taken, "held\n");
}

#[test]
fn tcp_connections_need_an_option_and_live_on_with_it() {
    needs_criu!();
    let script = "busybox nc -l -p 7000 -e cat & sleep 0.3; \
                  (while :; do echo x; sleep 0.1; done) | busybox nc 127.0.0.1 7000 > /tmp/echoed & \
                  while [ ! -s /tmp/echoed ]; do sleep 0.05; done; touch /tmp/on; wait";
    let container = running(Container::new().sh(script));
    wait_until("a connection is there", || container.rootfs().join("tmp/on").exists());
    let said = checkpoint(&container, &[]).fails();
    assert!(said.contains("--tcp-established"), "{said}");
    assert_eq!(container.status(), "running");
    checkpoint(&container, &["--tcp-established"]).ok();
    let echoed = || fs::metadata(container.rootfs().join("tmp/echoed")).unwrap().len();
    let before = echoed();
    restore(&container, &["--tcp-established"]).ok();
    wait_until("the connection goes on", || echoed() > before + 4);
    checkpoint(&container, &["--tcp-close"]).ok();
    restore(&container, &["--tcp-close"]).ok();
}

#[test]
fn a_file_that_has_lost_its_name_needs_an_option() {
    needs_criu!();
    let script = format!("exec 9>/tmp/a; ln /tmp/a /tmp/b; rm /tmp/a; {}", super::COUNTS);
    let container = started(Container::new().sh(&script));
    let said = checkpoint(&container, &[]).fails();
    assert!(said.contains("--link-remap"), "{said}");
    checkpoint(&container, &["--link-remap"]).ok();
    restore(&container, &["--link-remap"]).ok();
}

#[test]
fn a_container_is_restored_into_its_own_cgroup_in_every_mode() {
    needs_criu!();
    let container = started(counting());
    let own = format!("/{}", container.id);
    // CRIU sets back what is set in every hierarchy. On v1 the v2 view leaves the container at the root, where it cannot.
    let beside = is_v2() && fs::read_to_string("/proc/self/cgroup").unwrap().lines().count() > 1;
    for mode in ["soft", "full", "ignore"].into_iter().filter(|mode| *mode != "full" || !beside) {
        checkpoint(&container, &["--manage-cgroups-mode", mode]).ok();
        let before = count(&container);
        restore(&container, &["--manage-cgroups-mode", mode]).ok();
        counts_on(&container, before);
        let groups = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).unwrap();
        // In hierarchies that the container is not in, it is where we are.
        let ours = fs::read_to_string("/proc/self/cgroup").unwrap();
        let fits = |line: &str| line.ends_with(&own) || ours.lines().any(|own| own == line);
        assert!(groups.contains(&own) && groups.lines().all(fits), "{mode}: {groups}");
    }
    // CRIU's word for: there must be no cgroup yet. The container's is made before its first process.
    checkpoint(&container, &["--manage-cgroups-mode", "strict"]).ok();
    let said = restore(&container, &["--manage-cgroups-mode", "strict"]).fails();
    assert!(said.contains("Abort restore of existing cgroups"), "{said}");
}

#[test]
fn options_that_change_nothing_are_taken() {
    needs_criu!();
    let container = started(counting());
    checkpoint(&container, &[]).ok();
    let before = count(&container);
    restore(&container, &["--no-pivot", "--preserve-fds", "1"]).ok();
    counts_on(&container, before);
}

#[test]
fn streams_of_the_caller_are_exchanged_for_another_callers() {
    needs_criu!();
    let script = "while :; do echo out; echo err >&2; sleep 0.05; done";
    let container = Container::new().sh(script);
    container.write_config();
    let (bundle, id) = (container.bundle(), container.id.clone());
    // Of a file that is not appended to, CRIU wants the same size again.
    let file = |name: &str| File::options().append(true).create(true).open(container.dir.join(name)).unwrap();
    let text = |name: &str| fs::read_to_string(container.dir.join(name)).unwrap();
    let mut run = command(&container, &["run", "-d", "-b", bundle.to_str().unwrap(), &id]);
    run.stdout(file("out1")).stderr(file("err1")).status().unwrap();
    wait_until("it writes", || !text("out1").is_empty() && !text("err1").is_empty());
    checkpoint(&container, &[]).ok();
    let images = images(&container);
    let args =
        ["restore", "-d", "-b", bundle.to_str().unwrap(), "--image-path", images.to_str().unwrap(), &id];
    let before = (text("out1").len(), text("err1").len());
    let mut again = command(&container, &args);
    assert!(again.stdout(file("out2")).stderr(file("err2")).status().unwrap().success());
    wait_until("it writes there", || text("out2").contains("out") && text("err2").contains("err"));
    assert_eq!((text("out1").len(), text("err1").len()), before);
    checkpoint_to(&container, &container.dir.join("again"), &[]).ok();

    // With pipes, as engines give them, any other pipe will do.
    let mut run = command(&container, &["run", "-b", bundle.to_str().unwrap(), &id]);
    let mut piped = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let read = |from: &mut std::process::Child| {
        let mut buffer = [0; 4];
        from.stdout.as_mut().unwrap().read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"out\n");
    };
    read(&mut piped);
    let directory = container.dir.join("piped");
    checkpoint_to(&container, &directory, &[]).ok();
    piped.wait().unwrap();
    let descriptors = fs::read_to_string(directory.join("descriptors.json")).unwrap();
    assert!(descriptors.contains("pipe:["), "{descriptors}");
    let args = ["restore", "-b", bundle.to_str().unwrap(), "--image-path", directory.to_str().unwrap(), &id];
    let mut again = command(&container, &args);
    let mut piped = again.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    read(&mut piped);
    container.call(&["kill", &id, "KILL"]).ok();
    piped.wait().unwrap();
    assert_eq!(finish(command(&container, &["list", "-q"])).ok(), "");
}
