//! System calls that use nothing of libc's: for a process that has our memory, or a thread that libc does not know. libc's
//! own would store errno in the memory of a thread that keeps running.

use crate::sys::{Errno, SysResult};
use std::mem::size_of;

/// capget(2) and capset(2) of the calling thread: _LINUX_CAPABILITY_VERSION_3, two sets of three words each.
pub const CAPABILITY_HEADER: [u32; 2] = [0x2008_0522, 0];

/// One system call.
///
/// # Safety
/// As the call asks of its pointers.
pub unsafe fn call(number: libc::c_long, arguments: [usize; 6]) -> SysResult<usize> {
    let returned: isize;
    let [a, b, c, d, e, f] = arguments;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the registers are those of the system call interface; the caller answers for what they point to.
    unsafe {
        std::arch::asm!(
            "syscall", inlateout("rax") number as isize => returned, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, in("r8") e, in("r9") f, out("rcx") _, out("r11") _, options(nostack),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!(
            "svc #0", in("x8") number, inlateout("x0") a => returned, in("x1") b, in("x2") c, in("x3") d,
            in("x4") e, in("x5") f, options(nostack),
        );
    }
    if returned < 0 { Err(Errno(-returned as i32)) } else { Ok(returned as usize) }
}

/// Ends this thread (SYS_exit) or process (SYS_exit_group) without touching memory.
pub fn end(number: libc::c_long, code: usize) -> ! {
    loop {
        // SAFETY: both calls take a number.
        let _ = unsafe { call(number, [code, 0, 0, 0, 0, 0]) };
    }
}

/// clone3(2) whose child calls `function(argument)` on the stack that `args` names.
///
/// # Safety
/// `args` must describe a stack that no other code uses, `function` must not return, and `argument` must stay
/// valid until the child has exec'd or ended.
pub unsafe fn clone3_on_stack(
    args: &libc::clone_args,
    function: extern "C" fn(*mut libc::c_void) -> !,
    argument: *mut libc::c_void,
) -> isize {
    let returned: isize;
    let (args, size) = (std::ptr::from_ref(args), size_of::<libc::clone_args>());
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as promised by the caller; the parent goes on behind the label with the registers as declared.
    unsafe {
        std::arch::asm!(
            "syscall", "test eax, eax", "jnz 2f",
            "xor ebp, ebp", "mov rdi, r12", "call r13", "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 as isize => returned, in("rdi") args, in("rsi") size,
            in("r12") argument, in("r13") function, out("rcx") _, out("r11") _,
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!(
            "svc #0", "cbnz x0, 2f",
            "mov x29, #0", "mov x0, x20", "blr x21", "brk #1",
            "2:",
            in("x8") libc::SYS_clone3, inlateout("x0") args => returned, in("x1") size,
            in("x20") argument, in("x21") function,
        );
    }
    returned
}
