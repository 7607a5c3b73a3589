//! `run --detach --log-output`: the command itself, and the same command line as the shim that goes on for it.

use crate::cli::arguments::integer;
use crate::cli::commands::create;
use crate::cli::session::Attended;
use crate::cli::{Arguments, Session, caller};
use crate::engine::{CreateOptions, Engine, Force, Observer, Started, Stop, Terminal};
use crate::error::{Error, Kind, Result};
use crate::shim::conmon::Options;
use crate::shim::detached::{About, Given, Maker, Place, Wanted, serve as serve_shim, start};
use crate::state::store::id_in_use;
use crate::sys::poll;
use nix::poll::{PollFd, PollFlags};
use std::env;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Whether a shim is to stay. Its options without it are refused.
pub fn is_asked_for(arguments: &Arguments) -> Result<bool> {
    let asked = arguments.values::<std::ffi::OsString>("log-output").next().is_some();
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
    let about = About {
        logs: arguments.texts("log-output")?.into_iter().map(str::to_owned).collect(),
        log_size_max: size(arguments)?,
        terminal: engine.wants_terminal(&options)?,
        stdin: arguments.switch("stdin"),
        ..About::default()
    };
    let given: Vec<BorrowedFd> = options.sockets.iter().chain(&options.preserve_fds).copied().collect();
    let words = words(options.sockets.len())?;
    let place = Place::of(engine.store.path(), id);
    let waits = engine.watch.waits();
    start(&place, Wanted { about, arguments: &words, given: &given }, &waits)?;
    match engine.start(id, options.notify_socket.as_deref()) {
        Ok(started) => {
            session.await_ready(&engine, id, started);
            Ok(0)
        }
        Err(error) => {
            if let Err(left) = engine.delete(id, Force::Kill) {
                session.log.warn(&left.doing("delete the container"));
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

/// This command line, as that of the shim proper.
fn words(sockets: usize) -> Result<Vec<String>> {
    let text = |word: std::ffi::OsString| {
        word.into_string().map_err(|word| {
            Error::argument("argument", word.display(), "not UTF-8, which --log-output does not allow")
        })
    };
    let directory = env::current_dir().map_err(|e| Error::io("find the working directory", &e))?;
    let mut words = env::args_os().map(text);
    let name = words.next().unwrap_or_else(|| Ok("rruntime".to_owned()))?;
    let own = ["--shim-proper".to_owned(), sockets.to_string(), "--shim-directory".to_owned()];
    let own = [name].into_iter().chain(own).chain([text(directory.into())?]);
    own.map(Ok).chain(words).collect()
}

/// The shim proper.
pub fn serve(session: &Session, arguments: &Arguments, sockets: usize) -> Result<i32> {
    let options = create::without_descriptors(arguments)?;
    let place = Place::of(&session.root_path(), &options.id);
    let maker = Command { session: session.clone(), options, sockets, place: place.clone() };
    serve_shim(&place, Box::new(maker)).map(|()| 0)
}

/// Makes a directory this process's own, where it is there: whoever opens something below one that has gone misses it.
#[expect(clippy::disallowed_methods, reason = "the shim of a command line is a process of its own")]
pub fn enter(directory: &Path) {
    // Ignored: see above.
    let _ = env::set_current_dir(directory);
}

/// The container that the command line describes.
struct Command {
    session: Session,
    options: CreateOptions<'static>,
    sockets: usize,
    place: Place,
}

impl Maker for Command {
    fn make(&self, about: &Options, given: Given, _observer: Observer, again: bool) -> Result<Started> {
        let id = &self.options.id;
        let copy = |fd: BorrowedFd| fd.try_clone_to_owned().map_err(|e| Error::io("duplicate the pipe", &e));
        let stop = given.sync.map(copy).transpose()?.map(|pipe| Arc::new(Caller(pipe)) as Arc<dyn Stop>);
        let engine = self.session.engine_for_shim(stop)?;
        if again {
            engine.delete(id, Force::Kill)?;
        }
        let (sockets, preserved) = given.descriptors.split_at(self.sockets.min(given.descriptors.len()));
        let (terminal, streams) = match about.terminal {
            true => (Terminal::Caller { like: None, output: None }, [None; 3]),
            false => (Terminal::None, given.streams),
        };
        let started = engine.create(&CreateOptions {
            terminal,
            streams,
            sockets: sockets.to_vec(),
            socket_names: if sockets.is_empty() { None } else { caller::text("LISTEN_FDNAMES")? },
            preserve_fds: preserved.to_vec(),
            ..self.options.clone()
        })?;
        if let Some(process) = engine.first_process(id)? {
            self.place.write_process(process)?;
        }
        // Nothing of the host's is held for as long as the container runs; all paths have served.
        enter("/".as_ref());
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
