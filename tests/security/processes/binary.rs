//! The runtime's own binary cannot be reached from a container: CVE-2019-5736.

use crate::canary::checksum;
use crate::support::{Container, RRUNTIME, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Looks at the program of every process that is new, and writes what it finds to /tmp/seen. A program that is
/// not the container's own is opened for writing, at once and again later through a descriptor that is held.
/// `command` keeps the shell alive where the process has ended before its program is opened.
const HUNTER: &str = r#"
touch /tmp/ready
while :; do
  for p in /proc/[0-9]*; do
    [ $p/exe -ef /bin/busybox ] && continue
    [ -e $p/exe ] || continue
    command exec 9<$p/exe || continue
    readlink /proc/self/fd/9 >> /tmp/seen
    (printf PWNED >> $p/exe) 2>/dev/null && echo WRITTEN >> /tmp/seen
    for i in 1 2 3; do
      (printf PWNED >> /proc/$$/fd/9) 2>/dev/null && echo WRITTEN >> /tmp/seen
      (printf PWNED > /proc/$$/fd/9) 2>/dev/null && echo WRITTEN >> /tmp/seen
    done
    exec 9<&-
  done
done
"#;

fn privileged(config: &mut Value) {
    for set in ["bounding", "effective", "permitted"] {
        let list = config["process"]["capabilities"][set].as_array_mut().unwrap();
        list.extend([json!("CAP_SYS_PTRACE"), json!("CAP_SYS_ADMIN"), json!("CAP_DAC_READ_SEARCH")]);
    }
    config["linux"].as_object_mut().unwrap().remove("seccomp");
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_script_whose_interpreter_is_the_runtime_itself_finds_a_sealed_file() {
    let before = checksum(Path::new(RRUNTIME));
    let container = Container::new().args(&["/evil"]).edit(privileged);
    script(&container.rootfs().join("evil"), "#!/proc/self/exe\n");
    container.run().fails();
    let container = Container::new().sh("sleep 1000").edit(privileged);
    script(&container.rootfs().join("evil"), "#!/proc/self/exe\n");
    let container = container.started();
    container.call(&["exec", &container.id, "/evil"]).fails();
    container.call(&["exec", &container.id, "/proc/self/exe"]).fails();
    assert_eq!(checksum(Path::new(RRUNTIME)), before);
}

#[test]
fn what_waits_for_start_is_a_sealed_memory_file() {
    let container = Container::new().sh("sleep 1000");
    let created = container.create();
    assert_eq!(created.code, 0, "{}", created.err);
    let exe = format!("/proc/{}/exe", container.pid());
    let target = fs::read_link(&exe).unwrap();
    assert!(target.to_string_lossy().starts_with("/memfd:"), "{}", target.display());
    for open in [fs::OpenOptions::new().write(true), fs::OpenOptions::new().append(true)] {
        assert!(open.open(&exe).is_err());
    }
}

/// Even for a container with the capabilities to look at every process.
fn hunt(edit: impl FnOnce(&mut Value)) -> String {
    let before = checksum(Path::new(RRUNTIME));
    let container = Container::new().sh(HUNTER).edit(edit).started();
    let file = |name: &str| container.rootfs().join("tmp").join(name);
    wait_until("the hunter begins", || file("ready").exists());
    for _ in 0..50 {
        let ended = container.call(&["exec", &container.id, "true"]);
        assert_eq!(ended.code, 0, "{}", ended.err);
    }
    assert_eq!(checksum(Path::new(RRUNTIME)), before);
    let seen = fs::read_to_string(file("seen")).unwrap_or_default();
    let foreign =
        |line: &&str| !line.starts_with("/memfd:rruntime-init") && !line.starts_with("/bin/busybox");
    assert_eq!(seen.lines().find(foreign), None, "{seen}");
    seen
}

#[test]
fn a_process_that_waits_for_exec_does_not_get_at_the_runtimes_binary() {
    assert!(!hunt(|_| {}).contains("memfd"), "init can be looked at");
}

#[test]
fn a_privileged_process_that_waits_for_exec_finds_a_sealed_file() {
    assert!(hunt(privileged).contains("memfd:rruntime-init"), "the hunter has seen nothing");
}
