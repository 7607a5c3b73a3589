//! Landlock (landlock(7)).

use super::{Fd, Sys, call, call_memory, fd};

/// `struct landlock_path_beneath_attr`, which is packed.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// landlock_create_ruleset(2): rights on files, on ports, scopes. A kernel with a shorter struct takes zeros behind it.
pub fn landlock_create_ruleset(handled: &[u64; 3]) -> Sys<Fd> {
    let args = [handled.as_ptr() as usize, size_of_val(handled), 0];
    // SAFETY: it reads the whole of this array.
    unsafe { call_memory(libc::SYS_landlock_create_ruleset, args) }.map(fd)
}

/// landlock_add_rule(LANDLOCK_RULE_PATH_BENEATH).
pub fn landlock_allow_beneath(ruleset: Fd, parent: Fd, allowed: u64) -> Sys<()> {
    let rule = PathBeneath { allowed, parent: parent.0 };
    let args = [ruleset.raw(), 1 /* LANDLOCK_RULE_PATH_BENEATH */, &raw const rule as usize, 0];
    // SAFETY: it reads a struct of this rule's kind.
    unsafe { call_memory(libc::SYS_landlock_add_rule, args) }.map(drop)
}

/// landlock_add_rule(LANDLOCK_RULE_NET_PORT).
pub fn landlock_allow_port(ruleset: Fd, port: u64, allowed: u64) -> Sys<()> {
    let rule = [allowed, port];
    let args = [ruleset.raw(), 2 /* LANDLOCK_RULE_NET_PORT */, rule.as_ptr() as usize, 0];
    // SAFETY: it reads a struct of this rule's kind, two u64.
    unsafe { call_memory(libc::SYS_landlock_add_rule, args) }.map(drop)
}

/// landlock_restrict_self(2).
pub fn landlock_restrict_self(ruleset: Fd) -> Sys<()> {
    call(libc::SYS_landlock_restrict_self, [ruleset.raw(), 0]).map(drop)
}
