//! The life of a container, driven by the real binary.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod budget;
mod checkpoint;
mod commands;
mod crash;
mod descriptors;
mod detached;
mod exec;
mod failures;
mod freezer;
mod held;
mod hooks;
mod hosts;
mod kept;
mod listing;
mod many;
mod rootless;
mod signals;
mod start_word;
mod store;
mod swept;
mod terminal;
mod threads;
mod upgrade;
mod watch;

use support::Container;
use support::leftovers::assert_nothing_left;

#[test]
fn run_gives_the_exit_code_of_the_program_and_leaves_nothing() {
    let container = Container::new().sh("exit 7");
    assert_eq!(container.run().code, 7);
    assert_nothing_left(&container);
}

#[test]
fn a_program_that_a_signal_ends_gives_128_and_its_number() {
    let container = Container::new().without_namespace("pid").sh("kill -TERM $$");
    assert_eq!(container.run().code, 128 + 15);
    assert_nothing_left(&container);
}

#[test]
fn a_created_container_waits_for_start() {
    let container = Container::new().sh("echo on > /tmp/started; sleep 100");
    let created = container.create();
    assert_eq!(created.code, 0, "{}", created.err);
    assert_eq!(container.status(), "created");
    assert!(!container.rootfs().join("tmp/started").exists());
    container.start().ok();
    assert_eq!(container.status(), "running");
    support::wait_until("the program runs", || container.rootfs().join("tmp/started").exists());
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id]).ok();
    assert_nothing_left(&container);
}
