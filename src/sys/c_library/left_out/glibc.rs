//! What glibc carries: this program never calls setlocale(3), so nothing is translated or converted to another character
//! set; it loads no shared objects, resolves no host names, cancels no threads and has no streams of C's (stdio).
//! `strings` has functions that are small here and large there.

use std::ffi::{c_char, c_int, c_void};
use std::process::abort;
use std::ptr::null_mut;

/// Room for a lock of the C library that lies beside what is left out: its own are of 4 and 56 bytes.
#[repr(C, align(64))]
struct Lock([u64; 16]);

macro_rules! locks {
    ($($name:ident),*) => {$(
        #[unsafe(no_mangle)]
        static mut $name: Lock = Lock([0; 16]);
    )*};
}

// What a cancelled thread and a failed assertion of the C library would do.
unreachable!(_Unwind_ForcedUnwind, __gcc_personality_v0, __assert_fail, __libc_dynarray_at_failure);

// Of a shared object: calls that are bound when they are made, a symbol that is missing, the end with its reason. (The
// kernel's own object, the vdso, is looked through at the start, for names that need not be there.)
unreachable!(
    _dl_runtime_resolve_fxsave,
    _dl_runtime_resolve_xsave,
    _dl_runtime_resolve_xsavec,
    _dl_runtime_profile_sse,
    _dl_runtime_profile_avx,
    _dl_runtime_profile_avx512,
    _dl_signal_error,
    _dl_signal_exception,
    _dl_exception_create_format,
    _dl_fatal_printf,
);

// Threads with stacks that are executed, which a program asks for in its header; mutexes with a priority.
unreachable!(__nptl_change_stack_perm, __pthread_tpp_change_priority, __pthread_current_priority);

// What is asked of a stream where there is one.
unreachable!(_IO_iter_next, _IO_iter_file);

type Text = *const c_char;

constant!(
    // malloc_stats(3)
    fprintf() -> c_int = -1,
    fputs(Text, *const c_void) -> c_int = -1,
    _IO_fputs(Text, *const c_void) -> c_int = -1,
    fwrite(*const c_void, usize, usize, *const c_void) -> usize = 0,
    // of streams: there are none to lock at a fork, with the first thread, or to write out at the end
    _IO_iter_begin() -> *mut c_void = null_mut(),
    _IO_iter_end() -> *mut c_void = null_mut(),
    _IO_list_lock() -> () = (),
    _IO_list_unlock() -> () = (),
    _IO_list_resetlock() -> () = (),
    _IO_enable_locks() -> () = (),
    _IO_cleanup() -> c_int = 0,
    // tables of characters, for a thread's own locale
    __ctype_init() -> () = (),
    // of shared objects: where they would be looked for, and LD_DEBUG
    _dl_init_paths() -> () = (),
    _dl_printf() -> () = (),
    _dl_debug_printf() -> () = (),
    _dl_debug_printf_c() -> () = (),
    _dl_error_printf() -> () = (),
    // std looks newer functions up, and has another way where they are not there
    dlsym(*mut c_void, Text) -> *mut c_void = null_mut(),
    // of locales: no conversion (1), and nothing to close
    __gconv_find_transform() -> c_int = 1,
    __gconv_close_transform() -> c_int = 0,
    __gconv_release_step() -> () = (),
    // a thread ends, and has resolved no names
    __res_vinit() -> c_int = -1,
    __res_iclose() -> () = (),
    __resolv_conf_detach() -> () = (),
    __resolv_context_freeres() -> () = (),
);

locks!(__gconv_lock, __libc_setlocale_lock);

/// dcgettext(3) where no catalogue has been opened.
#[unsafe(no_mangle)]
extern "C" fn __dcgettext(_: Text, message: Text, _: c_int) -> Text {
    message
}

#[unsafe(no_mangle)]
extern "C" fn dcgettext(domain: Text, message: Text, category: c_int) -> Text {
    __dcgettext(domain, message, category)
}

unsafe extern "C" {
    safe fn strerrordesc_np(errno: c_int) -> Text;
}

/// strerror_r(3) as GNU has it, without printf(3) for a number that no error has.
#[unsafe(no_mangle)]
extern "C" fn __strerror_r(errno: c_int, _: *mut c_char, _: usize) -> Text {
    let text = strerrordesc_np(errno);
    if text.is_null() { c"Unknown error".as_ptr() } else { text }
}

/// pthread_setname_np(3), which std calls for a thread itself.
#[unsafe(no_mangle)]
extern "C" fn pthread_setname_np(_: libc::pthread_t, name: Text) -> c_int {
    // SAFETY: the caller's name is a string that ends with NUL; prctl reads at most 16 bytes of it.
    unsafe { libc::prctl(libc::PR_SET_NAME, name) }
}

/// For malloc_stats(3).
#[unsafe(no_mangle)]
static mut stderr: *mut c_void = null_mut();
