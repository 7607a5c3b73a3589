//! The kernel itself: it must take our programs, and our interpreter must read a program as it does.

#![allow(unsafe_code)]

use super::{compiled, ours};
use rruntime::seccomp::{Arch, Filter, evaluate::Call, vocabulary::describe};
use rruntime::spec::Seccomp;
use std::ffi::c_long;

/// Loads a filter for this thread only; it ends with the thread.
fn load(filter: &Filter) {
    nix::sys::prctl::set_no_new_privs().expect("no_new_privs");
    let program = libc::sock_fprog {
        len: filter.program.len() as u16,
        filter: filter.program.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    // SAFETY: `program` points to `len` instructions of sock_filter's layout that outlive the call, and the kernel
    // only reads them.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, filter.flags, &raw const program)
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// Calls `number` with arguments that make it harmless: bad descriptors, null pointers, no process of that id.
fn errno_of(number: c_long, arguments: [u64; 3]) -> i32 {
    // SAFETY: every call of the tests below is refused by the filter or fails on its arguments before it changes
    // anything; none gets a valid pointer.
    let result = unsafe { libc::syscall(number, arguments[0], arguments[1], arguments[2]) };
    if result < 0 { std::io::Error::last_os_error().raw_os_error().unwrap_or(0) } else { 0 }
}

#[test]
fn the_kernel_takes_dockers_filter_and_decides_as_we_say() {
    let Some(Arch::X86_64) = Arch::native() else {
        crate::support::say_skipped("the numbers are those of x86_64");
        return;
    };
    let profile: Seccomp = serde_json::from_str(include_str!("profiles/docker.json")).expect("a profile");
    let filter = compiled(&profile);
    std::thread::spawn(move || {
        load(&filter);
        let expectations = [
            (libc::SYS_getpid, [0, 0, 0], 0),
            (libc::SYS_close, [u64::MAX, 0, 0], libc::EBADF),
            (libc::SYS_swapon, [0, 0, 0], libc::EPERM),
            (libc::SYS_kexec_load, [0, 0, 0], libc::EPERM),
            (libc::SYS_clone3, [0, 0, 0], libc::ENOSYS),
            (9999, [0, 0, 0], libc::ENOSYS),
            // AF_VSOCK, and a family that does not exist.
            (libc::SYS_socket, [40, u64::MAX, 0], libc::EPERM),
            (libc::SYS_socket, [u64::from(u32::MAX), 0, 0], libc::EAFNOSUPPORT),
            (libc::SYS_personality, [0x20, 0, 0], libc::EPERM),
            (libc::SYS_personality, [0x1_ffff_ffff, 0, 0], libc::EPERM),
            (libc::SYS_personality, [0xffff_ffff, 0, 0], 0),
        ];
        for (number, [a, b, c], errno) in expectations {
            assert_eq!(errno_of(number, [a, b, c]), errno, "{number} {a:#x}");
            let call =
                Call { number: number as u32, arch: Arch::X86_64.audit(), arguments: [a, b, c, 0, 0, 0] };
            let said = describe(ours(&filter, &call));
            match errno {
                libc::EPERM | libc::ENOSYS => assert_eq!(said, format!("SCMP_ACT_ERRNO({errno})")),
                _ => assert_eq!(said, "SCMP_ACT_ALLOW"),
            }
        }
    })
    .join()
    .expect("the thread ended well");
}

#[test]
fn the_kernel_decides_random_rules_as_we_say() {
    let Some(Arch::X86_64) = Arch::native() else { return };
    let mut random = crate::random::Random(7);
    for _ in 0..200 {
        let mut profile = super::profiles::profile(&mut random, super::Actions::OnePerCall);
        // ERRNO and ALLOW can be told apart from inside; the call is getpriority(2), which never fails with 4000.
        profile.default_action = "SCMP_ACT_ALLOW".into();
        profile.default_errno_ret = None;
        for rule in &mut profile.syscalls {
            rule.names = vec!["getpriority".into()];
            rule.action = "SCMP_ACT_ERRNO".into();
            rule.errno_ret = Some(4000);
            rule.args.iter_mut().for_each(|arg| arg.index %= 3);
        }
        let filter = compiled(&profile);
        let calls: Vec<[u64; 6]> =
            (0..50).map(|_| super::profiles::arguments(&mut random, &profile)).collect();
        std::thread::spawn(move || {
            load(&filter);
            for arguments in calls {
                let call =
                    Call { number: libc::SYS_getpriority as u32, arch: Arch::X86_64.audit(), arguments };
                let refused =
                    errno_of(libc::SYS_getpriority, [arguments[0], arguments[1], arguments[2]]) == 4000;
                let call = Call { arguments: [arguments[0], arguments[1], arguments[2], 0, 0, 0], ..call };
                assert_eq!(refused, ours(&filter, &call) & 0xffff_0000 == 0x0005_0000, "{call:x?}");
            }
        })
        .join()
        .expect("the thread ended well");
    }
}
