//! A path is bytes, from the command line to the system call: a name that is not UTF-8 opens its own file, and not the one
//! whose name has a replacement character there. What has to become text, because a config or a record is JSON, is refused.

use crate::support::{Container, finish};
use serde_json::{Value, json};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;

const NO_TEXT: &[u8] = b"a\xff";

/// Two files in the container's directory whose names differ as bytes, and are the same once made text.
fn pair(container: &Container, right: &Value, wrong: &Value) -> PathBuf {
    let file = container.dir.join(OsStr::from_bytes(NO_TEXT));
    fs::write(container.dir.join(String::from_utf8_lossy(NO_TEXT).as_ref()), wrong.to_string()).unwrap();
    fs::write(&file, right.to_string()).unwrap();
    file
}

fn with(container: &Container, words: &[&str], more: &[OsString]) -> Command {
    let mut command = container.command(words);
    command.args(more);
    command
}

#[test]
fn the_config_that_is_named_is_the_one_that_is_read() {
    let container = Container::new().args(&["/bin/echo", "right"]);
    let mut wrong = container.config.clone();
    wrong["process"]["args"] = json!(["/bin/echo", "wrong"]);
    let file = pair(&container, &container.config, &wrong);
    let bundle = container.bundle();
    let words = ["run", "--bundle", bundle.to_str().unwrap(), "--config"];
    let command = with(&container, &words, &[file.into(), container.id.clone().into()]);
    assert_eq!(finish(command).ok(), "right\n");
}

#[test]
fn the_process_that_is_named_is_the_one_that_runs() {
    let container = Container::new().args(&["/bin/sleep", "60"]).started();
    let process = |word: &str| {
        let mut process = container.config["process"].clone();
        process["args"] = json!(["/bin/echo", word]);
        process
    };
    let file = pair(&container, &process("right"), &process("wrong"));
    let command = with(&container, &["exec", "--process"], &[file.into(), container.id.clone().into()]);
    assert_eq!(finish(command).ok(), "right\n");
}

#[test]
fn the_mounts_that_are_named_are_the_ones_that_are_made() {
    let container = Container::new().args(&["/bin/sleep", "60"]).started();
    let mounts = |place: &str| json!([{"type": "tmpfs", "source": "none", "destination": place}]);
    let file = pair(&container, &mounts("/right"), &mounts("/wrong"));
    let command = with(&container, &["mounts", "add", &container.id], &[file.into()]);
    finish(command).ok();
    let places = container.exec_sh("cut -d' ' -f5 /proc/self/mountinfo").ok();
    let made = ["/right", "/wrong"].map(|place| places.lines().any(|line| line == place));
    assert_eq!(made, [true, false], "{places}");
}

#[test]
fn the_pid_file_has_the_name_that_it_was_given() {
    let container = Container::new().args(&["/bin/true"]);
    container.write_config();
    let file = container.dir.join(OsStr::from_bytes(NO_TEXT));
    let bundle = container.bundle();
    let words = ["run", "--bundle", bundle.to_str().unwrap(), "--pid-file"];
    finish(with(&container, &words, &[file.clone().into(), container.id.clone().into()])).ok();
    assert!(fs::read_to_string(file).unwrap().parse::<u32>().is_ok());
}

#[test]
fn what_a_process_would_lose_is_refused() {
    let container = Container::new().args(&["/bin/sleep", "60"]).started();
    let id = || OsString::from(&container.id);
    let no_text = || OsStr::from_bytes(NO_TEXT).to_owned();
    let variable = OsStr::from_bytes(b"A=\xff").to_owned();
    for (words, field) in [
        (vec![id(), "/bin/echo".into(), no_text()], "<command>"),
        (vec![id(), no_text()], "<command>"),
        (vec!["--env".into(), variable, id(), "/bin/true".into()], "--env"),
        (vec!["--cwd".into(), no_text(), id(), "/bin/true".into()], "--cwd"),
        (vec!["--apparmor".into(), no_text(), id(), "/bin/true".into()], "--apparmor"),
    ] {
        let said = finish(with(&container, &["exec"], &words)).fails();
        assert!(said.contains("not UTF-8") && said.contains(field), "{words:?}: {said}");
    }
}

#[test]
fn what_the_callers_environment_would_lose_is_refused() {
    let container = Container::new().args(&["/bin/true"]);
    container.write_config();
    let bundle = container.bundle();
    let run = ["run", "--bundle", bundle.to_str().unwrap(), &container.id];
    let mut receiver = container.command(&run);
    receiver.env("RUN_OCI_SECCOMP_RECEIVER", OsStr::from_bytes(NO_TEXT));
    let said = finish(receiver).fails();
    assert!(said.contains("not UTF-8") && said.contains("RUN_OCI_SECCOMP_RECEIVER"), "{said}");

    // A shell, so that LISTEN_PID can be the number of what it becomes.
    let mut names = Command::new("sh");
    names
        .args(["-c", "LISTEN_FDS=0 LISTEN_PID=$$ exec \"$0\" \"$@\""])
        .arg(container.command(&run).get_program());
    names.args(container.command(&run).get_args()).env("LISTEN_FDNAMES", OsStr::from_bytes(NO_TEXT));
    let said = finish(names).fails();
    assert!(said.contains("not UTF-8") && said.contains("LISTEN_FDNAMES"), "{said}");
}

#[test]
fn a_state_directory_that_is_no_text_cannot_be_bound_for_notify_socket() {
    let container = Container::new().args(&["/bin/true"]);
    container.write_config();
    let root = container.dir.join(OsStr::from_bytes(NO_TEXT));
    let run = |notify: Option<&str>| {
        let mut command = Command::new(crate::support::RRUNTIME);
        command.arg("--root").arg(&root).args(["run", "--bundle"]).arg(container.bundle()).arg(&container.id);
        command.env_remove("NOTIFY_SOCKET").envs(notify.map(|path| ("NOTIFY_SOCKET", path)));
        finish(command)
    };
    run(None).ok();
    let said = run(Some("/nonexistent/socket")).fails();
    assert!(said.contains("not UTF-8") && said.contains("--root"), "{said}");
}

#[test]
fn a_mount_of_the_host_whose_name_is_no_text_stops_no_container() {
    let container = Container::new().args(&["/bin/echo", "runs"]);
    container.write_config();
    let place = container.dir.join(OsStr::from_bytes(NO_TEXT));
    fs::create_dir(&place).unwrap();
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", "mount -t tmpfs none \"$0\" && exec \"$@\""]).arg(&place);
    let run = container.command(&["run", "--bundle", container.bundle().to_str().unwrap(), &container.id]);
    command.arg(run.get_program()).args(run.get_args());
    assert_eq!(finish(command).ok(), "runs\n");
}
