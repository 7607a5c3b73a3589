//! `make install`: what it puts where, with which modes, and that it runs nothing of what it installs.

use crate::support::cli::{Scratch, rruntime, said};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Everything below this directory with its mode, as `make install` is to leave it.
fn modes(directory: &Path, found: &mut Vec<(String, u32)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        found.push((path.display().to_string(), mode));
        if path.is_dir() {
            modes(&path, found);
        }
    }
}

#[test]
fn make_install_sets_its_modes_under_any_umask_and_runs_nothing() {
    if Command::new("make").arg("--version").stdout(Stdio::null()).status().is_err() {
        skip!("there is no make");
    }
    let scratch = Scratch::new();
    let (pages, binary, root) = (scratch.file("pages"), scratch.file("binary"), scratch.file("a root"));
    fs::create_dir(&pages).unwrap();
    assert_eq!(rruntime(&["manual", "--directory", pages.to_str().unwrap()]).code, 0);
    for shell in ["bash", "zsh", "fish"] {
        fs::write(pages.join(shell), rruntime(&["completion", shell]).out).unwrap();
    }
    fs::write(&binary, "#!/bin/sh\nkill -9 $PPID\n").unwrap();
    fs::set_permissions(&binary, PermissionsExt::from_mode(0o700)).unwrap();
    // What an administrator made stays as it is: Debian's /usr/local is writable for a group.
    fs::create_dir_all(root.join("usr/sbin")).unwrap();
    fs::set_permissions(root.join("usr"), PermissionsExt::from_mode(0o2775)).unwrap();
    fs::set_permissions(root.join("usr/sbin"), PermissionsExt::from_mode(0o2775)).unwrap();

    let make = |target: &str| {
        let mut command = Command::new("sh");
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args([
            "-c",
            "umask 077; exec make \"$@\"",
            "sh",
            target,
        ]);
        command.arg("PREFIX=/usr").arg(format!("DESTDIR={}", root.display()));
        command.arg(format!("BINARY={}", binary.display())).arg(format!("PAGES={}", pages.display()));
        command.env_remove("MAKEFLAGS");
        said(command.output().unwrap())
    };
    let install = make("install");
    assert_eq!(install.code, 0, "{}{}", install.out, install.err);
    let mut found = Vec::new();
    modes(&root, &mut found);
    let installed = |name: &str| root.join("usr").join(name).display().to_string();
    for (path, mode) in &found {
        let wanted = match path {
            path if *path == installed("").trim_end_matches('/') || *path == installed("sbin") => 0o2775,
            path if *path == installed("sbin/rruntime") || Path::new(path).is_dir() => 0o755,
            // The mode is that of what the link leads to.
            path if *path == installed("sbin/containerd-shim-rruntime-v1") => 0o755,
            _ => 0o644,
        };
        assert_eq!(mode & 0o1777, wanted & 0o1777, "{path}: {mode:o}");
    }
    for name in [
        "sbin/rruntime",
        "share/man/man8/rruntime.8",
        "share/man/man8/rruntime-exec.8",
        "share/bash-completion/completions/rruntime",
        "share/zsh/site-functions/_rruntime",
        "share/fish/vendor_completions.d/rruntime.fish",
    ] {
        assert!(found.iter().any(|(path, _)| *path == installed(name)), "{name} is not there: {found:?}");
    }
    let uninstall = make("uninstall");
    assert_eq!(uninstall.code, 0, "{}{}", uninstall.out, uninstall.err);
    found.clear();
    modes(&root, &mut found);
    assert_eq!(found.iter().find(|(path, _)| !Path::new(path).is_dir()), None);
}
