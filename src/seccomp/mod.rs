//! `linux.seccomp` of `config.json` → a classic BPF program for seccomp(2). Pure: it reads and changes nothing.
//!
//! The filter is the last wall around a container: a call that the profile forbids must never come through, on any
//! architecture that the kernel can run. So every number gets an answer: that of its rules, ENOSYS if it is newer
//! than everything that the profile knows, else the default; another architecture's calls kill the thread.
//!
//! ```text
//!  profile.rs   words → rules (Profile)         vocabulary.rs  the words
//!  sections.rs  rules → answer of each number   tables/ multiplex.rs  names → numbers
//!               (ranges) and rule lists         condition.rs  which rule is asked first
//!  ranges.rs    ranges → search tree
//!  raw.rs       a finished program of the config's
//!  blocks.rs    rule lists → comparisons
//!  assembler.rs instructions, back to front     evaluate.rs  runs a program
//!                                               strict.rs    holds one against another
//!                                               record.rs    what a watched program needs
//!                                               verdicts.rs  says which rule decides a call
//!                                               against.rs   which calls one needs and another stops
//! ```
//!
//! Meaning and order of rules are libseccomp's (the oracle of `tests/spec/seccomp`), the answer for newer
//! calls is runc's. Deliberately different: see [`sections`].

pub mod against;
pub mod arch;
pub mod assembler;
mod blocks;
mod condition;
pub mod evaluate;
mod multiplex;
mod profile;
mod ranges;
pub mod raw;
pub mod record;
mod sections;
pub mod strict;
pub mod tables;
pub mod verdicts;
pub mod vocabulary;

pub use arch::Arch;
pub use assembler::{Instruction, LONGEST};
pub use vocabulary::flags_of_kernel;

use crate::error::{Error, Kind, Result};
use crate::spec::Seccomp;

/// A filter, ready for seccomp(SECCOMP_SET_MODE_FILTER).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// At most [`LONGEST`] instructions.
    pub program: Vec<Instruction>,
    /// Where it is in config.json.
    pub field: &'static str,
    /// SECCOMP_FILTER_FLAG_*.
    pub flags: u32,
    /// seccomp(2) will return a listener, and it belongs to the agent at `listenerPath`.
    pub notify: bool,
    /// What the profile asks for and does not get, each with its field.
    pub warnings: Vec<Error>,
}

/// The architecture of this program, for what cannot be done without its table.
pub fn native() -> Result<Arch> {
    Arch::native().ok_or_else(|| {
        Error::new("there is no table of system calls for this processor").kind(Kind::Unsupported)
    })
}

/// Compiles a profile for a machine of the architecture `native` whose kernel has the filter flags `supported`
/// ([`flags_of_kernel`]). `None`: the profile says nothing at all, there is no filter to load.
///
/// Errors: unknown words, impossible combinations (config-linux.md, Seccomp), flags that the kernel lacks, a filter
/// that would be too long. Unknown system calls are warnings: profiles are written for many kernels.
pub fn compile(seccomp: &Seccomp, native: Arch, supported: u32) -> Result<Option<Filter>> {
    if seccomp.default_action.is_empty() && seccomp.syscalls.is_empty() {
        return Ok(None);
    }
    let profile = profile::read(seccomp, native, supported)?;
    let Some(program) = sections::write(&profile) else {
        let reason =
            format!("the filter would have more than {LONGEST} instructions, the most that the kernel takes");
        let remedy = "use fewer rules with conditions, or fewer architectures";
        return Err(Error::new(reason).kind(Kind::Config).field("/linux/seccomp/syscalls").remedy(remedy));
    };
    let mut flags = profile.flags;
    if profile.notify {
        flags |= libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32;
        if flags & libc::SECCOMP_FILTER_FLAG_TSYNC as u32 != 0 {
            // The two exclude each other unless a failing TSYNC returns an errno instead of a thread id.
            flags |= libc::SECCOMP_FILTER_FLAG_TSYNC_ESRCH as u32;
        }
    }
    Ok(Some(Filter {
        program,
        field: "/linux/seccomp",
        flags,
        notify: profile.notify,
        warnings: profile.warnings,
    }))
}
