//! Hooks, and the commands that send no process into a container, hunted from inside.

use crate::gym::caught::{self, Tally};
use crate::gym::joiner::{execs, hunting};
use crate::gym::neighbour::{beside, make};
use crate::gym::runtime::{self, Terms, Wanted, bounded, rounds};
use crate::gym::spy;
use crate::gym::stand::{self, judge};
use crate::needs_spies;
use crate::support::has_controller;
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);

/// Containers with this hook, made, started and taken away beside a tracer. The container's own program is
/// `neighbour.rs`'s case: what counts here is that nothing more is seen because of the hook.
fn hooked(terms: Terms, kind: &str, hook: &Value) -> Tally {
    runtime::adopt();
    let runtime = runtime::ours();
    let hunter = hunting(&runtime, terms, "trace");
    let prepare = || {
        let container = beside(&hunter, terms.apply(runtime.container())).args(&["/bin/true"]);
        container.edit(|config| config["hooks"][kind] = json!([hook]))
    };
    let allowed = caught::allowed(&prepare().config);
    runtime::until(Wanted::Met(2), || {
        make(prepare(), |command| command);
        caught::tally(&hunter, &allowed)
    })
}

/// A program of the image: it has what the container has, from its birth on.
#[test]
fn a_tracer_finds_nothing_in_a_start_container_hook() {
    needs_spies!();
    for terms in Terms::all().filter(|terms| terms.filter) {
        let tally = hooked(terms, "startContainer", &json!({"path": "/bin/true"}));
        assert!(tally.met > 0, "{terms}: the hunter met nobody, so the case shows nothing");
        judge(stand::HOOKS, tally.caught == 0, &format!("startContainer hook, {terms}: {tally}"));
    }
}

/// Programs of the host with the runtime's rights: they are not in a pid namespace that others are in.
#[test]
fn a_tracer_meets_no_program_of_the_host_that_is_a_hook() {
    needs_spies!();
    let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", "for i in 1 2 3; do /bin/sleep 0.05; done"]});
    for kind in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        let terms = Terms::docker(false);
        let tally = hooked(terms, kind, &hook);
        assert!(tally.met > 0, "{kind}: the hunter met nobody, so the case shows nothing");
        judge(stand::HOOKS, tally.caught == 0, &format!("{kind} hook, {terms}: {tally}"));
    }
}

/// None of these commands has a process inside.
#[test]
fn a_tracer_meets_nobody_where_a_command_sends_nobody() {
    needs_spies!();
    let terms = Terms::docker(false);
    let container = hunting(&runtime::ours(), terms, "trace");
    let allowed = caught::allowed(&container.config);
    let before = spy::report(&container).len();
    let file = container.dir.join("mounts.json");
    std::fs::write(&file, r#"[{"destination": "/gym", "type": "tmpfs", "source": "tmpfs"}]"#).unwrap();
    let file = file.to_str().unwrap();
    for _ in 0..rounds(5) {
        let commands: [&[&str]; 9] = [
            &["mounts", "add", &container.id, file],
            &["mounts", "remove", &container.id, file],
            &["update", "--pids-limit", "1000", &container.id],
            &["pause", &container.id],
            &["resume", &container.id],
            &["kill", &container.id, "0"],
            &["events", "--stats", &container.id],
            &["ps", &container.id],
            &["state", &container.id],
        ];
        // The pure-v2 view has no controller to update.
        let updates = has_controller("pids");
        for words in commands.into_iter().filter(|words| updates || words[0] != "update") {
            assert!(
                bounded(container.command(words), LIMIT).is_some_and(|status| status.success()),
                "{words:?}"
            );
        }
    }
    let tally = caught::tally_since(&container, before, &allowed);
    judge(
        stand::HOOKS,
        tally.met == 0,
        &format!("mounts, update, pause, resume, kill, events, ps, state: {tally}"),
    );
    // The control: this very hunter does meet what joins.
    assert!(execs(&container, Wanted::Met(1)).met > 0, "the hunter meets nobody, so the case shows nothing");
    // It sees its own end, and nothing before that.
    assert!(bounded(container.command(&["delete", "--force", &container.id]), LIMIT).is_some());
}
