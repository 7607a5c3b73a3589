//! Cgroups and processes for the tests of `rruntime::cgroup` on the real kernel.
//!
//! Every cgroup is called `rr-test-PID-NAME` and is removed when its test ends, passed or not.
#![allow(dead_code)]

use super::sweep;
use rruntime::cgroup::{Cgroup, DeviceRules, Limits, Location, locate};
use rruntime::host::cgroups::{Layout, detect};
use rruntime::spec::Resources;
use rruntime::sys::poll::rest;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The host's layout if it has v1 hierarchies; otherwise the test says why it is skipped.
pub fn legacy() -> Option<Layout> {
    usable(detect().ok().filter(|layout| !layout.is_unified()), "no cgroup v1 here")
}

/// The v2 hierarchy: the only one, or the v2 leg of a hybrid host taken alone.
pub fn unified() -> Option<Layout> {
    let mount = detect().ok().and_then(|layout| layout.unified);
    usable(mount.map(|mount| Layout::v2(mount.path)), "no cgroup v2 here")
}

fn usable(layout: Option<Layout>, reason: &str) -> Option<Layout> {
    let root = nix::unistd::geteuid().is_root();
    if layout.is_none() || !root {
        super::say_skipped(if root { reason } else { "needs root" });
        return None;
    }
    layout
}

/// The v2 hierarchy, if it has this controller.
pub fn unified_with(controller: &str) -> Option<Layout> {
    let layout = unified()?;
    let mount = &layout.only_v2()?.path;
    let controllers = fs::read_to_string(format!("{mount}/cgroup.controllers")).unwrap();
    if controllers.split_whitespace().any(|c| c == controller) {
        return Some(layout);
    }
    super::say_skipped(&format!("no {controller} controller on cgroup v2 here"));
    None
}

/// A cgroup for one test.
pub struct Place {
    pub layout: Layout,
    pub location: Location,
    /// Its directory has nothing in it and tells later runs, by its lock, that the test lives.
    lock: (File, PathBuf),
}

impl Place {
    pub fn new(layout: Layout, name: &str) -> Place {
        let name = format!("{}{}-{name}", sweep::PREFIX, std::process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
        let location = locate(&layout, Some(&format!("/{name}")), "unused").unwrap();
        Place { layout, location, lock: (sweep::make_locked(&directory), directory) }
    }

    /// For a test that has removed the cgroup itself, and counts the calls that it takes.
    pub fn leave(self) {
        fs::remove_dir(&self.lock.1).unwrap();
        std::mem::forget(self);
    }

    /// A cgroup below this one.
    pub fn below(&self, name: &str) -> Location {
        let path = format!("/{}/{name}", self.location.legs[0].path);
        locate(&self.layout, Some(&path), "unused").unwrap()
    }

    pub fn limits(&self, resources: &str) -> Limits {
        let resources: Resources = serde_json::from_str(resources).unwrap();
        let rules = if resources.devices.is_empty() { DeviceRules::Skip } else { DeviceRules::Enforce };
        Limits::from_spec(&resources, &self.layout, rules).unwrap().0
    }

    pub fn create(&self) -> Cgroup {
        Cgroup::make(&self.location, &Limits::default()).unwrap()
    }

    /// Makes the cgroup with these limits.
    pub fn limited(&self, resources: &str) -> Cgroup {
        let limits = self.limits(resources);
        let cgroup = Cgroup::make(&self.location, &limits).unwrap();
        cgroup.guard_devices(&limits).unwrap();
        cgroup.apply(&limits).unwrap();
        cgroup
    }

    /// The content of a control file, from the hierarchy that has it.
    pub fn read(&self, file: &str) -> String {
        let found = self
            .location
            .legs
            .iter()
            .find_map(|leg| fs::read_to_string(format!("{}/{file}", leg.directory())).ok());
        found.unwrap_or_else(|| panic!("no {file} in {:?}", self.location)).trim().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(Some(cgroup)) = Cgroup::open(&self.location) {
            let gone = cgroup.kill(nix::libc::SIGKILL, &rest).and_then(|()| cgroup.remove(soon(), &rest));
            if let Err(error) = gone {
                return eprintln!("left behind: {error}");
            }
        }
        fs::remove_dir(&self.lock.1).unwrap_or_else(|e| eprintln!("left behind: {e}"));
    }
}

pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// A shell that waits to be placed in a cgroup before it runs its script.
pub struct Shell(pub Child);

impl Shell {
    pub fn waiting(script: &str) -> Shell {
        let script = format!("read go; {script}");
        let child = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Shell(child)
    }

    pub fn inside(location: &Location, script: &str) -> Shell {
        let mut shell = Shell::waiting(script);
        join(location, shell.pid());
        shell.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
        shell
    }

    pub fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    /// (exit status, standard output and error together).
    pub fn finish(self) -> (ExitStatus, String) {
        let output = self.0.wait_with_output().unwrap();
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        (output.status, text)
    }

    pub fn signal(mut self) -> Option<i32> {
        self.0.wait().unwrap().signal()
    }
}

/// Moves a process into the cgroup, in every hierarchy.
pub fn join(location: &Location, pid: i32) {
    for leg in &location.legs {
        fs::write(format!("{}/cgroup.procs", leg.directory()), pid.to_string()).unwrap();
    }
}

/// Runs a script in the cgroup and gives back what it printed.
pub fn run_inside(location: &Location, script: &str) -> String {
    Shell::inside(location, script).finish().1.trim().to_owned()
}

/// What every kind of cgroup has to do alike; called with v1 and with v2.
pub mod same {
    use super::*;
    use nix::libc::{SIGKILL, SIGTERM};

    pub fn life(layout: Layout) {
        let place = Place::new(layout, "life");
        let cgroup = place.create();
        assert!(cgroup.pids().unwrap().is_empty());
        let shell = Shell::inside(&place.location, "sleep 100");
        assert!(cgroup.pids().unwrap().contains(&shell.pid()));
        let membership = fs::read_to_string(format!("/proc/{}/cgroup", shell.pid())).unwrap();
        for leg in &place.location.legs {
            let line = format!("/{}", leg.path);
            assert!(membership.lines().filter(|l| l.ends_with(&line)).count() >= place.location.legs.len());
        }

        let error = Cgroup::make(&place.location, &Limits::default()).err().unwrap().to_string();
        assert!(error.contains("container's cgroup is not empty"), "{error}");
        let error =
            Cgroup::open(&place.location).unwrap().unwrap().remove(Instant::now(), &rest).unwrap_err();
        assert!(error.to_string().contains("process(es)"), "{error}");

        cgroup.kill(SIGKILL, &rest).unwrap();
        cgroup.remove(soon(), &rest).unwrap();
        assert_eq!(shell.signal(), Some(SIGKILL));
        assert!(Cgroup::open(&place.location).unwrap().is_none());
        for leg in &place.location.legs {
            assert!(fs::metadata(leg.directory()).is_err(), "{} is left", leg.directory());
        }
    }

    pub fn freezing(layout: Layout) {
        let place = Place::new(layout, "freeze");
        let cgroup = place.create();
        let shell = Shell::inside(&place.location, "while :; do :; done");
        cgroup.freeze(&rest).unwrap();
        assert!(cgroup.is_frozen().unwrap());
        let time = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", shell.pid())).unwrap();
            stat.rsplit(')').next().unwrap().split(' ').nth(12).unwrap().to_owned()
        };
        let before = time();
        std::thread::sleep(Duration::from_millis(80));
        assert_eq!(time(), before, "a frozen process uses no time");

        // A signal is delivered when the process runs again, and sending it thaws nothing.
        cgroup.kill(SIGTERM, &rest).unwrap();
        assert!(cgroup.is_frozen().unwrap());
        cgroup.thaw().unwrap();
        assert!(!cgroup.is_frozen().unwrap());
        assert_eq!(shell.signal(), Some(SIGTERM));
    }

    pub fn killing_a_frozen_one(layout: Layout) {
        let place = Place::new(layout, "kill-frozen");
        let cgroup = place.create();
        let shell = Shell::inside(&place.location, "sleep 100");
        cgroup.freeze(&rest).unwrap();
        cgroup.kill(SIGKILL, &rest).unwrap();
        assert_eq!(shell.signal(), Some(SIGKILL));
        cgroup.remove(soon(), &rest).unwrap();
    }

    pub fn a_frozen_cgroup_is_refused(layout: Layout) {
        let place = Place::new(layout, "was-frozen");
        let cgroup = place.create();
        cgroup.freeze(&rest).unwrap();
        let error = Cgroup::make(&place.location, &Limits::default()).err().unwrap().to_string();
        assert!(error.contains("unexpectedly frozen"), "{error}");
        cgroup.thaw().unwrap();
        Cgroup::make(&place.location, &Limits::default()).unwrap();
    }

    pub fn children_go_too(layout: Layout) {
        let place = Place::new(layout, "parent");
        let cgroup = place.create();
        let below = place.below("a/b");
        Cgroup::make(&below, &Limits::default()).unwrap();
        let shell = Shell::inside(&below, "sleep 100");
        assert!(cgroup.pids().unwrap().contains(&shell.pid()));
        cgroup.kill(SIGKILL, &rest).unwrap();
        cgroup.remove(soon(), &rest).unwrap();
        assert_eq!(shell.signal(), Some(SIGKILL));
    }

    pub fn many_processes_end_at_once(layout: Layout) {
        let place = Place::new(layout, "many");
        let cgroup = place.create();
        let shell = Shell::inside(&place.location, "while :; do (sleep 0.01; sleep 100) & sleep 0.001; done");
        std::thread::sleep(Duration::from_millis(100));
        cgroup.kill(SIGKILL, &rest).unwrap();
        cgroup.remove(soon(), &rest).unwrap();
        assert_eq!(shell.signal(), Some(SIGKILL));
    }

    pub fn devices(layout: Layout) {
        let place = Place::new(layout, "devices");
        let node = std::env::temp_dir().join(format!("rr-test-{}-node", std::process::id()));
        let node = node.display();
        // 1:11 is kmsg, 1:3 null, 7:0 the first loop device.
        place.limited("{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}");
        let script = format!(
            "cat </dev/null && echo null; (: </dev/kmsg) && echo kmsg; \
             rm -f {node}; mknod {node} b 7 0 && echo made; (: <{node}) && echo opened; rm -f {node}"
        );
        let printed = run_inside(&place.location, &script);
        let words = |text: &str| text.lines().filter(|l| !l.contains(' ')).collect::<Vec<_>>().join(" ");
        assert_eq!(words(&printed), "null made", "{printed}");

        // An update of a running container: the new rule holds at once, and for the old processes too.
        let shell = Shell::waiting("sleep 0.3; (: </dev/kmsg) && echo kmsg; (: >/dev/kmsg) && echo written");
        join(&place.location, shell.pid());
        let again = Cgroup::open(&place.location).unwrap().unwrap();
        again
            .guard_devices(&place.limits(
                "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},\
                 {\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"r\"}]}",
            ))
            .unwrap();
        let mut shell = shell;
        shell.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let printed = shell.finish().1;
        assert_eq!(words(&printed), "kmsg", "{printed}");

        // And back again, twice, which changes nothing the second time.
        let deny = place.limits("{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}");
        again.guard_devices(&deny).unwrap();
        again.guard_devices(&deny).unwrap();
        let printed = run_inside(&place.location, "cat </dev/null && echo null; (: </dev/kmsg) && echo kmsg");
        assert_eq!(words(&printed), "null", "{printed}");
    }

    pub fn pids_limit(place: &Place) {
        let cgroup = place.limited("{\"pids\":{\"limit\":2}}");
        assert_eq!(place.read("pids.max"), "2");
        let printed = run_inside(&place.location, "(sleep 0.1 & sleep 0.1 & sleep 0.1 & wait) 2>&1");
        assert!(printed.to_lowercase().contains("fork"), "{printed}");
        cgroup.apply(&place.limits("{\"pids\":{}}")).unwrap();
        assert_eq!(place.read("pids.max"), "2");
        cgroup.apply(&place.limits("{\"pids\":{\"limit\":-1}}")).unwrap();
        assert_eq!(place.read("pids.max"), "max");
        cgroup.apply(&place.limits("{\"pids\":{\"limit\":3}}")).unwrap();
        cgroup.apply(&place.limits("{\"pids\":{\"limit\":0}}")).unwrap();
        assert_eq!(place.read("pids.max"), "max");
    }

    pub fn memory_limit_ends_a_process(place: &Place) {
        place.limited("{\"memory\":{\"limit\":8388608,\"swap\":8388608}}");
        let shell = Shell::inside(&place.location, "exec tail /dev/zero");
        assert_eq!(shell.signal(), Some(SIGKILL));
    }

    pub fn check_before_update(place: &Place) {
        let cgroup = place.limited("{\"memory\":{\"limit\":67108864}}");
        let mut shell = Shell::inside(&place.location, "sleep 100");
        std::thread::sleep(Duration::from_millis(100));
        let low = place.limits("{\"memory\":{\"limit\":4096,\"checkBeforeUpdate\":true}}");
        let error = cgroup.apply(&low).unwrap_err().to_string();
        assert!(
            error.contains("/linux/resources/memory/limit") && error.contains("bytes already"),
            "{error}"
        );
        assert!(shell.0.try_wait().unwrap().is_none(), "the process lives");
        cgroup.kill(SIGKILL, &rest).unwrap();
    }
}
