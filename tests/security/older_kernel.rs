//! What an older kernel would answer, by a filter in front of this one: it is inherited by the commands of the thread.

use libseccomp::{ScmpAction, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};

/// fsconfig(FSCONFIG_SET_FD) is refused with EINVAL, as by kernels whose proc does not know `pidns` (before 6.18).
pub fn without_pidns<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let filtered = || {
        let mut filter = ScmpFilterContext::new(ScmpAction::Allow).unwrap();
        filter.set_ctl_nnp(false).unwrap();
        let call = ScmpSyscall::from_name("fsconfig").unwrap();
        let set_fd = ScmpArgCompare::new(1, ScmpCompareOp::Equal, 5);
        filter.add_rule_conditional(ScmpAction::Errno(libc::EINVAL), call, &[set_fd]).unwrap();
        filter.load().unwrap();
        work()
    };
    std::thread::scope(|scope| scope.spawn(filtered).join().unwrap())
}
