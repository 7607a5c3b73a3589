//! cgroups that systemd makes: a container is a transient scope, below a slice, of the machine's manager or of an ordinary
//! user's.
//!
//! ```text
//!  slice:prefix:name ──locate──▶ Unit, in the Location     limits, annotations ──properties──▶ [Property]
//!
//!  rruntime                         bus                        systemd
//!     │ StartTransientUnit, a process ─▶│───────────────────────▶│ makes the scope, moves the process there
//!     │ (goes on with its work)         │                        │
//!     │◀────────────────────────────────│◀──── JobRemoved, done ─│
//!     │ reads where the process is now, and opens that
//! ```
//!
//! The process is init's first stage, which does nothing but wait. What it makes afterwards is born in the scope, so nothing
//! of the container is moved a second time. systemd ends a scope that has lost its last process: one whose maker died on
//! the way leaves nothing. A unit is stopped only where the record says that it was made for this container.
//!
//! systemd writes the limits that it knows as properties again when its configuration is reloaded, so all of those are
//! given to it. The files are written as well: they have what systemd rounds, or does not know.

mod bus;
mod devices;
mod properties;
mod scope;
mod unit;
mod value;
mod variant;

pub use properties::of_annotations;
pub use scope::{Order, Scope, attach};
pub use unit::{Buses, Place, locate};
pub use value::Property;
