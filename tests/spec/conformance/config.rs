//! config.md of runtime-spec 1.3.0: what is not Linux's own.

use crate::conformance::row::{Row, row};

pub const ROWS: &[Row] = &[
    row(
        "ociVersion",
        "1.0.0 to 1.x; another major version, or text that is not a semantic version, is refused",
        &[
            "spec/validate/mod.rs::each_rule_names_its_field_and_says_why",
            "src/spec/validate.rs::versions_are_semantic",
        ],
    ),
    row(
        "root",
        "required",
        &["spec/bad_input/config.rs::each_mistake_in_a_config_is_named_and_leaves_nothing"],
    ),
    row(
        "root.path",
        "absolute, or relative to the bundle; links of the host are followed; opened once, everything below it is resolved by the kernel inside it",
        &[
            "config/rootfs.rs::the_root_may_be_an_absolute_path_or_a_link",
            "config/rootfs.rs::the_parent_of_the_root_is_the_root",
        ],
    ),
    row(
        "root.readonly",
        "the root is read-only; mounts on it can still be writable",
        &["config/rootfs.rs::a_read_only_root_cannot_be_written_while_mounts_on_it_can"],
    ),
    row(
        "mounts",
        "made in the order of the list; a mount namespace is required",
        &["config/mounts/filesystems.rs::later_mounts_cover_earlier_ones_in_the_order_of_the_config"],
    ),
    row(
        "mounts[].destination",
        "created if missing, with its parents, never outside the root; a relative path is taken from / with a warning",
        &[
            "config/mounts/filesystems.rs::a_missing_destination_is_made_with_all_its_parents",
            "config/mounts/filesystems.rs::a_destination_behind_links_stays_inside_the_rootfs",
            "config/mounts/filesystems.rs::a_mount_without_a_slash_at_its_beginning_is_taken_from_the_root",
        ],
    ),
    row(
        "mounts[].type",
        "any file system of the kernel; `cgroup` shows the container's own group on both versions; `bind` and `none` with a bind option",
        &[
            "config/mounts/filesystems.rs::dockers_mounts_are_there_with_their_options",
            "config/mounts/filesystems.rs::the_cgroup_mount_shows_the_containers_own_cgroup_as_its_root",
            "config/mounts/binds.rs::the_type_bind_alone_binds",
        ],
    ),
    row(
        "mounts[].source",
        "for a bind: absolute, or relative to the bundle; an error if missing",
        &[
            "config/mounts/binds.rs::a_relative_source_is_in_the_bundle",
            "config/mounts/binds.rs::a_missing_source_is_refused_by_its_field_and_leaves_nothing",
        ],
    ),
    row(
        "mounts[].options",
        "the options of the table below; any other option goes to the file system as data",
        &[
            "config/mounts/filesystems.rs::a_tmpfs_takes_its_size_mode_owner_and_flags",
            "config/mounts/filesystems.rs::an_option_that_the_file_system_does_not_know_is_refused_with_the_kernels_words",
        ],
    ),
    row(
        "mounts[].{uidMappings,gidMappings}",
        "the bind is id-mapped (mount_setattr); both fields or neither",
        &["config/mounts/binds.rs::a_bind_with_a_map_of_its_own_shows_mapped_owners"],
    ),
    row(
        "mounts[].{uidMappings,gidMappings}[].{containerID,hostID,size}",
        "a range; empty, overlapping and overflowing ranges are refused",
        &[
            "config/mounts/binds.rs::a_bind_with_a_map_of_its_own_shows_mapped_owners",
            "spec/validate/mod.rs::each_rule_names_its_field_and_says_why",
        ],
    ),
    row("process", "required", &["spec/validate/mod.rs::each_rule_names_its_field_and_says_why"]),
    row(
        "process.terminal",
        "a terminal of the container's own devpts is its streams and /dev/console",
        &[
            "config/process/terminal.rs::the_streams_of_the_program_are_the_terminal",
            "lifecycle/terminal.rs::the_master_of_a_created_container_comes_through_the_console_socket",
        ],
    ),
    row(
        "process.consoleSize{,.height,.width}",
        "the terminal's size when the program starts",
        &["config/process/terminal.rs::the_terminal_has_the_size_of_the_config"],
    ),
    row(
        "process.cwd",
        "entered by root or the user, and verified to be inside; created if missing and the user may search the directories above it",
        &[
            "config/process/program.rs::a_missing_working_directory_is_made_and_an_existing_one_entered",
            "security/files/cwd.rs::no_directory_is_made_where_the_user_may_not_search",
            "security/processes/descriptors.rs::a_working_directory_behind_a_leaked_descriptor_is_refused",
        ],
    ),
    row(
        "process.env",
        "exactly these, plus HOME from the image's passwd if it is not set; a warning if the program may not read that file",
        &[
            "config/process/program.rs::the_environment_is_the_configs_and_nothing_else",
            "config/process/program.rs::without_a_home_the_one_of_the_containers_passwd_is_given",
            "security/files/home.rs::a_passwd_that_the_program_may_not_read_is_a_warning",
        ],
    ),
    row(
        "process.args",
        "unchanged; the program is looked up in the container's PATH",
        &[
            "config/process/program.rs::arguments_reach_the_program_as_they_are",
            "config/process/program.rs::the_program_is_looked_for_in_the_containers_path",
        ],
    ),
    row(
        "process.commandLine",
        "Windows only: ignored if args is set, otherwise an error",
        &["spec/validate/mod.rs::each_rule_names_its_field_and_says_why"],
    ),
    row(
        "process.user",
        "who the program runs as",
        &["config/process/identity.rs::the_user_and_the_groups_are_set"],
    ),
    row(
        "process.user.{uid,gid}",
        "numbers, never looked up; refused if a user namespace does not map them",
        &[
            "config/process/identity.rs::the_user_and_the_groups_are_set",
            "config/users.rs::an_id_that_the_map_lacks_is_refused_by_its_field",
            "security/input/identity.rs::a_user_of_the_config_beyond_the_kernels_ids_is_refused",
        ],
    ),
    row(
        "process.user.umask",
        "nine bits; the default is 0022",
        &["config/process/identity.rs::the_umask_is_the_configs_or_the_usual_one"],
    ),
    row(
        "process.user.additionalGids",
        "exactly these: the caller's groups are dropped",
        &[
            "config/process/identity.rs::the_user_and_the_groups_are_set",
            "config/process/identity.rs::without_additional_groups_the_callers_are_gone",
        ],
    ),
    row(
        "process.user.username",
        "Windows only: ignored; `explain` says that it has no effect",
        &["spec/bad_input/warnings.rs::unknown_fields_are_ignored_in_silence"],
    ),
    row(
        "process.capabilities{,.bounding,.permitted,.effective,.inheritable,.ambient}",
        "each set as given; what the kernel or the caller lacks is left out with a warning; contradictions between the sets are refused",
        &[
            "config/process/identity.rs::root_has_the_sets_of_the_config",
            "config/process/identity.rs::inheritable_and_ambient_sets_are_roots_too",
            "config/process/identity.rs::another_user_than_root_has_its_ambient_set",
            "config/process/identity.rs::an_unknown_capability_is_left_out_with_a_warning",
        ],
    ),
    row(
        "process.rlimits",
        "set before the program starts; one entry for each type",
        &["config/process/limits.rs::every_resource_limit_is_set"],
    ),
    row(
        "process.rlimits[].{type,hard,soft}",
        "the kernel's sixteen limits; the largest number means unlimited; a soft limit above the hard limit is refused",
        &[
            "config/process/limits.rs::every_resource_limit_is_set",
            "config/process/limits.rs::the_largest_number_is_unlimited",
            "config/process/limits.rs::an_unknown_limit_is_refused_and_of_one_given_twice_the_last_counts",
        ],
    ),
    row(
        "process.noNewPrivileges",
        "PR_SET_NO_NEW_PRIVS",
        &[
            "config/process/identity.rs::no_new_privileges_is_set_only_if_asked_for",
            "config/process/identity.rs::a_set_user_id_program_gives_its_owners_rights_unless_they_are_refused",
        ],
    ),
    row(
        "process.{apparmorProfile,selinuxLabel}",
        "written through a private procfs for the next exec; an error if the kernel lacks the module; a profile goes on top of a confined runtime's own under noNewPrivileges",
        &[
            "config/process/labels.rs::a_program_and_what_exec_starts_are_confined_by_the_profile",
            "config/process/labels.rs::a_profile_holds_in_a_user_namespace_and_with_no_new_privileges",
            "config/process/labels.rs::a_confined_runtime_stacks_the_profile_where_no_new_privileges_forbid_a_change",
            "config/process/labels.rs::a_program_and_its_file_systems_have_their_selinux_labels",
            "config/process/labels.rs::selinux_denies_a_container_what_its_label_may_not",
            "config/process/program.rs::a_security_label_that_the_kernel_does_not_know_is_refused_by_its_field",
            "security/files/procfs.rs::a_label_never_goes_to_a_file_of_the_image",
        ],
    ),
    row(
        "process.oomScoreAdj",
        "-1000 to 1000; the default is the caller's",
        &[
            "config/process/limits.rs::the_score_of_the_oom_killer_is_set_in_both_directions",
            "config/process/limits.rs::without_a_score_the_callers_is_kept",
            "config/users.rs::a_score_of_the_oom_killer_is_set_in_a_user_namespace",
        ],
    ),
    row(
        "process.scheduler{,.policy,.nice,.priority}",
        "sched_setattr(2)",
        &[
            "config/process/scheduling.rs::the_policy_nice_value_and_priority_are_set",
            "config/process/scheduling.rs::realtime_policies_are_set_where_the_cgroup_allows_them",
        ],
    ),
    row(
        "process.scheduler.flags",
        "sched_setattr(2)",
        &["config/process/scheduling.rs::the_reset_on_fork_flag_has_its_effect"],
    ),
    row(
        "process.scheduler.{runtime,deadline,period}",
        "SCHED_DEADLINE, in nanoseconds",
        &["config/process/scheduling.rs::a_deadline_policy_has_its_three_times"],
    ),
    row(
        "process.ioPriority{,.class,.priority}",
        "ioprio_set(2)",
        &["config/process/scheduling.rs::the_io_priority_is_set"],
    ),
    row(
        "process.execCPUAffinity{,.initial,.final}",
        "the CPUs of a process of exec: before and after it enters the container's cgroup",
        &[
            "config/process/affinity.rs::exec_runs_on_the_final_cpus_or_else_on_the_initial_ones",
            "config/process/affinity.rs::initial_counts_before_the_cgroup_and_final_after_it",
        ],
    ),
    row(
        "hostname",
        "needs a uts namespace; at most 64 bytes",
        &["config/names.rs::the_host_and_domain_names_are_the_containers_own"],
    ),
    row(
        "domainname",
        "needs a uts namespace; at most 64 bytes",
        &["config/names.rs::the_host_and_domain_names_are_the_containers_own"],
    ),
    row(
        "hooks",
        "run in order, with the state on standard input",
        &["lifecycle/hooks.rs::the_six_kinds_run_in_their_order"],
    ),
    row(
        "hooks.{prestart,createRuntime,createContainer,startContainer,poststart,poststop}",
        "each at its point and in its namespaces; a failure ends the start, also in poststart; in poststop it is a warning",
        &[
            "lifecycle/hooks.rs::create_start_and_delete_each_run_their_own_kinds",
            "lifecycle/hooks.rs::each_kind_gets_the_state_with_the_status_of_its_point",
            "lifecycle/hooks.rs::hooks_run_in_the_namespaces_of_their_kind",
            "lifecycle/hooks.rs::a_failing_hook_ends_the_start_with_its_words_and_nothing_stays",
            "lifecycle/hooks.rs::a_failing_poststop_hook_is_a_warning_and_the_next_one_runs",
            "lifecycle/hooks.rs::hooks_begin_in_the_bundle_in_the_root_file_system_and_in_the_working_directory",
            "lifecycle/hooks.rs::a_create_container_hook_is_born_outside_of_a_pid_namespace_that_was_joined",
            "lifecycle/hooks.rs::poststop_hooks_run_where_the_bundle_is_gone",
        ],
    ),
    row(
        "hooks.{prestart,createRuntime,createContainer,startContainer,poststart,poststop}[].{path,args,env}",
        "an absolute path, of the host or, for startContainer, of the container; exactly these arguments and variables",
        &[
            "lifecycle/hooks.rs::arguments_and_environment_are_exactly_those_of_the_config",
            "lifecycle/hooks.rs::create_container_hooks_see_paths_of_the_host_and_start_container_hooks_those_of_the_container",
            "lifecycle/hooks.rs::the_image_does_not_choose_the_program_of_a_create_container_hook",
        ],
    ),
    row(
        "hooks.{prestart,createRuntime,createContainer,startContainer,poststart,poststop}[].timeout",
        "in seconds; a hook that exceeds it is killed and has failed",
        &[
            "lifecycle/hooks.rs::a_hook_that_outruns_its_timeout_is_killed",
            "lifecycle/hooks.rs::a_hook_within_its_timeout_is_waited_for",
        ],
    ),
    row(
        "annotations",
        "kept, and shown by state",
        &["lifecycle/commands.rs::state_tells_what_the_kernel_and_the_config_say"],
    ),
    row(
        "{windows,solaris,vm,zos,freebsd}",
        "for other platforms: ignored silently, with everything below it",
        &[
            "spec/bad_input/warnings.rs::unknown_fields_are_ignored_in_silence",
            "spec/oracle.rs::good_examples_load",
        ],
    ),
];
