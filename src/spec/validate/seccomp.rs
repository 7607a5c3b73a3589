//! `linux.seccomp`: the profile's structure. Names of actions, operators, architectures and system calls are
//! resolved by the compiler of profiles, which alone has their tables.

use crate::spec::Seccomp;
use crate::spec::findings::{At, Findings};
use crate::spec::text::given;

/// System calls have six arguments.
const LAST_ARGUMENT: u32 = 5;

pub fn seccomp(f: &mut Findings, at: &At, profile: &Seccomp) {
    let missing = "is missing or empty";
    if profile.default_action.is_empty() {
        f.refuse_field(&at.key("defaultAction"), missing, "name an action, as in \"SCMP_ACT_ERRNO\"");
    }
    if let Some(path) = given(&profile.listener_path) {
        f.absolute_path(&at.key("listenerPath"), path);
    } else if given(&profile.listener_metadata).is_some() {
        f.warn_field(&at.key("listenerMetadata"), "needs a listenerPath: ignored");
    }
    f.each(at.key("syscalls"), &profile.syscalls, |f, at, rule| {
        if rule.names.is_empty() {
            f.warn_field(&at.key("names"), "is missing or empty: this rule is about nothing");
        }
        if rule.action.is_empty() {
            f.refuse_field(&at.key("action"), missing, "name an action, as in \"SCMP_ACT_ALLOW\"");
        }
        f.each(at.key("args"), &rule.args, |f, at, arg| {
            f.range(&at.key("index"), arg.index, 0..=LAST_ARGUMENT);
            if arg.op.is_empty() {
                f.refuse_field(&at.key("op"), missing, "name an operator, as in \"SCMP_CMP_EQ\"");
            }
        });
    });
}
