//! `--trace`: what a command has done, as trace events; also of one that fails, is killed, or shares its file with others.

use crate::support::cli::{Planned, planned};
use crate::support::{Container, Ended, wait_until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

fn file(container: &Container) -> PathBuf {
    container.dir.join("trace.json")
}

/// With `--trace` and what else stands before the command.
fn call(container: &Container, trace: &Path, options: &[&str], command: &[&str]) -> Ended {
    container.write_config();
    let bundle = container.bundle();
    let mut words = vec!["--trace", trace.to_str().unwrap()];
    words.extend(options);
    words.push(command[0]);
    if matches!(command[0], "run" | "create") {
        words.extend(["--bundle", bundle.to_str().unwrap()]);
    }
    words.extend(&command[1..]);
    let mut command = container.command(&words);
    let log = container.dir.join("said");
    // A created container keeps its streams: a pipe would never end.
    let output = fs::File::create(&log).unwrap();
    command.stdout(output.try_clone().unwrap()).stderr(output);
    let status = command.status().unwrap();
    let said = fs::read_to_string(&log).unwrap();
    Ended { code: status.code().unwrap_or(-1), out: said.clone(), err: said }
}

/// All events of a file, which is whole JSON.
fn events(trace: &Path) -> Vec<Value> {
    let text = fs::read_to_string(trace).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    file["traceEvents"].as_array().unwrap().clone()
}

/// Those with a duration, in the order in which they began.
fn rows(trace: &Path) -> Vec<Value> {
    let mut rows: Vec<Value> = events(trace).into_iter().filter(|event| event["ph"] == "X").collect();
    rows.sort_by(|a, b| a["ts"].as_f64().unwrap().total_cmp(&b["ts"].as_f64().unwrap()));
    rows
}

fn of<'r>(rows: &'r [Value], category: &str) -> Vec<&'r Value> {
    rows.iter().filter(|row| row["cat"] == category).collect()
}

fn named<'r>(rows: &'r [Value], name: &str) -> &'r Value {
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {rows:#?}"))
}

fn times(row: &Value) -> (f64, f64) {
    (row["ts"].as_f64().unwrap(), row["ts"].as_f64().unwrap() + row["dur"].as_f64().unwrap())
}

/// Each row has its place and its result; on a thread rows lie in one another, or one after the other.
fn assert_sound(rows: &[Value]) {
    let mut open: BTreeMap<(i64, i64), Vec<&Value>> = BTreeMap::new();
    for row in rows {
        assert!(row["dur"].as_f64().unwrap() >= 0.0 && row["ts"].as_f64().unwrap() > 0.0, "{row}");
        let result = row["args"]["result"].as_str().unwrap();
        assert!(["ok", "failed", "ended"].contains(&result), "{row}");
        let thread = (row["pid"].as_i64().unwrap(), row["tid"].as_i64().unwrap());
        let around = open.entry(thread).or_default();
        let (began, ended) = times(row);
        // Numbers of a millionth of a microsecond are not what a float can hold.
        around.retain(|other| times(other).1 > began + 1e-3);
        for other in around.iter() {
            assert!(times(other).1 >= ended - 1e-3, "{other} ends before {row}");
        }
        around.push(row);
    }
}

#[test]
fn each_deed_and_step_of_the_plan_is_there_in_order_with_its_field() {
    let container = Container::new().args(&["true"]);
    let (trace, log) = (file(&container), container.dir.join("log"));
    let options = ["--debug", "--log-format", "json", "--log", log.to_str().unwrap()];
    call(&container, &trace, &options, &["run", &container.id]).ok();
    let rows = rows(&trace);
    assert_sound(&rows);
    for (kind, least) in [("deed", 15), ("step", 40)] {
        let wanted: Vec<_> = planned(&fs::read_to_string(&log).unwrap())
            .into_iter()
            .filter(|plan| plan.kind == kind)
            .collect();
        let done = of(&rows, kind);
        assert!(wanted.len() >= least, "{kind}: {}", wanted.len());
        assert_eq!(done.len(), wanted.len(), "{done:#?}");
        for (row, Planned { number, field, words, .. }) in done.iter().zip(&wanted) {
            assert_eq!(row["args"]["number"], *number, "{row}");
            assert_eq!(row["args"]["field"].as_str().unwrap_or_default(), field, "{row}");
            let (name, value) =
                (row["name"].as_str().unwrap(), row["args"]["value"].as_str().unwrap_or_default());
            let said = if value.is_empty() { name.to_owned() } else { format!("{name}: {value}") };
            assert_eq!(said, *words);
            assert_eq!(row["args"]["result"], "ok", "{row}");
        }
    }
    let command = named(&rows, "run");
    assert_eq!(command["args"]["value"], *container.id);
    let (began, ended) = times(command);
    assert!(rows.iter().all(|row| times(row).0 >= began - 1e-3 && times(row).1 <= ended + 1e-3));
    for phase in ["read the command line", "load", "parse", "prepare", "validate", "plan", "clone"] {
        assert_eq!(named(&rows, phase)["cat"], "phase");
    }
    let inside = |inner: &str, outer: &str| {
        let (inner, outer) = (times(named(&rows, inner)), times(named(&rows, outer)));
        assert!(outer.0 <= inner.0 && inner.1 <= outer.1, "{inner:?} {outer:?}");
    };
    inside("clone", "start init");
    inside("validate", "prepare");
    // What init does is what the runtime waits for, and the last of it is the exec.
    let program = named(&rows, "wait until the program runs");
    let (exec, start) = (named(&rows, "execute the program"), named(&rows, "wait for start"));
    assert!(times(exec).0 >= times(named(&rows, "tell init to start the program")).0 - 100.0);
    assert!(times(exec).1 <= times(program).1 + 1e-3 && times(start).1 <= times(exec).0 + 1e-3);
    assert_eq!(named(&rows, "the program runs")["cat"], "program");
    let names: Vec<Value> = events(&trace).into_iter().filter(|event| event["ph"] == "M").collect();
    let name = |what: &str, of: &Value| {
        let name = names.iter().find(|name| name["name"] == what && name["tid"] == *of);
        name.map(|name| name["args"]["name"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    assert_eq!(name("process_name", &command["pid"]), format!("rruntime run {}", container.id));
    assert_eq!(name("thread_name", &command["pid"]), "host: rruntime");
    assert_eq!(name("thread_name", &exec["tid"]), "inside: init of create");
    assert_ne!(exec["tid"], command["tid"]);
    container.assert_gone();
}

#[test]
fn commands_on_one_container_share_a_file() {
    let container = Container::new().args(&["sleep", "1000"]);
    let (trace, id) = (file(&container), container.id.clone());
    for command in [
        &["create", &id][..],
        &["start", &id],
        &["exec", &id, "true"],
        // One that carries out no plan takes the option, and writes nothing.
        &["state", &id],
        &["delete", "--force", &id],
    ] {
        call(&container, &trace, &[], command).ok();
        events(&trace);
    }
    let rows = rows(&trace);
    assert_sound(&rows);
    let commands: Vec<&str> = of(&rows, "command").iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(commands, ["create", "start", "exec", "delete"]);
    let of_command = |name: &str, row: &str| {
        let pid = &named(&rows, name)["pid"];
        rows.iter().any(|other| other["pid"] == *pid && other["name"] == row)
    };
    assert!(of_command("create", "mount proc on /proc"));
    assert!(!of_command("create", "execute the program"), "it waits for start");
    assert!(of_command("start", "wait until the program runs") && of_command("start", "load"));
    assert!(of_command("exec", "execute the program") && of_command("exec", "plan"));
    assert!(of_command("delete", "remove the state directory") && of_command("delete", "lock"));
    assert_eq!(fs::metadata(&trace).unwrap().permissions().mode() & 0o777, 0o600);
    container.assert_gone();
}

#[test]
fn many_commands_at_once_lose_nothing() {
    let container = Container::new().args(&["true"]);
    container.write_config();
    let (trace, bundle) = (file(&container), container.bundle());
    let ids: Vec<String> = (0..8).map(|n| format!("{}-{n}", container.id)).collect();
    let run = |id: &String| {
        let (trace, bundle) = (trace.to_str().unwrap(), bundle.to_str().unwrap());
        let mut command =
            container.command(&["--trace", trace, "--cgroup-manager", "disabled", "run", "-b", bundle, id]);
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    container.write_config();
    let running: Vec<_> = ids.iter().map(run).collect();
    for mut child in running {
        assert!(child.wait().unwrap().success());
    }
    let rows = rows(&trace);
    assert_sound(&rows);
    let mut done: Vec<&str> =
        of(&rows, "command").iter().map(|row| row["args"]["value"].as_str().unwrap()).collect();
    done.sort_unstable();
    assert_eq!(done, ids);
}

#[test]
fn what_fails_is_marked_with_its_errno_and_nothing_follows_it() {
    let no_such = Container::new().args(&["true"]).edit(|config| {
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.push(json!({"destination": "/nope", "type": "nosuchfs", "source": "none"}));
    });
    let place = no_such.config["mounts"].as_array().unwrap().len() - 1;
    let trace = file(&no_such);
    call(&no_such, &trace, &[], &["create", &no_such.id]).fails();
    let found = rows(&trace);
    assert_sound(&found);
    let steps = of(&found, "step");
    let last = steps.last().unwrap();
    assert_eq!(last["name"], "mount nosuchfs on /nope");
    assert_eq!(last["args"]["field"], format!("/mounts/{place}"));
    assert_eq!((&last["args"]["result"], &last["args"]["errno"]), (&json!("failed"), &json!(libc::ENODEV)));
    assert!(steps.iter().rev().skip(1).all(|step| step["args"]["result"] == "ok"));
    let deed = named(&found, "wait until init is ready");
    assert_eq!((&deed["args"]["result"], &deed["args"]["errno"]), (&json!("failed"), &json!(libc::ENODEV)));
    assert!(deed["args"]["error"].as_str().unwrap().contains("nosuchfs"), "{deed}");
    assert_eq!(named(&found, "create")["args"]["result"], "failed");
    // What was taken back is there too.
    assert_eq!(named(&found, "remove the state directory")["args"]["result"], "ok");
    no_such.assert_gone();
}

/// The row that failed, of a kind, its name, and the errno.
fn failing(container: &Container, command: &[&str]) -> (String, Vec<(String, String, Value)>) {
    let trace = file(container);
    let said = call(container, &trace, &[], command).fails();
    let found = rows(&trace);
    assert_sound(&found);
    let failed = found.iter().filter(|row| row["args"]["result"] == "failed");
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    (said, failed.map(|row| (text(row, "cat"), text(row, "name"), row["args"]["errno"].clone())).collect())
}

fn row(category: &str, name: &str, errno: impl Into<Value>) -> (String, String, Value) {
    (category.to_owned(), name.to_owned(), errno.into())
}

#[test]
fn a_command_that_does_not_come_as_far_as_a_plan_shows_where_it_failed() {
    let container = Container::new().args(&["true"]);
    let broken = container.edit(|config| config["process"]["cwd"] = json!("relative"));
    let id = broken.id.clone();
    let (said, failed) = failing(&broken, &["run", &id]);
    assert!(said.contains("/process/cwd"), "{said}");
    let null = Value::Null;
    let expected = [
        row("command", "run", null.clone()),
        row("phase", "prepare", null.clone()),
        row("phase", "validate", null.clone()),
    ];
    assert_eq!(failed, expected);
    fs::remove_file(file(&broken)).unwrap();
    let wrong = broken.edit(|config| config["process"]["args"] = json!("true"));
    let (_, failed) = failing(&wrong, &["create", &id]);
    assert_eq!(failed, [row("command", "create", null.clone()), row("phase", "parse", null.clone())]);
    fs::remove_file(file(&wrong)).unwrap();
    let (_, failed) = failing(&wrong, &["create", "--config", "/nonexistent", &id]);
    let enoent = || Value::from(libc::ENOENT);
    assert_eq!(failed, [row("command", "create", enoent()), row("phase", "load", enoent())]);
    fs::remove_file(file(&wrong)).unwrap();
    let (_, failed) = failing(&wrong, &["start", &id]);
    assert_eq!(failed, [row("command", "start", null.clone()), row("phase", "lock", null)]);
}

#[test]
fn a_program_that_is_not_there_fails_at_its_step_in_run_and_in_exec() {
    let container = Container::new().args(&["/nope"]);
    let id = container.id.clone();
    let (_, failed) = failing(&container, &["run", &id]);
    let step = failed.iter().find(|row| row.0 == "step").unwrap();
    assert_eq!(*step, row("step", "find the program", libc::ENOENT));
    fs::remove_file(file(&container)).unwrap();
    let container = container.args(&["sleep", "1000"]).started();
    let (_, failed) = failing(&container, &["exec", &id, "/nope"]);
    let step = failed.iter().find(|row| row.0 == "step").unwrap();
    assert_eq!(*step, row("step", "find the program", libc::ENOENT));
    assert!(
        failed.iter().any(|row| row.0 == "deed") && failed.iter().any(|row| row.1 == "exec"),
        "{failed:?}"
    );
}

#[test]
fn a_program_that_cannot_be_executed_fails_at_the_last_step() {
    let container = Container::new().args(&["/tmp/bad"]);
    let bad = container.rootfs().join("tmp/bad");
    fs::write(&bad, "#!/no/interpreter\n").unwrap();
    fs::set_permissions(&bad, fs::Permissions::from_mode(0o755)).unwrap();
    let id = container.id.clone();
    let (_, failed) = failing(&container, &["run", &id]);
    let step = failed.iter().find(|row| row.0 == "step").unwrap();
    assert_eq!(*step, row("step", "execute the program", libc::ENOENT));
    assert!(failed.contains(&row("deed", "wait until the program runs", libc::ENOENT)), "{failed:?}");
    container.assert_gone();
}

#[test]
fn each_hook_has_a_row_in_that_of_its_deed() {
    let hook = |code: u32| json!({"path": "/bin/sh", "args": ["sh", "-c", format!("exit {code}")]});
    let container = Container::new().args(&["true"]).edit(|config| {
        config["hooks"] = json!({"createRuntime": [hook(0), hook(0)], "createContainer": [hook(0)], "poststop": [hook(0)]});
    });
    let (trace, id) = (file(&container), container.id.clone());
    call(&container, &trace, &[], &["run", &id]).ok();
    let found = rows(&trace);
    assert_sound(&found);
    let hooks: Vec<&str> = found
        .iter()
        .filter(|row| row["name"] == "hook")
        .map(|row| {
            assert_eq!((&row["args"]["value"], &row["args"]["result"]), (&json!("/bin/sh"), &json!("ok")));
            row["args"]["field"].as_str().unwrap()
        })
        .collect();
    let wanted =
        ["/hooks/createRuntime/0", "/hooks/createRuntime/1", "/hooks/createContainer/0", "/hooks/poststop/0"];
    assert_eq!(hooks, wanted);
    let (deed, first) = (named(&found, "run the createRuntime hooks"), named(&found, "hook"));
    assert!(times(deed).0 <= times(first).0 && times(first).1 <= times(deed).1);
    // The one inside has an init of its own.
    let inits = events(&trace).iter().filter(|event| event["name"] == "thread_name").count();
    assert_eq!(inits, 3, "rruntime, the container's init, that of the hook");
    fs::remove_file(&trace).unwrap();
    let container = container.edit(|config| config["hooks"]["createRuntime"] = json!([hook(3)]));
    let (_, failed) = failing(&container, &["run", &id]);
    let names: Vec<&str> = failed.iter().map(|row| &*row.1).collect();
    assert_eq!(names, ["run", "run the createRuntime hooks", "hook"]);
    container.assert_gone();
}

/// The runtime ends init, or a hook does so, while init waits for the hooks.
#[test]
fn what_init_did_before_the_hosts_side_failed_is_there_and_its_last_step_is_cut() {
    let kill = r#"kill -9 $(sed 's/.*"pid": *\([0-9]*\).*/\1/')"#;
    for script in ["exit 3", kill] {
        let container = Container::new().args(&["true"]).edit(|config| {
            let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", script]});
            config["hooks"] = json!({"createRuntime": [hook]});
        });
        let trace = file(&container);
        call(&container, &trace, &[], &["run", &container.id]).fails();
        let found = rows(&trace);
        assert_sound(&found);
        let steps = of(&found, "step");
        let (last, before) = steps.split_last().expect("steps inside");
        assert_eq!(
            (&last["args"]["result"], &last["args"]["errno"]),
            (&json!("ended"), &Value::Null),
            "{last}"
        );
        assert!(!before.is_empty() && before.iter().all(|step| step["args"]["result"] == "ok"), "{before:?}");
        container.assert_gone();
    }
}

#[test]
fn what_a_command_did_before_it_was_killed_is_in_the_file() {
    let container = Container::new().args(&["sleep", "1000"]);
    container.write_config();
    let (trace, bundle) = (file(&container), container.bundle());
    let words = ["--trace", trace.to_str().unwrap(), "run", "-b", bundle.to_str().unwrap(), &container.id];
    let mut child = container.command(&words).stdout(Stdio::null()).spawn().unwrap();
    wait_until("the trace has the exec", || {
        fs::read_to_string(&trace).is_ok_and(|text| text.contains("execute the program"))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let found = rows(&trace);
    assert_sound(&found);
    assert_eq!(named(&found, "execute the program")["args"]["result"], "ok");
    assert!(of(&found, "command").is_empty());
    // The next one goes on in the same file.
    call(&container, &trace, &[], &["delete", "--force", &container.id]).ok();
    assert_eq!(of(&rows(&trace), "command").len(), 1);
    container.assert_gone();
}

#[test]
fn no_file_but_a_trace_of_ours_is_written_to() {
    let container = Container::new().args(&["true"]);
    let other = container.dir.join("other");
    let refused = |trace: &Path, reason: &str| {
        let said = call(&container, trace, &[], &["run", &container.id]).fails();
        assert!(said.contains("--trace") && said.contains(reason), "{said}");
        assert!(!container.state_root().join(&container.id).exists(), "nothing was begun");
    };
    for text in ["precious", "{\"traceEvents\":[\n]}\n", "[]"] {
        fs::write(&other, text).unwrap();
        refused(&other, "is not a trace that rruntime has written");
        assert_eq!(fs::read_to_string(&other).unwrap(), text);
    }
    let link = container.dir.join("link");
    if nix::unistd::geteuid().is_root() {
        fs::write(&other, "").unwrap();
        nix::unistd::chown(&other, Some(65534.into()), None).unwrap();
        refused(&other, "belongs to another user");
    }
    symlink(&other, &link).unwrap();
    refused(&link, "it is a link");
    fs::remove_file(&other).unwrap();
    refused(&link, "it is a link");
    assert!(!other.exists());
    nix::unistd::mkfifo(&other, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused(&other, "is not a regular file");
    refused(Path::new("/dev/null"), "is not a regular file");
    refused(&container.dir, "is a directory");
    refused(&container.dir.join("no/where"), "its directory must exist");
    // One that another command was cut off in the middle of.
    let trace = file(&container);
    call(&container, &trace, &[], &["run", &container.id]).ok();
    let text = fs::read_to_string(&trace).unwrap();
    fs::write(&trace, &text[..text.len() / 2]).unwrap();
    refused(&trace, "is not a trace that rruntime has written");
}

/// The values of a config are in it, whatever mode the empty file was made with.
#[test]
fn an_empty_file_that_is_there_becomes_one_for_its_owner_alone() {
    let container = Container::new().args(&["true"]);
    let trace = file(&container);
    let set = |mode| fs::set_permissions(&trace, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    let mode = || std::os::unix::fs::MetadataExt::mode(&fs::metadata(&trace).unwrap()) & 0o777;
    fs::write(&trace, "").unwrap();
    set(0o666);
    call(&container, &trace, &[], &["run", &container.id]).ok();
    assert_eq!(mode(), 0o600);
    // What has been opened to others with its contents stays so.
    set(0o644);
    call(&container, &trace, &[], &["run", &container.id]).ok();
    assert_eq!(mode(), 0o644);
}

#[test]
fn the_file_is_in_no_container_and_in_no_hook() {
    let look = "ls -l /proc/self/fd";
    let container = Container::new().sh(look);
    let seen = container.dir.join("seen");
    let script = format!("{look} > {}; cat /proc/$PPID/maps >> {} 2>&1", seen.display(), seen.display());
    let container = container.edit(|config| {
        config["hooks"] = json!({"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]});
    });
    let trace = file(&container);
    let said = call(&container, &trace, &["--debug"], &["run", "--preserve-fds", "3", &container.id]).ok();
    assert!(said.contains("->") && !said.contains("trace.json"), "{said}");
    let seen = fs::read_to_string(&seen).unwrap();
    assert!(seen.contains("->") && !seen.contains("trace.json"), "{seen}");
}

#[test]
fn without_the_option_there_are_no_times() {
    let container = Container::new().args(&["sleep", "1000"]);
    assert_eq!(container.create().code, 0);
    let maps = || fs::read_to_string(format!("/proc/{}/maps", container.pid())).unwrap();
    assert!(!maps().contains("rruntime-times"), "{}", maps());
    container.call(&["delete", "--force", &container.id]).ok();
    call(&container, &file(&container), &[], &["create", &container.id]).ok();
    assert!(maps().contains("rruntime-times"), "{}", maps());
    // Where they are wanted, the program still has nothing of them.
    container.start().ok();
    wait_until("the program runs", || !maps().contains("rruntime"));
}
