//! What a hostile container can see of a process that joins it, before that process has become the container's
//! own: CVE-2016-9962.

use crate::canary::Canary;
use crate::support::{Container, wait_until};
use serde_json::{Value, json};
use std::fs;

/// Looks for the canary through all that the kernel shows of every other process. Our own processes lead to the
/// container's root only, so whatever finds the mark has found a way out.
const SPY: &str = r#"
touch /tmp/ready
found() { echo "$1 of $(cat $2/comm)" >> /tmp/seen; }
while :; do
  for p in /proc/[0-9]*; do
    [ $p = /proc/1 ] && continue
    for f in $p/root $p/cwd $p/fd/*; do
      [ -e $f/canary-mark ] && found $f $p
      [ -e $f/../canary-mark ] && found $f $p
      [ -e $f$CANARY/canary-mark ] && found $f $p
      [ -e $f/$HOST/root$CANARY/canary-mark ] && found $f $p
    done
    (: < $p/mem) 2>/dev/null && [ "$(cat $p/comm 2>/dev/null)" = rruntime:init ] && found mem $p
  done
done
"#;

fn privileged(config: &mut Value) {
    for set in ["bounding", "effective", "permitted"] {
        config["process"]["capabilities"][set].as_array_mut().unwrap().push(json!("CAP_SYS_PTRACE"));
    }
    config["linux"].as_object_mut().unwrap().remove("seccomp");
}

fn spy(edit: impl FnOnce(&mut Value), execs: u32) -> String {
    let container = Container::new();
    let canary = Canary::of(&container);
    let script = format!("CANARY={} HOST={}\n{SPY}", canary.text(), std::process::id());
    let container = container.sh(&script).edit(edit).started();
    let file = |name: &str| container.rootfs().join("tmp").join(name);
    wait_until("the spy begins", || file("ready").exists());
    for _ in 0..execs {
        let ended = container.call(&["exec", &container.id, "true"]);
        assert_eq!(ended.code, 0, "{}", ended.err);
    }
    canary.assert_untouched("spy");
    fs::read_to_string(file("seen")).unwrap_or_default()
}

/// Collects the capabilities of every process that is about to become another program.
const READER: &str = r#"
touch /tmp/ready
while :; do
  for p in /proc/[0-9]*; do
    while read -r name value; do
      case "$name $value" in
        "Name: rruntime:init") ;;
        "Name: "*) break;;
        "CapPrm: "*|"CapEff: "*|"CapBnd: "*|"Uid: "*) echo "$name $value" >> /tmp/seen;;
      esac
    done < $p/status
  done 2>/dev/null
done
"#;

/// A process that can trace it, with CAP_SYS_PTRACE, would have what it has.
#[test]
fn a_joining_process_is_seen_with_the_containers_own_rights_only() {
    let container = Container::new().sh(READER).edit(|config| {
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        config["process"]["noNewPrivileges"] = true.into();
    });
    let tmp = container.rootfs().join("tmp");
    fs::set_permissions(&tmp, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let container = container.started();
    wait_until("the reader begins", || tmp.join("ready").exists());
    // Many groups and a long PATH take their time, so that there is something to see.
    let mut process = container.config["process"].clone();
    process["args"] = json!(["true"]);
    process["env"] = json!([format!("PATH={}/bin", "/no:".repeat(10_000))]);
    process["user"]["additionalGids"] = (1..60_000u32).map(|n| (n * 7919) % 65_521).collect();
    let file = container.dir.join("process.json");
    fs::write(&file, process.to_string()).unwrap();
    for _ in 0..30 {
        container.call(&["exec", "--process", file.to_str().unwrap(), &container.id]).ok();
    }
    let own = 0xa804_25fbu64;
    let seen = fs::read_to_string(tmp.join("seen")).unwrap_or_default();
    assert!(!seen.is_empty(), "nothing was seen: the test shows nothing");
    for line in seen.lines() {
        match line.split_once(": ") {
            Some(("Uid", ids)) => assert!(ids.starts_with("1000"), "{line}"),
            Some((_, mask)) => {
                let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
                assert_eq!(mask & !own, 0, "{line}");
            }
            None => {}
        }
    }
}

#[test]
fn a_joining_process_cannot_be_looked_into() {
    assert_eq!(spy(|_| {}, 100), "");
}

/// With CAP_SYS_PTRACE the container may look into every process it sees: there must be nothing to find.
#[test]
fn a_joining_process_leads_nobody_to_the_host() {
    let seen = spy(privileged, 100);
    let ways: Vec<&str> = seen.lines().filter(|line| !line.starts_with("mem ")).collect();
    assert_eq!(ways, Vec::<&str>::new());
}
