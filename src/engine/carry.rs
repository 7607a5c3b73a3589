//! The loop that carries out deeds, of whichever command they are.

use crate::engine::Waits;
use crate::engine::event::{Event, Planned};
use crate::error::Result;
use crate::plan::deeds::Deed;

/// Tells the plan, then does its deeds one after the other, up to the first that fails. `ledger` gets those that were done.
pub fn carry_out<'d>(
    waits: &Waits,
    planned: Planned<'d>,
    ledger: &mut Vec<Deed<'d>>,
    do_one: &mut dyn FnMut(Deed<'d>) -> Result<()>,
) -> Result<()> {
    let Planned { deeds, spec, .. } = planned;
    waits.tell(&Event::Planned(planned));
    for &deed in deeds {
        waits.timed(deed, || do_one(deed)).map_err(|error| deed.failed(error, spec))?;
        ledger.push(deed);
    }
    Ok(())
}
