//! Publishing events to containerd, in their order, one at a time: each is sent again until containerd has it.

use crate::shim::containerd::info::socket_of;
use crate::shim::containerd::model::Event;
use crate::shim::containerd::protocol::event_messages::{Envelope, ForwardRequest};
use crate::shim::containerd::protocol::frames::{self, First, REQUEST, RESPONSE, Request, Response};
use crate::shim::containerd::protocol::messages::Any;
use crate::sys::epoll::Interest;
use crate::sys::{Errno, SysResult, file, socket};
use prost::Message;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What containerd may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Before it is asked again after a failure: at first, and at most.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// An event that containerd answers with an error so often is given up.
const REFUSALS: u32 = 5;
/// Of an answer that makes sense.
const LONGEST_ANSWER: usize = 64 * 1024;

/// What has become of the first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is on its way, or has to wait.
    Waits,
    /// It is published, or given up.
    Done,
}

pub struct Publisher {
    /// Empty: nobody is told.
    address: PathBuf,
    socket: Option<OwnedFd>,
    stream: u32,
    /// What is still to be sent of the first event, if that has begun.
    sending: Option<Vec<u8>>,
    answer: Vec<u8>,
    refused: u32,
    failures: u32,
    /// When to give up waiting, or to try again.
    due: Option<Instant>,
}

impl Publisher {
    pub fn new(address: &str) -> Publisher {
        Publisher {
            address: socket_of(address).to_owned(),
            socket: None,
            stream: 0,
            sending: None,
            answer: Vec::new(),
            refused: 0,
            failures: 0,
            due: None,
        }
    }

    /// containerd is there again.
    pub fn hurry(&mut self) {
        if self.sending.is_none() {
            (self.due, self.failures) = (None, 0);
        }
    }

    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    pub fn watched(&self) -> Option<(BorrowedFd<'_>, Interest)> {
        let socket = self.socket.as_ref()?.as_fd();
        let writes = self.sending.as_ref().is_some_and(|rest| !rest.is_empty());
        Some((socket, if writes { Interest::WRITE } else { Interest::READ }))
    }

    /// Goes on with the first event that is to be published.
    pub fn advance(&mut self, namespace: &str, event: &Event) -> Progress {
        if self.address.as_os_str().is_empty() {
            return Progress::Done;
        }
        let now = Instant::now();
        if self.sending.is_some() && self.due.is_some_and(|due| due <= now) {
            return self.failed();
        }
        if self.sending.is_none() && self.due.is_some_and(|due| due > now) {
            return Progress::Waits;
        }
        match self.try_advance(namespace, event) {
            Ok(progress) => progress,
            Err(Errno(libc::EAGAIN)) => Progress::Waits,
            Err(_) => self.failed(),
        }
    }

    fn try_advance(&mut self, namespace: &str, event: &Event) -> SysResult<Progress> {
        if self.socket.is_none() {
            let socket = socket::connect_stream(&self.address)?;
            file::set_nonblocking(socket.as_fd(), true)?;
            (self.socket, self.stream) = (Some(socket), 0);
        }
        if self.sending.is_none() {
            self.stream = if self.stream == 0 { 1 } else { self.stream + 2 };
            self.sending = Some(frame(self.stream, namespace, event));
            self.due = Some(Instant::now() + PATIENCE);
        }
        let (Some(socket), Some(rest)) = (&self.socket, &mut self.sending) else {
            return Err(Errno(libc::EBADF));
        };
        while !rest.is_empty() {
            let sent = file::write(socket.as_fd(), rest)?;
            rest.drain(..sent);
        }
        let mut buffer = [0; 4096];
        loop {
            let length = file::read(socket.as_fd(), &mut buffer)?;
            if length == 0 || self.answer.len() > LONGEST_ANSWER {
                return Err(Errno(libc::EPIPE));
            }
            self.answer.extend_from_slice(&buffer[..length]);
            match frames::first(&self.answer) {
                Err(_) => return Err(Errno(libc::EPROTO)),
                Ok(None) => {}
                Ok(Some(First { stream, kind, payload, end })) => {
                    let response = Response::decode(payload).map_err(|_| Errno(libc::EPROTO))?;
                    self.answer.drain(..end);
                    if kind == RESPONSE && stream == self.stream {
                        return self.answered(&response);
                    }
                }
            }
        }
    }

    fn answered(&mut self, response: &Response) -> SysResult<Progress> {
        let refused = response.status.as_ref().is_some_and(|status| status.code != 0);
        if refused && self.refused + 1 < REFUSALS {
            self.refused += 1;
            return Err(Errno(libc::EREMOTEIO));
        }
        (self.sending, self.due, self.refused, self.failures) = (None, None, 0, 0);
        Ok(Progress::Done)
    }

    /// containerd is not there, or does not answer: on a new connection, after a while.
    fn failed(&mut self) -> Progress {
        let pause = PAUSE.saturating_mul(1 << self.failures.min(8)).min(LONGEST_PAUSE);
        self.failures += 1;
        (self.socket, self.sending, self.due) = (None, None, Some(Instant::now() + pause));
        self.answer.clear();
        Progress::Waits
    }
}

fn frame(stream: u32, namespace: &str, event: &Event) -> Vec<u8> {
    let body = Any { kind: event.kind.clone(), value: event.body.clone() };
    let envelope = Envelope {
        timestamp: event.time,
        namespace: namespace.to_owned(),
        topic: event.topic.clone(),
        event: Some(body),
    };
    let request = Request {
        service: "containerd.services.events.ttrpc.v1.Events".to_owned(),
        method: "Forward".to_owned(),
        payload: ForwardRequest { envelope: Some(envelope) }.encode_to_vec(),
        timeout_nano: PATIENCE.as_nanos() as i64,
    };
    frames::frame(stream, REQUEST, &request)
}
