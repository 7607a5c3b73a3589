//! memcpy(3) and memcmp(3) for a release that is linked with musl, whose own begin a string instruction for each short copy
//! and compare byte by byte: 0.1 ms of a `run`.
//!
//! In tests they have no such names, and are held against plain Rust.

use std::ffi::{c_int, c_void};
use std::ptr::{read_unaligned, write_unaligned};

/// Copies the first and the last `size_of::<T>()` bytes of `length`, all of them where that is at most
/// twice as many; what both have is written twice.
///
/// # Safety
/// Both places have so many.
unsafe fn ends<T: Copy>(to: *mut u8, from: *const u8, length: usize) {
    for at in [0, length - size_of::<T>()] {
        // SAFETY: the caller says so.
        unsafe { write_unaligned(to.add(at).cast(), read_unaligned(from.add(at).cast::<T>())) }
    }
}

/// memcpy(3).
///
/// # Safety
/// `from` has `length` bytes, `to` room for them, and they do not overlap.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn memcpy(to: *mut c_void, from: *const c_void, length: usize) -> *mut c_void {
    let (bytes, source) = (to.cast::<u8>(), from.cast::<u8>());
    // SAFETY: each part lies within the length.
    unsafe {
        match length {
            0 => {}
            1 => ends::<u8>(bytes, source, length),
            2..=3 => ends::<u16>(bytes, source, length),
            4..=7 => ends::<u32>(bytes, source, length),
            8..=15 => ends::<u64>(bytes, source, length),
            16..=32 => ends::<u128>(bytes, source, length),
            33..=64 => ends::<[u128; 2]>(bytes, source, length),
            65..=128 => ends::<[u128; 4]>(bytes, source, length),
            _ => {
                many(bytes, source, length);
                ends::<u64>(bytes, source, length);
            }
        }
    }
    to
}

/// All whole words of eight bytes, by the processor's own instruction, which a loop would become a call of memcpy again.
unsafe fn many(to: *mut u8, from: *const u8, length: usize) {
    // SAFETY: the instruction reads and writes so many words; the direction flag is clear in every function.
    unsafe {
        std::arch::asm!(
            "rep movsq",
            inout("rcx") length / 8 => _,
            inout("rdi") to => _,
            inout("rsi") from => _,
            options(nostack, preserves_flags),
        );
    }
}

/// memcmp(3).
///
/// # Safety
/// Both have `length` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn memcmp(one: *const c_void, other: *const c_void, length: usize) -> c_int {
    let (a, b) = (one.cast::<u8>(), other.cast::<u8>());
    let mut at = 0;
    // SAFETY: every part lies within the length.
    unsafe {
        while at + 8 <= length {
            let (x, y) = (read_unaligned(a.add(at).cast::<u64>()), read_unaligned(b.add(at).cast::<u64>()));
            if x != y {
                return x.swap_bytes().cmp(&y.swap_bytes()) as c_int;
            }
            at += 8;
        }
        while at < length {
            let (x, y) = (*a.add(at), *b.add(at));
            if x != y {
                return c_int::from(x) - c_int::from(y);
            }
            at += 1;
        }
    }
    0
}

/// bcmp(3), as the compiler calls it where only equality counts.
///
/// # Safety
/// As memcmp.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn bcmp(one: *const c_void, other: *const c_void, length: usize) -> c_int {
    // SAFETY: the caller says so.
    unsafe { memcmp(one, other, length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_short_length_and_some_long_ones_are_copied_and_compared_as_slices_are() {
        let source: Vec<u8> = (0..5000u32).map(|number| (number * 7 % 251) as u8).collect();
        for length in (0..300).chain([511, 512, 1000, 4096, 4999]) {
            let mut copy = vec![0xff; length + 1];
            // SAFETY: both are as long as that.
            unsafe { memcpy(copy.as_mut_ptr().cast(), source.as_ptr().cast(), length) };
            assert_eq!((&copy[..length], copy[length]), (&source[..length], 0xff), "{length}");
            for at in 0..length.min(40) {
                let mut other = source[..length].to_vec();
                other[length - 1 - at] ^= 0x81;
                // SAFETY: as above.
                let (order, differs) = unsafe {
                    let (a, b) = (source.as_ptr().cast(), other.as_ptr().cast());
                    (memcmp(a, b, length), bcmp(a, b, length))
                };
                assert_eq!(order.signum(), source[..length].cmp(&other[..]) as c_int, "{length} {at}");
                assert_ne!(differs, 0);
            }
            // SAFETY: as above.
            assert_eq!(unsafe { memcmp(source.as_ptr().cast(), copy.as_ptr().cast(), length) }, 0);
        }
    }
}
