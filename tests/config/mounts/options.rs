//! Every word of the table of mount options (config.md, Linux mount options), by what mountinfo shows of it.

use crate::support::Container;
use crate::support::mountinfo::{MountLine, add_mount, host_script, mount_at};
use rruntime::names::{Effect, MOUNT_OPTIONS};
use std::fs;

/// Flags that a line of mountinfo has before the dash, and one that it shows by their absence.
const FLAGS: [(&str, &str); 7] = [
    ("ro", "rw"),
    ("nosuid", "suid"),
    ("nodev", "dev"),
    ("noexec", "exec"),
    ("nodiratime", "diratime"),
    ("nosymfollow", "symfollow"),
    ("noatime", "atime"),
];

fn container() -> (Container, String) {
    let container = Container::new().sh("cat /proc/self/mountinfo");
    let source = container.dir.join("source");
    fs::create_dir(&source).unwrap();
    let source = source.to_str().unwrap().to_owned();
    (container, source)
}

/// A new file system with these options.
fn tmpfs(options: &[&str]) -> MountLine {
    let (container, _) = container();
    let out = container.edit(|c| add_mount(c, "/x", "tmpfs", "tmpfs", options)).run().ok();
    mount_at(&out, "/x")
}

/// A tree of two mounts on the host, which have these flags, bound with these options: the top, and what is below.
fn tree(flags: &str, options: &[&str]) -> (MountLine, MountLine) {
    let (container, source) = container();
    let container = container.edit(|c| add_mount(c, "/x", "bind", &source, options));
    let script = format!(
        "mount -t tmpfs top {source}; mkdir {source}/sub; mount -t tmpfs below {source}/sub
         for m in {source}/sub {source}; do mount -o remount,bind,{flags} $m; done; $RR"
    );
    let out = host_script(&container, &script).ok();
    (mount_at(&out, "/x"), mount_at(&out, "/x/sub"))
}

#[test]
fn each_flag_and_its_opposite_work_on_a_new_file_system() {
    for (flag, opposite) in FLAGS {
        assert!(tmpfs(&[flag]).has(flag), "{flag}");
        assert!(!tmpfs(&[flag, opposite]).has(flag), "{opposite}");
    }
    assert!(tmpfs(&["relatime"]).has("relatime") && tmpfs(&["defaults"]).has("relatime"));
    let strict = tmpfs(&["strictatime"]);
    assert!(!strict.has("relatime") && !strict.has("noatime"), "{strict:?}");
    assert!(!tmpfs(&["relatime", "norelatime"]).has("relatime"));
    assert!(tmpfs(&["strictatime", "nostrictatime"]).has("relatime"));
}

#[test]
fn an_empty_option_is_no_option() {
    assert!(tmpfs(&["", "nosuid"]).has("nosuid"));
}

#[test]
fn each_flag_and_its_opposite_work_on_one_mount_of_a_tree() {
    for (flag, opposite) in FLAGS {
        let (top, below) = tree("rw", &["rbind", flag]);
        assert!(top.has(flag) && !below.has(flag), "{flag}: {top:?} {below:?}");
        // mount(8) does not know the newest one. A mode of access times that the source has stays, as under runc.
        if !matches!(flag, "nosymfollow" | "noatime") {
            let (top, below) = tree(flag, &["rbind", opposite]);
            assert!(!top.has(flag) && below.has(flag), "{opposite}: {top:?} {below:?}");
        }
    }
}

#[test]
fn each_recursive_flag_and_its_opposite_work_on_a_tree() {
    for (flag, opposite) in FLAGS {
        let (top, below) = tree("rw", &["rbind", &format!("r{flag}")]);
        assert!(top.has(flag) && below.has(flag), "r{flag}: {top:?} {below:?}");
        if flag != "nosymfollow" {
            let (top, below) = tree(flag, &["rbind", &format!("r{opposite}")]);
            assert!(!top.has(flag) && !below.has(flag), "r{opposite}: {top:?} {below:?}");
        }
    }
    for (before, option, shown) in [
        ("noatime", "rrelatime", "relatime"),
        ("noatime", "rnorelatime", "relatime"),
        ("strictatime", "rnostrictatime", "relatime"),
        ("relatime", "rstrictatime", ""),
    ] {
        let (top, below) = tree(before, &["rbind", option]);
        for mount in [top, below] {
            assert!(
                !mount.has("noatime") && mount.has("relatime") == (shown == "relatime"),
                "{option}: {mount:?}"
            );
        }
    }
}

#[test]
fn a_recursive_flag_works_on_a_new_file_system() {
    for flag in ["rro", "rnosuid", "rnodev", "rnoexec", "rnoatime", "rnodiratime", "rnosymfollow"] {
        assert!(tmpfs(&[flag]).has(&flag[1..]), "{flag}");
    }
}

#[test]
fn flags_of_the_superblock_reach_a_new_file_system_by_both_names() {
    for option in ["sync", "dirsync", "rsync", "rdirsync", "lazytime"] {
        let flag = option.strip_prefix('r').unwrap_or(option);
        assert!(tmpfs(&[option]).superblock.iter().any(|known| known == flag), "{option}");
    }
    for option in ["async", "rasync", "nomand", "rnomand", "nolazytime"] {
        let shown = tmpfs(&[option]).superblock;
        assert!(
            !["sync", "mand", "lazytime"].iter().any(|flag| shown.iter().any(|known| known == flag)),
            "{shown:?}"
        );
    }
    let shown = tmpfs(&["sync", "async", "lazytime", "nolazytime"]).superblock;
    assert!(!shown.iter().any(|known| known == "sync" || known == "lazytime"), "{shown:?}");
}

/// The kernel takes the word and has had no mandatory locks since 5.15.
#[test]
fn words_without_an_effect_are_accepted() {
    for option in ["mand", "rmand", "iversion", "noiversion", "silent", "loud", "defaults"] {
        assert_eq!(tmpfs(&[option]).kind, "tmpfs", "{option}");
    }
}

#[test]
fn a_flag_of_the_superblock_on_a_bind_is_told_or_refused() {
    for option in ["rsync", "rasync", "rdirsync", "rmand", "rnomand"] {
        let (container, source) = container();
        let err = container.edit(|c| add_mount(c, "/x", "bind", &source, &["rbind", option])).run().fails();
        assert!(err.contains("/mounts/7/options") && err.contains(option), "{err}");
    }
    let (container, source) = container();
    let ended = container.edit(|c| add_mount(c, "/x", "bind", &source, &["rbind", "sync"])).run();
    assert!(ended.err.contains("sync") && ended.err.contains("ignored"), "{ended:?}");
    ended.ok();
}

#[test]
fn propagation_is_shown_as_it_was_asked_for() {
    for (option, shown) in [
        ("shared", "shared:"),
        ("rshared", "shared:"),
        ("unbindable", "unbindable"),
        ("runbindable", "unbindable"),
    ] {
        let mount = tmpfs(&[option]);
        assert!(mount.propagation.iter().any(|word| word.starts_with(shown)), "{option}: {mount:?}");
    }
    for option in ["private", "rprivate", "slave", "rslave"] {
        assert!(tmpfs(&[option]).propagation.is_empty(), "{option}");
    }
}

/// Nothing of the table is left out above: a word that is new there needs its line here.
#[test]
fn every_word_of_the_table_is_accepted() {
    let (container, source) = container();
    let words: Vec<&str> = MOUNT_OPTIONS
        .iter()
        .filter(|option| {
            !matches!(option.effect, Effect::RecSuperblock(_) | Effect::Remount | Effect::Bind { .. })
        })
        .filter(|option| !matches!(option.effect, Effect::IdMap { .. } | Effect::TmpCopyUp))
        .map(|option| option.name)
        .collect();
    let container = container.edit(|c| {
        for (i, word) in words.iter().enumerate() {
            add_mount(c, &format!("/x/{i}"), "bind", &source, &["bind", word]);
        }
    });
    let out = container.run().ok();
    for i in 0..words.len() {
        mount_at(&out, &format!("/x/{i}"));
    }
}
