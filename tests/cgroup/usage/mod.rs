//! `stats` and `top`: the numbers are held against the kernel's own files, what the kernel kills is killed for real, and the
//! terminal is one.

mod killed;
mod metrics;
mod numbers;
mod selection;
mod top;

use crate::support::{Container, finish};
use serde_json::Value;

pub const MIB: u64 = 1 << 20;

/// One look as JSON.
#[track_caller]
pub fn look(container: &Container, arguments: &[&str]) -> Value {
    let text =
        container.call(&[&["stats", "--format", "json", "--interval", "50ms"], arguments].concat()).ok();
    assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
    serde_json::from_str(&text).expect("it is JSON")
}

/// The container in a look at it alone.
#[track_caller]
pub fn usage(container: &Container) -> Value {
    let mut look = look(container, &[&container.id]);
    let found = look["containers"][0].take();
    assert_eq!(found["id"], *container.id, "{look}");
    found
}

/// The ids in a look.
#[track_caller]
pub fn ids(look: &Value) -> Vec<&str> {
    look["containers"].as_array().expect("a list").iter().map(|one| one["id"].as_str().unwrap()).collect()
}

/// The same binary where the kernel's log is empty.
pub fn without_a_log(container: &Container, arguments: &[&str]) -> String {
    let script = "mount --bind /dev/null /dev/kmsg && exec \"$0\" \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(container.binary());
    command.arg("--root").arg(container.state_root()).args(arguments);
    finish(command).ok()
}
