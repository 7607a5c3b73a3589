//! Looking for something with the rights of the container's user, before this process has become that user.
//!
//! For a file system the user is the fsuid, the fsgid and the supplementary groups; away from fsuid 0 the kernel takes the
//! capabilities that pass over permissions, and gives them back with it. Root without these capabilities has the id, so
//! there they are taken by hand.

use crate::Init;
use crate::control::{Fail, In, Outcome};
use crate::sys::{self, Errno};
use crate::wire::{Part, Searcher};

/// CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
const PASS_OVER: u64 = 1 << 1 | 1 << 2;

impl<'a> Init<'a> {
    /// Does `work` with the rights of `user`; what it makes (`as_root`) is root's.
    pub fn searching<T>(&mut self, user: Searcher<'a>, work: impl FnOnce(&Self) -> Outcome<T>) -> Outcome<T> {
        if user.anywhere {
            return work(self);
        }
        if !user.keep_groups {
            // They stay: the step that sets them comes later, and sets the same.
            sys::setgroups(user.groups.0).part(Part::Setgroups)?;
        }
        self.searcher = Some(user);
        let outcome = become_searcher(user).and_then(|()| work(self));
        self.searcher = None;
        become_root(user)?;
        outcome
    }

    /// One call that changes something, in the middle of `searching`.
    pub fn as_root<T>(&self, call: impl FnOnce() -> sys::Sys<T>) -> Outcome<sys::Sys<T>> {
        let Some(user) = self.searcher else { return Ok(call()) };
        become_root(user)?;
        let done = call();
        become_searcher(user)?;
        Ok(done)
    }
}

fn become_searcher(user: Searcher) -> Outcome<()> {
    change(user.uid, user.gid)?;
    pass_over(user, |effective, _| effective & !PASS_OVER)
}

fn become_root(user: Searcher) -> Outcome<()> {
    change(0, 0)?;
    pass_over(user, |effective, permitted| effective | permitted & PASS_OVER)
}

/// Sets what is effective, for root alone, from what is effective and permitted.
fn pass_over(user: Searcher, set: impl FnOnce(u64, u64) -> u64) -> Outcome<()> {
    if user.uid == 0 {
        let (effective, permitted, inheritable) = sys::capget().part(Part::Capset)?;
        sys::capset(set(effective, permitted), permitted, inheritable).part(Part::Capset)?;
    }
    Ok(())
}

fn change(uid: u32, gid: u32) -> Outcome<()> {
    sys::setfsgid(gid);
    sys::setfsuid(uid);
    // The calls say what was before, and nothing of a failure.
    if (sys::setfsgid(gid), sys::setfsuid(uid)) != (gid, uid) {
        return Err(Fail(Part::Setuid, Errno(libc::EINVAL)));
    }
    // Another fsuid may make us dumpable (fs.suid_dumpable=1).
    sys::set_dumpable(false).part(Part::Prctl)
}
