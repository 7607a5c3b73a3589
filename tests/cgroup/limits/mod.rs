//! Limits, seen from inside the container: that the kernel enforces them, not that a file was written. What has no
//! effect that a test could wait for is read back from the container's own view of its cgroup.
//!
//! The same tests run on cgroup v1 and v2; `hack/test-in-vm cgroup -- limits` runs them where v2 has every controller.

mod cpu;
mod devices;
mod files;
mod freezer;
mod memory;
mod tasks;

use crate::support::is_v2;
pub use crate::support::{limited, missing};

/// A file of the container's cgroup as its own processes see it.
pub fn inside(controller: &str, v2: &str, v1: &str) -> String {
    if is_v2() { format!("/sys/fs/cgroup/{v2}") } else { format!("/sys/fs/cgroup/{controller}/{v1}") }
}
