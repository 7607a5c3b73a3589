//! The mounts of a restored container, held against those of its model: the same things at the same places, shown with the
//! same restrictions. What images say beside that would show more of the host, or write to it.

use crate::error::{Error, Result};
use crate::host::mountinfo::{self, Line, unescape};

/// What a mount may not lack where the model's has it.
const RESTRICTIONS: [&str; 4] = ["ro", "nosuid", "nodev", "noexec"];

/// What there is to see at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// /dev/null.
    Null,
    /// A directory without entries.
    Empty,
    Other,
}

/// Compares two mount tables. `shown` are the places of what is the host's: the root, and what the config binds. With
/// /dev/null, and with a tmpfs that is read-only and empty, runc masks as we do by other mounts.
pub fn check(model: &str, restored: &str, shown: &[&str], content: &dyn Fn(&str) -> Content) -> Result<()> {
    let mut left: Vec<Line> = mountinfo::lines(model).collect();
    for line in mountinfo::lines(restored) {
        // What lies above hides what lies below: the same order counts.
        let Some(at) = left.iter().position(|known| known.point == line.point) else {
            return Err(refused(&line, "a mount that its config does not have".into()));
        };
        let known = left.remove(at);
        let of_host = shown.contains(&&*unescape(line.point));
        // What v1's hierarchies are mounted on is no part of them, and runc leaves it writable.
        let holds = |other: &Line| other.kind == "cgroup" && other.parent == known.id;
        let of_cgroups = !of_host && mountinfo::lines(model).any(|other| holds(&other));
        let restrictions = if of_cgroups { &RESTRICTIONS[1..] } else { &RESTRICTIONS };
        if let Some(why) = difference((&known, &line), of_host, restrictions, content) {
            return Err(refused(&line, why));
        }
    }
    match left.first() {
        Some(missing) => Err(refused(missing, "no mount, although its config has one".into())),
        None => Ok(()),
    }
}

fn difference(
    (model, restored): (&Line, &Line),
    of_host: bool,
    restrictions: &[&str],
    content: &dyn Fn(&str) -> Content,
) -> Option<String> {
    let (wanted, has) = (unescape(model.root), unescape(restored.root));
    let has_content = |wanted: Content| content(&unescape(restored.point)) == wanted;
    if model.kind == "tmpfs" && restored.kind == "devtmpfs" && has_content(Content::Null) {
        return None;
    }
    if model.kind != restored.kind {
        return Some(format!("a {} instead of a {}", restored.kind, model.kind));
    }
    if wanted != has || (of_host && model.device != restored.device) {
        return Some(format!("{has} of a {} instead of {wanted}", restored.kind));
    }
    let lacks = |words: &str, word: &str| !words.split(',').any(|has| has == word);
    let lacking = restrictions.iter().find(|word| !lacks(model.flags, word) && lacks(restored.flags, word));
    let harmless = || model.kind == "tmpfs" && !lacks(restored.flags, "ro") && has_content(Content::Empty);
    if let Some(word) = lacking.filter(|_| !harmless()) {
        return Some(format!("a mount that is not {word}"));
    }
    let read_only = !lacks(model.options, "ro") && lacks(restored.options, "ro");
    read_only.then(|| "a file system that is not ro".to_owned())
}

fn refused(line: &Line, why: String) -> Error {
    let point = unescape(line.point);
    Error::new(format!("the checkpoint has {why} at {point}")).field("/mounts").value(point).remedy(
        "restore it with the config that it was written from; if that is so, do not trust its files, or leave out \
         what the container or `mounts add` has mounted",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "1 0 8:1 /img / rw,relatime - ext4 /dev/x rw\n\
                         2 1 0:40 / /proc rw,nosuid,nodev,noexec - proc proc rw\n\
                         3 2 0:40 /sys /proc/sys ro,nosuid - proc proc rw\n\
                         5 2 0:41 / /proc/acpi ro,nosuid - tmpfs tmpfs rw\n\
                         6 2 0:41 / /proc/scsi ro,nosuid - tmpfs tmpfs rw\n\
                         7 2 0:41 /null /proc/keys ro,nosuid - tmpfs tmpfs rw\n\
                         8 2 0:41 /null /proc/kcore ro,nosuid - tmpfs tmpfs rw\n\
                         4 1 8:2 /vol /data ro - ext4 /dev/y rw\n";

    fn said(from: &str, to: &str) -> String {
        let restored = MODEL.replace(from, to);
        assert_ne!(restored, MODEL, "{from}");
        let content = |point: &str| match point {
            "/proc/acpi" => Content::Empty,
            "/proc/keys" => Content::Null,
            _ => Content::Other,
        };
        check(MODEL, &restored, &["/", "/data"], &content)
            .map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn a_container_with_the_mounts_of_its_model_passes() {
        assert!(check(MODEL, MODEL, &["/", "/data"], &|_| Content::Other).is_ok());
        assert_eq!(said("0:40", "0:77"), "", "its own file systems have other numbers");
        assert_eq!(said("rw,relatime", "ro,nodev"), "", "more restrictions do no harm");
        assert_eq!(
            said("/proc/acpi ro,nosuid", "/proc/acpi ro"),
            "",
            "nothing is in it, or can be put there"
        );
    }

    #[test]
    fn what_shows_more_than_the_model_is_refused() {
        let null = |place: &str| {
            said(
                &format!("0:41 /null {place} ro,nosuid - tmpfs"),
                &format!("0:5 /null {place} rw - devtmpfs"),
            )
        };
        assert_eq!(null("/proc/keys"), "");
        assert!(null("/proc/kcore").contains("a devtmpfs instead of a tmpfs"));
        assert!(said("/proc/acpi ro,nosuid", "/proc/acpi rw").contains("not ro at /proc/acpi"));
        assert!(said("/proc/scsi ro,nosuid", "/proc/scsi ro").contains("not nosuid at /proc/scsi"));
        assert!(said("/data ro", "/data rw").contains("not ro at /data"));
        assert!(said("8:2 /vol", "8:2 /").contains("/ of a ext4 instead of /vol at /data"));
        assert!(said("8:2 /vol", "8:3 /vol").contains("at /data"));
        assert!(said("8:1 /img", "8:1 /").contains("at /"));
        assert!(said("- proc proc", "- sysfs sysfs").contains("a sysfs instead of a proc"));
        assert!(said("3 2 0:40 /sys /proc/sys ro,nosuid - proc proc rw\n", "").contains("/proc/sys"));
        assert!(said("4 1", "5 1 0:9 / /debug rw - debugfs x rw\n4 1").contains("does not have at /debug"));
        assert!(said("noexec", "exec").contains("not noexec at /proc"));
    }
}
