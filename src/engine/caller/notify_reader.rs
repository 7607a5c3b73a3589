//! The reader of a container's notify socket: a thread of its own, which may sleep for as long as the container likes.
//!
//! A message may carry descriptors. They are not received, but the thread that reads the message closes them, and a TCP
//! socket with unsent data and a long SO_LINGER makes that close(2) sleep. From Linux 6.16 on the kernel refuses such
//! messages (`socket::bind_datagram`); before, the thread that forwards signals and waits for the program may not be the
//! one that reads. A thread that sleeps there is no obstacle when the process ends: the kernel does not linger then.
//!
//! ```text
//!  container ── messages ──▶ reader ── READY, once ──▶ Proxy
//!                                  ◀── shut down ───── the program has ended: what is still there, then no more
//! ```

use crate::sys::{Errno, SysResult, poll, socket};
use nix::poll::{PollFd, PollFlags};
use std::os::fd::{AsFd, OwnedFd};

/// The line that counts.
const READY: &[u8] = b"READY=1";
/// What is read of one message.
const LONGEST: usize = 4096;
/// More messages than wait in a socket: what has outlived the program may go on talking for ever.
const QUEUE: u32 = 4096;

/// Reads `inside` from now on. One message comes out of what is returned: when the program has said that it is ready. Shut
/// down, it ends when everything that was said before is read.
pub fn start(inside: OwnedFd) -> SysResult<OwnedFd> {
    let (ours, theirs) = socket::pair()?;
    let thread = std::thread::Builder::new().name("notify".into());
    thread
        .spawn(move || follow(inside, theirs))
        .map_err(|e| Errno(e.raw_os_error().unwrap_or(libc::EAGAIN)))?;
    Ok(ours)
}

fn follow(inside: OwnedFd, news: OwnedFd) {
    let (mut told, mut ending, mut rest) = (false, false, QUEUE);
    let mut buffer = [0; LONGEST];
    while rest > 0 {
        if !ending {
            let mut watched = [&inside, &news].map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN));
            if poll::wait(&mut watched, None).is_err() {
                break;
            }
            ending = watched[1].any().unwrap_or(true);
        }
        match socket::receive_datagram(inside.as_fd(), &mut buffer) {
            Ok(length) if !told && says_ready(&buffer[..length]) => {
                told = true;
                if socket::send(news.as_fd(), READY, &[]).is_err() {
                    break;
                }
            }
            Ok(_) => {}
            Err(Errno(libc::EAGAIN)) if ending => break,
            Err(Errno(libc::EAGAIN)) => {}
            Err(_) => break,
        }
        rest -= u32::from(ending);
    }
    // First, because the other may take its time.
    drop(news);
    drop(inside);
}

fn says_ready(message: &[u8]) -> bool {
    message.split(|&byte| byte == b'\n').any(|line| line == READY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{Shutdown, setsockopt, shutdown, sockopt};
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixDatagram;
    use std::time::{Duration, Instant};

    #[test]
    fn readiness_is_told_once_and_what_was_said_before_the_end_counts() {
        let (inside, container) = UnixDatagram::pair().unwrap();
        let news = start(inside.into()).unwrap();
        container.send(b"STATUS=x").unwrap();
        container.send(b"A=1\nREADY=1").unwrap();
        container.send(b"READY=1").unwrap();
        shutdown(news.as_raw_fd(), Shutdown::Write).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(socket::receive(news.as_fd(), &mut buffer).unwrap().0, READY.len());
        assert_eq!(socket::receive(news.as_fd(), &mut buffer).unwrap().0, 0);
    }

    /// As before Linux 6.16: this socket takes descriptors.
    #[test]
    fn a_socket_that_lingers_holds_up_the_reader_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        sender.set_nonblocking(true).unwrap();
        while sender.write(&[0; 65536]).is_ok() {}
        setsockopt(&sender, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 60 }).unwrap();
        let (inside, container) = UnixDatagram::pair().unwrap();
        socket::send(container.as_fd(), b"READY=0", &[sender.as_raw_fd()]).unwrap();
        // The last copy is in the message, before there is a reader: the thread that closes it sleeps.
        drop(sender);
        let news = start(inside.into()).unwrap();
        // It sleeps: what comes next is not reported, and nothing waits for it.
        std::thread::sleep(Duration::from_millis(200));
        container.send(b"READY=1").unwrap();
        let begin = Instant::now();
        let soon = Instant::now() + Duration::from_millis(500);
        assert_eq!(poll::readable(news.as_fd(), Some(soon)), Ok(false), "the reader does not sleep");
        drop(news);
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
}
