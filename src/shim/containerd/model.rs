//! What the shim proper knows, as the sum of what its journal says. Every change is a record: it is appended first, then
//! applied, and a successor applies the same records.

use crate::error::Result;
use crate::shim::containerd::protocol::frames::{self, First, Malformed, REQUEST, Request};
use crate::shim::journal::Journal;
use crate::shim::table::Table;
use prost::Message;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

/// One change; each record has one part, or a few that count together.
#[derive(Clone, PartialEq, Message)]
pub struct Record {
    #[prost(message, optional, tag = "1")]
    pub settings: Option<Settings>,
    #[prost(message, optional, tag = "2")]
    pub chunk: Option<Chunk>,
    /// An answer was sent, whatever it was.
    #[prost(message, optional, tag = "3")]
    pub answered: Option<Call>,
    /// This is what is to be answered.
    #[prost(message, optional, tag = "4")]
    pub answer: Option<Answer>,
    #[prost(uint64, optional, tag = "5")]
    pub closed: Option<u64>,
    #[prost(message, optional, tag = "6")]
    pub container: Option<Container>,
    #[prost(message, optional, tag = "7")]
    pub process: Option<Process>,
    /// A process is forgotten; with an empty exec id its container too.
    #[prost(message, optional, tag = "8")]
    pub removed: Option<Name>,
    #[prost(message, repeated, tag = "9")]
    pub events: Vec<Event>,
    /// The first of the events is published, or given up.
    #[prost(bool, tag = "10")]
    pub published: bool,
    /// A shim begins; the one before it ended by itself.
    #[prost(bool, tag = "11")]
    pub crashed: bool,
    /// Only in a journal that was begun again: what came of a connection.
    #[prost(message, optional, tag = "12")]
    pub connection: Option<Received>,
}

/// What `start` was told.
#[derive(Clone, PartialEq, Message)]
pub struct Settings {
    #[prost(string, tag = "1")]
    pub namespace: String,
    /// The state directory.
    #[prost(string, tag = "2")]
    pub root: String,
    /// Where events are published.
    #[prost(string, tag = "3")]
    pub events: String,
    /// The socket's file, and the file that leads to it, which go with the shim.
    #[prost(string, repeated, tag = "4")]
    pub files: Vec<String>,
    #[prost(bool, tag = "5")]
    pub debug: bool,
    /// No process has had this number: descriptors are named by them.
    #[prost(uint64, tag = "6")]
    pub next_number: u64,
    /// `Shutdown` was answered.
    #[prost(bool, tag = "7")]
    pub finishing: bool,
}

/// Bytes that came.
#[derive(Clone, PartialEq, Message)]
pub struct Chunk {
    #[prost(uint64, tag = "1")]
    pub connection: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub bytes: Vec<u8>,
}

/// A request, by what it came over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Message)]
pub struct Call {
    #[prost(uint64, tag = "1")]
    pub connection: u64,
    #[prost(uint32, tag = "2")]
    pub stream: u32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Answer {
    #[prost(message, required, tag = "1")]
    pub call: Call,
    /// The whole frame.
    #[prost(bytes = "vec", tag = "2")]
    pub frame: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Received {
    #[prost(uint64, tag = "1")]
    pub name: u64,
    #[prost(uint64, tag = "2")]
    pub received: u64,
    #[prost(uint32, tag = "3")]
    pub last: u32,
    #[prost(message, repeated, tag = "4")]
    pub requests: Vec<Kept>,
    #[prost(bytes = "vec", tag = "5")]
    pub rest: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Kept {
    #[prost(uint32, tag = "1")]
    pub stream: u32,
    #[prost(message, required, tag = "2")]
    pub request: Request,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub answer: Option<Vec<u8>>,
    #[prost(uint32, tag = "4")]
    pub crashes: u32,
}

/// A container's id, and the id of an exec in it; empty for its first process.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
pub struct Name {
    #[prost(string, tag = "1")]
    pub container: String,
    #[prost(string, tag = "2")]
    pub exec: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Container {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub bundle: String,
    /// It has a pid namespace of its own, so that its end is the end of all its processes.
    #[prost(bool, tag = "3")]
    pub own_pids: bool,
    #[prost(bool, tag = "4")]
    pub paused: bool,
    #[prost(bool, tag = "5")]
    pub systemd: bool,
    /// Another runtime, which is executed for it; empty: the engine.
    #[prost(string, tag = "7")]
    pub runtime: String,
    /// The images that `Start` makes its processes from; empty: they are new.
    #[prost(string, tag = "8")]
    pub checkpoint: String,
    /// What `Create` was told: containerd.runc.v1.Options.
    #[prost(bytes = "vec", tag = "9")]
    pub options: Vec<u8>,
}

/// How far a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Phase {
    /// The engine is at it, or will be.
    Begun = 0,
    /// It can be started.
    Created = 1,
    /// An exec waits for its word, which may have been said.
    Released = 2,
    Running = 3,
    Ended = 4,
}

#[derive(Clone, PartialEq, Message)]
pub struct Process {
    #[prost(message, required, tag = "1")]
    pub name: Name,
    /// By which its descriptors are named.
    #[prost(uint64, tag = "2")]
    pub number: u64,
    #[prost(enumeration = "Phase", tag = "3")]
    pub phase: i32,
    #[prost(int32, tag = "4")]
    pub pid: i32,
    #[prost(bool, tag = "5")]
    pub terminal: bool,
    #[prost(string, tag = "6")]
    pub stdin: String,
    #[prost(string, tag = "7")]
    pub stdout: String,
    #[prost(string, tag = "8")]
    pub stderr: String,
    /// Of an exec: the `process` object.
    #[prost(bytes = "vec", tag = "9")]
    pub spec: Vec<u8>,
    /// Its exit status and the time of its end, once it has ended.
    #[prost(uint32, tag = "10")]
    pub status: u32,
    #[prost(message, optional, tag = "11")]
    pub ended: Option<Timestamp>,
}

/// google.protobuf.Timestamp.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Timestamp {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Timestamp {
    /// What Go has for no time at all.
    pub const NONE: Timestamp = Timestamp { seconds: -62_135_596_800, nanos: 0 };

    pub fn now() -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp { seconds: since.as_secs() as i64, nanos: since.subsec_nanos() as i32 }
    }
}

/// To be published.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    #[prost(string, tag = "1")]
    pub topic: String,
    #[prost(string, tag = "2")]
    pub kind: String,
    #[prost(bytes = "vec", tag = "3")]
    pub body: Vec<u8>,
    #[prost(message, optional, tag = "4")]
    pub time: Option<Timestamp>,
}

/// As long may a client's requests be together that are not answered: the journal has to have room for them.
const UNANSWERED: usize = 32 << 20;

/// A connection: what came of it, and what is still to be answered.
#[derive(Default)]
pub struct Connection {
    /// How many bytes have come.
    pub received: u64,
    /// The beginning of a frame.
    rest: Vec<u8>,
    /// The stream of its last request: they rise.
    last: u32,
    pub requests: Table<u32, Pending>,
    /// It has sent something that is no request; it is to be closed.
    pub malformed: bool,
}

/// A request without an answer.
#[derive(Clone)]
pub struct Pending {
    pub request: Request,
    /// What is to be answered, once that is known.
    pub answer: Option<Vec<u8>>,
    /// How many shims have ended by themselves while it was there.
    pub crashes: u32,
}

#[derive(Default)]
pub struct Model {
    pub settings: Settings,
    pub connections: Table<u64, Connection>,
    pub containers: Table<String, Container>,
    pub processes: Table<Name, Process>,
    pub events: VecDeque<Event>,
}

impl Model {
    pub fn pending(&self, call: Call) -> Option<&Pending> {
        self.connections.get(&call.connection)?.requests.get(&call.stream)
    }

    /// Requests without an answer.
    pub fn calls(&self) -> impl Iterator<Item = (Call, &Pending)> {
        self.connections.iter().flat_map(|(connection, known)| {
            let of = |stream: &u32| Call { connection: *connection, stream: *stream };
            known.requests.iter().map(move |(stream, pending)| (of(stream), pending))
        })
    }

    /// Those of one container.
    pub fn processes_of<'a>(&'a self, container: &'a str) -> impl Iterator<Item = &'a Process> {
        self.processes.values().filter(move |process| process.name.container == container)
    }

    fn apply(&mut self, record: Record) {
        if record.crashed {
            let all = self.connections.values_mut().flat_map(|connection| connection.requests.values_mut());
            all.for_each(|pending| pending.crashes += 1);
        }
        if let Some(settings) = record.settings {
            self.settings = settings;
        }
        if let Some(chunk) = record.chunk {
            self.connections.get_or_insert(chunk.connection, Connection::default).take(&chunk.bytes);
        }
        if let Some(call) = record.answered
            && let Some(connection) = self.connections.get_mut(&call.connection)
        {
            connection.requests.remove(&call.stream);
        }
        if let Some(answer) = record.answer
            && let Some(connection) = self.connections.get_mut(&answer.call.connection)
            && let Some(pending) = connection.requests.get_mut(&answer.call.stream)
        {
            pending.answer = Some(answer.frame);
        }
        if let Some(name) = record.closed {
            self.connections.remove(&name);
        }
        if let Some(container) = record.container {
            self.containers.insert(container.id.clone(), container);
        }
        if let Some(process) = record.process {
            self.settings.next_number = self.settings.next_number.max(process.number + 1);
            self.processes.insert(process.name.clone(), process);
        }
        if let Some(name) = record.removed {
            if name.exec.is_empty() {
                self.containers.remove(&name.container);
                self.processes.retain(|other, _| other.container != name.container);
            } else {
                self.processes.remove(&name);
            }
        }
        self.events.extend(record.events);
        if record.published {
            self.events.pop_front();
        }
        if let Some(received) = record.connection {
            self.connections.insert(received.name, Connection::of(received));
        }
    }

    /// Records that make the same model.
    fn records(&self) -> impl Iterator<Item = Record> {
        let settings = Record { settings: Some(self.settings.clone()), ..Record::default() };
        let containers = self.containers.values().cloned();
        let containers =
            containers.map(|container| Record { container: Some(container), ..Record::default() });
        let processes = self.processes.values().cloned();
        let processes = processes.map(|process| Record { process: Some(process), ..Record::default() });
        let connections = self.connections.iter().map(|(name, connection)| Record {
            connection: Some(connection.received(*name)),
            ..Record::default()
        });
        let events = self.events.iter().cloned();
        let events = events.map(|event| Record { events: vec![event], ..Record::default() });
        std::iter::once(settings).chain(containers).chain(processes).chain(connections).chain(events)
    }
}

impl Connection {
    fn of(received: Received) -> Connection {
        let kept = received.requests.into_iter();
        let requests = kept.map(|kept| {
            let pending = Pending { request: kept.request, answer: kept.answer, crashes: kept.crashes };
            (kept.stream, pending)
        });
        Connection {
            received: received.received,
            rest: received.rest,
            last: received.last,
            requests: requests.collect(),
            malformed: false,
        }
    }

    fn received(&self, name: u64) -> Received {
        let requests = self.requests.iter().map(|(stream, pending)| Kept {
            stream: *stream,
            request: pending.request.clone(),
            answer: pending.answer.clone(),
            crashes: pending.crashes,
        });
        Received {
            name,
            received: self.received,
            last: self.last,
            requests: requests.collect(),
            rest: self.rest.clone(),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.received += bytes.len() as u64;
        self.rest.extend_from_slice(bytes);
        while !self.malformed {
            match self.next() {
                Ok(true) => {}
                Ok(false) => {
                    self.malformed = self.length() > UNANSWERED;
                    return;
                }
                Err(Malformed) => self.malformed = true,
            }
        }
    }

    /// How long all are together that are not answered.
    fn length(&self) -> usize {
        self.requests.values().map(|pending| pending.request.payload.len()).sum()
    }

    /// Takes one request off the bytes, if there is a whole one.
    fn next(&mut self) -> std::result::Result<bool, Malformed> {
        let Some(First { stream, kind, payload, end }) = frames::first(&self.rest)? else { return Ok(false) };
        if kind != REQUEST || stream % 2 == 0 || stream <= self.last {
            return Err(Malformed);
        }
        let request = Request::decode(payload).map_err(|_| Malformed)?;
        self.last = stream;
        self.requests.insert(stream, Pending { request, answer: None, crashes: 0 });
        self.rest.drain(..end);
        Ok(true)
    }
}

/// The model with its journal.
pub struct Desk {
    pub model: Model,
    journal: Journal,
}

impl Desk {
    /// What the journal says.
    pub fn open(file: OwnedFd) -> Result<Desk> {
        let mut model = Model::default();
        let journal = Journal::open(file, |record| model.apply(record))?;
        Ok(Desk { model, journal })
    }

    /// Notes it, and makes it so.
    pub fn note(&mut self, record: Record) -> Result<()> {
        self.journal.append(&record)?;
        self.model.apply(record);
        if self.journal.is_long() { self.journal.begin_again(self.model.records()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory;

    fn desk() -> (Desk, OwnedFd) {
        let file = memory::scratch(c"journal").unwrap();
        (Desk::open(file.try_clone().unwrap()).unwrap(), file)
    }

    fn request(stream: u32, method: &str) -> Vec<u8> {
        frames::frame(stream, REQUEST, &Request { method: method.to_owned(), ..Request::default() })
    }

    fn chunk(connection: u64, bytes: &[u8]) -> Record {
        Record { chunk: Some(Chunk { connection, bytes: bytes.to_vec() }), ..Record::default() }
    }

    #[test]
    fn a_client_with_too_much_that_is_not_answered_is_closed() {
        let (mut desk, _file) = desk();
        let request = Request { payload: vec![0; UNANSWERED / 16 + 1], ..Request::default() };
        let mut malformed = |stream: u32| {
            desk.note(chunk(7, &frames::frame(stream, REQUEST, &request))).unwrap();
            desk.model.connections[&7].malformed
        };
        let said: Vec<bool> = (0..16).map(|number| malformed(2 * number + 1)).collect();
        assert_eq!(said.iter().position(|said| *said), Some(15));
    }

    #[test]
    fn a_successor_knows_what_was_noted_and_what_was_not_answered() {
        let (mut desk, file) = desk();
        let both = [request(1, "Create"), request(3, "Wait")].concat();
        desk.note(chunk(9, &both[..14])).unwrap();
        desk.note(chunk(9, &both[14..])).unwrap();
        let call = Call { connection: 9, stream: 1 };
        desk.note(Record { answered: Some(call), ..Record::default() }).unwrap();
        let next = Desk::open(file).unwrap();
        let connection = &next.model.connections[&9];
        assert_eq!(connection.received, both.len() as u64);
        assert_eq!(connection.requests.keys().copied().collect::<Vec<_>>(), [3]);
        assert_eq!(connection.requests[&3].request.method, "Wait");
    }

    #[test]
    fn a_journal_that_grows_is_begun_again_and_says_the_same() {
        let (mut desk, file) = desk();
        let wait = request(1, "Wait");
        desk.note(chunk(5, &wait)).unwrap();
        desk.note(chunk(5, &request(3, "half")[..12])).unwrap();
        for number in 0..20_000 {
            let name = Name { container: "c".to_owned(), exec: format!("e{number}") };
            let process = Process { name: name.clone(), number, ..Process::default() };
            desk.note(Record { process: Some(process), ..Record::default() }).unwrap();
            desk.note(Record { removed: Some(name), ..Record::default() }).unwrap();
        }
        let blocks = nix::sys::stat::fstat(&file).unwrap().st_blocks * 512;
        assert!(blocks < 1 << 20, "{blocks} bytes");
        let mut next = Desk::open(file).unwrap();
        assert!(next.model.settings.next_number >= 19_000, "numbers do not come again");
        assert!(next.model.processes.is_empty());
        next.note(chunk(5, &request(3, "half")[12..])).unwrap();
        assert_eq!(next.model.connections[&5].requests[&3].request.method, "half");
        assert_eq!(next.model.connections[&5].requests[&1].request.method, "Wait");
    }

    #[test]
    fn a_record_that_was_not_finished_is_not_there_and_spoils_no_other() {
        let (mut desk, file) = desk();
        desk.note(chunk(1, &request(1, "first"))).unwrap();
        let length = nix::sys::stat::fstat(&file).unwrap().st_size;
        // The first part of one, as a shim leaves it that is killed in the call that writes it.
        let part = [&700u32.to_le_bytes()[..], &[7; 500]].concat();
        nix::sys::uio::pwrite(&file, &part, (length as u64).next_multiple_of(4) as i64).unwrap();
        let mut next = Desk::open(file.try_clone().unwrap()).unwrap();
        next.note(chunk(1, &request(3, "second"))).unwrap();
        let last = Desk::open(file).unwrap();
        assert_eq!(last.model.connections[&1].requests.keys().copied().collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn what_is_no_request_makes_a_connection_malformed_and_no_more_is_read_of_it() {
        let streams =
            [(2, 2), (1, 1)].map(|(first, second)| [request(first, "a"), request(second, "b")].concat());
        let bytes = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), streams[0].clone(), streams[1].clone()];
        for bytes in bytes {
            let (mut desk, _file) = desk();
            desk.note(chunk(1, &bytes)).unwrap();
            assert!(desk.model.connections[&1].malformed);
            assert!(desk.model.connections[&1].requests.keys().count() <= 1);
        }
    }
}
