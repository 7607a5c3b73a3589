//! Hooks whose program the image can choose must not be more than the image's own process.

use crate::support::Container;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const STATUS: &str =
    "#!/bin/sh\ngrep -E '^(Uid|CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status > /tmp/$1\n";

/// The path of a startContainer hook is resolved in the container: its program is the image's.
#[test]
fn a_start_hook_from_the_image_has_no_more_rights_than_the_container() {
    for own in [0, 1000] {
        let container = Container::new().sh("/bin/status own; sleep 0").edit(|config| {
            config["hooks"] = json!({"startContainer": [{"path": "/bin/status", "args": ["status", "hook"],
                "env": ["PATH=/bin"]}]});
            config["process"]["user"] = json!({"uid": own, "gid": own});
            config["process"]["noNewPrivileges"] = true.into();
        });
        let program = container.rootfs().join("bin/status");
        fs::write(&program, STATUS).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(container.rootfs().join("tmp"), fs::Permissions::from_mode(0o777)).unwrap();
        let ended = container.run();
        assert_eq!(ended.code, 0, "{}", ended.err);
        let read = |name: &str| fs::read_to_string(container.rootfs().join("tmp").join(name)).unwrap();
        assert_eq!(read("hook"), read("own"));
    }
}
