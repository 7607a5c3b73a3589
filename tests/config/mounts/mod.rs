//! `mounts`: what options do, what comes to a running container and goes again, and what stays impossible. The oracle
//! is /proc/self/mountinfo inside.

mod binds;
mod cgroups;
mod devices;
mod filesystems;
mod idmap;
mod links;
mod live;
mod many;
mod options;
mod overlay;
mod paths;
mod plugged;
mod propagation;
mod small_table;

use crate::support::Container;
use serde_json::json;

/// A user namespace whose root is the host's 100000, and a root filesystem that is its own.
fn in_user_namespace(container: Container) -> Container {
    let container = container.namespace("user", None).edit(|config| {
        let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "cgroup");
    });
    let mut chown = std::process::Command::new("chown");
    assert!(chown.args(["-hR", "100000:100000"]).arg(container.rootfs()).status().unwrap().success());
    container
}
