//! Limits as what a driver hands to the kernel: files of cgroup v1 and v2, a device program, exceptions of v1. Pure.

pub mod exceptions;
pub mod program;
pub mod v1;
pub mod v2;
pub mod write;

use super::limits::Limits;
use super::location::{Leg, Version};
use crate::error::Result;
use write::{IfAbsent, Write};

/// Each write with the place among `legs` of the hierarchy that it goes to. A hybrid host may have a controller on its v2
/// leg.
pub fn routed(limits: &Limits, legs: &[&Leg]) -> Result<Vec<(usize, Write)>> {
    let leg = |controller: &str| legs.iter().position(|leg| leg.has(controller));
    let unified = legs.iter().position(|leg| leg.version == Version::V2);
    if let (Some(unified), 1) = (unified, legs.len()) {
        return Ok(v2::files(limits).into_iter().map(|write| (unified, write)).collect());
    }
    let mut routed = Vec::new();
    let mut elsewhere = v2::files(limits);
    for write in v1::files(limits) {
        if let Some(leg) = leg(&write.controller) {
            routed.push((leg, write));
        } else if unified.is_none() || !elsewhere.iter().any(|w| w.field == write.field) {
            match write.if_absent {
                IfAbsent::Ignore => {}
                _ => return Err(write.no_controller()),
            }
        }
    }
    // v2 calls the block I/O controller by another name.
    let on_v1 = |controller: &str| leg(if controller == "io" { "blkio" } else { controller }).is_some();
    elsewhere.retain(|write| !on_v1(&write.controller));
    if let Some(unified) = unified {
        routed.extend(elsewhere.into_iter().map(|write| (unified, write)));
    }
    Ok(routed)
}
