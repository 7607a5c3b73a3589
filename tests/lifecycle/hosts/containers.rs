//! rruntime inside a container of rruntime: with all rights, with Docker's, and of an ordinary user.

use crate::support::{Container, Ended, RRUNTIME, copy_program, make_rootfs};
use serde_json::{Value, json};
use std::fs;

/// Runs the inner container in the outer one; what both print comes together.
fn nested(outer: Container, inner: &Value, options: &str) -> Ended {
    let bundle = outer.rootfs().join("inner");
    make_rootfs(&bundle.join("rootfs"));
    fs::write(bundle.join("config.json"), inner.to_string()).unwrap();
    copy_program(RRUNTIME.as_ref(), &outer.rootfs().join("bin/rruntime"));
    let script = format!("cd /inner && exec rruntime --root /tmp/state {options} run inner");
    let outer = outer.sh(&script);
    let ended = outer.run();
    outer.assert_gone();
    ended
}

/// Without masks, filter and a sysfs that is read-only, and with the rights that `privileged` of engines gives.
fn privileged(config: &mut Value) {
    let linux = config["linux"].as_object_mut().unwrap();
    for field in ["seccomp", "maskedPaths", "readonlyPaths"] {
        linux.remove(field);
    }
    config["process"].as_object_mut().unwrap().remove("noNewPrivileges");
    for set in ["bounding", "effective", "permitted"] {
        let set = config["process"]["capabilities"][set].as_array_mut().unwrap();
        set.extend(["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE"].map(Into::into));
    }
    for mount in config["mounts"].as_array_mut().unwrap() {
        if ["cgroup", "sysfs"].contains(&mount["type"].as_str().unwrap()) {
            mount["options"] = json!(["nosuid", "noexec", "nodev", "rw"]);
        }
    }
}

/// A config of an ordinary user's, whose root is the outer container's.
fn rootless() -> Value {
    let mut config = Container::ordinary().sh("id -u; echo inside").config.clone();
    for map in ["uidMappings", "gidMappings"] {
        config["linux"][map] = json!([{"containerID": 0, "hostID": 0, "size": 1}]);
    }
    config
}

#[test]
fn in_a_privileged_container_everything_works() {
    let outer = Container::new().edit(privileged).edit(|c| {
        c["linux"]["resources"]["devices"] = json!([{"allow": true, "access": "rwm"}]);
    });
    let mut inner =
        Container::new().sh("echo $$; cat /proc/self/cgroup | grep -c /inner; echo inside").config.clone();
    inner["linux"]["cgroupsPath"] = "/inner".into();
    let out = nested(outer, &inner, "").ok();
    assert!(out.starts_with("1\n") && out.ends_with("\ninside\n"), "{out}");
    let outer = Container::new().edit(privileged);
    assert_eq!(nested(outer, &rootless(), "--rootless true").ok(), "0\ninside\n");
}

#[test]
fn in_a_container_with_dockers_rights_each_error_says_what_stands_in_the_way() {
    let mut inner = Container::new().sh("echo INSIDE").config.clone();
    inner["linux"]["cgroupsPath"] = "/inner".into();
    let error = nested(Container::new(), &inner, "").fails();
    assert!(error.contains("/linux/namespaces") && error.contains("user namespace"), "{error}");

    let error = nested(Container::new(), &rootless(), "").fails();
    assert!(error.contains("read-only") && error.contains("--cgroup-manager disabled"), "{error}");

    let error = nested(Container::new(), &rootless(), "--rootless true").fails();
    assert!(error.contains("seccomp filter around the runtime"), "Docker's filter has no clone3: {error}");

    let unfiltered =
        || Container::new().edit(|c| drop(c["linux"].as_object_mut().unwrap().remove("seccomp")));
    let error = nested(unfiltered(), &rootless(), "--rootless true").fails();
    assert!(error.contains("/proc") && error.contains("parts masked") && error.contains("bind"), "{error}");

    // What the error says: proc and sysfs that are there are bound.
    let mut inner = rootless();
    for mount in inner["mounts"].as_array_mut().unwrap() {
        if let "proc" | "sysfs" = mount["type"].as_str().unwrap() {
            let place = mount["destination"].clone();
            *mount = json!({"destination": place, "source": place, "type": "bind", "options": ["rbind"]});
        }
    }
    assert_eq!(nested(unfiltered(), &inner, "--rootless true").ok(), "0\ninside\n");
}

#[test]
fn in_an_ordinary_users_container_it_works_where_nothing_is_masked_and_says_so_elsewhere() {
    let mut shared = rootless();
    let linux = shared["linux"].as_object_mut().unwrap();
    for map in ["uidMappings", "gidMappings"] {
        linux.remove(map);
    }
    linux["namespaces"].as_array_mut().unwrap().retain(|namespace| namespace["type"] != "user");
    for inner in [rootless(), shared] {
        let outer = Container::ordinary().edit(privileged);
        assert_eq!(nested(outer, &inner, "").ok(), "0\ninside\n");
    }
    let masked = Container::ordinary().edit(privileged).edit(|c| {
        c["linux"]["maskedPaths"] = json!(["/proc/keys"]);
    });
    let error = nested(masked, &rootless(), "").fails();
    assert!(error.contains("parts masked"), "{error}");
}
