//! An error for a reader at a terminal: what was done, the field, its value, what helps, and last the cause.

use crate::error::{Detail, Error, Kind};

/// Several lines, the root cause on the last one.
pub fn render(error: &Error) -> String {
    let detail = error.detail();
    let mut out = String::new();
    for other in &detail.others {
        one(&mut out, other.detail(), &[]);
        out.push('\n');
    }
    let doing: Vec<&str> = detail.doing.iter().map(AsRef::as_ref).collect();
    one(&mut out, detail, &doing);
    out
}

fn one(out: &mut String, detail: &Detail, doing: &[&str]) {
    let parts = [
        ("field", detail.field.clone()),
        ("value", detail.value.as_ref().map(|v| format!("{v:?}"))),
        ("remedy", detail.remedy.as_ref().map(|r| r.to_string())),
    ];
    match &parts {
        [(_, None), (_, None), (_, None)] if doing.is_empty() => {
            out.push_str(&format!("error: {}\n", detail.cause()));
            return;
        }
        // The name of a container, almost always.
        [(_, None), (_, Some(value)), (_, None)] if doing.is_empty() => {
            out.push_str(&format!("error: {value}: {}\n", detail.cause()));
            return;
        }
        _ => {}
    }
    let head = if doing.is_empty() { heading(detail.kind).to_owned() } else { doing.join(": ") };
    out.push_str(&format!("error: {head}\n"));
    for (name, part) in parts {
        if let Some(part) = part {
            out.push_str(&format!("  {name:<7} {part}\n"));
        }
    }
    out.push_str(&format!("  {:<7} {}\n", "reason", detail.cause()));
}

/// The first line where nobody said what was being done.
fn heading(kind: Kind) -> &'static str {
    match kind {
        Kind::Argument => "wrong argument",
        Kind::Config => "wrong configuration",
        Kind::NoSuchContainer => "unknown container",
        Kind::IdInUse => "the name is taken",
        Kind::WrongState | Kind::AlreadySo => "not now",
        Kind::Taken | Kind::Unsupported => "not possible here",
        Kind::NotFound | Kind::NotExecutable => "nothing to execute",
        Kind::Interrupted => "ended",
        Kind::Other => "this went wrong",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_root_cause() {
        let error = Error::os("open /nope", libc::ENOENT)
            .field("/mounts/3/source")
            .value("/nope")
            .remedy("make it")
            .doing("unable to start container process")
            .doing("rruntime run failed");
        assert_eq!(
            render(&error),
            "error: rruntime run failed: unable to start container process\n  \
             field   /mounts/3/source\n  value   \"/nope\"\n  remedy  make it\n  \
             reason  open /nope: no such file or directory\n"
        );
    }

    #[test]
    fn an_error_without_parts_is_one_line() {
        assert_eq!(render(&Error::new("container not running")), "error: container not running\n");
        let named = Error::new("container not running").value("web");
        assert_eq!(render(&named), "error: \"web\": container not running\n");
    }

    #[test]
    fn several_problems_stand_one_below_the_other() {
        let error = Error::all(vec![Error::new("a").field("/x"), Error::new("b").field("/y")]).unwrap();
        let text = render(&error);
        assert!(text.contains("/y\n  reason  b\n\nerror: this went wrong\n  field   /x"), "{text}");
        assert!(text.ends_with("reason  a\n"), "{text}");
    }
}
