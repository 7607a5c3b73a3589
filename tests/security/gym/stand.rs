//! Which rows of the table of attacks (docs/security.md, The table of attacks) are closed in this tree: in a closed row a
//! spy that catches anything is a failure; in an open one the gym says what it caught.

#[derive(Clone, Copy, PartialEq)]
pub enum Stand {
    Open,
    Closed,
}

pub const WAITS_FOR_START: Stand = Stand::Closed; // 1
pub const JOINS: Stand = Stand::Closed; // 2
pub const CREATED_BESIDE: Stand = Stand::Closed; // 3
pub const MOUNTS_ADD: Stand = Stand::Closed; // 4
pub const LINKS: Stand = Stand::Closed; // 13, by mounts add
pub const HOOKS: Stand = Stand::Closed; // the paths that are not exec
pub const STOPPED: Stand = Stand::Closed; // 18
pub const MOUNT_TABLE: Stand = Stand::Closed; // 21
pub const TERMINAL: Stand = Stand::Closed; // 24
pub const LEASE: Stand = Stand::Closed; // 25
pub const START_CUT: Stand = Stand::Closed; // 28
pub const AGENT_DIES: Stand = Stand::Closed; // 29
pub const DEAF_FILES: Stand = Stand::Closed; // 30
pub const STRICT: Stand = Stand::Closed; // strict profiles

/// Ends a case: `holds` says whether the row's promise was kept, `what` what was seen.
#[track_caller]
pub fn judge(stand: Stand, holds: bool, what: &str) {
    eprintln!("gym: {what}");
    let ours = std::env::var_os("GYM_RUNTIME").is_none();
    assert!(holds || stand == Stand::Open || !ours, "{what}");
    if !holds {
        eprintln!("gym: caught");
    }
}
