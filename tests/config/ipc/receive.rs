//! The other end of a unix socket: what arrives, with the descriptors in it.
#![allow(unsafe_code)]

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use std::fs;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A message and its descriptors.
#[derive(Debug)]
pub struct Received {
    pub text: String,
    pub fds: Vec<OwnedFd>,
}

pub fn receive(socket: &impl AsRawFd) -> Option<Received> {
    let mut buffer = [0; 8192];
    let mut space = nix::cmsg_space!([RawFd; 4]);
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags).ok()?;
    let mut fds = Vec::new();
    for part in message.cmsgs().unwrap() {
        if let ControlMessageOwned::ScmRights(numbers) = part {
            // SAFETY: the kernel has just put these descriptors into our table, for us alone.
            fds.extend(numbers.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    let length = message.bytes;
    Some(Received { text: String::from_utf8_lossy(&buffer[..length]).into_owned(), fds })
}

/// A datagram socket in a directory of its own: the path of a test is too long for an address.
pub struct Manager {
    socket: UnixDatagram,
    pub path: PathBuf,
    dir: PathBuf,
}

pub fn short_dir(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("rr-ipc-{}-{name}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    dir
}

impl Manager {
    pub fn new(name: &str) -> Manager {
        let dir = short_dir(name);
        let path = dir.join("manager.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager { socket, path, dir }
    }

    #[track_caller]
    pub fn next(&self) -> Received {
        receive(&self.socket).expect("a message comes")
    }

    /// What is there already; nothing is waited for.
    pub fn rest(&self) -> Vec<String> {
        self.socket.set_nonblocking(true).unwrap();
        let rest = std::iter::from_fn(|| receive(&self.socket)).map(|message| message.text).collect();
        self.socket.set_nonblocking(false).unwrap();
        rest
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // What stays is in scratch space.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A listening stream socket.
pub struct Receiver {
    socket: UnixListener,
    pub path: PathBuf,
    dir: PathBuf,
}

impl Receiver {
    pub fn new(name: &str) -> Receiver {
        let dir = short_dir(name);
        let path = dir.join("receiver.sock");
        Receiver { socket: UnixListener::bind(&path).unwrap(), path, dir }
    }

    /// What the first caller that has connected sends; it must be there already.
    #[track_caller]
    pub fn next(&self) -> Received {
        let (stream, _) = self.accept();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        receive(&stream).expect("a message comes")
    }

    fn accept(&self) -> (std::os::unix::net::UnixStream, std::os::unix::net::SocketAddr) {
        let mut watched =
            [nix::poll::PollFd::new(std::os::fd::AsFd::as_fd(&self.socket), nix::poll::PollFlags::POLLIN)];
        let timeout = nix::poll::PollTimeout::try_from(PATIENCE).unwrap();
        assert_eq!(nix::poll::poll(&mut watched, timeout), Ok(1), "somebody connects");
        self.socket.accept().unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // What stays is in scratch space.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The pid that a pidfd of ours stands for.
pub fn pid_of(fd: &OwnedFd) -> i32 {
    let text = fs::read_to_string(Path::new("/proc/self/fdinfo").join(fd.as_raw_fd().to_string())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:")).expect("this is a pidfd");
    line.trim().parse().unwrap()
}
