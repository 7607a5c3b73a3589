//! Propagation: what is mounted later on one side appears on the other or does not. All of it happens in a mount
//! namespace of the test's own, which stands for the host.

use crate::support::{Container, Ended};
use crate::{add_mount, host_script, mount_at};
use std::fs;

/// Runs a container with `$SRC` (a shared mount of the "host") bound to /data with these options. After the
/// container has begun, `below` is mounted on `$SRC/host`; the container may mount on /data/inside. Prints what
/// the container sees of its own side, then what the host sees of `$SRC`.
fn both_sides(options: &[&str], root_mode: Option<&str>) -> Ended {
    let inside = "touch /sync/up; while [ ! -e /sync/mounted ]; do sleep 0.02; done
        mount -t tmpfs inner /data/inside || echo cannot
        sed 's/^/inside: /' /proc/self/mountinfo
        touch /sync/done; while [ ! -e /sync/seen ]; do sleep 0.02; done";
    let container = Container::new().sh(inside);
    let (source, sync) = (container.dir.join("source"), container.dir.join("sync"));
    fs::create_dir(&source).unwrap();
    fs::create_dir(&sync).unwrap();
    let container = container.edit(|c| {
        add_mount(c, "/data", "bind", source.to_str().unwrap(), options);
        add_mount(c, "/sync", "bind", sync.to_str().unwrap(), &["bind"]);
        for set in ["bounding", "effective", "permitted"] {
            c["process"]["capabilities"][set].as_array_mut().unwrap().push("CAP_SYS_ADMIN".into());
        }
        c["linux"].as_object_mut().unwrap().remove("seccomp");
        if let Some(mode) = root_mode {
            c["linux"]["rootfsPropagation"] = mode.into();
        }
    });
    let script = format!(
        "SRC={} SYNC={}
         mount -t tmpfs source $SRC; mount --make-shared $SRC; mkdir $SRC/host $SRC/inside
         mount --bind $BUNDLE/rootfs $BUNDLE/rootfs; mount --make-shared $BUNDLE/rootfs
         $RR & PID=$!
         i=0; while [ ! -e $SYNC/up ]; do sleep 0.02; i=$((i+1)); [ $i -lt 500 ]; done
         mount -t tmpfs below $SRC/host; touch $SYNC/mounted
         while [ ! -e $SYNC/done ]; do sleep 0.02; i=$((i+1)); [ $i -lt 500 ]; done
         sed 's/^/host: /' /proc/self/mountinfo
         touch $SYNC/seen; wait $PID",
        source.display(),
        sync.display(),
    );
    host_script(&container, &script)
}

fn sees_host(ended: &Ended) -> bool {
    ended.out.lines().any(|line| line.starts_with("inside: ") && line.contains(" /data/host "))
}

fn reaches_host(ended: &Ended) -> bool {
    ended.out.lines().any(|line| line.starts_with("host: ") && line.contains("/source/inside "))
}

fn line(ended: &Ended, point: &str) -> crate::MountLine {
    let inside: String = ended
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("inside: "))
        .map(|l| format!("{l}\n"))
        .collect();
    mount_at(&inside, point)
}

#[test]
fn a_private_bind_is_cut_off_from_the_host() {
    for option in ["private", "rprivate"] {
        let ended = both_sides(&["rbind", option], None);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(!sees_host(&ended) && !reaches_host(&ended), "{option}: {}", ended.out);
        assert!(line(&ended, "/data").propagation.is_empty());
    }
}

#[test]
fn a_slave_bind_sees_the_hosts_mounts_and_keeps_its_own() {
    for option in ["slave", "rslave"] {
        let ended = both_sides(&["rbind", option], None);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(sees_host(&ended) && !reaches_host(&ended), "{option}: {}", ended.out);
    }
}

#[test]
fn a_shared_bind_passes_mounts_in_both_directions_where_the_root_is_shared() {
    for option in ["shared", "rshared"] {
        let ended = both_sides(&["rbind", option], Some("rshared"));
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(sees_host(&ended) && reaches_host(&ended), "{option}: {}", ended.out);
    }
}

#[test]
fn without_a_shared_root_a_shared_bind_sees_the_hosts_mounts_and_shares_its_own_inside_only() {
    let ended = both_sides(&["rbind", "rshared"], None);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(line(&ended, "/data").propagation.iter().any(|p| p.starts_with("shared:")), "{}", ended.out);
    assert!(sees_host(&ended) && !reaches_host(&ended), "{}", ended.out);
}

#[test]
fn an_unbindable_bind_is_marked_so() {
    for option in ["unbindable", "runbindable"] {
        let ended = both_sides(&["rbind", option], None);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(line(&ended, "/data").propagation.contains(&"unbindable".to_owned()), "{}", ended.out);
    }
}

#[test]
fn without_an_option_nothing_from_inside_reaches_the_host() {
    let ended = both_sides(&["rbind"], None);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!reaches_host(&ended), "{}", ended.out);
}

/// What the root's line in mountinfo says with this mode, where the host's rootfs is a shared mount.
fn root_line(mode: &str) -> crate::MountLine {
    let container = Container::new()
        .sh("cat /proc/self/mountinfo")
        .edit(|c| c["linux"]["rootfsPropagation"] = mode.into());
    let script = "mount --bind $BUNDLE/rootfs $BUNDLE/rootfs; mount --make-shared $BUNDLE/rootfs; $RR";
    mount_at(&host_script(&container, script).ok(), "/")
}

#[test]
fn the_root_has_the_propagation_that_the_config_asks_for() {
    // The root itself never follows the host: under runc the mount above it is made private first.
    for mode in ["private", "rprivate", "slave", "rslave"] {
        assert_eq!(root_line(mode).propagation, Vec::<String>::new(), "{mode}");
    }
    for mode in ["shared", "rshared"] {
        let line = root_line(mode);
        assert!(
            line.propagation.len() == 1 && line.propagation[0].starts_with("shared:"),
            "{mode}: {line:?}"
        );
    }
    for mode in ["unbindable", "runbindable"] {
        assert_eq!(root_line(mode).propagation, ["unbindable"], "{mode}");
    }
}

#[test]
fn no_mode_of_the_root_lets_its_own_mounts_appear_on_the_host() {
    // "shared" begins a new peer group (config-linux.md): it is for containers inside of this one.
    for mode in ["shared", "rshared", "slave", "private"] {
        let container = Container::new()
            .sh("mount -t tmpfs inner /tmp && touch /root/up; while [ ! -e /root/seen ]; do sleep 0.02; done")
            .edit(|c| {
                c["linux"]["rootfsPropagation"] = mode.into();
                for set in ["bounding", "effective", "permitted"] {
                    c["process"]["capabilities"][set].as_array_mut().unwrap().push("CAP_SYS_ADMIN".into());
                }
                c["linux"].as_object_mut().unwrap().remove("seccomp");
            });
        let script = "R=$BUNDLE/rootfs
            mount --bind $R $R; mount --make-shared $R; $RR & PID=$!
            i=0; while [ ! -e $R/root/up ]; do sleep 0.02; i=$((i+1)); [ $i -lt 500 ]; done
            cat /proc/self/mountinfo; touch $R/root/seen; wait $PID";
        let ended = host_script(&container, script);
        assert_eq!(ended.code, 0, "{mode}: {ended:?}");
        for place in ["tmp ", "proc "].map(|name| format!("{}/{name}", container.rootfs().display())) {
            assert!(!ended.out.lines().any(|line| line.contains(&place)), "{mode}: {}", ended.out);
        }
    }
}

#[test]
fn the_hosts_mount_table_is_as_it_was_after_a_container() {
    let container = Container::new().sh("true");
    let script = "cat /proc/self/mountinfo > /tmp/$ID.before; $RR
        cat /proc/self/mountinfo > /tmp/$ID.after; cmp /tmp/$ID.before /tmp/$ID.after; rm /tmp/$ID.*";
    host_script(&container, script).ok();
}

#[test]
fn an_unknown_mode_is_refused_by_its_field() {
    let container = Container::new().edit(|c| c["linux"]["rootfsPropagation"] = "sideways".into()).sh("true");
    let err = container.run().fails();
    assert!(err.contains("/linux/rootfsPropagation") && err.contains("sideways"), "{err}");
}
