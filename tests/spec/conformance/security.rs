//! Every published flaw of runc, crun and youki as of November 2026: what is done about its kind, and the test.

use crate::conformance::row::{Row, row};

const WINDOW: &str = "security/processes/window.rs::a_joining_process_cannot_be_looked_into";
const LINKS: &str = "security/files/links.rs::a_link_in_the_image_leads_run_nowhere_with_the_images_dev";
const LINKS_EXEC: &str =
    "security/files/links.rs::a_link_in_the_image_leads_create_start_and_exec_nowhere_with_the_images_dev";
const LINKS_USER: &str =
    "security/files/links.rs::a_link_in_the_image_leads_run_nowhere_in_a_user_namespace_with_the_images_dev";
const RACE: &str = "security/files/races.rs::a_shared_volume_that_flips_to_an_absolute_link_leads_nowhere";
const RACE_UP: &str = "security/files/races.rs::a_shared_volume_that_flips_to_a_link_upwards_leads_nowhere";
const PROC_LINK: &str = "security/files/procfs.rs::a_link_at_proc_or_sys_is_refused";
const PROC_RACE: &str = "security/files/races.rs::a_proc_that_flips_to_a_link_is_mounted_in_place_or_refused";
const PROC_ONLY: &str = "security/files/procfs.rs::only_a_procfs_may_be_mounted_on_proc";
const LABEL: &str = "security/files/procfs.rs::a_label_never_goes_to_a_file_of_the_image";
const LABEL_EXEC: &str = "security/files/procfs.rs::a_label_of_exec_never_goes_to_a_file_of_the_image";
const INHERITABLE: &str = "security/input/identity.rs::exec_with_a_capability_makes_nothing_inheritable";
const NULL_LINK: &str = "security/files/null.rs::a_null_device_that_is_a_link_masks_nothing_of_its_choice";
const NULL_RACE: &str = "security/files/races.rs::a_null_device_that_flips_to_a_link_masks_or_is_refused";
const LIVE: &str = "security/files/mounts.rs::a_destination_that_flips_to_an_absolute_link_leads_nowhere";
const LEAKED: &str =
    "security/processes/descriptors.rs::a_working_directory_behind_a_leaked_descriptor_is_refused";
const SEALED: &str =
    "security/processes/binary.rs::a_script_whose_interpreter_is_the_runtime_itself_finds_a_sealed_file";

pub const RUNC: &[Row] = &[
    row(
        "CVE-2016-3697",
        "a number is a number, never a name of the image's passwd",
        &["security/input/identity.rs::a_number_is_never_looked_up_as_a_name"],
    ),
    row(
        "CVE-2016-9962",
        "what joins a container is not dumpable, and holds nothing of the host when it can be seen",
        &[
            WINDOW,
            "security/processes/window.rs::a_joining_process_leads_nobody_to_the_host",
            "security/processes/window.rs::a_joining_process_is_seen_with_the_containers_own_rights_only",
        ],
    ),
    row(
        "CVE-2019-5736",
        "the program inside is a sealed memory file: the runtime's binary cannot be reached",
        &[
            SEALED,
            "security/processes/binary.rs::a_process_that_waits_for_exec_does_not_get_at_the_runtimes_binary",
            "security/processes/binary.rs::a_privileged_process_that_waits_for_exec_finds_a_sealed_file",
        ],
    ),
    row(
        "CVE-2019-16884",
        "labels are written through a private procfs; nothing but a procfs is mounted on /proc",
        &[PROC_ONLY, LABEL, LABEL_EXEC],
    ),
    row("CVE-2019-19921", "/proc and /sys have to be directories", &[PROC_LINK, PROC_RACE]),
    row(
        "CVE-2021-30465",
        "destinations are opened once inside the root and mounted by descriptor",
        &[RACE, RACE_UP, LIVE],
    ),
    row(
        "CVE-2021-43784",
        "every length between the two processes is bounded and checked",
        &[
            "security/input/extremes.rs::seventy_kilobytes_of_environment_and_arguments_arrive_whole",
            "security/input/extremes.rs::a_path_of_seventy_kilobytes_is_an_error_and_nothing_is_left",
        ],
    ),
    row(
        "CVE-2022-24769, CVE-2022-29162",
        "the inheritable set is the config's, never exec's",
        &[
            INHERITABLE,
            "security/input/identity.rs::a_container_inherits_no_capability_that_its_config_does_not_name",
            "security/input/identity.rs::the_template_of_spec_names_no_inheritable_capability",
        ],
    ),
    row(
        "CVE-2023-25809",
        "without a cgroup namespace the host's groups are read-only",
        &[
            "security/input/cgroup.rs::the_hosts_cgroups_are_not_writable_from_a_user_namespace",
            "config/users.rs::cgroups_without_a_cgroup_namespace_are_shown_read_only",
        ],
    ),
    row("CVE-2023-27561", "as CVE-2019-19921, with links in the middle of the path", &[PROC_LINK, PROC_RACE]),
    row("CVE-2023-28642", "the same, and the label is applied or the start fails", &[PROC_LINK, LABEL]),
    row(
        "GHSA-5g49-rx9x-qfc6",
        "names of cgroup files have no slash, paths no ..",
        &[
            "security/input/cgroup.rs::a_unified_key_names_a_file_of_the_containers_cgroup",
            "security/input/cgroup.rs::a_cgroup_path_that_climbs_is_refused",
            "security/input/cgroup.rs::exec_into_a_cgroup_that_climbs_is_refused",
            "cgroup/update/groups.rs::no_path_leaves_the_containers_group",
        ],
    ),
    row(
        "CVE-2024-21626",
        "every descriptor is close-on-exec; the working directory is verified to be inside",
        &[
            LEAKED,
            "security/processes/descriptors.rs::a_program_behind_a_leaked_descriptor_is_not_executed",
            "security/processes/descriptors.rs::exec_is_led_out_neither_by_its_directory_nor_by_its_program",
            "security/processes/descriptors.rs::a_container_has_its_three_streams_and_nothing_else",
            "security/processes/descriptors.rs::a_created_container_holds_nothing_of_the_host",
        ],
    ),
    row(
        "CVE-2024-45310",
        "what is missing is made by mkdirat on held descriptors",
        &[RACE, RACE_UP, "security/files/links.rs::a_mount_destination_that_climbs_stays_inside"],
    ),
    row(
        "CVE-2025-31133",
        "the null device is verified on the descriptor that is mounted",
        &[NULL_LINK, NULL_RACE, "security/files/null.rs::a_null_device_that_is_another_device_is_refused"],
    ),
    row(
        "CVE-2025-52565",
        "the console is opened by TIOCGPTPEER and mounted by descriptor",
        &[
            "security/files/races.rs::a_console_and_a_ptmx_that_flip_lead_nowhere",
            "security/files/null.rs::a_ptmx_of_the_image_is_not_opened",
        ],
    ),
    row(
        "CVE-2025-52881",
        "sysctls, labels and the OOM score go to a procfs that is mounted nowhere",
        &[
            "security/files/procfs.rs::a_sysctl_goes_to_the_kernel_whatever_is_mounted_over_proc",
            "security/files/procfs.rs::a_bind_on_proc_cannot_take_the_sysctl_or_the_oom_score",
            "security/files/procfs.rs::little_may_be_mounted_inside_of_proc",
            LABEL_EXEC,
        ],
    ),
    row(
        "CVE-2026-41579",
        "/dev is filled inside the root's descriptor, after the mounts",
        &[LINKS, LINKS_EXEC, "security/files/races.rs::a_dev_of_the_image_that_flips_leads_nowhere"],
    ),
];

pub const CRUN: &[Row] = &[
    row("CVE-2019-5736", "as above", &[SEALED]),
    row("CVE-2019-16884", "as above", &[PROC_ONLY, LABEL]),
    row(
        "CVE-2019-18837",
        "a link at a destination stays inside",
        &[LINKS, "config/mounts/filesystems.rs::a_destination_behind_links_stays_inside_the_rootfs"],
    ),
    row("CVE-2022-27650", "as CVE-2022-29162", &[INHERITABLE]),
    row("CVE-2024-21626 (hardening)", "as above", &[LEAKED]),
    row(
        "CVE-2025-24965",
        "no file is written into the root by a name; there are no handlers",
        &["security/files/links.rs::something_else_at_a_place_of_the_runtime_harms_nobody"],
    ),
    row(
        "CVE-2026-30892",
        "a user is all of UID[:GID] or an error",
        &["security/input/identity.rs::exec_as_a_user_is_that_user_or_an_error"],
    ),
    row(
        "CVE-2026-47766",
        "as CVE-2026-41579, with listed devices",
        &[LINKS, LINKS_USER, "security/files/links.rs::a_device_path_of_the_config_stays_inside"],
    ),
    row(
        "CVE-2026-84042",
        "nothing of the image is executed or loaded before it has the container's rights",
        &[
            "security/processes/hooks.rs::a_start_hook_from_the_image_has_no_more_rights_than_the_container",
            "spec/conformance/inside.rs::the_runtime_neither_loads_nor_executes_anything_of_the_image_before_the_program",
        ],
    ),
    row(
        "CVE-2026-88264, CVE-2026-88265",
        "the whole matrix of special paths and kinds of links",
        &[
            LINKS,
            LINKS_EXEC,
            LINKS_USER,
            "security/files/links.rs::a_link_in_the_image_leads_run_nowhere_with_a_tmpfs_on_dev",
            "security/files/links.rs::a_link_in_the_image_leads_run_nowhere_in_a_user_namespace",
            "security/files/links.rs::a_link_in_the_image_leads_create_start_and_exec_nowhere_in_a_user_namespace",
        ],
    ),
];

pub const YOUKI: &[Row] = &[
    row("the kind of CVE-2019-5736", "as above", &[SEALED]),
    row("GHSA-xr7r-f8xq-vfvv (hardening)", "as CVE-2024-21626", &[LEAKED]),
    row("CVE-2025-27612", "as CVE-2022-29162", &[INHERITABLE]),
    row("CVE-2025-54867", "as CVE-2019-19921", &[PROC_LINK]),
    row("CVE-2025-62161", "as CVE-2025-31133", &[NULL_LINK, NULL_RACE]),
    row("CVE-2025-62596", "as CVE-2025-52881", &[LABEL, LABEL_EXEC]),
];
