//! What is kept of a container that waits for start: `start` names a step that fails from the script that `create` has
//! carried out, whatever its own caller has.

use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, finish};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A created container whose program is there and cannot be executed: the last step fails.
fn doomed() -> Container {
    let container = Container::new().args(&["/opt/script"]);
    let program = container.rootfs().join("opt/script");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    fs::write(&program, "#!/opt/nowhere\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(container.create().code, 0);
    container
}

fn script(container: &Container) -> PathBuf {
    container.state_root().join(&container.id).join("script")
}

/// The error of `start`, without the words about the container.
fn start_fails(container: &Container) -> String {
    let err = container.start().fails();
    container.call(&["delete", "--force", &container.id]).ok();
    assert_nothing_left(container);
    err.split_once("unable to start container process").map(|(_, rest)| rest.to_owned()).unwrap_or(err)
}

/// A caller with fewer descriptors would have planned one step more.
#[test]
fn a_step_that_fails_is_named_alike_whatever_the_limits_of_starts_caller_are() {
    let expected = start_fails(&doomed());
    assert!(expected.contains("/process/args/0 = \\\"/opt/script\\\": exec /opt/script"), "{expected}");
    assert!(expected.contains("the interpreter that it names, /opt/nowhere"), "{expected}");
    let container = doomed();
    let inner = container.command(&["start", &container.id]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 60; exec \"$@\"", "sh"]).arg(inner.get_program()).args(inner.get_args());
    command.stdin(Stdio::null());
    let err = finish(command).fails();
    assert!(err.contains(&expected), "{err}");
}

#[test]
fn of_another_builds_script_the_field_is_named_and_no_step() {
    let container = doomed();
    let kept = fs::read(script(&container)).unwrap();
    let at = kept.windows(10).position(|word| word == b"\"format\":\"").unwrap() + 10;
    let mut other = kept.clone();
    other[at..at + 16].copy_from_slice(b"0123456789abcdef");
    // Where the other build has another step, nothing of it may be read.
    let line = other.iter().position(|byte| *byte == b'\n').unwrap();
    other[line + 1..].fill(0xff);
    fs::write(script(&container), other).unwrap();
    let err = start_fails(&container);
    assert!(err.contains("/process/args/0: the container's init failed after start: no such file"), "{err}");
}

#[test]
fn without_a_script_or_with_a_damaged_one_the_container_starts_and_no_field_is_guessed() {
    for damage in [None, Some("{\"format\":"), Some("nothing\n")] {
        let change = |container: &Container| match damage {
            None => fs::remove_file(script(container)).unwrap(),
            Some(text) => fs::write(script(container), text).unwrap(),
        };
        let container = doomed();
        change(&container);
        let err = start_fails(&container);
        assert!(err.contains(": the container's init failed after start: no such file"), "{err}");
        assert!(!err.contains("/process"), "{err}");
        let container = Container::new().args(&["sleep", "100"]);
        assert_eq!(container.create().code, 0);
        change(&container);
        container.start().ok();
        assert_eq!(container.status(), "running");
    }
}

/// It has what no other user may read: the environment, and the name of the session keyring.
#[test]
fn a_script_is_kept_for_start_alone_to_be_read() {
    let container = Container::new().args(&["true"]);
    assert_eq!(container.create().code, 0);
    let mode = fs::metadata(script(&container)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    container.call(&["delete", &container.id]).ok();
    assert_nothing_left(&container);
    assert_eq!(container.run_with(&["--detach"]).code, 0);
    assert!(!script(&container).exists(), "run has nothing that fails later");
}
