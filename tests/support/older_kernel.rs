//! What an older kernel would answer, by a filter in front of this one: it is inherited by the commands of the thread.

use libseccomp::{ScmpAction, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};

fn filtered<T: Send>(
    add: fn(&mut ScmpFilterContext, &str),
    name: &str,
    work: impl FnOnce() -> T + Send,
) -> T {
    let filtered = || {
        let mut filter = ScmpFilterContext::new(ScmpAction::Allow).unwrap();
        filter.set_ctl_nnp(false).unwrap();
        add(&mut filter, name);
        filter.load().unwrap();
        work()
    };
    std::thread::scope(|scope| scope.spawn(filtered).join().unwrap())
}

/// fsconfig(FSCONFIG_SET_FD) is refused with EINVAL, as by kernels whose proc does not know `pidns` (before 6.18).
pub fn without_pidns<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let refuse = |filter: &mut ScmpFilterContext, name: &str| {
        let set_fd = ScmpArgCompare::new(1, ScmpCompareOp::Equal, 5);
        let call = ScmpSyscall::from_name(name).unwrap();
        filter.add_rule_conditional(ScmpAction::Errno(libc::EINVAL), call, &[set_fd]).unwrap();
    };
    filtered(refuse, "fsconfig", work)
}

/// The call is refused with ENOSYS, as by a kernel that is older than the call, or was built without it.
pub fn without<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    let refuse = |filter: &mut ScmpFilterContext, name: &str| {
        filter.add_rule(ScmpAction::Errno(libc::ENOSYS), ScmpSyscall::from_name(name).unwrap()).unwrap();
    };
    filtered(refuse, name, work)
}
