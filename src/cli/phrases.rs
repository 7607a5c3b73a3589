//! Words that scripts and tests look for in the peers' error messages. Under their names they stand in the line, before our
//! own.

use super::face::{Face, Manner};
use crate::error::{Detail, Error, Kind};
use std::borrow::Cow;

/// (what our field begins with, what our reason or remedy has, the phrase). `{value}` is the value that was refused.
const RUNC: [(&str, &str, &str); 24] = [
    ("--bundle", "/config.json", "JSON specification file config.json not found"),
    ("--cgroup", "", "bad sub cgroup path"),
    (
        "--console-socket",
        "a detached process",
        "cannot allocate tty if runc will detach without setting console socket",
    ),
    (
        "--console-socket",
        "there is no terminal",
        "cannot use console socket if runc will not detach or allocate tty",
    ),
    (
        "--console-socket",
        "a command that waits",
        "cannot use console socket if runc will not detach or allocate tty",
    ),
    ("/domainname", "needs a uts", "unable to set domainname without a private UTS namespace"),
    ("/hostname", "needs a uts", "unable to set hostname without a private UTS namespace"),
    ("/linux/namespaces/", "is given twice", "malformed spec file: duplicated ns"),
    ("/linux/resources/unified/", "cgroup v1", "invalid configuration: cannot use unified on cgroup v1"),
    (
        "/linux/resources/unified/",
        "not the name of a cgroup file",
        "unified resource \"{value}\" must be a file name (no slashes)",
    ),
    ("/linux/seccomp/defaultAction", "the default action", "{value} cannot be used as default action"),
    ("/linux/seccomp/flags/", "unknown flag", "seccomp flag {value} is not known to runc"),
    ("/linux/seccomp/", "unknown action", "string {value} is not a valid action for seccomp"),
    ("/linux/seccomp/", "unknown architecture", "string {value} is not a valid arch for seccomp"),
    (
        "/linux/seccomp/listenerPath",
        "connect to",
        "failed to connect with seccomp agent specified in the seccomp profile",
    ),
    (
        "/linux/seccomp/syscalls/",
        "have the action SCMP_ACT_NOTIFY",
        "SCMP_ACT_NOTIFY cannot be used for the {value} syscall",
    ),
    ("/linux/uidMappings", "is missing", "user namespaces enabled, but no uid mappings found"),
    ("/linux/gidMappings", "is missing", "user namespaces enabled, but no gid mappings found"),
    ("/mounts/", "a mount inside /proc", "{value} cannot be mounted because it is inside /proc"),
    (
        "/mounts/",
        "only a file system of type proc",
        "{value} cannot be mounted because it is not of type proc",
    ),
    ("/process/args/0", "is empty", "exec: \"\": executable file not found in $PATH"),
    ("/process/args", "is missing or empty", "args must not be empty"),
    (
        "/process/scheduler",
        "conflicts with linux.resources.cpu.cpus",
        "process scheduler can't be used together with AllowedCPUs",
    ),
    ("/root/path", "the root filesystem", "invalid rootfs"),
];

/// What the program by whose name we are called says of this error, where that is known.
pub fn of(face: &Face, error: &Error) -> Option<Cow<'static, str>> {
    match face.manner {
        _ if face.is_own() => None,
        Manner::Runc => of_runc(error),
        Manner::Crun => of_crun(error.detail()).map(Cow::Owned),
    }
}

fn of_crun(detail: &Detail) -> Option<String> {
    let field = detail.field.as_deref().unwrap_or_default();
    let value = detail.value.as_deref().unwrap_or_default();
    match detail.kind {
        Kind::NotFound if matches!(detail.errno, Some(libc::ELOOP | libc::ENOTDIR)) => {
            let cause = std::io::Error::from_raw_os_error(detail.errno?).to_string();
            Some(format!("open `{value}`: {}", cause.split(" (os error").next()?))
        }
        Kind::NotFound if value.contains('/') => Some(format!("executable file `{value}` not found")),
        Kind::NotFound => Some(format!("executable file `{value}` not found in $PATH")),
        Kind::NoSuchContainer => {
            Some(format!("container `{value}` does not exist: No such file or directory"))
        }
        _ if field.starts_with("/linux/namespaces/") && detail.reason.contains("is given twice") => {
            Some(format!("duplicate namespace type: `{value}`"))
        }
        _ if field.starts_with("/linux/resources/unified/") && value.contains('/') => {
            Some(format!("key `{value}` must be a file name without any slash"))
        }
        Kind::WrongState if detail.reason.contains("stopped container") => {
            Some(format!("the container `{value}` is not running"))
        }
        _ => None,
    }
}

fn of_runc(error: &Error) -> Option<Cow<'static, str>> {
    let detail = error.detail();
    let field = detail.field.as_deref().unwrap_or_default();
    let value = detail.value.as_deref().unwrap_or_default();
    if let Some(hook) = field.strip_prefix("/hooks/") {
        return of_hook(hook, detail).map(Cow::Owned);
    }
    if field == "container-id" && value.is_empty() {
        return Some("container id cannot be empty".into());
    }
    // The file systems that a link in the image could lead elsewhere.
    let is = |kind: &&str| detail.doing.iter().any(|doing| doing.starts_with(&format!("mount {kind} on ")));
    if detail.errno == Some(libc::ELOOP)
        && detail.reason.contains("the destination")
        && let Some(kind) = ["proc", "sysfs"].into_iter().find(is)
    {
        return Some(format!("filesystem {kind:?} must be mounted on ordinary directory").into());
    }
    let remedy = detail.remedy.as_deref().unwrap_or_default();
    let known = |row: &&(&str, &str, &str)| {
        field.starts_with(row.0) && (detail.reason.contains(row.1) || remedy.contains(row.1))
    };
    let phrase = RUNC.iter().find(known)?.2;
    Some(if phrase.contains("{value}") { phrase.replace("{value}", value).into() } else { phrase.into() })
}

/// `createRuntime/0`, or what is below it.
fn of_hook(hook: &str, detail: &Detail) -> Option<String> {
    let mut parts = hook.split('/');
    let (kind, index) = (parts.next()?, parts.next()?.parse::<usize>().ok()?);
    let mut phrase = format!("error running {kind} hook #{index}");
    if let Some((_, seconds)) = detail.reason.split_once("its timeout of ") {
        let seconds = seconds.trim_end_matches(" s");
        phrase.push_str(&format!(": hook ran past specified timeout of {seconds}.0s"));
    }
    Some(phrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reason that is worded anew takes its phrase along.
    #[test]
    fn what_a_phrase_is_known_by_is_a_text_of_ours() {
        fn sources(directory: &std::path::Path, text: &mut String) {
            for entry in std::fs::read_dir(directory).unwrap().flatten() {
                match entry.path() {
                    path if path.is_dir() => sources(&path, text),
                    path if path.ends_with("phrases.rs") => {}
                    path => text.push_str(&std::fs::read_to_string(path).unwrap()),
                }
            }
        }
        let mut text = String::new();
        sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
        // These two are put together when they are told.
        let known = |sign: &str| match sign {
            "/config.json" => text.contains("\"config.json\""),
            "needs a uts" => text.contains("needs a {"),
            _ => text.contains(sign),
        };
        let unknown: Vec<_> = RUNC.iter().map(|row| row.1).filter(|sign| !known(sign)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn hooks_are_named_by_kind_and_number() {
        let error = |reason: &'static str| Error::new(reason).field("/hooks/poststart/2").value("/x");
        let phrase = |reason| of_runc(&error(reason)).unwrap();
        assert_eq!(phrase("the hook ended with exit status 3"), "error running poststart hook #2");
        let late = phrase("the hook ran longer than its timeout of 4 s");
        assert_eq!(late, "error running poststart hook #2: hook ran past specified timeout of 4.0s");
    }

    #[test]
    fn what_was_refused_stands_in_the_phrase() {
        let error =
            Error::new("cannot have the action SCMP_ACT_NOTIFY").field("/linux/seccomp/syscalls/0/names/0");
        let phrase = of_runc(&error.value("write")).unwrap();
        assert_eq!(phrase, "SCMP_ACT_NOTIFY cannot be used for the write syscall");
        assert_eq!(of_runc(&Error::new("anything else").field("/process/cwd")), None);
    }
}
