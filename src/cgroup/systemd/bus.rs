//! A connection to a D-Bus: what is said in one write, and each message that comes back. rustbus makes and reads the
//! messages; the connection is our own, because its waits are the caller's.
//!
//! The bus of a user is that user's, so what it says is taken for what it is: lengths are bounded, and no message decides
//! more than what becomes of the unit that was asked for.

use super::value::Property;
use crate::error::{Error, Kind, Result};
use crate::sys::poll::Rest;
use crate::sys::{Errno, socket};
use nix::poll::{PollFd, PollFlags};
use rustbus::message_builder::MarshalledMessage;
use rustbus::wire::errors::MarshalError;
use rustbus::wire::unmarshal::traits::Variant;
use rustbus::wire::unmarshal::{
    HEADER_LEN, unmarshal_dynamic_header, unmarshal_header, unmarshal_next_message,
};
use rustbus::{MessageBuilder, MessageType};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long systemd may take for one thing.
const PATIENCE: Duration = Duration::from_secs(30);
/// Replies and signals that we ask for have some hundred bytes.
const LONGEST: usize = 1 << 20;

/// Who answers for the bus itself.
const BUS: &str = "org.freedesktop.DBus";

/// Says who we are by the socket's own credentials: a number would be another one outside of a user namespace.
const GREETING: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";

pub struct Bus {
    socket: OwnedFd,
    address: String,
    /// What is to be said with the next write.
    unsent: Vec<u8>,
    received: Vec<u8>,
    /// The bus has taken us.
    accepted: bool,
    /// The connection that answers for systemd. Any process may send us a signal; only the one that we call can reply.
    systemd: Option<String>,
    serial: u32,
    patience: Duration,
    deadline: Instant,
}

/// What comes back.
#[derive(Debug)]
pub enum News {
    /// To the call with this number: its job, or the property that was asked for.
    Reply(u32, Option<String>),
    /// To the call with this number: how many processes the unit has.
    Processes(u32, usize),
    /// To the call with this number: the name of the error, and its words.
    Refusal(u32, String, String),
    /// The job of this path has ended with this result.
    JobRemoved(String, String),
}

/// The version of the systemd that answers at this address, and how long one question takes, the shortest of five.
pub fn ask_version(address: &str) -> Result<(String, Duration)> {
    let rest: Rest = &crate::sys::poll::rest;
    let mut bus = Bus::connect_for(Duration::from_secs(3), address, rest)?;
    let (mut version, mut shortest) = (String::new(), Duration::MAX);
    for _ in 0..5 {
        let begin = Instant::now();
        let call = bus.version()?;
        bus.send()?;
        version = match bus.answer(call, rest)? {
            News::Reply(_, found) => found.unwrap_or_default(),
            News::Refusal(_, name, words) => return Err(Error::new(format!("{name}: {words}"))),
            _ => return Err(Error::new("the bus gave another answer")),
        };
        shortest = shortest.min(begin.elapsed());
    }
    Ok((version, shortest))
}

impl Bus {
    /// Connects, and says nothing yet.
    pub fn connect(address: &str, rest: Rest) -> Result<Bus> {
        Bus::connect_for(PATIENCE, address, rest)
    }

    /// The same with another patience for each thing.
    pub fn connect_for(patience: Duration, address: &str, rest: Rest) -> Result<Bus> {
        let deadline = Instant::now() + patience;
        let mut failed = Errno(libc::EPROTONOSUPPORT);
        for place in places(address) {
            match socket::connect_patiently(&place, deadline, rest) {
                Ok(socket) => {
                    let mut bus = Bus {
                        socket,
                        address: address.to_owned(),
                        unsent: GREETING.to_vec(),
                        received: Vec::new(),
                        accepted: false,
                        systemd: None,
                        serial: 0,
                        patience,
                        deadline,
                    };
                    bus.add(&rustbus::standard_messages::hello())?;
                    return Ok(bus);
                }
                Err(errno) => failed = errno,
            }
        }
        Err(absent(address, failed))
    }

    /// Hears of jobs of this unit.
    pub fn watch_jobs(&mut self, unit: &str) -> Result<()> {
        let rule = format!(
            "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',\
             interface='org.freedesktop.systemd1.Manager',member='JobRemoved',arg2='{unit}'"
        );
        let mut call = MessageBuilder::new()
            .call("AddMatch")
            .on("/org/freedesktop/DBus")
            .with_interface(BUS)
            .at(BUS)
            .build();
        call.body.push_param(rule).map_err(unsayable)?;
        self.add(&call).map(drop)
    }

    /// StartTransientUnit; returns the number of the call.
    pub fn start(&mut self, unit: &str, properties: &[Property]) -> Result<u32> {
        let mut call = manager("StartTransientUnit");
        let nothing: &[(&str, &[Property])] = &[];
        // "replace": a job that is queued for the unit gives way.
        call.body.push_param4(unit, "replace", properties, nothing).map_err(unsayable)?;
        self.add(&call)
    }

    /// SetUnitProperties, until the machine starts anew.
    pub fn set(&mut self, unit: &str, properties: &[Property]) -> Result<u32> {
        let mut call = manager("SetUnitProperties");
        call.body.push_param3(unit, true, properties).map_err(unsayable)?;
        self.add(&call)
    }

    /// AttachProcessesToUnit: to its cgroup, or the one at this path below it.
    pub fn attach(&mut self, unit: &str, below: Option<&str>, pid: u32) -> Result<u32> {
        let mut call = manager("AttachProcessesToUnit");
        let below = below.map_or(String::new(), |below| format!("/{below}"));
        call.body.push_param3(unit, below, &[pid][..]).map_err(unsayable)?;
        self.add(&call)
    }

    /// GetUnitProcesses.
    pub fn processes(&mut self, unit: &str) -> Result<u32> {
        let mut call = manager("GetUnitProcesses");
        call.body.push_param(unit).map_err(unsayable)?;
        self.add(&call)
    }

    pub fn stop(&mut self, unit: &str) -> Result<u32> {
        let mut call = manager("StopUnit");
        call.body.push_param2(unit, "replace").map_err(unsayable)?;
        self.add(&call)
    }

    /// Forgets that a unit has failed.
    pub fn reset_failed(&mut self, unit: &str) -> Result<u32> {
        let mut call = manager("ResetFailedUnit");
        call.body.push_param(unit).map_err(unsayable)?;
        self.add(&call)
    }

    /// Which systemd this is: the property Version of its manager.
    pub fn version(&mut self) -> Result<u32> {
        let mut call = MessageBuilder::new()
            .call("Get")
            .on("/org/freedesktop/systemd1")
            .with_interface("org.freedesktop.DBus.Properties")
            .at("org.freedesktop.systemd1")
            .build();
        call.body.push_param2("org.freedesktop.systemd1.Manager", "Version").map_err(unsayable)?;
        self.add(&call)
    }

    fn add(&mut self, call: &MarshalledMessage) -> Result<u32> {
        self.serial += 1;
        let mut header = Vec::new();
        rustbus::wire::marshal::marshal(call, self.serial, &mut header).map_err(unsayable)?;
        self.unsent.extend_from_slice(&header);
        self.unsent.extend_from_slice(call.get_buf());
        Ok(self.serial)
    }

    /// All that was added, in one write.
    pub fn send(&mut self) -> Result<()> {
        self.deadline = Instant::now() + self.patience;
        let unsent = std::mem::take(&mut self.unsent);
        socket::send(self.socket.as_fd(), &unsent, &[]).map_err(|errno| match errno {
            Errno(libc::EPIPE | libc::ECONNRESET) => self.closed(),
            errno => errno.because(format!("write to the D-Bus at {}", self.address)),
        })
    }

    /// What becomes of one call, where nothing else is waited for.
    pub fn answer(&mut self, wanted: u32, rest: Rest) -> Result<News> {
        loop {
            let news = self.hear(rest)?;
            match news {
                News::Reply(call, _) | News::Processes(call, _) | News::Refusal(call, ..)
                    if call == wanted =>
                {
                    return Ok(news);
                }
                _ => {}
            }
        }
    }

    /// The next message that is about us.
    pub fn hear(&mut self, rest: Rest) -> Result<News> {
        loop {
            if let Some(news) = self.hear_within(self.patience, rest)? {
                return Ok(news);
            }
        }
    }

    /// The same, where it comes in this time.
    pub fn hear_within(&mut self, time: Duration, rest: Rest) -> Result<Option<News>> {
        let until = Instant::now() + time;
        loop {
            while let Some(message) = self.next()? {
                let sender = &message.dynheader.sender;
                match understood(&message) {
                    Some(News::JobRemoved(..)) if self.systemd.is_none() || *sender != self.systemd => {}
                    Some(heard) => {
                        if matches!(message.typ, MessageType::Reply) && sender.as_deref() != Some(BUS) {
                            self.systemd = sender.clone();
                        }
                        return Ok(Some(heard));
                    }
                    None => {}
                }
            }
            let mut buffer = [0; 8192];
            match socket::receive_now(self.socket.as_fd(), &mut buffer) {
                Ok((0, _)) => return Err(self.closed()),
                Ok((length, _)) => self.received.extend_from_slice(&buffer[..length]),
                Err(Errno(libc::EAGAIN)) => {
                    let now = Instant::now();
                    let left = self.deadline.saturating_duration_since(now);
                    if !left.is_zero() && now >= until {
                        return Ok(None);
                    }
                    if left.is_zero() {
                        return Err(Error::new(format!(
                            "systemd did not answer for {} seconds",
                            self.patience.as_secs()
                        ))
                        .value(&self.address)
                        .remedy("look at its jobs with systemctl list-jobs, and try again"));
                    }
                    let left = left.min(until.saturating_duration_since(now));
                    rest(Some(PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)), left)
                        .map_err(|errno| errno.because("wait for systemd"))?;
                }
                Err(errno) => return Err(errno.because(format!("read from the D-Bus at {}", self.address))),
            }
        }
    }

    /// The first message of what was received, once all of it is there.
    fn next(&mut self) -> Result<Option<MarshalledMessage>> {
        let odd = |what: &str| Error::new(format!("the bus sent {what}"));
        if !self.accepted {
            let Some(end) = self.received.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
            let line: Vec<u8> = self.received.drain(..end + 2).take(end).collect();
            self.accepted = line.starts_with(b"OK ");
            if !self.accepted && !line.starts_with(b"DATA") {
                return Err(Error::new("the bus rejected this user").value(&self.address).remedy(
                    "only its own user reaches a user's bus: name yours in DBUS_SESSION_BUS_ADDRESS",
                ));
            }
            return self.next();
        }
        let bytes = &self.received;
        if bytes.len() < HEADER_LEN + 4 {
            return Ok(None);
        }
        let (_, header) = unmarshal_header(bytes, 0).map_err(|_| odd("a malformed message"))?;
        // The fields behind the fixed header, whose number is in the message's own byte order, end at a multiple of eight.
        let fields: [u8; 4] = bytes[HEADER_LEN..][..4].try_into().unwrap_or_default();
        let fields = if bytes[0] == b'B' { u32::from_be_bytes(fields) } else { u32::from_le_bytes(fields) };
        let (fields, body) = (fields as usize, header.body_len as usize);
        if fields > LONGEST || body > LONGEST {
            return Err(odd("a message of more than a megabyte"));
        }
        let begin = (HEADER_LEN + 4 + fields).next_multiple_of(8);
        if bytes.len() < begin + body {
            return Ok(None);
        }
        let whole: Vec<u8> = self.received.drain(..begin + body).collect();
        let (_, dynamic) =
            unmarshal_dynamic_header(&header, &whole, HEADER_LEN).map_err(|_| odd("a malformed header"))?;
        let (_, message) =
            unmarshal_next_message(&header, dynamic, &whole, begin).map_err(|_| odd("a malformed body"))?;
        Ok(Some(message))
    }

    fn closed(&self) -> Error {
        Error::new("the bus closed the connection")
            .value(&self.address)
            .remedy("it may have been restarted: look with systemctl status dbus, and try again")
    }
}

fn manager(call: &str) -> MarshalledMessage {
    MessageBuilder::new()
        .call(call)
        .on("/org/freedesktop/systemd1")
        .with_interface("org.freedesktop.systemd1.Manager")
        .at("org.freedesktop.systemd1")
        .build()
}

/// A text with a NUL, or more of something than the protocol has room for.
fn unsayable(error: MarshalError) -> Error {
    Error::new("this cannot be encoded as a D-Bus message").kind(Kind::Config).value(format!("{error:?}"))
}

fn understood(message: &MarshalledMessage) -> Option<News> {
    let (mut body, header) = (message.body.parser(), &message.dynheader);
    Some(match message.typ {
        MessageType::Reply if header.signature.as_deref() == Some("a(sus)") => {
            let all: Vec<(&str, u32, &str)> = body.get().ok()?;
            News::Processes(header.response_serial?, all.len())
        }
        MessageType::Reply if header.signature.as_deref() == Some("v") => {
            let value: Variant = body.get().ok()?;
            News::Reply(header.response_serial?, value.get::<&str>().ok().map(str::to_owned))
        }
        MessageType::Reply => {
            let job = header.signature.as_deref() == Some("o");
            let job = job.then(|| body.get::<rustbus::wire::ObjectPath<&str>>().ok()).flatten();
            News::Reply(header.response_serial?, job.map(|job| job.as_ref().to_owned()))
        }
        MessageType::Error => {
            let words: &str = body.get().unwrap_or_default();
            let name = header.error_name.clone().unwrap_or_default();
            News::Refusal(header.response_serial?, name, words.to_owned())
        }
        MessageType::Signal if header.member.as_deref() == Some("JobRemoved") => {
            let (_, job, _, result) = body.get4::<u32, rustbus::wire::ObjectPath<&str>, &str, &str>().ok()?;
            News::JobRemoved(job.as_ref().to_owned(), result.to_owned())
        }
        _ => return None,
    })
}

/// The sockets of an address: of each of its parts that is a Unix socket, the path, or NUL and the abstract name.
fn places(address: &str) -> Vec<PathBuf> {
    let value = |part: &str, key: &str| {
        part.strip_prefix("unix:")?.split(',').find_map(|pair| pair.strip_prefix(key)).map(unescaped)
    };
    let place = |part: &str| {
        let named = || value(part, "abstract=").map(|name| format!("\0{name}"));
        value(part, "path=").or_else(named).map(PathBuf::from)
    };
    address.split(';').filter_map(place).collect()
}

/// "%20" is a blank.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let code = match (first, more) {
            (b'%', [high, low, ..]) => {
                std::str::from_utf8(&[*high, *low]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
            }
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &more[2..] } else { more };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn absent(address: &str, errno: Errno) -> Error {
    let error = errno.because(format!("connect to the D-Bus at {address}")).kind(Kind::Unsupported);
    let odd = "the address must name a Unix socket, as unix:path=/run/dbus/system_bus_socket does";
    error.remedy_if((errno.0 == libc::EPROTONOSUPPORT).then_some(odd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poll::rest;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    #[test]
    fn an_address_names_sockets_in_its_order() {
        let found = places("unix:path=/run/a%20b,guid=7;tcp:host=x;unix:abstract=/tmp/c;unix:guid=7,path=/d");
        assert_eq!(found, ["/run/a b", "\0/tmp/c", "/d"].map(PathBuf::from));
        assert_eq!(unescaped("%2"), "%2");
        assert_eq!(unescaped("%zz%41"), "%zzA");
    }

    /// A bus that says `answer` to whatever comes.
    fn bus_that_says(answer: &'static [u8]) -> Bus {
        let path = std::env::temp_dir().join(format!("rr-bus-{}-{}", std::process::id(), answer.len()));
        let listener = UnixListener::bind(&path).unwrap();
        let address = format!("unix:path={}", path.display());
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut heard = [0; 4096];
            let length = socket.read(&mut heard).unwrap();
            socket.write_all(answer).unwrap();
            heard[..length].to_vec()
        });
        let mut bus = Bus::connect(&address, &rest).unwrap();
        bus.watch_jobs("x.scope").unwrap();
        bus.stop("x.scope").unwrap();
        bus.send().unwrap();
        let said = server.join().unwrap();
        std::fs::remove_file(&path).unwrap();
        let has = |what: &str| said.windows(what.len()).any(|window| window == what.as_bytes());
        assert!(said.starts_with(b"\0AUTH EXTERNAL\r\n"), "{said:?}");
        assert!(
            ["Hello", "AddMatch", "arg2='x.scope'", "StopUnit"].iter().all(|word| has(word)),
            "in one write"
        );
        bus
    }

    #[test]
    fn what_a_bus_sends_is_bounded_and_its_end_has_a_remedy() {
        let refusal = |said| bus_that_says(said).hear(&rest).unwrap_err().to_string();
        assert!(refusal(b"").contains("closed the connection"));
        assert!(refusal(b"REJECTED EXTERNAL\r\n").contains("rejected"));
        let long = b"OK 1\r\nl\x02\0\x01\xff\xff\xff\x7f\x01\0\0\0\0\0\0\0";
        assert!(refusal(long).contains("more than a megabyte"));
        let strange = b"OK 1\r\nx\x02\0\x01\0\0\0\0\x01\0\0\0\0\0\0\0";
        assert!(refusal(strange).contains("malformed message"));
    }

    /// A message as the bus hands it on: with the sender's name, which rustbus leaves to it, as one more field of the
    /// header.
    fn from(sender: &str, message: &MarshalledMessage) -> Vec<u8> {
        let mut bytes = Vec::new();
        rustbus::wire::marshal::marshal(message, 1, &mut bytes).unwrap();
        bytes.extend([7, 1, b's', 0]);
        bytes.extend((sender.len() as u32).to_le_bytes());
        bytes.extend(sender.bytes().chain([0]));
        let fields = (bytes.len() - HEADER_LEN - 4) as u32;
        bytes[HEADER_LEN..][..4].copy_from_slice(&fields.to_le_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend_from_slice(message.get_buf());
        bytes
    }

    fn job_removed(result: &str) -> MarshalledMessage {
        let manager = "org.freedesktop.systemd1.Manager";
        let mut signal =
            MessageBuilder::new().signal(manager, "JobRemoved", "/org/freedesktop/systemd1").build();
        let job = rustbus::wire::ObjectPath::new("/job/1").unwrap();
        signal.body.push_param4(1u32, job, "x.scope", result).unwrap();
        signal
    }

    #[test]
    fn only_who_answers_our_calls_tells_how_a_job_has_ended() {
        let mut call = manager("StopUnit");
        call.dynheader.serial = Some(3);
        let mut reply = call.dynheader.make_response();
        reply.body.push_param(rustbus::wire::ObjectPath::new("/job/1").unwrap()).unwrap();
        let said = [
            b"OK 1\r\n".to_vec(),
            from(":1.66", &job_removed("forged")),
            from(":1.5", &reply),
            from(":1.66", &job_removed("forged")),
            from(":1.5", &job_removed("done")),
        ];
        let mut bus = bus_that_says(said.concat().leak());
        let mut next = || format!("{:?}", bus.hear(&rest).unwrap());
        assert_eq!(next(), r#"Reply(3, Some("/job/1"))"#);
        assert_eq!(next(), r#"JobRemoved("/job/1", "done")"#);
    }

    #[test]
    fn an_abstract_name_is_connected_to() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("rr-bus-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        assert!(Bus::connect(&format!("unix:abstract={name}"), &rest).is_ok());
    }

    #[test]
    fn a_bus_that_is_not_there_is_named() {
        let error = Bus::connect("unix:path=/nonexistent/bus", &rest).map(drop).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/bus"), "{error}");
        let error = Bus::connect("tcp:host=x", &rest).map(drop).unwrap_err().to_string();
        assert!(error.contains("Unix socket"), "{error}");
    }
}
