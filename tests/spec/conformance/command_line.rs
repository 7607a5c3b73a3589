//! The command line: each command, and each option of `--help`, which is printed from the definitions that parse.
//! A row without words of its own has those of the help.

use crate::conformance::row::{Row, row};

const EXEC_USER: &str = "lifecycle/exec.rs::user_and_groups_are_as_asked";

const NO_SUBREAPER: &str = "spec/conformance/options.rs::without_a_subreaper_orphans_are_left_to_others";

pub const ROWS: &[Row] = &[
    row("--debug", "", &["cli/log.rs::debug_tells_every_step_and_the_field_that_asks_for_it"]),
    row(
        "--log",
        "",
        &[
            "cli/usage.rs::with_a_log_file_stderr_has_the_plain_line_alone_and_the_file_grows",
            "cli/log.rs::the_journal_gets_a_record_with_priority_and_identifier",
            "cli/log.rs::syslog_gets_a_line_with_the_priority",
        ],
    ),
    row(
        "--log-format",
        "",
        &[
            "src/report/line.rs::json_has_the_parts_of_an_error_on_one_line",
            "cli/usage.rs::with_a_log_file_stderr_has_the_plain_line_alone_and_the_file_grows",
        ],
    ),
    row(
        "--root",
        "",
        &[
            "cli/state.rs::a_named_root_that_is_missing_is_an_error_of_list_and_means_no_container_elsewhere",
            "lifecycle/rootless/life.rs::without_a_root_option_state_is_below_the_runtime_directory_and_nobody_elses",
        ],
    ),
    row(
        "--systemd-cgroup",
        "",
        &[
            "systemd/scope.rs::a_container_is_a_scope_that_goes_with_it",
            "systemd/absent.rs::a_bus_that_is_not_there_is_named_with_what_to_do",
        ],
    ),
    row(
        "--allow-annotation",
        "",
        &[
            "config/ipc/annotations.rs::later_commands_go_by_what_create_was_allowed",
            "config/ipc/annotations.rs::only_annotations_that_reach_the_host_can_be_allowed",
        ],
    ),
    row(
        "--rootless",
        "",
        &[
            "lifecycle/rootless/cgroups.rs::rootless_takes_three_words_and_no_other",
            "lifecycle/rootless/cgroups.rs::rootless_false_forgives_nothing",
        ],
    ),
    row(
        "--trace",
        "",
        &[
            "cli/trace/written.rs::each_deed_and_step_of_the_plan_is_there_in_order_with_its_field",
            "cli/trace/written.rs::commands_on_one_container_share_a_file",
            "cli/trace/written.rs::no_file_but_a_trace_of_ours_is_written_to",
        ],
    ),
    row("--log-level", "", &["cli/log.rs::the_level_decides_which_records_are_written"]),
    row("--systemd-log", "", &["cli/log.rs::systemd_log_is_the_journal_under_the_programs_name"]),
    row(
        "--cgroup-manager",
        "",
        &[
            "cgroup/update/disabled.rs::the_container_stays_in_the_callers_cgroup",
            "cgroup/update/disabled.rs::a_limit_is_refused_by_its_field",
            "cgroup/update/disabled.rs::the_managers_are_three_words_and_contradictions_are_refused",
        ],
    ),
    row("--version", "", &["cli/usage.rs::the_version_has_the_lines_that_engines_read"]),
    row("--help", "", &["cli/usage.rs::help_begins_with_the_name_everywhere"]),
    row(
        "trace",
        "",
        &[
            "cli/trace/drawn.rs::the_waterfall_has_a_row_for_each_thing_and_a_bar_for_its_time",
            "cli/trace/drawn.rs::a_file_that_is_no_trace_is_refused_by_what_is_wrong_with_it",
        ],
    ),
    row("trace --svg", "", &["cli/trace/drawn.rs::the_picture_is_well_formed_and_has_the_same_rows"]),
    row(
        "mounts",
        "",
        &[
            "config/mounts/live.rs::file_systems_and_binds_come_and_go",
            "config/mounts/live.rs::all_or_none_are_added",
            "config/mounts/live.rs::what_was_not_added_stays",
            "security/files/mounts.rs::a_link_of_a_running_container_leads_no_mount_to_the_host",
            "security/files/mounts.rs::a_removal_never_uncovers_what_is_masked",
        ],
    ),
    row(
        "mounts --device",
        "a device of the host: its node is made in the container, and a rule opens it; removed, both go",
        &[
            "config/mounts/plugged.rs::a_device_comes_with_its_rule_and_goes_with_it",
            "config/mounts/plugged.rs::access_is_as_it_was_asked_for",
            "config/mounts/plugged.rs::what_the_config_allows_stays_when_the_device_goes",
            "config/mounts/plugged.rs::nothing_is_replaced_and_a_failure_leaves_nothing",
            "config/mounts/plugged.rs::what_the_container_has_put_in_its_place_stays_and_the_rule_goes",
            "config/mounts/plugged.rs::what_is_no_device_and_wrong_words_are_refused",
            "config/mounts/plugged.rs::no_path_leaves_the_containers_root",
        ],
    ),
    row(
        "seccomp",
        "record: the profile that comes of a container runs under rruntime, runc and crun; check: what a profile denies that is needed",
        &[
            "config/seccomp/record.rs::a_container_runs_under_what_was_recorded_of_it_and_other_calls_fail",
            "config/seccomp/record.rs::threads_forks_another_architecture_and_unknown_numbers_are_recorded",
            "config/seccomp/record.rs::an_end_by_the_filter_names_the_call_or_says_how_to_find_it",
            "config/seccomp/record.rs::an_exec_in_the_meantime_is_recorded_too",
            "cli/seccomp.rs::a_profile_that_allows_what_is_needed_is_fine_and_its_container_runs",
            "cli/seccomp.rs::a_call_that_every_program_or_init_needs_is_denied_and_its_container_does_not_run",
            "cli/seccomp.rs::names_that_no_kernel_has_and_missing_architectures_are_named",
            "cli/seccomp.rs::rules_that_never_decide_are_told_with_what_decides_in_their_place",
            "cli/seccomp.rs::what_is_no_profile_or_no_list_is_refused_by_what_is_wrong_with_it",
            "config/seccomp/record.rs::a_recorder_that_is_killed_gives_the_container_nothing_and_delete_takes_it_away",
        ],
    ),
    row(
        "seccomp --against",
        "",
        &[
            "cli/seccomp.rs::what_another_profile_or_a_list_needs_is_held_against_it",
            "cli/seccomp.rs::what_a_container_was_recorded_to_need_is_held_against_a_profile",
        ],
    ),
    row("seccomp --json", "", &["cli/seccomp.rs::what_another_profile_or_a_list_needs_is_held_against_it"]),
    row(
        "seccomp --output",
        "",
        &[
            "config/seccomp/record.rs::whatever_ends_the_container_the_profile_is_written_and_the_exit_code_is_its_own",
            "config/seccomp/record.rs::what_cannot_be_recorded_leaves_no_profile_and_says_why",
        ],
    ),
    row(
        "seccomp --merge",
        "",
        &[
            "config/seccomp/record.rs::threads_forks_another_architecture_and_unknown_numbers_are_recorded",
            "src/seccomp/record.rs::records_add_up_and_nothing_else_is_merged",
        ],
    ),
    row("create", "", &["lifecycle/main.rs::a_created_container_waits_for_start"]),
    row("run", "", &["lifecycle/main.rs::run_gives_the_exit_code_of_the_program_and_leaves_nothing"]),
    row(
        "{create,run,seccomp} --bundle",
        "",
        &[
            "lifecycle/commands.rs::the_bundle_is_the_working_directory_by_default",
            "spec/bad_input/arguments.rs::a_bundle_that_is_none_is_refused",
        ],
    ),
    row(
        "{create,run,seccomp} --config",
        "",
        &["spec/conformance/options.rs::another_file_stands_in_for_config_json"],
    ),
    row(
        "{create,run,seccomp} --console-socket",
        "",
        &[
            "lifecycle/terminal.rs::the_master_of_a_created_container_comes_through_the_console_socket",
            "lifecycle/terminal.rs::a_detached_run_sends_its_terminal",
        ],
    ),
    row(
        "{create,run,seccomp} --pid-file",
        "",
        &[
            "spec/conformance/options.rs::the_pid_file_has_the_first_processs_number",
            "security/input/state.rs::the_callers_umask_does_not_let_others_change_the_pid_file",
        ],
    ),
    row(
        "{create,run,seccomp} --no-pivot",
        "",
        &[
            "config/rootfs.rs::without_pivot_root_the_container_has_its_own_root_as_well",
            "lifecycle/hosts/roots.rs::nobody_climbs_out_of_the_root",
        ],
    ),
    row(
        "{create,run,seccomp} --no-new-keyring",
        "",
        &[
            "lifecycle/commands.rs::a_session_keyring_is_made_unless_it_is_not_wanted",
            "security/processes/keyring.rs::another_container_of_the_same_user_finds_neither_the_keyring_nor_its_key",
            "security/processes/keyring.rs::a_process_of_exec_has_the_containers_keyring",
        ],
    ),
    row(
        "{create,run,exec,seccomp} --preserve-fds",
        "",
        &[
            "lifecycle/descriptors.rs::preserved_descriptors_keep_their_numbers_and_no_others_come",
            "lifecycle/descriptors.rs::a_preserved_descriptor_that_is_not_open_is_not_replaced_by_one_of_ours",
        ],
    ),
    row(
        "attach",
        "",
        &[
            "lifecycle/detached/attach.rs::input_reaches_the_process_and_its_end_too",
            "lifecycle/detached/attach.rs::a_terminal_has_our_size_and_is_left_by_keys",
        ],
    ),
    row(
        "attach --detach-keys",
        "",
        &["lifecycle/detached/attach.rs::a_terminal_has_our_size_and_is_left_by_keys"],
    ),
    row(
        "attach --no-stdin",
        "",
        &["lifecycle/detached/attach.rs::a_client_that_goes_away_does_not_end_the_input"],
    ),
    row(
        "logs",
        "",
        &[
            "lifecycle/detached/mod.rs::output_and_exit_status_outlive_the_container",
            "lifecycle/detached/streams.rs::json_lines_are_read_back",
        ],
    ),
    row(
        "logs --follow",
        "",
        &["lifecycle/detached/streams.rs::a_log_is_followed_to_the_end_of_the_container"],
    ),
    row("logs --tail", "", &["lifecycle/detached/streams.rs::the_last_lines_and_their_times"]),
    row("logs --timestamps", "", &["lifecycle/detached/streams.rs::the_last_lines_and_their_times"]),
    row(
        "run --log-output",
        "",
        &[
            "lifecycle/detached/streams.rs::a_log_is_the_kubelets_or_dockers",
            "lifecycle/detached/refusals.rs::options_that_contradict_each_other",
        ],
    ),
    row(
        "run --log-size-max",
        "",
        &["lifecycle/detached/streams.rs::a_log_of_limited_size_begins_anew_and_is_followed_across_it"],
    ),
    row("run --stdin", "", &["lifecycle/detached/attach.rs::input_reaches_the_process_and_its_end_too"]),
    row("shim", "", &["lifecycle/detached/mod.rs::the_shim_by_itself_has_conmons_command_line"]),
    row(
        "wait",
        "",
        &[
            "lifecycle/detached/mod.rs::output_and_exit_status_outlive_the_container",
            "lifecycle/detached/mod.rs::a_container_without_a_shim_has_no_logs_and_not_the_exit_status_of_an_earlier_one",
        ],
    ),
    row("run --detach", "", &["lifecycle/commands.rs::a_detached_run_returns_while_the_program_runs"]),
    row("run --keep", "", &["lifecycle/commands.rs::a_kept_container_is_there_after_its_end"]),
    row("create --no-subreaper", "", &[NO_SUBREAPER]),
    row("run --no-subreaper", "", &[NO_SUBREAPER]),
    row("start", "", &["lifecycle/main.rs::a_created_container_waits_for_start"]),
    row("state", "", &["lifecycle/commands.rs::state_tells_what_the_kernel_and_the_config_say"]),
    row(
        "kill",
        "",
        &[
            "cli/state.rs::kill_sends_term_or_what_is_asked_for",
            "lifecycle/signals.rs::kill_knows_signals_by_every_form_of_their_name_and_by_number",
        ],
    ),
    row(
        "kill --all",
        "",
        &["lifecycle/signals.rs::kill_all_reaches_every_process_with_and_without_a_pid_namespace"],
    ),
    row("delete", "", &["cli/state.rs::only_a_stopped_or_created_container_is_deleted_without_force"]),
    row(
        "delete --force",
        "",
        &["cgroup/commands.rs::delete_by_force_ends_all_even_when_paused_and_leaves_nothing"],
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
    row(
        "exec --user",
        "",
        &[EXEC_USER, "security/input/identity.rs::exec_as_a_user_is_that_user_or_an_error"],
    ),
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
            "spec/conformance/options.rs::labels_of_exec_are_refused_by_name_where_the_kernel_has_no_such_module",
            "security/files/procfs.rs::a_label_of_exec_never_goes_to_a_file_of_the_image",
        ],
    ),
    row("exec --no-new-privs", "", &["lifecycle/exec.rs::no_new_privileges_is_off_or_on_as_asked"]),
    row(
        "exec --cap",
        "",
        &[
            "lifecycle/exec.rs::capabilities_are_added_to_the_containers_and_never_inheritable",
            "security/input/identity.rs::exec_with_a_capability_makes_nothing_inheritable",
        ],
    ),
    row(
        "exec --ignore-paused",
        "",
        &[
            "spec/conformance/options.rs::exec_can_wait_for_a_paused_container",
            "cgroup/limits/freezer.rs::exec_in_a_paused_container_is_refused",
        ],
    ),
    row(
        "exec --cgroup",
        "",
        &[
            "cgroup/update/groups.rs::the_process_is_in_the_group_and_the_others_stay",
            "cgroup/update/groups.rs::on_v1_each_controller_may_have_a_group_of_its_own",
            "cgroup/update/groups.rs::no_path_leaves_the_containers_group",
            "security/input/cgroup.rs::exec_into_a_cgroup_that_climbs_is_refused",
        ],
    ),
    row("list", "", &["lifecycle/listing.rs::list_shows_every_container_of_the_root_and_what_it_does"]),
    row(
        "list --{format,quiet}",
        "",
        &["lifecycle/listing.rs::list_shows_every_container_of_the_root_and_what_it_does"],
    ),
    row("ps", "", &["cgroup/commands.rs::ps_shows_every_process_of_the_cgroup"]),
    row("ps --format", "", &["cli/state.rs::ps_shows_the_processes_as_the_hosts_ps_does"]),
    row("{pause,resume}", "", &["lifecycle/freezer.rs::a_paused_container_does_nothing_until_it_is_resumed"]),
    row("spec", "", &["cli/usage.rs::spec_writes_a_configuration_once"]),
    row("spec --{bundle,rootless}", "", &["cli/usage.rs::spec_writes_a_configuration_once"]),
    row("spec --file", "", &["cli/usage.rs::spec_writes_another_file_and_the_name_it_was_called_by"]),
    row("features", "", &["cli/usage.rs::features_has_the_form_of_the_specification"]),
    row("{kill,delete} --regex", "", &["cli/state.rs::an_expression_means_every_container_that_it_matches"]),
    row(
        "{create,run,exec,seccomp} --pidfd-socket",
        "",
        &[
            "config/ipc/pidfd.rs::create_sends_a_descriptor_of_the_first_process",
            "config/ipc/pidfd.rs::run_sends_one_that_tells_of_the_end",
            "config/ipc/pidfd.rs::exec_sends_one_of_its_own_process",
        ],
    ),
    row(
        "events",
        "",
        &[
            "cgroup/events/peer.rs::runc_says_the_same_of_the_same_cgroup",
            "cgroup/events/stream.rs::a_kill_for_want_of_memory_is_told_when_it_happens",
        ],
    ),
    row(
        "events --interval",
        "",
        &["cgroup/events/stream.rs::statistics_come_at_every_interval_until_the_container_ends"],
    ),
    row(
        "events --stats",
        "",
        &["cgroup/events/stats.rs::memory_is_told_with_its_limit_and_what_it_is_used_for"],
    ),
    row(
        "stats",
        "",
        &[
            "cgroup/usage/numbers.rs::memory_is_told_without_files_that_are_idle_and_beside_its_limit",
            "cgroup/usage/numbers.rs::it_tells_what_events_tells",
            "cgroup/usage/killed.rs::the_containers_own_limit_and_the_process_are_named",
        ],
    ),
    row("stats --metrics", "", &["cgroup/usage/metrics.rs::metrics_follow_the_rules_of_prometheus"]),
    row(
        "stats --stream",
        "",
        &["cgroup/usage/selection.rs::a_stream_has_a_line_for_each_look_and_containers_come_and_go_in_it"],
    ),
    row(
        "stats --format",
        "",
        &["cgroup/usage/numbers.rs::without_a_limit_there_is_none_and_what_is_not_counted_is_no_zero"],
    ),
    row(
        "{stats,top} --all",
        "",
        &["cgroup/usage/selection.rs::those_that_run_are_shown_and_on_request_those_that_have_ended"],
    ),
    row(
        "{stats,top} --interval",
        "",
        &["cgroup/usage/selection.rs::an_empty_directory_and_wrong_words_are_answered"],
    ),
    row(
        "top",
        "",
        &[
            "cgroup/usage/top.rs::a_terminal_shows_the_table_and_is_given_back",
            "cgroup/usage/top.rs::without_a_terminal_tables_are_printed_one_below_the_other",
        ],
    ),
    row("top --sort", "", &["cgroup/usage/top.rs::a_small_terminal_has_what_fits"]),
    row(
        "update",
        "",
        &[
            "cgroup/update/states.rs::a_created_container_keeps_its_new_limit_when_it_starts",
            "cgroup/update/rollback.rs::limits_that_were_written_before_the_refused_one_are_set_back",
            "cgroup/update/checks.rs::a_wrong_value_is_named_by_its_option_and_nothing_changes",
        ],
    ),
    row(
        "update --resources",
        "",
        &[
            "cgroup/update/json.rs::a_file_and_standard_input_are_read_alike",
            "cgroup/update/json.rs::rates_of_a_device_are_set_changed_and_taken_away",
            "cgroup/update/json.rs::a_wrong_value_is_named_by_its_pointer_and_nothing_changes",
        ],
    ),
    row(
        "update --device-rule",
        "a rule for devices, behind those that the container has; on v2 in one step, on v1 by what is different",
        &[
            "cgroup/update/devices.rs::a_rule_opens_devices_and_another_one_closes_them",
            "cgroup/update/devices.rs::several_rules_come_in_their_order_beside_other_limits_or_a_file",
            "cgroup/update/devices.rs::a_wrong_rule_is_named_and_changes_nothing",
            "cgroup/update/devices.rs::a_part_of_a_wider_rule_is_closed_on_v2_and_refused_on_v1",
            "cgroup/update/devices.rs::an_update_that_fails_in_the_end_takes_its_rules_back",
            "cgroup/update/devices.rs::what_another_program_has_opened_stays_open",
            "systemd/rules.rs::a_device_rule_of_an_update_is_a_property_too",
        ],
    ),
    row("update --blkio-weight", "", &["cgroup/update/options.rs::the_weight_of_block_io"]),
    row(
        "update --cpu-{period,quota,burst}",
        "",
        &[
            "cgroup/update/options.rs::quota_period_and_burst",
            "cgroup/update/merging.rs::a_quota_keeps_the_period_of_the_last_update",
            "cgroup/update/merging.rs::a_burst_is_held_against_the_quota_of_the_last_update",
        ],
    ),
    row("update --cpu-{share,idle}", "", &["cgroup/update/options.rs::shares_and_idleness"]),
    row("update --cpu-rt-{period,runtime}", "", &["cgroup/update/options.rs::real_time_limits_are_v1s"]),
    row("update --cpuset-{cpus,mems}", "", &["cgroup/update/options.rs::processors_and_memory_nodes"]),
    row("update --memory", "", &["cgroup/update/options.rs::memory_in_bytes_and_with_units"]),
    row("update --memory-reservation", "", &["cgroup/update/options.rs::memory_reservation"]),
    row(
        "update --memory-swap",
        "",
        &[
            "cgroup/update/options.rs::memory_and_swap_are_raised_and_lowered_together",
            "cgroup/update/merging.rs::swap_alone_is_counted_from_the_memory_limit_of_the_last_update",
        ],
    ),
    row("update --pids-limit", "", &["cgroup/update/options.rs::the_number_of_tasks"]),
    row(
        "update --{l3-cache,mem-bw}-schema",
        "",
        &["cgroup/update/checks.rs::a_wrong_value_is_named_by_its_option_and_nothing_changes"],
    ),
    row(
        "{doctor,info}",
        "",
        &[
            "cli/doctor.rs::words_json_and_exit_code_say_the_same_of_this_host",
            "cli/doctor.rs::info_has_all_that_it_had_and_its_exit_code",
            "cli/doctor.rs::what_an_ordinary_user_lacks_is_named",
            "systemd/doctor.rs::doctor_knows_the_systemd_that_answers_this_caller_and_measures_a_question_to_it",
        ],
    ),
    row("{doctor,info} --{format,json}", "", &["cli/doctor.rs::info_has_all_that_it_had_and_its_exit_code"]),
    row(
        "{doctor,info} --measure",
        "",
        &["cli/doctor.rs::costs_are_measured_where_that_is_asked_for_and_nothing_stays"],
    ),
    row(
        "engines",
        "",
        &[
            "cli/engines.rs::all_else_in_a_file_stays_where_it_was",
            "cli/engines.rs::podmans_other_files_are_read_and_one_that_has_the_last_word_is_said",
            "cli/engines.rs::wrong_lines_are_named_with_what_helps",
        ],
    ),
    row(
        "engines --{write,undo}",
        "",
        &[
            "cli/engines.rs::each_file_is_changed_once_and_given_back_to_the_byte",
            "cli/engines.rs::what_is_not_understood_is_left_alone",
            "cli/engines.rs::a_later_change_by_hand_is_not_taken_back",
            "cli/engines.rs::podman_takes_what_is_written",
            "cli/engines.rs::containerd_takes_what_is_written",
        ],
    ),
    row(
        "engines --keep-default",
        "",
        &["cli/engines.rs::each_file_is_changed_once_and_given_back_to_the_byte"],
    ),
    row("engines --{path,prefix}", "", &["cli/engines.rs::links_lead_to_no_file_outside_and_stay_links"]),
    row("engines --{format,json}", "", &["cli/engines.rs::the_list_as_json_has_the_same_change"]),
    row(
        "explain",
        "",
        &[
            "cli/explain/mod.rs::every_deed_and_step_that_is_told_is_the_one_that_create_does",
            "cli/explain/mod.rs::dockers_default_config_is_told_by_subject",
            "cli/explain/mod.rs::a_container_that_exists_is_told_by_its_own_config_and_its_last_update",
            "cli/explain/mod.rs::explaining_changes_nothing",
            "cli/explain/mod.rs::a_config_of_roots_is_planned_for_an_ordinary_user_with_the_reason",
            "cli/explain/findings.rs::what_is_risky_is_named_with_its_field",
            "cli/explain/findings.rs::unknown_and_misspelt_keys_are_told_with_what_was_meant",
        ],
    ),
    row(
        "explain --steps",
        "",
        &["cli/explain/mod.rs::a_page_for_people_has_the_mounts_as_a_tree_and_the_field_of_each"],
    ),
    row(
        "explain --syscall",
        "",
        &[
            "cli/explain/syscalls.rs::the_verdict_is_what_the_program_returns_with_these_arguments",
            "spec/seccomp/verdicts.rs::the_case_that_is_named_is_the_one_that_decides",
        ],
    ),
    row(
        "explain --diff",
        "",
        &[
            "cli/explain/differences.rs::a_difference_is_told_by_subject_with_both_sides",
            "cli/explain/differences.rs::two_configs_that_do_the_same_have_no_difference_however_they_are_written",
        ],
    ),
    row(
        "{explain,validate} --json",
        "",
        &["cli/explain/schema.rs::what_is_printed_has_the_form_of_the_schema"],
    ),
    row(
        "{explain,validate} --{config,id,no-pivot}",
        "as for create",
        &["cli/explain/mod.rs::the_options_of_create_count"],
    ),
    row(
        "validate",
        "",
        &[
            "cli/explain/findings.rs::every_problem_is_told_and_the_exit_code_is_1",
            "cli/explain/findings.rs::what_this_host_lacks_is_an_obstacle_and_the_rest_is_planned",
            "cli/explain/mod.rs::help_says_what_the_exit_codes_mean",
        ],
    ),
    row("features --host", "", &["cli/shell.rs::info_and_features_tell_of_this_host"]),
    row(
        "completion",
        "",
        &[
            "cli/shell.rs::every_shell_takes_its_script",
            "cli/shell.rs::bash_completes_commands_options_values_and_containers",
        ],
    ),
    row("completion --shell", "", &["cli/shell.rs::every_shell_takes_its_script"]),
    row(
        "manual",
        "",
        &[
            "src/cli/manual.rs::every_command_and_option_has_its_entry",
            "cli/shell.rs::man_reads_every_page_without_a_complaint",
        ],
    ),
    row("manual --directory", "", &["cli/shell.rs::man_reads_every_page_without_a_complaint"]),
    row(
        "checkpoint",
        "",
        &[
            "lifecycle/checkpoint/cycle.rs::a_process_that_counts_goes_on_counting",
            "lifecycle/checkpoint/wrong.rs::only_a_started_container_is_checkpointed_and_its_id_must_be_free",
            "lifecycle/checkpoint/wrong.rs::an_error_of_crius_is_told_with_its_log_and_its_cause_last",
        ],
    ),
    row(
        "restore",
        "",
        &[
            "lifecycle/checkpoint/cycle.rs::it_can_be_restored_in_another_runtime_root_and_once_more",
            "lifecycle/checkpoint/cycle.rs::a_restored_container_is_new_in_everything_that_is_the_hosts",
            "lifecycle/checkpoint/wrong.rs::a_restore_that_is_killed_leaves_what_delete_removes",
        ],
    ),
    row(
        "{checkpoint,restore} --image-path",
        "",
        &[
            "lifecycle/checkpoint/cycle.rs::a_process_that_counts_goes_on_counting",
            "lifecycle/checkpoint/hostile.rs::images_are_plain_files_and_the_log_is_written_to_no_other_file",
            "lifecycle/checkpoint/hostile.rs::a_dump_writes_to_files_of_its_own",
        ],
    ),
    row(
        "{checkpoint,restore} --work-path",
        "",
        &["lifecycle/checkpoint/effects.rs::logs_are_written_to_the_work_path"],
    ),
    row(
        "{checkpoint,restore} --tcp-established",
        "",
        &["lifecycle/checkpoint/options.rs::tcp_connections_need_an_option_and_live_on_with_it"],
    ),
    row(
        "{checkpoint,restore} --tcp-close",
        "",
        &["lifecycle/checkpoint/options.rs::tcp_connections_need_an_option_and_live_on_with_it"],
    ),
    row(
        "{checkpoint,restore} --ext-unix-sk",
        "allow unix sockets that are connected to a process outside, in the same network namespace; restore connects them by the address that they had",
        &["lifecycle/checkpoint/effects.rs::a_unix_socket_that_is_connected_to_the_host_needs_its_option"],
    ),
    row(
        "{checkpoint,restore} --shell-job",
        "accepted for compatibility: a first process has a session of its own, and terminals of the caller's are exchanged with or without it",
        &["lifecycle/checkpoint/effects.rs::a_terminal_of_the_callers_is_exchanged_for_another_callers"],
    ),
    row(
        "{checkpoint,restore} --file-locks",
        "",
        &["lifecycle/checkpoint/options.rs::a_file_lock_needs_its_option"],
    ),
    row(
        "{checkpoint,restore} --link-remap",
        "",
        &["lifecycle/checkpoint/options.rs::a_file_that_has_lost_its_name_needs_an_option"],
    ),
    row(
        "{checkpoint,restore} --lazy-pages",
        "loads memory only when it is used, by userfaultfd, from a page server (CRIU 4.2's fails on Linux 6.18, under runc too)",
        &["lifecycle/checkpoint/memory.rs::lazy_pages_are_fetched_from_the_page_server_after_the_restore"],
    ),
    row(
        "{checkpoint,restore} --manage-cgroups-mode",
        "a dump keeps cgroups as soft says; a restored container has the cgroup of its config and no other, unless the option says so; strict wants no cgroup to be there, and the container's is",
        &["lifecycle/checkpoint/options.rs::a_container_is_restored_into_its_own_cgroup_in_every_mode"],
    ),
    row(
        "{checkpoint,restore} --empty-ns",
        "",
        &["lifecycle/checkpoint/effects.rs::nothing_of_a_network_namespace_is_kept"],
    ),
    row(
        "{checkpoint,restore} --auto-dedup",
        "at a dump, free in earlier dumps what this one has written anew; at a restore, free in the images what is restored",
        &["lifecycle/checkpoint/effects.rs::deduplication_frees_pages_that_are_restored"],
    ),
    row(
        "{checkpoint,restore} --criu-config",
        "",
        &[
            "lifecycle/checkpoint/hostile.rs::an_annotation_names_no_configuration_of_criu_unless_it_is_allowed",
            "lifecycle/checkpoint/wrong.rs::a_configuration_of_criu_that_is_not_there_is_named",
        ],
    ),
    row(
        "checkpoint --parent-path",
        "",
        &["lifecycle/checkpoint/memory.rs::a_dump_behind_a_pre_dump_has_what_has_changed_since"],
    ),
    row(
        "checkpoint --pre-dump",
        "",
        &["lifecycle/checkpoint/memory.rs::a_dump_behind_a_pre_dump_has_what_has_changed_since"],
    ),
    row(
        "checkpoint --leave-running",
        "",
        &["lifecycle/checkpoint/cycle.rs::a_container_that_is_left_running_runs_and_can_be_restored_later"],
    ),
    row(
        "checkpoint --tcp-skip-in-flight",
        "skip TCP connections that are not accepted yet",
        &["lifecycle/checkpoint/effects.rs::a_connection_that_is_not_accepted_yet_needs_its_option"],
    ),
    row(
        "checkpoint --{status-fd,page-server}",
        "",
        &["lifecycle/checkpoint/memory.rs::lazy_pages_are_fetched_from_the_page_server_after_the_restore"],
    ),
    row(
        "restore --bundle",
        "",
        &["lifecycle/checkpoint/cycle.rs::it_can_be_restored_in_another_runtime_root_and_once_more"],
    ),
    row(
        "restore --console-socket",
        "",
        &["lifecycle/checkpoint/options.rs::a_terminal_is_given_to_the_new_callers_console_socket"],
    ),
    row(
        "restore --detach",
        "",
        &["lifecycle/checkpoint/cycle.rs::the_foreground_waits_for_the_restored_process_and_has_its_code"],
    ),
    row(
        "restore --pid-file",
        "",
        &["lifecycle/checkpoint/cycle.rs::a_restored_container_is_new_in_everything_that_is_the_hosts"],
    ),
    row(
        "restore --no-subreaper",
        "",
        &["lifecycle/checkpoint/effects.rs::orphans_come_to_the_waiting_restore_unless_it_is_no_subreaper"],
    ),
    row(
        "restore --{no-pivot,preserve-fds}",
        "",
        &["lifecycle/checkpoint/options.rs::options_that_change_nothing_are_taken"],
    ),
    row(
        "restore --lsm-profile",
        "profile of AppArmor or SELinux label in place of the config's; SELinux needs a CRIU that was built with it, which Debian's is not",
        &["lifecycle/checkpoint/labels.rs::a_profile_is_the_options_or_the_configs"],
    ),
    row(
        "restore --lsm-mount-context",
        "SELinux context of mounts that have one; an error without SELinux",
        &[
            "lifecycle/checkpoint/labels.rs::file_systems_have_the_mount_context_of_the_option_or_the_config",
            "lifecycle/checkpoint/labels.rs::a_label_of_a_module_that_the_host_lacks_is_refused",
        ],
    ),
];
