//! A process that outlives rruntime, should that be killed between CRIU's first word of the container and the comparison:
//! to CRIU the end of its socket then means "go on". The guard holds the socket open until it has killed both.
//!
//! Without a pid namespace of their own the other processes outlive the first one, and CRIU's end lets them go on. Guards of
//! theirs hold open what the first guard hears rruntime by: it kills the first process and CRIU when they have killed.

use crate::engine::Waits;
use crate::engine::checkpoint::service;
use crate::engine::child::birth;
use crate::engine::child::init::Init;
use crate::error::Result;
use crate::plan::{Script, criu as plan};
use crate::spec::Spec;
use crate::wire::{Handle, Word};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::rc::Rc;

pub struct Guard {
    init: Init,
    script: Script,
}

impl Guard {
    /// Kills these two in this order, and holds `held` open until then.
    pub fn start(kills: [BorrowedFd; 2], held: BorrowedFd, waits: &Rc<Waits>) -> Result<Guard> {
        // The first three are init's own.
        let script = plan::guard(Handle(3), Handle(4));
        let [first, second] = kills.map(|pidfd| pidfd.as_raw_fd());
        let handles = [-1, -1, -1, first, second, held.as_raw_fd()];
        let init = birth::start(birth::Start::of(&script, &handles, waits))?;
        Ok(Guard { init, script })
    }

    /// One that kills before this one.
    pub fn behind(&self, kills: [BorrowedFd; 2], waits: &Rc<Waits>) -> Result<Guard> {
        Guard::start(kills, self.init.control(), waits)
    }

    pub fn release(mut self) -> Result<()> {
        self.init.say(Word::Go)?;
        let ended = service::await_program(&mut self.init, &self.script, &Spec::default(), &|_| ());
        self.init.end();
        ended
    }
}
