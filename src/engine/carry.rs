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
    for (number, &deed) in deeds.iter().enumerate() {
        let began = waits.watch.begins();
        let done = do_one(deed).map_err(|error| deed.failed(error, spec));
        if let Some(began) = began {
            let (took, failed) = (began.elapsed(), done.as_ref().err());
            waits.tell(&Event::Done { of: planned, number, began, took, failed });
        }
        done?;
        ledger.push(deed);
    }
    Ok(())
}
