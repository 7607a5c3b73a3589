//! Doug Lea's allocator in place of musl's own, which makes some fifty mappings on the way of a `run`.

use super::STEP;
use dlmalloc::{Allocator, Dlmalloc};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::null_mut;
use std::sync::Mutex;

struct Pages;

// SAFETY: mappings are nobody else's.
unsafe impl Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, at no fixed place.
        let address = unsafe { libc::mmap(null_mut(), size, access, kind, -1, 0) };
        if address == libc::MAP_FAILED { (null_mut(), 0, 0) } else { (address.cast(), size, 0) }
    }

    fn remap(&self, address: *mut u8, old: usize, new: usize, can_move: bool) -> *mut u8 {
        let flags = if can_move { libc::MREMAP_MAYMOVE } else { 0 };
        // SAFETY: the allocator's own mapping, which it says is of this size.
        let address = unsafe { libc::mremap(address.cast(), old, new, flags) };
        if address == libc::MAP_FAILED { null_mut() } else { address.cast() }
    }

    fn free_part(&self, address: *mut u8, old: usize, new: usize) -> bool {
        // SAFETY: as above; nothing is in the part.
        unsafe { libc::munmap(address.add(new).cast(), old - new) == 0 }
    }

    fn free(&self, address: *mut u8, size: usize) -> bool {
        // SAFETY: as above.
        unsafe { libc::munmap(address.cast(), size) == 0 }
    }

    fn can_release_part(&self, _flags: u32) -> bool {
        true
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        4096
    }
}

/// For `#[global_allocator]`.
pub struct Heap {
    lock: Mutex<()>,
    inner: UnsafeCell<Dlmalloc<Pages>>,
}

// SAFETY: every use is under the lock.
unsafe impl Sync for Heap {}

impl Heap {
    pub const fn new() -> Heap {
        let mut inner = Dlmalloc::new_with_allocator(Pages);
        assert!(inner.set_granularity(STEP));
        Heap { lock: Mutex::new(()), inner: UnsafeCell::new(inner) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Dlmalloc<Pages>) -> T) -> T {
        let _held = self.lock.lock();
        // SAFETY: under the lock there is no other reference.
        act(unsafe { &mut *self.inner.get() })
    }
}

// SAFETY: dlmalloc's promises are these, and the lock keeps threads apart.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on; so below.
        self.with(|heap| unsafe { heap.malloc(layout.size(), layout.align()) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.with(|heap| unsafe { heap.calloc(layout.size(), layout.align()) })
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        self.with(|heap| unsafe { heap.free(address, layout.size(), layout.align()) });
    }

    unsafe fn realloc(&self, address: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.with(|heap| unsafe { heap.realloc(address, layout.size(), layout.align(), size) })
    }
}
