//! Clients of the attach socket: each packet to them begins with a byte that says which stream it is of; what comes of
//! them is the process's input.
//!
//! A client that does not read stops the output, and so the process, as a terminal would; nothing is kept for it. Where
//! there is a log, that ends after [`STALL`]: its connection is closed, and the log has all.

use crate::error::Result;
use crate::shim::conmon::logs::Output;
use crate::shim::table::Table;
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::{Errno, socket};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// The bytes of a packet, with the first.
pub const PACKET: usize = 1 + PART;
const PART: usize = 8192;
/// A client that takes nothing for so long is disconnected.
pub const STALL: Duration = Duration::from_secs(60);
/// At a time. More are refused.
const MOST: usize = 64;

struct Client {
    socket: OwnedFd,
    /// It can still say something.
    speaks: bool,
    /// How much of what is on its way it has.
    taken: usize,
    stalled: Option<Instant>,
}

#[derive(Default)]
pub struct Clients {
    all: Table<u64, Client>,
    /// Nothing is read of any of them: the process does not read.
    closed: bool,
    /// Names of those that are gone, which the keeper holds still.
    gone: Vec<u64>,
}

/// The first byte of a packet: of which stream it is.
pub const OUTPUT: u8 = 2;
pub const ERRORS: u8 = 3;

/// What a client has said.
pub enum Heard {
    Bytes(Vec<u8>),
    Nothing,
    /// It says no more, and may still listen.
    End,
    /// It has gone away.
    Gone,
}

impl Clients {
    /// `false`: it may not, or there are too many.
    pub fn add(&mut self, name: u64, socket: OwnedFd, epoll: &Epoll) -> bool {
        if !socket::is_of_root_or_us(socket.as_fd()) || self.all.keys().count() >= MOST {
            return false;
        }
        let client = Client { socket, speaks: true, taken: 0, stalled: None };
        let watched = client.watch(name, epoll, self.closed);
        self.all.insert(name, client);
        watched.is_ok()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn hear(&mut self, name: u64, epoll: &Epoll) -> Heard {
        let closed = self.closed;
        let Some(client) = self.all.get_mut(&name) else { return Heard::Nothing };
        if client.stalled.is_some() || closed {
            // There is room, or it is gone: the next packet finds out. One that is not watched for anything is gone.
            client.stalled = None;
            if client.watch(name, epoll, closed).is_err() || closed {
                self.probe(name, epoll);
            }
            return Heard::Nothing;
        }
        let mut bytes = vec![0; 32 * 1024];
        match socket::receive_now(client.socket.as_fd(), &mut bytes) {
            Ok((0, _)) if client.speaks => {
                if client.has_hung_up() {
                    self.remove(name, epoll);
                    return Heard::Gone;
                }
                client.speaks = false;
                // One that cannot be watched is found out by the next packet.
                let _ = client.watch(name, epoll, closed);
                Heard::End
            }
            Ok((0, _)) => {
                self.remove(name, epoll);
                Heard::Nothing
            }
            Ok((length, _)) => {
                bytes.truncate(length);
                Heard::Bytes(bytes)
            }
            Err(Errno(libc::EAGAIN)) => Heard::Nothing,
            Err(_) => {
                let spoke = client.speaks;
                self.remove(name, epoll);
                if spoke { Heard::Gone } else { Heard::Nothing }
            }
        }
    }

    /// One that is gone is taken away.
    fn probe(&mut self, name: u64, epoll: &Epoll) {
        if self.all.get(&name).is_some_and(Client::has_hung_up) {
            self.remove(name, epoll);
        }
    }

    /// Whether input may come.
    pub fn listen(&mut self, listen: bool, epoll: &Epoll) {
        self.closed = !listen;
        for (name, client) in self.all.iter() {
            // One that cannot be watched is found out by the next packet.
            let _ = client.watch(*name, epoll, self.closed);
        }
    }

    /// Sends each client the bytes that it lacks. `false`: one has no room.
    pub fn give(&mut self, output: Output, bytes: &[u8], epoll: &Epoll) -> bool {
        let tag = if output == Output::Out { OUTPUT } else { ERRORS };
        let (mut gone, mut done) = (Vec::new(), true);
        for (name, client) in self.all.iter_mut() {
            while client.taken < bytes.len() {
                let part = &bytes[client.taken..bytes.len().min(client.taken + PART)];
                let packet = [&[tag], part].concat();
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                match send(client.socket.as_raw_fd(), &packet, flags) {
                    Ok(_) => {
                        client.taken += part.len();
                        client.stalled = None;
                    }
                    Err(nix::errno::Errno::EINTR) => {}
                    Err(nix::errno::Errno::EAGAIN) => {
                        client.stalled.get_or_insert_with(Instant::now);
                        done = false;
                        // The same.
                        let _ = client.watch(*name, epoll, false);
                        break;
                    }
                    Err(_) => {
                        gone.push(*name);
                        break;
                    }
                }
            }
        }
        gone.into_iter().for_each(|name| self.remove(name, epoll));
        done
    }

    /// All have what was on its way, and something else comes.
    pub fn released(&mut self) {
        self.all.values_mut().for_each(|client| client.taken = 0);
    }

    /// When the first of those that take nothing is to be disconnected.
    pub fn due(&self, patience: Duration) -> Option<Instant> {
        self.all.values().filter_map(|client| client.stalled).min().map(|since| since + patience)
    }

    /// Those that have taken nothing for so long.
    pub fn end_stalled(&mut self, patience: Duration, epoll: &Epoll) {
        let now = Instant::now();
        let is_stalled = |client: &Client| client.stalled.is_some_and(|since| since + patience <= now);
        let stalled = self.all.iter().filter(|(_, client)| is_stalled(client));
        let stalled: Vec<u64> = stalled.map(|(name, _)| *name).collect();
        stalled.into_iter().for_each(|name| self.remove(name, epoll));
    }

    pub fn remove(&mut self, name: u64, epoll: &Epoll) {
        if let Some(client) = self.all.remove(&name) {
            epoll.forget(client.socket.as_fd());
            self.gone.push(name);
        }
    }

    /// Those that are gone since this was asked.
    pub fn take_gone(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.gone)
    }

    pub fn names(&self) -> Vec<u64> {
        self.all.keys().copied().collect()
    }
}

impl Client {
    /// Its other end is closed, and not for one direction alone.
    fn has_hung_up(&self) -> bool {
        let mut watched = [PollFd::new(self.socket.as_fd(), PollFlags::empty())];
        poll(&mut watched, PollTimeout::ZERO).is_ok_and(|told| told > 0)
    }

    fn watch(&self, name: u64, epoll: &Epoll, closed: bool) -> Result<()> {
        let stalled = self.stalled.is_some();
        let interest = Interest { read: self.speaks && !closed && !stalled, write: stalled, priority: false };
        epoll.watch(self.socket.as_fd(), name, interest).map_err(|e| e.because("epoll_ctl"))
    }
}
