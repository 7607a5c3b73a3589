//! A script as it stands in the state directory of a container that waits for start: what a later command knows of its
//! steps. It does not plan again to find out: another caller, other limits or another build would give other steps.
//!
//! ```text
//! line 1     {"format": …, "origins": […]}: for each step the JSON pointer of its field, or null
//! the rest   the script as init maps it, without descriptors
//! ```
//!
//! Steps are read only by a program with the same `format`, a digest of `init/src/wire`; the pointers mean the same to
//! every program.

use super::script::Script;
use crate::spec::{Spec, Text, load};
use crate::wire::{Header, Reader, Step, Wire};
use serde::{Deserialize, Serialize};

/// Which steps this program can read.
pub const FORMAT: &str = env!("RRUNTIME_WIRE_FORMAT");

#[derive(Serialize, Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    format: Text<'a>,
    #[serde(borrow)]
    origins: Vec<Option<Text<'a>>>,
}

/// What was kept of a script.
pub struct Kept<'a> {
    head: Head<'a>,
    /// Behind the header; absent where this program cannot read them.
    steps: Option<Reader<'a>>,
}

/// The file's bytes.
pub fn encode(script: &Script, spec: &Spec) -> Vec<u8> {
    let origins = script.origins().map(|field| field.pointer(spec).map(Text::from)).collect();
    let head = Head { format: Text::from(FORMAT), origins };
    let mut bytes = serde_json::to_vec(&head).expect("strings can always be encoded");
    bytes.push(b'\n');
    script.put(&[], -1, &mut bytes);
    bytes
}

/// `None` for damaged bytes.
pub fn decode(bytes: &[u8]) -> Option<Kept<'_>> {
    let (head, steps) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n')?);
    let head: Head = load::read(head).ok()?;
    let mut from = Reader::new(steps.get(1..)?);
    let readable = *head.format == *FORMAT && Header::take(&mut from)?.steps as usize == head.origins.len();
    Some(Kept { head, steps: readable.then_some(from) })
}

impl Kept<'_> {
    /// Step `number`, where it can be read, and the pointer of its field. `None` if there is no such step.
    pub fn step(&self, number: usize) -> Option<(Option<Step<'_>>, Option<&str>)> {
        let pointer = self.head.origins.get(number)?.as_deref();
        let step = self.steps.clone().and_then(|mut from| {
            for _ in 0..number {
                Step::take(&mut from)?;
            }
            Step::take(&mut from)
        });
        Some((step, pointer))
    }
}
