//! A standard stream on a file system whose server does not answer.

use super::{command, count, counting, counts_on, images, needs_criu};
use crate::support::wait_until;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// A file whose file system is served by a thread of this process, and on the host, for as long as it `answers`.
struct Served {
    path: PathBuf,
    answers: Arc<AtomicBool>,
}

/// The protocol of /dev/fuse: as much as a file needs that is opened and looked at.
fn serve(mut device: File, answers: &AtomicBool) {
    const LOOK: u32 = 3;
    const OPEN: u32 = 14;
    const BEGIN: u32 = 26;
    const NO_SUCH_CALL: i32 = -38;
    let mut request = vec![0; 256 * 1024];
    // It ends when nothing is mounted any more.
    while let Ok(length) = device.read(&mut request) {
        if length < 40 || !answers.load(SeqCst) {
            continue;
        }
        let word = u32::from_le_bytes(request[4..8].try_into().unwrap());
        let mut body = match word {
            BEGIN => [&7_u32.to_le_bytes()[..], &31_u32.to_le_bytes(), &[0; 56]].concat(),
            LOOK => vec![0; 104],
            OPEN => vec![0; 16],
            _ => Vec::new(),
        };
        if word == LOOK {
            // Number, mode and links of the file; how long that is true is zero.
            body[16] = 1;
            body[76..80].copy_from_slice(&0o100_666_u32.to_le_bytes());
            body[80] = 1;
        }
        let error = if body.is_empty() { NO_SUCH_CALL } else { 0 };
        let size = 16 + body.len() as u32;
        let answer = [&size.to_le_bytes()[..], &error.to_le_bytes(), &request[8..16], &body].concat();
        // Who asked may have ended.
        let _ = device.write(&answer);
    }
}

impl Served {
    fn at(path: PathBuf) -> Option<Served> {
        let device = File::options().read(true).write(true).open("/dev/fuse").ok()?;
        fs::write(&path, "").unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-i", "-t", "fuse", "-o", "fd=0,rootmode=100000,user_id=0,group_id=0", "served"]);
        let mounted = mount.arg(&path).stdin(device.try_clone().unwrap()).status().unwrap();
        let answers = Arc::new(AtomicBool::new(true));
        let theirs = Arc::clone(&answers);
        std::thread::spawn(move || serve(device, &theirs));
        mounted.success().then_some(Served { path, answers })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.answers.store(true, SeqCst);
        let ended = Command::new("umount").arg("-lf").arg(&self.path).status();
        assert!(ended.is_ok_and(|status| status.success()), "it is mounted");
    }
}

#[test]
fn a_stream_on_a_file_system_that_does_not_answer_holds_no_checkpoint_up() {
    needs_criu!();
    let container = counting();
    let Some(served) = Served::at(container.dir.join("served")) else { crate::skip!("no FUSE here") };
    container.write_config();
    let (bundle, images) = (container.bundle(), images(&container));
    let mut run = command(&container, &["run", "-d", "-b", bundle.to_str().unwrap(), &container.id]);
    run.stdin(File::open(&served.path).unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(run.status().unwrap().success());
    wait_until("it counts", || count(&container) > 3);
    served.answers.store(false, SeqCst);
    let args = ["checkpoint", "--image-path", images.to_str().unwrap(), &container.id];
    let mut checkpoint = command(&container, &args).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(checkpoint.try_wait().unwrap().is_none(), "criu asks too");
    rruntime::sys::signal::kill(checkpoint.id() as i32, libc::SIGTERM).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while checkpoint.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "SIGTERM has no effect");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(served);
    counts_on(&container, count(&container));
}
