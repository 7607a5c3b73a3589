//! Hard resource limits of a process in a user namespace: only outside of it is there the right to raise one.

use crate::error::{Error, Result};
use crate::names::RLIMIT_NOFILE;
use crate::plan::process::rlimit;
use crate::spec::Rlimit;
use crate::sys::{Errno, identity};

/// Raises the hard limits of process `pid` to what `limits` ask for. The process sets both itself later.
pub fn raise(pid: i32, limits: &[Rlimit]) -> Result<()> {
    for (i, limit) in limits.iter().enumerate() {
        let resource = rlimit(&limit.kind, i)?;
        let refused = |e: Errno| refused(e, i, limit);
        let (soft, hard) = identity::prlimit(pid, resource, None).map_err(refused)?;
        if limit.hard > hard {
            identity::prlimit(pid, resource, Some((soft, limit.hard))).map_err(refused)?;
        }
    }
    Ok(())
}

pub fn refused(errno: Errno, index: usize, limit: &Rlimit) -> Error {
    errno
        .because("set a resource limit")
        .field(format!("/process/rlimits/{index}"))
        .value(format!("soft {}, hard {}", limit.soft, limit.hard))
        .remedy(remedy(rlimit(&limit.kind, index).unwrap_or_default()))
}

/// What helps where the kernel forbids a limit.
pub fn remedy(resource: u32) -> &'static str {
    match resource {
        RLIMIT_NOFILE => {
            "raising a hard limit needs CAP_SYS_RESOURCE on the host, and no hard limit of open files may be above the \
             sysctl fs.nr_open"
        }
        _ => "raising a hard limit needs CAP_SYS_RESOURCE on the host",
    }
}
