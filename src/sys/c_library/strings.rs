//! Functions of the C library that it calls itself, for a few bytes of text, and has in a large form: those for strings once
//! for each generation of processors, those for numbers with a locale. Here each is a loop.
//!
//! (Those that time is spent in are its own: memcpy, memmove, memset, memcmp, strlen.) In tests they have no such names, and
//! are held against its own.

use std::ffi::{c_char, c_int, c_long, c_ulong};
use std::ptr::null;

type Text = *const c_char;

macro_rules! functions {
    ($($(#[$comment:meta])* fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty $body:block)*) => {$(
        $(#[$comment])*
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            // SAFETY: the caller's strings end with NUL, and what is written has room, as the function's man page says.
            unsafe { $body }
        }
    )*};
}

functions! {
    fn __strchrnul(text: Text, wanted: c_int) -> Text {
        let mut at = text;
        while *at != 0 && *at != wanted as c_char {
            at = at.add(1);
        }
        at
    }

    fn strchr(text: Text, wanted: c_int) -> Text {
        let at = __strchrnul(text, wanted);
        if *at == wanted as c_char { at } else { null() }
    }

    fn strrchr(text: Text, wanted: c_int) -> Text {
        let mut at = text.add(libc::strlen(text));
        while *at != wanted as c_char {
            if at == text {
                return null();
            }
            at = at.sub(1);
        }
        at
    }

    fn __rawmemchr(bytes: Text, wanted: c_int) -> Text {
        let mut at = bytes;
        while *at != wanted as c_char {
            at = at.add(1);
        }
        at
    }

    fn memchr(bytes: Text, wanted: c_int, length: usize) -> Text {
        for at in 0..length {
            if *bytes.add(at) == wanted as c_char {
                return bytes.add(at);
            }
        }
        null()
    }

    fn __strnlen(text: Text, most: usize) -> usize {
        let mut length = 0;
        while length < most && *text.add(length) != 0 {
            length += 1;
        }
        length
    }

    fn strcspn(text: Text, ends: Text) -> usize {
        let mut length = 0;
        while *__strchrnul(ends, c_int::from(*text.add(length))) == 0 && *text.add(length) != 0 {
            length += 1;
        }
        length
    }

    fn strncmp(one: Text, other: Text, most: usize) -> c_int {
        for at in 0..most {
            let (a, b) = (*one.add(at).cast::<u8>(), *other.add(at).cast::<u8>());
            if a != b || a == 0 {
                return c_int::from(a) - c_int::from(b);
            }
        }
        0
    }

    fn strcmp(one: Text, other: Text) -> c_int {
        strncmp(one, other, usize::MAX)
    }

    fn strstr(text: Text, wanted: Text) -> Text {
        let (mut at, length) = (text, libc::strlen(wanted));
        while strncmp(at, wanted, length) != 0 {
            if *at == 0 {
                return null();
            }
            at = at.add(1);
        }
        at
    }

    fn __stpcpy(to: *mut c_char, from: Text) -> *mut c_char {
        let length = libc::strlen(from);
        libc::memcpy(to.cast(), from.cast(), length + 1);
        to.add(length)
    }

    fn strcpy(to: *mut c_char, from: Text) -> *mut c_char {
        __stpcpy(to, from);
        to
    }

    /// Without errno for a number that does not fit.
    fn strtoul(text: Text, end: *mut Text, base: c_int) -> c_ulong {
        let byte = |at: Text| *at.cast::<u8>();
        let digit = |at: Text, base: u32| char::from(byte(at)).to_digit(base).map(c_ulong::from);
        let mut at = text;
        while matches!(byte(at), b' ' | b'\t'..=b'\r') {
            at = at.add(1);
        }
        let sign = byte(at);
        if matches!(sign, b'+' | b'-') {
            at = at.add(1);
        }
        let mut base = base.clamp(0, 36).cast_unsigned();
        let is_octal = byte(at) == b'0';
        if matches!(base, 0 | 16) && is_octal && byte(at.add(1)) | 0x20 == b'x' && digit(at.add(2), 16).is_some() {
            (at, base) = (at.add(2), 16);
        }
        if base < 2 {
            base = if is_octal { 8 } else { 10 };
        }
        let (digits, mut number) = (at, 0 as c_ulong);
        while let Some(digit) = digit(at, base) {
            number = number.saturating_mul(base.into()).saturating_add(digit);
            at = at.add(1);
        }
        if !end.is_null() {
            *end = if at == digits { text } else { at };
        }
        if sign == b'-' { number.wrapping_neg() } else { number }
    }

    fn strtol(text: Text, end: *mut Text, base: c_int) -> c_long {
        strtoul(text, end, base).cast_signed()
    }

    /// For what a program with rights of its file's owner may not hand on, before there are threads.
    fn __unsetenv(name: Text) -> c_int {
        unsafe extern "C" {
            static environ: *mut *mut c_char;
        }
        if !environ.is_null() {
            remove(environ, name);
        }
        0
    }
}

/// All variables of this name, from an array that ends with null.
unsafe fn remove(variables: *mut *mut c_char, name: Text) {
    // SAFETY: each variable and the name end with NUL, and what is written has been read.
    unsafe {
        let (mut from, mut to, length) = (variables, variables, libc::strlen(name));
        loop {
            *to = *from;
            if (*from).is_null() {
                return;
            }
            if strncmp(*from, name, length) != 0 || *(*from).add(length).cast::<u8>() != b'=' {
                to = to.add(1);
            }
            from = from.add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;
    use std::ffi::CString;
    use std::ptr::null_mut;

    fn text(text: &str) -> CString {
        CString::new(text).unwrap()
    }

    proptest! {
        #[test]
        fn strings_are_read_as_the_c_library_reads_them(
            one in "[ab\u{e9}]{0,9}", other in "[ab\u{e9}]{0,3}", most in 0_usize..12, byte in "[abc\u{0}\u{e9}]",
        ) {
            let (one, other, byte) = (text(&one), text(&other), c_int::from(byte.as_bytes()[0] as i8));
            let (a, b) = (one.as_ptr(), other.as_ptr());
            // SAFETY: strings that end with NUL; what is copied has room.
            unsafe {
                prop_assert_eq!(strchr(a, byte), libc::strchr(a, byte).cast_const());
                prop_assert_eq!(strrchr(a, byte), libc::strrchr(a, byte).cast_const());
                let length = most.min(one.count_bytes());
                let place = libc::memchr(a.cast(), byte, length).cast_const().cast();
                prop_assert_eq!(memchr(a, byte, length), place);
                prop_assert_eq!(__strnlen(a, most), libc::strnlen(a, most));
                prop_assert_eq!(strcspn(a, b), libc::strcspn(a, b));
                prop_assert_eq!(strncmp(a, b, most).signum(), libc::strncmp(a, b, most).signum());
                prop_assert_eq!(strcmp(a, b).signum(), libc::strcmp(a, b).signum());
                prop_assert_eq!(strstr(a, b), libc::strstr(a, b).cast_const());
                prop_assert_eq!(__rawmemchr(a, 0), a.add(one.count_bytes()));
                let ends = |b: &u8| *b == 0 || *b == byte as u8;
                let place = one.as_bytes_with_nul().iter().position(ends).unwrap();
                prop_assert_eq!(__strchrnul(a, byte), a.add(place));
                let mut copy: [c_char; 32] = [1; 32];
                prop_assert_eq!(strcpy(copy.as_mut_ptr(), a), copy.as_mut_ptr());
                prop_assert_eq!(__stpcpy(copy.as_mut_ptr(), a).offset_from(copy.as_ptr()), one.count_bytes() as isize);
                prop_assert_eq!(strcmp(copy.as_ptr(), a), 0);
            }
        }

        #[test]
        fn numbers_are_read_as_the_c_library_reads_them(
            number in "[ \t\n]{0,2}[+-]{0,2}(0x|0)?[0-9a-f]{0,15}[-a ]?", base in select(&[0, 8, 10, 16, 36][..]),
        ) {
            let number = text(&number);
            let (mut ours, mut theirs) = (null(), null_mut());
            // SAFETY: a string that ends with NUL, and room for the place where the number ends.
            unsafe {
                let expected = libc::strtoul(number.as_ptr(), &mut theirs, base);
                // Of one that does not fit there is errno besides, which no caller here reads.
                prop_assume!(expected != c_ulong::MAX && expected.cast_signed() != c_long::MIN);
                prop_assert_eq!(strtoul(number.as_ptr(), &mut ours, base), expected);
                if expected.cast_signed().unsigned_abs() < c_ulong::MAX / 4 {
                    prop_assert_eq!(strtol(number.as_ptr(), null_mut(), base), libc::strtol(number.as_ptr(), null_mut(), base));
                }
            }
            prop_assert_eq!(ours, theirs.cast_const());
        }
    }

    #[test]
    fn a_variable_goes_wherever_it_stands() {
        let kept = [text("AB=1"), text("B=A=2"), text("A"), text("=")];
        let gone = [text("A=1"), text("A="), text("A=2")];
        let (k, g) = (|at: usize| kept[at].as_ptr().cast_mut(), |at: usize| gone[at].as_ptr().cast_mut());
        let mut variables = [g(0), k(0), g(1), k(1), k(2), k(3), g(2), null_mut()];
        // SAFETY: strings that end with NUL, in an array that ends with null.
        unsafe { remove(variables.as_mut_ptr(), c"A".as_ptr()) };
        assert_eq!(variables[..5], [k(0), k(1), k(2), k(3), null_mut()]);
        // SAFETY: the same; __unsetenv is linked.
        assert_eq!(unsafe { __unsetenv(c"RRUNTIME_NO_SUCH_VARIABLE".as_ptr()) }, 0);
    }
}
