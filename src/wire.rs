//! What rruntime and its sealed init say to each other; the text is shared with init.

#[path = "../init/src/wire/mod.rs"]
mod shared;

pub use shared::*;

impl Sink for Vec<u8> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
