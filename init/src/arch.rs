//! All that depends on the processor: how a program begins, how the kernel is called, and the memory functions
//! that the compiler expects (glibc's choose an implementation at start-up, and init has no start-up).

use core::arch::{asm, global_asm};
use core::ffi::{CStr, c_char};

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {entry}", "ud2",
    entry = sym entry);

#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, #0", "mov x30, #0", "mov x0, sp", "and sp, x0, #-16",
    "bl {entry}", "brk #1", entry = sym entry);

/// What a program is started with: argc, the pointers of argv, those of the environment.
#[derive(Clone, Copy)]
pub struct Arguments(*const usize);

impl Arguments {
    pub fn get(self, place: usize) -> Option<&'static CStr> {
        // SAFETY: the kernel puts argc at the stack pointer.
        let count = unsafe { *self.0 };
        // SAFETY: that many pointers to strings that end with a NUL follow it, and stay.
        (place < count).then(|| unsafe { CStr::from_ptr(*self.0.add(1 + place) as *const c_char) })
    }

    /// The addresses of argv and of the environment, for another program.
    pub fn addresses(self) -> (usize, usize) {
        // SAFETY: as above; a null pointer stands between the two.
        let behind = unsafe { *self.0 } + 2;
        (self.0.wrapping_add(1) as usize, self.0.wrapping_add(behind) as usize)
    }
}

/// Called by `_start` with the initial stack.
extern "C" fn entry(stack: *const usize) -> ! {
    crate::begin(Arguments(stack))
}

/// One system call.
///
/// # Safety
/// The arguments must be what the call `number` asks for; pointers must be good for as long as it runs.
pub unsafe fn syscall(number: i64, args: [usize; 6]) -> isize {
    let returned: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel changes rax, rcx and r11 only, and memory as the caller has promised.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => returned, in("rdi") args[0], in("rsi") args[1],
            in("rdx") args[2], in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the kernel changes x0 only, and memory as the caller has promised.
    unsafe {
        asm!("svc #0", in("x8") number, inlateout("x0") args[0] => returned, in("x1") args[1], in("x2") args[2],
            in("x3") args[3], in("x4") args[4], in("x5") args[5], options(nostack));
    }
    returned
}

/// A clock that every process of the machine reads alike, without a call: rruntime knows how fast it goes.
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: it reads a register.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
    #[cfg(target_arch = "aarch64")]
    {
        let ticks: u64;
        // SAFETY: it reads a register.
        unsafe { asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
        ticks
    }
}

/// Ends the process by an instruction that no processor has: the way out that no filter can refuse.
pub fn die() -> ! {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction raises SIGILL, which the kernel forces on its default action; nothing comes back.
    unsafe {
        asm!("ud2", options(noreturn, nostack))
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above, with SIGTRAP.
    unsafe {
        asm!("brk #1", options(noreturn, nostack))
    }
}

/// # Safety
/// As memcpy(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller promises `count` readable and writable bytes that do not overlap.
    unsafe {
        asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    for i in 0..count {
        // SAFETY: as above; volatile keeps the compiler from calling memcpy here.
        unsafe { to.add(i).write_volatile(from.add(i).read()) };
    }
    to
}

/// # Safety
/// As memset(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller promises `count` writable bytes.
    unsafe {
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte as u8,
            options(nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    for i in 0..count {
        // SAFETY: as above; volatile keeps the compiler from calling memset here.
        unsafe { to.add(i).write_volatile(byte as u8) };
    }
    to
}

/// # Safety
/// As memmove(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= count {
        // SAFETY: copying upwards never overwrites what is still to be read.
        return unsafe { memcpy(to, from, count) };
    }
    for i in (0..count).rev() {
        // SAFETY: the caller promises `count` bytes; downwards, because `to` overlaps the end of `from`.
        unsafe { to.add(i).write_volatile(from.add(i).read()) };
    }
    to
}

/// # Safety
/// As memcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    for i in 0..count {
        // SAFETY: the caller promises `count` readable bytes in both.
        let (x, y) = unsafe { (a.add(i).read_volatile(), b.add(i).read_volatile()) };
        if x != y {
            return i32::from(x) - i32::from(y);
        }
    }
    0
}

/// # Safety
/// As bcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    // SAFETY: the same promise.
    unsafe { memcmp(a, b, count) }
}

/// # Safety
/// As strlen(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(string: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller promises a NUL-terminated string.
    while unsafe { string.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}
