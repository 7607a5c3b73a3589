//! Where links lead mounts: into a proc or a sysfs never, onto a mount that the host shares only where the words of the
//! entry say so, and everywhere else as ever.

use crate::files::live::mounts;
use crate::support::mountinfo::{add_mount, mount_at};
use crate::support::{Container, Ended};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const KERNEL: [&str; 4] = ["/proc/1/net", "/proc/self", "/sys/kernel", "/proc/nothing/here"];

fn tmpfs(at: &str) -> serde_json::Value {
    json!([{"destination": at, "type": "tmpfs", "source": "x"}])
}

#[test]
fn a_link_leads_no_added_mount_into_a_proc_or_sysfs() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    let table = || container.exec_sh("cat /proc/1/mountinfo").ok();
    let before = table();
    for target in KERNEL {
        container.exec_sh(&format!("rm -f /data; ln -s {target} /data")).ok();
        for at in ["/data", "/data/below"] {
            let err = mounts(&container, "add", tmpfs(at)).fails();
            assert!(err.contains("/0/destination") && err.contains("link /data leads into a proc"), "{err}");
            assert_eq!(table(), before, "{at} -> {target}");
        }
    }
}

#[test]
fn nor_one_of_the_config() {
    for target in KERNEL {
        let container = Container::new().sh("true").edit(|c| add_mount(c, "/data/x", "tmpfs", "x", &[]));
        symlink(target, container.rootfs().join("data")).unwrap();
        let err = container.run().fails();
        assert!(
            err.contains("/mounts/7/destination") && err.contains("link /data leads into a proc"),
            "{err}"
        );
        container.assert_gone();
    }
}

/// A host of its own whose whole tree is shared, as systemd makes it; `$RR` is the binary, `$ID` the container.
fn shared_host(container: &Container, script: &str) -> Ended {
    container.write_config();
    let script = format!(
        "mount --make-rshared /
         RR='{} --root {}'; ID={}; BUNDLE={}; DIR={}
         start() {{ $RR run -d --bundle $BUNDLE $ID < /dev/null > $DIR/out 2>&1; }}
         add() {{ echo \"$1\" > $DIR/list.json; $RR mounts add $ID $DIR/list.json 2>&1; }}
         {script}",
        crate::support::RRUNTIME,
        container.state_root().display(),
        container.id,
        container.bundle().display(),
        container.dir.display(),
    );
    let mut command = std::process::Command::new("unshare");
    command.args(["-m", "sh", "-ec", &script]).stdin(std::process::Stdio::null());
    crate::support::finish(command)
}

/// What a node agent is: it sees the host below /host, and what it mounts there the host sees too.
fn agent(container: Container, host: &Path) -> Container {
    fs::create_dir_all(host.join("etc/cron.d")).unwrap();
    container.args(&["sleep", "1000"]).edit(|config| {
        config["linux"]["rootfsPropagation"] = "rshared".into();
        add_mount(config, "/host", "bind", host.to_str().unwrap(), &["rbind", "rshared", "ro"]);
    })
}

#[test]
fn a_link_leads_no_added_mount_to_the_host() {
    let container = Container::new();
    let host = container.dir.join("host");
    let container = agent(container, &host);
    let script = r#"
        start
        $RR exec $ID sh -c 'ln -s /host/etc/cron.d /data; ln -s /host/new /more; ln -s sub /host/etc/link || :'
        for at in /data /data/made /more /more/made; do
            ! add '[{"destination": "'$at'", "type": "tmpfs", "source": "evil"}]'
        done
        grep evil /proc/self/mountinfo || echo none"#;
    let ended = shared_host(&container, script);
    let out = ended.ok();
    assert!(out.ends_with("none\n"), "{out}");
    for link in ["/data", "/more"] {
        let told = format!("the link {link} leads onto a mount that is shared with the host");
        assert_eq!(out.matches(&told).count(), 2, "{out}");
    }
    assert!(!host.join("new").exists());
}

#[test]
fn what_the_words_name_shows_on_the_host() {
    let container = Container::new();
    let host = container.dir.join("host");
    let container = agent(container, &host);
    symlink("cron.d", host.join("etc/link")).unwrap();
    let script = r#"
        start
        add '[{"destination": "/host/etc/link", "type": "tmpfs", "source": "meant"}]'
        cat /proc/self/mountinfo"#;
    let out = shared_host(&container, script).ok();
    assert_eq!(mount_at(&out, host.join("etc/cron.d").to_str().unwrap()).source, "meant");
}

#[test]
fn a_link_that_leads_a_mount_of_the_config_to_the_host_is_told_of() {
    let container = Container::new();
    let host = container.dir.join("host");
    let container = agent(container, &host).edit(|c| add_mount(c, "/data", "tmpfs", "x", &[]));
    symlink("/host/etc/cron.d", container.rootfs().join("data")).unwrap();
    let out = shared_host(&container, "start; cat $DIR/out").ok();
    assert!(
        out.contains("/mounts/8/destination") && out.contains("the link /data leads it onto a mount"),
        "{out}"
    );
}

#[test]
fn links_to_what_the_container_has_made_are_followed() {
    for propagation in ["private", "rslave", "rshared"] {
        let container = Container::new();
        let source = container.dir.join("source");
        fs::write(&source, "text\n").unwrap();
        let rootfs = container.rootfs();
        fs::create_dir_all(rootfs.join("var")).unwrap();
        symlink("/run", rootfs.join("var/run")).unwrap();
        symlink("../run/resolv/conf", rootfs.join("etc/resolv.conf")).unwrap();
        symlink("/dev/shm", rootfs.join("shm")).unwrap();
        let container = container.args(&["sleep", "1000"]).edit(|config| {
            config["linux"]["rootfsPropagation"] = propagation.into();
            add_mount(config, "/run", "tmpfs", "run", &[]);
            add_mount(config, "/var/run/first", "tmpfs", "first", &[]);
        });
        let list = json!([
            {"destination": "/var/run/secrets/deep", "type": "tmpfs", "source": "secrets"},
            {"destination": "/etc/resolv.conf", "type": "bind", "source": source, "options": ["bind", "ro"]},
            {"destination": "/shm/below", "type": "tmpfs", "source": "shm"},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "again"},
            {"destination": "/sys/fs/cgroup", "type": "tmpfs", "source": "groups"},
        ]);
        let script = format!(
            "start; cat $DIR/out; add '{list}'; $RR exec $ID cat /etc/resolv.conf /proc/self/mountinfo"
        );
        let out = shared_host(&container, &script).ok();
        // The last two cover mounts of the config, and that is said.
        let said = out.split_inclusive('\n').take_while(|line| line.contains("level=warning")).count();
        assert!(out.split('\n').nth(said) == Some("text") && said == 2, "{propagation}: {out}");
        for (point, source) in [
            ("/run/first", "first"),
            ("/run/secrets/deep", "secrets"),
            ("/dev/shm", "again"),
            ("/sys/fs/cgroup", "groups"),
        ] {
            assert_eq!(mount_at(&out, point).source, source, "{propagation}");
        }
    }
}
