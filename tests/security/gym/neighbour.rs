//! A container that is made in the pid namespace of another, which has a spy in it: `create` seen from its first instant.

use crate::gym::caught::{self, Allowed, Tally};
use crate::gym::joiner::{host_mark, hunting, ready};
use crate::gym::runtime::{self, Runtime, Terms, Wanted, bounded};
use crate::gym::spy;
use crate::gym::stand::{self, judge};
use crate::needs_spies;
use crate::support::Container;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);

/// `container` shares the pid namespace of `other`, and its user namespace where it has one.
pub fn beside(other: &Container, container: Container) -> Container {
    let namespace = |kind: &str| format!("/proc/{}/ns/{kind}", other.pid());
    let container = container.namespace("pid", Some(&namespace("pid")));
    if container.config["linux"]["uidMappings"].is_null() {
        return container;
    }
    container.namespace("user", Some(&namespace("user"))).edit(|config| {
        let linux = config["linux"].as_object_mut().expect("linux");
        linux.remove("uidMappings");
        linux.remove("gidMappings");
    })
}

/// Creates the container by a command that `wrap` may change, starts it and takes it away, whatever its neighbour does.
pub fn make(container: Container, wrap: impl Fn(Command) -> Command) {
    container.write_config();
    let pid_file = container.dir.join("pid");
    let bundle = container.bundle();
    let words = [
        "create",
        "--bundle",
        bundle.to_str().unwrap(),
        "--pid-file",
        pid_file.to_str().unwrap(),
        &container.id,
    ];
    let created = bounded(wrap(container.command(&words)), LIMIT);
    if created.is_some_and(|status| status.success()) {
        // What became of it is seen by its pid.
        let _ = bounded(container.command(&["start", &container.id]), LIMIT);
    }
    let pid = fs::read_to_string(&pid_file).ok().and_then(|pid| pid.trim().parse().ok());
    runtime::away(container, pid.unwrap_or(0));
}

/// Containers created beside a tracer, and taken away.
pub fn created(runtime: &Runtime, terms: Terms, wanted: Wanted) -> Tally {
    runtime::adopt();
    let hunter = hunting(runtime, terms, "trace");
    let prepare = || beside(&hunter, terms.apply(runtime.container())).args(&["/bin/true"]);
    let allowed = caught::allowed(&prepare().config);
    runtime::until(wanted, || {
        make(prepare(), |command| command);
        caught::tally(&hunter, &allowed)
    })
}

#[test]
fn a_container_made_beside_a_tracer_has_its_own_rights_from_its_first_instant() {
    needs_spies!();
    for terms in Terms::all() {
        let tally = created(&runtime::ours(), terms, Wanted::Met(2));
        assert!(tally.met > 0, "{terms}: the hunter met nobody, so the case shows nothing");
        judge(stand::CREATED_BESIDE, tally.caught == 0, &format!("create beside a tracer, {terms}: {tally}"));
    }
}

/// Creates containers in a mount namespace with a mark in its table, beside a reader with no rights at all: a catch is
/// one of those that it has read and that showed the mark.
pub fn tables(runtime: &Runtime, terms: Terms, wanted: Wanted) -> Tally {
    runtime::adopt();
    let reader = runtime.container();
    let word = format!("gym-{}", reader.id);
    let host = format!("{},{word}", host_mark(&reader));
    spy::put(&reader, "hunter");
    let reader = terms.apply(reader).args(&["/hunter", "look", spy::REPORT, &host]).edit(|config| {
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        config["process"]["capabilities"] = json!({});
    });
    fs::set_permissions(reader.rootfs().join("tmp"), fs::Permissions::from_mode(0o777)).unwrap();
    let reader = ready(reader.started());
    // Its rights and descriptors are another case's; no limit is none of them.
    let anything =
        Allowed { capabilities: u64::MAX, filters: 0, no_new_privs: false, descriptors: usize::MAX };
    runtime::until(wanted, || {
        let container = beside(&reader, terms.apply(runtime.container())).args(&["/bin/true"]);
        let place = container.dir.join("marked");
        fs::create_dir(&place).unwrap();
        make(container, |ours| {
            let mut marked = Command::new("unshare");
            marked.args(["-m", "sh", "-ec", "mount -t tmpfs $0 $1; shift; exec \"$@\"", &word]).arg(&place);
            marked.arg(ours.get_program()).args(ours.get_args());
            marked
        });
        caught::tally(&reader, &anything)
    })
}

#[test]
fn a_neighbour_reads_no_mount_table_of_the_host() {
    needs_spies!();
    if fs::read_dir("/proc/1/fd").is_err() {
        skip!("a mount needs root");
    }
    for terms in Terms::all().filter(|terms| terms.filter) {
        let tally = tables(&runtime::ours(), terms, Wanted::Met(4));
        assert!(tally.met > 0, "{terms}: the neighbour read nothing, so the case shows nothing");
        judge(
            stand::MOUNT_TABLE,
            tally.caught == 0,
            &format!("mount tables beside create, {terms}: {tally}"),
        );
    }
}
