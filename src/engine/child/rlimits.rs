//! Hard resource limits of a process in a user namespace: only outside of it is there the right to raise one.

use crate::error::{Error, Result};
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
        .remedy("raising a hard limit needs CAP_SYS_RESOURCE on the host")
}
