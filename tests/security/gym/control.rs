//! The same spies against the other runtimes at hand: that they catch something there shows that they work. Where the
//! other runtimes hold, the case says so and asks nothing.

use crate::gym::runtime::{self, Runtime, Terms, Wanted};
use crate::gym::{joiner, neighbour, stopped, terminal, waiting};
use crate::needs_spies;

/// What a case says of each peer; at least one must be caught.
fn each(case: &str, caught: impl Fn(&Runtime) -> (bool, String)) {
    let peers = runtime::peers();
    if peers.is_empty() {
        skip!("no runc and no crun that runs containers here");
    }
    let mut any = false;
    for peer in &peers {
        let (found, what) = caught(peer);
        any |= found;
        eprintln!("gym: {case}, {}: {what}", peer.name);
    }
    assert!(any, "{case}: the spy caught nothing from any of the other runtimes, so it shows nothing");
}

#[test]
fn the_hunter_catches_what_other_runtimes_send_into_a_container() {
    needs_spies!();
    for mode in ["trace", "mem"] {
        for no_new_privs in [false, true] {
            each(&format!("exec, {mode}, no_new_privs {no_new_privs}"), |peer| {
                let hunter = joiner::hunting(peer, Terms::docker(no_new_privs), mode);
                let tally = joiner::execs(&hunter, Wanted::Caught);
                (tally.caught > 0, tally.to_string())
            });
        }
    }
}

#[test]
fn the_hunter_catches_what_other_runtimes_make_in_a_pid_namespace() {
    needs_spies!();
    each("create", |peer| {
        let tally = neighbour::created(peer, Terms::docker(false), Wanted::Caught);
        (tally.caught > 0, tally.to_string())
    });
}

#[test]
fn a_neighbour_reads_the_mount_table_of_other_runtimes() {
    needs_spies!();
    each("mount tables beside create", |peer| {
        let tally = neighbour::tables(peer, Terms::docker(false), Wanted::Caught);
        (tally.caught > 0, tally.to_string())
    });
}

#[test]
fn the_stopper_holds_an_exec_of_other_runtimes() {
    needs_spies!();
    each("stopped", |peer| {
        let outcomes = (0..4).find_map(|_| {
            let outcomes = stopped::stopped_execs(peer, Terms::docker(false), 2);
            outcomes.iter().any(|outcome| !outcome.holds()).then_some(outcomes)
        });
        (outcomes.is_some(), format!("{outcomes:?}"))
    });
}

#[test]
fn the_taker_keeps_an_exec_of_other_runtimes_from_its_terminal() {
    needs_spies!();
    each("exec -t", |peer| {
        let (outcomes, _, took) = terminal::execs(peer, 0, 8);
        let refused = outcomes.iter().flatten().count();
        (refused > 0, format!("{refused} of {} refused, {took} taken", outcomes.len()))
    });
}

/// Peers hold here, except where they cannot make the container; this only says what was seen.
#[test]
fn what_waits_for_start_in_other_runtimes_is_told() {
    needs_spies!();
    for peer in runtime::peers() {
        let (excess, starts) = waiting::traced(&peer, Terms::docker(false));
        eprintln!("gym: waiting for start, traced, {}: {excess:?}, starts: {starts}", peer.name);
    }
}
