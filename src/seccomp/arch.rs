//! The architectures (strictly: system call conventions) that a filter can tell apart.

/// An architecture that we have a table of system call numbers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arch {
    X86_64,
    X86,
    X32,
    Aarch64,
    Arm,
    Riscv64,
    Ppc64le,
    S390x,
    Loongarch64,
}

/// How many bits of an argument a rule of this architecture looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    Bits32,
    Bits64,
}

impl Width {
    /// The bits of an argument that count.
    pub const fn mask(self) -> u64 {
        match self {
            Width::Bits32 => u32::MAX as u64,
            Width::Bits64 => u64::MAX,
        }
    }
}

/// The order of the two words of a 64-bit argument in the data that a filter reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    LowFirst,
    HighFirst,
}

impl Arch {
    /// In the order of the columns of the number table.
    pub const ALL: &'static [Arch] = &[
        Arch::X86_64,
        Arch::X86,
        Arch::X32,
        Arch::Aarch64,
        Arch::Arm,
        Arch::Riscv64,
        Arch::Ppc64le,
        Arch::S390x,
        Arch::Loongarch64,
    ];

    /// The architecture of this program; `None` where we have no table for it.
    pub const fn native() -> Option<Arch> {
        if cfg!(target_arch = "x86_64") {
            Some(if cfg!(target_pointer_width = "32") { Arch::X32 } else { Arch::X86_64 })
        } else if cfg!(target_arch = "x86") {
            Some(Arch::X86)
        } else if cfg!(target_arch = "aarch64") {
            Some(Arch::Aarch64)
        } else if cfg!(target_arch = "arm") {
            Some(Arch::Arm)
        } else if cfg!(target_arch = "riscv64") {
            Some(Arch::Riscv64)
        } else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
            Some(Arch::Ppc64le)
        } else if cfg!(target_arch = "s390x") {
            Some(Arch::S390x)
        } else if cfg!(target_arch = "loongarch64") {
            Some(Arch::Loongarch64)
        } else {
            None
        }
    }

    /// The others whose programs a machine of this architecture can run.
    pub fn beside(self) -> &'static [Arch] {
        match self {
            Arch::X86_64 => &[Arch::X86, Arch::X32],
            Arch::Aarch64 => &[Arch::Arm],
            _ => &[],
        }
    }

    pub(super) const fn column(self) -> usize {
        self as usize
    }

    /// AUDIT_ARCH_* of `linux/audit.h`. x32 has that of x86_64; bit 30 of the call's number distinguishes it.
    pub const fn audit(self) -> u32 {
        match self {
            Arch::X86_64 | Arch::X32 => 0xc000_003e,
            Arch::X86 => 0x4000_0003,
            Arch::Aarch64 => 0xc000_00b7,
            Arch::Arm => 0x4000_0028,
            Arch::Riscv64 => 0xc000_00f3,
            Arch::Ppc64le => 0xc000_0015,
            Arch::S390x => 0x8000_0016,
            Arch::Loongarch64 => 0xc000_0102,
        }
    }

    /// x32 has 64-bit registers, but libseccomp compares 32 bits there, and profiles are written against that.
    pub const fn width(self) -> Width {
        match self {
            Arch::X86 | Arch::X32 | Arch::Arm => Width::Bits32,
            _ => Width::Bits64,
        }
    }

    pub const fn order(self) -> Order {
        match self {
            Arch::S390x => Order::HighFirst,
            _ => Order::LowFirst,
        }
    }
}
