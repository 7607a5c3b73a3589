//! config-linux.md of runtime-spec 1.3.0.

use crate::conformance::row::{Row, row};

const DEFAULTS: &str = "config/devices.rs::the_default_devices_and_links_are_there";
const PER_VERSION: &str = "cgroup/pure.rs::limits_become_the_files_of_each_version";

pub const ROWS: &[Row] = &[
    row("linux", "may be absent", &["spec/oracle.rs::good_examples_load"]),
    row(
        "linux.namespaces",
        "one entry for each kind; without one the container shares the caller's namespace",
        &[
            "config/namespaces.rs::every_namespace_without_a_path_is_new",
            "config/namespaces.rs::a_namespace_that_is_left_out_is_the_hosts",
        ],
    ),
    row(
        "linux.namespaces[].type",
        "user, ipc, uts, network, pid, cgroup, time, mount",
        &["config/namespaces.rs::every_namespace_without_a_path_is_new"],
    ),
    row(
        "linux.namespaces[].path",
        "joined, after its kind has been verified on the descriptor",
        &[
            "config/namespaces.rs::namespaces_with_a_path_are_joined",
            "config/namespaces.rs::a_file_of_another_kind_of_namespace_is_refused_by_its_field",
        ],
    ),
    row(
        "linux.{uidMappings,gidMappings}",
        "the maps of a new user namespace, which must map id 0; for an ordinary user newuidmap and newgidmap write them",
        &[
            "config/users.rs::ids_are_mapped_inside_and_outside",
            "lifecycle/rootless/ranges.rs::ranges_from_etc_subuid_give_the_container_many_ids",
        ],
    ),
    row(
        "linux.{uidMappings,gidMappings}[].{containerID,hostID,size}",
        "a range, as in /proc/PID/uid_map",
        &["config/users.rs::the_maps_read_inside_as_the_config_says"],
    ),
    row(
        "linux.timeOffsets{,.boottime,.boottime.secs,.boottime.nanosecs,.monotonic,.monotonic.secs,.monotonic.nanosecs}",
        "clocks of a new time namespace",
        &[
            "config/namespaces.rs::time_offsets_move_the_clocks_of_a_new_time_namespace",
            "config/namespaces.rs::without_a_time_namespace_offsets_are_refused",
        ],
    ),
    row(
        "linux.devices",
        "created in /dev in addition to the default devices; in a user namespace, bound from the host",
        &["config/devices.rs::a_listed_device_has_its_kind_numbers_mode_and_owner", DEFAULTS],
    ),
    row(
        "linux.devices[].{type,path,major,minor,fileMode,uid,gid}",
        "c, b, u or p; an existing file must be the same device",
        &[
            "config/devices.rs::a_listed_device_has_its_kind_numbers_mode_and_owner",
            "config/devices.rs::a_device_that_the_image_has_already_is_kept_if_it_is_the_same_and_refused_if_not",
        ],
    ),
    row(
        "linux.netDevices{,.*.name}",
        "the interface is moved, renamed and set up, and keeps its addresses; it returns if the container cannot be created, but stays in a namespace that was joined",
        &[
            "config/netdevices.rs::a_device_is_renamed_and_keeps_its_address_of_hardware_and_its_mtu",
            "config/netdevices.rs::permanent_global_addresses_are_kept_and_others_are_not",
            "config/netdevices.rs::the_kernel_chooses_a_number_where_the_name_is_a_pattern",
            "config/netdevices.rs::a_device_goes_back_if_a_later_step_fails",
            "config/netdevices.rs::nothing_comes_back_from_a_namespace_that_was_joined",
            "config/netdevices.rs::a_device_that_took_the_place_of_the_hosts_does_not_come_back_from_the_containers_own_namespace",
        ],
    ),
    row(
        "linux.cgroupsPath",
        "absolute: below each mount; by default the id, next to or below the caller's cgroup; `..` is refused",
        &[
            "config/resources.rs::the_container_is_in_the_cgroup_of_its_config",
            "src/cgroup/location.rs::no_path_means_the_id_below_the_callers_cgroup_on_v1_and_beside_it_on_v2",
            "security/input/cgroup.rs::a_cgroup_path_that_climbs_is_refused",
        ],
    ),
    row(
        "linux.resources",
        "written before the program starts; a limit whose controller is missing is an error",
        &["cgroup/limits/files.rs::a_limit_without_its_controller_is_an_error_that_names_the_field"],
    ),
    row(
        "linux.resources.devices",
        "a list on v1, a program on v2; the last matching rule decides; the default devices are always allowed",
        &[
            "cgroup/limits/devices.rs::the_last_rule_that_fits_decides",
            "cgroup/limits/devices.rs::the_default_devices_work_with_nothing_allowed_but_them",
            "cgroup/v2.rs::device_rules_decide_and_change_under_a_running_container",
        ],
    ),
    row(
        "linux.resources.devices[].{allow,type,major,minor,access}",
        "without numbers, every number; without a type, both types",
        &[
            "cgroup/limits/devices.rs::a_rule_allows_the_access_that_it_names_and_no_more",
            "cgroup/limits/devices.rs::a_whole_class_can_be_allowed",
            "config/resources.rs::device_rules_of_block_devices_are_their_own",
        ],
    ),
    row("linux.resources.memory", "the fields below", &["config/resources.rs::memory_limits_are_set"]),
    row(
        "linux.resources.memory.limit",
        "bytes; -1 is none",
        &[
            "cgroup/limits/memory.rs::the_limit_is_seen_inside",
            "cgroup/limits/memory.rs::no_limit_is_minus_one",
        ],
    ),
    row(
        "linux.resources.memory.reservation",
        "v1 soft limit, v2 memory.low",
        &["cgroup/limits/memory.rs::the_reservation_is_the_amount_that_is_protected"],
    ),
    row(
        "linux.resources.memory.swap",
        "memory plus swap; v2 gets the difference; a value below the limit is refused",
        &[
            "cgroup/limits/memory.rs::swap_counts_memory_and_swap_together",
            "cgroup/pure.rs::wrong_limits_are_refused_with_their_field",
        ],
    ),
    row(
        "linux.resources.memory.{kernel,kernelTCP}",
        "deprecated and removed from the kernel: a warning",
        &["cgroup/pure.rs::what_a_version_does_not_have_but_peers_accept_is_a_warning"],
    ),
    row(
        "linux.resources.memory.{swappiness,disableOOMKiller}",
        "v1; a warning on v2",
        &[
            "cgroup/limits/memory.rs::v1_takes_swappiness_and_an_oom_killer_that_is_off",
            "cgroup/pure.rs::what_a_version_does_not_have_but_peers_accept_is_a_warning",
        ],
    ),
    row(
        "linux.resources.memory.useHierarchy",
        "accepted without effect: kernels since 5.11 always use it",
        &["spec/oracle.rs::our_own_round_trip_keeps_every_field"],
    ),
    row(
        "linux.resources.memory.checkBeforeUpdate",
        "a limit below the memory in use is refused before anything is written",
        &[
            "cgroup/v1.rs::a_limit_below_the_memory_in_use_is_refused_before_it_hurts",
            "cgroup/v2.rs::a_limit_below_the_memory_in_use_is_refused_before_it_hurts",
        ],
    ),
    row("linux.resources.cpu", "the fields below", &["config/resources.rs::cpu_time_and_weight_are_set"]),
    row(
        "linux.resources.cpu.shares",
        "v2 gets the equivalent weight (runc's formula)",
        &[
            "cgroup/limits/cpu.rs::shares_are_shares_on_v1_and_the_weight_that_means_the_same_on_v2",
            "cgroup/pure.rs::shares_become_weights_that_keep_the_ends_and_the_default",
        ],
    ),
    row(
        "linux.resources.cpu.{quota,period}",
        "microseconds",
        &[
            "cgroup/limits/cpu.rs::quota_and_period_are_seen_inside",
            "cgroup/limits/cpu.rs::a_quota_slows_a_busy_program_down",
        ],
    ),
    row(
        "linux.resources.cpu.{burst,idle}",
        "cpu.max.burst, cpu.idle",
        &["cgroup/limits/cpu.rs::an_idle_group_and_a_burst_are_seen_inside"],
    ),
    row(
        "linux.resources.cpu.{realtimePeriod,realtimeRuntime}",
        "v1; refused on v2, which lacks both",
        &[
            "cgroup/pure.rs::real_time_limits_are_v1_files",
            "cgroup/pure.rs::wrong_limits_are_refused_with_their_field",
        ],
    ),
    row(
        "linux.resources.cpu.{cpus,mems}",
        "cpuset",
        &[
            "cgroup/limits/cpu.rs::a_set_of_cpus_is_all_that_the_container_can_use",
            "cgroup/v1.rs::a_cpuset_is_inherited_at_every_level_and_then_narrowed",
            "cgroup/v2.rs::a_cpuset_narrows",
        ],
    ),
    row(
        "linux.resources.pids{,.limit}",
        "0: no task may be added; -1: no limit; absent: unchanged",
        &[
            "cgroup/limits/tasks.rs::a_fork_beyond_the_limit_fails",
            "spec/oracle.rs::a_pids_limit_of_zero_differs_from_none",
            "cgroup/limits/tasks.rs::no_limit_is_minus_one",
        ],
    ),
    row(
        "linux.resources.blockIO{,.weight}",
        "the weight of bfq, or of the kernel without bfq",
        &[
            "cgroup/limits/files.rs::a_weight_is_set_or_refused_by_name",
            "cgroup/pure.rs::blkio_weights_become_io_weights_linearly",
        ],
    ),
    row(
        "linux.resources.blockIO.leafWeight",
        "removed from the kernel: a warning",
        &["cgroup/pure.rs::what_a_version_does_not_have_but_peers_accept_is_a_warning"],
    ),
    row(
        "linux.resources.blockIO.weightDevice{,[].major,[].minor,[].weight}",
        "a weight for one disk",
        &[PER_VERSION],
    ),
    row(
        "linux.resources.blockIO.weightDevice[].leafWeight",
        "removed from the kernel: a warning",
        &["cgroup/pure.rs::a_leaf_weight_of_a_device_is_a_warning"],
    ),
    row(
        "linux.resources.blockIO.{throttleReadBpsDevice,throttleWriteBpsDevice,throttleReadIOPSDevice,throttleWriteIOPSDevice}{,[].major,[].minor,[].rate}",
        "rates of one disk, a second",
        &["cgroup/limits/files.rs::throttles_of_a_disk_are_set", PER_VERSION],
    ),
    row(
        "linux.resources.hugepageLimits{,[].pageSize,[].limit}",
        "usage and reservation alike; sizes as in 2MB",
        &[
            "cgroup/limits/files.rs::huge_pages_are_limited_by_size",
            "cgroup/v2.rs::a_hugetlb_limit_arrives_with_its_reservation",
        ],
    ),
    row(
        "linux.resources.network{,.classID,.priorities,.priorities[].name,.priorities[].priority}",
        "v1; a warning on v2, which has neither",
        &[
            "cgroup/limits/files.rs::a_network_class_is_set_where_v1_has_them",
            "cgroup/limits/files.rs::network_priorities_are_set_where_v1_has_them",
            PER_VERSION,
        ],
    ),
    row(
        "linux.resources.rdma{,.*.hcaHandles,.*.hcaObjects}",
        "rdma.max; one of the two is required",
        &[PER_VERSION, "cgroup/pure.rs::wrong_limits_are_refused_with_their_field"],
    ),
    row(
        "linux.resources.unified",
        "files of the container's own v2 group, after the other fields; refused on v1",
        &[
            "cgroup/limits/files.rs::files_of_the_unified_map_are_written",
            "cgroup/limits/files.rs::the_unified_map_wins_over_the_older_field",
            "security/input/cgroup.rs::a_unified_key_names_a_file_of_the_containers_cgroup",
        ],
    ),
    row(
        "linux.sysctl",
        "of the container's own namespaces alone, in both spellings",
        &[
            "config/names.rs::sysctls_of_every_namespace_are_set_in_both_spellings",
            "config/names.rs::a_sysctl_of_a_namespace_that_is_the_hosts_is_refused_by_its_field",
        ],
    ),
    row(
        "linux.seccomp{,.defaultAction,.syscalls,.syscalls[].names,.syscalls[].action}",
        "compiled to BPF by rruntime itself; unknown calls are a warning, unknown words errors",
        &[
            "config/seccomp/profile.rs::dockers_profile_refuses_what_it_is_for_and_allows_the_rest",
            "config/seccomp/profile.rs::a_killed_program_ends_by_sigsys",
            "config/seccomp/profile.rs::a_logged_call_goes_on_and_an_untraced_trace_fails",
            "config/seccomp/profile.rs::an_unknown_call_is_a_warning_and_an_unknown_action_an_error",
            "spec/seccomp/mod.rs::random_profiles_are_decided_alike",
        ],
    ),
    row(
        "linux.seccomp.defaultErrnoRet",
        "the errno of the default action",
        &["config/seccomp/profile.rs::the_default_action_has_its_own_errno"],
    ),
    row(
        "linux.seccomp.syscalls[].errnoRet",
        "the errno of the rule",
        &["config/seccomp/profile.rs::a_refused_call_fails_with_the_errno_of_the_rule"],
    ),
    row(
        "linux.seccomp.syscalls[].args{,[].index,[].value,[].valueTwo,[].op}",
        "all 64 bits are compared; conditions on one argument are alternatives, on several all required",
        &[
            "config/seccomp/profile.rs::argument_operators_compare_what_the_program_passes",
            "spec/seccomp/mod.rs::random_profiles_are_decided_alike",
        ],
    ),
    row(
        "linux.seccomp.architectures",
        "as listed, and the machine's own",
        &[
            "spec/seccomp/mod.rs::random_profiles_are_decided_alike",
            "src/seccomp/vocabulary.rs::every_architecture_is_found_by_its_name",
        ],
    ),
    row(
        "linux.seccomp.flags",
        "TSYNC, LOG, SPEC_ALLOW (also where no flags are given), WAIT_KILLABLE_RECV",
        &[
            "config/seccomp/profile.rs::flags_of_the_filter_are_accepted_by_the_kernel",
            "spec/seccomp/rules.rs::flags_become_bits_and_their_absence_means_speculation",
        ],
    ),
    row(
        "linux.seccomp.listenerPath",
        "the agent gets the listener and the state over SCM_RIGHTS; required with SCMP_ACT_NOTIFY",
        &[
            "config/seccomp/agent.rs::an_agent_answers_for_the_kernel",
            "config/seccomp/agent.rs::without_a_listener_path_the_action_is_refused_by_its_field",
        ],
    ),
    row(
        "linux.seccomp.listenerMetadata",
        "in the agent's state",
        &["config/seccomp/agent.rs::the_agent_is_told_whose_calls_they_are"],
    ),
    row(
        "linux.rootfsPropagation",
        "private, slave, shared, unbindable, each also recursive; private without it",
        &[
            "config/mounts/propagation.rs::the_root_has_the_propagation_that_the_config_asks_for",
            "config/mounts/propagation.rs::an_unknown_mode_is_refused_by_its_field",
        ],
    ),
    row(
        "linux.maskedPaths",
        "files by a verified /dev/null, directories by one empty read-only tmpfs; missing ones are no error",
        &[
            "config/mounts/paths.rs::a_masked_file_is_empty_and_a_masked_directory_too",
            "security/files/null.rs::every_masked_path_is_the_null_device_or_an_empty_read_only_directory",
        ],
    ),
    row(
        "linux.readonlyPaths",
        "read-only with the mounts below; missing ones are no error",
        &[
            "config/mounts/paths.rs::a_readonly_directory_and_a_readonly_file_can_be_read_and_not_written",
            "config/mounts/paths.rs::a_mount_below_a_readonly_path_is_read_only_too",
        ],
    ),
    row(
        "linux.mountLabel",
        "context= of file systems that take one, an attribute of an mqueue's root; an error where the kernel has no SELinux",
        &[
            "config/process/labels.rs::a_program_and_its_file_systems_have_their_selinux_labels",
            "config/process/program.rs::a_security_label_that_the_kernel_does_not_know_is_refused_by_its_field",
        ],
    ),
    row(
        "linux.intelRdt{,.closID,.schemata,.l3CacheSchema,.memBwSchema,.enableMonitoring}",
        "a group below the resctrl mount; a clear error where the kernel has none",
        &[
            "config/rdt.rs::without_a_name_the_group_is_the_containers_own_and_goes_with_it",
            "config/rdt.rs::a_named_group_with_other_schemata_is_refused",
            "config/rdt.rs::a_monitoring_group_is_the_containers_own_also_in_a_named_group",
            "config/rdt.rs::a_host_without_resctrl_says_so_and_nothing_changes",
        ],
    ),
    row(
        "linux.memoryPolicy{,.mode,.nodes,.flags}",
        "set_mempolicy(2), for exec too",
        &["config/process/scheduling.rs::the_memory_policy_is_set"],
    ),
    row(
        "linux.personality{,.domain}",
        "personality(2), for exec too",
        &[
            "config/process/scheduling.rs::the_personality_is_set",
            "lifecycle/failures.rs::exec_has_the_containers_personality",
        ],
    ),
    row(
        "linux.personality.flags",
        "none is defined by the specification; those of the kernel's own names are set, others a warning",
        &["config/process/scheduling.rs::the_flags_of_a_personality_are_set_and_unknown_ones_are_a_warning"],
    ),
];
