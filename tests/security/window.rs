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
