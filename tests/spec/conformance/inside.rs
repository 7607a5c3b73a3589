//! Nothing of the image runs, or is loaded, with the runtime's rights.

use crate::support::{Container, RRUNTIME, finish};
use std::process::Command;

/// strace sees every program that is executed and every file of the root that is opened: the first program of the
/// image is the container's own, and it comes last.
#[test]
fn the_runtime_neither_loads_nor_executes_anything_of_the_image_before_the_program() {
    if Command::new("strace").arg("-V").output().is_err() {
        skip!("no strace here");
    }
    let container = Container::new().args(&["/bin/true"]);
    // A library or helper of these names would be found by a program that looks for one.
    for place in ["lib/libc.so.6", "lib64/ld-linux-x86-64.so.2", "usr/bin/newuidmap", "etc/ld.so.preload"] {
        let path = container.rootfs().join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "not a library").unwrap();
    }
    container.write_config();
    let log = container.dir.join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-y", "-e", "trace=execve,execveat,mmap", "-o"]).arg(&log).arg(RRUNTIME);
    command.arg("--root").arg(container.state_root()).args(["run", "--bundle"]).arg(container.bundle());
    let ended = finish({
        command.arg(&container.id);
        command
    });
    if ended.err.contains("ptrace") || ended.err.contains("PTRACE") {
        skip!("strace may not trace here: {}", ended.err);
    }
    assert_eq!(ended.code, 0, "{ended:?}");
    let trace = std::fs::read_to_string(&log).unwrap();
    let started: Vec<&str> =
        trace.lines().filter(|line| line.contains("execve") && line.contains('"')).collect();
    let [first, middle @ .., last] = &started[..] else { panic!("{started:#?}") };
    assert!(first.contains("rruntime"), "{first}");
    assert!(last.contains("\"/bin/true\""), "{last}");
    for line in middle {
        assert!(line.contains("execveat(") && line.contains("AT_EMPTY_PATH"), "{line}");
    }
    let before = &trace[..trace.rfind("\"/bin/true\"").expect("the program is in the trace")];
    let rootfs = container.rootfs();
    let mapped =
        before.lines().find(|line| line.contains("mmap(") && line.contains(rootfs.to_str().unwrap()));
    assert_eq!(mapped, None);
}
