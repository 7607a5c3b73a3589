//! NOTIFY_SOCKET: the test is the service manager.

use crate::ipc::receive::{Manager, short_dir};
use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, finish, wait_until};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A static program for the container that sends each of its arguments as a datagram to NOTIFY_SOCKET, a descriptor
/// with each where it may, and then becomes the rest of its arguments behind `--`.
const SENDER: &str = r#"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(int count, char **words) {
    struct sockaddr_un address = { AF_UNIX };
    strcpy(address.sun_path, getenv("NOTIFY_SOCKET"));
    int one = socket(AF_UNIX, SOCK_DGRAM, 0);
    for (int i = 1; i < count; i++) {
        if (!strcmp(words[i], "--")) { execv(words[i + 1], words + i + 1); return 9; }
        char control[CMSG_SPACE(sizeof(int))] = { 0 };
        struct iovec part = { words[i], strlen(words[i]) };
        struct msghdr message = { &address, sizeof address, &part, 1, control, sizeof control, 0 };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET; header->cmsg_type = SCM_RIGHTS; header->cmsg_len = CMSG_LEN(sizeof(int));
        *(int *)CMSG_DATA(header) = one;
        int sent = sendmsg(one, &message, 0);
        message.msg_control = 0; message.msg_controllen = 0;
        if (sent < 0 && errno == EPERM) sent = sendmsg(one, &message, 0);
        if (sent < 0) return 8;
    }
    return 0;
}
"#;

/// The program is in the root filesystem as /bin/tell.
fn with_sender(container: Container) -> Option<Container> {
    let source = container.dir.join("tell.c");
    fs::write(&source, SENDER).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-o"]).arg(container.rootfs().join("bin/tell")).arg(&source);
    compiler.output().is_ok_and(|output| output.status.success()).then_some(container)
}

/// A command that a service manager runs.
fn spawn(container: &Container, manager: &Path, arguments: &[&str]) -> Child {
    container.write_config();
    let mut command = container.command(arguments);
    command.env("NOTIFY_SOCKET", manager).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

macro_rules! sender {
    ($container:expr) => {
        match with_sender($container) {
            Some(container) => container,
            None => crate::skip!("no C compiler with a static libc"),
        }
    };
}

const WAITS: [&str; 3] = ["--", "/bin/sleep", "100"];

fn tell<'a>(messages: &[&'a str]) -> Vec<&'a str> {
    ["tell"].iter().chain(messages).chain(&WAITS).copied().collect()
}

#[test]
fn start_waits_until_the_program_is_ready_and_hands_its_pid_on() {
    let container = sender!(Container::new());
    let container = container.args(&tell(&["STATUS=not yet", "STATUS=x\nREADY=1\nMAINPID=1", "READY=1"]));
    let manager = Manager::new("start");
    let bundle = container.bundle();
    let create = ["create", "--bundle", bundle.to_str().unwrap(), &container.id];
    assert!(spawn(&container, &manager.path, &create).wait().unwrap().success());
    // Nothing is ready before start, and create does not wait.
    assert_eq!(manager.rest(), Vec::<String>::new());
    let mut start = spawn(&container, &manager.path, &["start", &container.id]);
    assert_eq!(manager.next().text, "READY=1\n");
    assert_eq!(manager.next().text, format!("MAINPID={}\n", container.pid()));
    let barrier = manager.next();
    assert_eq!((barrier.text.as_str(), barrier.fds.len()), ("BARRIER=1", 1));
    // We have not read everything, it thinks, as long as the pipe is open.
    assert_eq!(start.try_wait().unwrap(), None);
    drop(barrier);
    assert!(start.wait().unwrap().success());
    assert_eq!(manager.rest(), Vec::<String>::new());
    container.call(&["delete", "--force", &container.id]).ok();
    assert_nothing_left(&container);
}

#[test]
fn a_detached_run_waits_too_and_the_container_can_be_used_meanwhile() {
    let container = sender!(Container::new())
        .sh("until [ -e /tmp/go ]; do sleep 0.05; done; exec tell READY=1 -- /bin/sleep 100");
    let manager = Manager::new("detached");
    let bundle = container.bundle();
    let run = ["run", "-d", "--bundle", bundle.to_str().unwrap(), &container.id];
    let mut run = spawn(&container, &manager.path, &run);
    wait_until("it runs", || container.call(&["state", &container.id]).out.contains("running"));
    assert_eq!(run.try_wait().unwrap(), None);
    // No command holds the lock.
    assert_eq!(
        container.exec_sh("env | grep NOTIFY || echo > /tmp/go").ok(),
        "",
        "it is the first process's"
    );
    container.call(&["pause", &container.id]).ok();
    container.call(&["resume", &container.id]).ok();
    assert_eq!(manager.next().text, "READY=1\n");
    assert_eq!(manager.next().text, format!("MAINPID={}\n", container.pid()));
    drop(manager.next());
    assert!(run.wait().unwrap().success());
    assert_eq!(container.status(), "running");
}

#[test]
fn a_run_in_the_foreground_passes_readiness_on_and_waits_for_the_end() {
    let container = sender!(Container::new());
    // More messages than a socket holds: each is read, and one counts.
    let many = vec!["READY=1"; 40];
    let container = container.args(&["tell"].iter().chain(&many).copied().collect::<Vec<_>>());
    let manager = Manager::new("foreground");
    let bundle = container.bundle();
    let run = ["run", "--bundle", bundle.to_str().unwrap(), &container.id];
    let mut run = spawn(&container, &manager.path, &run);
    assert!(run.wait().unwrap().success());
    // It is the main process to its end: no other pid.
    assert_eq!(manager.rest(), ["READY=1\n"]);
    assert_nothing_left(&container);
}

#[test]
fn nothing_else_that_the_container_says_reaches_the_service_manager() {
    let container = sender!(Container::new());
    let long = "x".repeat(100_000);
    let messages = [
        "MAINPID=1",
        "FDSTORE=1",
        "STOPPING=1",
        "WATCHDOG=trigger",
        "READY=0",
        "xREADY=1",
        "READY=11",
        "",
        &long,
    ];
    let container = container.args(&["tell"].iter().chain(&messages).copied().collect::<Vec<_>>());
    let manager = Manager::new("hostile");
    let bundle = container.bundle();
    let bundle = bundle.to_str().unwrap();
    let mut run = spawn(&container, &manager.path, &["run", "--bundle", bundle, &container.id]);
    assert!(run.wait().unwrap().success());
    assert_eq!(manager.rest(), Vec::<String>::new());
    assert_nothing_left(&container);
}

#[test]
fn a_program_that_ends_without_being_ready_ends_the_wait() {
    for how in ["start", "detached", "foreground"] {
        let container = Container::new().sh("exit 0");
        let manager = Manager::new(&format!("never-{how}"));
        let bundle = container.bundle();
        let bundle = bundle.to_str().unwrap();
        let mut child = match how {
            "start" => {
                let create = ["create", "--bundle", bundle, &container.id];
                assert!(spawn(&container, &manager.path, &create).wait().unwrap().success());
                spawn(&container, &manager.path, &["start", &container.id])
            }
            "detached" => spawn(&container, &manager.path, &["run", "-d", "--bundle", bundle, &container.id]),
            _ => spawn(&container, &manager.path, &["run", "--bundle", bundle, &container.id]),
        };
        assert!(child.wait().unwrap().success(), "{how}");
        assert_eq!(manager.rest(), Vec::<String>::new());
        container.call(&["delete", "--force", &container.id]).ok();
        assert_nothing_left(&container);
    }
}

#[test]
fn the_container_sees_a_socket_of_ours_and_can_change_nothing_around_it() {
    let container = Container::new().sh(
        "echo $NOTIFY_SOCKET; stat -c '%F %a' $NOTIFY_SOCKET; ls -A /run/notify; touch /run/notify/x || echo refused; \
         rm $NOTIFY_SOCKET || echo refused; grep ' /run/notify ' /proc/self/mountinfo | cut -d' ' -f6");
    let manager = Manager::new("inside");
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).env("NOTIFY_SOCKET", &manager.path);
    let out = finish(command).ok();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        lines[..5],
        ["/run/notify/notify.sock", "socket 777", "notify.sock", "refused", "refused"],
        "{out}"
    );
    let options: Vec<&str> = lines[5].split(',').collect();
    assert!(["ro", "nosuid", "nodev", "noexec"].iter().all(|option| options.contains(option)), "{out}");
    assert_nothing_left(&container);
}

#[test]
fn an_ordinary_user_of_the_container_can_use_it_whatever_the_umask_is() {
    let container = sender!(Container::new()).args(&["tell", "READY=1"]).edit(|config| {
        config["process"]["user"] = serde_json::json!({"uid": 1000, "gid": 1000});
    });
    let manager = Manager::new("user");
    container.write_config();
    let script = format!(
        "umask 077; exec {} --root {} run --bundle {} {}",
        crate::support::RRUNTIME,
        container.state_root().display(),
        container.bundle().display(),
        container.id
    );
    // The program itself is the image's: every user may read it.
    fs::set_permissions(container.rootfs().join("bin/tell"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", &script]).env("NOTIFY_SOCKET", &manager.path);
    finish(command).ok();
    assert_eq!(manager.rest(), ["READY=1\n"]);
}

/// Without a pid namespace of its own the container's other processes go on, and may talk for ever.
#[test]
fn those_who_outlive_the_program_and_never_stop_talking_hold_up_nobody() {
    let words = "x ".repeat(2000);
    let talk = format!("for i in 1 2 3 4 5 6; do (while :; do tell {words}; done) & done; sleep 0.2");
    let container = sender!(Container::new()).sh(&talk).without_namespace("pid");
    let manager = Manager::new("talkers");
    let bundle = container.bundle();
    let create = ["create", "--bundle", bundle.to_str().unwrap(), &container.id];
    assert!(spawn(&container, &manager.path, &create).wait().unwrap().success());
    let mut start = spawn(&container, &manager.path, &["start", &container.id]);
    wait_until("the wait ends", || start.try_wait().unwrap().is_some());
    assert_eq!(manager.rest(), Vec::<String>::new());
    container.call(&["delete", "--force", &container.id]).ok();
    assert_nothing_left(&container);
}

#[test]
fn an_abstract_name_works() {
    use std::os::linux::net::SocketAddrExt;
    let container = sender!(Container::new()).args(&["tell", "READY=1"]);
    let name = format!("rr-ipc-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let socket = std::os::unix::net::UnixDatagram::bind_addr(&address).unwrap();
    let bundle = container.bundle();
    let run = ["run", "--bundle", bundle.to_str().unwrap(), &container.id];
    assert!(spawn(&container, Path::new(&format!("@{name}")), &run).wait().unwrap().success());
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"READY=1\n");
}

#[test]
fn a_service_manager_that_is_not_there_is_a_warning_and_another_socket_an_error() {
    let dir = short_dir("no-manager");
    let stream = dir.join("stream.sock");
    let _listener = UnixListener::bind(&stream).unwrap();
    let container = Container::new().sh("echo RAN");
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).env("NOTIFY_SOCKET", dir.join("absent.sock"));
    let ended = finish(command);
    assert!(ended.err.contains("NOTIFY_SOCKET") && ended.out == "RAN\n", "{ended:?}");
    for path in [stream, "/".repeat(200).into()] {
        let container = Container::new().sh("echo > /tmp/ran");
        container.write_config();
        let mut command = container.command(&["run", "--bundle"]);
        command.arg(container.bundle()).arg(&container.id).env("NOTIFY_SOCKET", &path);
        let error = finish(command).fails();
        assert!(error.contains("NOTIFY_SOCKET"), "{error}");
        assert!(!container.rootfs().join("tmp/ran").exists());
        assert_nothing_left(&container);
    }
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_service_manager_that_goes_away_does_not_end_the_container() {
    let container = sender!(Container::new())
        .sh("echo > /tmp/up; until [ -e /tmp/go ]; do sleep 0.05; done; tell READY=1; exec sleep 100");
    let manager = Manager::new("gone");
    let bundle = container.bundle();
    let run = ["run", "-d", "--bundle", bundle.to_str().unwrap(), &container.id];
    let mut run = spawn(&container, &manager.path, &run);
    wait_until("it runs", || container.rootfs().join("tmp/up").exists());
    drop(manager);
    fs::write(container.rootfs().join("tmp/go"), "").unwrap();
    assert!(run.wait().unwrap().success());
    assert_eq!(container.status(), "running");
}

/// Sends NOTIFY_SOCKET a TCP socket with unsent data that lingers for a minute, says so, and ends with 7 by SIGTERM.
const LINGERER: &str = r#"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
static void end(int n) { _exit(7); }
int main(int count, char **words) {
    struct sockaddr_un address = { AF_UNIX };
    strcpy(address.sun_path, getenv("NOTIFY_SOCKET"));
    struct sockaddr_in here = { AF_INET, 0, { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof here;
    int listener = socket(AF_INET, SOCK_STREAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (void *)&here, size) || listen(listener, 1)) return 1;
    if (getsockname(listener, (void *)&here, &size) || connect(tcp, (void *)&here, size)) return 2;
    fcntl(tcp, F_SETFL, O_NONBLOCK);
    static char block[65536];
    while (write(tcp, block, sizeof block) > 0);
    struct linger linger = { 1, 60 };
    if (setsockopt(tcp, SOL_SOCKET, SO_LINGER, &linger, sizeof linger)) return 3;
    signal(SIGTERM, end);
    int one = socket(AF_UNIX, SOCK_DGRAM, 0);
    char control[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec part = { "READY=0", 7 };
    struct msghdr message = { &address, sizeof address, &part, 1, control, sizeof control, 0 };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET; header->cmsg_type = SCM_RIGHTS; header->cmsg_len = CMSG_LEN(sizeof(int));
    *(int *)CMSG_DATA(header) = tcp;
    const char *word = sendmsg(one, &message, 0) >= 0 ? "sent" : errno == EPERM ? "refused" : "failed";
    int file = creat("/tmp/word", 0644);
    if (write(file, word, strlen(word)) < 0) return 4;
    if (!strcmp(word, "sent")) close(tcp);
    for (;;) pause();
}
"#;

/// The kernel waits for the data of such a socket in the close(2) of its last holder.
#[test]
fn a_socket_that_lingers_makes_nobody_deaf() {
    let container = Container::new().args(&["linger"]);
    let source = container.dir.join("linger.c");
    fs::write(&source, LINGERER).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-o"]).arg(container.rootfs().join("bin/linger")).arg(&source);
    if !compiler.output().is_ok_and(|output| output.status.success()) {
        crate::skip!("no C compiler with a static libc");
    }
    let manager = Manager::new("linger");
    let bundle = container.bundle();
    let run = ["run", "--bundle", bundle.to_str().unwrap(), &container.id];
    let mut run = spawn(&container, &manager.path, &run);
    let word = || fs::read_to_string(container.rootfs().join("tmp/word")).unwrap_or_default();
    wait_until("the socket is sent", || !word().is_empty());
    assert_ne!(word(), "failed");
    // Time to read the message.
    std::thread::sleep(std::time::Duration::from_millis(200));
    let pid = nix::unistd::Pid::from_raw(run.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    wait_until("run has heard the signal and the end", || run.try_wait().unwrap().is_some());
    assert_eq!(run.wait().unwrap().code(), Some(7));
    assert_eq!(manager.rest(), Vec::<String>::new());
    assert_nothing_left(&container);
}

/// Engines that carry the news themselves bring their own socket.
#[test]
fn a_config_with_a_socket_of_its_own_keeps_it() {
    let container = Container::new().sh("echo $NOTIFY_SOCKET; ls /run/notify").edit(|config| {
        config["process"]["env"].as_array_mut().unwrap().push("NOTIFY_SOCKET=/mine".into());
    });
    let manager = Manager::new("own");
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).env("NOTIFY_SOCKET", &manager.path);
    let ended = finish(command);
    assert!(ended.out == "/mine\n" && ended.err.contains("No such file"), "{ended:?}");
}

#[test]
fn the_socket_works_in_a_user_namespace() {
    let container =
        sender!(Container::new()).args(&["tell", "READY=1"]).namespace("user", None).edit(|config| {
            for map in ["uidMappings", "gidMappings"] {
                config["linux"][map] =
                    serde_json::json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
            }
        });
    let manager = Manager::new("userns");
    // The root of the container makes the directory that is mounted on.
    let rootfs = container.rootfs();
    std::os::unix::fs::chown(&rootfs, Some(100_000), Some(100_000)).unwrap();
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).env("NOTIFY_SOCKET", &manager.path);
    finish(command).ok();
    assert_eq!(manager.rest(), ["READY=1\n"]);
    assert_nothing_left(&container);
}

/// A container with all rights makes its side writable, and leaves a deep tree there.
#[test]
fn what_a_container_leaves_beside_its_socket_keeps_nobody_from_deleting_it() {
    let manager = Manager::new("left");
    let script = "mount -o remount,bind,rw /run/notify && cd /run/notify && rm notify.sock && \
        mkdir -p notify.sock/1 1/1 2/x && touch 3 1/f && ln -s / 2/link && cd 1 && \
        i=0; ten=1/1/1/1/1/1/1/1/1/1; while [ $i -lt 300 ]; do mkdir -p $ten; cd $ten || break; i=$((i+1)); done; touch /tmp/done; sleep 1000";
    let container = Container::new().sh(script).edit(|config| {
        config["linux"].as_object_mut().unwrap().remove("seccomp");
        for set in ["bounding", "effective", "permitted"] {
            let set = config["process"]["capabilities"][set].as_array_mut().unwrap();
            set.extend(["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"].map(Into::into));
        }
    });
    let bundle = container.bundle();
    let run = ["run", "--bundle", bundle.to_str().unwrap(), &container.id];
    let mut running = spawn(&container, &manager.path, &run);
    wait_until("the container has written", || container.rootfs().join("tmp/done").exists());
    assert!(container.state_root().join(&container.id).join("notify/1/1/1").is_dir(), "the control");
    container.call(&["delete", "--force", &container.id]).ok();
    running.wait().unwrap();
    container.assert_gone();
    assert!(container.rootfs().join("bin/busybox").exists(), "no link was followed");
}
