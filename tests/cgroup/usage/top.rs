//! `top` on a terminal, and elsewhere.

use crate::support::{Container, wait_until};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, tcgetattr};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

/// `top` on a terminal of this size.
struct OnTerminal {
    child: Child,
    master: File,
    /// Holds the other end open, so that its mode can be seen.
    slave: OwnedFd,
    text: Arc<Mutex<String>>,
}

impl OnTerminal {
    fn start(container: &Container, arguments: &[&str], (rows, columns): (u16, u16)) -> OnTerminal {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).unwrap();
        let end = || Stdio::from(pair.slave.try_clone().unwrap());
        let mut command = container.command(&["top", "--interval", "50ms"]);
        command.args(arguments).env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().unwrap();
        let (master, text) = (File::from(pair.master), Arc::new(Mutex::new(String::new())));
        let (mut reader, shown) = (master.try_clone().unwrap(), Arc::clone(&text));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut bytes) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        OnTerminal { child, master, slave: pair.slave, text }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// The last picture that is complete.
    fn picture(&self) -> String {
        let text = self.text();
        let whole = text.rsplit_once("\x1b[J").map_or("", |(whole, _)| whole);
        whole.rsplit("\x1b[H").next().unwrap_or_default().replace("\x1b[K", "")
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(self.slave.as_fd()).unwrap().local_flags.contains(LocalFlags::ICANON)
    }

    fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// It has ended by itself, and the terminal is as it was.
    #[track_caller]
    fn ends(mut self) {
        wait_until("its end", || self.child.try_wait().unwrap().is_some());
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.text());
        assert!(!self.is_raw());
        wait_until("the first screen", || self.text().ends_with("\x1b[?25h\x1b[?1049l"));
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_terminal_shows_the_table_and_is_given_back() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    let mut top = OnTerminal::start(&container, &[], (10, 120));
    wait_until("a picture", || top.picture().contains(&container.id));
    assert!(top.text().starts_with("\x1b[?1049h\x1b[?25l"));
    assert!(top.is_raw());
    assert!(top.picture().starts_with("1 containers, by cpu;"), "{}", top.picture());
    top.press("m");
    wait_until("another order", || top.picture().contains("by memory;"));
    top.press("R");
    wait_until("the order turned round", || top.picture().contains("by memory (turned round);"));
    // A key without a letter ends nothing.
    top.press("\x1b[A\x1bOP\x1b[1;5Dn");
    wait_until("by id", || top.picture().contains("by id;"));
    top.press("q");
    top.ends();
    for keys in ["\x03", "\x04", "xxq"] {
        let mut top = OnTerminal::start(&container, &[], (10, 120));
        wait_until("a picture", || top.picture().contains(&container.id));
        top.press(keys);
        top.ends();
    }
}

#[test]
fn a_signal_gives_the_terminal_back_too() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        let top = OnTerminal::start(&container, &[], (10, 120));
        wait_until("a picture", || top.picture().contains(&container.id));
        let pid = nix::unistd::Pid::from_raw(top.child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::try_from(signal).unwrap()).unwrap();
        top.ends();
    }
}

#[test]
fn a_small_terminal_has_what_fits() {
    let first = Container::new().args(&["sleep", "1000"]).started();
    let others: Vec<Container> = (0..3).map(|_| Container::new().args(&["sleep", "1000"])).collect();
    for other in &others {
        other.write_config();
        let mut run = first.command(&["run", "--detach", "--bundle"]);
        run.arg(other.bundle()).arg(&other.id).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(run.status().unwrap().success());
    }
    let mut top = OnTerminal::start(&first, &["--sort", "id"], (4, 30));
    wait_until("all of them", || top.picture().starts_with("4 containers"));
    let picture = top.picture();
    let lines: Vec<&str> = picture.split("\r\n").collect();
    assert_eq!(lines.len(), 4, "{picture:?}");
    assert!(
        lines.iter().all(|line| line.replace("\x1b[7m", "").replace("\x1b[0m", "").chars().count() <= 30)
    );
    assert_eq!(lines[3], "… 3 more", "{picture:?}");
    for other in &others {
        first.call(&["delete", "--force", &other.id]).ok();
    }
    // Those that have gone are shown no more, and nothing is said of them.
    wait_until("one", || top.picture().starts_with("1 containers"));
    assert!(!top.text().contains("level="), "{}", top.text());
    top.press("q");
    top.ends();
}

#[test]
fn without_a_terminal_tables_are_printed_one_below_the_other() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    let mut command = container.command(&["top", "--interval", "50ms"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    for _ in 0..3 {
        let heading = next();
        assert!(heading.starts_with("ID ") && heading.contains("READ/s"), "{heading}");
        let line = next();
        assert!(line.starts_with(&container.id) && !line.contains('\x1b'), "{line}");
        assert_eq!(next(), "");
    }
    drop(lines);
    let said = child.wait_with_output().unwrap();
    assert_eq!((said.status.code(), String::from_utf8_lossy(&said.stderr)), (Some(0), "".into()));
}
