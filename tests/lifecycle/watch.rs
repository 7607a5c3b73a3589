//! Who holds up a wait.

use rruntime::engine::{Event, Hold, Watch};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

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
    let waited = watch.wait_until(
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
