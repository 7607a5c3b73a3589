//! What the engine reports while it works, beside what it returns: values for a caller to word, to log, or to ignore.
//!
//! A caller that has many containers gives each its own observer: a clone of the engine with another watch.

use crate::engine::hold::Hold;
use crate::error::Error;
use crate::plan::Script;
use crate::plan::deeds::Deed;
use crate::report::Log;
use crate::spec::Spec;
use crate::sys::launch::Child;
use crate::wire::Step;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What happened.
pub enum Event<'a> {
    /// Something that the caller should know, and that does not end the call.
    Warning(&'a Error),
    /// What the call waits for cannot go on.
    Held { pid: i32, hold: Hold },
    /// What is about to be done.
    Planned(Planned<'a>),
    /// The master of an exec's terminal, which the caller gets with what is started.
    Terminal(BorrowedFd<'a>),
    /// The process of an exec is about to be told to become its program. `word` and `answer` are our ends of the two pipes
    /// to it: what holds them when this process is gone keeps it waiting, and can say the word ([`release`]).
    ///
    /// [`release`]: crate::engine::release
    Releasing { process: &'a Child, word: BorrowedFd<'a>, answer: BorrowedFd<'a> },
    /// A deed was done, that of this place in [`Planned::deeds`], or has `failed`: when it began, and how long it took.
    /// Heard by a watch `with_times`.
    Done { of: Planned<'a>, number: usize, began: Instant, took: Duration, failed: Option<&'a Error> },
    /// Likewise of work that is no deed.
    Span { span: Span<'a>, began: Instant, took: Duration, failed: Option<&'a Error> },
    /// An init was started, with this number. If a plan's deed does that, it is told next.
    Born { init: i32 },
    /// That init is behind the step of this place in [`Planned::steps`]; those of one that waits for start are told when
    /// this call itself starts it.
    StepDone { init: i32, number: usize, began: Instant, took: Duration, end: End },
}

/// Work that is no deed: what comes before there is a plan, or a part of a deed.
#[derive(Clone, Copy)]
pub struct Span<'a> {
    pub name: &'static str,
    /// Of config.json, and what it says there; both may be empty.
    pub field: &'a str,
    pub value: &'a str,
}

impl Span<'_> {
    pub fn of(name: &'static str) -> Span<'static> {
        Span { name, field: "", value: "" }
    }
}

/// How a step has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Done,
    /// With this errno.
    Failed(i32),
    /// With init itself: that is the purpose of a plan's last step alone.
    Ended,
}

/// Hears events, on the thread of the call that they are of.
pub type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

/// Writes the warnings to a log, and hears nothing else.
pub fn warnings_to(log: Arc<Log>) -> Observer {
    Arc::new(move |event| {
        if let Event::Warning(warning) = event {
            log.warn(warning);
        }
    })
}

/// A plan: the host's half, and init's where the command starts one.
#[derive(Clone, Copy)]
pub struct Planned<'a> {
    /// What it is a plan of.
    pub name: &'static str,
    pub(in crate::engine) deeds: &'a [Deed<'a>],
    pub(in crate::engine) script: Option<&'a Script>,
    pub(in crate::engine) spec: &'a Spec<'a>,
}

impl<'a> Planned<'a> {
    /// Deeds alone.
    pub(in crate::engine) fn of(
        name: &'static str,
        deeds: &'a [Deed<'a>],
        spec: &'a Spec<'a>,
    ) -> Planned<'a> {
        Planned { name, deeds, script: None, spec }
    }

    pub fn deed(&self, number: usize) -> Option<(Deed<'a>, Option<String>)> {
        self.deeds.get(number).map(|deed| (*deed, deed.field().pointer(self.spec)))
    }

    /// What rruntime does on the host's side, in order, each with the field of `config.json` that it comes from.
    pub fn deeds(&self) -> impl Iterator<Item = (Deed<'a>, Option<String>)> {
        self.deeds.iter().map(|deed| (*deed, deed.field().pointer(self.spec)))
    }

    /// What init does, likewise: an error names a step by its place here.
    pub fn steps(&self) -> impl Iterator<Item = (Step<'_>, Option<String>)> {
        self.script.into_iter().flat_map(Script::steps).map(|(step, field)| (step, field.pointer(self.spec)))
    }
}
