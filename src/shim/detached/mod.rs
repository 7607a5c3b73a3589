//! `run --detach --log-output`, and who asks for its container afterwards: the shim of a container that no engine stands
//! above, with conmon's loop (`shim/conmon`), and what `logs`, `attach` and `wait` find of it.
//!
//! ```text
//!  rruntime run ──▶ keeper ──▶ shim proper (rruntime --shim-proper … run …) ──▶ the container
//!     │ hears that it is made, starts it, ends          │ output to the logs and to who is attached
//!     ▼                                                 ▼
//!  its place (place.rs): what it was started with, the attach socket, at last its exit status
//! ```

pub mod attach;
mod find;
mod place;
mod read;
mod serve;
mod settings;
mod start;

pub use crate::shim::conmon::logs::Output;
pub use crate::shim::conmon::runtime::{Given, Maker};
pub use crate::shim::launch::enter;
pub use find::{of_shim, wait};
pub use place::Place;
pub use read::{Part, Reader};
pub use serve::serve;
pub use settings::About;
pub use start::{Wanted, start};
