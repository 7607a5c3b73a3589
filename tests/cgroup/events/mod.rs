//! `events`: the numbers are held against the kernel's own files, and against runc's on the same cgroup; what a stream
//! tells is caused for real.

mod peer;
mod refusals;
mod stats;
mod stream;

use crate::support::Container;
pub use crate::support::limited;
use serde_json::Value;

/// The data of `events --stats`.
#[track_caller]
pub fn stats(container: &Container) -> Value {
    let text = container.call(&["events", "--stats", &container.id]).ok();
    assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
    let mut event: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!((event["type"].as_str(), event["id"].as_str()), (Some("stats"), Some(&*container.id)));
    event["data"].take()
}
