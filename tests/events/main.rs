//! `events`: the numbers are held against the kernel's own files, and against runc's on the same cgroup; what a stream
//! tells is caused for real.

#[path = "../support/mod.rs"]
mod support;

mod peer;
mod refusals;
mod stats;
mod stream;

use serde_json::Value;
use support::{Container, has_controller};

/// A container with these resources, and Docker's device rules.
pub fn limited(resources: Value) -> Container {
    Container::new().edit(|config| {
        let all = config["linux"]["resources"].as_object_mut().expect("the config has resources");
        all.extend(resources.as_object().expect("resources are an object").clone());
    })
}

/// The data of `events --stats`.
#[track_caller]
pub fn stats(container: &Container) -> Value {
    let text = container.call(&["events", "--stats", &container.id]).ok();
    assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
    let mut event: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!((event["type"].as_str(), event["id"].as_str()), (Some("stats"), Some(&*container.id)));
    event["data"].take()
}

/// Why a test about this controller cannot run; `None` if it can.
pub fn missing(controller: &str) -> Option<String> {
    (!has_controller(controller))
        .then(|| format!("the {controller} controller is not in this host's cgroup tree"))
}

/// Ends a test that needs a controller which is not there.
#[macro_export]
macro_rules! needs {
    ($controller:expr) => {
        if let Some(reason) = $crate::missing($controller) {
            $crate::skip!("{reason}");
        }
    };
}
