//! What CRIU's images say of seccomp filters.

use crate::criu::images::{self, Core};
use prost::Message;

/// `seccomp.img`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Filters {
    #[prost(message, repeated, tag = "1")]
    pub filters: Vec<Filter>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Filter {
    /// An array of `struct sock_filter`.
    #[prost(bytes = "vec", required, tag = "1")]
    pub program: Vec<u8>,
    /// The one that was loaded before it.
    #[prost(uint32, optional, tag = "2")]
    pub previous: Option<u32>,
}

pub fn filters(image: &[u8]) -> Option<Vec<Filter>> {
    images::head::<Filters>("", image).ok().map(|all| all.filters)
}

/// The numbers of filters that a `core-N.img` names: one, or another in the older place.
pub fn of_thread(image: &[u8]) -> Option<Vec<u32>> {
    let Core { task, thread } = images::head("", image).ok()?;
    Some(
        [task.and_then(|task| task.filter), thread.and_then(|thread| thread.filter)]
            .into_iter()
            .flatten()
            .collect(),
    )
}
