//! What the engine says by the fifos of the bundle (`ctl`, `winsz`), and what the container says by its notify socket.

use crate::error::Result;
use crate::shim::conmon::shim::Shim;
use crate::sys::{file, socket, terminal};
use std::os::fd::{AsFd, OwnedFd};

impl Shim {
    fn words_of(fifo: Option<&OwnedFd>) -> Vec<Vec<u16>> {
        let mut bytes = [0; 4096];
        let length = fifo.map_or(0, |fifo| file::read(fifo.as_fd(), &mut bytes).unwrap_or(0));
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        let numbers =
            |line: &str| line.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
        text.lines().map(numbers).collect()
    }

    pub(super) fn control(&mut self) -> Result<()> {
        for line in Shim::words_of(self.control.as_ref()) {
            match line[..] {
                [1, rows, columns] => self.set_size(rows, columns),
                [2, ..] => self.reopens = true,
                _ => {}
            }
        }
        // At once where nothing is on its way to the logs.
        if self.reopens { self.pump() } else { Ok(()) }
    }

    pub(super) fn resize(&mut self) -> Result<()> {
        for line in Shim::words_of(self.size.as_ref()) {
            if let [rows, columns] = line[..] {
                self.set_size(rows, columns);
            }
        }
        Ok(())
    }

    fn set_size(&self, rows: u16, columns: u16) {
        if let Some(master) = &self.terminal {
            // A terminal whose other side is closed needs no size.
            let _ = terminal::set_size(master.as_fd(), rows, columns);
        }
    }

    pub(super) fn connect_notify(&mut self, notify: OwnedFd) {
        let Some(path) = &self.options.notify_socket else { return };
        match socket::connect_datagram(path, 1) {
            Ok(host) => self.notify = Some((notify, Some(host))),
            Err(e) => self.log.warn(&e.because(format!("connect to {}", path.display()))),
        }
    }

    /// Of what a container says, the host's manager hears that it is ready, once, and nothing else: a container that says
    /// it all the time neither floods the manager nor waits for it at the cost of its own output.
    pub(super) fn pass_notice(&mut self) {
        let Some((notify, host)) = &mut self.notify else { return };
        let mut bytes = [0; 4096];
        let Ok(length) = socket::receive_datagram(notify.as_fd(), &mut bytes) else { return };
        let mut lines = bytes[..length].split(|byte| *byte == b'\n');
        if lines.any(|line| line == b"READY=1")
            && let Some(host) = host.take()
        {
            // A manager that takes nothing does not hold the container up: the send waits for a second.
            let _ = socket::send(host.as_fd(), b"READY=1", &[]);
        }
    }
}
