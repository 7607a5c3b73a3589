//! A group below a container's, for a process that joins it (`exec --cgroup`).
//!
//! The image may have made any directory there, so the path is taken below the container's own directory, which is
//! held: no `..`, no link, no other file system (GHSA-5g49-rx9x-qfc6). A path that begins with a slash begins at the
//! container's group too. What is missing is made: it is removed with the container's.

use super::held::{Cgroup, Held, on};
use super::make::walk;
use super::walk::{DIRECTORY, INSIDE, c};
use crate::cgroup::location::Version;
use crate::error::{Error, Kind, Result};
use crate::sys::{Errno, file};
use std::os::fd::AsFd;

/// A path below the container's cgroup, in the hierarchies of these v1 controllers or, without any, in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Below {
    pub controllers: Vec<String>,
    pub path: String,
}

impl Cgroup {
    /// The same hierarchies, with these groups in place of the container's own. The others stay.
    ///
    /// Errors: a path that climbs or is not there; a controller that has no hierarchy here or is named twice; on
    /// cgroup v2, where there is one hierarchy, any controller; several paths without one.
    pub fn below(mut self, wanted: &[Below]) -> Result<Cgroup> {
        let v1 = self.held.iter().any(|held| held.leg.version == Version::V1);
        let mut named: Vec<&String> = Vec::new();
        for below in wanted {
            let refused =
                |reason: String| Error::new(reason).kind(Kind::Argument).field("--cgroup").value(&below.path);
            if below.controllers.is_empty() && wanted.len() > 1 {
                return Err(refused("of several paths, each must name its controllers".into())
                    .remedy("write CONTROLLER:PATH for each, or one path for all controllers"));
            }
            for controller in &below.controllers {
                if !v1 {
                    return Err(refused(format!(
                        "cgroup v2 has one hierarchy for all controllers, so {controller} cannot have a path of its own"
                    ))
                    .remedy("leave out the controllers and the colon"));
                }
                if named.contains(&controller) {
                    return Err(refused(format!("the controller {controller} is named twice")));
                }
                if !self.held.iter().any(|held| held.leg.has(controller)) {
                    return Err(refused(format!(
                        "the container has no cgroup for the controller {controller}"
                    ))
                    .remedy("the controllers are listed in the first lines of /proc/PID/cgroup"));
                }
                named.push(controller);
            }
            let path = inside(&below.path).ok_or_else(|| {
                refused("the path leaves the container's cgroup".into())
                    .remedy("name a group below it, without \"..\"")
            })?;
            for held in &mut self.held {
                if !below.controllers.is_empty() && !below.controllers.iter().any(|name| held.leg.has(name)) {
                    continue;
                }
                // Beside v1 hierarchies v2 has no controllers, so that no group is needed there.
                match c(&path).and_then(|path| file::openat2(held.dir.as_fd(), &path, DIRECTORY, 0, INSIDE)) {
                    Err(Errno(libc::ENOENT)) if v1 && held.leg.version == Version::V2 => {}
                    // A group that is missing is made, and goes with the container.
                    Err(Errno(libc::ENOENT)) => {
                        held.dir = walk(&held.leg, held.dir.as_fd(), &path)
                            .and_then(|made| made.ok_or(Errno(libc::EINVAL)))
                            .map_err(|errno| held.not_below(&path, errno))?;
                    }
                    Err(errno) => return Err(held.not_below(&path, errno)),
                    Ok(dir) => held.dir = dir,
                }
            }
        }
        if self.moved_by.is_some() {
            return Err(Error::new("an ordinary user's systemd moves no process into a group below a scope that it does not know")
                .kind(Kind::Unsupported)
                .field("--cgroup")
                .remedy("call rruntime from a unit of the same user's systemd: systemd-run --user --scope"));
        }
        self.inner = None;
        Ok(self)
    }
}

/// The path without empty and "." parts; "." for the group itself. `None` if it climbs.
fn inside(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return None;
    }
    Some(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
}

impl Held {
    fn not_below(&self, path: &str, errno: Errno) -> Error {
        let error = on(&self.leg, "open the group below", errno).field("--cgroup").value(path);
        match errno.0 {
            libc::ENOENT | libc::ENODEV => {
                error.kind(Kind::Argument).remedy("the group went away: try again")
            }
            libc::ELOOP | libc::EXDEV | libc::ENOTDIR => {
                error.kind(Kind::Argument).remedy("the path may contain only cgroup directories")
            }
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_or_is_none() {
        for (path, expected) in [
            ("a/b", Some("a/b")),
            ("/a//./b/", Some("a/b")),
            ("/", Some(".")),
            ("", Some(".")),
            ("a..b", Some("a..b")),
        ] {
            assert_eq!(inside(path).as_deref(), expected, "{path}");
        }
        for path in ["..", "/..", "a/../b", "a/.."] {
            assert_eq!(inside(path), None, "{path}");
        }
    }
}
