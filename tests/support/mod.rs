//! A container for a test: a bundle made from Docker's default config and a busybox, the real binary, and a
//! clean-up that leaves nothing.
#![allow(dead_code, reason = "each test program uses its own part of this")]

pub mod apparmor;
pub mod cgroups;
pub mod cli;
pub mod leftovers;
pub mod mountinfo;
pub mod older_kernel;
pub mod ordinary;
pub mod sweep;

use serde_json::Value;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub const RRUNTIME: &str = env!("CARGO_BIN_EXE_rruntime");
const CONFIG: &str = include_str!("../data/docker-default.json");
/// Tests that do not run everywhere, each with a lane that runs it; hack/test-lanes writes it, and holds it true.
const LANES: &str = include_str!("../data/lanes.txt");
const PROGRAMS: &[&str] = &[
    "sh", "cat", "echo", "ls", "id", "sleep", "mount", "env", "hostname", "grep", "stat", "touch", "mkdir",
    "ps", "true", "false", "test", "readlink", "dd", "head", "wc", "ip", "kill", "nproc", "date", "rm", "ln",
    "tty", "stty", "chmod", "chown", "umount", "mknod", "pwd", "awk", "cut", "sed", "sort", "seq", "yes",
    "ulimit", "find", "df", "sync", "unshare", "ping", "dmesg", "chroot", "printf", "od", "uname", "cmp",
    "cp", "mv", "tr", "tail",
];

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A bundle and the id of its container. Dropped, everything is taken away.
pub struct Container {
    pub id: String,
    /// The bundle, the state directory and scratch space are below this.
    pub dir: PathBuf,
    pub config: Value,
    /// Who runs the binary, if not the tests' own user; see `ordinary`.
    pub ids: Option<(u32, u32)>,
    /// Annotations that the caller allows.
    pub allowed: Vec<&'static str>,
    /// Another binary in place of ours: a peer, or an older one.
    pub runtime: Option<PathBuf>,
    /// As long as it is held, what is below `dir` belongs to a living test.
    pub lock: File,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    fn of(output: &Output) -> Ended {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        use std::os::unix::process::ExitStatusExt;
        let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
        Ended { code, out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Standard output of a command that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.out, self.err);
        self.out
    }

    /// Standard error of a command that must have failed.
    #[track_caller]
    pub fn fails(self) -> String {
        assert_ne!(self.code, 0, "stdout: {}\nstderr: {}", self.out, self.err);
        self.err
    }
}

impl Container {
    /// Docker's default config; no program yet.
    pub fn new() -> Container {
        Container::below(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    /// A container whose files are below this directory.
    pub fn below(base: &Path) -> Container {
        let id = unused_id();
        let dir = base.join(&id);
        let lock = sweep::make_locked(&dir);
        fs::create_dir_all(dir.join("bundle")).expect("the test's directory is writable");
        make_rootfs(&dir.join("bundle/rootfs"));
        let mut config: Value = serde_json::from_str(CONFIG).expect("the config is JSON");
        config["linux"]["cgroupsPath"] = format!("/{id}").into();
        Container { id, dir, config, ids: None, runtime: None, allowed: Vec::new(), lock }
    }

    /// What runs in the container.
    pub fn args(mut self, args: &[&str]) -> Container {
        self.config["process"]["args"] = args.into();
        self
    }

    /// A shell script in the container.
    pub fn sh(self, script: &str) -> Container {
        self.args(&["sh", "-c", script])
    }

    pub fn edit(mut self, change: impl FnOnce(&mut Value)) -> Container {
        change(&mut self.config);
        self
    }

    /// With `--allow-annotation`.
    pub fn allowing(mut self, name: &'static str) -> Container {
        self.allowed.push(name);
        self
    }

    /// Removes every namespace of this kind, then adds one with these further fields.
    pub fn namespace(mut self, kind: &str, path: Option<&str>) -> Container {
        let list = self.config["linux"]["namespaces"].as_array_mut().expect("the config has namespaces");
        list.retain(|namespace| namespace["type"] != kind);
        list.push(match path {
            Some(path) => serde_json::json!({"type": kind, "path": path}),
            None => serde_json::json!({"type": kind}),
        });
        self
    }

    pub fn without_namespace(mut self, kind: &str) -> Container {
        let list = self.config["linux"]["namespaces"].as_array_mut().expect("the config has namespaces");
        list.retain(|namespace| namespace["type"] != kind);
        self
    }

    pub fn bundle(&self) -> PathBuf {
        self.dir.join("bundle")
    }

    pub fn rootfs(&self) -> PathBuf {
        self.dir.join("bundle/rootfs")
    }

    /// The state directory of this test alone.
    pub fn state_root(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// What is in it but the number of a thread of the kernel's, which is remembered for the next container.
    pub fn left_in_state_root(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state_root()).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| !path.ends_with(".thread:kdevtmpfs")).collect()
    }

    pub fn write_config(&self) {
        let text = serde_json::to_vec(&self.config).expect("a value is JSON");
        fs::write(self.bundle().join("config.json"), text).expect("the bundle is writable");
    }

    /// The binary with this container's state directory, and these arguments.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.as_user(self.binary());
        command.arg("--root").arg(self.state_root());
        for name in &self.allowed {
            command.arg("--allow-annotation").arg(name);
        }
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn call(&self, args: &[&str]) -> Ended {
        finish(self.command(args))
    }

    /// `run` in the foreground, with further options.
    pub fn run_with(&self, options: &[&str]) -> Ended {
        self.write_config();
        let mut command = self.command(&["run", "--bundle"]);
        command.arg(self.bundle()).args(options).arg(&self.id);
        finish(command)
    }

    pub fn run(&self) -> Ended {
        self.run_with(&[])
    }

    pub fn create(&self) -> Ended {
        self.create_with(&[])
    }

    pub fn create_with(&self, options: &[&str]) -> Ended {
        self.write_config();
        let log = self.dir.join("create.log");
        let mut command = self.command(&["--log"]);
        command.arg(&log).arg("create").arg("--bundle").arg(self.bundle()).args(options).arg(&self.id);
        // A created container keeps its streams: a pipe would never end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().expect("the command can be started");
        let mut ended = Ended { code: status.code().unwrap_or(255), out: String::new(), err: String::new() };
        ended.err = fs::read_to_string(&log).unwrap_or_default();
        ended
    }

    pub fn start(&self) -> Ended {
        self.call(&["start", &self.id])
    }

    /// create and start of a program that stays.
    pub fn started(self) -> Container {
        let created = self.create();
        assert_eq!(created.code, 0, "{}", created.err);
        self.start().ok();
        self
    }

    /// A script in the running container.
    pub fn exec_sh(&self, script: &str) -> Ended {
        self.call(&["exec", &self.id, "sh", "-c", script])
    }

    /// Whether a node that the container makes by itself can be opened. `device`: of a driver that no machine has, so that
    /// what may be opened is "No such device", what may not is "not permitted".
    pub fn opens(&self, device: &str) -> bool {
        let script = format!("mknod /tmp/node {device} && head -c 1 /tmp/node; rm /tmp/node");
        let said = self.exec_sh(&script).err;
        assert!(said.contains("not permitted") != said.contains("No such device"), "{said}");
        said.contains("No such device")
    }

    /// While `work` is done the record cannot be replaced: something is mounted on it.
    pub fn with_a_fixed_record<T>(&self, work: impl FnOnce() -> T) -> T {
        let record = self.state_root().join(&self.id).join("state.json");
        let mut mount = Command::new("mount");
        mount.arg("--bind").args([&record, &record]);
        finish(mount).ok();
        let done = work();
        let mut unmount = Command::new("umount");
        unmount.arg(&record);
        finish(unmount).ok();
        done
    }

    pub fn state(&self) -> Value {
        serde_json::from_str(&self.call(&["state", &self.id]).ok()).expect("state prints JSON")
    }

    pub fn status(&self) -> String {
        self.state()["status"].as_str().unwrap_or_default().to_owned()
    }

    pub fn pid(&self) -> i32 {
        self.state()["pid"].as_i64().unwrap_or(0) as i32
    }

    pub fn wait_for_status(&self, status: &str) {
        wait_until(&format!("status {status}"), || self.status() == status);
    }

    /// The directories named like this container in any cgroup hierarchy.
    pub fn cgroups(&self) -> Vec<PathBuf> {
        hierarchies().into_iter().map(|top| top.join(&self.id)).filter(|group| group.is_dir()).collect()
    }

    /// The file of the container's cgroup on v2, or of this v1 controller.
    pub fn cgroup_file(&self, controller: &str, file: &str) -> String {
        let base = Path::new("/sys/fs/cgroup");
        let directory = if is_v2() { base.join(&self.id) } else { base.join(controller).join(&self.id) };
        fs::read_to_string(directory.join(file)).unwrap_or_else(|e| panic!("{file}: {e}")).trim().to_owned()
    }

    /// A number of that: the file with one number, or the line of a file that begins with `name`.
    pub fn counted(&self, controller: &str, file: &str, name: &str) -> u64 {
        let text = self.cgroup_file(controller, file);
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name:?} in {file}: {text}"))
    }

    /// Nothing is left of the container: no cgroup, no state.
    #[track_caller]
    pub fn assert_gone(&self) {
        assert_eq!(self.cgroups(), Vec::<PathBuf>::new(), "cgroups are left");
        assert!(!self.state_root().join(&self.id).exists(), "state is left");
    }
}

/// A killed test, perhaps of another checkout, may have had our pid, and have left its cgroups.
fn unused_id() -> String {
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}{}-{number}", sweep::PREFIX, std::process::id());
        if !hierarchies().iter().any(|top| top.join(&id).exists()) {
            return id;
        }
    }
}

impl Default for Container {
    fn default() -> Self {
        Container::new()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.call(&["delete", "--force", &self.id]);
        if self.runtime.is_some() {
            // A peer that fails can leave its cgroup; what we leave ourselves is for the tests to see.
            let groups =
                hierarchies().into_iter().map(|top| top.join(&self.id)).filter(|group| group.is_dir());
            groups.for_each(|group| {
                sweep::remove_empty(&group).unwrap_or_else(|e| eprintln!("{group:?}: {e}"))
            });
        }
        // Left-overs are in target/tmp, which is thrown away with the build.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A container with these resources, and Docker's device rules.
pub fn limited(resources: Value) -> Container {
    Container::new().edit(|config| {
        let all = config["linux"]["resources"].as_object_mut().expect("the config has resources");
        all.extend(resources.as_object().expect("resources are an object").clone());
    })
}

/// A container that has written 4 MiB and read them again, past the page cache; and the cgroup's file that counts this.
pub fn transferring() -> (Container, &'static str) {
    let container = Container::new()
        .sh("dd if=/dev/zero of=/tmp/f bs=1M count=4 oflag=direct; \
             dd if=/tmp/f of=/dev/null bs=1M iflag=direct; echo > /tmp/done; exec sleep 1000")
        .started();
    wait_until("the transfers", || container.rootfs().join("tmp/done").exists());
    (container, if is_v2() { "io.stat" } else { "blkio.throttle.io_service_bytes_recursive" })
}

/// Where a cgroup of a test can be: at the top of every hierarchy.
pub fn hierarchies() -> Vec<PathBuf> {
    let base = Path::new("/sys/fs/cgroup");
    let below = fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.path());
    std::iter::once(base.to_owned()).chain(below).collect()
}

/// True where /sys/fs/cgroup is a cgroup2 mount.
pub fn is_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// The controllers of v2, or the mounted ones of v1.
pub fn has_controller(name: &str) -> bool {
    if is_v2() {
        let list = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        return list.split_whitespace().any(|controller| controller == name);
    }
    is_hierarchy(&Path::new("/sys/fs/cgroup").join(name))
}

/// On a hybrid host: the controllers that are on the v2 side.
pub fn of_the_v2_side(name: &str) -> bool {
    let list = fs::read_to_string("/sys/fs/cgroup/unified/cgroup.controllers").unwrap_or_default();
    list.split_whitespace().any(|controller| controller == name)
}

/// Whether a v1 hierarchy is mounted there: a plain directory may have the name of a controller that is not mounted.
pub fn is_hierarchy(path: &Path) -> bool {
    let kind = nix::sys::statfs::statfs(path).map(|found| found.filesystem_type());
    kind == Ok(nix::sys::statfs::CGROUP_SUPER_MAGIC)
}

/// major:minor of a whole disk of this machine.
pub fn disk() -> Option<String> {
    let mut disks: Vec<_> = fs::read_dir("/sys/block").ok()?.flatten().map(|entry| entry.path()).collect();
    disks.sort();
    let real = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        !name.starts_with("loop") && !name.starts_with("ram") && !name.starts_with("zram")
    };
    let found = disks.iter().find(real)?;
    fs::read_to_string(found.join("dev")).ok().map(|text| text.trim().to_owned())
}

/// Whether uname(2) names another processor to a process of PER_LINUX32: x86-64's does, user-mode Linux's does not.
pub fn obeys_personalities() -> bool {
    let said = Command::new("setarch").args(["linux32", "uname", "-m"]).output();
    said.is_ok_and(|said| said.stdout == b"i686\n")
}

/// Why a test about this controller, named as v1 has it, cannot run; `None` if it can.
pub fn missing(controller: &str) -> Option<String> {
    let controller = if is_v2() && controller == "blkio" { "io" } else { controller };
    (!has_controller(controller))
        .then(|| format!("the {controller} controller is not in this host's cgroup tree"))
}

/// Ends a test that needs a controller which is not there.
#[macro_export]
macro_rules! needs {
    ($($controller:expr),+) => {$(
        if let Some(reason) = $crate::support::missing($controller) {
            $crate::skip!("{reason}");
        }
    )+};
}

/// Ends a test that cannot run here.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        $crate::support::say_skipped(&format!($($reason)*));
        return;
    }};
}

/// The lanes that run a test, where not all do.
pub fn lanes_of(test: &str) -> Option<&'static str> {
    LANES.lines().find_map(|line| line.strip_prefix(test)?.strip_prefix(' '))
}

/// Says why a test, or a part of it, does not run here, and which lane runs it: hack/test-lanes reads these lines.
pub fn say_skipped(reason: &str) {
    let thread = std::thread::current();
    let test = format!("{}::{}", env!("CARGO_CRATE_NAME"), thread.name().unwrap_or("?"));
    let reason = reason.lines().next().unwrap_or_default();
    let line = format!("skipped: {reason} ({test}; lane: {})\n", lanes_of(&test).unwrap_or("none"));
    // In one piece: other tests say something too.
    std::io::stderr().write_all(line.as_bytes()).expect("there is a standard error");
}

/// Polls for something that another process does.
#[track_caller]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    // an emulated machine takes its time
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen within 30 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a command to its end.
#[track_caller]
pub fn finish(mut command: Command) -> Ended {
    let output = command.output().expect("the command can be started");
    Ended::of(&output)
}

/// Copies a program by another process: if this one wrote it, a child that another thread starts meanwhile would
/// hold it open for writing for a moment, and it could not be executed (ETXTBSY).
#[track_caller]
pub fn copy_program(from: &Path, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status().expect("there is a cp");
    assert!(
        status.success(),
        "{} is not there: busybox-static is installed by hack/install-deps",
        from.display()
    );
}

/// A root filesystem with a static busybox.
pub fn make_rootfs(rootfs: &Path) {
    for directory in ["bin", "proc", "sys", "dev", "tmp", "etc", "root"] {
        fs::create_dir_all(rootfs.join(directory)).expect("the test's directory is writable");
    }
    let busybox = rootfs.join("bin/busybox");
    copy_program(Path::new("/bin/busybox"), &busybox);
    for program in PROGRAMS {
        symlink("busybox", rootfs.join("bin").join(program)).expect("the test's directory is writable");
    }
    fs::write(rootfs.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")
        .expect("the test's directory is writable");
}
