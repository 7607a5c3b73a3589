//! Completion scripts and manual pages, by the programs that read them.

use crate::support::cli::{Scratch, rruntime, said};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// What bash offers for a line whose last word is incomplete.
fn offered(scratch: &Scratch, words: &[&str]) -> Vec<String> {
    let script = scratch.file("completion");
    fs::write(&script, rruntime(&["completion", "bash"]).out).unwrap();
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    // bash splits words at "=" itself when a person types; COMP_WORDS is given here as it would make it.
    let line = format!(
        "source {}; COMP_WORDS=({} {}); COMP_CWORD={}; _rruntime; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        env!("CARGO_BIN_EXE_rruntime"),
        quoted.join(" "),
        words.len()
    );
    let said = said(Command::new("bash").args(["--norc", "-c", &line]).output().unwrap());
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{words:?}");
    said.out.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_values_and_containers() {
    if !has("bash") {
        skip!("there is no bash");
    }
    let scratch = Scratch::new();
    for id in ["web-1", "web-2", "db"] {
        fs::create_dir_all(scratch.file("root").join(id)).unwrap();
    }
    let root = scratch.file("root").display().to_string();
    let offered = |words: &[&str]| offered(&scratch, words);
    assert_eq!(offered(&["st"]), ["start", "state", "stats"]);
    assert_eq!(offered(&["--log-f"]), ["--log-format"]);
    assert_eq!(offered(&["--log-format", ""]), ["text", "json"]);
    assert_eq!(offered(&["--log-format", "=", "j"]), ["json"]);
    assert_eq!(offered(&["exec", "--add"]), ["--additional-gids"]);
    assert_eq!(offered(&["list", "-f", ""]), ["table", "json"]);
    assert_eq!(offered(&["--root", &root, "state", "web"]), ["web-1", "web-2"]);
    assert_eq!(offered(&["-r", &root, "kill", "-a", "d"]), ["db"]);
    assert_eq!(offered(&["--root", "=", &root, "delete", "d"]), ["db"]);
    assert_eq!(offered(&["--root", &root, "kill", "db", "USR"]), ["USR1", "USR2"]);
    assert_eq!(offered(&["--root", &root, "create", "w"]), [""; 0]);
    assert_eq!(offered(&["completion", "f"]), ["fish"]);
    assert_eq!(offered(&["--cgroup-manager", "d"]), ["disabled"]);
    assert_eq!(offered(&["manual", "exe"]), ["exec"]);
    assert_eq!(offered(&["mounts", "a"]), ["add"]);
    assert_eq!(offered(&["--root", &root, "mounts", "add", "d"]), ["db"]);
    let file = format!("{root}/d");
    assert_eq!(offered(&["mounts", "add", "db", &file]), [format!("{root}/db")]);
    assert!(offered(&["run", "--bundle", &format!("{root}/we")]).iter().all(|path| path.contains("/web-")));
}

#[test]
fn every_shell_takes_its_script() {
    let scratch = Scratch::new();
    for shell in SHELLS {
        let by_option = rruntime(&["completion", "--shell", shell]);
        assert_eq!((by_option.code, by_option.err.as_str()), (0, ""));
        assert_eq!(by_option.out, rruntime(&["completion", shell]).out);
        let script = scratch.file(shell);
        fs::write(&script, by_option.out).unwrap();
        if !has(shell) {
            crate::support::say_skipped(&format!("there is no {shell}"));
            continue;
        }
        let said = said(Command::new(shell).arg("-n").arg(&script).output().unwrap());
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{shell}");
    }
    assert!(rruntime(&["completion", "tcsh"]).err.contains("use bash, zsh or fish"));
}

#[test]
fn man_reads_every_page_without_a_complaint() {
    let scratch = Scratch::new();
    let directory = scratch.path().to_str().unwrap();
    assert_eq!(rruntime(&["manual", "--directory", directory]).code, 0);
    let pages: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() > 13 && scratch.file("rruntime-exec.8").exists(), "{pages:?}");
    assert_eq!(
        fs::read_to_string(scratch.file("rruntime-exec.8")).unwrap(),
        rruntime(&["manual", "exec"]).out
    );
    if !has("man") {
        skip!("there is no man");
    }
    for page in pages {
        let text = read_page(&page);
        let name = page.file_stem().unwrap().to_str().unwrap();
        assert!(text.contains("NAME\n") && text.contains(name), "{page:?}: {text}");
        assert!(text.contains("\nEXAMPLES\n"), "{page:?}: {text}");
        if has("lexgrog") {
            // What apropos(1) and whatis(1) know of it.
            let named = said(Command::new("lexgrog").arg(&page).output().unwrap());
            assert!(named.code == 0 && named.out.contains(&format!("\"{name} - ")), "{named:?}");
        }
    }
    let exec = read_page(&scratch.file("rruntime-exec.8"));
    assert!(exec.contains("--user UID[:GID], -u UID[:GID]\n"), "{exec}");
}

/// The page as text; a warning of the formatter is a failure.
fn read_page(page: &Path) -> String {
    let mut man = Command::new("man");
    man.args(["--warnings=w", "-E", "ascii", "-l"]).arg(page).env("MANWIDTH", "100").env("MANPAGER", "cat");
    let said = said(man.stdin(Stdio::null()).output().unwrap());
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{page:?}");
    said.out
}

#[test]
fn info_and_features_tell_of_this_host() {
    let info: serde_json::Value = serde_json::from_str(&rruntime(&["info", "--format", "json"]).out).unwrap();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(info["kernel"]["release"], release.trim());
    assert!(info["cgroups"]["layout"].is_string(), "{info}");
    let text = rruntime(&["info"]).out;
    assert!(text.contains(release.trim()) && text.contains("\nid maps\n"), "{text}");
    let features =
        |arguments: &[&str]| -> serde_json::Value { serde_json::from_str(&rruntime(arguments).out).unwrap() };
    let (can, here) = (features(&["features"]), features(&["features", "--host"]));
    let v2 = crate::support::is_v2();
    assert_eq!(here["linux"]["cgroup"]["v2"], v2);
    assert_eq!(here["linux"]["cgroup"]["v1"], !v2);
    assert_eq!((&can["linux"]["cgroup"]["v1"], &can["linux"]["cgroup"]["v2"]), (&true.into(), &true.into()));
    assert_eq!(can["linux"]["memoryPolicy"]["modes"].as_array().unwrap().len(), 7);
    assert_eq!(here["linux"]["apparmor"]["enabled"], Path::new("/sys/kernel/security/apparmor").exists());
}
