//! What the container of an ordinary user looks like from inside.

use crate::support::Container;
use crate::support::ordinary::{mount_of, ordinary_ids};
use serde_json::json;

fn lines(script: &str) -> Vec<String> {
    let ended = Container::ordinary().sh(script).run();
    assert_eq!(ended.err, "", "a plain container of an ordinary user runs without a warning");
    ended.ok().lines().map(str::to_owned).collect()
}

#[test]
fn an_ordinary_user_is_root_inside_and_has_no_other_id() {
    let (uid, gid) = ordinary_ids();
    let found = lines(
        "id -u; id -g; cat /proc/self/setgroups; set -- $(cat /proc/self/uid_map); echo $*; \
         set -- $(cat /proc/self/gid_map); echo $*; stat -c %u:%g /bin/busybox",
    );
    assert_eq!(
        found,
        ["0", "0", "deny", &format!("0 {uid} 1"), &format!("0 {gid} 1"), "0:0"],
        "the user's files are root's inside"
    );
}

#[test]
fn the_usual_file_systems_are_mounted_with_their_options() {
    let found = lines("cat /proc/self/mountinfo");
    let has = |point: &str, kind: &str, options: &[&str]| {
        let line = found.iter().rfind(|line| line.split(' ').nth(4) == Some(point));
        let line = line.unwrap_or_else(|| panic!("nothing is mounted on {point}: {found:#?}"));
        let (front, back) = line.split_once(" - ").expect("mountinfo has a dash");
        assert_eq!(back.split(' ').next(), Some(kind), "{line}");
        let given = front.split(' ').nth(5).unwrap_or_default();
        for option in options {
            assert!(given.split(',').any(|o| o == *option), "{point} is not {option}: {line}");
        }
    };
    has("/proc", "proc", &["nosuid", "nodev", "noexec"]);
    has("/sys", "sysfs", &["ro", "nosuid", "nodev", "noexec"]);
    has("/dev", "tmpfs", &["nosuid"]);
    has("/dev/pts", "devpts", &["nosuid", "noexec"]);
    has("/dev/shm", "tmpfs", &["nosuid", "nodev", "noexec"]);
    has("/dev/mqueue", "mqueue", &["nosuid", "nodev", "noexec"]);
}

#[test]
fn the_root_can_be_read_only_and_a_tmpfs_in_it_written() {
    let container = Container::ordinary()
        .sh("echo x > /tmp/a && cat /tmp/a; touch /b 2>&1")
        .edit(|config| {
            config["root"]["readonly"] = true.into();
            let mounts = config["mounts"].as_array_mut().expect("mounts");
            mounts.push(json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs",
                "options": ["nosuid", "nodev", "mode=1777", "size=1m"]}));
        })
        .run();
    assert!(container.out.starts_with("x\n"), "{container:?}");
    assert!(container.out.contains("Read-only file system"), "{container:?}");
}

#[test]
fn with_the_hosts_network_sys_is_a_bind_of_the_hosts() {
    let container = Container::ordinary().without_namespace("network").edit(|config| {
        *mount_of(config, "/sys") = json!({"destination": "/sys", "type": "none", "source": "/sys",
            "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]});
    });
    let out =
        container.sh("ls -d /sys/class/net/lo; touch /sys/x 2>&1; readlink /proc/self/ns/net").run().out;
    assert!(out.starts_with("/sys/class/net/lo\n"), "{out}");
    let own = std::fs::read_link("/proc/self/ns/net").expect("proc is mounted");
    assert!(out.trim_end().ends_with(own.to_str().expect("ASCII")), "{out}");
}

#[test]
fn devices_are_the_hosts_own_nodes_and_work() {
    let found = lines(
        "for d in null zero full random urandom tty; do stat -c '%n %F %t:%T' /dev/$d; done; \
         head -c 3 /dev/zero | wc -c; echo gone > /dev/null && wc -c < /dev/null; \
         echo x 2>/dev/null > /dev/full || echo full; readlink /dev/fd; readlink /dev/ptmx",
    );
    let node = |name: &str, number: &str| format!("/dev/{name} character special file {number}");
    assert_eq!(
        found,
        [
            node("null", "1:3"),
            node("zero", "1:5"),
            node("full", "1:7"),
            node("random", "1:8"),
            node("urandom", "1:9"),
            node("tty", "5:0"),
            "3".into(),
            "0".into(),
            "full".into(),
            "/proc/self/fd".into(),
            "pts/ptmx".into(),
        ]
    );
}

#[test]
fn a_listed_device_is_bound_too_and_no_node_can_be_made() {
    let container = Container::ordinary()
        .sh("stat -c %t:%T /dev/kmsg; mknod /dev/x c 1 3 2>/dev/null || echo refused")
        .edit(|config| {
            config["linux"]["devices"] =
                json!([{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11, "fileMode": 0o666}]);
        });
    assert_eq!(container.run().ok(), "1:b\nrefused\n");
}

#[test]
fn the_filter_and_no_new_privileges_hold() {
    let container = Container::ordinary()
        .sh("grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'; unshare -m true 2>&1")
        .edit(|config| config["process"]["noNewPrivileges"] = true.into());
    let ended = container.run();
    assert_eq!(
        ended.out, "NoNewPrivs:1\nSeccomp:2\nunshare: unshare(0x20000): Operation not permitted\n",
        "{ended:?}"
    );
}

#[test]
fn capabilities_are_those_of_the_config_in_every_set() {
    let found = lines("grep ^Cap /proc/self/status | tr -d '\\t'");
    let docker = "00000000a80425fb";
    assert_eq!(
        found,
        [
            "CapInh:0000000000000000".to_owned(),
            format!("CapPrm:{docker}"),
            format!("CapEff:{docker}"),
            format!("CapBnd:{docker}"),
            "CapAmb:0000000000000000".to_owned(),
        ]
    );
}

#[test]
fn masked_and_read_only_paths_hold() {
    let found = lines(
        "for f in kcore keys timer_list; do [ ! -e /proc/$f ] || [ -c /proc/$f ] || echo $f; done; ls /sys/firmware | wc -l; ls /proc/acpi 2>/dev/null | wc -l; \
         (echo 1 > /proc/sys/kernel/domainname) 2>&1 | grep -c 'Read-only'",
    );
    assert_eq!(found, ["0", "0", "1"]);
}

#[test]
fn the_host_name_and_namespaced_sysctls_are_the_containers_own() {
    let container = Container::ordinary()
        .sh("hostname; cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_unprivileged_port_start; ip link show lo | grep -c UP")
        .edit(|config| {
            config["hostname"] = "tiny".into();
            config["domainname"] = "example".into();
            config["linux"]["sysctl"] = json!({"net.ipv4.ip_unprivileged_port_start": "80"});
        });
    assert_eq!(container.run().ok(), "tiny\nexample\n80\n1\n");
}

#[test]
fn binds_are_made_from_what_the_user_may_read() {
    let container = Container::ordinary().sh("cat /data/a /file; touch /data/b 2>&1").edit(|config| {
        let mounts = config["mounts"].as_array_mut().expect("mounts");
        mounts.push(json!({"destination": "/data", "source": "../data", "options": ["rbind", "ro"]}));
        mounts.push(json!({"destination": "/file", "source": "../data/a", "options": ["bind"]}));
    });
    std::fs::create_dir(container.dir.join("data")).expect("the test's directory is writable");
    std::fs::write(container.dir.join("data/a"), "seen\n").expect("the test's directory is writable");
    let ended = container.run();
    assert!(ended.out.starts_with("seen\nseen\n") && ended.out.contains("Read-only"), "{ended:?}");
}

#[test]
fn a_terminal_works_without_a_group_for_terminals() {
    let container = Container::ordinary()
        .sh("tty; stat -c %F /dev/console; [ -t 0 ] && [ -t 2 ] && echo all")
        .edit(|config| config["process"]["terminal"] = true.into());
    container.write_config();
    if !std::path::Path::new("/usr/bin/script").exists() {
        skip!("there is no script(1) to give a terminal");
    }
    let line = format!(
        "{} --root {} run --bundle {} {}",
        container.binary().display(),
        container.state_root().display(),
        container.bundle().display(),
        container.id
    );
    let mut command = container.as_user("/usr/bin/script");
    command.args(["-qec", &line, "/dev/null"]).stdin(std::process::Stdio::null());
    let ended = crate::support::finish(command);
    // script(1) echoes the end of its own input somewhere among the lines.
    assert!(
        ended.out.replace('\r', "").replace("^@", "").ends_with("/dev/pts/0\ncharacter special file\nall\n"),
        "{ended:?}"
    );
}

#[test]
fn time_namespaces_and_resource_limits_below_the_hard_limit_work() {
    let container = Container::ordinary()
        .sh("ulimit -n; read up rest < /proc/uptime; [ ${up%.*} -ge 100000 ] && echo shifted")
        .namespace("time", None)
        .edit(|config| {
            config["linux"]["timeOffsets"] = json!({"boottime": {"secs": 100_000}});
            config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]);
        });
    assert_eq!(container.run().ok(), "100\nshifted\n");
}

/// An ordinary user's rruntime takes the listener from init, and from a joiner that was never its own user namespace's.
#[test]
fn the_seccomp_agent_gets_its_listener_where_the_profile_forbids_to_send_it() {
    use std::os::unix::fs::PermissionsExt;
    for no_new_privs in [true, false] {
        let container = Container::ordinary().sh("while :; do sleep 1; done");
        let path = container.dir.join("agent.sock");
        let agent = std::os::unix::net::UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        let container = container.edit(|config| {
            config["process"]["noNewPrivileges"] = no_new_privs.into();
            config["linux"]["seccomp"] = json!({
                "defaultAction": "SCMP_ACT_ALLOW",
                "listenerPath": path,
                "syscalls": [
                    {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"},
                    {"names": ["sendmsg"], "action": "SCMP_ACT_ERRNO"},
                ],
            });
        });
        let container = container.started();
        container.call(&["exec", &container.id, "true"]).ok();
        agent.set_nonblocking(true).unwrap();
        let told = std::iter::from_fn(|| agent.accept().ok()).count();
        assert_eq!(told, 2, "create and exec, no_new_privs {no_new_privs}");
    }
}

/// podman sets a parameter for every ordinary user's container, and the kernel mounts no proc without a pid namespace.
#[test]
fn kernel_parameters_are_set_where_the_hosts_processes_are_shared() {
    let container = Container::ordinary().without_namespace("pid").namespace("network", None).edit(|config| {
        config["linux"]["sysctl"] = json!({"net.ipv4.ip_unprivileged_port_start": "77"});
        let proc = mount_of(config, "/proc");
        *proc = json!({"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind", "nosuid", "nodev"]});
        config["linux"]["maskedPaths"] = json!([]);
        config["linux"]["readonlyPaths"] = json!([]);
    });
    let ended = container.sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start; ls -l /proc/self/fd").run();
    let out = ended.ok();
    assert!(out.starts_with("77\n"), "{out}");
    assert!(!out.contains(" /proc\n"), "nothing of it stays open: {out}");
}
