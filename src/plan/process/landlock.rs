//! Landlock (`org.rruntime.landlock`): what this kernel can do of the rules, and where they come in a plan.
//!
//! The rules name files: init opens them while it may still pass every directory, as root of the container. The restriction
//! itself comes last of all that needs files, and before everything is closed, the filter is loaded and a process is born
//! that the container sees. Mounts, the change of the root and HOME are done by then; the exec is behind it, so the program
//! needs `execute`.

use crate::error::{Error, Kind, Result};
use crate::names::{LANDLOCK_FS, LANDLOCK_NET, LANDLOCK_SCOPES, landlock_rights};
use crate::plan::script::{Field, Script, c};
use crate::spec::landlock::{ALL, FIELD, Landlock, names};
use crate::sys::{Errno, SysResult};
use crate::wire::Step;

const ORIGIN: Field = Field::Fixed(FIELD);

/// The rules with the rights that the kernel has; `None` where none is left. `version` is what the kernel says of itself.
pub fn on_this_kernel(
    mut rules: Landlock,
    version: SysResult<u32>,
    warnings: &mut Vec<Error>,
) -> Result<Option<Landlock>> {
    let tell = |text: String, warnings: &mut Vec<Error>| {
        if rules.required {
            let remedy = "leave disableBestEffort out to go on with what the kernel has";
            return Err(Error::new(text).kind(Kind::Unsupported).field(FIELD).remedy(remedy));
        }
        warnings.push(Error::new(text).field(FIELD));
        Ok(())
    };
    let version = match version {
        Ok(version) => version,
        Err(Errno(errno)) => {
            let reason = match errno {
                libc::EOPNOTSUPP => "it is not in the list that the kernel was started with (lsm=landlock,…)",
                libc::ENOSYS => "it is not built in, or a filter of the caller's hides it",
                _ => "it is not available",
            };
            tell(format!("has no effect: this kernel has no Landlock: {reason}"), warnings)?;
            return Ok(None);
        }
    };
    let counts = landlock_rights(version);
    let known = counts.map(|count| (1 << count) - 1);
    let tables = [&LANDLOCK_FS[..], &LANDLOCK_NET, &LANDLOCK_SCOPES];
    let mut asked = [rules.fs, rules.net, rules.scoped];
    for ((asked, known), table) in asked.iter_mut().zip(known).zip(tables) {
        let missing = *asked & !known & !ALL;
        if missing != 0 {
            let missing = names(table, missing);
            tell(
                format!("this kernel's Landlock (version {version}) does not restrict {missing}"),
                warnings,
            )?;
        }
        *asked = if *asked & ALL != 0 { known } else { *asked & known };
    }
    [rules.fs, rules.net, rules.scoped] = asked;
    let left = |access: u64, handled: u64| if access & ALL != 0 { handled } else { access & handled };
    for path in &mut rules.paths {
        path.access = left(path.access, rules.fs);
    }
    for port in &mut rules.ports {
        port.access = left(port.access, rules.net);
    }
    // The kernel takes no rule that allows nothing.
    rules.paths.retain(|path| path.access != 0);
    rules.ports.retain(|port| port.access != 0);
    Ok((asked != [0; 3]).then_some(rules))
}

/// Makes the ruleset. The container's root is open.
pub fn push_rules(rules: &Landlock, script: &mut Script) {
    let Landlock { fs, net, scoped, .. } = *rules;
    script.push(ORIGIN, Step::Ruleset { fs, net, scoped });
    for rule in &rules.paths {
        let (path, access, optional) = (&c(&rule.path), rule.access, rule.optional);
        script.push(ORIGIN, Step::AllowBeneath { path, access, optional });
    }
    for port in &rules.ports {
        let (port, access) = (u64::from(port.number), port.access);
        script.push(ORIGIN, Step::AllowPort { port, access });
    }
}

/// Restricts the process to it.
pub fn push_restriction(script: &mut Script) {
    script.push(ORIGIN, Step::Restrict {});
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::landlock::{Hierarchy, Port};

    fn rules(required: bool) -> Landlock {
        Landlock {
            fs: ALL,
            net: 1,
            scoped: 2,
            paths: vec![
                Hierarchy { path: "/".into(), access: 1 | 1 << 15, optional: false },
                Hierarchy { path: "/dev".into(), access: 1 << 15, optional: true },
                Hierarchy { path: "/tmp".into(), access: ALL, optional: false },
            ],
            ports: vec![Port { number: 80, access: 1 }],
            required,
        }
    }

    #[test]
    fn an_older_kernel_does_what_it_can_and_the_rest_is_told() {
        let mut warnings = Vec::new();
        let left = on_this_kernel(rules(false), Ok(3), &mut warnings).unwrap().unwrap();
        assert_eq!((left.fs, left.net, left.scoped), ((1 << 15) - 1, 0, 0));
        let paths: Vec<_> = left.paths.iter().map(|path| (&*path.path, path.access)).collect();
        assert_eq!(paths, [("/", 1), ("/tmp", (1 << 15) - 1)]);
        assert_eq!((left.ports.len(), warnings.len()), (0, 2));
        assert!(warnings[0].to_string().contains("bind_tcp"), "{}", warnings[0]);
        assert!(warnings[1].to_string().contains("signal"), "{}", warnings[1]);
        let whole = on_this_kernel(rules(false), Ok(7), &mut warnings).unwrap().unwrap();
        assert_eq!((whole.fs, whole.net, whole.scoped, whole.paths.len()), ((1 << 16) - 1, 1, 2, 3));
        assert_eq!(warnings.len(), 2);
    }

    #[test]
    fn what_is_required_is_an_error_where_it_is_missing() {
        let mut none = Vec::new();
        // `all` is what the kernel has; what has a name is required.
        let error = on_this_kernel(rules(true), Ok(4), &mut none).unwrap_err().to_string();
        assert!(error.contains("signal") && error.contains("version 4"), "{error}");
        assert!(on_this_kernel(rules(true), Ok(6), &mut none).is_ok());
        for (errno, word) in [(libc::EOPNOTSUPP, "lsm="), (libc::ENOSYS, "not built in")] {
            let error = on_this_kernel(rules(true), Err(Errno(errno)), &mut none).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
            assert_eq!(on_this_kernel(rules(false), Err(Errno(errno)), &mut none).unwrap(), None);
        }
        assert_eq!(none.len(), 2);
    }
}
