//! Numbers as text, without an allocator.

/// The most digits that a number has.
pub const DIGITS: usize = 10;

/// Writes `number` to the front of `to`, which has room for [`DIGITS`].
pub fn write(number: u32, to: &mut [u8]) {
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut rest = number;
    for digit in to.iter_mut().take(digits).rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}
