//! Annotations, environment variables and descriptors: what passes between rruntime and who calls it.

use crate::row::{Row, row};

pub const ANNOTATIONS: &[Row] = &[row(
    "any other",
    "kept in the state, no effect",
    &["lifecycle/commands.rs::state_tells_what_the_kernel_and_the_config_say"],
)];

pub const ENVIRONMENT: &[Row] = &[
    row(
        "XDG_RUNTIME_DIR",
        "an ordinary user's state directory is below it",
        &["rootless/life.rs::without_a_root_option_state_is_below_the_runtime_directory_and_nobody_elses"],
    ),
    row(
        "the caller's environment",
        "stays outside",
        &["config/program.rs::the_environment_is_the_configs_and_nothing_else"],
    ),
    row(
        "the caller's descriptors",
        "0 to 2 and --preserve-fds alone are passed on; a closed one of 0 to 2 is open on nothing",
        &[
            "lifecycle/descriptors.rs::what_a_careless_caller_left_open_does_not_reach_the_process",
            "lifecycle/descriptors.rs::closed_standard_streams_are_open_on_nothing",
        ],
    ),
    row(
        "the caller's signals",
        "nothing blocked, ignored ones stay ignored",
        &[
            "lifecycle/signals.rs::the_program_begins_with_no_signal_blocked_and_those_ignored_that_the_caller_ignores",
        ],
    ),
    row(
        "the program's name (argv[0])",
        "runc and crun are called by their names in messages",
        &["cli_usage.rs::the_name_it_is_called_by_is_the_name_it_uses"],
    ),
    row(
        "exit code",
        "the process's own, 128 and the number of the signal that ended it; 1 on our own errors, of exec 255",
        &[
            "lifecycle/main.rs::a_program_that_a_signal_ends_gives_128_and_its_number",
            "lifecycle/exec.rs::exec_gives_the_exit_code_or_128_and_the_signal",
        ],
    ),
];
