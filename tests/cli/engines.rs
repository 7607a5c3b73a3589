//! `engines`: what is written into files of engines, what is left alone, and whether the engines themselves take it.

use crate::support::cli::{Said, Scratch, rruntime, said};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const PATH: &str = "/usr/local/sbin/rruntime";
const PODMAN: &str = "etc/containers/containers.conf.d/50-rruntime.conf";
const DOCKER: &str = "etc/docker/daemon.json";
const CONTAINERD: &str = "etc/containerd/config.toml";
const CRIO: &str = "etc/crio/crio.conf.d/50-rruntime.conf";

/// The root of a system that is not running, with rruntime in it.
struct System(Scratch);

impl System {
    fn new() -> System {
        let system = System(Scratch::new());
        system.write(&PATH[1..], "a program");
        system
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.file(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.file(name).parent().unwrap()).unwrap();
        fs::write(self.file(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    fn engines(&self, arguments: &[&str]) -> Said {
        let prefix = self.0.path().to_str().unwrap();
        rruntime(&[&["engines", "--prefix", prefix, "--path", PATH], arguments].concat())
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let said = self.engines(arguments);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{arguments:?}: {said:?}");
        said.out
    }

    /// Refused with these words, and the file is what it was.
    #[track_caller]
    fn refuses(&self, engine: &str, file: &str, text: &str, words: &[&str]) {
        self.write(file, text);
        let said = self.engines(&["--write", engine]);
        assert_eq!(said.code, 1, "{text:?}: {said:?}");
        for word in words {
            assert!(said.err.contains(word), "{text:?}: {word}: {said:?}");
        }
        assert_eq!(self.read(file), text);
        let directory = self.file(file).parent().unwrap().to_owned();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing stays beside it");
    }
}

/// As people write it: their own indentation and comments.
const CONTAINERS_2: &str = include_str!("../data/engines/containerd-2.toml");
const CONTAINERS_3: &str = include_str!("../data/engines/containerd-3.toml");
const DAEMON: &str = include_str!("../data/engines/daemon.json");

#[test]
fn each_file_is_changed_once_and_given_back_to_the_byte() {
    for (engine, file, before) in [
        ("docker", DOCKER, Some(DAEMON)),
        ("docker", DOCKER, Some("{}")),
        ("docker", DOCKER, Some("")),
        ("docker", DOCKER, None),
        ("containerd", CONTAINERD, Some(CONTAINERS_2)),
        ("containerd", CONTAINERD, Some(CONTAINERS_3)),
        ("containerd", CONTAINERD, None),
        ("podman", PODMAN, None),
        ("cri-o", CRIO, None),
    ] {
        for further in [&["--write", engine][..], &["--write", engine, "--keep-default"]] {
            let system = System::new();
            if let Some(before) = before {
                system.write(file, before);
                fs::set_permissions(system.file(file), fs::Permissions::from_mode(0o640)).unwrap();
            }
            let shown = system.ok(&[engine, "--keep-default"]);
            assert!(shown.contains('+'), "{shown}");
            assert_eq!(
                fs::read_to_string(system.file(file)).ok().as_deref(),
                before,
                "a look changes nothing"
            );
            let said = system.ok(further);
            let written = system.read(file);
            assert!(
                said.contains(": written\n") && written.contains(PATH) && written.contains("rruntime"),
                "{said}"
            );
            let default = [
                "\"default-runtime\": \"rruntime\"",
                "default_runtime_name = \"rruntime\"",
                "\nruntime = \"rruntime\"",
                "default_runtime = \"rruntime\"",
            ];
            assert_eq!(default.iter().any(|line| written.contains(line)), further.len() == 2, "{written}");
            let mode = fs::metadata(system.file(file)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if before.is_some() { 0o640 } else { 0o644 });
            let kept = format!("{file}.before-rruntime");
            assert_eq!(fs::read_to_string(system.file(&kept)).ok().as_deref(), before);
            assert!(system.ok(further).contains("nothing to change"));
            assert_eq!(system.read(file), written);
            let undone = system.ok(&["--undo", engine]);
            assert_eq!(fs::read_to_string(system.file(file)).ok().as_deref(), before, "{undone}");
            assert!(!system.file(&kept).exists());
            assert!(before.is_some() || system.ok(&["--undo", engine]).contains("nothing to take back"));
        }
    }
}

#[test]
fn all_else_in_a_file_stays_where_it_was() {
    let system = System::new();
    system.write(DOCKER, DAEMON);
    system.ok(&["--write", "docker"]);
    let line = "\"runtimeArgs\": [\"}\"]}";
    let wanted = DAEMON
        .replace(line, &format!("{line},\n\t\t\"rruntime\": {{ \"path\": \"{PATH}\" }}"))
        .replace("\"runc\"", "\"rruntime\"");
    assert_eq!(system.read(DOCKER), wanted);
    system.write(CONTAINERD, CONTAINERS_2);
    system.ok(&["--write", "containerd"]);
    let written = system.read(CONTAINERD);
    let head = CONTAINERS_2.replace("\"runc\" # the usual", "\"rruntime\" # the usual");
    assert!(written.starts_with(&head), "{written}");
    assert!(
        written[head.len()..].contains("SystemdCgroup = true\n"),
        "as the other runtime has it: {written}"
    );
    system.write(CONTAINERD, CONTAINERS_3);
    system.ok(&["--write", "containerd"]);
    let written = system.read(CONTAINERD);
    let line = "cri.v1.runtime'.containerd]\n";
    let head = CONTAINERS_3.replace(line, &format!("{line}default_runtime_name = \"rruntime\"\n"));
    assert!(written.starts_with(&head), "{written}");
    assert!(
        written.contains("[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.rruntime]\n"),
        "{written}"
    );
    assert!(written.contains("runtime_type = \"io.containerd.runc.v2\""), "{written}");
    system.write("usr/local/sbin/containerd-shim-rruntime-v1", "a link");
    system.write(CONTAINERD, CONTAINERS_3);
    system.ok(&["--write", "containerd"]);
    assert!(system.read(CONTAINERD).contains("runtime_type = \"io.containerd.rruntime.v1\""));
    assert!(system.file("etc/containerd/config.toml.before-rruntime.3").exists(), "each change has its copy");
}

#[test]
fn what_is_not_understood_is_left_alone() {
    let containerd =
        |text: &str, words: &[&str]| System::new().refuses("containerd", CONTAINERD, text, words);
    containerd("version = 2\n[plugins\n", &["line 2 is not understood", "config.toml", "docs/engines.md"]);
    containerd("version = 2\na = \"b\nc\"\n", &["line 2"]);
    containerd("[plugins]\n", &["neither 2 nor 3", "containerd config migrate"]);
    containerd("version = 1\n", &["neither 2 nor 3"]);
    let id = "plugins.\"io.containerd.grpc.v1.cri\"";
    containerd("version = 2\nplugins = { x = 1 }\n", &["`plugins` has another form"]);
    containerd(&format!("version = 2\n[{id}.containerd]\nruntimes = {{}}\n"), &["another form than a table"]);
    containerd(
        &format!("version = 2\n[{id}]\ncontainerd.runtimes.x.y = 1\n"),
        &["another form than a table"],
    );
    for text in ["{", "[]", "{\"runtimes\": []}", "{\"runtimes\": {}, \"runtimes\": {}}", "# x\n{}", "{} x"] {
        System::new().refuses("docker", DOCKER, text, &["daemon.json", "dockerd --validate"]);
    }
    System::new().refuses("podman", PODMAN, "[engine]\n", &["was not written by rruntime", "rename it"]);
    let system = System::new();
    system.write("etc/containers/containers.conf", "[engine]\nruntime = \"x\"\n[engine]\n");
    let said = system.engines(&["--write", "podman"]);
    assert!(said.code == 1 && said.err.contains("line 3") && !system.file(PODMAN).exists(), "{said:?}");
}

#[test]
fn what_is_no_configuration_at_all_ends_no_command() {
    for (engine, file, text, word) in [
        ("docker", DOCKER, "{\"default-runtime\"\u{e9}", "is not JSON"),
        ("podman", "etc/containers/containers.conf", &*["a = ", &"[".repeat(200_000)].concat(), "line 1"),
        ("containerd", CONTAINERD, &["a = ", &"{ a = ".repeat(30_000)].concat(), "line 1"),
        ("containerd", CONTAINERD, &"# long\n".repeat(100_000), "file too large"),
    ] {
        let system = System::new();
        system.write(file, text);
        let said = system.engines(&[engine]);
        assert!(said.code == 0 && said.out.contains(word), "{engine}: {said:?}");
        let said = system.engines(&["--write", engine]);
        assert!(said.code == 1 && said.err.contains(word), "{engine}: {said:?}");
    }
}

/// A tree below --prefix may be anyone's.
#[test]
fn what_is_no_regular_file_is_not_opened() {
    let kinds: &[&[&str]] = &[&["mkfifo"], &["mknod", "c", "1", "5"], &["mkdir"]];
    for kind in kinds {
        let system = System::new();
        let file = system.file(DOCKER);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let made = Command::new(kind[0]).arg(&file).args(&kind[1..]).status().unwrap();
        if !made.success() {
            println!("skipped: this user makes no device nodes");
            continue;
        }
        assert!(system.ok(&["docker"]).contains("is not a regular file"));
        for option in ["--write", "--undo"] {
            let said = system.engines(&[option, "docker"]);
            assert!(said.code == 1 && said.err.contains("is not a regular file"), "{kind:?}: {said:?}");
        }
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing stays beside it");
    }
}

#[test]
fn what_a_file_says_moves_no_cursor_and_is_no_line_of_ours() {
    let system = System::new();
    system
        .write("etc/containers/containers.conf", "[engine]\nruntime = \"\"\"x\u{1b}[2J\nnot here: y\"\"\"\n");
    system.write(CONTAINERD, "version = 2\n# \u{1b}]52;c;eA==\u{7}\u{202e}\n\tx = 1\n");
    let shown =
        [system.ok(&["podman"]), system.ok(&["containerd"]), system.ok(&["--write", "containerd"])].concat();
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']) && shown.contains("\\u{1b}]52;"), "{shown}");
    assert!(!shown.contains("\nnot here: y") && shown.contains("     \tx = 1\n"), "{shown}");
    assert!(system.read(CONTAINERD).contains("# \u{1b}]52;c;eA=="), "the file keeps what it has");
}

#[test]
fn a_part_that_an_imported_file_would_replace_is_not_written() {
    let system = System::new();
    system.write(
        "etc/containerd/conf.d/50-gpu.toml",
        "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".cni]\n",
    );
    let main = "version = 2\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n";
    system.write(CONTAINERD, main);
    let said = system.engines(&["--write", "containerd"]);
    assert!(said.code == 1 && said.err.contains("50-gpu.toml"), "{said:?}");
    assert_eq!(system.read(CONTAINERD), main);
    system.write("etc/containerd/conf.d/50-gpu.toml", "version = 2\n[debug]\n");
    system.ok(&["--write", "containerd"]);
}

#[test]
fn podmans_other_files_are_read_and_one_that_has_the_last_word_is_said() {
    let system = System::new();
    system.write(
        "etc/containers/containers.conf",
        "[engine]\nruntime = \"runc\" # ours\nruntime_supports_json = [\"runc\", 'mine',]\n",
    );
    system.write("usr/bin/podman", "");
    assert!(system.ok(&[]).contains("  runtime  runc\n"));
    assert!(!system.ok(&["--write", "podman"]).contains("still names"));
    assert!(system.read(PODMAN).contains("runtime_supports_json = [\"runc\", 'mine', \"rruntime\"]\n"));
    assert!(system.ok(&["podman"]).contains("  runtime  rruntime\n"));
    system.write("etc/containers/containers.conf.d/90-mine.conf", "[engine]\nruntime = \"crun\"\n");
    assert!(system.ok(&["podman"]).contains("  runtime  crun\n"));
    fs::remove_file(system.file(PODMAN)).unwrap();
    assert!(system.ok(&["--write", "podman"]).contains("another file still names crun"));
}

#[test]
fn links_lead_to_no_file_outside_and_stay_links() {
    let (system, outside) = (System::new(), Scratch::new());
    fs::create_dir_all(system.file("etc")).unwrap();
    symlink(outside.path(), system.file("etc/docker")).unwrap();
    let said = system.engines(&["--write", "docker"]);
    assert_eq!((said.code, fs::read_dir(outside.path()).unwrap().count()), (1, 0), "{said:?}");
    fs::remove_file(system.file("etc/docker")).unwrap();
    system.write("etc/docker/real.json", "{}");
    symlink("real.json", system.file(DOCKER)).unwrap();
    let said = system.engines(&["--write", "docker"]);
    assert!(said.code == 1 && said.err.contains("it is a link"), "{said:?}");
    assert!(fs::symlink_metadata(system.file(DOCKER)).unwrap().is_symlink());
    assert_eq!(
        (
            system.read("etc/docker/real.json").as_str(),
            fs::read_dir(system.file("etc/docker")).unwrap().count()
        ),
        ("{}", 2)
    );
}

#[test]
fn a_later_change_by_hand_is_not_taken_back() {
    let system = System::new();
    system.write(DOCKER, "{}");
    system.ok(&["--write", "docker"]);
    let changed = system.read(DOCKER).replace("{\n", "{\n  \"debug\": true,\n");
    system.write(DOCKER, &changed);
    let said = system.engines(&["--undo", "docker"]);
    assert!(said.code == 1 && said.err.contains("daemon.json.before-rruntime"), "{said:?}");
    assert_eq!(system.read(DOCKER), changed);
}

#[test]
fn wrong_lines_are_named_with_what_helps() {
    let system = System::new();
    for (arguments, words) in [
        (&["dokcer"][..], "did you mean docker?"),
        (&["--write", "runc"], "is known"),
        (&["--write", "nerdctl"], "nerdctl run --runtime"),
        (&["--write", "docker", "podman"], "name one engine"),
        (&["--write", "docker", "--undo", "docker"], "name one engine"),
    ] {
        let said = system.engines(arguments);
        assert!(said.code == 1 && said.err.contains(words), "{arguments:?}: {said:?}");
    }
    for path in ["rruntime", "/nonexistent/rruntime", "/usr/local/sbin/rr\"x"] {
        let said = rruntime(&["engines", "--path", path]);
        assert!(said.code == 1 && said.err.contains("--path"), "{path}: {said:?}");
    }
    assert!(rruntime(&["engines", "--prefix", "/nonexistent"]).err.contains("--prefix"));
}

#[test]
fn an_ordinary_user_changes_the_files_of_the_own_engines() {
    if !nix::unistd::geteuid().is_root() {
        skip!("root becomes an ordinary user for it");
    }
    let home = Scratch::new();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let binary = home.file("rruntime");
    crate::support::copy_program(Path::new(env!("CARGO_BIN_EXE_rruntime")), &binary);
    let engines = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "12345", "--regid", "12345", "--clear-groups"]).arg(&binary).arg("engines");
        said(command.args(arguments).env("HOME", home.path()).env_remove("XDG_CONFIG_HOME").output().unwrap())
    };
    for (engine, file) in [("podman", &PODMAN[4..]), ("docker", &DOCKER[4..])] {
        let said = engines(&["--write", engine]);
        assert_eq!(said.code, 0, "{said:?}");
        let written = fs::read_to_string(home.file(".config").join(file)).unwrap();
        assert!(written.contains(binary.to_str().unwrap()), "{written}");
    }
    let said = engines(&["--write", "cri-o"]);
    assert!(said.code == 1 && said.err.contains("be root"), "{said:?}");
}

#[test]
fn the_list_as_json_has_the_same_change() {
    let system = System::new();
    system.write(DOCKER, DAEMON);
    for form in [&["docker", "--json"][..], &["docker", "--format", "json"]] {
        let found: serde_json::Value = serde_json::from_str(&system.ok(form)).unwrap();
        assert_eq!((&found[0]["name"], &found[0]["runtime"]), (&"docker".into(), &"runc".into()), "{found}");
        assert!(found[0]["file"].as_str().unwrap().ends_with("/etc/docker/daemon.json"));
        let lines = found[0]["change"].as_array().unwrap();
        let words = system.ok(&["docker"]);
        assert!(
            lines.iter().all(|line| words.contains(line.as_str().unwrap())) && lines.len() > 3,
            "{words}"
        );
    }
    system.write(DOCKER, "[]");
    let found: serde_json::Value = serde_json::from_str(&system.ok(&["docker", "--json"])).unwrap();
    assert!(found[0]["problem"].as_str().unwrap().contains("no object"), "{found}");
}

fn is_here(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|said| said.status.success())
}

#[test]
fn podman_takes_what_is_written() {
    if !is_here("podman") || !nix::unistd::geteuid().is_root() {
        skip!("podman is not here, or this is an ordinary user");
    }
    let (system, home) = (System::new(), Scratch::new());
    let binary = env!("CARGO_BIN_EXE_rruntime");
    system.write(&binary[1..], "");
    let prefix = system.0.path().to_str().unwrap();
    let written = rruntime(&["engines", "--prefix", prefix, "--path", binary, "--write", "podman"]);
    assert_eq!(written.code, 0, "{written:?}");
    let mut podman = Command::new("podman");
    let runtime = "{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}";
    podman.env("CONTAINERS_CONF", system.file(PODMAN)).arg("--root").arg(home.file("root"));
    podman.arg("--runroot").arg(home.file("run")).args([
        "--storage-driver",
        "vfs",
        "info",
        "--format",
        runtime,
    ]);
    let said = said(podman.output().unwrap());
    assert_eq!(said.out.trim(), format!("rruntime {binary}"), "{said:?}");
}

#[test]
fn containerd_takes_what_is_written() {
    if !is_here("containerd") {
        skip!("containerd is not here");
    }
    let usual = Command::new("containerd").args(["config", "default"]).output().unwrap();
    let usual = String::from_utf8(usual.stdout).unwrap();
    for before in [usual.as_str(), CONTAINERS_2, "version = 2\n", ""] {
        let system = System::new();
        system.write(CONTAINERD, before);
        system.ok(&["--write", "containerd"]);
        let mut dump = Command::new("containerd");
        let said = said(
            dump.arg("--config").arg(system.file(CONTAINERD)).args(["config", "dump"]).output().unwrap(),
        );
        assert_eq!(said.code, 0, "{said:?}");
        for line in [
            "default_runtime_name = \"rruntime\"",
            &format!("BinaryName = \"{PATH}\""),
            "containerd.runtimes.rruntime]",
        ] {
            assert!(said.out.replace('\'', "\"").contains(line), "{line}: {said:?}");
        }
    }
}

#[test]
fn docker_takes_what_is_written() {
    let help = Command::new("dockerd").arg("--help").output().map(|said| said.stdout).unwrap_or_default();
    // Before Docker 23, or without it, the file is read as it reads it.
    let validates = String::from_utf8_lossy(&help).contains("--validate");
    for before in [DAEMON, "{}", ""] {
        let system = System::new();
        system.write(DOCKER, before);
        system.ok(&["--write", "docker"]);
        let daemon: serde_json::Value = serde_json::from_str(&system.read(DOCKER)).unwrap();
        assert_eq!(daemon["runtimes"]["rruntime"]["path"], PATH);
        assert_eq!(daemon["default-runtime"], "rruntime");
        if !validates {
            continue;
        }
        let mut validate = Command::new("dockerd");
        let said =
            said(validate.arg("--validate").arg("--config-file").arg(system.file(DOCKER)).output().unwrap());
        assert_eq!(said.code, 0, "{said:?}");
    }
}
