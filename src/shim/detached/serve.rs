//! The shim proper: conmon's loop, with a container that a maker of the caller's makes.

use crate::error::Result;
use crate::report::Log;
use crate::shim::conmon::runtime::Maker;
use crate::shim::conmon::serve;
use crate::shim::detached::{About, Place};
use std::sync::Arc;

/// Returns when the container has ended and everything is told.
pub fn serve(place: &Place, about: &About, maker: Box<dyn Maker>, log: Arc<Log>) -> Result<()> {
    let served = serve::serve(about.options(&place.id, &place.path)?, Some(maker), log);
    if served.is_ok() && place.process().is_none() {
        // Nothing was made. The command removes it too, if that still runs.
        let _ = place.remove();
    }
    served
}
