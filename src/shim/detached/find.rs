//! What is known of a container that runs, or of one that is gone.

use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::shim::detached::Place;
use crate::state::{id, store::no_such_container};
use crate::sys::poll;
use crate::sys::wait::Ended;
use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::Duration;

/// How long a shim without its keeper is given to write the exit status.
const LOOKS: u32 = 20;
const LOOK: Duration = Duration::from_millis(100);

/// The place of this container; `None`: it has no shim of ours. What an earlier container of the id has left is not its.
pub fn find(engine: &Engine, id: &str) -> Result<Option<Place>> {
    id::check(id)?;
    let place = Place::of(engine.store.path(), id);
    match engine.first_process(id) {
        Ok(first) => {
            let is_its = match place.process() {
                Some(process) => Some(process) == first,
                // It is being made.
                None => place.keeper().is_some(),
            };
            Ok(is_its.then_some(place))
        }
        Err(error) if error.detail().kind == Kind::NoSuchContainer => {
            let remembered = place.about()?.is_some();
            if remembered { Ok(Some(place)) } else { Err(no_such_container(id)) }
        }
        Err(error) => Err(error),
    }
}

/// For what needs the shim.
pub fn of_shim(engine: &Engine, id: &str) -> Result<Place> {
    find(engine, id)?.ok_or_else(|| {
        Error::new("the container has no shim: its streams are those of the command that started it")
            .kind(Kind::WrongState)
            .value(id)
            .remedy("start it with `rruntime run --detach --log-output FILE`")
    })
}

/// Waits for the end of the container, which may be gone, and returns its exit code, or 128 + the signal.
pub fn wait(engine: &Engine, id: &str) -> Result<i32> {
    let Some(place) = find(engine, id)? else { return engine.await_end(id).map(Ended::code) };
    if let Some(code) = place.exit()? {
        return Ok(code);
    }
    // One that has ended meanwhile has left its word.
    if let Some(pidfd) = place.keeper().and_then(|keeper| keeper.open().ok()) {
        poll::readable(pidfd.as_fd(), None).map_err(|e| e.because("poll"))?;
    }
    if let Some(code) = place.exit()? {
        return Ok(code);
    }
    // The keeper was killed. Its shim goes on, if that was not.
    let ended = engine.await_end(id).map(Ended::code);
    let gone = ended.as_ref().is_err_and(|error| error.detail().kind == Kind::NoSuchContainer);
    let looks = if gone { 1 } else { LOOKS };
    for _ in 0..looks {
        sleep(LOOK);
        if let Some(code) = place.exit()? {
            return Ok(code);
        }
    }
    if gone {
        return Err(Error::new("the exit status of the container is lost: its shim was killed")
            .kind(Kind::WrongState)
            .value(id));
    }
    ended
}
