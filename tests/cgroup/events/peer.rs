//! runc on the same cgroup says the same, byte for byte.

use crate::support::{Container, is_v2};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A runc that prints what today's prints: 1.2 and older have no pressure.
fn runc() -> Result<PathBuf, String> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/runc");
    for candidate in [fetched, "/usr/sbin/runc".into(), "/usr/bin/runc".into()] {
        let Ok(said) = Command::new(&candidate).arg("--version").output() else { continue };
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let version = said.lines().find_map(|line| line.strip_prefix("runc version ")).unwrap_or_default();
        let mut numbers = version.split(['.', '+', '-']).map(|n| n.parse::<u32>().unwrap_or(0));
        if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (1, 3) {
            return Ok(candidate);
        }
    }
    Err("no runc 1.3 or newer: `hack/peers --fetch` fetches one".to_owned())
}

/// A container of runc, and a record of ours that stands for it.
struct Peer {
    container: Container,
    runc: PathBuf,
}

impl Peer {
    fn start(runc: PathBuf) -> Peer {
        let container = Container::new().args(&["sleep", "1000"]);
        // Our own container first, for its record.
        container.create().ok();
        let state = container.state_root().join(&container.id);
        let mut record: Value =
            serde_json::from_slice(&fs::read(state.join("state.json")).unwrap()).expect("it is JSON");
        container.call(&["delete", "--force", &container.id]).ok();
        let peer = Peer { container, runc };
        let bundle = peer.container.bundle();
        let mut run = peer.command(&["run", "--detach", "--bundle"]);
        run.arg(bundle).arg(&peer.container.id).stdin(Stdio::null()).stdout(Stdio::null());
        assert!(run.status().unwrap().success(), "runc runs the container");
        let said = peer.command(&["state", &peer.container.id]).output().unwrap();
        let pid = serde_json::from_slice::<Value>(&said.stdout).unwrap()["pid"].as_i64().unwrap();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let start: u64 = stat.rsplit(')').next().unwrap().split(' ').nth(20).unwrap().parse().unwrap();
        record["pid"] = json!(pid);
        record["pid_start"] = json!(start);
        // The group at this path is runc's now, and not the one that ours had.
        for leg in record["cgroup"]["legs"].as_array_mut().into_iter().flatten() {
            leg.as_object_mut().unwrap().remove("inode");
        }
        fs::create_dir_all(&state).unwrap();
        fs::write(state.join("state.json"), record.to_string()).unwrap();
        peer
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.runc);
        command.arg("--root").arg(self.container.dir.join("runc")).args(args);
        command
    }

    fn stats(&self) -> String {
        let said = self.command(&["events", "--stats", &self.container.id]).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The test has failed already if this does.
        let _ = self.command(&["delete", "--force", &self.container.id]).status();
    }
}

/// Without what runc does not read on a hybrid host: the v2 leg.
fn without_the_v2_leg(text: &str) -> String {
    let mut event: Value = serde_json::from_str(text).unwrap();
    let data = event["data"].as_object_mut().unwrap();
    for part in ["cpu", "memory", "blkio"] {
        data[part].as_object_mut().unwrap().remove("psi");
    }
    data["hugetlb"] = json!({});
    event.to_string()
}

/// The keys of an object and of those in it, in the order in which they stand.
fn keys(text: &str) -> Vec<&str> {
    let parts: Vec<&str> = text.split('"').collect();
    parts.windows(2).filter(|pair| pair[1].starts_with(':')).map(|pair| pair[0]).collect()
}

#[test]
fn runc_says_the_same_of_the_same_cgroup() {
    let runc = match runc() {
        Ok(runc) => runc,
        Err(reason) => crate::skip!("{reason}"),
    };
    let peer = Peer::start(runc);
    let ours = || peer.container.call(&["events", "--stats", &peer.container.id]).ok();
    // A sleeping container's numbers stand still most of the time.
    let mut last = (String::new(), String::new());
    for _ in 0..50 {
        let before = peer.stats();
        let told = ours();
        if before != peer.stats() {
            continue;
        }
        if is_v2() {
            last = (told, before);
        } else {
            let theirs: Vec<String> = keys(&before).into_iter().map(str::to_owned).collect();
            let hybrid = ["psi", "some", "full", "avg10", "avg60", "avg300", "2MB", "1GB"];
            let mut found = keys(&told);
            found.retain(|key| !hybrid.contains(key));
            // The failcnt of each page size, between hugetlb and intel_rdt.
            let at = found.iter().position(|key| *key == "hugetlb").unwrap() + 1;
            while found[at] == "failcnt" {
                found.remove(at);
            }
            let total_of_pressure = |key: &&str| *key != "total";
            let plain =
                |keys: Vec<&str>| keys.into_iter().filter(total_of_pressure).collect::<Vec<_>>().join(" ");
            assert_eq!(plain(found), plain(theirs.iter().map(String::as_str).collect()), "the order of keys");
            last = (without_the_v2_leg(&told), without_the_v2_leg(&before));
        }
        if last.0 == last.1 {
            return;
        }
    }
    assert_eq!(last.0, last.1);
}
