//! The shim proper: conmon's loop, with a container that a maker of the caller's makes.

use crate::error::{Error, Result};
use crate::shim::conmon::runtime::Maker;
use crate::shim::conmon::serve;
use crate::shim::detached::Place;

/// Returns when the container has ended and everything is told.
pub fn serve(place: &Place, maker: Box<dyn Maker>) -> Result<()> {
    place.write_keeper()?;
    let unknown = || Error::new(format!("{} says nothing of the container", place.path.display()));
    let about = place.about()?.ok_or_else(unknown)?;
    let served = serve::serve(about.options(&place.id, &place.path)?, Some(maker));
    if served.is_ok() && place.exit()?.is_none() {
        // Nothing was made. The command removes it too, if that still runs.
        let _ = place.remove();
    }
    served
}
