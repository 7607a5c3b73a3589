//! A container's mount table that is made from the small one of the kernel's thread kdevtmpfs, in place of the host's.
//! A state directory that remembers that there is no such thread has the other way, which is compared here.

use super::in_user_namespace;
use crate::support::Container;
use crate::{add_mount, host_script};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The number of the thread, where this machine shows its kernel's threads.
fn thread() -> Option<i32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.find(|number| {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        stat.contains(" (kdevtmpfs) S 2 ")
    })
}

/// The test goes on only where there is one.
macro_rules! thread_or_return {
    () => {
        match thread() {
            Some(thread) => thread,
            None => skip!("no kernel thread kdevtmpfs is to be seen here"),
        }
    };
}

fn link(container: &Container) -> PathBuf {
    container.state_root().join(".thread:kdevtmpfs")
}

fn remember(container: &Container, target: &str) {
    fs::create_dir_all(container.state_root()).unwrap();
    // There may be none yet.
    let _ = fs::remove_file(link(container));
    symlink(target, link(container)).unwrap();
}

fn remembered(container: &Container) -> String {
    fs::read_link(link(container)).unwrap().to_str().unwrap().to_owned()
}

/// Runs it and tells what it printed, and whether its table was made from the small one.
fn run(container: &Container, options: &[&str]) -> (String, bool) {
    container.write_config();
    let mut command = container.command(&["--debug", "run", "--bundle"]);
    let output = command.arg(container.bundle()).args(options).arg(&container.id).output().unwrap();
    let (out, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}{said}");
    (out, said.contains(": join a namespace: mount"))
}

/// Puts numbers in the order of their appearance in the place of those that are others from run to run: of mounts, of
/// devices (a bind shows its source's name), and of peer groups that `host` does not have.
fn numbered(table: &str, host: &str) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let known: Vec<String> = host.lines().flat_map(words).collect();
    let ids: Vec<String> = table.lines().map(|line| words(line)[0].clone()).collect();
    let mut number = |kind: &str, word: &str| {
        let next = seen.len();
        format!("{kind}{}", seen.entry(word.to_owned()).or_insert(next))
    };
    let line = |line| {
        let mut words: Vec<String> = words(line);
        for (place, word) in words.iter_mut().enumerate() {
            let (name, group) = word.split_once(':').unwrap_or_default();
            let is_group =
                matches!(name, "shared" | "master" | "propagate_from") && group.parse::<u32>().is_ok();
            match place {
                1 if !ids.contains(word) => *word = "outside".into(),
                0 | 1 => *word = number("mount", word),
                2 => *word = number("device", word),
                // A group is the same, whether as its peer or as its slave.
                _ if is_group
                    && !["shared", "master"]
                        .map(|of| format!("{of}:{group}"))
                        .iter()
                        .any(|one| known.contains(one)) =>
                {
                    *word = format!("{name}:{}", number("group", group));
                }
                _ => {}
            }
        }
        words.join(" ")
    };
    table.lines().map(line).collect()
}

/// The tables of the two ways, the small one first; the host's mounts of a script's own, some of them shared, are bound.
fn both_ways(mode: Option<&str>) -> [Vec<String>; 2] {
    let container = Container::new().args(&["cat", "/proc/self/mountinfo"]).edit(|c| {
        c["root"]["readonly"] = true.into();
        if let Some(mode) = mode {
            c["linux"]["rootfsPropagation"] = mode.into();
        }
    });
    let source = container.dir.join("source");
    fs::create_dir(&source).unwrap();
    let below = source.join("below");
    let container = container.edit(|c| {
        let source = source.to_str().unwrap();
        add_mount(c, "/plain", "bind", source, &["bind"]);
        add_mount(c, "/ro", "bind", source, &["rbind", "rro", "nosuid"]);
        add_mount(c, "/slave", "bind", source, &["rbind", "rslave"]);
        add_mount(c, "/private", "bind", below.to_str().unwrap(), &["rbind", "rprivate", "noexec"]);
        add_mount(c, "/shared", "bind", source, &["rbind", "rshared"]);
        add_mount(c, "/unbindable", "bind", source, &["bind", "unbindable"]);
        add_mount(c, "/scratch", "tmpfs", "tmpfs", &["size=1m", "mode=700", "ro"]);
        add_mount(c, "/scratch/in", "bind", source, &["bind"]);
    });
    let script = format!(
        "SRC={} LINK={}
         mount -t tmpfs source $SRC; mount --make-shared $SRC; mkdir $SRC/below; mount -t tmpfs below $SRC/below
         mount --bind $BUNDLE/rootfs $BUNDLE/rootfs; mount --make-shared $BUNDLE/rootfs
         mount -t tmpfs image $BUNDLE/rootfs/tmp
         cat /proc/self/mountinfo; echo ----; $RR; readlink $LINK; echo ----; ln -sfn 0 $LINK; $RR; readlink $LINK",
        source.display(),
        link(&container).display(),
    );
    let out = host_script(&container, &script).ok();
    let [host, small, copied] = out.split("----\n").collect::<Vec<_>>().try_into().unwrap();
    let table = |text: &str, expected: i32| {
        let (table, thread) = text.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(thread, expected.to_string(), "{out}");
        numbered(table, host)
    };
    [table(small, thread().unwrap()), table(copied, 0)]
}

#[test]
fn the_table_is_the_same_as_one_that_was_copied_from_the_hosts() {
    let thread = thread_or_return!();
    let own = || fs::read_to_string(format!("/proc/{thread}/mountinfo")).unwrap();
    let before = own();
    for mode in [
        None,
        Some("private"),
        Some("rslave"),
        Some("slave"),
        Some("shared"),
        Some("rshared"),
        Some("unbindable"),
    ] {
        let [small, copied] = both_ways(mode);
        assert!(small.len() > 20 && small.iter().any(|line| line.contains("master:")), "{small:#?}");
        assert_eq!(small, copied, "{mode:?}");
    }
    assert_eq!(own(), before, "the thread's own table has changed");
}

#[test]
fn a_config_that_needs_the_hosts_tree_is_given_that() {
    thread_or_return!();
    let says = || Container::new().sh("echo on; ls -A /merged 2>/dev/null || true");
    let hook = json!([{"path": "/bin/true"}]);
    let is = |container: Container, options: &[&str], small: bool, why: &str| {
        let (out, found) = run(&container, options);
        assert!(out.starts_with("on\n"), "{why}: {out}");
        assert_eq!(found, small, "{why}");
        out
    };
    is(says(), &[], true, "the ordinary one");
    is(says().namespace("network", Some("/proc/self/ns/net")), &[], true, "a network namespace by path");
    is(says().without_namespace("pid"), &[], true, "the host's processes");
    is(
        says().edit(|c| c["hooks"] = json!({"startContainer": [{"path": "/bin/true"}], "poststop": hook})),
        &[],
        true,
        "late hooks",
    );
    for kind in ["prestart", "createRuntime", "createContainer"] {
        is(says().edit(|c| c["hooks"] = json!({ kind: hook })), &[], false, kind);
    }
    is(in_user_namespace(says()), &[], false, "a user namespace");
    is(says().namespace("pid", Some("/proc/self/ns/pid")), &[], false, "a pid namespace by path");
    is(says(), &["--no-pivot"], false, "--no-pivot");
    is(says().edit(|c| add_mount(c, "/run", "tmpfs", "tmpfs", &["tmpcopyup"])), &[], false, "tmpcopyup");
    // Its options are paths of the host.
    let overlay = says();
    for name in ["lower", "upper", "work"] {
        fs::create_dir(overlay.dir.join(name)).unwrap();
    }
    fs::write(overlay.dir.join("lower/file"), "").unwrap();
    let option = |key: &str, name: &str| format!("{key}={}", overlay.dir.join(name).display());
    let options = [option("lowerdir", "lower"), option("upperdir", "upper"), option("workdir", "work")];
    let overlay = overlay
        .edit(|c| add_mount(c, "/merged", "overlay", "overlay", &options.each_ref().map(String::as_str)));
    assert_eq!(is(overlay, &[], false, "overlay"), "on\nfile\n");
}

#[test]
fn the_thread_is_remembered_and_a_wrong_number_is_not_believed() {
    let thread = thread_or_return!();
    let container = Container::new().args(&["cat", "/proc/self/mountinfo"]);
    let refused = container.call(&["run", "--bundle", "/no/such/bundle", &container.id]);
    assert!(refused.fails().contains("/no/such/bundle") && !link(&container).is_symlink());
    assert!(run(&container, &[]).1);
    assert_eq!(remembered(&container), thread.to_string());

    // A process that has the thread's name, in a mount namespace of its own.
    let mut named = Command::new("unshare");
    named.args(["-m", "sh", "-c", "printf kdevtmpfs > /proc/self/comm; echo; read word"]);
    let mut named = named.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Read::read_exact(named.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    let number = named.id().to_string();
    assert_eq!(fs::read_to_string(format!("/proc/{number}/comm")).unwrap(), "kdevtmpfs\n");
    for wrong in [&*number, "1", "2", "-1", "99999999", "../../etc/passwd", "x"] {
        remember(&container, wrong);
        assert!(run(&container, &[]).1, "{wrong}");
        assert_eq!(remembered(&container), thread.to_string(), "{wrong}");
    }
    drop(named.stdin.take());
    named.wait().unwrap();

    remember(&container, "0");
    assert!(!run(&container, &[]).1);
    assert_eq!(remembered(&container), "0");
}

/// Inside a pid namespace the kernel's threads are not to be seen, nor without the rights to look at one.
#[test]
fn where_the_thread_cannot_be_had_the_hosts_table_is_copied() {
    thread_or_return!();
    for (why, before) in [
        ("a pid namespace", &["unshare", "-pf", "--mount-proc"][..]),
        ("no CAP_SYS_PTRACE", &["setpriv", "--bounding-set=-sys_ptrace"]),
        ("no CAP_SYS_CHROOT", &["setpriv", "--bounding-set=-sys_chroot"]),
    ] {
        let container = Container::new().sh("echo on").edit(|c| {
            for set in ["bounding", "effective", "permitted"] {
                let all = c["process"]["capabilities"][set].as_array_mut().unwrap();
                all.retain(|name| name != "CAP_SYS_CHROOT");
            }
        });
        container.write_config();
        let ours = container.command(&["--debug", "run", "--bundle"]);
        let mut command = Command::new(before[0]);
        command.args(&before[1..]).arg(ours.get_program()).args(ours.get_args());
        let output = command.arg(container.bundle()).arg(&container.id).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"on\n"[..]), "{why}: {said}");
        assert!(!said.contains(": join a namespace: mount"), "{why}: {said}");
        assert!(!link(&container).is_symlink(), "{why}: nothing was learnt");
    }
}

/// Who holds a copy of the host's table holds its mounts, in the moment in which it is there.
#[test]
fn the_hosts_mounts_are_not_in_the_container_and_come_off_while_it_runs() {
    thread_or_return!();
    let container = Container::new().sh("touch /sync/up; while [ ! -e /sync/gone ]; do sleep 0.02; done; grep -c ' /data/sub ' /proc/self/mountinfo");
    let (source, sync) = (container.dir.join("source"), container.dir.join("sync"));
    fs::create_dir(&source).unwrap();
    fs::create_dir(&sync).unwrap();
    let container = container.edit(|c| {
        add_mount(c, "/data", "bind", source.to_str().unwrap(), &["rbind", "rslave"]);
        add_mount(c, "/sync", "bind", sync.to_str().unwrap(), &["bind"]);
    });
    let script = format!(
        "SRC={} SYNC={}
         mount -t tmpfs source $SRC; mount --make-shared $SRC; mkdir $SRC/sub; mount -t tmpfs sub $SRC/sub
         $RR & PID=$!; i=0; while [ ! -e $SYNC/up ]; do sleep 0.02; i=$((i+1)); [ $i -lt 500 ]; done
         umount $SRC/sub; touch $SYNC/gone; wait $PID || true",
        source.display(),
        sync.display(),
    );
    assert_eq!(host_script(&container, &script).ok(), "0\n");
}
