//! A first process whose main thread has ended while another thread goes on: it runs.

use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, wait_until};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// Its main thread ends by the system call, not by the library's exit; a thread goes on.
const PROGRAM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>
static void *go_on(void *unused) {
    char state[512];
    for (;;) {
        int stat = open("/proc/1/stat", O_RDONLY);
        long length = read(stat, state, sizeof state - 1);
        close(stat);
        state[length > 0 ? length : 0] = 0;
        for (long i = 0; i < length; i++) if (state[i] == ')' && state[i + 2] == 'Z') close(creat("/tmp/alone", 0600));
        usleep(10000);
    }
}
int main() {
    pthread_t thread;
    pthread_create(&thread, 0, go_on, 0);
    syscall(SYS_exit, 0);
}
"#;

fn without_main_thread(container: Container) -> Option<Container> {
    let source = container.dir.join("alone.c");
    fs::write(&source, PROGRAM).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-pthread", "-o"]).arg(container.rootfs().join("bin/alone")).arg(&source);
    compiler.output().is_ok_and(|output| output.status.success()).then(|| container.args(&["/bin/alone"]))
}

macro_rules! program {
    ($container:expr) => {
        match without_main_thread($container) {
            Some(container) => container,
            None => crate::skip!("no C compiler with a static libc"),
        }
    };
}

fn alone(container: &Container) {
    wait_until("the main thread has ended", || container.rootfs().join("tmp/alone").exists());
    assert_eq!(container.status(), "running");
    let listed = container.call(&["list"]).ok();
    assert!(listed.contains("running"), "{listed}");
}

#[test]
fn a_container_runs_as_long_as_a_thread_of_its_first_process_does() {
    let container = program!(Container::new()).started();
    alone(&container);
    let delete = container.call(&["delete", &container.id]).fails();
    assert!(delete.contains("is not stopped"), "{delete}");
    let exec = container.exec_sh("echo here; readlink /proc/self/ns/mnt");
    let own = fs::read_link("/proc/self/ns/mnt").unwrap();
    let old = exec.err.contains("Linux 6.9");
    assert!(old || exec.out.starts_with("here\n") && !exec.out.contains(own.to_str().unwrap()), "{exec:?}");
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id]).ok();
    assert_nothing_left(&container);
}

#[test]
fn a_container_without_its_main_thread_is_deleted_by_force_with_and_without_a_cgroup() {
    for options in [&[][..], &["--cgroup-manager", "disabled"]] {
        let container = program!(Container::new()).edit(|config| {
            if !options.is_empty() {
                config["linux"].as_object_mut().unwrap().remove("cgroupsPath");
                config["linux"].as_object_mut().unwrap().remove("resources");
            }
        });
        container.write_config();
        let bundle = container.bundle();
        let run = ["run", "-d", "--bundle", bundle.to_str().unwrap(), &container.id];
        let mut command = container.command(&[options, &run[..]].concat());
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        assert!(command.status().unwrap().success());
        alone(&container);
        let pid = container.pid();
        let begun = Instant::now();
        container.call(&["delete", "--force", &container.id]).ok();
        assert!(begun.elapsed() < Duration::from_secs(5), "{options:?}: {:?}", begun.elapsed());
        // What is not reaped yet is its main thread.
        let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
        assert!(threads <= 1, "{options:?}: the program runs on");
        assert_nothing_left(&container);
    }
}
