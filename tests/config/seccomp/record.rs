//! `seccomp record`: the profile that comes of a container, and runs under it.

use crate::support::{Container, Ended, RRUNTIME, finish};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The command, and where it writes the profile.
fn recording(container: &Container) -> (Command, PathBuf) {
    container.write_config();
    let output = container.dir.join("profile.json");
    let mut command = container.command(&["seccomp", "record", "--bundle"]);
    command.arg(container.bundle()).arg("--output").arg(&output).arg(&container.id);
    (command, output)
}

/// What `record` wrote and said.
fn record(container: &Container, options: &[&str]) -> (Ended, PathBuf) {
    let (mut command, output) = recording(container);
    command.args(options);
    (finish(command), output)
}

fn read(profile: &Path) -> Value {
    serde_json::from_slice(&fs::read(profile).expect("the profile is there")).expect("it is JSON")
}

fn names(profile: &Value) -> Vec<&str> {
    let names = profile["syscalls"][0]["names"].as_array().expect("there is a rule");
    names.iter().map(|name| name.as_str().expect("a name is text")).collect()
}

/// rruntime, and the peers that run on this machine.
fn runtimes() -> Vec<PathBuf> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
    let starts = |path: &PathBuf| {
        let mut command = Command::new(path);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let peers = ["runc", "crun"].map(|name| peers.join(name));
    std::iter::once(PathBuf::from(RRUNTIME)).chain(peers.into_iter().filter(starts)).collect()
}

/// crun 1.28 refuses a host with hierarchies of v1.
fn refuses_this_host(ended: &Ended) -> bool {
    ended.err.contains("hybrid mode not supported") || ended.err.contains("cgroup v1")
}

#[test]
fn a_container_runs_under_what_was_recorded_of_it_and_other_calls_fail() {
    for no_new_privileges in [true, false] {
        let mut container =
            Container::new().sh("mkdir /tmp/a && ls / > /tmp/a/b; sleep 0.1 & wait; echo done");
        container.config["process"]["noNewPrivileges"] = no_new_privileges.into();
        let (ended, output) = record(&container, &[]);
        assert_eq!((ended.code, &*ended.out), (0, "done\n"), "{}", ended.err);
        assert!(ended.err.contains("runs without the filter of its config"), "{}", ended.err);
        assert!(ended.err.contains("profile.json: "), "{}", ended.err);
        container.assert_gone();
        let profile = read(&output);
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
        let found = names(&profile);
        assert!(found.is_sorted());
        assert!(found.contains(&"mkdir") || found.contains(&"mkdirat"), "{found:?}");
        for name in ["mount", "ptrace", "sethostname", "symlink", "symlinkat"] {
            assert!(!found.contains(&name), "{name}");
        }
        container.config["linux"]["seccomp"] = profile;
        for runtime in runtimes() {
            container.runtime = Some(runtime.clone());
            let ended = container.run();
            if refuses_this_host(&ended) {
                continue;
            }
            assert_eq!((ended.code, &*ended.out), (0, "done\n"), "{}: {}", runtime.display(), ended.err);
            // The same image, another program.
            let args = std::mem::replace(
                &mut container.config["process"]["args"],
                serde_json::json!(["sh", "-c", "ln -s a /tmp/c || echo refused"]),
            );
            assert_eq!(container.run().ok(), "refused\n", "{}", runtime.display());
            container.config["process"]["args"] = args;
        }
    }
}

const PROGRAM: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sys/syscall.h>
static void *thread(void *unused) { (void)unused; syscall(SYS_getpriority, 0, 0); return 0; }
int main(int count, char **words) {
    pthread_t threads[8];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 8; i++) pthread_create(&threads[i], 0, thread, 0);
        for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
    }
    if (fork() == 0) { syscall(SYS_getpgid, 0); _exit(0); }
    wait(0);
#ifdef __x86_64__
    long pid;
    /* getpid and socketcall(SYS_SOCKET, a bad address) of i386. */
    if (count > 1) {
        __asm__ volatile("int $0x80" : "=a"(pid) : "a"(20L) : "memory");
        __asm__ volatile("int $0x80" : "=a"(pid) : "a"(102L), "b"(1L), "c"(0L) : "memory");
        syscall(1000);
    }
#endif
    puts(words[0] ? "done" : "");
    return 0;
}
"#;

#[test]
fn threads_forks_another_architecture_and_unknown_numbers_are_recorded() {
    let container = Container::new();
    let source = container.dir.join("program.c");
    fs::write(&source, PROGRAM).unwrap();
    let mut compiler = Command::new("cc");
    compiler
        .args(["-static", "-pthread", "-O1", "-o"])
        .arg(container.rootfs().join("bin/program"))
        .arg(&source);
    if !compiler.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        crate::skip!("no C compiler that links static");
    }
    let mut container = container.args(&["/bin/program"]);
    let (ended, output) = record(&container, &[]);
    assert_eq!((ended.code, &*ended.out), (0, "done\n"), "{}", ended.err);
    let profile = read(&output);
    let found = names(&profile);
    for name in ["getpriority", "getpgid"] {
        assert!(found.contains(&name), "{name}: {found:?}");
    }
    let native = profile["architectures"][0].clone();
    assert_eq!(profile["architectures"].as_array().unwrap().len(), 1);
    container.config["linux"]["seccomp"] = profile.clone();
    assert_eq!(container.run().ok(), "done\n");
    if native != "SCMP_ARCH_X86_64" || !works_on_i386(&container) {
        return;
    }
    // What was recorded before stays, and the other architecture comes in addition.
    container.config["process"]["args"] = serde_json::json!(["/bin/program", "i386"]);
    let earlier = container.dir.join("earlier.json");
    let mut profile = profile;
    profile["syscalls"][0]["names"].as_array_mut().unwrap().push("sethostname".into());
    fs::write(&earlier, profile.to_string()).unwrap();
    let (ended, output) = record(&container, &["--merge", earlier.to_str().unwrap()]);
    assert_eq!((ended.code, &*ended.out), (0, "done\n"), "{}", ended.err);
    assert!(ended.err.contains("also of SCMP_ARCH_X86"), "{}", ended.err);
    assert!(ended.err.contains("call 1000 "), "{}", ended.err);
    let profile = read(&output);
    assert_eq!(profile["architectures"], serde_json::json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]));
    let found = names(&profile);
    for name in ["socket", "getpid", "sethostname", "getpriority"] {
        assert!(found.contains(&name), "{name}: {found:?}");
    }
    assert!(!found.contains(&"socketcall"));
    container.config["linux"]["seccomp"] = profile;
    assert_eq!(container.run().ok(), "done\n");
}

/// Whether this kernel carries out calls of 32-bit programs.
fn works_on_i386(container: &Container) -> bool {
    let mut command = Command::new(container.rootfs().join("bin/program"));
    command.arg("i386").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[test]
fn an_exec_in_the_meantime_is_recorded_too() {
    let container = Container::new().sh("while [ ! -e /tmp/end ]; do sleep 0.05; done");
    let (mut command, output) = recording(&container);
    let mut recording = command.stderr(Stdio::null()).spawn().unwrap();
    crate::support::wait_until("it runs", || {
        container.call(&["state", &container.id]).out.contains("\"running\"")
    });
    container.exec_sh("ln -s a /tmp/b; echo $$ > /tmp/end").ok();
    assert!(recording.wait().unwrap().success());
    let profile = read(&output);
    let found = names(&profile);
    assert!(found.contains(&"symlink") || found.contains(&"symlinkat"), "{found:?}");
    container.assert_gone();
}

#[test]
fn whatever_ends_the_container_the_profile_is_written_and_the_exit_code_is_its_own() {
    let container = Container::new().sh("rmdir /tmp/none; kill -9 $$; exit 3");
    let (ended, output) = record(&container, &[]);
    // The first process of a pid namespace is not ended by itself.
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(names(&read(&output)).iter().any(|name| name.starts_with("rmdir") || *name == "unlinkat"));

    let container =
        Container::new().sh("trap 'umount /none; exit 5' TERM INT; echo ready; while :; do sleep 0.1; done");
    for (signal, code) in
        [(nix::sys::signal::SIGTERM, 5), (nix::sys::signal::SIGINT, 5), (nix::sys::signal::SIGKILL, 137)]
    {
        let (mut command, output) = recording(&container);
        // The first time there is none.
        let _ = fs::remove_file(&output);
        let mut recording = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut word = [0; 6];
        std::io::Read::read_exact(recording.stdout.as_mut().unwrap(), &mut word).unwrap();
        // Like Ctrl-C, but for the last: that is for the container itself.
        let target = if code == 137 { container.pid() } else { recording.id() as i32 };
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(target), signal).unwrap();
        assert_eq!(recording.wait().unwrap().code(), Some(code));
        let found = read(&output);
        assert_eq!(names(&found).contains(&"umount2"), code == 5, "{signal}");
        container.assert_gone();
    }
    let left = container.left_in_state_root();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_recorder_that_is_killed_gives_the_container_nothing_and_delete_takes_it_away() {
    let container = Container::new().sh("echo ready; while :; do sleep 0.05; done");
    let (mut command, output) = recording(&container);
    let mut recording = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut word = [0; 6];
    std::io::Read::read_exact(recording.stdout.as_mut().unwrap(), &mut word).unwrap();
    recording.kill().unwrap();
    recording.wait().unwrap();
    let refused = container.call(&["exec", &container.id, "true"]).fails();
    // The shell ends when it can start no further sleep: before exec, during it, or not yet.
    let words = ["seccomp", "stopped", "has ended"];
    assert!(words.iter().any(|word| refused.contains(word)), "{refused}");
    container.call(&["delete", "--force", &container.id]).ok();
    container.assert_gone();
    assert!(!output.exists());
}

#[test]
fn what_cannot_be_recorded_leaves_no_profile_and_says_why() {
    let container = Container::new().args(&["/bin/missing"]);
    let (ended, output) = record(&container, &[]);
    assert!(ended.fails().contains("/process/args/0"));
    assert!(!output.exists());
    container.assert_gone();

    let container = Container::new().sh("true");
    let missing = container.dir.join("no/such");
    let said = record(&container, &["--output", missing.to_str().unwrap()]).0.fails();
    assert!(said.contains("no/such"), "{said}");
    let docker = container.dir.join("docker.json");
    fs::write(&docker, container.config["linux"]["seccomp"].to_string()).unwrap();
    let said = record(&container, &["--merge", docker.to_str().unwrap()]).0.fails();
    assert!(said.contains("only a profile that was recorded"), "{said}");
    fs::write(&docker, "{").unwrap();
    let said = record(&container, &["--merge", docker.to_str().unwrap()]).0.fails();
    assert!(said.contains("docker.json"), "{said}");
    let said = container.call(&["seccomp", "play", "x"]).fails();
    assert!(said.contains("no such subcommand"), "{said}");
    let left: Vec<_> =
        fs::read_dir(&container.dir).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("profile.json.")), "{left:?}");
}

/// The kernel's log has the call for root, unless an audit daemon takes it or it is one of many.
#[test]
fn an_end_by_the_filter_names_the_call_or_says_how_to_find_it() {
    let with = |names: &[&str], action: &str, script: &str| {
        let mut container = Container::new().sh(script);
        let rules = serde_json::json!([{"names": names, "action": action}]);
        container.config["linux"]["seccomp"] =
            serde_json::json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules});
        container.run()
    };
    let ended = with(&["mkdir", "mkdirat"], "SCMP_ACT_KILL_PROCESS", "exec mkdir /tmp/a");
    assert_eq!(ended.code, 159);
    assert!(ended.err.contains("was killed by SIGSYS"), "{}", ended.err);
    let is_named = ended.err.contains("(mkdir) for the system call mkdir");
    assert!(is_named || ended.err.contains("does not say for which system call"), "{}", ended.err);
    assert!(ended.err.contains("rruntime seccomp record"), "{}", ended.err);
    let ended = with(&["mkdir", "mkdirat"], "SCMP_ACT_KILL", "mkdir /tmp/a; exit $?");
    assert_eq!(ended.code, 159);
    assert!(ended.err.contains("exit code 159, as a shell does"), "{}", ended.err);
    // Other ends are not explained.
    for script in ["exit 7", "kill -9 $$; exit 9"] {
        let ended = with(&["mkdir"], "SCMP_ACT_ERRNO", script);
        assert_eq!(ended.err, "");
    }
    let said = with(&["execve"], "SCMP_ACT_ERRNO", "true").fails();
    assert!(said.contains("the answer of linux.seccomp to the system call execve"), "{said}");
}
