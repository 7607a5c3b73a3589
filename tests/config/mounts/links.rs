//! crun's options about symbolic links: src-nofollow, dest-nofollow, copy-symlink.

use crate::support::Container;
use crate::support::mountinfo::{add_mount, mount_at};
use std::fs;
use std::os::unix::fs::symlink;

/// A container and, beside it, `dir`, `file` and the links `link` (to `file`) and `to-dir`.
fn container() -> Container {
    let container = Container::new();
    let at = |name: &str| container.dir.join(name);
    fs::create_dir(at("dir")).unwrap();
    fs::write(at("dir/inside"), "").unwrap();
    fs::write(at("file"), "text\n").unwrap();
    symlink("file", at("link")).unwrap();
    symlink("dir", at("to-dir")).unwrap();
    container
}

fn bind(container: Container, source: &str, destination: &str, options: &[&str]) -> Container {
    let source = container.dir.join(source);
    container.edit(|config| add_mount(config, destination, "bind", source.to_str().unwrap(), options))
}

#[test]
fn a_link_is_copied_instead_of_bound() {
    let container = bind(container(), "link", "/new/place", &["bind", "copy-symlink"]);
    let container = container.sh("readlink /new/place; grep ' /new' /proc/self/mountinfo");
    assert_eq!(container.run().out, "file\n");
    let link = container.rootfs().join("new/place");
    assert_eq!(fs::read_link(&link).unwrap().to_str(), Some("file"));
    // The same link is there now, and another one is not accepted.
    assert_eq!(container.run().out, "file\n");
    for other in ["a link", "a file"] {
        fs::remove_file(&link).unwrap();
        if other == "a link" {
            symlink("other", &link).unwrap()
        } else {
            fs::write(&link, "").unwrap()
        }
        let err = container.run().fails();
        assert!(err.contains("/mounts/7") && err.contains("copy-symlink"), "{other}: {err}");
        container.assert_gone();
    }
}

#[test]
fn copy_symlink_binds_what_is_no_link() {
    let container = bind(container(), "file", "/place", &["bind", "copy-symlink"]);
    let out = container.sh("cat /place /proc/self/mountinfo").run().ok();
    assert!(out.starts_with("text\n"), "{out}");
    mount_at(&out, "/place");
}

#[test]
fn a_link_of_the_source_is_followed_or_shown_itself() {
    let out = bind(container(), "link", "/place", &["bind"]).sh("cat /place").run().ok();
    assert_eq!(out, "text\n");
    let container = bind(container(), "link", "/place", &["bind", "src-nofollow"]);
    let out = container.sh("readlink /place; cat /proc/self/mountinfo").run().ok();
    assert!(out.starts_with("file\n"), "{out}");
    assert!(mount_at(&out, "/place").root.ends_with("/link"));
}

#[test]
fn a_link_at_the_destination_is_followed_or_mounted_over() {
    let container = bind(container(), "file", "/place", &["bind"]).sh("readlink /place; cat /other");
    symlink("other", container.rootfs().join("place")).unwrap();
    assert_eq!(container.run().ok(), "other\ntext\n");

    let container = bind(self::container(), "file", "/place", &["bind", "dest-nofollow"]);
    let container = container.sh("readlink /place; cat /place; cat /other");
    symlink("other", container.rootfs().join("place")).unwrap();
    assert_eq!(container.run().out, "text\n");
    assert!(!container.rootfs().join("other").exists());

    let container = bind(self::container(), "link", "/place", &["bind", "dest-nofollow", "src-nofollow"]);
    let container = container.sh("readlink /place");
    symlink("nowhere", container.rootfs().join("place")).unwrap();
    assert_eq!(container.run().ok(), "file\n");
}

#[test]
fn a_destination_that_is_missing_is_made_without_following_as_well() {
    let container = bind(container(), "dir", "/a/b", &["rbind", "dest-nofollow"]).sh("ls /a/b");
    assert_eq!(container.run().ok(), "inside\n");
    let container = bind(self::container(), "file", "/a/b", &["bind", "dest-nofollow"]).sh("cat /a/b");
    assert_eq!(container.run().ok(), "text\n");
}

#[test]
fn a_directory_cannot_cover_a_link() {
    let container = bind(container(), "dir", "/place", &["rbind", "dest-nofollow"]).sh("true");
    symlink("other", container.rootfs().join("place")).unwrap();
    let err = container.run().fails();
    assert!(err.contains("/mounts/7") && err.contains("a directory goes onto a directory"), "{err}");
    container.assert_gone();
}

#[test]
fn links_are_kept_in_a_user_namespace_too() {
    let container = bind(container(), "link", "/kept", &["bind", "src-nofollow", "dest-nofollow"]);
    let container = bind(container, "link", "/copied", &["bind", "copy-symlink"]);
    symlink("nowhere", container.rootfs().join("kept")).unwrap();
    let container = crate::mounts::in_user_namespace(container).sh("readlink /kept; readlink /copied");
    assert_eq!(container.run().ok(), "file\nfile\n");
}
