//! What CRIU's images say of seccomp filters.

use crate::criu::images;
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

/// `core-N.img`: a thread.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct Core {
    #[prost(message, optional, tag = "3")]
    task: Option<Had>,
    #[prost(message, optional, tag = "5")]
    thread: Option<Had>,
}

/// The newest filter that a thread had; both messages have it at the same place.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct Had {
    #[prost(uint32, optional, tag = "12")]
    filter: Option<u32>,
}

fn read<M: Message + Default>(image: &[u8]) -> Option<M> {
    images::head("", image).ok()
}

pub fn filters(image: &[u8]) -> Option<Vec<Filter>> {
    read::<Filters>(image).map(|all| all.filters)
}

/// The numbers of filters that a `core-N.img` names: one, or another in the older place.
pub fn of_thread(image: &[u8]) -> Option<Vec<u32>> {
    let Core { task, thread } = read(image)?;
    Some([task, thread].into_iter().filter_map(|had| had?.filter).collect())
}
