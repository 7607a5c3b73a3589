//! The config that `spec` writes.

use rruntime::spec::load::parse;
use rruntime::spec::template::{CgroupVersion, Runner, template};
use rruntime::spec::validate::{Checked, Circumstances, validate};
use rruntime::spec::{IdMapping, Spec};

fn kinds(spec: &Spec) -> Vec<String> {
    let namespaces = spec.linux.iter().flat_map(|linux| &linux.namespaces);
    namespaces.map(|namespace| namespace.kind.to_string()).collect()
}

#[test]
fn the_template_passes_validation_and_a_round_trip() {
    for runner in [Runner::Root, Runner::Ordinary { uid: 1000, gid: 100 }] {
        for cgroup in [CgroupVersion::V1, CgroupVersion::V2] {
            let spec = template(runner, cgroup);
            let facts = Circumstances { unprivileged: runner != Runner::Root, ..Circumstances::default() };
            assert_eq!(validate(&spec, &facts).expect("is valid"), Checked::default());
            let text = serde_json::to_string(&spec).expect("is JSON");
            let again: Spec = parse("config.json", text.as_bytes()).expect("is a config");
            assert_eq!(serde_json::to_string(&again).expect("is JSON"), text);
        }
    }
}

#[test]
fn a_cgroup_namespace_is_for_v2() {
    let five = ["pid", "network", "ipc", "uts", "mount"];
    assert_eq!(kinds(&template(Runner::Root, CgroupVersion::V1)), five);
    assert_eq!(kinds(&template(Runner::Root, CgroupVersion::V2))[5..], ["cgroup"]);
}

#[test]
fn an_ordinary_user_gets_a_user_namespace_and_no_ids_but_one() {
    let spec = template(Runner::Ordinary { uid: 1000, gid: 100 }, CgroupVersion::V2);
    assert_eq!(kinds(&spec), ["pid", "ipc", "uts", "mount", "cgroup", "user"]);
    let linux = spec.linux.as_ref().expect("has linux");
    assert_eq!(linux.uid_mappings, [IdMapping { container_id: 0, host_id: 1000, size: 1 }]);
    assert_eq!(linux.gid_mappings, [IdMapping { container_id: 0, host_id: 100, size: 1 }]);
    assert!(linux.resources.is_none());
    assert!(spec.mounts.iter().all(|mount| mount.options.iter().all(|option| !option.starts_with("gid="))));
    let sys = spec.mounts.iter().find(|mount| &*mount.destination == "/sys").expect("has /sys");
    assert_eq!(&*sys.options[0], "rbind");
}
