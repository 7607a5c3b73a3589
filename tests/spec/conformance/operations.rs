//! runtime.md of runtime-spec 1.3.0: the state, the operations, the life of a container.

use crate::conformance::row::{Row, row};

const SCHEMA: &str = "spec/conformance/output.rs::state_and_features_have_the_types_of_the_schema";
const STATE: &str = "lifecycle/commands.rs::state_tells_what_the_kernel_and_the_config_say";

/// The fields of the state's schema.
pub const STATE_ROWS: &[Row] = &[
    row("{ociVersion,id,pid,bundle,annotations}", "as the kernel and the config say", &[STATE, SCHEMA]),
    row(
        "status",
        "creating, created, running, stopped; paused besides",
        &[
            "cli/state.rs::state_has_its_keys_in_order_and_follows_the_process",
            "lifecycle/freezer.rs::a_paused_container_does_nothing_until_it_is_resumed",
        ],
    ),
];

pub const ROWS: &[Row] = &[
    row(
        "state <container-id>",
        "the state as JSON; an error for an unknown id",
        &[STATE, "lifecycle/commands.rs::an_unknown_id_has_one_answer_everywhere"],
    ),
    row(
        "create <container-id> <path-to-bundle>",
        "everything but the program; an id in use is an error",
        &[
            "lifecycle/main.rs::a_created_container_waits_for_start",
            "lifecycle/commands.rs::an_id_in_use_is_refused_and_its_container_goes_on",
            "lifecycle/commands.rs::two_creates_of_one_id_make_one_container",
        ],
    ),
    row(
        "create, then a change of config.json",
        "has no effect",
        &["security/input/state.rs::a_bundle_that_changes_after_create_changes_nothing"],
    ),
    row(
        "start <container-id>",
        "runs the program; an error, and no effect, unless created",
        &[
            "lifecycle/main.rs::a_created_container_waits_for_start",
            "lifecycle/commands.rs::what_runs_cannot_be_started_again",
        ],
    ),
    row(
        "kill <container-id> <signal>",
        "an error unless created or running",
        &[
            "cli/state.rs::kill_sends_term_or_what_is_asked_for",
            "lifecycle/commands.rs::a_created_container_can_be_killed",
        ],
    ),
    row(
        "delete <container-id>",
        "an error unless stopped (or created, as peers have it); removes what create made and nothing else",
        &[
            "cli/state.rs::only_a_stopped_or_created_container_is_deleted_without_force",
            "security/input/extremes.rs::delete_with_force_removes_nothing_outside_of_the_state",
        ],
    ),
    row(
        "errors",
        "the host is as it was before",
        &[
            "spec/bad_input/config.rs::each_mistake_in_a_config_is_named_and_leaves_nothing",
            "spec/bad_input/mutated.rs::whatever_a_config_says_the_host_stays_as_it_was",
        ],
    ),
    row(
        "warnings",
        "logged, and no other effect",
        &["spec/bad_input/warnings.rs::what_peers_accept_with_a_warning_runs_with_a_warning_that_names_it"],
    ),
    row(
        "lifecycle, hooks in their order",
        "createRuntime, createContainer, then start: startContainer, program, poststart; delete: poststop",
        &[
            "lifecycle/hooks.rs::the_six_kinds_run_in_their_order",
            "lifecycle/hooks.rs::create_start_and_delete_each_run_their_own_kinds",
        ],
    ),
    row(
        "a command that is killed at any moment",
        "`list` shows what is left, `delete --force` takes it",
        &[
            "lifecycle/crash.rs::a_run_or_create_that_is_killed_at_any_moment_leaves_nothing_that_delete_does_not_take",
            "lifecycle/crash.rs::a_delete_that_is_killed_can_be_done_again",
            "cli/state.rs::what_a_killed_create_left_is_deleted_by_force_alone",
        ],
    ),
    row(
        "two commands at once",
        "one after the other",
        &[
            "lifecycle/commands.rs::two_commands_at_once_on_one_container_are_one_after_the_other",
            "lifecycle/upgrade.rs::whoever_comes_second_gets_a_clear_answer",
        ],
    ),
    row(
        "state of an older rruntime",
        "list, state, kill and delete understand it",
        &["lifecycle/upgrade.rs::containers_of_the_first_release_are_understood"],
    ),
    row(
        "a pid that is another process's by now",
        "the container has stopped; no other process is signalled",
        &["cli/state.rs::a_pid_that_belongs_to_somebody_else_by_now_is_left_alone"],
    ),
];
