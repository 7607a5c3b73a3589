//! `update` and the cgroups of `exec`: every option is looked at where the kernel keeps it.
//!
//! The same tests run on cgroup v1 and v2; `hack/test-in-vm cgroup -- update` runs them where v2 has its controllers.

mod checks;
mod devices;
mod disabled;
mod groups;
mod json;
mod merging;
mod options;
mod places;
mod rollback;
mod states;

use crate::support::{Container, Ended, is_v2};
pub use crate::support::{limited, missing};
use serde_json::Value;
use std::io::Write;
use std::process::Stdio;

/// A running container with these resources beside Docker's device rules.
pub fn running(resources: Value) -> Container {
    limited(resources).sh("sleep 1000").started()
}

/// `update` with these options.
pub fn update(container: &Container, options: &[&str]) -> Ended {
    plain(container.call(&[&["update"], options, &[&container.id]].concat()))
}

/// The log's text form escapes quotes; the tests look for what is said.
pub fn plain(mut ended: Ended) -> Ended {
    ended.err = ended.err.replace("\\\"", "\"");
    ended
}

/// `update -r -` with these resources.
pub fn update_json(container: &Container, resources: &Value) -> Ended {
    let mut command = container.command(&["update", "-r", "-", &container.id]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command can be started");
    let mut input = child.stdin.take().expect("it has a pipe");
    input.write_all(resources.to_string().as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    plain(Ended {
        code: output.status.code().unwrap_or(255),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The text of the first file on v1, of the second on v2.
pub fn value(container: &Container, controller: &str, v1: &str, v2: &str) -> String {
    container.cgroup_file(controller, if is_v2() { v2 } else { v1 })
}

/// Whether the host counts swap: only then there are files for it.
pub fn counts_swap() -> bool {
    let container = Container::new().sh("sleep 1000").started();
    let file = if is_v2() { "memory.swap.max" } else { "memory.memsw.limit_in_bytes" };
    container.cgroups().iter().any(|cgroup| cgroup.join(file).exists())
}

/// The numbers of a whole block device.
pub fn disk() -> Option<(u64, u64)> {
    std::fs::read_dir("/sys/block").ok()?.flatten().find_map(|disk| {
        let text = std::fs::read_to_string(disk.path().join("dev")).ok()?;
        let (major, minor) = text.trim().split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    })
}
