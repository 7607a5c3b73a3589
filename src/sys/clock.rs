//! The clock that init reads: a register, for no filter can refuse that and it costs nothing.

use std::time::{Duration, Instant};

/// Ticks of the processor. Of what it counts only that it goes evenly is known.
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: it reads a register.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(target_arch = "aarch64")]
    {
        let ticks: u64;
        // SAFETY: it reads a register.
        unsafe { std::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
        ticks
    }
}

/// Whether that may be read: our caller can have forbidden it to its children, whom it would kill (PR_SET_TSC).
pub fn has_ticks() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let mut mode = libc::PR_TSC_ENABLE;
        // SAFETY: the call writes an int. Where there is no such call, nothing is forbidden.
        unsafe { libc::prctl(libc::PR_GET_TSC, &mut mode) };
        mode == libc::PR_TSC_ENABLE
    }
    #[cfg(not(target_arch = "x86_64"))]
    true
}

/// One moment by both clocks.
#[derive(Clone, Copy)]
pub struct Reading {
    ticks: u64,
    instant: Instant,
}

impl Reading {
    pub fn now() -> Reading {
        Reading { ticks: ticks(), instant: Instant::now() }
    }

    pub fn instant(self) -> Instant {
        self.instant
    }

    /// When that many ticks were read, between this reading and a later one. What lies outside of both, as on a machine
    /// whose processors count by themselves, is moved to the nearer one.
    pub fn moment(self, later: Reading, ticks: u64) -> Instant {
        let whole = later.ticks.saturating_sub(self.ticks).max(1);
        let part = ticks.saturating_sub(self.ticks).min(whole);
        let time = later.instant.saturating_duration_since(self.instant);
        let nanos = time.as_secs() as f64 * 1e9 + f64::from(time.subsec_nanos());
        self.instant + Duration::from_nanos((nanos * (part as f64 / whole as f64)) as u64)
    }
}

/// How long ago this machine was started (CLOCK_MONOTONIC), which `Instant` does not say: the same for all programs.
pub fn since_boot() -> Duration {
    read(libc::CLOCK_MONOTONIC)
}

/// The same with the time in which the machine was suspended (CLOCK_BOOTTIME): what start times of processes are of.
pub fn since_boot_with_suspends() -> Duration {
    read(libc::CLOCK_BOOTTIME)
}

/// The same as the processor counts it (CLOCK_MONOTONIC_RAW): no time service has made it right.
pub fn since_boot_uncorrected() -> Duration {
    read(libc::CLOCK_MONOTONIC_RAW)
}

/// USER_HZ is 100 on every architecture that is built for: what the kernel counts processes' times in.
pub const TICK: Duration = Duration::from_millis(10);

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills a struct timespec, and knows this clock.
    unsafe { libc::clock_gettime(clock, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_lies_between_two_readings_whatever_was_noted() {
        let first = Reading::now();
        let second =
            Reading { ticks: first.ticks + 1000, instant: first.instant + Duration::from_micros(10) };
        let after = |ticks| first.moment(second, ticks) - first.instant;
        assert_eq!(after(first.ticks + 500), Duration::from_micros(5));
        assert_eq!(after(0), Duration::ZERO);
        assert_eq!(after(u64::MAX), Duration::from_micros(10));
        assert_eq!(first.moment(first, first.ticks), first.instant);
    }
}
