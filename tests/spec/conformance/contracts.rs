//! Annotations, environment variables and descriptors: what passes between rruntime and who calls it.

use crate::conformance::row::{Row, row};

const WARNING: &str = "config/ipc/annotations.rs::what_belongs_to_systemd_or_to_a_handler_is_a_warning";

const IGNORED: &str =
    "config/ipc/annotations.rs::what_reaches_the_host_is_ignored_with_a_warning_unless_it_is_allowed";

pub const ANNOTATIONS: &[Row] = &[
    row(
        "run.oci.hooks.{stdout,stderr}",
        "if allowed: the output of hooks goes to this file",
        &["lifecycle/hooks.rs::the_words_of_hooks_go_to_the_files_of_the_annotations", IGNORED],
    ),
    row(
        "org.criu.config",
        "a configuration file of CRIU, which can make it run programs: read if allowed; an empty value means none",
        &[
            "lifecycle/checkpoint/hostile.rs::an_annotation_names_no_configuration_of_criu_unless_it_is_allowed",
        ],
    ),
    row(
        "org.rruntime.landlock",
        "Landlock rules, as JSON (docs/landlock.md); a right that the kernel lacks is a warning, or an error where the value says so",
        &[
            "config/landlock.rs::what_the_rules_do_not_allow_is_denied_and_the_rest_goes_on",
            "config/landlock.rs::exec_and_hooks_inside_are_restricted_as_the_container_is",
            "config/landlock.rs::a_container_in_the_pid_namespace_of_another_is_restricted_too",
            "config/landlock.rs::a_right_that_this_kernel_lacks_is_a_warning_or_an_error",
            "spec/validate/mod.rs::each_rule_names_its_field_and_says_why",
        ],
    ),
    row(
        "run.oci.keep_original_groups",
        "the caller's groups are kept: for an ordinary user and in a user namespace; for the host's root only if allowed",
        &[
            "config/ipc/annotations.rs::the_callers_groups_stay_if_the_config_says_so",
            "config/ipc/annotations.rs::an_ordinary_users_groups_stay_without_being_allowed",
        ],
    ),
    row(
        "run.oci.mount_context_type",
        "the word before linux.mountLabel: context, fscontext, defcontext, rootcontext",
        &["config/ipc/annotations.rs::paths_and_words_are_checked"],
    ),
    row(
        "run.oci.pidfd_receiver",
        "if allowed: as --pidfd-socket",
        &["config/ipc/pidfd.rs::the_annotation_names_a_receiver_too", IGNORED],
    ),
    row(
        "run.oci.seccomp.receiver",
        "if allowed: as linux.seccomp.listenerPath",
        &[
            IGNORED,
            "config/ipc/annotations.rs::the_seccomp_listener_goes_to_the_receiver_of_the_annotation_or_of_the_environment",
        ],
    ),
    row(
        "run.oci.seccomp_bpf_data",
        "a compiled filter, if linux.seccomp is absent; an error with it, because an image must not replace a profile",
        &[
            "config/ipc/annotations.rs::a_finished_filter_is_loaded_where_there_is_no_profile",
            "config/ipc/annotations.rs::a_finished_filter_does_not_take_the_place_of_the_profile",
            "config/ipc/annotations.rs::a_finished_filter_that_is_none_is_refused_before_anything_is_made",
        ],
    ),
    row(
        "run.oci.seccomp_fail_unknown_syscall",
        "an unknown call of a profile is an error, not a warning",
        &["config/ipc/annotations.rs::an_unknown_system_call_is_an_error_if_the_config_says_so"],
    ),
    row(
        "{run.oci.handler,module.wasm.image/variant,run.oci.seccomp.plugins,run.oci.systemd.force_cgroup_v1}",
        "needs what rruntime does not have: an error",
        &["config/ipc/annotations.rs::a_handler_that_is_not_there_is_an_error"],
    ),
    row(
        "run.oci.systemd.subgroup",
        "the group below the container's scope that its processes are in, on cgroup v2; without systemd's cgroups a warning",
        &["systemd/scope.rs::a_group_below_the_scope_has_the_processes", WARNING],
    ),
    row(
        "run.oci.delegate-cgroup",
        "the group below that one which the container manages, on cgroup v2; without systemd's cgroups a warning",
        &["systemd/scope.rs::a_group_that_the_container_manages_is_behind_its_root", WARNING],
    ),
    row(
        "org.systemd.property.",
        "a property of the container's scope: After, Before, CollectMode, DefaultDependencies, Delegate, Description, \
         KillSignal, RuntimeMaxSec, RuntimeMaxUSec, TimeoutStopSec, TimeoutStopUSec; others where they are allowed",
        &["systemd/scope.rs::annotations_set_properties_and_others_are_refused"],
    ),
    row("krun.", "applies to virtual machines: a warning", &[WARNING]),
    row(
        "any other",
        "kept in the state; no effect",
        &["lifecycle/commands.rs::state_tells_what_the_kernel_and_the_config_say"],
    ),
];

pub const ENVIRONMENT: &[Row] = &[
    row(
        "LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID",
        "the sockets keep their numbers; LISTEN_PID is the program's own pid",
        &[
            "config/ipc/listen.rs::sockets_keep_their_numbers_and_the_program_is_told",
            "config/ipc/listen.rs::what_is_meant_for_another_process_is_not_passed_on",
            "config/ipc/listen.rs::preserved_descriptors_come_after_the_sockets",
        ],
    ),
    row(
        "NOTIFY_SOCKET",
        "the container gets a socket of rruntime's, which passes on only readiness, and the pid where the command ends then",
        &[
            "config/ipc/notify.rs::start_waits_until_the_program_is_ready_and_hands_its_pid_on",
            "config/ipc/notify.rs::nothing_else_that_the_container_says_reaches_the_service_manager",
            "config/ipc/notify.rs::the_container_sees_a_socket_of_ours_and_can_change_nothing_around_it",
            "config/ipc/notify.rs::a_socket_that_lingers_makes_nobody_deaf",
        ],
    ),
    row(
        "RUN_OCI_SECCOMP_RECEIVER",
        "as run.oci.seccomp.receiver",
        &[
            "config/ipc/annotations.rs::the_seccomp_listener_goes_to_the_receiver_of_the_annotation_or_of_the_environment",
        ],
    ),
    row(
        "DBUS_SYSTEM_BUS_ADDRESS",
        "the bus of the machine's systemd, which makes root's cgroups; without it /run/dbus/system_bus_socket",
        &["systemd/absent.rs::a_bus_that_is_not_there_is_named_with_what_to_do"],
    ),
    row(
        "DBUS_SESSION_BUS_ADDRESS",
        "the bus of an ordinary user's systemd, which makes that user's cgroups; without it, and without \
         XDG_RUNTIME_DIR, /run/user/UID/bus",
        &[
            "systemd/users.rs::the_machines_systemd_refuses_an_ordinary_user",
            "systemd/users.rs::without_variables_the_users_bus_is_where_it_usually_is",
        ],
    ),
    row(
        "XDG_RUNTIME_DIR",
        "an ordinary user's state directory is below it, and where DBUS_SESSION_BUS_ADDRESS names none the bus of the \
         user's systemd",
        &[
            "lifecycle/rootless/life.rs::without_a_root_option_state_is_below_the_runtime_directory_and_nobody_elses",
            "systemd/users.rs::without_variables_the_users_bus_is_where_it_usually_is",
        ],
    ),
    row(
        "the caller's environment",
        "stays outside",
        &["config/process/program.rs::the_environment_is_the_configs_and_nothing_else"],
    ),
    row(
        "the caller's descriptors",
        "only 0 to 2 and --preserve-fds are passed on; a closed one of 0 to 2 is opened on /dev/null",
        &[
            "lifecycle/descriptors.rs::what_a_careless_caller_left_open_does_not_reach_the_process",
            "lifecycle/descriptors.rs::closed_standard_streams_are_open_on_nothing",
        ],
    ),
    row(
        "the caller's signals",
        "none is blocked, and of 1 to 33 none is ignored, whatever the caller does with them; later ones stay ignored",
        &["lifecycle/signals.rs::the_program_begins_with_no_signal_blocked_or_ignored"],
    ),
    row(
        "the program's name (argv[0])",
        "called as runc or crun, it behaves as that program, including the name in messages",
        &[
            "cli/usage.rs::the_name_it_is_called_by_is_the_name_it_uses",
            "cli/compat.rs::a_life_is_told_as_runc_tells_it",
            "cli/compat.rs::a_life_is_told_as_crun_tells_it",
        ],
    ),
    row(
        "exit code",
        "the code of the process, or 128 plus the number of the signal that ended it; 1 for an error of rruntime, 255 in exec",
        &[
            "lifecycle/main.rs::a_program_that_a_signal_ends_gives_128_and_its_number",
            "lifecycle/exec.rs::exec_gives_the_exit_code_or_128_and_the_signal",
        ],
    ),
];
