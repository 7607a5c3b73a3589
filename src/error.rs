//! The one error type: what was being done, which field asked for it, why it failed, and the remedy.
//!
//! Lower layers build it with what they know; callers add what they know (`doing`, `field`). It is printed in
//! one place (`report`). Engines keep only the last line of our output, so everything fits on one line:
//! what was being done, the field and its value, the root cause, and the remedy in parentheses.

use std::borrow::Cow;
use std::fmt;

pub type Result<T> = std::result::Result<T, Error>;

/// What class of failure this is. Classes have fixed texts and exit codes that engines rely on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Anything without a class of its own.
    #[default]
    Other,
    /// `config.json` (or another JSON input) is wrong. Nothing was changed.
    Config,
    /// A command-line argument is wrong. Nothing was changed.
    Argument,
    /// There is no container of that id.
    NoSuchContainer,
    /// A container of that id exists.
    IdInUse,
    /// The container is not in a state that allows the command.
    WrongState,
    /// The container is in the state that was asked for.
    AlreadySo,
    /// The program to run is not there.
    NotFound,
    /// The program to run is there and cannot be executed.
    NotExecutable,
    /// A signal has asked the command to end.
    Interrupted,
    /// Another process was faster: once more may succeed.
    Taken,
    /// This host cannot do what was asked.
    Unsupported,
}

/// A failure, or a warning. Build with [`Error::new`] or [`Error::os`], then add what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Detail>);

/// The parts of an [`Error`]; absent parts are not printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    pub kind: Kind,
    /// What was being done, outermost first ("creating container \"web\"", "mounting /proc").
    pub doing: Vec<Cow<'static, str>>,
    /// JSON pointer into config.json ("/mounts/3/source"), or an argument's name ("--bundle").
    pub field: Option<String>,
    /// The value that the field has.
    pub value: Option<String>,
    /// Why it failed: lower case, without a full stop.
    pub reason: Cow<'static, str>,
    pub errno: Option<i32>,
    /// What the reader can do about it.
    pub remedy: Option<Cow<'static, str>>,
    /// Further problems of the same input, each complete in itself.
    pub others: Vec<Error>,
}

impl Error {
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Error {
        Error(Box::new(Detail { reason: reason.into(), ..Detail::default() }))
    }

    /// An argument that is refused: an option, or what else the caller gave, and its value.
    pub fn argument(
        field: impl Into<String>,
        value: impl fmt::Display,
        reason: impl Into<Cow<'static, str>>,
    ) -> Error {
        Error::new(reason).kind(Kind::Argument).field(field).value(value)
    }

    /// A system call that failed: `what` names the call and its object ("open /x").
    pub fn os(what: impl Into<Cow<'static, str>>, errno: i32) -> Error {
        let mut error = Error::new(what);
        error.0.errno = Some(errno);
        error
    }

    /// Like [`Error::os`] with an `io::Error`.
    pub fn io(what: impl Into<Cow<'static, str>>, source: &std::io::Error) -> Error {
        match source.raw_os_error() {
            Some(errno) => Error::os(what, errno),
            None => Error::new(format!("{}: {source}", what.into())),
        }
    }

    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Error {
        self.0.kind = kind;
        self
    }

    /// Adds an outer activity.
    #[must_use]
    pub fn doing(mut self, what: impl Into<Cow<'static, str>>) -> Error {
        self.0.doing.insert(0, what.into());
        self
    }

    /// The error of work that is called this and comes from this field. Where it does not say what was being done it gets
    /// the words, and the field where it names none. An error with a class of its own is complete.
    #[must_use]
    pub fn during(self, words: String, pointer: Option<String>) -> Error {
        let d = &*self.0;
        if d.kind != Kind::Other {
            return self;
        }
        // A call that failed names itself: for the value of a field that is enough.
        let called = d.errno.is_some() && d.field.is_some();
        let same = d.reason.starts_with(&words) || words.starts_with(&*d.reason);
        let says = called || same || !d.doing.is_empty();
        let error = if says { self } else { self.doing(words) };
        error.field_if(pointer)
    }

    /// Names the field, unless a deeper layer has named it already.
    #[must_use]
    pub fn field(mut self, pointer: impl Into<String>) -> Error {
        self.0.field.get_or_insert_with(|| pointer.into());
        self
    }

    /// The same where there is a field to name.
    #[must_use]
    pub fn field_if(self, pointer: Option<impl Into<String>>) -> Error {
        match pointer {
            Some(pointer) => self.field(pointer),
            None => self,
        }
    }

    /// Takes `prefix` away from the pointer: it goes into a file that is only this part of a config.
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Error {
        if let Some(rest) = self.0.field.as_deref().and_then(|field| field.strip_prefix(prefix)) {
            self.0.field = Some(rest.to_owned()).filter(|rest| !rest.is_empty());
        }
        self
    }

    #[must_use]
    pub fn value(mut self, value: impl fmt::Display) -> Error {
        self.0.value.get_or_insert_with(|| value.to_string());
        self
    }

    /// The same where one is known.
    #[must_use]
    pub fn remedy_if(self, remedy: Option<impl Into<Cow<'static, str>>>) -> Error {
        match remedy {
            Some(remedy) => self.remedy(remedy),
            None => self,
        }
    }

    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Error {
        self.0.remedy.get_or_insert_with(|| remedy.into());
        self
    }

    /// Another name for every field, given its present one: what a caller's reader calls it.
    #[must_use]
    pub fn rename_field(self, rename: impl Fn(&str) -> Option<String>) -> Error {
        self.each(&|problem| {
            if let Some(name) = problem.field.as_deref().and_then(&rename) {
                problem.field = Some(name);
            }
        })
    }

    /// For a program that is called by another name: commands in remedies (`rruntime spec`) get that name.
    #[must_use]
    pub fn called(self, name: &str) -> Error {
        self.each(&|problem| {
            if let Some(remedy) = &mut problem.remedy {
                *remedy = remedy.replace("`rruntime ", &format!("`{name} ")).into();
            }
        })
    }

    /// Adds an inner activity, next to the field.
    #[must_use]
    pub fn saying(mut self, what: impl Into<Cow<'static, str>>) -> Error {
        self.0.doing.push(what.into());
        self
    }

    /// Changes every problem of this error.
    #[must_use]
    pub fn each(mut self, change: &impl Fn(&mut Detail)) -> Error {
        change(&mut self.0);
        self.0.others = self.0.others.into_iter().map(|other| other.each(change)).collect();
        self
    }

    /// One error out of several problems of the same input; `None` if there are none.
    pub fn all(mut problems: Vec<Error>) -> Option<Error> {
        let others = problems.split_off(problems.len().min(1));
        let mut first = problems.pop()?;
        first.0.others = others;
        Some(first)
    }

    /// Its problems one by one.
    pub fn apart(mut self) -> Vec<Error> {
        let others = std::mem::take(&mut self.0.others);
        std::iter::once(self).chain(others).collect()
    }

    pub fn detail(&self) -> &Detail {
        &self.0
    }
}

/// `field` in front, then the value, the reason, the errno, the remedy: one line.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let d = &*self.0;
        for doing in &d.doing {
            write!(f, "{doing}: ")?;
        }
        for other in &d.others {
            write!(f, "{other}; ")?;
        }
        f.write_str(&d.problem())?;
        if let Some(remedy) = d.remedy() {
            write!(f, " ({remedy})")?;
        }
        Ok(())
    }
}

impl Detail {
    /// The field, its value, and the root cause.
    pub fn problem(&self) -> String {
        let cause = self.cause();
        let subject = match (&self.field, &self.value) {
            (Some(field), Some(value)) => format!("{field} = {value:?}"),
            (Some(field), None) => field.clone(),
            (None, Some(value)) => format!("{value:?}"),
            (None, None) => return cause.into_owned(),
        };
        sentence(&subject, &cause)
    }

    /// What the reader can do about it. A call that this kernel does not have is known by its errno alone: kernels that are
    /// old enough to lack one are refused by their version, so something keeps this one from us.
    pub fn remedy(&self) -> Option<&str> {
        const LACKS: &str = "Linux 5.12 or newer has this call: a seccomp filter around the runtime may refuse it, or this kernel was built without it";
        let own = self.remedy.as_deref();
        let explains = |remedy: &str| remedy.contains("Linux") || remedy.contains("kernel");
        if self.errno == Some(libc::ENOSYS) && !own.is_some_and(explains) { Some(LACKS) } else { own }
    }

    /// The root cause alone: the reason, with the system's word for the errno.
    pub fn cause(&self) -> Cow<'_, str> {
        let Some(errno) = self.errno else { return Cow::Borrowed(&self.reason) };
        // What sys::file calls SILENT.
        if errno == libc::ETIME {
            return Cow::Owned(format!(
                "{}: it is a pipe that nothing has been written to in time",
                self.reason
            ));
        }
        let text = std::io::Error::from_raw_os_error(errno).to_string();
        let text = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
        Cow::Owned(format!("{}: {text}", self.reason))
    }
}

/// A text that begins with a verb goes on from its subject; any other stands behind a colon.
pub fn sentence(subject: &str, text: &str) -> String {
    const VERBS: [&str; 16] = [
        "applies",
        "belongs",
        "cannot",
        "conflicts",
        "contains",
        "contradicts",
        "covers",
        "does",
        "duplicates",
        "has",
        "is",
        "lacks",
        "must",
        "names",
        "needs",
        "stands",
    ];
    let verb = text.split(' ').next().unwrap_or_default();
    let joint = if VERBS.contains(&verb) { "" } else { ":" };
    format!("{subject}{joint} {text}")
}

impl std::error::Error for Error {}

/// Adds a field to a `Result`.
pub trait Context<T> {
    fn at(self, pointer: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn at(self, pointer: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| e.field(pointer()))
    }
}
