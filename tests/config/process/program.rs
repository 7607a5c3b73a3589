//! `process.args`, `env`, `cwd`: which program runs, where, with what.

use crate::support::Container;
use rruntime::engine::child::program_head::{foreign, interpreter};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn arguments_reach_the_program_as_they_are() {
    let args = ["printf", "[%s]", "", "a b", "$HOME", "*", "\"q\"", "ü", "-n"];
    assert_eq!(Container::new().args(&args).run().ok(), "[][a b][$HOME][*][\"q\"][ü][-n]");
}

#[test]
fn the_environment_is_the_configs_and_nothing_else() {
    let container = Container::new()
        .edit(|c| c["process"]["env"] = json!(["PATH=/bin", "A=1", "HOME=/here", "EMPTY=", "WITH=a=b c"]))
        .args(&["/bin/env"]);
    let out = crate::host_script(&container, "export LEAK=1; $RR").ok();
    assert_eq!(out, "PATH=/bin\nA=1\nHOME=/here\nEMPTY=\nWITH=a=b c\n");
}

#[test]
fn without_a_home_the_one_of_the_containers_passwd_is_given() {
    for (uid, home) in [(0, "HOME=/root\n"), (1000, "HOME=/home/me\n"), (4321, "HOME=/\n")] {
        let container = Container::new()
            .edit(|c| {
                c["process"]["env"] = json!([]);
                c["process"]["user"] = json!({"uid": uid, "gid": uid});
            })
            .args(&["/bin/env"]);
        let passwd = "root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n";
        fs::write(container.rootfs().join("etc/passwd"), passwd).unwrap();
        assert_eq!(container.run().ok(), home, "uid {uid}");
    }
}

#[test]
fn the_program_is_looked_for_in_the_containers_path() {
    let found = |path: &str| {
        let container = Container::new().edit(|c| c["process"]["env"] = json!([path])).args(&["tool"]);
        for (directory, code) in [("first", 1), ("second", 2)] {
            let directory = container.rootfs().join(directory);
            fs::create_dir(&directory).unwrap();
            let tool = directory.join("tool");
            fs::write(&tool, format!("#!/bin/sh\nexit {code}\n")).unwrap();
            fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::create_dir(container.rootfs().join("third")).unwrap();
        fs::write(container.rootfs().join("third/tool"), "not executable").unwrap();
        fs::create_dir_all(container.rootfs().join("fourth/tool")).unwrap();
        container.run().code
    };
    assert_eq!(found("PATH=/first:/second"), 1);
    assert_eq!(found("PATH=/second:/first"), 2);
    assert_eq!(found("PATH=/none:/third:/fourth:/first"), 1);
}

#[test]
fn without_a_path_the_usual_places_are_looked_through() {
    let container = Container::new().edit(|c| c["process"]["env"] = json!([])).args(&["pwd"]);
    assert_eq!(container.run().ok(), "/\n");
}

#[test]
fn a_relative_program_is_relative_to_the_working_directory() {
    let container = Container::new().edit(|c| c["process"]["cwd"] = "/opt/app".into()).args(&["./run"]);
    fs::create_dir_all(container.rootfs().join("opt/app")).unwrap();
    symlink("../../bin/pwd", container.rootfs().join("opt/app/pwd")).unwrap();
    let script = container.rootfs().join("opt/app/run");
    fs::write(&script, "#!/bin/sh\n./pwd\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(container.run().ok(), "/opt/app\n");
}

#[test]
fn a_program_that_is_not_there_or_cannot_run_is_named() {
    let container = Container::new().args(&["no-such-tool"]);
    let ended = container.run();
    assert!(ended.err.contains("no-such-tool") && ended.err.contains("/process/args/0"), "{ended:?}");
    container.assert_gone();
    let container = Container::new().args(&["/etc/passwd"]);
    let ended = container.run();
    assert!(ended.err.contains("/etc/passwd"), "{ended:?}");
    container.assert_gone();
    let ended = Container::new().args(&["/etc/passwd/x"]).run();
    assert!(ended.err.contains("stat /etc/passwd/x: not a directory"), "{ended:?}");
}

#[test]
fn a_missing_working_directory_is_made_and_an_existing_one_entered() {
    let container =
        Container::new().edit(|c| c["process"]["cwd"] = "/made/here".into()).sh("pwd; stat -c '%a %u' .");
    assert_eq!(container.run().ok(), "/made/here\n755 0\n");
    assert!(container.rootfs().join("made/here").is_dir());
    let container = Container::new().edit(|c| c["process"]["cwd"] = "/tmp".into()).sh("pwd");
    assert_eq!(container.run().ok(), "/tmp\n");
}

#[test]
fn a_missing_working_directory_is_made_however_it_is_written() {
    for (cwd, place) in [
        ("//a//b///c//", "/a/b/c"),
        ("/x/../y/z", "/y/z"),
        ("/new/./d/../e", "/new/e"),
        ("/link/q", "/nowhere/deep/q"),
        ("/to-link/q/../r", "/m2/p/r"),
    ] {
        let container = Container::new().edit(|c| c["process"]["cwd"] = cwd.into()).sh("pwd -P");
        symlink("/nowhere/deep", container.rootfs().join("link")).unwrap();
        symlink("m1/../m2/p", container.rootfs().join("to-link")).unwrap();
        assert_eq!(container.run().ok(), format!("{place}\n"), "{cwd}");
        assert!(container.rootfs().join(&place[1..]).is_dir(), "{cwd}");
    }
}

#[test]
fn a_missing_working_directory_is_made_behind_links_inside_the_root() {
    let container = Container::new().edit(|c| c["process"]["cwd"] = "/link/below".into()).sh("pwd -P");
    symlink("../../../srv/place", container.rootfs().join("link")).unwrap();
    assert_eq!(container.run().ok(), "/srv/place/below\n");
    assert!(container.rootfs().join("srv/place/below").is_dir());
}

#[test]
fn a_working_directory_that_only_root_can_enter_works_for_another_user() {
    // As with runc since 1.1: root opens the directory before it becomes the user.
    let container = Container::new()
        .edit(|c| {
            c["process"]["cwd"] = "/closed".into();
            c["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        })
        .args(&["/bin/cat", "/etc/passwd"]);
    let closed = container.rootfs().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(container.run().ok().starts_with("root:"));
}

#[test]
fn a_working_directory_that_only_the_user_can_enter_works() {
    use std::os::unix::fs::chown;
    let container = Container::new()
        .edit(|c| {
            c["process"]["cwd"] = "/home/me".into();
            c["process"]["user"] = json!({"uid": 1000, "gid": 1000});
            // Without the capability root itself could not enter.
            c["process"]["capabilities"] = json!({});
        })
        .sh("pwd");
    let home = container.rootfs().join("home/me");
    fs::create_dir_all(&home).unwrap();
    chown(&home, Some(1000), Some(1000)).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(container.run().ok(), "/home/me\n");
}

#[test]
fn a_relative_working_directory_is_refused_by_its_field() {
    let err = Container::new().edit(|c| c["process"]["cwd"] = "tmp".into()).sh("true").run().fails();
    assert!(err.contains("/process/cwd"), "{err}");
}

#[test]
fn a_working_directory_through_a_descriptor_never_leads_to_the_host() {
    for number in 3..20 {
        let cwd = format!("/proc/self/fd/{number}");
        let container = Container::new().edit(|c| c["process"]["cwd"] = cwd.clone().into()).sh("ls ../../..");
        let ended = container.run();
        // init holds the container's own root, which is a fine place to be.
        let harmless =
            ended.code != 0 && ended.out.is_empty() || ended.out == "bin\ndev\netc\nproc\nroot\nsys\ntmp\n";
        assert!(harmless, "{cwd}: {ended:?}");
    }
}

#[test]
fn no_descriptor_but_the_standard_streams_reaches_the_program() {
    let container = Container::new().sh("ls /proc/self/fd | wc -l; ls -l /proc/self/fd");
    // The fourth is ls's own.
    let out = crate::host_script(&container, "exec 7</etc/passwd 9</; $RR").ok();
    assert!(out.starts_with("4\n"), "{out}");
}

#[test]
fn preserved_descriptors_reach_the_program() {
    let container = Container::new().args(&["/bin/sh", "-c", "cat <&3; cat <&4; ls /proc/self/fd | wc -l"]);
    fs::write(container.dir.join("a"), "three ").unwrap();
    fs::write(container.dir.join("b"), "four ").unwrap();
    let dir = container.dir.display();
    let out = crate::host_script(
        &container,
        &format!("exec 3<{dir}/a 4<{dir}/b 5<{dir}/a; $(echo $RR | sed 's/ run / run --preserve-fds 2 /')"),
    );
    assert_eq!(out.ok(), "three four 6\n");
}

#[test]
fn the_program_leads_a_session_of_its_own_with_usual_signals() {
    let script = "cut -d' ' -f5,6 /proc/$$/stat; exec grep -E Sig.*: /proc/self/status";
    let container = Container::new().args(&["/bin/sh", "-c", script]);
    let out = crate::host_script(&container, "trap '' HUP INT QUIT PIPE TERM CHLD TSTP TTIN TTOU; $RR").ok();
    assert!(out.starts_with("1 1\n"), "{out}");
    assert!(out.contains("SigBlk:\t0000000000000000\n"), "{out}");
    let ignored = out.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    assert_eq!(ignored, "0000000000000000", "{out}");
}

#[test]
fn a_security_label_that_the_kernel_does_not_know_is_refused_by_its_field() {
    if !std::path::Path::new("/sys/module/apparmor").exists() {
        let container =
            Container::new().edit(|c| c["process"]["apparmorProfile"] = "docker-default".into()).sh("true");
        let err = container.run().fails();
        assert!(err.contains("/process/apparmorProfile") && err.contains("no such security module"), "{err}");
        container.assert_gone();
    }
    if !std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        let label = "system_u:system_r:container_t:s0";
        let container = Container::new().edit(|c| c["process"]["selinuxLabel"] = label.into()).sh("true");
        let err = container.run().fails();
        assert!(err.contains("/process/selinuxLabel") && err.contains("no such security module"), "{err}");
        container.assert_gone();
        let label = "system_u:object_r:container_file_t:s0";
        let container = Container::new().edit(|c| c["linux"]["mountLabel"] = label.into()).sh("true");
        let err = container.run().fails();
        assert!(err.contains("/linux/mountLabel"), "{err}");
        container.assert_gone();
    }
}

#[test]
fn empty_labels_ask_for_nothing() {
    let container = Container::new()
        .edit(|c| {
            c["process"]["apparmorProfile"] = "".into();
            c["process"]["selinuxLabel"] = "".into();
            c["linux"]["mountLabel"] = "".into();
        })
        .sh("echo on");
    assert_eq!(container.run().ok(), "on\n");
}

#[test]
fn a_scripts_interpreter_is_named() {
    assert_eq!(interpreter(b"#!/bin/foo -x\necho").as_deref(), Some("/bin/foo"));
    assert_eq!(interpreter(b"#! /bin/foo\n").as_deref(), Some("/bin/foo"));
    assert!(interpreter(b"#!/bin/sh\r\necho").is_some_and(|text| text.contains("DOS line ends")));
    assert_eq!(interpreter(b"echo"), None);
}

#[test]
fn damaged_programs_have_no_interpreter() {
    let mut head = b"\x7fELF\x02\x01".to_vec();
    head.resize(64, 0xff);
    assert_eq!(interpreter(&head), None);
}

#[test]
fn a_program_for_another_processor_is_named() {
    let mut head = b"\x7fELF\x02\x01".to_vec();
    head.resize(18, 0);
    head.extend(183u16.to_le_bytes());
    assert!(foreign(&head).contains("aarch64"));
}
