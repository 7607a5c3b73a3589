//! Landlock: what the process and all that come from it may do with files, however they are named or reached.
//!
//! A path is opened below the root like every other, with links followed inside of it. Where an image leads it says only
//! which of its own files the image's processes may use.

use crate::Init;
use crate::control::{Fail, In, NOT_OPEN, Outcome};
use crate::sys::{self, Errno, Fd};
use crate::wire::Part;
use core::ffi::CStr;

/// The rights that a file has that is no directory: execute, write, read, truncate, ioctl.
const OF_FILES: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15;

impl Init<'_> {
    pub fn make_ruleset(&mut self, handled: [u64; 3]) -> Outcome<()> {
        self.ruleset = Some(sys::landlock_create_ruleset(&handled).part(Part::Whole)?);
        Ok(())
    }

    fn open_ruleset(&self) -> Outcome<Fd> {
        self.ruleset.ok_or(NOT_OPEN)
    }

    pub fn allow_beneath(&self, path: &CStr, access: u64, optional: bool) -> Outcome<()> {
        let ruleset = self.open_ruleset()?;
        let found = match self.lookup(path) {
            Err(Errno(libc::ENOENT | libc::ENOTDIR)) if optional => return Ok(()),
            found => found.part(Part::Open)?,
        };
        let directory = sys::fstat(found).part(Part::Verify)?.kind() == libc::S_IFDIR;
        // The kernel refuses the rights of directories on a file, which has none of them.
        let access = if directory { access } else { access & OF_FILES };
        if access == 0 {
            return Err(Fail(Part::Whole, Errno(libc::ENOTDIR)));
        }
        sys::landlock_allow_beneath(ruleset, found, access).part(Part::Whole)?;
        self.close_unless_root(found);
        Ok(())
    }

    pub fn allow_port(&self, port: u64, access: u64) -> Outcome<()> {
        sys::landlock_allow_port(self.open_ruleset()?, port, access).part(Part::Whole)
    }

    pub fn restrict(&mut self) -> Outcome<()> {
        let ruleset = self.open_ruleset()?;
        sys::landlock_restrict_self(ruleset).part(Part::Whole)?;
        sys::close(ruleset);
        self.ruleset = None;
        Ok(())
    }
}
