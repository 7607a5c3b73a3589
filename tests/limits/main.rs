//! Limits, seen from inside the container: that the kernel enforces them, not that a file was written. What has no
//! effect that a test could wait for is read back from the container's own view of its cgroup.
//!
//! The same tests run on cgroup v1 and v2; `hack/test-in-vm limits` runs them where v2 has every controller.

#[path = "../support/mod.rs"]
mod support;

mod cpu;
mod devices;
mod files;
mod freezer;
mod memory;
mod tasks;

use support::{Container, has_controller, is_v2};

/// A file of the container's cgroup as its own processes see it.
pub fn inside(controller: &str, v2: &str, v1: &str) -> String {
    if is_v2() { format!("/sys/fs/cgroup/{v2}") } else { format!("/sys/fs/cgroup/{controller}/{v1}") }
}

/// A container with these resources, and Docker's device rules.
pub fn limited(resources: serde_json::Value) -> Container {
    Container::new().edit(|config| {
        let all = config["linux"]["resources"].as_object_mut().expect("the config has resources");
        all.extend(resources.as_object().expect("resources are an object").clone());
    })
}

/// Why a test about this controller cannot run; `None` if it can.
pub fn missing(controller: &str) -> Option<String> {
    (!has_controller(controller))
        .then(|| format!("the {controller} controller is not in this host's cgroup tree"))
}

/// Ends a test that needs a controller which is not there.
#[macro_export]
macro_rules! needs {
    ($controller:literal) => {
        if let Some(reason) = $crate::missing($controller) {
            $crate::skip!("{reason}");
        }
    };
}
