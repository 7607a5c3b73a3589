//! Values that several steps are made of.

use super::format::{Bytes, Reader, Sink, Wire, records, wrappers};

records! {
    /// Changes to the attributes of a mount: `MOUNT_ATTR_*` to set and clear, `MS_*` propagation (0: leave).
    #[derive(Default)]
    Attributes { set: u64, clear: u64, propagation: u64 }

    /// Which mount something is.
    #[derive(Default)]
    MountId {
        /// Before Linux 6.8 a number that another mount gets later, so what is mounted counts too; since then a number that
        /// no other mount ever gets, and the rest is 0.
        number: u64,
        device: u64,
        inode: u64,
    }

    /// Who may search directories.
    Searcher<'a> {
        /// Root with its capabilities; else by these ids.
        anywhere: bool,
        uid: u32,
        gid: u32,
        /// setgroups(2) does not apply.
        keep_groups: bool,
        /// Little-endian u32.
        groups: Bytes<'a>,
    }
}

impl Attributes {
    pub const NONE: Attributes = Attributes { set: 0, clear: 0, propagation: 0 };

    pub fn is_none(&self) -> bool {
        *self == Attributes::NONE
    }
}

/// What a bind does with symbolic links; without any of the bits it follows them on both sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Links(u32);
wrappers! { Links(u32) }

impl Links {
    pub const FOLLOW: Links = Links(0);
    /// The source's link itself is shown.
    pub const KEEP_SOURCE: u32 = 1;
    /// A link at the destination is mounted over.
    pub const KEEP_TARGET: u32 = 2;
    /// A source that is a link is made again at the destination, without a mount.
    pub const COPY: u32 = 4;

    pub fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    pub fn with(self, bits: u32) -> Links {
        Links(self.0 | bits)
    }
}

/// Where init stops and rruntime does its part. The numbers stay; 3 is where a container of 0.1.0 asks for its
/// startContainer hooks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Point {
    /// Write my id maps.
    Map = 1,
    /// Run the hooks that come before pivot_root.
    Hooks = 2,
    /// Raise my hard resource limits, while I am still outside.
    Limits = 4,
    /// Move network devices into my namespace.
    Network = 6,
    /// Put me into the container's resctrl groups, before I start anything.
    Resctrl = 7,
    /// See for yourself that I have given up what the container does not have: next I make the process that it sees.
    Confined = 8,
    /// I was born and lead my session: set the policy that would have forbidden my birth, give the terminal its size before
    /// my program looks, and its mode back.
    Born = 9,
    /// I was born: set my limit on processes.
    Processes = 10,
    /// Have me moved into the container's scope: what I make next is born there.
    Scope = 11,
}

impl Point {
    pub const ALL: [Point; 9] = {
        use Point::{Born, Confined, Hooks, Limits, Map, Network, Processes, Resctrl, Scope};
        [Scope, Resctrl, Limits, Map, Network, Hooks, Confined, Processes, Born]
    };
}

impl<'a> Wire<'a> for Point {
    fn put(&self, out: &mut impl Sink) {
        (*self as u32).put(out);
    }
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        let number = u32::take(from)?;
        Point::ALL.into_iter().find(|point| *point as u32 == number)
    }
}
