//! How long a poll(2) may wait.

use nix::poll::PollTimeout;
use std::time::Instant;

/// The time that is left until `deadline`, rounded up: a wait never ends a moment before it. `None` waits for ever.
/// A wait that is too long for poll ends early, after 24 days, and begins again.
pub fn until(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else { return PollTimeout::NONE };
    let left = deadline.saturating_duration_since(Instant::now());
    PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
}
