//! `exec` by hand: what is wrong is told in the words that were typed.

use crate::support::Container;
use std::fs;

fn running() -> Container {
    Container::new().args(&["sleep", "1000"]).started()
}

#[test]
fn an_error_names_the_option_that_was_typed() {
    let container = running();
    let id = &container.id;
    fs::write(container.rootfs().join("etc/plain"), "").unwrap();
    for (line, wanted) in [
        (&["--cwd", "rel", id, "true"][..], "--cwd = \\\"rel\\\""),
        (
            &["--cwd", "/nope", id, "true"],
            "chdir to cwd (\\\"/nope\\\"): --cwd = \\\"/nope\\\": chdir: no such file",
        ),
        (&[id, "nope"], "exec: \\\"nope\\\": executable file not found in $PATH"),
        (&[id, "/etc"], "exec: \\\"/etc\\\": is a directory"),
        (&[id, "/etc/plain"], "exec: \\\"/etc/plain\\\": permission denied"),
        (&[id, "/nope/nope"], "no such file or directory"),
        (&["-p", "/nope", id], "--process = \\\"/nope\\\": read the process file: no such file"),
        (&["-t", "-d", id, "true"], "--console-socket"),
        (&["--pid-file", "/nope/pid", id, "true"], "--pid-file = \\\"/nope/pid\\\""),
    ] {
        let said = container.call(&[&["exec"], line].concat());
        assert_eq!(said.code, 255, "{line:?}: {said:?}");
        assert!(said.err.contains(wanted), "{line:?}: {}", said.err);
        assert!(
            said.err.contains("exec failed: ") && !said.err.contains("/process"),
            "{line:?}: {}",
            said.err
        );
    }
}

/// As under runc: the line is wrong, and no process is concerned.
#[test]
fn a_value_that_is_no_number_is_a_wrong_command_line() {
    let container = running();
    for line in [["-g", "root"], ["-g", ""], ["--preserve-fds", "abc"]] {
        let said = container.call(&["exec", line[0], line[1], &container.id, "true"]);
        assert_eq!(said.code, 1, "{line:?}: {said:?}");
        assert!(said.err.contains("invalid value"), "{line:?}: {}", said.err);
    }
    // Descriptors that are not open are not passed on.
    assert_eq!(container.call(&["exec", "--preserve-fds", "7", &container.id, "true"]).code, 0);
    assert_eq!(
        container.call(&["exec", &container.id, "-t", "true"]).code,
        255,
        "what follows the id is the program"
    );
}

#[test]
fn an_empty_user_is_the_containers_own() {
    let container = running();
    assert_eq!(container.call(&["exec", "--user", "", &container.id, "id", "-u"]).ok(), "0\n");
}

#[test]
fn an_error_in_a_process_file_names_the_file_and_the_field() {
    let container = running();
    let file = container.dir.join("process.json");
    let path = file.to_str().unwrap();
    for (text, wanted) in [
        (r#"{"args":["true"],"cwd":"rel","user":{"uid":0,"gid":0}}"#, "--process /cwd = \\\"rel\\\""),
        (r#"{"args":["true"],"cwd":3}"#, "--process /cwd must be a string"),
        (r#"{"args":"#, "process.json is not valid JSON"),
    ] {
        fs::write(&file, text).unwrap();
        let err = container.call(&["exec", "--process", path, &container.id]).fails();
        assert!(err.contains(wanted), "{text}: {err}");
    }
}

#[test]
fn exec_makes_no_directory_in_a_container_that_runs() {
    let container = running();
    container.call(&["exec", "--cwd", "/made/by/exec", &container.id, "true"]).fails();
    assert!(!container.rootfs().join("made").exists());
    assert_eq!(container.call(&["exec", "--cwd", "/etc", &container.id, "pwd"]).ok(), "/etc\n");
}

#[test]
fn a_terminal_can_be_asked_for_in_words() {
    let container = running();
    for (option, wanted) in
        [("--tty=no", "not a tty\n"), ("--tty=false", "not a tty\n"), ("-tty=0", "not a tty\n")]
    {
        assert_eq!(container.call(&["exec", option, &container.id, "tty"]).out, wanted, "{option}");
    }
    for option in ["--tty", "-t", "--tty=yes", "-tty"] {
        let out = container.call(&["exec", option, &container.id, "tty"]).ok();
        assert!(out.starts_with("/dev/pts/"), "{option}: {out}");
    }
}

#[test]
fn a_capability_that_nobody_knows_is_warned_about_once() {
    let container = running();
    let said = container.call(&["exec", "--cap", "CAP_NOPE", &container.id, "true"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.err.matches("level=warning").count(), 1, "{}", said.err);
    assert!(said.err.contains("--cap = \\\"CAP_NOPE\\\""), "{}", said.err);
}
