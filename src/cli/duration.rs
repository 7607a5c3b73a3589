//! Lengths of time as Go writes them ("300ms", "1.5h", "1m30s"): what scripts for runc pass.

use std::time::Duration;

/// Units in nanoseconds; those with a longer name first where one begins like another.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000), // U+00B5, micro sign
    ("μs", 1_000), // U+03BC, Greek letter mu
    ("ms", 1_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Go's time.ParseDuration: numbers with a unit each, added up, with one sign in front; "0" needs no unit. What is
/// negative is zero. `None` if it is something else, or longer than Go can count (292 years).
pub fn parse(text: &str) -> Option<Duration> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = unsigned;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = after.strip_prefix('.').map_or(("", after), digits);
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (name, unit) = UNITS.iter().find(|(name, _)| after.starts_with(name))?;
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(*unit)?)?.checked_add(part(fraction, *unit))?;
        rest = &after[name.len()..];
    }
    // Go counts in 63 bits.
    let counted = !unsigned.is_empty() && total <= i64::MAX as u64;
    counted.then_some(Duration::from_nanos(if text.starts_with('-') { 0 } else { total }))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// A decimal fraction of a unit, in nanoseconds, cut off. Digits below the nanosecond of the longest unit say nothing.
fn part(digits: &str, unit: u64) -> u64 {
    let mut scale: u128 = 1;
    let mut value: u128 = 0;
    for digit in digits.bytes().take(18) {
        value = value * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    (value * u128::from(unit) / scale) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_add_up() {
        for (text, expected) in [
            ("5s", 5_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("300ms", 300_000_000),
            ("+2us", 2_000),
            ("2µs", 2_000),
            ("2μs", 2_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1s1s", 2_000_000_000),
            ("0.1234567890123456789s", 123_456_789),
            ("1ns", 1),
            ("2562047h47m16.854775807s", i64::MAX as u64),
        ] {
            assert_eq!(parse(text), Some(Duration::from_nanos(expected)), "{text}");
        }
    }

    #[test]
    fn zero_and_less_are_lengths_of_time() {
        for text in ["0", "0s", "-1s", "-0", "+0", "-1.5h", "0.0000000001s"] {
            assert_eq!(parse(text), Some(Duration::ZERO), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in
            ["", "1", "s", "abc", "-", "+", ".", ".s", "1 s", "1d", "--1s", "1s-", "1e3s", "3000000h", "é"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
