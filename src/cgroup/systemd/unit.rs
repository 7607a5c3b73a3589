//! Which unit of systemd's a container's cgroup is: `linux.cgroupsPath` as `slice:prefix:name`, and whose manager makes it.

use crate::cgroup::location::{Location, Unit, inside, membership, own_cgroup};
use crate::error::{Error, Kind, Result};
use crate::host::Facts;
use crate::host::cgroups::Layout;
use crate::spec::annotations::{self, DELEGATE_CGROUP, SUBGROUP};
use crate::spec::{IdMapping, Text, idmap};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The addresses of the two buses, as the caller knows them.
#[derive(Clone, Debug)]
pub struct Buses {
    pub system: String,
    /// Of the caller itself; absent: it has named none.
    pub user: Option<String>,
}

impl Default for Buses {
    fn default() -> Buses {
        Buses { system: "unix:path=/run/dbus/system_bus_socket".to_owned(), user: None }
    }
}

impl Buses {
    /// Of this process's environment, where an empty variable is none.
    pub fn of_environment() -> Buses {
        Buses::of(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// From the variables that D-Bus clients read (dbus-daemon(1), "Well-known message bus instances").
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Buses {
        let directory = || variable("XDG_RUNTIME_DIR").map(|directory| format!("unix:path={directory}/bus"));
        Buses {
            system: variable("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_else(|| Buses::default().system),
            user: variable("DBUS_SESSION_BUS_ADDRESS").or_else(directory),
        }
    }
}

/// What decides where a container's cgroup is.
#[derive(Clone, Copy)]
pub struct CgroupRequest<'a> {
    /// `linux.cgroupsPath`.
    pub path: Option<&'a str>,
    /// The container's id.
    pub id: &'a str,
    pub annotations: &'a BTreeMap<Text<'a>, Text<'a>>,
    pub facts: &'a Facts,
    pub buses: &'a Buses,
}

/// The unit, and where its cgroup will be if systemd's own is where it usually is: what is true is known once it is made.
///
/// Errors: a path of another form, a slice or a name that systemd does not take.
pub fn locate(layout: &Layout, request: &CgroupRequest) -> Result<Location> {
    let users = request.facts.euid != 0 || request.facts.in_user_namespace;
    let (slice, name) = names(request, users)?;
    let slice_path = path_of_slice(&slice)?;
    check_name(request, &name)?;
    let user = owner(request.facts);
    let wanted = |annotation| {
        let name = annotations::find(request.annotations, annotation).filter(|name| !name.is_empty());
        name.map(|name| one_directory(annotation, name)).transpose()
    };
    let (mut below, delegated) = (wanted(SUBGROUP)?, wanted(DELEGATE_CGROUP)?);
    if layout.is_unified() {
        // crun's name for one.
        below = below.or(delegated.is_some().then(|| "container".to_owned()));
    } else if let Some(name) = &delegated {
        return Err(Error::new("a cgroup of v1 cannot be delegated to a container")
            .kind(Kind::Unsupported)
            .field(annotations::pointer(DELEGATE_CGROUP))
            .value(name)
            .remedy("leave the annotation out, or boot with cgroup v2 alone"));
    } else {
        // As crun has it: there is none on v1.
        below = None;
    }
    let bus = match users {
        true => request.buses.user.clone().unwrap_or_else(|| format!("unix:path=/run/user/{user}/bus")),
        false => request.buses.system.clone(),
    };
    let legacy = !layout.hierarchies.is_empty();
    // On cgroup v2 alone nothing is made before systemd has said where.
    let first = if users || !legacy { String::new() } else { membership("1")? };
    let own = if users { membership("self")? } else { String::new() };
    let mut location = Location::in_each(layout, |controllers, mount| {
        let controller = controllers.first().map_or("", String::as_str);
        // A user's manager has no controller of cgroup v1.
        if users && !matches!(controller, "" | "name=systemd") {
            return Ok(None);
        }
        let top = match users {
            true => users_manager(own_cgroup(&own, controller).unwrap_or("/"), user),
            false => own_cgroup(&first, controller).unwrap_or("/").trim_end_matches("/init.scope").to_owned(),
        };
        let path = [top.trim_matches('/'), &slice_path, &name];
        let path: Vec<&str> = path.into_iter().filter(|part| !part.is_empty()).collect();
        inside(mount, &format!("/{}", path.join("/"))).map(Some)
    })?;
    location.unit = Some(Unit { name, slice, bus, users, below, delegated, made: false, refused: false });
    Ok(location)
}

fn refused(path: &str, reason: impl Into<Cow<'static, str>>) -> Error {
    Error::new(reason).kind(Kind::Config).field("/linux/cgroupsPath").value(path)
}

/// Slice and unit.
fn names(request: &CgroupRequest, users: bool) -> Result<(String, String)> {
    let usual = if users { "user.slice" } else { "system.slice" };
    let Some(path) = request.path.filter(|path| !path.is_empty()) else {
        return Ok((usual.to_owned(), format!("rruntime-{}.scope", request.id)));
    };
    let parts: Vec<&str> = path.split(':').collect();
    let &[slice, prefix, name] = &parts[..] else {
        let form = "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups";
        return Err(refused(path, form).remedy(
            "write slice:prefix:name, for example system.slice:rruntime:web, or leave --systemd-cgroup out",
        ));
    };
    if name.is_empty() {
        return Err(refused(path, "the third part, the name, is empty").remedy("name the scope"));
    }
    if name.ends_with(".slice") {
        return Err(refused(
            path,
            "a slice cannot be the cgroup of a container: systemd keeps no process in one",
        )
        .remedy("name a scope: leave the end \".slice\" out"));
    }
    let slice = if slice.is_empty() { usual } else { slice };
    // "-" is systemd's name for the root of its tree.
    let slice = if slice == "-" { "-.slice" } else { slice };
    let name = if prefix.is_empty() { format!("{name}.scope") } else { format!("{prefix}-{name}.scope") };
    Ok((slice.to_owned(), name))
}

/// "a-b.slice" is "a.slice/a-b.slice"; the root is "".
fn path_of_slice(slice: &str) -> Result<String> {
    if slice == "-.slice" {
        return Ok(String::new());
    }
    let stem = slice.strip_suffix(".slice").filter(|stem| {
        !stem.is_empty() && !stem.starts_with('-') && !stem.ends_with('-') && !stem.contains("--")
    });
    let stem = stem.filter(|stem| stem.bytes().all(is_valid)).ok_or_else(|| {
        refused(slice, "is not the name of a slice")
            .remedy("a slice is named like system.slice or machine-web.slice")
    })?;
    let mut path = String::new();
    for (end, _) in stem.match_indices('-').chain([(stem.len(), "")]) {
        let slash = if path.is_empty() { "" } else { "/" };
        // A String takes all that is written to it.
        let _ = write!(path, "{slash}{}.slice", &stem[..end]);
    }
    Ok(path)
}

/// What systemd takes in a unit's name (systemd.unit(5)).
fn is_valid(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte)
}

fn check_name(request: &CgroupRequest, name: &str) -> Result<()> {
    let path = request.path.unwrap_or(request.id);
    if let Some(odd) = name.bytes().find(|byte| !is_valid(*byte)) {
        let odd = char::from(odd);
        return Err(refused(path, format!("systemd does not allow {odd:?} in the name of a unit"))
            .remedy("use letters, digits and : - _ . \\ @ in the container's id and in linux.cgroupsPath"));
    }
    if name.len() > 255 {
        return Err(refused(path, "the name of the scope is longer than the 255 bytes that systemd takes"));
    }
    Ok(())
}

/// The name of a group. Control files have a point in theirs.
fn one_directory(annotation: &str, name: &str) -> Result<String> {
    if name.contains(['/', '\0', '\n', '.']) || name.len() > 255 {
        return Err(Error::new("cannot name a cgroup below the scope")
            .kind(Kind::Config)
            .field(annotations::pointer(annotation))
            .value(name)
            .remedy("use a name without slashes, points and line breaks"));
    }
    Ok(name.to_owned())
}

/// The caller's number outside of its user namespace.
fn owner(facts: &Facts) -> u32 {
    if !facts.in_user_namespace {
        return facts.euid;
    }
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let ranges = map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(|number| number.parse().ok());
        let (container_id, host_id, size) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some(IdMapping { container_id, host_id, size })
    });
    idmap::outside(&ranges.collect::<Vec<_>>(), facts.euid).unwrap_or(facts.euid)
}

/// The cgroup of the user's manager: the one that the caller is below, or the usual.
fn users_manager(own: &str, user: u32) -> String {
    let name = format!("user@{user}.service");
    match own.find(&name) {
        Some(at) => own[..at + name.len()].to_owned(),
        None => format!("/user.slice/user-{user}.slice/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(euid: u32) -> Facts {
        Facts {
            euid,
            privileged: euid == 0,
            administrator: euid == 0,
            in_user_namespace: false,
            groups_are_fixed: false,
            permitted: 0,
            last_capability: 40,
            kernel: (6, 1),
        }
    }

    fn found(path: Option<&str>, euid: u32) -> Result<(String, Unit)> {
        let (facts, buses) = (facts(euid), Buses::default());
        let request =
            CgroupRequest { path, id: "web", annotations: &BTreeMap::new(), facts: &facts, buses: &buses };
        let location = locate(&Layout::v2("/sys/fs/cgroup"), &request)?;
        Ok((location.legs[0].path.clone(), location.unit.unwrap()))
    }

    #[test]
    fn a_path_names_slice_prefix_and_name_and_each_part_has_its_usual_value() {
        for (path, expected) in [
            (None, "system.slice/rruntime-web.scope"),
            (Some(""), "system.slice/rruntime-web.scope"),
            (Some("machine.slice:libpod:abc"), "machine.slice/libpod-abc.scope"),
            (Some(":libpod:abc"), "system.slice/libpod-abc.scope"),
            (Some("a-b-c.slice::x"), "a.slice/a-b.slice/a-b-c.slice/x.scope"),
            (Some("-:x:y"), "x-y.scope"),
            (Some("-.slice:x:y"), "x-y.scope"),
        ] {
            assert_eq!(found(path, 0).unwrap().0, expected, "{path:?}");
        }
        let (path, unit) = found(None, 1000).unwrap();
        assert!(path.ends_with("/user@1000.service/user.slice/rruntime-web.scope"), "{path}");
        assert!(unit.users && unit.bus.ends_with("/1000/bus"), "{unit:?}");
    }

    #[test]
    fn what_systemd_would_not_take_is_refused_before_it_is_asked() {
        for path in [
            "/a/b",
            "a:b",
            "a.slice:b:c:d",
            "a.slice:b:",
            "a.slice:b:c.slice",
            "a:b:c",
            "a--b.slice:b:c",
            "-a.slice:b:c",
            "../x.slice:b:c",
            "a.slice:b/..:c",
            "a.slice:b:c d",
        ] {
            let error = found(Some(path), 0).unwrap_err();
            assert_eq!(error.detail().field.as_deref(), Some("/linux/cgroupsPath"), "{path}");
        }
    }

    #[test]
    fn addresses_come_from_the_variables_of_dbus() {
        let none = Buses::of(|_| None);
        assert_eq!((none.system, none.user), (Buses::default().system, None));
        let named = |name: &str| (name == "XDG_RUNTIME_DIR").then(|| "/run/user/7".to_owned());
        assert_eq!(Buses::of(named).user.unwrap(), "unix:path=/run/user/7/bus");
    }
}
