//! `seccomp check`: what a profile denies that is needed. What it says of a profile is what becomes of a container.

use crate::support::{Container, Ended};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const DOCKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/spec/seccomp/profiles/docker.json");

fn allowing(names: &[&str]) -> Value {
    json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}]})
}

/// What every program and rruntime's init need, and nothing else.
const LEAST: &[&str] = &[
    "capset",
    "clone",
    "close",
    "execve",
    "exit",
    "exit_group",
    "ioctl",
    "read",
    "restart_syscall",
    "rt_sigreturn",
    "setsid",
    "write",
];

fn write(container: &Container, name: &str, text: impl ToString) -> PathBuf {
    let file = container.dir.join(name);
    fs::write(&file, text.to_string()).unwrap();
    file
}

fn check(container: &Container, file: &Path, options: &[&str]) -> Ended {
    container.call(&[&["seccomp", "check", file.to_str().unwrap()], options].concat())
}

fn has(ended: &Ended, code: i32, lines: &[&str]) {
    assert_eq!(ended.code, code, "{}{}", ended.out, ended.err);
    for line in lines {
        assert!(ended.out.contains(line), "{line}\n{}", ended.out);
    }
}

#[test]
fn a_profile_that_allows_what_is_needed_is_fine_and_its_container_runs() {
    let container = Container::new().args(&["true"]);
    container.write_config();
    let ended = check(&container, &container.bundle(), &[]);
    has(&ended, 0, &["config.json: ", "fine: it allows what every program and rruntime's init need\n"]);
    assert!(!ended.out.contains("denied:") && !ended.out.contains("note: r"), "{}", ended.out);
    assert_eq!(container.run().ok(), "");
    let ended = check(&container, Path::new(DOCKER), &["--against", DOCKER]);
    has(&ended, 0, &["instructions for", ", and what /"]);
    // Another runtime's needs are notes.
    let least = write(&container, "least.json", allowing(LEAST));
    let ended = check(&container, &least, &[]);
    has(
        &ended,
        0,
        &["note: runc's init needs ", "note: crun's init needs ", "newer than all that the profile names"],
    );
    has(&ended, 0, &["note: a machine without a vDSO needs clock_gettime"]);
}

#[test]
fn a_call_that_every_program_or_init_needs_is_denied_and_its_container_does_not_run() {
    for (call, words) in [
        ("execve", "denied: every program needs execve: kills the thread"),
        (
            "write",
            "denied: rruntime's init needs write: kills the thread (allow it, or set process.noNewPrivileges)",
        ),
    ] {
        let container = Container::new().args(&["true"]).edit(|config| {
            let rules = config["linux"]["seccomp"]["syscalls"].as_array_mut().unwrap();
            for rule in rules.iter_mut() {
                rule["names"].as_array_mut().unwrap().retain(|name| name != call);
            }
            rules.push(json!({"names": [call], "action": "SCMP_ACT_KILL"}));
            config["process"]["noNewPrivileges"] = false.into();
        });
        container.write_config();
        let at = container.config["linux"]["seccomp"]["syscalls"].as_array().unwrap().len() - 1;
        has(
            &check(&container, &container.bundle(), &[]),
            2,
            &[words, &format!("[/linux/seccomp/syscalls/{at}]")],
        );
        // With noNewPrivileges rruntime loads the filter once more at the end, so that only execve has to be in it.
        let container = container.edit(|config| config["process"]["noNewPrivileges"] = true.into());
        container.write_config();
        let ended = check(&container, &container.bundle(), &[]);
        let runs = container.run().code == 0;
        assert_eq!((ended.code == 0, runs), (call == "write", call == "write"), "{}", ended.out);
    }
}

#[test]
fn names_that_no_kernel_has_and_missing_architectures_are_named() {
    let container = Container::new();
    let mut profile = allowing(&[LEAST, &["opne", "\u{1b}[31m"]].concat());
    profile["architectures"] = json!(["SCMP_ARCH_RISCV64", "SCMP_ARCH_MIPS"]);
    let file = write(&container, "profile.json", profile);
    let ended = check(&container, &file, &[]);
    has(
        &ended,
        2,
        &[
            "unknown: /linux/seccomp/syscalls/0/names/12 = \"opne\" is not a known system call: ignored (did you mean \"open\"?)",
            "/names/13 = ",
            "note: /linux/seccomp/architectures/1 = \"SCMP_ARCH_MIPS\" is not supported here",
            "this machine's, which every runtime adds",
        ],
    );
    assert!(!ended.out.contains('\u{1b}'), "{}", ended.out);
    // Of an engine's own file, which has more than a profile.
    let engines = r#"{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [], "syscalls": [
        {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_SYS_ADMIN"]}}]}"#;
    let ended_engines = check(&container, &write(&container, "engines.json", engines), &[]);
    has(&ended_engines, 0, &["note: /archMap is not a key", "note: /syscalls/0/excludes is not a key"]);
    if cfg!(target_arch = "x86_64") {
        has(&ended, 2, &["note: /linux/seccomp/architectures lacks SCMP_ARCH_X86: such a program is killed"]);
        // Another profile's programs are of that kind.
        let other = json!({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
            "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}]});
        let other = write(&container, "other.json", other);
        let ended = check(&container, &file, &["--against", other.to_str().unwrap()]);
        let words =
            "other.json needs read write of SCMP_ARCH_X86: kills the thread  [/linux/seccomp/architectures]";
        has(&ended, 2, &[words]);
        assert!(!ended.out.contains("other.json needs read write:"), "{}", ended.out);
    }
}

#[test]
fn rules_that_never_decide_are_told_with_what_decides_in_their_place() {
    let container = Container::new();
    let condition = |operator: &str, value: u64| json!([{"index": 0, "value": value, "op": operator}]);
    let mut profile = allowing(LEAST);
    profile["syscalls"].as_array_mut().unwrap().extend([
        json!({"names": ["read"], "action": "SCMP_ACT_KILL", "args": condition("SCMP_CMP_EQ", 3)}),
        json!({"names": ["dup"], "action": "SCMP_ACT_ALLOW", "args": condition("SCMP_CMP_LT", 0)}),
        // It decides, beside the next, and the one after that says the same once more.
        json!({"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": condition("SCMP_CMP_EQ", 8)}),
        json!({"names": ["personality"], "action": "SCMP_ACT_LOG", "args": condition("SCMP_CMP_EQ", 9)}),
        json!({"names": ["write"], "action": "SCMP_ACT_ALLOW"}),
        json!({"names": ["personality"], "action": "SCMP_ACT_KILL", "args": condition("SCMP_CMP_EQ", 8)}),
    ]);
    let ended = check(&container, &write(&container, "profile.json", profile), &[]);
    let told: Vec<&str> = ended.out.lines().filter(|line| line.contains("no effect")).collect();
    assert_eq!(
        told,
        [
            "note: /linux/seccomp/syscalls/1 has no effect on read: /linux/seccomp/syscalls/0 decides first, and otherwise",
            "note: /linux/seccomp/syscalls/2 has no effect on dup: its conditions are never true",
            "note: /linux/seccomp/syscalls/6 has no effect on personality: /linux/seccomp/syscalls/3 decides first, and otherwise",
        ],
        "{}",
        ended.out
    );
    assert_eq!(ended.code, 0);
    for engine in ["docker", "containerd"] {
        let file = Path::new(DOCKER).with_file_name(format!("{engine}.json"));
        let ended = check(&container, &file, &[]);
        assert!(!ended.out.contains("no effect"), "{engine}: {}", ended.out);
    }
}

#[test]
fn what_another_profile_or_a_list_needs_is_held_against_it() {
    let container = Container::new();
    let list = write(&container, "list", "# what it does\nmkdir,rmdir\n\tpersonality keyctl # keys\r\n");
    let ended = check(&container, Path::new(DOCKER), &["--against", list.to_str().unwrap()]);
    has(
        &ended,
        2,
        &[
            "list needs keyctl: refused with errno 1 (operation not permitted)  [/linux/seccomp/defaultAction]",
            "partly: ",
            "list needs personality: refused with errno 1 (operation not permitted), unless a rule allows its arguments",
        ],
    );
    assert!(!ended.out.contains("mkdir"), "{}", ended.out);
    // Conditions: one of the same, one that the other does not have.
    let personality = |value: u64| {
        let mut profile = allowing(LEAST);
        let args = json!([{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}]);
        let rule = json!({"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": args});
        profile["syscalls"].as_array_mut().unwrap().push(rule);
        write(&container, &format!("{value}.json"), profile)
    };
    let (eight, nine) = (personality(8), personality(9));
    has(&check(&container, &eight, &["--against", eight.to_str().unwrap()]), 0, &["8.json needs\n"]);
    let ended = check(&container, &eight, &["--against", nine.to_str().unwrap()]);
    has(&ended, 2, &["9.json needs personality: refused with errno 1"]);
    assert!(!ended.out.contains("unless"), "{}", ended.out);
    // As JSON.
    let ended = check(&container, Path::new(DOCKER), &["--json", "--against", list.to_str().unwrap()]);
    let page: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((ended.code, &page["fine"]), (2, &json!(false)));
    assert_eq!(page["denied"].as_array().unwrap().len(), 2, "{page:#}");
    let denied = page["denied"].as_array().unwrap().iter().find(|group| group["partly"] == false).unwrap();
    assert_eq!((&denied["neededBy"], &denied["calls"]), (&json!("against"), &json!(["keyctl"])));
    assert_eq!((&denied["counts"], &denied["action"]), (&json!(true), &json!("SCMP_ACT_ERRNO(1)")));
    assert_eq!(denied["field"], "/linux/seccomp/defaultAction");
}

#[test]
fn what_a_container_was_recorded_to_need_is_held_against_a_profile() {
    let container = Container::new().sh("mkdir /tmp/a; echo done");
    container.write_config();
    let recorded = container.dir.join("recorded.json");
    let ended = container.call(&[
        "seccomp",
        "record",
        "--bundle",
        container.bundle().to_str().unwrap(),
        "--output",
        recorded.to_str().unwrap(),
        &container.id,
    ]);
    assert_eq!((ended.code, &*ended.out), (0, "done\n"), "{}", ended.err);
    let recorded_path = recorded.to_str().unwrap();
    has(&check(&container, &recorded, &["--against", recorded_path]), 0, &["fine: "]);
    has(&check(&container, Path::new(DOCKER), &["--against", recorded_path]), 0, &["fine: "]);
    let mut narrow: Value = serde_json::from_slice(&fs::read(&recorded).unwrap()).unwrap();
    let names = narrow["syscalls"][0]["names"].as_array_mut().unwrap();
    // The last two are in every profile that is recorded, because the init of runc or crun makes the call: they may not be
    // the program's.
    names.retain(|name| !["mkdir", "mkdirat", "getppid", "pselect6"].contains(&name.as_str().unwrap()));
    let narrow = write(&container, "narrow.json", narrow);
    let ended = check(&container, &narrow, &["--against", recorded_path]);
    has(
        &ended,
        2,
        &[
            "recorded.json needs mkdir",
            "recorded.json, as every recorded profile, needs getppid pselect6: refused with errno 1",
        ],
    );
    let said: Vec<&str> = ended.out.lines().filter(|line| line.starts_with("denied:")).collect();
    assert!(said.len() == 1 && said[0].contains("mkdir") && !said[0].contains("getppid"), "{}", ended.out);
}

#[test]
fn what_is_no_profile_or_no_list_is_refused_by_what_is_wrong_with_it() {
    let container = Container::new();
    let fails = |file: &Path, options: &[&str], words: &[&str]| {
        let ended = check(&container, file, options);
        assert_eq!((ended.code, &*ended.out), (1, ""), "{}", ended.err);
        words.iter().for_each(|word| assert!(ended.err.contains(word), "{word}\n{}", ended.err));
    };
    let file = |text: &str| write(&container, "file", text);
    fails(
        &file("{\"defaultAction\": \"SCMP_ACT"),
        &[],
        &["is not valid JSON", "ends in the middle of a string"],
    );
    fails(&file("[]"), &[], &["must be an object"]);
    fails(&file("{\"defaultAction\": 5}"), &[], &["/defaultAction"]);
    fails(&file("{\"ociVersion\": \"1.0.2\"}"), &[], &["there is no seccomp profile in it", "name a bundle"]);
    let wrong = "{\"linux\": {\"seccomp\": {\"defaultAction\": \"SCMP_ACT_DENY\"}}}";
    fails(&file(wrong), &[], &["/linux/seccomp/defaultAction = ", "SCMP_ACT_DENY", "unknown action"]);
    let raw = "{\"annotations\": {\"run.oci.seccomp_bpf_data\": \"BgAAAAAA/38=\"}}";
    fails(&file(raw), &[], &["/annotations/run.oci.seccomp_bpf_data", "explain --syscall"]);
    fails(Path::new("/no/such/file"), &[], &["/no/such/file"]);
    fails(&container.dir.join("empty"), &[], &["no such file"]);
    let docker = Path::new(DOCKER);
    for (text, words) in [
        ("read\nmkdri\n", "line 2 of "),
        ("mkdri", "did you mean \\\"mkdir\\\"?"),
        ("# nothing\n", "names no system call"),
        ("{\"defaultAction\": \"SCMP_ACT_DENY\"}", "SCMP_ACT_DENY"),
        ("{}", "there is no seccomp profile in it"),
    ] {
        fails(docker, &["--against", file(text).to_str().unwrap()], &["--against", words]);
    }
    fs::write(container.dir.join("bytes"), [b'r', 0xff]).unwrap();
    fails(docker, &["--against", container.dir.join("bytes").to_str().unwrap()], &["is not UTF-8"]);
    // Options of the other subcommand.
    fails(docker, &["--output", "x"], &["--output belongs to `seccomp record`"]);
    fails(docker, &["--bundle", "x"], &["--bundle belongs to `seccomp record`"]);
    let said = container.call(&["seccomp", "record", "--json", &container.id]).fails();
    assert!(said.contains("--json belongs to `seccomp check`"), "{said}");
    let said = container.call(&["seccomp", "chekc", DOCKER]).fails();
    assert!(said.contains("there is no such subcommand"), "{said}");
}

/// `--output /dev/null` would put a file in place of the device.
#[test]
fn a_record_takes_the_place_of_no_link_and_no_device() {
    let container = Container::new().args(&["true"]);
    container.write_config();
    let (link, fifo) = (container.dir.join("link"), container.dir.join("fifo"));
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for output in [&link, &fifo] {
        let paths = [container.bundle(), output.clone()].map(|path| path.display().to_string());
        let ended = container.call(&["seccomp", "record", "-b", &paths[0], "-o", &paths[1], &container.id]);
        assert!(ended.code == 1 && ended.err.contains("is not a regular file"), "{ended:?}");
        assert!(ended.err.contains("--output") && !fs::symlink_metadata(output).unwrap().is_file());
    }
}
