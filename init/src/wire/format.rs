//! How values stand in the memory file: integers, strings, lists, descriptors, and what comes first in it.

use core::ffi::CStr;

/// Marks a plan; init and rruntime are always built together.
pub const MAGIC: u32 = 0x7272_0001;

/// Where encoded bytes go.
pub trait Sink {
    fn bytes(&mut self, bytes: &[u8]);
}

/// A position in a plan that is being decoded.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }
}

/// A value with a place in the format.
pub trait Wire<'a>: Sized {
    fn put(&self, out: &mut impl Sink);
    fn take(from: &mut Reader<'a>) -> Option<Self>;
}

macro_rules! integers {
    ($($t:ty),*) => { $(
        impl<'a> Wire<'a> for $t {
            fn put(&self, out: &mut impl Sink) {
                out.bytes(&self.to_le_bytes());
            }
            #[inline(never)]
            fn take(from: &mut Reader<'a>) -> Option<Self> {
                let bytes = from.bytes(size_of::<$t>())?;
                Some(<$t>::from_le_bytes(bytes.try_into().ok()?))
            }
        }
    )* };
}
integers!(u16, u32, i32, u64, i64);

impl<'a> Wire<'a> for bool {
    fn put(&self, out: &mut impl Sink) {
        u16::from(*self).put(out);
    }
    #[inline(never)]
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        match u16::take(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl<'a> Wire<'a> for &'a [u8] {
    fn put(&self, out: &mut impl Sink) {
        (self.len() as u32).put(out);
        out.bytes(self);
    }
    #[inline(never)]
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        let length = u32::take(from)? as usize;
        from.bytes(length)
    }
}

impl<'a> Wire<'a> for &'a CStr {
    fn put(&self, out: &mut impl Sink) {
        self.to_bytes_with_nul().put(out);
    }
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        CStr::from_bytes_with_nul(<&[u8]>::take(from)?).ok()
    }
}

/// What a step hands on as it is. `--debug` shows a text as text, and of anything else how long it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bytes<'a>(pub &'a [u8]);

impl core::fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match core::str::from_utf8(self.0) {
            Ok(text) if !text.contains('\0') => write!(f, "{text:?}"),
            _ => write!(f, "{} bytes", self.0.len()),
        }
    }
}

/// Values that stand in the format as what is in them.
macro_rules! wrappers {
    ($( $name:ident $(<$l:lifetime>)? ($t:ty) )*) => { $(
        impl<'a> Wire<'a> for $name $(<$l>)? {
            fn put(&self, out: &mut impl Sink) {
                self.0.put(out);
            }
            fn take(from: &mut Reader<'a>) -> Option<Self> {
                <$t>::take(from).map($name)
            }
        }
    )* };
}
pub(super) use wrappers;
wrappers! { Handle(u32) Bytes<'a>(&'a [u8]) }

/// Values that stand in the format field by field.
macro_rules! records {
    ($( $(#[$meta:meta])* $name:ident $(<$l:lifetime>)? {
        $( $(#[$doc:meta])* $field:ident : $t:ty ),* $(,)?
    } )*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name $(<$l>)? { $( $(#[$doc])* pub $field: $t ),* }

        impl<'a> Wire<'a> for $name $(<$l>)? {
            fn put(&self, out: &mut impl Sink) {
                $( self.$field.put(out); )*
            }
            fn take(from: &mut Reader<'a>) -> Option<Self> {
                Some($name { $( $field: <$t>::take(from)? ),* })
            }
        }
    )* };
}
pub(super) use records;

/// A list of NUL-terminated strings, one after the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Strings<'a> {
    pub count: u32,
    pub bytes: &'a [u8],
}

impl<'a> Strings<'a> {
    pub const EMPTY: Strings<'static> = Strings { count: 0, bytes: &[] };

    pub fn iter(&self) -> impl Iterator<Item = &'a CStr> + use<'a> {
        let mut rest = self.bytes;
        core::iter::from_fn(move || {
            let string = CStr::from_bytes_until_nul(rest).ok()?;
            rest = &rest[string.to_bytes_with_nul().len()..];
            Some(string)
        })
    }
}

impl core::fmt::Debug for Strings<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> Wire<'a> for Strings<'a> {
    fn put(&self, out: &mut impl Sink) {
        self.count.put(out);
        self.bytes.put(out);
    }
    #[inline(never)]
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        let strings = Strings { count: u32::take(from)?, bytes: <&[u8]>::take(from)? };
        // Without its NUL the last one would be lost.
        (strings.bytes.last().is_none_or(|end| *end == 0)).then_some(strings)
    }
}

/// An index into the plan's table of descriptors. `NONE` where a step can do without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handle(pub u32);

impl Handle {
    pub const NONE: Handle = Handle(u32::MAX);
    /// The socket to rruntime: always the first descriptor.
    pub const CONTROL: Handle = Handle(0);
    /// The pipes that take its place: what is read, and what is written.
    pub const WORD: Handle = Handle(1);
    pub const ANSWER: Handle = Handle(2);
}

/// What a memory file begins with: the descriptors under the numbers that init has them (negative: there is none),
/// and how many steps follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Little-endian i32, one behind the other.
    descriptors: &'a [u8],
    /// The file in which init notes when each step began, and when the last one was done (ticks of the processor; u64); -1
    /// for none.
    pub times: i32,
    pub steps: u32,
}

impl<'a> Header<'a> {
    pub fn put(descriptors: &[i32], times: i32, steps: u32, out: &mut impl Sink) {
        MAGIC.put(out);
        (descriptors.len() as u32 * 4).put(out);
        for descriptor in descriptors {
            descriptor.put(out);
        }
        times.put(out);
        steps.put(out);
    }

    pub fn take(from: &mut Reader<'a>) -> Option<Self> {
        if u32::take(from)? != MAGIC {
            return None;
        }
        Some(Header { descriptors: <&[u8]>::take(from)?, times: i32::take(from)?, steps: u32::take(from)? })
    }

    pub fn descriptor(&self, handle: Handle) -> Option<i32> {
        let at = (handle.0 as usize).checked_mul(4)?;
        let bytes = self.descriptors.get(at..at.checked_add(4)?)?;
        Some(i32::from_le_bytes(bytes.try_into().ok()?))
    }
}
