//! Which runtime a case runs, on which terms, and commands that may not end by themselves.

use crate::canary::in_user_namespace;
use crate::gym::caught::Tally;
use crate::support::Container;
use serde_json::json;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A runtime's name and program.
#[derive(Clone)]
pub struct Runtime {
    pub name: String,
    pub path: Option<PathBuf>,
}

/// Our own binary, or the one that GYM_RUNTIME names: then the cases say what they caught, and nothing fails.
pub fn ours() -> Runtime {
    match std::env::var_os("GYM_RUNTIME") {
        Some(path) => Runtime { name: path.to_string_lossy().into_owned(), path: Some(path.into()) },
        None => Runtime { name: "rruntime".to_owned(), path: None },
    }
}

/// The peers that run containers on this host: crun 1.28 refuses one with v1 controllers.
pub fn peers() -> Vec<Runtime> {
    let list = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("hack/peers")).output();
    let list = list.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let peers = list.lines().filter_map(|line| {
        let mut words = line.split('\t');
        let (name, version, path) = (words.next()?, words.next()?, words.next()?);
        Some(Runtime { name: format!("{name} {version}"), path: Some(path.into()) })
    });
    peers.filter(|peer| peer.container().args(&["/bin/true"]).run().code == 0).collect()
}

impl Runtime {
    /// A container of this runtime.
    pub fn container(&self) -> Container {
        let mut container = Container::new();
        container.runtime = self.path.clone();
        container
    }
}

/// What the config of a case says of rights.
#[derive(Clone, Copy)]
pub struct Terms {
    pub no_new_privs: bool,
    pub user_namespace: bool,
    pub filter: bool,
}

impl Terms {
    /// Every combination.
    pub fn all() -> impl Iterator<Item = Terms> {
        (0..8).map(|bits| Terms {
            no_new_privs: bits & 1 != 0,
            user_namespace: bits & 2 != 0,
            filter: bits & 4 == 0,
        })
    }

    /// Docker's: a filter, no user namespace.
    pub fn docker(no_new_privs: bool) -> Terms {
        Terms { no_new_privs, user_namespace: false, filter: true }
    }

    /// The root filesystem must be complete: a user namespace changes its owner.
    pub fn apply(self, container: Container) -> Container {
        let container = if self.user_namespace { in_user_namespace(container) } else { container };
        container.edit(|config| {
            config["process"]["noNewPrivileges"] = self.no_new_privs.into();
            if !self.filter {
                config["linux"].as_object_mut().expect("linux").remove("seccomp");
            }
        })
    }
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let word = |on, yes: &'static str, no: &'static str| if on { yes } else { no };
        write!(
            f,
            "{}, {}, {}",
            word(self.no_new_privs, "no_new_privs", "without no_new_privs"),
            word(self.user_namespace, "user namespace", "no user namespace"),
            word(self.filter, "Docker's filter", "no filter")
        )
    }
}

/// The container may trace: in all its sets.
pub fn tracing(container: Container) -> Container {
    container.edit(|config| {
        for set in ["bounding", "effective", "permitted"] {
            let names = config["process"]["capabilities"][set].as_array_mut().expect("a set of capabilities");
            names.push(json!("CAP_SYS_PTRACE"));
        }
    })
}

/// From here on the orphans of this process are its own: the last process of a pid namespace waits until those that came
/// in from outside have been reaped, and not every machine's init is quick.
pub fn adopt() {
    nix::sys::prctl::set_child_subreaper(true).expect("any process may be a subreaper");
}

/// Takes a container away whose first process is in the pid namespace of another, see [`adopt`].
pub fn away(container: Container, pid: i32) {
    drop(container);
    // It is another's child where something between us and the container has adopted it.
    let _ = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None);
}

/// When a race has shown enough.
#[derive(Clone, Copy)]
pub enum Wanted {
    /// The spy has met so many of ours (GYM_ROUNDS times as many in a long test).
    Met(usize),
    /// It has caught one of a peer's: the spy works.
    Caught,
}

/// A spy that has not met anything after so many tries never will.
const MOST: usize = 400;

/// Tries until there is enough. On a busy machine a spy misses many: after some tries less is enough, but never nothing.
pub fn until(wanted: Wanted, mut attempt: impl FnMut() -> Tally) -> Tally {
    for tried in 1.. {
        let tally = attempt();
        let enough = match wanted {
            Wanted::Met(count) if tried < 5 * rounds(count) => tally.met >= rounds(count),
            Wanted::Met(_) => tally.met > 0 || tried >= MOST,
            Wanted::Caught => tally.caught > 0 || tried >= 60,
        };
        if enough {
            return tally;
        }
    }
    unreachable!("the tries are bounded")
}

/// Repetitions: GYM_ROUNDS times as many in a long test.
pub fn rounds(count: usize) -> usize {
    count * std::env::var("GYM_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// The spy of this container gets a processor before others do, on a machine that is busy with more than this test.
pub fn prefer(container: &Container) {
    // Without it the spy meets fewer; the case says how many.
    let _ = quiet_status(Command::new("renice").args(["-n", "-10", "-p", &container.pid().to_string()]));
}

fn quiet_status(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Starts a command without a reader of its output.
pub fn quiet(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command can be started")
}

/// How it ended within this time; `None` if it goes on.
pub fn ends_within(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return Some(status);
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a command for at most this time and takes it away.
pub fn bounded(command: Command, limit: Duration) -> Option<ExitStatus> {
    let mut child = quiet(command);
    let ended = ends_within(&mut child, limit);
    if ended.is_none() {
        // It may have ended meanwhile.
        let _ = child.kill();
        child.wait().expect("it is our child");
    }
    ended
}
