//! The child's part of a plan: steps, encoded as init will read them, each with the field that it comes from.

use crate::names::HOOKS;
use crate::spec::Spec;
use crate::spec::locate::escaped;
use crate::sys;
use crate::wire::{Header, Point, Reader, Sink, Step, Strings, Wire};
use std::ffi::CString;
use std::os::fd::RawFd;

/// The part of `config.json` that a step comes from; its JSON pointer is made only when it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// None: the runtime adds it.
    None,
    Fixed(&'static str),
    Mount(usize),
    Device(usize),
    Namespace(usize),
    Masked(usize),
    Readonly(usize),
    Rlimit(usize),
    Hooks(HookKind),
    /// In the order of the keys.
    Sysctl(usize),
}

/// The kinds of hooks of a container in the making, in the order of their names; poststop's come from the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookKind {
    Prestart,
    CreateRuntime,
    CreateContainer,
    StartContainer,
    Poststart,
}

impl HookKind {
    /// As in config.json.
    pub fn name(self) -> &'static str {
        HOOKS[self as usize]
    }
}

impl Field {
    /// The JSON pointer, as in `/mounts/3`.
    pub fn pointer(self, spec: &Spec) -> Option<String> {
        Some(match self {
            Field::None => return None,
            Field::Fixed(pointer) => pointer.to_owned(),
            Field::Mount(i) => format!("/mounts/{i}"),
            Field::Device(i) => format!("/linux/devices/{i}"),
            Field::Namespace(i) => format!("/linux/namespaces/{i}"),
            Field::Masked(i) => format!("/linux/maskedPaths/{i}"),
            Field::Readonly(i) => format!("/linux/readonlyPaths/{i}"),
            Field::Rlimit(i) => format!("/process/rlimits/{i}"),
            Field::Hooks(hooks) => format!("/hooks/{}", hooks.name()),
            Field::Sysctl(i) => {
                let key = spec.linux().sysctl.keys().nth(i)?;
                format!("/linux/sysctl/{}", escaped(key))
            }
        })
    }
}

/// What init says by itself at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    Reached(Point),
    Spawned,
    Ready,
    Console,
    Listener,
}

impl Talk {
    fn of(step: &Step) -> Option<Talk> {
        Some(match step {
            Step::Sync { point } => Talk::Reached(*point),
            Step::Spawn { .. } => Talk::Spawned,
            Step::AwaitStart {} => Talk::Ready,
            Step::Console { .. } => Talk::Console,
            Step::Seccomp { notify: true, .. } => Talk::Listener,
            _ => return None,
        })
    }
}

/// Encoded steps and where they come from.
#[derive(Debug, Default)]
pub struct Script {
    bytes: Vec<u8>,
    origins: Vec<Field>,
    talks: Vec<(u32, Talk)>,
    holds_terminal: bool,
    confines: bool,
}

impl Script {
    pub fn push(&mut self, field: Field, step: Step) {
        self.holds_terminal |= matches!(step, Step::Console { held: true, .. });
        self.confines |= matches!(step, Step::Confine { .. });
        if let Some(talk) = Talk::of(&step) {
            self.talks.push((self.origins.len() as u32, talk));
        }
        step.put(&mut self.bytes);
        self.origins.push(field);
    }

    /// The conversation goes on over pipes.
    pub fn confines(&self) -> bool {
        self.confines
    }

    /// The process that spawns the one that goes on holds its terminal until that one takes it over.
    pub fn holds_terminal(&self) -> bool {
        self.holds_terminal
    }

    /// What init will say, and at which steps.
    pub fn talks(&self) -> &[(u32, Talk)] {
        &self.talks
    }

    /// With these steps before the first one that is `like` this.
    pub fn insert(self, more: Script, like: impl Fn(&Step) -> bool) -> Script {
        let Some(place) = self.steps().position(|(step, _)| like(&step)) else { return self };
        let (mut first, mut rest) = (Script::default(), Script::default());
        for (i, (step, field)) in self.steps().enumerate() {
            if i < place { first.push(field, step) } else { rest.push(field, step) }
        }
        first.append(more);
        first.append(rest);
        first
    }

    /// All of `after` comes after what is here.
    pub fn append(&mut self, after: Script) {
        let before = self.origins.len() as u32;
        self.talks.extend(after.talks.iter().map(|(step, talk)| (before + step, *talk)));
        self.holds_terminal |= after.holds_terminal;
        self.confines |= after.confines;
        self.bytes.extend_from_slice(&after.bytes);
        self.origins.extend_from_slice(&after.origins);
    }

    pub fn len(&self) -> usize {
        self.origins.len()
    }

    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// Step `number` and its origin.
    pub fn step(&self, number: usize) -> Option<(Step<'_>, Field)> {
        self.steps().nth(number)
    }

    /// All steps in order, each with its origin.
    pub fn steps(&self) -> impl Iterator<Item = (Step<'_>, Field)> {
        let mut from = Reader::new(&self.bytes);
        self.origins.iter().map_while(move |field| Some((Step::take(&mut from)?, *field)))
    }

    /// Where the steps come from, in their order.
    pub fn origins(&self) -> impl Iterator<Item = Field> {
        self.origins.iter().copied()
    }

    /// The memory file that init reads: the descriptors under the numbers that init has them, where it
    /// writes its times, then the steps.
    pub fn file(&self, descriptors: &[RawFd], times: RawFd) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + descriptors.len() * 4 + 16);
        self.put(descriptors, times, &mut out);
        out
    }

    pub(super) fn put(&self, descriptors: &[RawFd], times: RawFd, out: &mut Vec<u8>) {
        Header::put(descriptors, times, self.origins.len() as u32, out);
        out.bytes(&self.bytes);
    }
}

/// A list of strings in the making, for the steps that take one.
#[derive(Default)]
pub struct StringList {
    count: u32,
    bytes: Vec<u8>,
}

impl StringList {
    pub fn of<S: AsRef<str>>(strings: impl IntoIterator<Item = S>) -> StringList {
        let mut list = StringList::default();
        for string in strings {
            list.push(string.as_ref());
        }
        list
    }

    pub fn push(&mut self, string: &str) {
        self.count += 1;
        self.bytes.extend_from_slice(c(string).as_bytes_with_nul());
    }

    pub fn wire(&self) -> Strings<'_> {
        Strings { count: self.count, bytes: &self.bytes }
    }
}

/// `text` with a NUL at its end. Validation has refused a NUL inside; a text that has one becomes empty, never another name.
pub fn c(text: &str) -> CString {
    sys::c(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Handle;

    #[test]
    fn steps_come_back_as_they_were_pushed() {
        let options = StringList::of(["size=1k", "mode=755"]);
        let mount = Step::Filesystem(crate::wire::Filesystem {
            kind: c"tmpfs",
            source: c"tmpfs",
            target: c"/dev",
            options: options.wire(),
            strict: false,
            copy_up: false,
            modeless: false,
            label: c"",
            pidns: Handle::NONE,
            attributes: crate::wire::Attributes { set: 1, clear: 2, propagation: 3 },
        });
        let mut script = Script::default();
        script.push(Field::None, Step::Undumpable {});
        script.push(Field::Mount(4), mount);
        assert_eq!(script.step(1), Some((mount, Field::Mount(4))));
        assert_eq!(script.steps().count(), 2);
        assert_eq!(script.step(2), None);
    }

    #[test]
    fn a_plan_that_ends_early_is_no_step() {
        let mut script = Script::default();
        script.push(Field::None, Step::Hostname { name: crate::wire::Bytes(b"box") });
        for length in 0..script.bytes.len() {
            assert_eq!(Step::take(&mut Reader::new(&script.bytes[..length])), None);
        }
    }
}
