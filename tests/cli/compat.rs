//! Called as runc or crun, rruntime answers as that one does: the same lines, given to both, end with the same exit
//! code and say the same thing. Needs the peers: hack/peers --fetch, or installed ones.

use crate::support::{Container, Ended, RRUNTIME, finish};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where cgroup v2 is what there is: crun's releases do not agree on hybrid hosts.
pub const V2: &str =
    "[ $(stat -fc %T /sys/fs/cgroup) = cgroup2fs ] || mount -t cgroup2 none /sys/fs/cgroup; exec \"$@\"";

/// The oldest release of each that these lines hold for: Debian 12 has older ones, which end and speak otherwise.
const OLDEST: [(&str, (u32, u32)); 2] = [("runc", (1, 2)), ("crun", (1, 20))];

/// The peer, or why there is none.
pub fn peer(name: &str) -> Result<PathBuf, String> {
    let (_, oldest) = OLDEST.into_iter().find(|(peer, _)| *peer == name).unwrap();
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers").join(name);
    let installed =
        ["/usr/sbin", "/usr/bin", "/usr/local/sbin"].map(|directory| Path::new(directory).join(name));
    let mut reason = format!("there is no {name}");
    for path in [fetched].into_iter().chain(installed) {
        let Ok(output) = Command::new(&path).arg("--version").output() else { continue };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let Some(found) = text.lines().next().and_then(release) else { continue };
        if found >= oldest {
            return Ok(path);
        }
        reason = format!("{name} {}.{} is too old: hack/peers --fetch brings a newer one", found.0, found.1);
    }
    Err(reason)
}

/// "runc version 1.3.6+ds1" is (1, 3).
fn release(line: &str) -> Option<(u32, u32)> {
    let mut numbers = line.rsplit(' ').next()?.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// One of the two that answer, with a state directory of its own.
struct Subject {
    program: PathBuf,
    name: String,
    root: PathBuf,
}

impl Subject {
    fn run(&self, line: &[&str]) -> Ended {
        let mut command = Command::new("unshare");
        // The name is given through a link: `sh` cannot set it.
        command.args(["-m", "sh", "-c", V2, "sh"]).arg(&self.program);
        command.arg("--root").arg(&self.root).args(line).stdin(Stdio::null());
        finish(command)
    }

    /// `create` keeps the streams for the container: a pipe would never end.
    fn create(&self, bundle: &Path, id: &str) {
        let log = self.root.with_extension("log");
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", V2, "sh"]).arg(&self.program).arg("--root").arg(&self.root);
        command.arg("--log").arg(&log).args(["create", "-b"]).arg(bundle).arg(id);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().unwrap();
        assert!(status.success(), "{}: {}", self.name, fs::read_to_string(log).unwrap_or_default());
    }
}

/// The peer and ourselves under its name.
fn both(container: &Container, name: &str) -> Result<[Subject; 2], String> {
    let program = peer(name)?;
    let ours = container.dir.join("bin");
    fs::create_dir_all(&ours).unwrap();
    std::os::unix::fs::symlink(RRUNTIME, ours.join(name)).unwrap();
    let subject = |program: PathBuf, kind: &str| {
        let root = container.dir.join(kind);
        fs::create_dir_all(&root).unwrap();
        Subject { program, name: format!("{name} ({kind})"), root }
    };
    Ok([subject(program, "peer"), subject(ours.join(name), "ours")])
}

/// Each part of what runc said ("exec failed", "container does not exist") is in what we said, in order.
fn says_the_same(theirs: &Ended, ours: &Ended, line: &[&str]) {
    let message = theirs.err.split("msg=").nth(1).unwrap_or_default().trim().trim_matches('"');
    let mut rest = &*ours.err;
    for part in message.trim_end_matches("\\n").split(": ").filter(|part| !part.starts_with('/')) {
        let at = rest.find(part);
        let at = at.unwrap_or_else(|| panic!("{line:?}: {part:?} is not in {:?}", ours.err));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn without_a_container_runc_and_we_end_alike() {
    let container = Container::new();
    let [theirs, ours] = match both(&container, "runc") {
        Ok(subjects) => subjects,
        Err(reason) => skip!("{reason}"),
    };
    for line in [
        &["frobnicate"][..],
        &["state", "nope"],
        &["start", "nope"],
        &["kill", "nope"],
        &["kill", "-a", "nope"],
        &["delete", "nope"],
        &["delete", "--force", "nope"],
        &["delete", "a/b"],
        &["exec", "nope", "ls"],
        &["exec"],
        &["ps", "nope"],
        &["pause", "nope"],
        &["resume", "nope"],
        &["create"],
        &["delete"],
        &["state", "a", "b"],
        &["list", "-f", "xml"],
        &["list", "a"],
        &["spec", "a"],
        &["run", "-b", "/nope", "x"],
        &["--log-format", "xml", "list"],
        &["--log", "/nope/log", "list"],
        &["-log-format=text", "list"],
        &[],
        &["help"],
        &["help", "state"],
        &["state", "-h"],
        &["-v"],
    ] {
        let (theirs, ours) = (theirs.run(line), ours.run(line));
        assert_eq!(ours.code, theirs.code, "{line:?}: {theirs:?} {ours:?}");
        // The cause of a bundle that is missing is told in other words.
        if !line.contains(&"/nope") && !line.contains(&"/nope/log") {
            says_the_same(&theirs, &ours, line);
        }
    }
    for line in [&["list"][..], &["list", "-q"], &["list", "--format", "json"]] {
        assert_eq!(ours.run(line).out, theirs.run(line).out, "{line:?}");
    }
    let version = ours.run(&["--version"]).out;
    let heads = |text: &str| -> Vec<String> {
        text.lines().take(3).filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
    };
    assert_eq!(heads(&version), heads(&theirs.run(&["--version"]).out));
    assert!(version.starts_with("runc version "), "{version}");
}

#[test]
fn without_a_container_crun_and_we_end_alike() {
    let container = Container::new();
    let [theirs, ours] = match both(&container, "crun") {
        Ok(subjects) => subjects,
        Err(reason) => skip!("{reason}"),
    };
    for line in [
        &["frobnicate"][..],
        &["--frob", "list"],
        &["list", "--frob"],
        &["state", "nope"],
        &["start", "nope"],
        &["kill", "nope"],
        &["kill", "nope", "FOO"],
        &["delete", "nope"],
        &["delete", "-f", "nope"],
        &["delete", "--regex", "nope"],
        &["kill", "--regex", "nope", "KILL"],
        &["exec", "nope", "ls"],
        &["exec", "nope"],
        &["exec"],
        &["exec", "-u", "1x", "nope", "ls"],
        &["ps", "nope"],
        &["pause", "nope"],
        &["state"],
        &["state", "a", "b"],
        &["list", "a"],
        &["list", "-f", "xml"],
        &["run", "-b", "/nope", "x"],
        &["--log-format", "xml", "list"],
        &["--log-level", "loud", "list"],
        &["--log", "/nope/log", "list"],
        &[],
        &["-V"],
        &["list", "-?"],
        &["list", "--usage"],
    ] {
        let (theirs, ours) = (theirs.run(line), ours.run(line));
        assert_eq!(ours.code, theirs.code, "{line:?}: {theirs:?} {ours:?}");
        assert!(!ours.err.contains("level="), "crun's text is the message alone: {ours:?}");
        assert_eq!(ours.err.is_empty(), theirs.err.is_empty(), "{line:?}: {theirs:?} {ours:?}");
    }
    for line in [&["list", "-q"][..], &["list", "--format", "json"]] {
        assert_eq!(ours.run(line).out.trim(), theirs.run(line).out.trim(), "{line:?}");
    }
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&ours.run(&["list"]).out), words(&theirs.run(&["list"]).out));
    let (version, wanted) = (ours.run(&["--version"]).out, theirs.run(&["--version"]).out);
    assert!(version.starts_with("crun version "), "{version}");
    for head in ["\ncommit: ", "\nrundir: ", "\nspec: ", "\n+"] {
        assert!(version.contains(head) && wanted.contains(head), "{head:?}: {version}");
    }
}

/// A life, line by line. `ID` is the container.
const LIFE: &[&str] = &[
    "exec ID true",
    "start ID",
    "start ID",
    "exec ID true",
    "exec ID sh -c 'exit 7'",
    "exec ID nope",
    "exec ID /etc",
    "exec ID /etc/passwd",
    "exec --cwd /nope ID true",
    "exec -u 5:6 ID id -g",
    "exec -d ID nope",
    "exec -p /nope ID",
    "exec --tty=false ID true",
    "delete ID",
    "pause ID",
    "exec ID true",
    "pause ID",
    "start ID",
    "resume ID",
    "resume ID",
    "list -q",
    "kill ID 0",
];

/// What can be said of a container that has ended; crun takes a zombie for a running one.
const AFTER: &[&str] = &[
    "kill ID",
    "kill -a ID",
    "exec ID true",
    "ps -f json ID",
    "start ID",
    "pause ID",
    "resume ID",
    "delete ID",
    "delete ID",
    "delete --force ID",
];

fn words(line: &str, id: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(
                part.split_whitespace().map(|word| if word == "ID" { id.to_owned() } else { word.into() }),
            );
        }
    }
    words
}

/// A bundle that needs no cgroup controller.
fn sleeper() -> Container {
    let container = Container::new().args(&["sleep", "1000"]).edit(|config| {
        config["linux"].as_object_mut().unwrap().remove("resources");
        config["process"]["terminal"] = false.into();
    });
    container.write_config();
    container
}

/// Follows one life with both, and holds each end against the other.
fn live(name: &str, container: &Container, subjects: &[Subject; 2], lines: &[&str], texts: bool) {
    for line in lines {
        let words = words(line, &container.id);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let [theirs, ours] = subjects.each_ref().map(|subject| subject.run(&words));
        assert_eq!(ours.code, theirs.code, "{name} {line}: {theirs:?} {ours:?}");
        assert_eq!(ours.out, theirs.out, "{name} {line}");
        // A sentence about an option that has the field's name in it comes in another order.
        if texts && theirs.code != 0 && !line.contains("/nope") {
            says_the_same(&theirs, &ours, &words);
        }
    }
}

fn stop(container: &Container, subject: &Subject) {
    subject.run(&["kill", &container.id, "KILL"]);
    let pid = |subject: &Subject| {
        let state: serde_json::Value =
            serde_json::from_str(&subject.run(&["state", &container.id]).out).unwrap_or_default();
        state["status"] == "stopped"
    };
    crate::support::wait_until("the end of the container", || pid(subject));
}

/// A container of the peer and one of ours in its manner, each in a cgroup of its own. Prints why where there can be none.
fn beside(peer: &str, look: impl FnOnce(&Container, &[Subject; 2])) {
    if !nix::unistd::geteuid().is_root() {
        skip!("a mount needs root");
    }
    let container = sleeper();
    let subjects = match both(&container, peer) {
        Ok(subjects) => subjects,
        Err(reason) => skip!("{reason}"),
    };
    // One after the other: both use the same cgroup.
    let other = sleeper();
    subjects[0].create(&container.bundle(), &container.id);
    let cleanup = Cleanup(&subjects, &container.id);
    fs::write(container.bundle().join("config.json"), config_in(&container, &other.id)).unwrap();
    subjects[1].create(&container.bundle(), &container.id);
    look(&container, &subjects);
    drop(cleanup);
}

#[test]
fn a_life_is_told_as_runc_tells_it() {
    beside("runc", |container, subjects| {
        live("runc", container, subjects, LIFE, true);
        let [theirs, ours] = subjects.each_ref().map(|subject| subject.run(&["state", &container.id]).ok());
        let keys = |text: &str| -> Vec<String> {
            text.lines().filter_map(|line| line.split('"').nth(1).map(str::to_owned)).collect()
        };
        assert_eq!(keys(&ours), keys(&theirs));
        let [theirs, ours] = subjects.each_ref().map(|subject| subject.run(&["ps", &container.id]).ok());
        assert_eq!(ours.lines().count(), theirs.lines().count());
        for subject in subjects {
            stop(container, subject);
        }
        live("runc", container, subjects, AFTER, true);
    });
}

#[test]
fn a_life_is_told_as_crun_tells_it() {
    beside("crun", |container, subjects| {
        live("crun", container, subjects, LIFE, false);
        let pid = |subject: &Subject| -> String {
            let state = subject.run(&["state", &container.id]).ok();
            serde_json::from_str::<serde_json::Value>(&state).unwrap()["pid"].to_string()
        };
        let [theirs, ours] = subjects.each_ref().map(|subject| {
            let table = subject.run(&["ps", &container.id]).ok();
            let list = subject.run(&["list", "-f", "json"]).ok();
            let list: serde_json::Value = serde_json::from_str(&list).unwrap();
            let keys: Vec<String> = list[0].as_object().unwrap().keys().cloned().collect();
            (table.replace(&pid(subject), "PID"), keys)
        });
        assert_eq!(ours, theirs);
    });
}

/// The container's config with another cgroup: two runtimes must not share one.
fn config_in(container: &Container, cgroup: &str) -> String {
    let mut config = container.config.clone();
    config["linux"]["cgroupsPath"] = format!("/{cgroup}").into();
    config.to_string()
}

/// Takes both containers away, whatever became of the test.
struct Cleanup<'a>(&'a [Subject; 2], &'a str);

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        for subject in self.0 {
            subject.run(&["delete", "--force", self.1]);
        }
    }
}

#[test]
fn state_is_never_mixed_with_the_peers() {
    let version = |name: &str| {
        let mut command = Command::new(RRUNTIME);
        command.arg0(name).args(["--version"]).env_remove("XDG_RUNTIME_DIR");
        finish(command).ok()
    };
    let root = if nix::unistd::geteuid().is_root() { "/run/rruntime" } else { "/rruntime" };
    assert!(version("crun").contains(&format!("{root}\n")), "{}", version("crun"));
    assert!(version("runc").contains("\nrruntime: "));
    assert!(!version("rruntime").contains("\nrruntime: "));
}

#[test]
fn remedies_name_the_program_as_it_was_called() {
    for (name, wanted) in [("rruntime", "`rruntime spec`"), ("runc", "`runc spec`"), ("crun", "`crun spec`")]
    {
        let mut command = Command::new(RRUNTIME);
        let container = Container::new();
        command.arg0(name).arg("--root").arg(container.state_root()).args(["run", "-b", "/nope", "x"]);
        let err = finish(command).fails();
        assert!(err.contains(wanted) && err.contains("--bundle") && err.contains("/nope"), "{err}");
    }
}
