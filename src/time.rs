//! Moments as RFC 3339 text in UTC, with the nanoseconds that are not zero: the form that Go prints and that
//! engines parse.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

/// "2026-11-21T07:58:59.25Z"; a moment before 1970 is shown as 1970.
pub fn rfc3339_nano(moment: SystemTime) -> String {
    let (text, nanoseconds) = seconds(moment);
    let fraction = format!(".{nanoseconds:09}");
    text + fraction.trim_end_matches('0').trim_end_matches('.') + "Z"
}

/// "2026-11-21T07:58:59Z", as log lines have it.
pub fn rfc3339(moment: SystemTime) -> String {
    seconds(moment).0 + "Z"
}

/// The text up to its seconds, and the nanoseconds.
fn seconds(moment: SystemTime) -> (String, u32) {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (year, month, day) = civil(since.as_secs() / DAY);
    let second = since.as_secs() % DAY;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    (text, since.subsec_nanos())
}

/// The Gregorian date of a day counted from 1970-01-01. Years are counted from March here, so that the leap
/// day is the last day of a year and 400 years are always 146 097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_FROM_YEAR_0_MARCH: u64 = 719_468;
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let days = days + DAYS_FROM_YEAR_0_MARCH;
    let era = days / DAYS_IN_400_YEARS;
    let day_of_era = days % DAYS_IN_400_YEARS;
    let leap_days = day_of_era / 1460 + day_of_era / 146_096;
    let year_of_era = (day_of_era + day_of_era / 36_524 - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // March to July and August to December repeat the lengths 31 30 31 30 31: 153 days in five months.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, nanos: u32) -> SystemTime {
        UNIX_EPOCH + Duration::new(seconds, nanos)
    }

    #[test]
    fn known_moments_are_printed_as_go_prints_them() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (951_782_400, 1, "2000-02-29T00:00:00.000000001Z"),
            (951_868_799, 999_999_999, "2000-02-29T23:59:59.999999999Z"),
            (951_868_800, 100_000_000, "2000-03-01T00:00:00.1Z"),
            (1_795_247_939, 250_000_000, "2026-11-21T07:58:59.25Z"),
            (1_798_761_599, 0, "2026-12-31T23:59:59Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339_nano(at(seconds, nanos)), text);
        }
        assert_eq!(rfc3339(at(1_795_247_939, 250_000_000)), "2026-11-21T07:58:59Z");
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_day_before() {
        let mut last = civil(0);
        for day in 1..146_097 {
            let next = civil(day);
            let follows = next == (last.0, last.1, last.2 + 1)
                || next == (last.0, last.1 + 1, 1) && last.2 >= 28
                || next == (last.0 + 1, 1, 1) && last == (last.0, 12, 31);
            assert!(follows, "{last:?} {next:?}");
            last = next;
        }
        assert_eq!(last, (2369, 12, 31));
    }
}
