//! A process that outlives rruntime, should that be killed between CRIU's first word of the container and the comparison:
//! to CRIU the end of its socket then means "go on". The guard holds the socket open until it has killed both.

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
    pub fn start(
        first: BorrowedFd,
        criu: BorrowedFd,
        socket: BorrowedFd,
        waits: &Rc<Waits>,
    ) -> Result<Guard> {
        // The first three are init's own.
        let script = plan::guard(Handle(3), Handle(4));
        let handles = [-1, -1, -1, first.as_raw_fd(), criu.as_raw_fd(), socket.as_raw_fd()];
        let init = birth::start(birth::Start::of(&script, &handles, waits))?;
        Ok(Guard { init, script })
    }

    pub fn release(mut self) -> Result<()> {
        self.init.say(Word::Go)?;
        let ended = service::await_program(&mut self.init, &self.script, &Spec::default(), &|_| ());
        self.init.end();
        ended
    }
}
