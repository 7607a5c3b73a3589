//! Who holds up a wait, and what ends it.

use rruntime::engine::{Event, Hold, Stop, Watch};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// A child of a launch is held before its caller knows its pid.
#[test]
fn who_is_held_is_looked_for_under_the_pid_of_that_moment() {
    let mut child = Command::new("sleep").arg("100").spawn().unwrap();
    let number = child.id() as i32;
    assert!(Command::new("kill").args(["-STOP", &number.to_string()]).status().unwrap().success());
    let (pid, told) = (AtomicI32::new(0), Arc::new(AtomicI32::new(0)));
    let hear = Arc::clone(&told);
    let listener = move |event: &Event| {
        if let Event::Held { pid, hold: Hold::Stopped } = event {
            hear.store(*pid, Relaxed);
        }
    };
    let watch = Watch::new(None, Arc::new(listener));
    let mut looks = 0;
    let waited = watch.waits().wait_until(
        || pid.load(Relaxed),
        |patience| {
            pid.store(number, Relaxed);
            std::thread::sleep(patience);
            looks += 1;
            told.load(Relaxed) != 0 || looks > 100
        },
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(waited.is_ok());
    assert_eq!(told.load(Relaxed), number);
}

/// Asks whatever looks.
struct Asking(UnixStream);

impl Stop for Asking {
    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn reason(&self) -> Option<String> {
        Some("a test".to_owned())
    }
}

#[test]
fn a_call_that_was_asked_to_end_takes_back_what_it_has_begun_and_others_are_asked_too() {
    let (mut asks, asked) = UnixStream::pair().unwrap();
    asks.write_all(b"!").unwrap();
    let watch = Watch::new(Some(Arc::new(Asking(asked))), Arc::new(|_| ()));
    let call = || {
        let waits = watch.waits();
        let error = waits.rest(None, Duration::from_secs(100)).unwrap_err().to_string();
        assert!(error.contains("ended by a test"), "{error}");
        waits.rest(None, Duration::from_millis(1)).unwrap();
    };
    for _ in 0..2 {
        thread::scope(|scope| scope.spawn(call).join().unwrap());
    }
}
