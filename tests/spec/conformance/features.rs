//! features.md of runtime-spec 1.3.0: each field of what `features` prints.

use crate::conformance::row::{Row, row};

const FORM: &str = "cli/usage.rs::features_has_the_form_of_the_specification";
const TABLES: &str = "spec/conformance/mod.rs::features_tells_the_tables_that_the_code_reads";
const LANDLOCK: &str = "config/landlock.rs::features_tells_the_rights_and_on_this_host_those_of_the_kernel";

pub const ROWS: &[Row] = &[
    row("{ociVersionMin,ociVersionMax}", "1.0.0 to 1.3.0", &[FORM]),
    row("hooks", "the six kinds", &[FORM, TABLES]),
    row("mountOptions", "the words of the table above", &[FORM, TABLES]),
    row(
        "annotations",
        "version and commit of this program, and the rights of Landlock that it knows",
        &[FORM, LANDLOCK],
    ),
    row("potentiallyUnsafeConfigAnnotations", "the annotations that change what rruntime does", &[TABLES]),
    row("linux", "the fields below", &[FORM]),
    row("linux.namespaces", "the eight kinds", &[FORM, TABLES]),
    row(
        "linux.capabilities",
        "all that rruntime knows",
        &[TABLES, "spec/names.rs::capability_names_and_numbers_are_those_of_the_caps_crate"],
    ),
    row("linux.cgroup{,.v1,.v2,.rdma}", "both versions", &[FORM, TABLES]),
    row("linux.cgroup.{systemd,systemdUser}", "true: what rruntime can do, whatever the host has", &[FORM]),
    row(
        "linux.seccomp{,.enabled,.actions,.operators,.archs,.knownFlags,.supportedFlags}",
        "the compiler's own tables",
        &[FORM, TABLES],
    ),
    row(
        "linux.{apparmor,selinux}{,.enabled}",
        "true: what rruntime supports, not what this kernel has",
        &[TABLES],
    ),
    row("linux.intelRdt{,.enabled}", "as built", &[TABLES]),
    row("linux.mountExtensions{,.idmap,.idmap.enabled}", "id-mapped mounts", &[TABLES]),
    row("linux.netDevices{,.enabled}", "as built", &[TABLES]),
];
