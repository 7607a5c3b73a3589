//! Programs that cannot be executed: each reason has its own words, and engines look for some of them.

use crate::bad_input::assert_refused;
use crate::support::Container;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A file of the container at this path.
fn file(container: &Container, path: &str, bytes: &[u8], mode: u32) {
    let path = container.rootfs().join(path.trim_start_matches('/'));
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The beginning of a 64-bit program for `machine` whose only program header names an interpreter, if one is given.
fn elf(machine: u16, interpreter: Option<&str>) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend(2u16.to_le_bytes()); // ET_EXEC
    bytes.extend(machine.to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(0x40_0000u64.to_le_bytes()); // entry
    bytes.extend(64u64.to_le_bytes()); // program headers
    bytes.extend(0u64.to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    bytes.extend([64u16, 56, u16::from(interpreter.is_some()), 0, 0, 0].iter().flat_map(|n| n.to_le_bytes()));
    if let Some(name) = interpreter {
        let size = name.len() as u64 + 1;
        bytes.extend(3u32.to_le_bytes()); // PT_INTERP
        bytes.extend(4u32.to_le_bytes());
        for number in [120, 0, 0, size, size, 1] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(name.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// What is wrong; the program's name; the file that is there; its mode; and what the error tells.
type Row<'a> = (&'a str, &'a str, Option<Vec<u8>>, u32, &'a [&'a str]);

#[test]
fn each_program_that_cannot_be_executed_is_told_with_its_reason() {
    let rows: &[Row] = &[
        (
            "a name that is nowhere",
            "nowhere",
            None,
            0,
            &["executable file not found in $PATH", "PATH in process.env"],
        ),
        (
            "a path that is not there",
            "/opt/nowhere",
            None,
            0,
            &["exec: \"/opt/nowhere\": stat", "no such file"],
        ),
        ("a file that is not executable", "/opt/file", Some(b"text".to_vec()), 0o644, &["permission denied"]),
        ("a directory", "/tmp", None, 0, &["is a directory"]),
        (
            "a program for another processor",
            "/opt/arm",
            Some(elf(183, None)),
            0o755,
            &["exec format error", "aarch64", std::env::consts::ARCH],
        ),
        (
            "a script whose interpreter is missing",
            "/opt/script",
            Some(b"#!/opt/nowhere -x\n".to_vec()),
            0o755,
            &["no such file", "the interpreter that it names, /opt/nowhere"],
        ),
        (
            "a script with DOS line ends",
            "/opt/script",
            Some(b"#!/bin/sh\r\necho\r\n".to_vec()),
            0o755,
            &["no such file", "DOS line ends"],
        ),
        (
            "a program whose loader is missing",
            "/opt/dynamic",
            Some(elf(62, Some("/lib64/ld-nowhere.so"))),
            0o755,
            &["no such file", "the interpreter that it names, /lib64/ld-nowhere.so"],
        ),
        (
            "a text without #!",
            "/opt/text",
            Some(b"echo hello\n".to_vec()),
            0o755,
            &["exec format error", "#!"],
        ),
        ("an empty file", "/opt/empty", Some(Vec::new()), 0o755, &["exec format error"]),
    ];
    for (what, program, bytes, mode, words) in rows {
        let container = Container::new().args(&[program, "argument"]);
        fs::create_dir(container.rootfs().join("opt")).unwrap();
        if let Some(bytes) = bytes {
            file(&container, program, bytes, *mode);
        }
        let ended = container.run();
        let words = [&["/process/args/0", program, "unable to start container process"], *words].concat();
        assert_refused(what, &container, &ended, &words);

        // exec says the same, and the container goes on.
        let container = container.args(&["sleep", "100"]).started();
        let ended = container.call(&["exec", &container.id, program, "argument"]);
        assert_eq!(ended.code, 255, "{what}: {ended:?}");
        let error = ended.err.replace('\\', "");
        for word in &words[1..] {
            assert!(error.contains(word), "exec of {what}: {word:?} is wanted: {error}");
        }
        assert_eq!(container.status(), "running");
    }
}

#[test]
fn what_cannot_be_executed_at_all_is_found_by_create() {
    for (program, mode) in [("/opt/nowhere", 0), ("nowhere", 0), ("/opt/file", 0o644), ("/tmp", 0)] {
        let container = Container::new().args(&[program]);
        fs::create_dir(container.rootfs().join("opt")).unwrap();
        if mode != 0 {
            file(&container, program, b"text", mode);
        }
        let created = container.create();
        assert_refused(program, &container, &created, &["/process/args/0", program]);
    }
}

#[test]
fn what_only_the_kernel_can_tell_is_found_by_start_which_leaves_a_stopped_container() {
    let container = Container::new().args(&["/arm"]);
    file(&container, "/arm", &elf(183, None), 0o755);
    assert_eq!(container.create().code, 0);
    let error = container.start().fails();
    assert!(error.contains("exec format error") && error.contains("aarch64"), "{error}");
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id]).ok();
    crate::bad_input::assert_nothing_left(&container);
}

#[test]
fn a_program_that_its_user_may_not_execute_is_refused() {
    let container = Container::new().args(&["/private"]).edit(|config| {
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    });
    file(&container, "/private", b"#!/bin/sh\n", 0o600);
    assert_refused(
        "a private file",
        &container,
        &container.run(),
        &["/process/args/0", "/private", "permission denied"],
    );
}
