//! The command line: each command, and each option of `--help`, which is printed from the definitions that parse.
//! A row without words of its own has those of the help.

use crate::row::{Row, row};

const EXEC_USER: &str = "lifecycle/exec.rs::user_and_groups_are_as_asked";

pub const ROWS: &[Row] = &[
    row("--debug", "", &["cli_usage.rs::help_begins_with_the_name_everywhere"]),
    row("--log", "", &["cli_usage.rs::with_a_log_file_stderr_has_the_plain_line_alone_and_the_file_grows"]),
    row(
        "--log-format",
        "",
        &[
            "src/report/line.rs::json_has_the_three_keys_on_one_line",
            "cli_usage.rs::with_a_log_file_stderr_has_the_plain_line_alone_and_the_file_grows",
        ],
    ),
    row(
        "--root",
        "",
        &[
            "cli_state.rs::a_named_root_that_is_missing_is_an_error_of_list_and_means_no_container_elsewhere",
            "rootless/life.rs::without_a_root_option_state_is_below_the_runtime_directory_and_nobody_elses",
        ],
    ),
    row("--systemd-cgroup", "", &["bad_input/arguments.rs::what_is_not_built_yet_says_so"]),
    row(
        "--rootless",
        "",
        &[
            "rootless/cgroups.rs::rootless_takes_three_words_and_no_other",
            "rootless/cgroups.rs::rootless_false_forgives_nothing",
        ],
    ),
    row("--version", "", &["cli_usage.rs::the_version_has_the_lines_that_engines_read"]),
    row("--help", "", &["cli_usage.rs::help_begins_with_the_name_everywhere"]),
    row(
        "mounts",
        "",
        &[
            "mounts/live.rs::file_systems_and_binds_come_and_go",
            "mounts/live.rs::all_or_none_are_added",
            "mounts/live.rs::what_cannot_be_removed_stays",
            "security/mounts.rs::a_link_of_a_running_container_leads_no_mount_to_the_host",
        ],
    ),
    row("create", "", &["lifecycle/main.rs::a_created_container_waits_for_start"]),
    row("run", "", &["lifecycle/main.rs::run_gives_the_exit_code_of_the_program_and_leaves_nothing"]),
    row(
        "{create,run} --bundle",
        "",
        &[
            "lifecycle/commands.rs::the_bundle_is_the_working_directory_by_default",
            "bad_input/arguments.rs::a_bundle_that_is_none_is_refused",
        ],
    ),
    row("{create,run} --config", "", &["conformance/options.rs::another_file_stands_in_for_config_json"]),
    row(
        "{create,run} --console-socket",
        "",
        &[
            "lifecycle/terminal.rs::the_master_of_a_created_container_comes_through_the_console_socket",
            "lifecycle/terminal.rs::a_detached_run_sends_its_terminal",
        ],
    ),
    row(
        "{create,run} --pid-file",
        "",
        &[
            "conformance/options.rs::the_pid_file_has_the_first_processs_number",
            "security/state.rs::the_callers_umask_does_not_let_others_change_the_pid_file",
        ],
    ),
    row(
        "{create,run} --no-pivot",
        "",
        &[
            "config/rootfs.rs::without_pivot_root_the_container_has_its_own_root_as_well",
            "hosts/roots.rs::nobody_climbs_out_of_the_root",
        ],
    ),
    row(
        "{create,run} --no-new-keyring",
        "",
        &["lifecycle/commands.rs::a_session_keyring_is_made_unless_it_is_not_wanted"],
    ),
    row(
        "{create,run,exec} --preserve-fds",
        "",
        &[
            "lifecycle/descriptors.rs::preserved_descriptors_keep_their_numbers_and_no_others_come",
            "lifecycle/descriptors.rs::a_preserved_descriptor_that_is_not_open_is_refused_and_not_replaced_by_one_of_ours",
        ],
    ),
    row("run --detach", "", &["lifecycle/commands.rs::a_detached_run_returns_while_the_program_runs"]),
    row("run --keep", "", &["lifecycle/commands.rs::a_kept_container_is_there_after_its_end"]),
    row(
        "run --no-subreaper",
        "",
        &["conformance/options.rs::without_a_subreaper_orphans_are_left_to_others"],
    ),
    row("start", "", &["lifecycle/main.rs::a_created_container_waits_for_start"]),
    row("state", "", &["lifecycle/commands.rs::state_tells_what_the_kernel_and_the_config_say"]),
    row(
        "kill",
        "",
        &[
            "cli_state.rs::kill_sends_term_or_what_is_asked_for",
            "lifecycle/signals.rs::kill_knows_signals_by_every_form_of_their_name_and_by_number",
        ],
    ),
    row(
        "kill --all",
        "",
        &["lifecycle/signals.rs::kill_all_reaches_every_process_with_and_without_a_pid_namespace"],
    ),
    row("delete", "", &["cli_state.rs::only_a_stopped_or_created_container_is_deleted_without_force"]),
    row(
        "delete --force",
        "",
        &["cli_cgroup.rs::delete_by_force_ends_all_even_when_paused_and_leaves_nothing"],
    ),
    row(
        "exec",
        "",
        &["lifecycle/exec.rs::a_process_of_exec_is_in_every_namespace_and_the_cgroup_of_the_container"],
    ),
    row(
        "exec --console-socket",
        "",
        &["lifecycle/terminal.rs::exec_gives_a_terminal_in_the_foreground_and_through_a_console_socket"],
    ),
    row(
        "exec --{cwd,env}",
        "",
        &["lifecycle/exec.rs::the_working_directory_and_the_environment_are_as_asked"],
    ),
    row(
        "exec --tty",
        "",
        &["lifecycle/terminal.rs::exec_gives_a_terminal_in_the_foreground_and_through_a_console_socket"],
    ),
    row("exec --user", "", &[EXEC_USER, "security/identity.rs::exec_as_a_user_is_that_user_or_an_error"]),
    row("exec --additional-gids", "", &[EXEC_USER]),
    row("exec --process", "", &["lifecycle/exec.rs::a_process_file_says_everything"]),
    row(
        "exec --{detach,pid-file}",
        "",
        &["lifecycle/exec.rs::a_detached_exec_returns_and_its_pid_file_names_the_process"],
    ),
    row(
        "exec --{process-label,apparmor}",
        "",
        &[
            "conformance/options.rs::labels_of_exec_are_refused_by_name_where_the_kernel_has_no_such_module",
            "security/procfs.rs::a_label_of_exec_never_goes_to_a_file_of_the_image",
        ],
    ),
    row("exec --no-new-privs", "", &["lifecycle/exec.rs::no_new_privileges_is_off_or_on_as_asked"]),
    row(
        "exec --cap",
        "",
        &[
            "lifecycle/exec.rs::capabilities_are_added_to_the_containers_and_never_inheritable",
            "security/identity.rs::exec_with_a_capability_makes_nothing_inheritable",
        ],
    ),
    row(
        "exec --ignore-paused",
        "",
        &[
            "conformance/options.rs::exec_can_wait_for_a_paused_container",
            "limits/freezer.rs::exec_in_a_paused_container_is_refused",
        ],
    ),
    row("exec --cgroup", "", &["security/cgroup.rs::exec_into_a_cgroup_that_climbs_is_refused"]),
    row("list", "", &["lifecycle/listing.rs::list_shows_every_container_of_the_root_and_what_it_does"]),
    row(
        "list --{format,quiet}",
        "",
        &["lifecycle/listing.rs::list_shows_every_container_of_the_root_and_what_it_does"],
    ),
    row("ps", "", &["cli_cgroup.rs::ps_shows_every_process_of_the_cgroup"]),
    row("ps --format", "", &["cli_state.rs::ps_shows_the_processes_as_the_hosts_ps_does"]),
    row("{pause,resume}", "", &["lifecycle/freezer.rs::a_paused_container_does_nothing_until_it_is_resumed"]),
    row("spec", "", &["cli_usage.rs::spec_writes_a_configuration_once"]),
    row("spec --{bundle,rootless}", "", &["cli_usage.rs::spec_writes_a_configuration_once"]),
    row("features", "", &["cli_usage.rs::features_has_the_form_of_the_specification"]),
];
