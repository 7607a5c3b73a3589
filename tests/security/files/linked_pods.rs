//! What pods and images do with links on purpose, below every propagation: mounts go where they should, and what shows on
//! the host is told.

use crate::canary::protect;
use crate::support::mountinfo::{add_mount, host_script};
use crate::support::{Container, Ended};
use std::fs;
use std::os::unix::fs::symlink;

fn link(container: &Container, place: &str, to: &str) {
    let place = container.rootfs().join(place);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    symlink(to, place).unwrap();
}

/// Pods with a volume at /run and images with links to it: what Docker and Kubernetes mount, below every propagation.
fn pod(root: &str, propagation: &[&str]) -> Container {
    let container = Container::new().sh("cat /proc/self/mountinfo | cut -d' ' -f5; ls /var/run");
    link(&container, "var/run", "/run");
    link(&container, "etc/resolv.conf", "../own/resolv.conf");
    fs::create_dir_all(container.dir.join("volumes")).unwrap();
    let run = container.dir.join("volumes/run");
    let file = container.dir.join("resolv");
    fs::write(&file, "nameserver 127.0.0.1\n").unwrap();
    container.edit(|config| {
        protect(config);
        config["linux"]["rootfsPropagation"] = root.into();
        let options: Vec<&str> = ["rbind"].iter().chain(propagation).copied().collect();
        add_mount(config, "/own", "tmpfs", "tmpfs", propagation);
        add_mount(config, "/run", "bind", run.to_str().unwrap(), &options);
        // Below the entry that the words name, whatever the links in it are.
        add_mount(config, "/run/link/below", "tmpfs", "tmpfs", &[]);
        add_mount(config, "/etc/resolv.conf", "bind", file.to_str().unwrap(), &["bind"]);
        add_mount(config, "/var/run/secrets", "tmpfs", "tmpfs", propagation);
    })
}

const VOLUMES: &str =
    "mount -t tmpfs v $V; mount --make-shared $V; mkdir -p $V/run/dir; ln -s dir $V/run/link";

fn run(container: &Container, after: &str) -> Ended {
    let volumes = container.dir.join("volumes");
    host_script(container, &format!("V={}; {VOLUMES}; $RR; {after}", volumes.display()))
}

#[test]
fn a_link_onto_what_the_host_shares_is_told_and_no_other() {
    for root in ["", "rprivate", "rslave", "rshared"] {
        for propagation in [&[][..], &["rprivate"], &["rslave"], &["rshared"]] {
            let container = pod(root, propagation);
            let ended = run(&container, "echo; ls $V/run");
            let what = format!("rootfsPropagation {root:?}, {propagation:?}: {ended:?}");
            assert_eq!(ended.code, 0, "{what}");
            for place in
                ["/run/secrets\n", "/own/resolv.conf\n", "/run/dir/below\n", "/sys/fs/cgroup\n", "/dev/shm\n"]
            {
                assert!(ended.out.contains(place), "{place}, {what}");
            }
            // A slave of the host's is no peer, also if it is shared inside.
            let peer = root == "rshared" && matches!(propagation, [] | ["rshared"]);
            assert_eq!(ended.err.contains("/mounts/11/destination"), peer, "{what}");
            let told = ended.err.matches("shared with the host").count();
            assert_eq!(told, ended.err.matches("/mounts/11/destination").count(), "{what}");
            let mut warnings: Vec<&str> = ended.err.lines().collect();
            warnings.sort_unstable();
            assert!(warnings.windows(2).all(|pair| pair[0] != pair[1]), "twice: {what}");
        }
    }
}
