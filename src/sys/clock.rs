//! The time of day at this place.

use std::time::{SystemTime, UNIX_EPOCH};

/// The parts of a local time that a log line shows; `month` counts from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

/// localtime_r(3): `moment` in the host's time zone.
pub fn local(moment: SystemTime) -> Local {
    let seconds = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) as libc::time_t;
    // SAFETY: a struct of numbers and a pointer, for which all zeroes is a value.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both point to live objects of our own; on failure the zeroes stay.
    unsafe { libc::localtime_r(&seconds, &mut parts) };
    let part = |number: i32| u8::try_from(number).unwrap_or(0);
    Local {
        month: part(parts.tm_mon),
        day: part(parts.tm_mday),
        hour: part(parts.tm_hour),
        minute: part(parts.tm_min),
        second: part(parts.tm_sec),
    }
}
