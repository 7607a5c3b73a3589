//! The words of `mounts[].options` (config.md, Linux mount options, and those that peers have beside them).

use crate::conformance::row::{Row, row};

const SET: &str = "config/mounts/binds.rs::every_flag_of_one_mount_is_set";
const CLEARED: &str = "config/mounts/binds.rs::every_flag_of_one_mount_is_cleared";
const TREE: &str = "config/mounts/binds.rs::recursive_options_reach_the_mounts_below";
const TREE_CLEARED: &str = "config/mounts/binds.rs::recursive_opposites_reach_the_mounts_below";

pub const ROWS: &[Row] = &[
    row(
        "{ro,nosuid,nodev,noexec,noatime,strictatime,relatime,nodiratime,nosymfollow}",
        "flag of this one mount",
        &[SET, "config/mounts/binds.rs::options_of_one_mount_leave_the_mounts_below_alone"],
    ),
    row(
        "{rw,suid,dev,exec,atime,norelatime,nostrictatime,diratime,symfollow}",
        "takes the flag away; on a bind also what the source had",
        &[CLEARED, "config/mounts/binds.rs::a_source_keeps_its_own_flags_unless_an_option_changes_them"],
    ),
    row(
        "{rro,rnosuid,rnodev,rnoexec,rnoatime,rstrictatime,rrelatime,rnodiratime,rnosymfollow}",
        "the same on the whole tree of mounts",
        &[TREE, "config/mounts/options.rs::each_recursive_flag_and_its_opposite_work_on_a_tree"],
    ),
    row(
        "{rrw,rsuid,rdev,rexec,ratime,rnorelatime,rnostrictatime,rdiratime,rsymfollow}",
        "takes them away on the whole tree",
        &[TREE_CLEARED, "config/mounts/options.rs::each_recursive_flag_and_its_opposite_work_on_a_tree"],
    ),
    row(
        "{bind,rbind}",
        "one mount, or with those below it",
        &["config/mounts/binds.rs::bind_leaves_the_mounts_below_out_and_rbind_takes_them_along"],
    ),
    row(
        "{private,rprivate,slave,rslave,shared,rshared,unbindable,runbindable}",
        "propagation; without one private",
        &[
            "config/mounts/propagation.rs::a_private_bind_is_cut_off_from_the_host",
            "config/mounts/propagation.rs::a_slave_bind_sees_the_hosts_mounts_and_keeps_its_own",
            "config/mounts/propagation.rs::a_shared_bind_passes_mounts_in_both_directions_where_the_root_is_shared",
            "config/mounts/propagation.rs::an_unbindable_bind_is_marked_so",
        ],
    ),
    row(
        "{idmap,ridmap}",
        "mapped owners, by the mount's own mapping, one in the option (`idmap=uids=0-1000-10`), or the container's; ridmap on the whole tree",
        &[
            "config/mounts/binds.rs::a_bind_with_a_map_of_its_own_shows_mapped_owners",
            "config/mounts/idmap.rs::a_mapping_in_the_option_is_as_crun_has_it",
            "config/users.rs::an_id_mapped_bind_shows_the_hosts_owners_as_the_containers",
            "config/mounts/idmap.rs::a_mapping_in_the_option_is_as_crun_has_it",
        ],
    ),
    row(
        "copy-symlink",
        "crun's: a source that is a link is made again at the destination, without a mount",
        &[
            "config/mounts/links.rs::a_link_is_copied_instead_of_bound",
            "config/mounts/links.rs::copy_symlink_binds_what_is_no_link",
        ],
    ),
    row(
        "{src-nofollow,dest-nofollow}",
        "crun's: a link is what is shown, or covered, and not what it points to",
        &[
            "config/mounts/links.rs::a_link_of_the_source_is_followed_or_shown_itself",
            "config/mounts/links.rs::a_link_at_the_destination_is_followed_or_mounted_over",
        ],
    ),
    row(
        "{sync,async,dirsync,mand,nomand}",
        "flag of the superblock; a bind has none",
        &["config/mounts/filesystems.rs::superblock_flags_reach_the_file_system"],
    ),
    row(
        "{rsync,rasync,rdirsync,rmand,rnomand}",
        "crun's names: the same flag on a new file system; refused on a bind, which cannot change it",
        &[
            "config/mounts/options.rs::flags_of_the_superblock_reach_a_new_file_system_by_both_names",
            "config/mounts/options.rs::a_flag_of_the_superblock_on_a_bind_is_told_or_refused",
        ],
    ),
    row(
        "{lazytime,nolazytime}",
        "flag of the superblock",
        &["config/mounts/filesystems.rs::superblock_flags_reach_the_file_system"],
    ),
    row(
        "remount",
        "changes the mount that is there",
        &["config/mounts/filesystems.rs::a_remount_changes_the_mount_that_is_there"],
    ),
    row(
        "tmpcopyup",
        "a tmpfs that begins with a copy of what the image has there",
        &["config/mounts/filesystems.rs::a_tmpfs_begins_with_a_copy_of_the_image_where_that_is_asked_for"],
    ),
    row(
        "{defaults,iversion,noiversion,silent,loud}",
        "accepted, nothing to do: the mount calls by descriptor have no such flags",
        &["config/mounts/filesystems.rs::options_without_a_meaning_of_their_own_are_accepted"],
    ),
];
