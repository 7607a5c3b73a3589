//! The commands that containerd executes: `start` finds the shim of a pod or makes one, `delete` takes away what a
//! container has left, `-info` and `-v` say what this is. Their output is the protocol's, so nothing else may be printed.

use crate::engine::{Engine, Force, Status as State, Watch, keep_room};
use crate::error::{Error, Result};
use crate::shim::containerd::info::{self, NAME, RUNTIME_FILE, SOCKETS, socket_of};
use crate::shim::containerd::model::{Container, Record, Settings, Timestamp};
use crate::shim::containerd::protocol::frames::{self, REQUEST, Request};
use crate::shim::containerd::protocol::messages::{Any, DeleteResponse, Options, ProcessRequest};
use crate::shim::containerd::replies::OWN_REQUEST;
use crate::shim::containerd::{rootfs, runtime, serve};
use crate::shim::{files, launch};
use crate::spec::{Spec, load};
use crate::state::{NoRoot, Store, short_name};
use crate::sys::{Errno, file, identity, random, signal, socket};
use nix::sys::stat::fstat;
use prost::Message;
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The state directory of a container, beside which it is remembered for `delete`.
const ROOT_FILE: &str = "rruntime.root";
const CONFIG: usize = 32 << 20;
/// Which pod a container is of.
const GROUPS: [&str; 2] = ["io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"];

/// The words of the command line, as Go's flags are written.
#[derive(Default)]
struct Words {
    namespace: String,
    id: String,
    address: String,
    bundle: String,
    debug: bool,
    info: bool,
    version: bool,
    command: String,
}

/// Returns the exit code. What failed is told on standard error, which containerd shows. `features`: the JSON of what this
/// program supports.
pub fn main(arguments: impl Iterator<Item = OsString>, features: fn() -> String) -> i32 {
    // These calls fail for signals that do not exist. A client that goes away is an error of its connection, and a limit on
    // the size of files one of the file.
    let (pipe, child, size) = (libc::SIGPIPE, libc::SIGCHLD, libc::SIGXFSZ);
    let _settled = (signal::ignore(pipe), signal::default(child), signal::block(size));
    let words = words(arguments.map(|word| word.to_string_lossy().into_owned()));
    let done = words.and_then(|words| match &*words.command {
        _ if words.version => {
            print(format!("{NAME}:\n  Version: {}\n", env!("CARGO_PKG_VERSION")).as_bytes())
        }
        _ if words.info => info::print(features()),
        "start" => start(&words),
        "delete" => delete(&words),
        "" if launch::is_of_keeper() => serve::serve(),
        other => Err(Error::argument("command", other, "this is executed by containerd: start or delete")),
    });
    match done {
        Ok(()) => 0,
        Err(error) => {
            // There is no other place to say it.
            let _ = writeln!(std::io::stderr(), "{NAME}: {error}");
            1
        }
    }
}

fn words(mut arguments: impl Iterator<Item = String>) -> Result<Words> {
    let mut words = Words::default();
    while let Some(word) = arguments.next() {
        let Some(option) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
            words.command = word;
            continue;
        };
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (option, None),
        };
        match name {
            "debug" => words.debug = true,
            "info" => words.info = true,
            "v" | "version" => words.version = true,
            _ => {
                let missing = || Error::argument(format!("-{name}"), "", "it needs a value");
                let value = value.or_else(|| arguments.next()).ok_or_else(missing)?;
                match name {
                    "namespace" => words.namespace = value,
                    "id" => words.id = value,
                    "address" => words.address = value,
                    "bundle" => words.bundle = value,
                    "publish-binary" | "socket" => {}
                    _ => return Err(Error::argument(format!("-{name}"), value, "there is no such option")),
                }
            }
        }
    }
    Ok(words)
}

fn print(bytes: &[u8]) -> Result<()> {
    let mut output = std::io::stdout();
    output
        .write_all(bytes)
        .and_then(|()| output.flush())
        .map_err(|e| Error::io("write to standard output", &e))
}

fn start(words: &Words) -> Result<()> {
    let bundle = std::env::current_dir().map_err(|e| Error::io("find the working directory", &e))?;
    let options = options_on_stdin()?;
    let config = file::read_path(bundle.join("config.json"), CONFIG)
        .map_err(|e| e.because("read config.json of the bundle, which is the working directory"))?;
    let spec: Spec = load::parse("config.json", &config)?;
    let group = GROUPS.iter().find_map(|name| spec.annotations.get(*name).map(|group| group.to_string()));
    let group = group.unwrap_or_else(|| words.id.clone());
    let root = root_of(&bundle, &options, &words.namespace);
    let remember = |address: &str| -> Result<()> {
        for (name, text) in [("address", address), (ROOT_FILE, &*root.to_string_lossy())] {
            files::write(&bundle.join(name), text.as_bytes())?;
        }
        Ok(())
    };

    let sockets = PathBuf::from(SOCKETS);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(&sockets).map_err(|e| Error::io(format!("make {SOCKETS}"), &e))?;
    let directory = file::openat2(file::cwd(), c"/run/rruntime-shim", file::DIRECTORY, 0, 0);
    let directory = directory.map_err(|e| e.because(format!("open {SOCKETS}")))?;
    let found = fstat(&directory).map_err(|e| Errno::from(e).because(format!("stat {SOCKETS}")))?;
    if found.st_uid != identity::euid() || found.st_mode & 0o077 != 0 {
        return Err(Error::new("other users may use this directory, where sockets are made")
            .value(SOCKETS)
            .remedy("remove it: it is made anew, for this user alone"));
    }
    // Two containers of a pod may be started at once.
    file::flock(directory.as_fd(), libc::LOCK_EX).map_err(|e| e.because(format!("lock {SOCKETS}")))?;
    let pod = sockets.join(pod_file(&words.address, &words.namespace, &group)?);
    if let Ok(address) = fs::read_to_string(&pod) {
        let path = socket_of(&address);
        if socket::connect_stream(path).is_ok() {
            remember(&address)?;
            return print(address.as_bytes());
        }
        // Its shim was killed together with its keeper.
        let _ = fs::remove_file(path);
    }
    let path = sockets.join(random::name().map_err(|e| e.because("getrandom"))?);
    let listener =
        UnixListener::bind(&path).map_err(|e| Error::io(format!("bind {}", path.display()), &e))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
        .map_err(|e| Error::io(format!("set the mode of {}", path.display()), &e))?;
    listener.set_nonblocking(true).map_err(|e| Error::io("set the socket's mode", &e))?;
    let address = format!("unix://{}", path.display());
    let settings = Settings {
        namespace: words.namespace.clone(),
        root: root.to_string_lossy().into_owned(),
        events: std::env::var("TTRPC_ADDRESS").unwrap_or_default(),
        files: [&path, &pod].map(|path| path.to_string_lossy().into_owned()).to_vec(),
        debug: words.debug,
        next_number: 0,
        finishing: false,
    };
    launch_shim(words, &options, settings, &listener).inspect_err(|_| {
        // The error that led here is the one to report.
        let _ = fs::remove_file(&path);
    })?;
    let told = files::write(&pod, address.as_bytes())
        .and_then(|()| remember(&address))
        .and_then(|()| print(address.as_bytes()));
    // Without the address no containerd could end this shim.
    told.inspect_err(|_| forget(&address, &words.id))
}

fn launch_shim(words: &Words, options: &Options, settings: Settings, listener: &UnixListener) -> Result<()> {
    let journal = launch::journal(&Record { settings: Some(settings), ..Record::default() })?;
    prefer_for_oom();
    if !options.shim_cgroup.is_empty() {
        enter(&options.shim_cgroup)?;
    }
    let log = log()?;
    // What stays is in no one's way: the bundle is the first container's, which may be gone long before the pod.
    launch::enter(Path::new("/"))?;
    let arguments = [NAME, "-namespace", &*words.namespace, "-id", &*words.id, "-address", &*words.address];
    launch::start(&arguments, journal.as_fd(), listener.as_fd(), &[], log.as_fd()).map(drop)
}

/// containerd reads the fifo `log` in the bundle.
fn log() -> Result<OwnedFd> {
    let open = |path, flags| file::openat2(file::cwd(), path, flags, 0, 0);
    match open(c"log", libc::O_WRONLY | libc::O_NONBLOCK | libc::O_NOFOLLOW) {
        Err(e @ Errno(libc::ENXIO)) => Err(e
            .because("open the fifo log of the bundle, which nothing reads: the containerd that wants this shim has ended")
            .remedy("start the container again")),
        Ok(fifo) => Ok(fifo),
        Err(_) => open(c"/dev/null", libc::O_WRONLY).map_err(|e| e.because("open /dev/null")),
    }
}

/// A score above containerd's: before containerd is killed, a shim is. Ours costs no task then.
fn prefer_for_oom() {
    let path = "/proc/self/oom_score_adj";
    let score = fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<i32>().ok());
    // Where it cannot be read or raised it stays as it is.
    if let Some(score) = score {
        let _ = fs::write(path, (score + 1).min(1000).to_string());
    }
}

/// This process enters the group, and what it starts is born there.
fn enter(group: &str) -> Result<()> {
    let layout = crate::host::cgroups::detect()?;
    let v1 = layout.hierarchies.iter().map(|hierarchy| &hierarchy.mount);
    let mounts: Vec<_> = v1.chain(&layout.unified).collect();
    for mount in mounts {
        let directory = Path::new(&mount.path).join(group.trim_start_matches('/'));
        let made =
            fs::create_dir_all(&directory).and_then(|()| fs::write(directory.join("cgroup.procs"), "0"));
        made.map_err(|e| {
            Error::io(format!("enter the cgroup {}", directory.display()), &e).field("ShimCgroup")
        })?;
    }
    Ok(())
}

/// What containerd gives on standard input: nothing, or the options of its configuration.
fn options_on_stdin() -> Result<Options> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().take(1 << 20).read_to_end(&mut bytes);
    read.map_err(|e| Error::io("read the options on standard input", &e))?;
    let any = Any::decode(&*bytes).unwrap_or_default();
    Options::of(Some(&any))
        .map_err(|e| Error::new(format!("the options on standard input cannot be read: {e}")))
}

/// Where the containers of a namespace are recorded: as the options say, or beside containerd's own state, so that two
/// containerds have two.
fn root_of(bundle: &Path, options: &Options, namespace: &str) -> PathBuf {
    let beside = || {
        let mut above = bundle.ancestors().skip(2);
        let tasks = above
            .next()
            .filter(|path| path.file_name().is_some_and(|name| name == "io.containerd.runtime.v2.task"));
        tasks.and_then(Path::parent).map(|state| state.join("rruntime"))
    };
    let root = if options.root.is_empty() { beside() } else { Some(PathBuf::from(&options.root)) };
    root.unwrap_or_else(|| PathBuf::from("/run/rruntime/containerd")).join(namespace)
}

/// The name of the file that leads to a pod's socket. Namespaces and ids have no `/` and no `,`.
fn pod_file(address: &str, namespace: &str, group: &str) -> Result<String> {
    let name = format!("{},{namespace},{group}", short_name(address));
    if group.is_empty() || namespace.contains('/') || group.contains('/') || name.len() > 255 {
        return Err(Error::argument("-id", group, "this is no name of a container or a pod"));
    }
    Ok(name)
}

/// Whatever is left of a container whose shim is gone, or was asked to go.
fn delete(words: &Words) -> Result<()> {
    let bundle = match &*words.bundle {
        "" => std::env::current_dir().map_err(|e| Error::io("find the working directory", &e))?,
        bundle => PathBuf::from(bundle),
    };
    let root = fs::read_to_string(bundle.join(ROOT_FILE)).map(PathBuf::from);
    let root = root.unwrap_or_else(|_| root_of(&bundle, &Options::default(), &words.namespace));
    let address = fs::read_to_string(bundle.join("address")).unwrap_or_default();
    forget(&address, &words.id);
    keep_room()?;
    let engine = Engine::over(Store::open(&root, NoRoot::Empty)?, Watch::none());
    let pid = engine
        .state(&words.id)
        .ok()
        .filter(|state| state.status != State::Stopped)
        .map_or(0, |state| state.pid);
    let runtime = fs::read_to_string(bundle.join(RUNTIME_FILE)).unwrap_or_default();
    if runtime.is_empty() {
        engine.delete(&words.id, Force::Kill)?;
    } else {
        let bundle = bundle.to_string_lossy().into_owned();
        let container = Container { id: words.id.clone(), bundle, runtime, ..Container::default() };
        runtime::other(&container, &root).delete(&words.id)?;
    }
    rootfs::unmount(&bundle.join("rootfs"))?;
    let killed = 128 + libc::SIGKILL as u32;
    let answer = DeleteResponse { pid: pid as u32, exit_status: killed, exited_at: Some(Timestamp::now()) };
    print(&answer.encode_to_vec())
}

/// The socket of a shim that is gone, and the file that leads to it.
fn remove_pod(socket: &Path, address: &str) {
    let pods = fs::read_dir(SOCKETS).into_iter().flatten().flatten();
    let pods = pods.filter(|entry| entry.file_name().to_string_lossy().contains(','));
    let leads = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.trim() == address);
    for path in pods.map(|entry| entry.path()).filter(leads).chain([socket.to_owned()]) {
        // One that is gone is what is wanted.
        let _ = fs::remove_file(path);
    }
}

/// Tells a shim that lives, and that containerd has given up, that this container is no longer its own.
fn forget(address: &str, id: &str) {
    const PATIENCE: Duration = Duration::from_millis(500);
    let path = socket_of(address);
    if path.as_os_str().is_empty() {
        return;
    }
    // A shim that is gone, as it is as a rule, needs not to be told.
    let connection = match socket::connect_stream(path) {
        Ok(connection) => connection,
        // Its shim and its keeper were killed; or were about to go, and one of the two files was gone.
        Err(Errno(libc::ECONNREFUSED | libc::ENOENT)) if path.starts_with(SOCKETS) => {
            remove_pod(path, address.trim());
            return;
        }
        Err(_) => return,
    };
    let request = Request {
        service: OWN_REQUEST.0.to_owned(),
        method: OWN_REQUEST.1.to_owned(),
        payload: ProcessRequest { id: id.to_owned(), exec_id: String::new() }.encode_to_vec(),
        timeout_nano: 0,
    };
    let asked = socket::send(connection.as_fd(), &frames::frame(1, REQUEST, &request), &[]);
    if asked.is_ok() {
        // Its answer, or its end.
        let _ = crate::sys::poll::readable(connection.as_fd(), Some(Instant::now() + PATIENCE));
    }
}
