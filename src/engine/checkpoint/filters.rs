//! Which seccomp filters the threads of a checkpoint had: each has one that stops all that the config's stops. The kernel
//! shows a thread's filters to its tracer alone, which is CRIU here, so the images are asked that CRIU loads them from.

use crate::criu::filters::{self, Filter};
use crate::engine::checkpoint::images::Images;
use crate::error::Result;
use crate::seccomp::{Instruction, raw, strict};

pub struct Filters<'a> {
    images: &'a Images,
    wanted: &'a [Instruction],
    known: Vec<Filter>,
    /// By their programs.
    strict: Vec<(Vec<u8>, bool)>,
}

impl<'a> Filters<'a> {
    pub fn of(images: &'a Images, wanted: &'a [Instruction]) -> Filters<'a> {
        // A thread of images without it has none, which the kernel shows.
        let image = images.read("seccomp.img").ok();
        let known = image.and_then(|image| filters::filters(&image)).unwrap_or_default();
        Filters { images, wanted, known, strict: Vec::new() }
    }

    /// Whether the thread with this number in the images has such a filter. The kernel does what the strictest says.
    pub fn holds(&mut self, thread: u64) -> Result<bool> {
        let image = self.images.read(&format!("core-{thread}.img"))?;
        let Some(newest) = filters::of_thread(&image) else { return Ok(false) };
        Ok(!newest.is_empty() && newest.into_iter().all(|number| self.is_strict(number)))
    }

    fn is_strict(&mut self, number: u32) -> bool {
        let mut at = Some(number);
        // A chain that is longer goes in a circle.
        for _ in 0..self.known.len() {
            let Some(filter) = at.and_then(|number| self.known.get(number as usize)) else { return false };
            let wanted = self.wanted;
            let known = self.strict.iter().find(|(program, _)| *program == filter.program);
            let is_strict = known.map(|(_, is_strict)| *is_strict).unwrap_or_else(|| {
                let program = raw::program(&filter.program);
                let is_strict = program.is_some_and(|given| strict::is_as_strict(&given, wanted));
                self.strict.push((filter.program.clone(), is_strict));
                is_strict
            });
            if is_strict {
                return true;
            }
            at = filter.previous;
        }
        false
    }
}
