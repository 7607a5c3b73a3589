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
//! On cgroup v2 the process is init, which meanwhile builds what does not show the cgroup; or its first stage, where
//! the plan has one, or a user's manager or a group below the scope is asked for: then init is born in the scope. On v1
//! a process holds the scope until init has entered it by its files. systemd ends a scope that has lost its last
//! process: one whose maker died on the way leaves nothing. A unit is stopped only where the record says that it was
//! made for this container.
//!
//! systemd writes the limits that it knows as properties again when its configuration is reloaded, so all of those are
//! given to it. The files are written as well: they have what systemd does not know, and until that reload what it rounds (a
//! CPU quota, to ten milliseconds a second).

mod bus;
mod devices;
mod properties;
mod scope;
mod unit;
mod value;
mod variant;

pub use bus::ask_version;
pub use properties::{lacking_on_v1, of_annotations};
pub use scope::{Scope, ScopeSettings, attach};
pub use unit::{Buses, CgroupRequest, locate};
pub use value::Property;
