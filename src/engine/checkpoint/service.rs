//! The talk with CRIU: `criu swrk 3`, one request and its response; between them CRIU reports where it is and waits.

use crate::criu::log;
use crate::criu::messages::{Kind, Notify, Request, Response, Version};
use crate::engine::checkpoint::images::Images;
use crate::engine::child::init::Init;
use crate::engine::child::message::{Heard, out_of_turn};
use crate::engine::child::{birth, diagnose};
use crate::engine::{Call, Waits};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::host::survey;
use crate::plan::{Script, criu as plan};
use crate::spec::Spec;
use crate::sys::{Errno, socket, wait};
use crate::wire::Word;
use prost::Message;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// A message of CRIU's is a few hundred bytes.
const LONGEST: usize = 64 * 1024;
/// The oldest that has all that is asked of it.
const OLDEST: (i32, i32) = (3, 16);

/// Our end of the talk with a CRIU at work.
pub struct Service {
    socket: OwnedFd,
    pid: i32,
}

/// What CRIU is started with, besides its script.
pub struct Start<'a> {
    pub birth: birth::Start<'a>,
    /// What it gets as 4, 5, …
    pub given: &'a [BorrowedFd<'a>],
}

/// The program, by PATH as under runc.
pub fn program() -> Result<String> {
    let missing = || {
        Error::new("criu is not in PATH")
            .kind(ErrorKind::Unsupported)
            .remedy("install criu 4.2 or newer (criu.org), which writes and reads checkpoints")
    };
    let found = survey::program("criu").ok_or_else(missing)?;
    // A link to it may lie where its mount table shows nothing.
    let found =
        std::fs::canonicalize(&found).map_err(|e| Error::io("find criu", &e).value(found.display()))?;
    if found.starts_with("/tmp") {
        return Err(Error::new("criu lies below /tmp, which is its own while it restores")
            .kind(ErrorKind::Unsupported)
            .value(found.display())
            .remedy("install it elsewhere, and have PATH lead there"));
    }
    found
        .into_os_string()
        .into_string()
        .map_err(|path| Error::new("the path of criu is not UTF-8").value(path.display()))
}

/// CRIU's environment is ours: it reads configuration of the administrator's, and calls programs by PATH. A lock of
/// iptables would be in a directory that is read-only for it.
pub fn environment() -> Vec<String> {
    let ours = std::env::vars_os().filter_map(|(name, value)| {
        Some(format!("{}={}", name.into_string().ok()?, value.into_string().ok()?))
    });
    ours.chain(["XTABLES_LOCKFILE=/tmp/xtables.lock".to_owned()]).collect()
}

impl Service {
    /// Starts it, with the steps before its program in `script`.
    pub fn start(mut script: Script, start: Start) -> Result<(Service, Init, Script)> {
        let (ours, theirs) = socket::pair().map_err(|e| e.because("socketpair"))?;
        let given = [&[theirs.as_fd()][..], start.given].concat();
        plan::program(&program()?, &environment(), given.len() as u32, &mut script);
        let birth = birth::Start { script: &script, given: &given, ..start.birth };
        let process = birth::start(birth)?;
        let pid = process.process().pid;
        Ok((Service { socket: ours, pid }, process, script))
    }

    /// A copy of our end: as long as one is open CRIU waits.
    pub fn copy(&self) -> Result<OwnedFd> {
        self.socket.try_clone().map_err(|e| Error::io("copy a descriptor", &e))
    }

    /// Asks for one thing; `None` where CRIU ends without an answer. `hear` does the runtime's part where CRIU waits for it;
    /// what it returns as an error ends the work, and is the error of it.
    pub fn ask(
        &self,
        request: &Request,
        waits: &Waits,
        hear: &mut dyn FnMut(&Notify, Option<OwnedFd>) -> Result<()>,
    ) -> Result<Option<Response>> {
        self.send(request)?;
        let mut refused = None;
        loop {
            waits.wait(&[self.socket.as_fd()], self.pid)?;
            let mut buffer = vec![0; LONGEST];
            let (length, passed) = match socket::receive_now(self.socket.as_fd(), &mut buffer) {
                Err(Errno(libc::EAGAIN)) => continue,
                other => other.map_err(|e| e.because("receive from criu"))?,
            };
            if length == 0 {
                return refused.map_or(Ok(None), Err);
            }
            let response = Response::decode(&buffer[..length])
                .map_err(|e| Error::new(format!("criu sent a message that is none of its RPC: {e}")))?;
            let Some(notify) =
                response.notify.as_ref().filter(|_| response.kind == Some(Kind::Notify as i32))
            else {
                return refused.map_or(Ok(Some(response)), Err);
            };
            let done = hear(notify, passed);
            let answer = Request { notify_success: Some(done.is_ok()), ..Request::of(Kind::Notify) };
            // Of several errors the first is the cause.
            refused = refused.or(done.err());
            self.send(&answer)?;
        }
    }

    fn send(&self, request: &Request) -> Result<()> {
        match socket::send(self.socket.as_fd(), &request.encode_to_vec(), &[]) {
            // Its end of the socket says so next, behind what it has said.
            Err(Errno(libc::EPIPE | libc::ECONNRESET)) => Ok(()),
            other => other.map_err(|e| e.because("send to criu")),
        }
    }

    /// Nothing more is asked: it ends by itself, or takes back what it has begun. `false` where it had to be killed.
    pub fn finish(self, process: &Init, waits: &Waits) -> Result<bool> {
        drop(self.socket);
        let child = process.process();
        if waits.end_of(child.pidfd.as_fd(), child.pid)? {
            // Another part of this program may have fetched its exit code.
            let _ = wait::reap(child.pidfd.as_fd());
            return Ok(true);
        }
        process.end();
        Ok(false)
    }
}

/// Follows init until it has become CRIU.
pub fn await_program(process: &mut Init, script: &Script, spec: &Spec, warn: &dyn Fn(Error)) -> Result<()> {
    loop {
        let explained = |trouble| diagnose::explain(script, &trouble, spec);
        match process.hear()? {
            Heard::Closed => return Ok(()),
            Heard::Failed(trouble) => return Err(explained(trouble).doing("start criu")),
            Heard::Warned(trouble) => warn(explained(trouble)),
            Heard::Link(_) => process.say(Word::Go)?,
            _ => return Err(out_of_turn()),
        }
    }
}

/// A request to a CRIU of its own, without a container around it.
pub fn talk(
    request: &Request,
    waits: &Rc<Waits>,
    warn: &dyn Fn(Error),
    hear: &mut dyn FnMut(&Notify, Option<OwnedFd>) -> Result<()>,
) -> Result<Option<Response>> {
    let empty = Script::default();
    let birth = birth::Start::of(&empty, &[-1; 3], waits);
    let (service, mut process, script) = Service::start(Script::default(), Start { birth, given: &[] })?;
    await_program(&mut process, &script, &Spec::default(), warn)?;
    let response = service.ask(request, waits, hear);
    service.finish(&process, waits)?;
    response
}

/// One question, which no point of its work comes before.
pub fn question(request: &Request, waits: &Rc<Waits>) -> Result<Response> {
    let response = talk(request, waits, &|_| (), &mut |_, _| Ok(()))?;
    response.ok_or_else(|| Error::new("criu ended without an answer"))
}

/// Refuses one that is too old.
pub fn check_version(waits: &Rc<Waits>) -> Result<()> {
    let response = question(&Request::of(Kind::Version), waits)?;
    let Version { major, minor, .. } = response.version.unwrap_or_default();
    if (major, minor) >= OLDEST {
        return Ok(());
    }
    let (major_needed, minor_needed) = OLDEST;
    let oldest = format!("it must be {major_needed}.{minor_needed} or newer");
    Err(Error::new(format!("criu {major}.{minor} is too old: {oldest}"))
        .kind(ErrorKind::Unsupported)
        .value(program()?)
        .remedy("install criu 4.2 or newer, and see that PATH finds it first"))
}

/// The error where CRIU failed. The end of its log is reported first; what CRIU says there is the cause.
pub fn failed(call: &Call, images: &Images, response: Option<&Response>) -> Error {
    let log = images.log().unwrap_or_default();
    let path = images.log_path();
    for line in log::tail(&log) {
        call.warn(Error::new(line.to_owned()).doing(path.clone()));
    }
    let said = log::cause(&log).or_else(|| response.and_then(|response| response.message.as_deref()));
    let errno = response.and_then(|response| response.errno).filter(|errno| *errno != 0);
    let error = match (said, errno, response) {
        (Some(said), ..) => Error::new(format!("criu: {said}")),
        (None, Some(errno), _) => Error::os("criu", errno),
        (None, None, Some(_)) => Error::new("criu failed, and its log does not say why"),
        (None, None, None) => Error::new("criu ended without an answer"),
    };
    error.remedy_if(log::remedy(&log)).remedy(format!("see {path}"))
}
