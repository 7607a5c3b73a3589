//! The command line without containers: help, version, wrong arguments, where messages go.

use crate::support::cli::{Scratch, rruntime, said};
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

const COMMANDS: &[&str] = &[
    "completion",
    "create",
    "delete",
    "exec",
    "features",
    "info",
    "kill",
    "list",
    "manual",
    "pause",
    "ps",
    "resume",
    "run",
    "spec",
    "start",
    "state",
];

#[test]
fn help_begins_with_the_name_everywhere() {
    for arguments in [&["--help"][..], &["-h"], &["help"], &[], &["--debug"], &["-h", "run"]] {
        let said = rruntime(arguments);
        assert!(said.out.starts_with("NAME:\n   rruntime - "), "{arguments:?}: {said:?}");
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{arguments:?}");
        for &command in COMMANDS {
            assert!(said.out.contains(&format!("\n   {command} ")), "{command}");
        }
    }
    for &command in COMMANDS {
        for arguments in [[command, "--help"], [command, "-h"], ["help", command]] {
            let said = rruntime(&arguments);
            let head = format!("NAME:\n   rruntime {command} - ");
            assert!(said.out.starts_with(&head), "{arguments:?}: {said:?}");
            assert!(said.out.contains(&format!("USAGE:\n   rruntime {command}")), "{said:?}");
            assert!(said.out.contains("--help, -h"), "{said:?}");
            assert_eq!((said.code, said.err.as_str()), (0, ""));
        }
    }
}

#[test]
fn the_version_has_the_lines_that_engines_read() {
    for flag in ["-v", "--version"] {
        let said = rruntime(&[flag]);
        let lines: Vec<&str> = said.out.lines().collect();
        assert_eq!(lines[0], format!("rruntime version {}", env!("CARGO_PKG_VERSION")));
        assert!(lines[1].starts_with("commit: "), "{said:?}");
        assert_eq!(lines[2], "spec: 1.3.0");
    }
}

#[test]
fn the_name_it_is_called_by_is_the_name_it_uses() {
    let called = |name: &str| {
        said(Command::new(env!("CARGO_BIN_EXE_rruntime")).arg0(name).arg("start").output().unwrap()).err
    };
    assert!(called("/usr/bin/runc").contains(r#"runc: \"start\" requires exactly 1 argument(s)"#));
    // crun's own words, as a line without a frame.
    assert!(called("crun").starts_with("please specify a ID for the container"));
    assert!(called("anything").contains("rruntime: "));
}

#[test]
fn wrong_counts_of_arguments_have_runcs_texts() {
    for (arguments, wanted) in [
        (&["create"][..], r#"\"create\" requires exactly 1 argument(s)"#),
        (&["start", "a", "b"], r#"\"start\" requires exactly 1 argument(s)"#),
        (&["list", "a"], r#"\"list\" requires exactly 0 argument(s)"#),
        (&["kill"], r#"\"kill\" requires a minimum of 1 argument(s)"#),
        (&["kill", "a", "b", "c"], r#"\"kill\" requires a maximum of 2 argument(s)"#),
        (&["exec"], r#"\"exec\" requires a minimum of 1 argument(s)"#),
        (&["ps"], r#"\"ps\" requires a minimum of 1 argument(s)"#),
    ] {
        let said = rruntime(arguments);
        assert!(said.err.contains(&format!("{wanted} (usage: ")), "{arguments:?}: {said:?}");
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{arguments:?}");
    }
}

#[test]
fn wrong_arguments_are_named() {
    let scratch = Scratch::new();
    let root = format!("--root={}", scratch.path().display());
    for (arguments, code, wanted) in [
        (&["frobnicate"][..], 1, "unknown command 'frobnicate'"),
        (&["--frob", "list"], 1, "flag provided but not defined: --frob"),
        (&["state", "--frob", "x"], 1, "flag provided but not defined: --frob"),
        (&["--log-format=xml", "list"], 1, "invalid log-format: xml"),
        (&["--rootless=maybe", "list"], 1, "must be true, false or auto"),
        (&["--root", "/", "list"], 1, "cannot be the state directory"),
        (&["--root", "", "list"], 1, "cannot be the state directory"),
        (&[&root, "list", "-f", "xml"], 1, "invalid format option"),
        (&[&root, "state", "a/b"], 1, "invalid container ID format"),
        (&[&root, "delete", "--force", ".."], 1, "invalid container ID format"),
        (&[&root, "kill", "x", "FOO"], 1, r#"unknown signal \"FOO\" (use a number or a name such as TERM"#),
        (&["--root"], 1, "flag needs an argument: --root (as in --root DIR)"),
        (&[&root, "checkpoint", "x"], 1, "container does not exist"),
        (&[&root, "checkpoint", "--manage-cgroups-mode", "x", "y"], 1, "use soft, full, strict or ignore"),
        (&[&root, "checkpoint", "--parent-path", "/x", "y"], 1, "must be relative"),
        (&[&root, "checkpoint", "--page-server", "1.2.3.4", "y"], 1, "Use --page-server ADDRESS:PORT"),
        (&[&root, "checkpoint", "--page-server", "1.2.3.4:x", "y"], 1, "Invalid port number"),
        (&[&root, "checkpoint", "--status-fd", "77", "y"], 1, "has not opened this descriptor"),
        (&[&root, "restore", "--empty-ns", "mount", "y"], 1, "is not supported"),
        (&[&root, "exec", "-u", "1x", "x", "ls"], 255, r#"--user = \"1x\""#),
        (&[&root, "exec", "x"], 255, "process args cannot be empty"),
    ] {
        let said = rruntime(arguments);
        assert!(said.err.contains(wanted), "{arguments:?}: {said:?}");
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{arguments:?}: {said:?}");
        assert_eq!(said.err.lines().count(), 1, "{said:?}");
    }
}

#[test]
fn what_is_typed_from_habit_or_by_a_slip_is_understood() {
    for (line, wanted) in [
        ("creat x", "unknown command 'creat'; did you mean 'create'? (`rruntime help` lists the commands)"),
        ("help strat", "unknown command 'strat'; did you mean 'start'?"),
        ("manual exce", "unknown command 'exce'; did you mean 'exec'?"),
        ("ls", "did you mean 'list'?"),
        ("rm web", "did you mean 'delete'?"),
        ("stop web", "did you mean 'kill'? (`kill <container-id>` sends TERM"),
        ("log web", "did you mean 'logs'?"),
        ("status web", "did you mean 'state'?"),
        ("kill -9 web", "the signal follows the id: `kill <container-id> 9`"),
        ("kill -KILL web", "not defined: -KILL (the signal follows the id: `kill <container-id> KILL`)"),
        (
            "kill web -SIGUSR1",
            "not defined: -SIGUSR1 (the signal follows the id: `kill <container-id> SIGUSR1`)",
        ),
        ("kill -s KILL web", "the signal follows the id"),
        ("kill --signal KILL web", "the signal follows the id"),
        ("exec -i web sh", "standard input is always connected"),
        ("exec -it web sh", "standard input is always connected"),
        ("exec --workdir /x web sh", "--cwd sets the working directory"),
        ("run --rm web", "unless --keep is given"),
        ("run --cpus 1 web", "linux.resources in config.json sets the limits"),
        ("create --memory 1g web", "linux.resources in config.json sets the limits"),
        ("run --name web web", "the container's name is its id"),
        ("update -m 1g web", "--memory sets the limit of memory"),
        ("run -v /a:/b web", "config.json in the bundle decides this"),
        ("list -a", "every container is listed"),
        ("stats --json", "--format json prints JSON"),
        ("mounts list web", "mounts can only be added or removed"),
        ("update --cpus 1.5 web", "1.5 CPUs are --cpu-period 100000 --cpu-quota 150000"),
        ("update --cpu-shares 5 web", "did you mean --cpu-share?"),
    ] {
        let said = rruntime(&line.split(' ').collect::<Vec<_>>());
        assert!(said.err.contains(wanted), "{line}: {said:?}");
        assert_ne!(said.code, 0, "{line}");
    }
    let called = said(Command::new(env!("CARGO_BIN_EXE_rruntime")).arg0("runc").arg("ls").output().unwrap());
    assert!(called.err.contains("No help topic for 'ls'"), "{called:?}");
}

#[test]
fn without_a_log_file_the_error_is_a_log_line_on_stderr() {
    let said = rruntime(&["state", "nope"]);
    assert!(said.err.starts_with("time=\"20"), "{said:?}");
    assert!(said.err.contains("Z\" level=error msg=\""), "{said:?}");
    assert!(said.err.contains("container does not exist (`rruntime list` shows"), "{said:?}");
    let said = rruntime(&["--log-format", "json", "state", "nope"]);
    let record: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(record["level"], "error");
    assert!(record["msg"].as_str().unwrap().contains("container does not exist ("));
    assert!(record["time"].as_str().unwrap().ends_with('Z'));
    let said = rruntime(&["--log-format", "json", "--criu", "/x", "list"]);
    let record: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!((&record["level"], &record["field"]), (&"warning".into(), &"--criu".into()));
}

#[test]
fn with_a_log_file_stderr_has_the_plain_line_alone_and_the_file_grows() {
    let scratch = Scratch::new();
    let log = scratch.file("log");
    let log_text = log.to_str().unwrap();
    for lines in 1..=2 {
        let said = rruntime(&["--log", log_text, "--log-format", "json", "state", "nope"]);
        assert!(said.err.starts_with("\"nope\": container does not exist ("), "{said:?}");
        let text = fs::read_to_string(&log).unwrap();
        assert_eq!(text.lines().count(), lines);
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{text}");
    }
    let said = rruntime(&["--log", "/nonexistent/log", "list"]);
    assert!(said.err.contains("--log") && said.err.contains("no such file"), "{said:?}");
    assert_eq!(said.code, 1);
}

#[test]
fn closed_standard_descriptors_are_survived() {
    let scratch = Scratch::new();
    let log = scratch.file("log");
    let script =
        format!("exec {} --log {} list -q <&- >&- 2>&-", env!("CARGO_BIN_EXE_rruntime"), log.display());
    let status = Command::new("sh").arg("-c").arg(script).status().unwrap();
    assert!(status.success());
    assert_eq!(fs::read_to_string(&log).unwrap(), "", "no output went into a file that took its number");
}

#[test]
fn a_reader_who_goes_away_ends_the_program_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rruntime"))
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn spec_writes_a_configuration_once() {
    let scratch = Scratch::new();
    let bundle = scratch.path().to_str().unwrap();
    let read = || fs::read_to_string(scratch.file("config.json")).unwrap();
    assert_eq!(rruntime(&["spec", "--bundle", bundle]).code, 0);
    let config: serde_json::Value = serde_json::from_str(&read()).unwrap();
    assert_eq!(config["process"]["args"], serde_json::json!(["sh"]));
    assert_eq!(config["hostname"], "rruntime");
    let before = read();
    let again = rruntime(&["spec", "-b", bundle]);
    assert!(again.code == 1 && again.err.contains("exists. Remove it first"), "{again:?}");
    assert_eq!(read(), before);
    fs::remove_file(scratch.file("config.json")).unwrap();
    assert_eq!(rruntime(&["spec", "-b", bundle, "--rootless"]).code, 0);
    let config: serde_json::Value = serde_json::from_str(&read()).unwrap();
    let namespaces = config["linux"]["namespaces"].as_array().unwrap();
    assert!(namespaces.iter().any(|namespace| namespace["type"] == "user"));
    assert!(rruntime(&["spec", "-b", "/nonexistent"]).err.contains("no such file"));
}

#[test]
fn spec_writes_another_file_and_the_name_it_was_called_by() {
    let scratch = Scratch::new();
    let bundle = scratch.path().to_str().unwrap();
    let mut crun = Command::new(env!("CARGO_BIN_EXE_rruntime"));
    let called = said(crun.arg0("crun").args(["spec", "-b", bundle, "-f", "other.json"]).output().unwrap());
    assert_eq!((called.code, called.err.as_str()), (0, ""));
    assert!(!scratch.file("config.json").exists());
    let text = fs::read_to_string(scratch.file("other.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(config["hostname"], "crun");
}

#[test]
fn one_dash_is_enough_for_a_long_option() {
    let scratch = Scratch::new();
    let root = scratch.path().to_str().unwrap();
    fs::create_dir(scratch.file("list")).unwrap();
    for line in
        [&["-root", root, "list", "-quiet"][..], &["-root", root, "list", "-q"], &["-r", root, "list", "-q"]]
    {
        let said = rruntime(line);
        assert_eq!((said.code, said.out.as_str()), (0, "list\n"), "{line:?}: {said:?}");
    }
    let joined = rruntime(&[format!("-root={root}").as_str(), "-log-format", "json", "list", "--quiet"]);
    assert_eq!(joined.out, "list\n", "{joined:?}");
}

#[test]
fn features_has_the_form_of_the_specification() {
    let said = rruntime(&["features"]);
    let features: oci_spec::runtime::Features = serde_json::from_str(&said.out).unwrap();
    assert_eq!(features.oci_version_max(), "1.3.0");
    let raw: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(raw["hooks"].as_array().unwrap().len(), 6);
    assert!(raw["mountOptions"].as_array().unwrap().contains(&"rro".into()));
    assert_eq!(raw["linux"]["namespaces"].as_array().unwrap().len(), 8);
    assert_eq!(raw["linux"]["seccomp"]["enabled"], true);
    assert_eq!(raw["linux"]["cgroup"]["systemd"], true);
}
