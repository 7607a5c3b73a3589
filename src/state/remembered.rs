//! Numbers of the machine that take a while to find: a link beside the containers' directories, whose target is the number.
//! It says nothing by itself; the machine is asked whether it still holds.

use super::store::Store;
use crate::sys::{c, file};
use std::ffi::CStr;

impl Store {
    /// What was remembered by this name. No id has a colon.
    pub fn remembered(&self, name: &CStr) -> Option<i32> {
        let mut target = [0; 16];
        let target = file::readlinkat(self.root().ok()?, name, &mut target).ok()?;
        std::str::from_utf8(target).ok()?.parse().ok()
    }

    /// Remembers it in place of another.
    pub fn remember(&self, name: &CStr, number: i32) {
        let (Ok(root), Ok(target)) = (self.root(), c(number.to_string())) else { return };
        // Where this fails the number is found again.
        let _ = file::unlinkat(root, name, 0);
        // The same.
        let _ = file::symlinkat(&target, root, name);
    }
}
