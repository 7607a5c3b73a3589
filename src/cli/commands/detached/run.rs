//! `run --detach --log-output`: the command itself, and the same command line as the shim that goes on for it.

use crate::cli::arguments::integer;
use crate::cli::commands::create;
use crate::cli::session::Attended;
use crate::cli::{Arguments, Session, caller};
use crate::engine::{CreateOptions, Engine, Force, Observer, Started, Stop, Terminal};
use crate::error::{Error, Kind, Result};
use crate::shim::conmon::Options;
use crate::shim::detached::{About, Given, Maker, Place, Wanted, enter, serve as serve_shim, start};
use crate::state::store::id_in_use;
use crate::sys::{arguments, poll};
use nix::poll::{PollFd, PollFlags};
use std::env;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the shim of a container that could not be started may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a shim is to stay. Its options without it are refused.
pub fn is_asked_for(arguments: &Arguments) -> Result<bool> {
    let asked = arguments.values::<OsString>("log-output").next().is_some();
    let lacks = |option: &str, needed: &str| {
        Err(Error::new(format!("has no meaning without {needed}")).kind(Kind::Argument).field(option))
    };
    match asked {
        true if !arguments.switch("detach") => lacks("--log-output", "--detach"),
        false if arguments.given("log-size-max").is_some() => lacks("--log-size-max", "--log-output"),
        false if arguments.switch("stdin") => lacks("--stdin", "--log-output"),
        asked => Ok(asked),
    }
}

/// The command: returns when the container's program runs.
pub fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let options = create::parse(arguments)?;
    if matches!(options.terminal, Terminal::Socket(_)) {
        return Err(Error::new("conflicts with --log-output: the shim has the terminal")
            .kind(Kind::Argument)
            .field("--console-socket")
            .remedy("leave one of them out; `rruntime attach` reaches the shim's terminal"));
    }
    let Attended { engine, signals: _held } = session.engine_for_new()?;
    let id = &options.id;
    match engine.store.peek(id) {
        Ok(_) => return Err(id_in_use(id)),
        Err(error) if error.detail().kind == Kind::NoSuchContainer => {}
        Err(error) => return Err(error),
    }
    let directory = env::current_dir().map_err(|e| Error::io("find the working directory", &e))?;
    let about = About {
        logs: arguments.texts("log-output")?.into_iter().map(str::to_owned).collect(),
        log_size_max: size(arguments)?,
        terminal: engine.wants_terminal(&options)?,
        stdin: arguments.switch("stdin"),
        sockets: options.sockets.len(),
        directory: text(directory.into())?,
        ..About::default()
    };
    let given: Vec<BorrowedFd> = options.sockets.iter().chain(&options.preserve_fds).copied().collect();
    let words = words()?;
    let place = Place::of(engine.store.path(), id);
    let waits = engine.watch.waits();
    start(&place, Wanted { about, arguments: &words, given: &given }, &waits)?;
    match engine.start(id, options.notify_socket.as_deref()) {
        Ok(started) => {
            session.await_ready(&engine, id, started);
            Ok(0)
        }
        Err(error) => {
            match engine.delete(id, Force::Kill) {
                Ok(()) => forget(&place),
                Err(left) => session.log.warn(&left.doing("delete the container")),
            }
            Err(error)
        }
    }
}

fn size(arguments: &Arguments) -> Result<u64> {
    let Some(text) = arguments.text("log-size-max")? else { return Ok(0) };
    let number = integer(text).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| Error::argument("--log-size-max", text, "must be a number of bytes"))
}

/// Removes the place of a container that has never run: it has no end to ask for.
fn forget(place: &Place) {
    if let Some(keeper) = place.keeper().and_then(|keeper| keeper.open().ok()) {
        // One that does not end keeps the place until it does.
        let _ = poll::readable(keeper.as_fd(), Some(Instant::now() + PATIENCE));
    }
    // What stays is removed when the id is used again.
    let _ = place.remove();
}

/// This command line, which is that of the shim proper too.
fn words() -> Result<Vec<String>> {
    arguments::all().iter().cloned().map(text).collect()
}

fn text(word: OsString) -> Result<String> {
    word.into_string().map_err(|word| {
        Error::argument("argument", word.display(), "not UTF-8, which --log-output does not allow")
    })
}

/// The shim proper.
pub fn serve(session: &Session, arguments: &Arguments, about: &About) -> Result<i32> {
    let options = create::without_descriptors(arguments)?;
    let place = Place::of(&session.root_path(), &options.id);
    if place.process().is_some() {
        // It is made: all paths have served.
        enter(Path::new("/"))?;
    }
    let maker =
        CommandLine { session: session.clone(), options, sockets: about.sockets, place: place.clone() };
    serve_shim(&place, about, Box::new(maker), Arc::clone(&session.log)).map(|()| 0)
}

/// The container that the command line describes.
struct CommandLine {
    session: Session,
    options: CreateOptions<'static>,
    sockets: usize,
    place: Place,
}

impl Maker for CommandLine {
    fn make(&self, about: &Options, given: Given, _observer: Observer, again: bool) -> Result<Started> {
        let id = &self.options.id;
        let copy = |fd: BorrowedFd| fd.try_clone_to_owned().map_err(|e| Error::io("duplicate the pipe", &e));
        let stop = given.sync.map(copy).transpose()?.map(|pipe| Arc::new(Caller(pipe)) as Arc<dyn Stop>);
        let engine = self.session.engine_for_shim(stop)?;
        self.place.write_keeper()?;
        if again {
            engine.delete(id, Force::Kill)?;
        }
        let (sockets, preserved) = given.descriptors.split_at(self.sockets.min(given.descriptors.len()));
        let started = engine.create(&CreateOptions {
            terminal: about.terminal(),
            streams: given.streams,
            sockets: sockets.to_vec(),
            socket_names: if sockets.is_empty() { None } else { caller::text("LISTEN_FDNAMES")? },
            preserve_fds: preserved.to_vec(),
            ..self.options.clone()
        })?;
        let noted = match engine.first_process(id) {
            Ok(Some(process)) => self.place.write_process(process),
            other => other.map(drop),
        };
        // Nothing of the host's is held for as long as the container runs; all paths have served.
        if let Err(error) = noted.and_then(|()| enter(Path::new("/"))) {
            engine.delete(id, Force::Kill)?;
            return Err(error);
        }
        Ok(started)
    }

    fn engine(&self) -> Result<Engine> {
        self.session.engine_for_shim(None)
    }

    /// It would have been started by the command.
    fn unheard(&self, _about: &Options) -> Result<()> {
        Maker::engine(self)?.delete(&self.options.id, Force::Kill)
    }
}

/// The command that waits for the container, as the other end of a pipe.
struct Caller(OwnedFd);

impl Stop for Caller {
    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn reason(&self) -> Option<String> {
        let mut watched = [PollFd::new(self.0.as_fd(), PollFlags::empty())];
        let gone = poll::wait(&mut watched, Some(Instant::now())) == Ok(true);
        gone.then(|| "the end of the command that asked for it".to_owned())
    }
}
