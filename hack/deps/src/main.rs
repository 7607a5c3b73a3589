//! The figures of docs/dependencies.md that take a program: times in one process, and the calls that strace counts.
//! hack/measure-deps runs it, as root.

use cgroups_rs::CgroupPid;
use cgroups_rs::manager::{FsManager, Manager};
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use oci_spec::runtime::LinuxResources;
use rruntime::seccomp::{Arch, compile, flags_of_kernel};
use rruntime::spec::{Seccomp, Spec};
use std::io::Read;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["config", file] => config(&std::fs::read(file)?),
        ["seccomp", file] => seccomp(&std::fs::read(file)?),
        ["cgroup", path, resources] => cgroup(path, resources),
        ["caps"] => caps(),
        _ => Err("config FILE, seccomp FILE, cgroup PATH RESOURCES or caps".into()),
    }
}

/// The shortest of many rounds, and the one in the middle, in microseconds.
fn times(rounds: usize, mut one: impl FnMut() -> Duration) -> String {
    let mut times: Vec<Duration> = (0..rounds).map(|_| one()).collect();
    times.sort();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    format!("{:.0}–{:.0} µs", micros(times[0]), micros(times[rounds / 2]))
}

fn took<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let made = work();
    let time = start.elapsed();
    drop(made);
    time
}

fn config(bytes: &[u8]) -> Result<(), Failure> {
    let ours = times(2000, || took(|| rruntime::spec::load::read::<Spec>(bytes).expect("a config")));
    let theirs =
        times(2000, || took(|| serde_json::from_slice::<oci_spec::runtime::Spec>(bytes).expect("a config")));
    println!("reading it: oci-spec {theirs}, ours {ours}");
    Ok(())
}

/// As runc makes it, to the bytes for the kernel.
fn libseccomp(profile: &Seccomp) -> Vec<libc::sock_filter> {
    let mut filter = ScmpFilterContext::new(ScmpAction::Errno(1)).expect("a context");
    for arch in [ScmpArch::X86, ScmpArch::X32] {
        filter.add_arch(arch).expect("an architecture");
    }
    for rule in &profile.syscalls {
        let action = match &*rule.action {
            "SCMP_ACT_ALLOW" => ScmpAction::Allow,
            _ => ScmpAction::Errno(rule.errno_ret.unwrap_or(1) as i32),
        };
        let comparison = |arg: &rruntime::spec::SyscallArg| {
            let (operator, value) = match &*arg.op {
                "SCMP_CMP_NE" => (ScmpCompareOp::NotEqual, arg.value),
                "SCMP_CMP_LT" => (ScmpCompareOp::Less, arg.value),
                "SCMP_CMP_LE" => (ScmpCompareOp::LessOrEqual, arg.value),
                "SCMP_CMP_GE" => (ScmpCompareOp::GreaterEqual, arg.value),
                "SCMP_CMP_GT" => (ScmpCompareOp::Greater, arg.value),
                "SCMP_CMP_EQ" => (ScmpCompareOp::Equal, arg.value),
                "SCMP_CMP_MASKED_EQ" => (ScmpCompareOp::MaskedEqual(arg.value), arg.value_two),
                other => panic!("{other} is not in Docker's profile"),
            };
            ScmpArgCompare::new(arg.index, operator, value)
        };
        let comparisons: Vec<_> = rule.args.iter().map(comparison).collect();
        for call in rule.names.iter().filter_map(|name| ScmpSyscall::from_name(name).ok()) {
            // The default's own action is no rule, to libseccomp.
            if action != ScmpAction::Errno(1) {
                filter.add_rule_conditional(action, call, &comparisons).expect("a rule");
            }
        }
    }
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    filter.export_bpf(&writer).expect("a program");
    drop(writer);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("a pipe");
    let half = |b: &[u8]| u16::from_ne_bytes([b[0], b[1]]);
    let word = |b: &[u8]| u32::from_ne_bytes([b[0], b[1], b[2], b[3]]);
    let one = |b: &[u8]| libc::sock_filter { code: half(b), jt: b[2], jf: b[3], k: word(&b[4..]) };
    bytes.chunks_exact(8).map(one).collect()
}

/// How long seccomp(2) takes, in a child that ends with its filter.
fn load(program: &mut [libc::sock_filter]) -> Duration {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: this process has one thread; the child makes four system calls and ends without unwinding.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            let start = Instant::now();
            let done = libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program);
            let nanos = if done == 0 { start.elapsed().as_nanos() as u64 } else { u64::MAX };
            use std::os::fd::AsRawFd;
            libc::write(writer.as_raw_fd(), nanos.to_ne_bytes().as_ptr().cast(), 8);
            libc::_exit(0);
        }
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
    let mut nanos = [0; 8];
    reader.read_exact(&mut nanos).expect("the child's answer");
    Duration::from_nanos(u64::from_ne_bytes(nanos))
}

fn seccomp(bytes: &[u8]) -> Result<(), Failure> {
    let profile: Seccomp = serde_json::from_slice(bytes)?;
    let flags = flags_of_kernel(6, 12);
    let make = || compile(&profile, Arch::X86_64, flags).expect("valid").expect("a filter");
    let ours = times(200, || took(make));
    let theirs = times(20, || took(|| libseccomp(&profile)));
    println!("making it: libseccomp {theirs}, ours {ours}");
    let filter =
        |i: &rruntime::seccomp::Instruction| libc::sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k };
    let mut mine: Vec<_> = make().program.iter().map(filter).collect();
    let mut other = libseccomp(&profile);
    println!("instructions: libseccomp {}, ours {}", other.len(), mine.len());
    let (theirs, ours) = (times(50, || load(&mut other)), times(50, || load(&mut mine)));
    println!("loading it: libseccomp {theirs}, ours {ours}");
    Ok(())
}

/// One life of a cgroup by cgroups-rs, with a process that sleeps.
fn cgroup(path: &str, resources: &str) -> Result<(), Failure> {
    let resources: LinuxResources = serde_json::from_str(resources)?;
    let mut sleeper = std::process::Command::new("sleep").arg("100").spawn()?;
    eprintln!("life begins");
    let mut manager = FsManager::new(path)?;
    let entered = manager.add_proc(CgroupPid::from(u64::from(sleeper.id())));
    let set = manager.set(&resources);
    eprintln!("entered: {entered:?}, limits: {set:?}");
    eprintln!("{}", std::fs::read_to_string(format!("/proc/{}/cgroup", sleeper.id()))?.trim());
    sleeper.kill()?;
    sleeper.wait()?;
    let gone = manager.destroy();
    eprintln!("life ends: {gone:?}");
    Ok(())
}

/// The three sets of a process that keeps one capability.
fn caps() -> Result<(), Failure> {
    let one = std::iter::once(caps::Capability::CAP_KILL).collect();
    for set in [caps::CapSet::Inheritable, caps::CapSet::Effective, caps::CapSet::Permitted] {
        caps::set(None, set, &one)?;
    }
    Ok(())
}
