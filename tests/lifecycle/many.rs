//! One process with many containers: the library, called by eight threads at once.

use crate::support::{Container, hierarchies, wait_until};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use rruntime::engine::{
    AfterExit, CgroupManager, CreateOptions, Engine, Event, ExecOptions, ExecProcess, Force, Meanwhile,
    OpenFiles, Recipients, Rootless, Started, Status, Terminal, Watch,
};
use rruntime::names;
use rruntime::state::{NoRoot, Store};
use rruntime::sys::identity::prlimit;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: usize = 8;
const CONTAINERS: usize = 300;
/// What the heaps of threads that have ended may keep: a tenth of what one stack of 64 KiB for each process would be.
const HEAP: u64 = 4 << 20;
/// Set in the process that a test has for itself.
const ALONE: &str = "RRUNTIME_TEST_ALONE";

/// Runs the body in a process of its own, whose descriptors, threads and children are those of no other test.
fn alone(test: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
    let output = command.args(["--exact", "--nocapture", test]).env(ALONE, "1").output();
    let output = output.expect("a test can be started");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprint!("{err}");
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

fn engine(container: &Container) -> Engine {
    Engine {
        buses: Default::default(),
        store: Arc::new(Store::open(&container.state_root(), NoRoot::Make).unwrap()),
        cgroup_manager: CgroupManager::Cgroupfs,
        rootless: Rootless::Auto,
        allowed_annotations: Vec::new(),
        open_files: OpenFiles::Keep,
        watch: Watch::none(),
    }
}

/// The same for one container, whose warnings go to a list.
fn heard(engine: &Engine, said: &Arc<Mutex<Vec<String>>>) -> Engine {
    let said = Arc::clone(said);
    let listener = move |event: &Event| {
        if let Event::Warning(warning) = event {
            said.lock().unwrap().push(warning.to_string());
        }
    };
    Engine { watch: Watch::new(None, Arc::new(listener)), ..engine.clone() }
}

fn bundle(program: &[&str]) -> Container {
    let container = Container::new().args(program).without_namespace("network").edit(|config| {
        config["linux"].as_object_mut().unwrap().remove("cgroupsPath");
    });
    container.write_config();
    container
}

fn options<'a>(container: &Container, id: &str, null: &'a File) -> CreateOptions<'a> {
    let streams = [Some(null.as_fd()); 3];
    CreateOptions { id: id.to_owned(), bundle: container.bundle(), streams, ..CreateOptions::default() }
}

fn echo<'a>(terminal: Terminal<'a>, output: &'a File) -> ExecOptions<'a> {
    let command = ["sh", "-c", "echo $0 $(cat /proc/1/comm)", "out"].map(Into::into).to_vec();
    ExecOptions {
        tty: Some(matches!(terminal, Terminal::Caller { .. })),
        terminal,
        streams: [None, Some(output.as_fd()), None],
        ..ExecOptions::of(ExecProcess::Command(command))
    }
}

/// Waits for a child by its descriptor: other threads wait for theirs.
fn wait(process: &Started) -> WaitStatus {
    waitid(Id::PIDFd(process.pidfd.as_fd()), WaitPidFlag::WEXITED).unwrap()
}

/// By its own reads: the place in the file is the container's too, which may write there at this moment.
fn text(file: &File) -> String {
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    let length = file.read_at(&mut bytes, 0).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

/// A loop that has one thing to do: another container's life, behind which the hook of the first one goes on.
struct Loop {
    asked: UnixStream,
    engine: Engine,
    other: Container,
    go_on: PathBuf,
    /// It takes so long before it does that.
    before: Duration,
    acts: AtomicUsize,
}

impl Meanwhile for Loop {
    fn fd(&self) -> BorrowedFd<'_> {
        self.asked.as_fd()
    }

    fn act(&self) {
        assert_eq!((&self.asked).read(&mut [0; 8]).unwrap(), 1);
        self.acts.fetch_add(1, Ordering::Relaxed);
        thread::sleep(self.before);
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let started = make(&self.engine, &self.other, "other-0", &null);
        assert_eq!(self.engine.state("other-0").unwrap().status, Status::Running);
        self.engine.kill("other-0", libc::SIGKILL, Recipients::FirstProcess).unwrap();
        wait(&started);
        self.engine.delete("other-0", Force::OnlyStopped).unwrap();
        fs::write(&self.go_on, "").unwrap();
    }
}

#[test]
fn a_caller_with_one_thread_serves_others_while_its_call_waits_for_a_hook() {
    serve("until [ -e GO ]; do sleep 0.01; done", 60, Duration::ZERO);
}

/// A hook that ended in time did so, however long its caller was busy with other things.
#[test]
fn what_ends_while_the_caller_serves_others_has_ended_in_time() {
    serve("true", 1, Duration::from_secs(2));
}

/// Makes a container with this hook, and another one during that.
fn serve(hook: &str, timeout: u64, before: Duration) {
    let go_on = std::env::temp_dir().join(format!("rr-meanwhile-{}-{timeout}", std::process::id()));
    let script = hook.replace("GO", go_on.to_str().unwrap());
    let held = bundle(&["true"]).edit(|config| {
        let hook = serde_json::json!({"path": "/bin/sh", "args": ["sh", "-c", script], "timeout": timeout});
        config["hooks"] = serde_json::json!({"createRuntime": [hook]});
    });
    held.write_config();
    let (mut asks, asked) = UnixStream::pair().unwrap();
    asks.write_all(b"!").unwrap();
    let engine = engine(&held);
    let other = bundle(&["sleep", "100"]);
    let serving = Arc::new(Loop {
        asked,
        engine: engine.clone(),
        other,
        go_on: go_on.clone(),
        before,
        acts: AtomicUsize::new(0),
    });
    let watch = Watch::none().with_meanwhile(Arc::clone(&serving) as Arc<dyn Meanwhile>);
    let caller = Engine { watch, ..engine };
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let created = caller.create(&options(&held, "held", &null));
    let gone = fs::remove_file(&go_on);
    let created = created.unwrap();
    gone.unwrap();
    assert_eq!(serving.acts.load(Ordering::Relaxed), 1);
    caller.delete("held", Force::Kill).unwrap();
    wait(&created);
}

/// One container's whole life but its end.
fn make(engine: &Engine, container: &Container, id: &str, null: &File) -> Started {
    let options = options(container, id, null);
    // Four of ten by one call, in which this thread says start.
    if id.ends_with(['0', '3', '6', '9']) {
        return engine.run(&options, AfterExit::Delete).unwrap().process;
    }
    let created = engine.create(&options).unwrap();
    let started = engine.start(id, None).unwrap();
    assert_eq!(created.pid, started.pid);
    created
}

fn join(engine: &Engine, container: &Container, id: &str) {
    let file = tempfile(container, id);
    let process = engine.exec(id, &echo(Terminal::None, &file)).unwrap();
    assert_eq!(wait(&process), WaitStatus::Exited(nix::unistd::Pid::from_raw(process.pid), 0), "{id}");
    assert_eq!(text(&file), "out sleep\n", "{id}");
}

fn tempfile(container: &Container, id: &str) -> File {
    let path = container.dir.join(format!("{id}.out"));
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    fs::remove_file(path).unwrap();
    file
}

fn end(engine: &Engine, id: &str, process: &Started) {
    engine.kill(id, libc::SIGKILL, Recipients::FirstProcess).unwrap();
    assert!(matches!(wait(process), WaitStatus::Signaled(..)), "{id}");
    assert_eq!(engine.state(id).unwrap().status, Status::Stopped);
    engine.delete(id, Force::OnlyStopped).unwrap();
}

/// Says so when it goes, also where a test fails.
#[derive(Default)]
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Deletes what a test that failed has left.
struct Leavings(Engine);

impl Drop for Leavings {
    fn drop(&mut self) {
        for state in self.0.list().unwrap_or_default() {
            self.0.delete(&state.id, Force::Kill).unwrap_or_else(|e| eprintln!("{}: {e}", state.id));
        }
    }
}

/// What this process has, as the kernel counts it.
fn holdings() -> BTreeMap<&'static str, String> {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    let entries = |directory: &str| fs::read_dir(directory).unwrap().count().to_string();
    let me = std::process::id().to_string();
    let children = fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1).map(str::to_owned));
        parent.as_deref() == Some(&*me)
    });
    BTreeMap::from([
        ("descriptors", entries("/proc/self/fd")),
        ("threads", entries("/proc/self/task")),
        ("children", children.count().to_string()),
        ("working directory", fs::read_link("/proc/self/cwd").unwrap().display().to_string()),
        ("umask", line("Umask")),
        ("blocked signals", line("SigBlk")),
        ("ignored signals", line("SigIgn")),
        ("caught signals", line("SigCgt")),
        ("limits", fs::read_to_string("/proc/self/limits").unwrap()),
        ("groups", fs::read_to_string("/proc/self/cgroup").unwrap()),
    ])
}

/// Bytes that are this process's own.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Every thread does its part of `count`, all at the same time.
fn share(count: usize, part: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for begin in 0..THREADS {
            let part = &part;
            scope.spawn(move || (begin..count).step_by(THREADS).for_each(part));
        }
    });
}

fn lives(engine: &Engine, container: &Container, round: &str, count: usize) {
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let id = |n: usize| format!("{}-{round}{n}", container.id);
    let made: Mutex<BTreeMap<usize, (Started, Engine)>> = Mutex::default();
    let said = Arc::default();
    share(count, |n| {
        let engine = heard(engine, &said);
        let process = make(&engine, container, &id(n), &null);
        made.lock().unwrap().insert(n, (process, engine));
    });
    let made = made.into_inner().unwrap();
    assert_eq!(engine.list().unwrap().iter().filter(|state| state.status == Status::Running).count(), count);
    share(count, |n| join(&made[&n].1, container, &id(n)));
    share(count, |n| end(&made[&n].1, &id(n), &made[&n].0));
    assert_eq!(*said.lock().unwrap(), [""; 0]);
    assert_eq!(engine.list().unwrap().len(), 0);
}

#[test]
fn three_hundred_containers_of_one_process_leave_it_as_it_was() {
    alone("many::three_hundred_containers_of_one_process_leave_it_as_it_was", || {
        let container = bundle(&["sleep", "1000"]);
        let engine = engine(&container);
        let _leavings = Leavings(engine.clone());
        // The thread that has made this one blocks its signals until it has done so.
        thread::sleep(std::time::Duration::from_millis(100));
        let before = holdings();
        // What is asked of the host once, and the heaps of threads.
        lives(&engine, &container, "first", 40);
        let held = memory();
        let over = Over::default();
        thread::scope(|scope| {
            // The caller's other threads start programs of their own meanwhile.
            let going = Arc::clone(&over.0);
            scope.spawn(move || {
                while !going.load(Ordering::Relaxed) {
                    assert!(Command::new("true").status().unwrap().success());
                }
            });
            let over = over;
            lives(&engine, &container, "second", CONTAINERS);
            drop(over);
        });
        for (what, was) in before {
            // A thread that was waited for is still listed for a moment.
            wait_until(what, || holdings()[what] == was);
        }
        let grown = memory().saturating_sub(held);
        eprintln!("{} KB of memory before, {} KB more after", held >> 10, grown >> 10);
        assert!(grown < HEAP, "{grown} bytes more");
        let named = |top: std::path::PathBuf| {
            let groups = fs::read_dir(top).into_iter().flatten().flatten();
            groups.filter(|group| group.file_name().to_string_lossy().starts_with(&container.id)).count()
        };
        assert_eq!(hierarchies().into_iter().map(named).sum::<usize>(), 0, "groups are left");
    });
}

#[test]
fn of_eight_threads_that_want_an_id_one_gets_it() {
    let container = bundle(&["sleep", "1000"]);
    let engine = engine(&container);
    let _leavings = Leavings(engine.clone());
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let made = Mutex::new(Vec::new());
    share(THREADS, |_| match engine.create(&options(&container, &container.id, &null)) {
        Ok(process) => made.lock().unwrap().push(process),
        Err(error) => assert!(error.to_string().contains("already exists"), "{error}"),
    });
    let made = made.into_inner().unwrap();
    assert_eq!(made.len(), 1);
    engine.delete(&container.id, Force::Kill).unwrap();
    wait(&made[0]);
}

/// Whatever their numbers are in this process, and although each stands where another is to go.
#[test]
fn each_container_of_a_process_gets_the_descriptors_that_are_given_for_it() {
    alone("many::each_container_of_a_process_gets_the_descriptors_that_are_given_for_it", || {
        const READ: &str = "cat <&3; cat <&4; cat <&5; cat <&6 2>/dev/null && echo leaked; true";
        let container = bundle(&["sh", "-c", &format!("echo $LISTEN_FDS; {READ}; sleep 1000")]);
        let engine = engine(&container);
        let _leavings = Leavings(engine.clone());
        share(THREADS, |n| {
            let id = format!("{}-{n}", container.id);
            let file = |name: &str| {
                let mut file = tempfile(&container, &format!("{id}-{name}"));
                writeln!(file, "{n} {name}").unwrap();
                file.rewind().unwrap();
                file
            };
            let (output, files) = (tempfile(&container, &id), ["c", "b", "a"].map(file));
            let given: Vec<_> = files.iter().rev().map(AsFd::as_fd).collect();
            let first = CreateOptions {
                streams: [None, Some(output.as_fd()), None],
                sockets: given[..1].to_vec(),
                preserve_fds: given[1..].to_vec(),
                ..options(&container, &id, &output)
            };
            let running = engine.run(&first, AfterExit::Delete).unwrap();
            let words = format!("{n} a\n{n} b\n{n} c\n");
            wait_until("the program's words", || text(&output) == format!("1\n{words}"));
            let (output, files) = (tempfile(&container, &id), ["a", "c", "b"].map(file));
            let process = engine
                .exec(
                    &id,
                    &ExecOptions {
                        process: ExecProcess::Command(["sh", "-c", READ].map(Into::into).to_vec()),
                        preserve_fds: [0, 2, 1].map(|n: usize| files[n].as_fd()).to_vec(),
                        ..echo(Terminal::None, &output)
                    },
                )
                .unwrap();
            wait(&process);
            assert_eq!(text(&output), words);
            end(&engine, &id, &running.process);
        });
    });
}

#[test]
fn the_terminal_of_a_process_is_its_callers() {
    let container = bundle(&["sleep", "1000"]);
    let engine = engine(&container);
    let _leavings = Leavings(engine.clone());
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let first = make(&engine, &container, &container.id, &null);
    let mut process =
        engine.exec(&container.id, &echo(Terminal::Caller { like: None, output: None }, &null)).unwrap();
    let mut terminal = File::from(process.terminal.take().expect("the caller wanted it"));
    let mut text = Vec::new();
    wait_until("the program's words", || {
        let mut piece = [0; 64];
        let length = terminal.read(&mut piece).unwrap_or(0);
        text.extend_from_slice(&piece[..length]);
        text.ends_with(b"out sleep\r\n")
    });
    wait(&process);
    let refused = ExecOptions { tty: Some(true), ..echo(Terminal::None, &null) };
    let error = engine.exec(&container.id, &refused).unwrap_err().to_string();
    assert!(error.contains("terminal"), "{error}");
    end(&engine, &container.id, &first);
}

/// Its filter lets it make no terminal its own, and it cannot be loaded later where a process of the container can trace.
#[test]
fn a_process_that_gets_no_terminal_leaves_no_child_behind() {
    alone("many::a_process_that_gets_no_terminal_leaves_no_child_behind", || {
        let container = bundle(&["sleep", "1000"]).edit(|config| {
            let take = serde_json::json!({"index": 1, "value": libc::TIOCSCTTY, "op": "SCMP_CMP_EQ"});
            config["linux"]["seccomp"] = serde_json::json!({
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "args": [take]}],
            });
            let bounding = config["process"]["capabilities"]["bounding"].as_array_mut().unwrap();
            bounding.push("CAP_SYS_PTRACE".into());
        });
        container.write_config();
        let engine = engine(&container);
        let _leavings = Leavings(engine.clone());
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let first = make(&engine, &container, &container.id, &null);
        let before = holdings();
        let error = engine
            .exec(&container.id, &echo(Terminal::Caller { like: None, output: None }, &null))
            .unwrap_err();
        eprintln!("{error}");
        assert_eq!(holdings(), before);
        end(&engine, &container.id, &first);
    });
}

#[test]
fn a_caller_that_asks_hears_how_long_each_deed_and_step_took() {
    let container = bundle(&["true"]);
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let options = options(&container, &container.id, &null);
    for asks in [true, false] {
        let times: Arc<Mutex<Vec<(String, Instant)>>> = Arc::default();
        let heard = Arc::clone(&times);
        let steps: Arc<Mutex<Vec<(usize, Instant)>>> = Arc::default();
        let heard_steps = Arc::clone(&steps);
        let observer = move |event: &Event| match event {
            Event::Done { of, number, began, took, failed: None } => {
                let (deed, _) = of.deed(*number).unwrap();
                heard.lock().unwrap().push((deed.words(), *began + *took));
            }
            Event::StepDone { number, began, took, .. } => {
                heard_steps.lock().unwrap().push((*number, *began + *took));
            }
            _ => {}
        };
        let watch = Watch::new(None, Arc::new(observer));
        let watch = if asks { watch.with_times() } else { watch };
        let engine = Engine { watch, ..engine(&container) };
        let _leavings = Leavings(engine.clone());
        let running = engine.run(&options, AfterExit::Delete).unwrap();
        wait(&running.process);
        engine.finish(running).unwrap();
        let times = times.lock().unwrap();
        assert!(times.is_sorted_by_key(|(_, end)| *end), "{times:?}");
        let deeds = [
            "make the state directory",
            "start init",
            "wait until init is ready",
            "tell init to start the program",
            "remove the state directory",
        ];
        let heard = deeds.iter().filter(|deed| times.iter().any(|(done, _)| done == *deed)).count();
        assert_eq!(heard, if asks { deeds.len() } else { 0 });
        let steps = steps.lock().unwrap();
        assert!(steps.is_sorted(), "{steps:?}");
        assert!(if asks { steps.len() > 20 } else { steps.is_empty() }, "{}", steps.len());
        let of = |deed: &str| times.iter().find(|(done, _)| done == deed).map(|(_, end)| *end);
        if let (Some(begun), Some(ready)) = (of(deeds[0]), of(deeds[2])) {
            let inside = steps.iter().filter(|(_, end)| (begun..ready).contains(end)).count();
            assert!(inside > 10, "{steps:?}, {times:?}");
        }
    }
}

#[test]
fn a_plan_that_needs_more_files_than_its_caller_may_open_is_refused_by_name_or_makes_room() {
    alone(
        "many::a_plan_that_needs_more_files_than_its_caller_may_open_is_refused_by_name_or_makes_room",
        || {
            let container = bundle(&["sleep", "1000"]).edit(|config| {
            let mounts = config["mounts"].as_array_mut().unwrap();
            mounts.extend((0..300).map(|n| {
                let destination = format!("/tmp/mount-{n}");
                serde_json::json!({"destination": destination, "source": "/etc", "type": "bind", "options": ["bind"]})
            }));
        });
            container.write_config();
            let limit = || prlimit(0, names::RLIMIT_NOFILE, None).unwrap();
            let hard = limit().1;
            prlimit(0, names::RLIMIT_NOFILE, Some((256, hard))).unwrap();
            let keeping = engine(&container);
            let _leavings = Leavings(keeping.clone());
            let null = File::options().read(true).write(true).open("/dev/null").unwrap();
            let options = options(&container, &container.id, &null);
            let error = keeping.create(&options).unwrap_err().to_string();
            assert!(error.contains("/mounts") && error.contains("RLIMIT_NOFILE"), "{error}");
            assert_eq!(keeping.list().unwrap().len(), 0);
            let raising = Engine { open_files: OpenFiles::Raise, ..keeping.clone() };
            let created = raising.create(&options).unwrap();
            assert_eq!(limit(), (256, hard));
            raising.delete(&container.id, Force::Kill).unwrap();
            wait(&created);
            // One that is through takes no room away from one that is not.
            share(5 * THREADS, |n| {
                let id = format!("{}-{n}", container.id);
                let created = raising.create(&CreateOptions { id: id.clone(), ..options.clone() }).unwrap();
                raising.delete(&id, Force::Kill).unwrap();
                wait(&created);
            });
            assert_eq!(limit(), (256, hard));
        },
    );
}

/// A hook's exit status is known although the caller waits for every child of its process.
#[test]
fn a_caller_that_reaps_everything_makes_containers_with_hooks() {
    alone("many::a_caller_that_reaps_everything_makes_containers_with_hooks", || {
        let hook = |script: &str| serde_json::json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]);
        let container = bundle(&["sleep", "1000"]).edit(|config| {
            config["hooks"] =
                serde_json::json!({"createRuntime": hook("sleep 0.1"), "poststart": hook("exit 0")});
        });
        container.write_config();
        let engine = engine(&container);
        let _leavings = Leavings(engine.clone());
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let over = Over::default();
        let going = Arc::clone(&over.0);
        let reaper = thread::spawn(move || {
            while !going.load(Ordering::Relaxed) {
                if waitid(Id::All, WaitPidFlag::WEXITED).is_err() {
                    thread::sleep(std::time::Duration::from_millis(1));
                }
            }
        });
        let made = engine.run(&options(&container, &container.id, &null), AfterExit::Delete);
        match made {
            Err(error) if error.detail().errno == Some(libc::ECHILD) => {
                crate::support::say_skipped("before Linux 6.15")
            }
            made => drop(made.unwrap()),
        }
        engine.delete(&container.id, Force::Kill).unwrap();
        drop(over);
        reaper.join().unwrap();
    });
}
