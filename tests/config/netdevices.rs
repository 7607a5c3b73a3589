//! `linux.netDevices`: devices of the host move into the container, with their addresses, and go back if it cannot be
//! made. The "host" is a network namespace of each test's own, with veth pairs in it: the machine's devices stay where
//! they are.

use crate::support::{Container, Ended, RRUNTIME, finish};
use serde_json::{Value, json};
use std::process::Command;

/// Runs this script in a new network and mount namespace, as the host of the container: `$RR` is the binary with the
/// container's state directory, `$BUNDLE` and `$ID` are the container's, and `ip` makes devices.
fn on_host(container: &Container, script: &str) -> Ended {
    container.write_config();
    let script = format!(
        "RR='{RRUNTIME} --root {}'; BUNDLE={}; ID={}\nip link set lo up\n{script}",
        container.state_root().display(),
        container.bundle().display(),
        container.id,
    );
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "sh", "-ec", &script]).stdin(std::process::Stdio::null());
    finish(command)
}

const RUN: &str = "$RR run --bundle $BUNDLE $ID";

/// A veth pair: `eth7` to move, and its other end.
const PAIR: &str = "ip link add eth7 type veth peer name far7; ip link set far7 up";

fn with_devices(devices: Value) -> Container {
    Container::new().edit(|c| c["linux"]["netDevices"] = devices)
}

#[test]
fn a_device_moves_with_its_name_and_is_up() {
    let container =
        with_devices(json!({"eth7": {}})).sh("cat /sys/class/net/eth7/operstate; ls /sys/class/net");
    let out = on_host(&container, &format!("{PAIR}; {RUN}; ls /sys/class/net | grep -c eth7 || true")).ok();
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("up"), "{out}");
    let inside: Vec<&str> = lines.collect();
    assert!(inside.contains(&"eth7") && inside.contains(&"lo"), "{out}");
}

#[test]
fn a_device_is_renamed_and_keeps_its_address_of_hardware_and_its_mtu() {
    let container = with_devices(json!({"eth7": {"name": "c0"}}))
        .sh("cat /sys/class/net/c0/address /sys/class/net/c0/mtu; test ! -e /sys/class/net/eth7");
    let set = "ip link set eth7 address 02:00:00:00:aa:07 mtu 1337";
    let out = on_host(&container, &format!("{PAIR}; {set}; {RUN}")).ok();
    assert_eq!(out, "02:00:00:00:aa:07\n1337\n");
}

#[test]
fn permanent_global_addresses_are_kept_and_others_are_not() {
    let container = with_devices(json!({"eth7": {"name": "c0"}})).sh("ip addr show c0");
    let set = "ip addr add 192.0.2.7/24 brd + dev eth7
        ip addr add 192.0.2.8/24 dev eth7 label eth7:two
        ip addr add 198.51.100.1 peer 198.51.100.2/32 dev eth7
        ip addr add 203.0.113.9/32 dev eth7 scope link
        ip addr add 203.0.113.10/32 dev eth7 valid_lft 600 preferred_lft 600
        ip addr add 2001:db8::7/64 dev eth7 nodad
        ip addr add 2001:db8::8/64 dev eth7 nodad preferred_lft 0
        ip addr add 2001:db8::9/64 dev eth7 nodad valid_lft 600 preferred_lft 600
        ip link set eth7 up";
    let out = on_host(&container, &format!("{PAIR}; {set}; {RUN}")).ok();
    for kept in [
        "192.0.2.7/24 brd 192.0.2.255 scope global c0",
        "192.0.2.8/24 scope global secondary c0:two",
        "198.51.100.1 peer 198.51.100.2/32 scope global c0",
        "2001:db8::7/64 scope global",
        "2001:db8::8/64 scope global",
    ] {
        assert!(out.contains(kept), "{kept}\n{out}");
    }
    let deprecated = out.lines().find(|line| line.contains("2001:db8::8")).unwrap();
    assert!(deprecated.contains("deprecated"), "{out}");
    for gone in ["203.0.113.9", "203.0.113.10", "2001:db8::9"] {
        assert!(!out.contains(gone), "{gone}\n{out}");
    }
}

#[test]
fn traffic_passes_through_a_device_that_was_moved() {
    let container =
        with_devices(json!({"eth7": {"name": "c0"}})).sh("ping -c1 -W5 192.0.2.1 > /dev/null && echo passed");
    let set = "ip addr add 192.0.2.7/24 dev eth7; ip addr add 192.0.2.1/24 dev far7";
    assert_eq!(on_host(&container, &format!("{PAIR}; {set}; {RUN}")).ok(), "passed\n");
}

#[test]
fn two_devices_can_swap_their_names() {
    let container = with_devices(json!({"eth7": {"name": "eth8"}, "eth8": {"name": "eth7"}}))
        .sh("cat /sys/class/net/eth7/mtu /sys/class/net/eth8/mtu");
    let set =
        "ip link add eth8 type veth peer name far8; ip link set eth7 mtu 1307; ip link set eth8 mtu 1308";
    assert_eq!(on_host(&container, &format!("{PAIR}; {set}; {RUN}")).ok(), "1308\n1307\n");
}

#[test]
fn the_kernel_chooses_a_number_where_the_name_is_a_pattern() {
    let container = with_devices(json!({"eth7": {"name": "net%d"}, "eth8": {"name": "net%d"}}))
        .sh("ls -d /sys/class/net/net*");
    let out = on_host(&container, &format!("{PAIR}; ip link add eth8 type veth peer name far8; {RUN}")).ok();
    assert_eq!(out, "/sys/class/net/net0\n/sys/class/net/net1\n");
}

#[test]
fn sysctls_and_hooks_find_the_device_in_place() {
    let container = with_devices(json!({"eth7": {"name": "c0"}}))
        .edit(|c| {
            c["linux"]["sysctl"] = json!({"net.ipv4.conf.c0.forwarding": "1"});
            c["hooks"] = json!({"createContainer": [
                {"path": "/bin/sh", "args": ["sh", "-c", "ls -d /proc/sys/net/ipv4/conf/c0"]}
            ]});
        })
        .sh("cat /proc/sys/net/ipv4/conf/c0/forwarding");
    assert_eq!(on_host(&container, &format!("{PAIR}; {RUN}")).ok(), "1\n");
}

#[test]
fn a_device_moves_into_a_namespace_that_is_joined_and_stays_there() {
    let path = "/run/rr-test-netns";
    let container = with_devices(json!({"eth7": {"name": "c0"}}))
        .namespace("network", Some(path))
        .sh("ls /sys/class/net");
    let script = format!(
        "{PAIR}; mount -t tmpfs none /run; touch {path}; unshare --net={path} true
         ip addr add 192.0.2.7/24 dev eth7
         {RUN}; nsenter --net={path} ip addr show c0"
    );
    let out = on_host(&container, &script).ok();
    assert!(out.starts_with("c0\nlo\n") && out.contains("192.0.2.7/24"), "{out}");
}

#[test]
fn a_device_moves_into_the_namespace_of_a_container_with_a_user_namespace() {
    let container = with_devices(json!({"eth7": {"name": "c0"}}))
        .edit(|c| {
            let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
            c["linux"]["uidMappings"] = map.clone();
            c["linux"]["gidMappings"] = map;
            c["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        })
        .sh("cat /sys/class/net/c0/operstate");
    std::os::unix::fs::chown(container.rootfs(), Some(100_000), Some(100_000)).unwrap();
    let ended = on_host(&container, &format!("{PAIR}; {RUN}"));
    assert_eq!(ended.ok(), "up\n");
}

/// What `ip` tells of the device on the host, without its number, which may change.
const LOOK: &str =
    "ip -o addr show eth7 | sed 's/^[0-9]*: //' | sort; ip -o link show eth7 | grep -o '[<,]UP[,>]'";

/// The device is on the host afterwards as it was before, and nothing is left of the container.
#[track_caller]
fn assert_put_back(container: &Container, prepare: &str, command: &str) -> String {
    let script = format!(
        "{PAIR}; ip addr add 192.0.2.7/24 dev eth7; ip addr add 2001:db8::7/64 dev eth7 nodad; ip link set eth7 up
         ip link set eth7 mtu 1337; {prepare}
         ({LOOK}) > {dir}/before; ! $RR {command} --bundle $BUNDLE $ID; ({LOOK}) > {dir}/after
         ip link show eth7 | grep -o 'mtu [0-9]*'",
        dir = container.dir.display()
    );
    let ended = on_host(container, &script);
    let err = ended.err.clone();
    assert_eq!(ended.ok(), "mtu 1337\n");
    let read = |name: &str| std::fs::read_to_string(container.dir.join(name)).unwrap();
    // An address of the link itself is made anew, and first checked.
    let stable = |text: String| -> Vec<String> {
        text.lines().filter(|line| !line.contains("scope link")).map(str::to_owned).collect()
    };
    assert_eq!(stable(read("after")), stable(read("before")), "{err}");
    container.assert_gone();
    err
}

#[test]
fn a_device_goes_back_if_a_later_step_fails() {
    let container = with_devices(json!({"eth7": {"name": "c0"}})).args(&["/no/such/program"]);
    let err = assert_put_back(&container, "", "run");
    assert!(err.contains("/no/such/program"), "{err}");
    let container = with_devices(json!({"eth7": {"name": "c0"}}))
        .edit(|c| c["hooks"] = json!({"createRuntime": [{"path": "/bin/false"}]}))
        .sh("true");
    let err = assert_put_back(&container, "", "create");
    assert!(err.contains("/hooks/createRuntime/0"), "{err}");
}

#[test]
fn a_device_goes_back_if_another_one_cannot_move() {
    // A bridge belongs to its namespace, and this one comes after eth7.
    let container = with_devices(json!({"eth7": {"name": "c0"}, "zz": {}})).sh("true");
    let err = assert_put_back(&container, "ip link add zz type bridge", "run");
    assert!(err.contains("/linux/netDevices/zz") && err.contains("cannot be moved"), "{err}");
}

/// A hook in a neighbour's part: it puts a device of its own in the place of the host's, with its number and name.
fn replacing(container: &Container, enter: &str) -> Value {
    let text = format!(
        "#!/bin/sh\n{enter} sh -ec 'n=$(cat /sys/class/net/c0/ifindex); ip link del c0
         ip link add c0 index $n type veth peer name far; ip link set c0 mtu 1400' || echo not replaced\nexit 1\n"
    );
    let path = container.dir.join("replace");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    json!([{"path": path, "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}])
}

const ADDRESS: &str = "ip addr add 192.0.2.7/24 dev eth7; ip link set eth7 up";

#[test]
fn nothing_comes_back_from_a_namespace_that_was_joined() {
    let path = "/run/rr-test-netns";
    for replaced in [true, false] {
        let container = with_devices(json!({"eth7": {"name": "c0"}, "eth8": {"name": "c1"}}));
        let container = container.namespace("network", Some(path)).sh("true");
        let hook = match replaced {
            true => replacing(
                &container,
                &format!("nsenter --net={path} unshare -m sh -ec 'mount -t sysfs n /sys; exec \"$@\"' -"),
            ),
            false => json!([{"path": "/bin/false"}]),
        };
        let container = container.edit(|c| c["hooks"] = json!({"createRuntime": hook}));
        let script = format!(
            "{PAIR}; {ADDRESS}; ip link add eth8 type veth peer name far8; mount -t tmpfs none /run; touch {path}
             unshare --net={path} true
             ! {RUN}; ls /sys/class/net; nsenter --net={path} ip -o link show c0
             nsenter --net={path} ip -o link show c1; ip addr"
        );
        let ended = on_host(&container, &script);
        let (err, out) = (ended.err.clone(), ended.ok());
        assert!(err.contains("hooks/createRuntime/0") && !err.contains("not replaced"), "{err}");
        assert_eq!(out.contains("mtu 1400"), replaced, "the hook has not done its part: {out}");
        assert!(!out.contains("eth7\n") && !out.contains("eth8\n") && !out.contains("192.0.2.7"), "{out}");
        for (name, there) in [("eth7", "c0"), ("eth8", "c1")] {
            assert!(err.contains(&format!("network device {name} (there: {there}) stays")), "{err}");
        }
        container.assert_gone();
    }
}

#[test]
fn a_device_that_took_the_place_of_the_hosts_does_not_come_back_from_the_containers_own_namespace() {
    let container = with_devices(json!({"eth7": {"name": "c0"}})).sh("true");
    let enter = "nsenter --net=/proc/$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')/ns/net unshare -m sh -ec \
                 'mount -t sysfs n /sys; exec \"$@\"' -";
    let hook = replacing(&container, enter);
    let container = container.edit(|c| c["hooks"] = json!({"createRuntime": hook}));
    let ended = on_host(&container, &format!("{PAIR}; {ADDRESS}; ! {RUN}; ls /sys/class/net; ip addr"));
    let (err, out) = (ended.err.clone(), ended.ok());
    assert!(err.contains("hooks/createRuntime/0") && !err.contains("not replaced"), "{err}");
    assert!(!out.contains("eth7") && !out.contains("192.0.2.7") && !out.contains("mtu 1400"), "{out}");
    assert!(err.contains("eth7 could not be put back"), "{err}");
    container.assert_gone();
}

#[test]
fn a_name_that_is_taken_in_the_container_is_refused_by_its_field() {
    let container = with_devices(json!({"eth7": {"name": "lo"}})).sh("true");
    let err = assert_put_back(&container, "", "run");
    assert!(err.contains("/linux/netDevices/eth7/name") && err.contains("already"), "{err}");
    let path = "/run/rr-test-netns";
    for (device, field) in [(json!({"name": "c0"}), "eth7/name"), (json!({}), "eth7")] {
        let taken = if field == "eth7" { "eth7" } else { "c0" };
        let container = with_devices(json!({"eth7": device})).namespace("network", Some(path)).sh("true");
        let prepare = format!(
            "mount -t tmpfs none /run; touch {path}
             unshare --net={path} ip link add {taken} type veth peer name far"
        );
        let err = assert_put_back(&container, &prepare, "run");
        assert!(err.contains(&format!("/linux/netDevices/{field}")) && err.contains("already"), "{err}");
    }
}

#[test]
fn a_device_that_is_missing_is_refused_before_anything_changes() {
    let container = with_devices(json!({"eth7": {}, "missing0": {}, "missing1": {"name": "x"}})).sh("true");
    let err = on_host(&container, &format!("{PAIR}; {RUN}")).fails();
    for field in ["/linux/netDevices/missing0", "/linux/netDevices/missing1"] {
        assert!(err.contains(field), "{err}");
    }
    assert!(err.contains("no network device of this name"), "{err}");
    container.assert_gone();
}

#[test]
fn the_loopback_device_is_refused() {
    let err = on_host(&with_devices(json!({"lo": {"name": "lo9"}})).sh("true"), RUN).fails();
    assert!(err.contains("/linux/netDevices/lo") && err.contains("loopback"), "{err}");
}

#[test]
fn a_container_in_the_hosts_network_namespace_is_refused() {
    let container = with_devices(json!({"eth7": {}})).without_namespace("network").sh("true");
    let err = on_host(&container, &format!("{PAIR}; {RUN}")).fails();
    assert!(err.contains("/linux/netDevices") && err.contains("network namespace"), "{err}");
    let tests = format!("/proc/{}/ns/net", std::process::id());
    for path in ["/proc/self/ns/net", "/proc/thread-self/ns/net", &tests] {
        let container = with_devices(json!({"lo": {}})).namespace("network", Some(path)).sh("true");
        let err = if path == tests { container.run() } else { on_host(&container, RUN) }.fails();
        assert!(err.contains("/linux/netDevices") && err.contains("is the host's"), "{path}: {err}");
        container.assert_gone();
    }
}

#[test]
fn names_that_no_device_can_have_are_refused_by_their_field() {
    for (devices, field) in [
        (json!({"a/b": {}}), "/linux/netDevices/a~1b"),
        (json!({"eth%d": {}}), "/linux/netDevices/eth%d"),
        (json!({"eth7": {"name": "%dx"}}), "/linux/netDevices/eth7/name"),
        (json!({"eth7": {"name": "%d%d"}}), "/linux/netDevices/eth7/name"),
        (json!({"eth7": {"name": "a-name-too-long%d"}}), "/linux/netDevices/eth7/name"),
        (json!({"eth7": {"name": "with space"}}), "/linux/netDevices/eth7/name"),
        (json!({"eth7": {"name": 7}}), "/linux/netDevices/eth7/name"),
        (json!({"eth7": "c0"}), "/linux/netDevices/eth7"),
        (json!({"eth7": {"name": "c0"}, "eth8": {"name": "c0"}}), "/linux/netDevices/eth8/name"),
        (json!({"eth7": {"name": "eth8"}, "eth8": {}}), "/linux/netDevices/eth8/name"),
    ] {
        let container = with_devices(devices).sh("true");
        let err = on_host(&container, &format!("{PAIR}; {RUN}")).fails();
        assert!(err.contains(field), "{field}: {err}");
        container.assert_gone();
    }
}

#[test]
fn an_ordinary_user_cannot_move_devices() {
    let mut container = Container::ordinary().sh("true");
    container.config["linux"]["netDevices"] = json!({"lo": {"name": "lo9"}});
    let err = container.run().fails();
    assert!(err.contains("/linux/netDevices") && err.contains("ordinary user"), "{err}");
}
