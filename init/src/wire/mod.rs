//! The wire format between rruntime and its sealed init: steps, and the messages about them.
//!
//! Both sides compile these files. They know no policy and allocate nothing: rruntime encodes steps into a
//! memory file, init decodes them in place, borrowing every string. Decoding checks every length against the
//! end of the file, so that a damaged plan ends init with an error and never with a stray read.
//!
//! ```text
//! memory file:  Header, steps…
//! step:         tag u16 | fields in order; integers little endian, strings as length u32 + bytes (+ NUL)
//! ```

mod format;
pub mod keeper;
mod message;
mod step;
mod values;

pub use format::{Bytes, Handle, Header, MAGIC, Reader, Sink, Strings, Wire};
pub use message::{LEADS, Message, PAYLOAD, Part, Word};
pub use step::{Bind, Device, Filesystem, MOST_KEPT, Mount, Remount, Root, Step};
pub use values::{Attributes, Links, MountId, Point, Searcher};
