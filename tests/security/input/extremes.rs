//! Input of any size and kind: hostile ids, configs that are devices, pipes, too large or too deep, and honest ones
//! that are merely big (CVE-2021-43784: a length that wrapped).

use crate::support::{Container, Ended, finish, wait_until};
use nix::sys::stat::Mode;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// No command may take this long, nor that much memory.
const PATIENCE: Duration = Duration::from_secs(120);
const MEMORY_KIB: u32 = 700 * 1024;

/// Makes something at a path.
type Make<'a> = &'a dyn Fn(&Path);
/// Puts a value into a config.
type Put<'a> = &'a dyn Fn(&mut Value, &Value);

/// Runs to its end, or kills it and fails.
#[track_caller]
pub fn in_time(mut command: Command) -> Ended {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Ended { code: status.code().unwrap_or(255), out: String::new(), err: String::new() };
        }
        if begin.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the command hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The binary with a limit on its memory.
fn limited(container: &Container, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {MEMORY_KIB}; exec \"$@\""), "sh", crate::support::RRUNTIME]);
    command.arg("--root").arg(container.state_root()).args(args).stdin(Stdio::null());
    command
}

fn run(container: &Container) -> Ended {
    let bundle = container.bundle();
    in_time(limited(container, &["run", "--bundle", bundle.to_str().unwrap(), &container.id]))
}

#[test]
fn an_id_is_a_name_and_never_a_path() {
    let container = Container::new().sh("echo INSIDE");
    container.write_config();
    let bundle = container.bundle();
    let megabyte = "x".repeat(100 * 1024);
    let deep = "../".repeat(40) + "tmp/rr-evil";
    for id in [
        "",
        ".",
        "..",
        "/",
        "../x",
        "a/b",
        "/tmp/rr-evil",
        &deep,
        "a b",
        "a\nb",
        "é",
        "a\u{1}",
        "-",
        "%n",
        &megabyte,
    ] {
        for arguments in [
            &["run", "--bundle", bundle.to_str().unwrap(), "--", id][..],
            &["create", "--bundle", bundle.to_str().unwrap(), "--", id],
            &["state", "--", id],
            &["start", "--", id],
            &["kill", "--", id],
            &["delete", "--force", "--", id],
            &["exec", "--", id, "true"],
        ] {
            let ended = in_time(limited(&container, arguments));
            // "-" and force are words that other ids share; what counts is below.
            assert!(ended.code != 0 || arguments[0] == "delete" || id == "-", "{id:?}: {arguments:?}");
            if id == "-" {
                container.call(&["delete", "--force", "--", "-"]);
            }
        }
    }
    assert!(!Path::new("/tmp/rr-evil").exists());
    let left = container.left_in_state_root();
    assert!(left.is_empty(), "{left:?}");
    assert!(bundle.join("config.json").exists());
}

#[test]
fn delete_with_force_removes_nothing_outside_of_the_state() {
    let container = Container::new();
    let outside = container.dir.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("state.json"), "{}").unwrap();
    let root = container.state_root();
    fs::create_dir(&root).unwrap();
    symlink(&outside, root.join("link")).unwrap();
    container.call(&["delete", "--force", "link"]).fails();
    container.call(&["delete", "--force", "../outside"]);
    assert!(outside.join("state.json").exists());
}

#[test]
fn an_id_that_is_no_text_is_refused() {
    let container = Container::new().sh("echo INSIDE");
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(OsStr::from_bytes(b"a\xff\xfe"));
    finish(command).fails();
}

#[test]
fn a_config_that_comes_through_a_pipe_is_waited_for() {
    let container = Container::new().args(&["true"]);
    let path = container.bundle().join("config.json");
    let text = container.config.to_string();
    nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
    let writer = std::thread::spawn(move || {
        let mut pipe = fs::OpenOptions::new().write(true).open(path).unwrap();
        let (first, rest) = text.split_at(text.len() / 2);
        std::io::Write::write_all(&mut pipe, first.as_bytes()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
        std::io::Write::write_all(&mut pipe, rest.as_bytes()).unwrap();
    });
    assert_eq!(run(&container).code, 0);
    writer.join().unwrap();
}

/// Another user may have put it there: nothing comes of it, with a writer that is silent or with none.
#[test]
fn a_pipe_with_a_name_that_nothing_is_written_to_holds_up_nobody() {
    let container = Container::new().sh("sleep 1000").started();
    let (silent, lonely) = (container.dir.join("silent"), container.bundle().join("config.json"));
    fs::remove_file(&lonely).unwrap();
    [&silent, &lonely].iter().for_each(|path| nix::unistd::mkfifo(*path, Mode::S_IRWXU).unwrap());
    let _writer = fs::File::options().read(true).write(true).open(&silent).unwrap();
    let (bundle, pipe) = (container.bundle().display().to_string(), silent.display().to_string());
    let lines: [&[&str]; 7] = [
        &["validate", &bundle],
        &["run", "--bundle", &bundle, "other"],
        &["run", "--config", &pipe, "other"],
        &["exec", "--process", &pipe, &container.id],
        &["update", "--resources", &pipe, &container.id],
        &["mounts", "add", &container.id, &pipe],
        &["seccomp", "check", &pipe],
    ];
    std::thread::scope(|scope| {
        for line in lines {
            let command = container.command(line);
            scope.spawn(move || assert_ne!(in_time(command).code, 0, "{line:?}"));
        }
    });
    assert_eq!(container.status(), "running");
}

#[test]
fn a_config_that_is_a_device_or_a_directory_is_refused_in_time() {
    let make: [(&str, Make); 6] = [
        ("zero", &|path| symlink("/dev/zero", path).unwrap()),
        ("full", &|path| symlink("/dev/full", path).unwrap()),
        ("random", &|path| symlink("/dev/urandom", path).unwrap()),
        ("terminal", &|path| symlink("/dev/ptmx", path).unwrap()),
        ("directory", &|path| fs::create_dir(path).unwrap()),
        ("sparse", &|path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap()),
    ];
    for (what, make) in make {
        let container = Container::new();
        make(&container.bundle().join("config.json"));
        assert_ne!(run(&container).code, 0, "{what}");
        container.assert_gone();
    }
}

#[test]
fn a_process_file_that_is_a_device_is_refused_in_time() {
    let container = Container::new().sh("sleep 1000").started();
    let sparse = container.dir.join("sparse");
    fs::File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
    for file in
        [&*sparse, Path::new("/dev/zero"), Path::new("/dev/full"), Path::new("/"), Path::new("/dev/ptmx")]
    {
        let args = ["exec", "--process", file.to_str().unwrap(), &container.id];
        assert_ne!(in_time(limited(&container, &args)).code, 0, "{}", file.display());
    }
}

fn with_config(text: &[u8]) -> Container {
    let container = Container::new();
    fs::write(container.bundle().join("config.json"), text).unwrap();
    container
}

#[test]
fn json_of_any_depth_ends_in_an_error() {
    for depth in [200, 10_000, 1_000_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let middle = if open == "[" { "" } else { "1" };
            let nested = format!("{}{middle}{}", open.repeat(depth), close.repeat(depth));
            for text in [nested.clone(), format!("{{\"ociVersion\":\"1.0.2\",\"x\":{nested}}}")] {
                let container = with_config(text.as_bytes());
                let ended = run(&container);
                assert!(ended.code != 0 && ended.code < 128, "{depth}: {}", ended.code);
            }
        }
    }
}

#[test]
fn a_config_of_thirty_megabytes_is_read_or_refused() {
    let mut container = Container::new().sh("exit 7");
    let big: Value = (0..300_000)
        .map(|i| (format!("key-{i:080}"), Value::from("x")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    container.config["annotations"] = big;
    container.write_config();
    assert!(fs::metadata(container.bundle().join("config.json")).unwrap().len() > 25 << 20);
    let code = run(&container).code;
    assert!(code == 7 || code == 1, "{code}");
    container.assert_gone();
    let container = with_config(&vec![b' '; 40 << 20]);
    assert_ne!(run(&container).code, 0);
}

#[test]
fn garbage_is_an_error_and_no_crash() {
    for text in [
        &b""[..],
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"{\"process\":{\"args\":[\"\\u0000\"]}}",
        b"\0",
        b"1e999",
        b"\"\\ud800\"",
    ] {
        let ended = run(&with_config(text));
        assert!(ended.code != 0 && ended.code < 128, "{text:?}: {}", ended.code);
    }
}

#[test]
fn seventy_kilobytes_of_environment_and_arguments_arrive_whole() {
    let long = "x".repeat(70 << 10);
    let container = Container::new()
        .args(&["sh", "-c", "echo ${#LONG} ${#1}", "sh", &long])
        .edit(|config| config["process"]["env"].as_array_mut().unwrap().push(format!("LONG={long}").into()));
    assert_eq!(container.run().ok(), format!("{0} {0}\n", long.len()));
    let many: Vec<String> = (0..2000).map(|i| format!("V{i}={i}")).collect();
    let container = Container::new().sh("echo $V0 $V1999").edit(|config| {
        config["process"]["env"].as_array_mut().unwrap().extend(many.iter().map(|v| v.clone().into()));
    });
    assert_eq!(container.run().ok(), "0 1999\n");
}

#[test]
fn a_path_of_seventy_kilobytes_is_an_error_and_nothing_is_left() {
    let long = format!("/{}", "x/".repeat(35 << 10));
    let name = format!("/{}", "x".repeat(70 << 10));
    for path in [long, name] {
        let edits: [&dyn Fn(&mut Value); 8] = [
            &|config| config["process"]["cwd"] = path.clone().into(),
            &|config| config["process"]["args"] = json!([path]),
            &|config| config["root"]["path"] = path.clone().into(),
            &|config| {
                config["linux"]["devices"] = json!([{"path": path, "type": "c", "major": 1, "minor": 3}])
            },
            &|config| config["mounts"][0]["source"] = path.clone().into(),
            &|config| {
                let mount = json!({"destination": path, "type": "tmpfs", "source": "tmpfs"});
                config["mounts"].as_array_mut().unwrap().push(mount);
            },
            &|config| config["linux"]["namespaces"][1]["path"] = path.clone().into(),
            &|config| config["hooks"] = json!({"createRuntime": [{"path": path}]}),
        ];
        for (i, edit) in edits.iter().enumerate() {
            let container = Container::new().sh("echo INSIDE").edit(edit);
            let ended = container.run();
            // A mount's source of a procfs is only a name.
            assert!(ended.code != 0 || i == 4, "edit {i}: {}", ended.out);
            assert!(ended.code < 128, "edit {i}");
            container.assert_gone();
        }
        for field in ["maskedPaths", "readonlyPaths"] {
            let container =
                Container::new().sh("echo INSIDE").edit(|config| config["linux"][field] = json!([path]));
            assert!(container.run().code < 128);
            container.assert_gone();
        }
    }
}

#[test]
fn a_thousand_mounts_are_made_in_order() {
    let script = "grep -c ' /m/' /proc/self/mountinfo; cat /m/999/file";
    let container = Container::new().sh(script);
    let source = container.dir.join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "inside\n").unwrap();
    let container = container.edit(|config| {
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.extend((0..1000).map(|i| {
            json!({"destination": format!("/m/{i}"), "type": "bind", "source": source, "options": ["rbind", "ro"]})
        }));
    });
    let ended = container.run();
    assert_eq!(ended.out, "1000\ninside\n", "{}", ended.err);
    container.assert_gone();
}

#[test]
fn numbers_at_the_edge_of_their_types_are_values_or_errors() {
    let max = json!(u64::MAX);
    let min = json!(i64::MIN);
    let edits: [Put; 10] = [
        &|c, n| c["process"]["oomScoreAdj"] = n.clone(),
        &|c, n| c["process"]["consoleSize"] = json!({"height": n, "width": n}),
        &|c, n| c["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": n, "hard": n}]),
        &|c, n| c["linux"]["resources"]["memory"] = json!({"limit": n, "swap": n}),
        &|c, n| c["linux"]["resources"]["cpu"] = json!({"shares": n, "quota": n, "period": n}),
        &|c, n| c["linux"]["resources"]["pids"] = json!({"limit": n}),
        &|c, n| c["linux"]["devices"] = json!([{"path": "/dev/x", "type": "c", "major": n, "minor": n}]),
        &|c, n| c["process"]["user"]["umask"] = n.clone(),
        &|c, n| c["linux"]["resources"]["blockIO"] = json!({"weight": n}),
        &|c, n| c["hooks"] = json!({"poststop": [{"path": "/bin/true", "timeout": n}]}),
    ];
    for (i, edit) in edits.iter().enumerate() {
        for number in [&max, &min, &json!(1e300), &json!(-1)] {
            let container = Container::new().sh("exit 0").edit(|config| edit(config, number));
            let ended = container.run();
            assert!(ended.code < 128, "edit {i} {number}: {}", ended.err);
            assert!(!ended.err.contains("panicked"), "edit {i} {number}: {}", ended.err);
            container.assert_gone();
        }
    }
}

/// CVE-2026-47262: whatever is in the image, no reader follows it to the end.
#[test]
fn a_passwd_of_the_image_that_never_ends_holds_up_nobody() {
    let make: [Make; 3] = [
        &|path| symlink("/dev/zero", path).unwrap(),
        &|path| nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap(),
        &|path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap(),
    ];
    for make in make {
        let container = Container::new().sh("exit 7");
        for name in ["etc/passwd", "etc/group"] {
            let path = container.rootfs().join(name);
            // The image may have none.
            let _ = fs::remove_file(&path);
            make(&path);
        }
        container.write_config();
        assert_eq!(run(&container).code, 7);
    }
}

/// A program that is a pipe, a device or an endless file neither starts nor hangs.
#[test]
fn a_program_that_is_no_file_is_refused_in_time() {
    let make: [Make; 4] = [
        &|path| nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap(),
        &|path| symlink("/dev/zero", path).unwrap(),
        &|path| symlink("evil", path).unwrap(),
        &|path| fs::create_dir(path).unwrap(),
    ];
    for make in make {
        let container = Container::new().args(&["/evil"]);
        make(&container.rootfs().join("evil"));
        container.write_config();
        assert_ne!(run(&container).code, 0);
        wait_until("the container is gone", || container.cgroups().is_empty());
    }
}

/// A log that is a pipe: it has no reader, or one that holds it open and never reads.
#[test]
fn a_log_that_nobody_reads_holds_up_nobody() {
    let container = Container::new();
    let pipe = container.dir.join("pipe");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let list = || {
        let mut command = Command::new(crate::support::RRUNTIME);
        command.arg("--log").arg(&pipe).args(["state", "nobody"]).stdin(Stdio::null());
        in_time(command)
    };
    assert_eq!(list().code, 1);
    let mut held = fs::File::options().read(true).write(true).open(&pipe).unwrap();
    nix::fcntl::fcntl(&held, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
    while std::io::Write::write(&mut held, &[0; 4096]).is_ok() {}
    assert_eq!(list().code, 1);
}

/// An image may ask for a working directory of two thousand names: each is made once, and looked up a few times.
#[test]
fn a_deep_path_that_is_missing_is_made_in_time() {
    let deep = "/d".repeat(2000);
    let mut container =
        Container::new().sh("pwd | wc -c").edit(|c| c["process"]["cwd"] = deep.clone().into());
    assert_eq!(container.run().ok().trim(), "4001");
    container = container.edit(|c| c["process"]["cwd"] = "/".into());
    let tmpfs = json!({"destination": deep.replace('d', "e"), "type": "tmpfs", "source": "tmpfs"});
    let container = container.edit(|c| c["mounts"].as_array_mut().unwrap().push(tmpfs)).sh("exit 7");
    container.write_config();
    assert_eq!(run(&container).code, 7);
    // What the clean-up of the tests would not take away.
    let removed = Command::new("rm").arg("-rf").arg(container.rootfs()).status().unwrap();
    assert!(removed.success());
}
