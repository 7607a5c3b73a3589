//! bpf(2), as far as device programs of cgroups need it.
//!
//! One function for each command used. Attributes are the kernel's `union bpf_attr`, written out as the struct of
//! that command only; a kernel that knows a longer union reads the rest as zero.

use super::{Errno, SysResult, check, owned};
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

const BPF_PROG_LOAD: i32 = 5;
const BPF_PROG_ATTACH: i32 = 8;
const BPF_PROG_DETACH: i32 = 9;
const BPF_PROG_GET_FD_BY_ID: i32 = 13;
const BPF_OBJ_GET_INFO_BY_FD: i32 = 15;
const BPF_PROG_QUERY: i32 = 16;

const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;

/// Other programs of the same type may be attached too; all have to agree.
pub const BPF_F_ALLOW_MULTI: u32 = 1 << 1;
/// Replace the given program in one step.
pub const BPF_F_REPLACE: u32 = 1 << 2;

/// The name of a device program of ours.
pub const DEVICE_PROGRAM: [u8; 16] = *b"rr_devices\0\0\0\0\0\0";

/// One instruction, as `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    pub code: u8,
    /// Destination in the low four bits, source in the high four (little endian machines).
    pub registers: u8,
    pub offset: i16,
    pub immediate: i32,
}

#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

#[repr(C)]
#[derive(Default)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
}

impl Attach {
    fn of(cgroup: BorrowedFd, program: BorrowedFd) -> Attach {
        Attach {
            target_fd: cgroup.as_raw_fd() as u32,
            attach_bpf_fd: program.as_raw_fd() as u32,
            attach_type: BPF_CGROUP_DEVICE,
            ..Attach::default()
        }
    }
}

#[repr(C)]
#[derive(Default)]
struct Query {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    padding: u32,
}

fn bpf<T>(command: i32, attributes: &mut T) -> i64 {
    // SAFETY: the pointer and the size describe `attributes`, a plain C struct that outlives the call; every
    // pointer stored in it was put there by a function of this file from a slice that outlives the call too.
    unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>()) }
}

/// bpf(BPF_PROG_LOAD) of a device program. With a `log`, the verifier writes its reasons there (NUL-terminated).
pub fn load_device_program(program: &[Instruction], log: Option<&mut [u8]>) -> SysResult<OwnedFd> {
    let mut load = Load {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: program.len() as u32,
        insns: program.as_ptr() as u64,
        license: c"Apache".as_ptr() as u64,
        expected_attach_type: BPF_CGROUP_DEVICE,
        prog_name: DEVICE_PROGRAM,
        ..Load::default()
    };
    if let Some(log) = log {
        load.log_level = 1;
        load.log_size = log.len() as u32;
        load.log_buf = log.as_mut_ptr() as u64;
    }
    // The verifier gives up where a signal is on its way to this thread, or to another of its process.
    let mut tries = 0..10;
    loop {
        // SAFETY: the command returns a new descriptor.
        match unsafe { owned(bpf(BPF_PROG_LOAD, &mut load)) } {
            Err(Errno(libc::EAGAIN)) if tries.next().is_some() => {}
            other => return other,
        }
    }
}

/// bpf(BPF_PROG_ATTACH) of a device program to a cgroup directory, next to others, or in the place of `replaced`.
pub fn attach_device_program(
    cgroup: BorrowedFd,
    program: BorrowedFd,
    replaced: Option<BorrowedFd>,
) -> SysResult<()> {
    let mut attach = Attach {
        attach_flags: BPF_F_ALLOW_MULTI | if replaced.is_some() { BPF_F_REPLACE } else { 0 },
        replace_bpf_fd: replaced.map_or(0, |replaced| replaced.as_raw_fd() as u32),
        ..Attach::of(cgroup, program)
    };
    check(bpf(BPF_PROG_ATTACH, &mut attach)).map(drop)
}

/// bpf(BPF_PROG_DETACH) of a device program from a cgroup directory.
pub fn detach_device_program(cgroup: BorrowedFd, program: BorrowedFd) -> SysResult<()> {
    check(bpf(BPF_PROG_DETACH, &mut Attach::of(cgroup, program))).map(drop)
}

/// bpf(BPF_PROG_QUERY): the ids of the device programs attached to this cgroup itself, oldest first.
/// More than 64 are `ENOSPC`.
pub fn device_program_ids(cgroup: BorrowedFd) -> SysResult<Vec<u32>> {
    let mut ids = vec![0_u32; 64];
    let mut query = Query {
        target_fd: cgroup.as_raw_fd() as u32,
        attach_type: BPF_CGROUP_DEVICE,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: ids.len() as u32,
        ..Query::default()
    };
    check(bpf(BPF_PROG_QUERY, &mut query))?;
    ids.truncate(query.prog_cnt as usize);
    Ok(ids)
}

/// bpf(BPF_PROG_GET_FD_BY_ID).
pub fn program_by_id(id: u32) -> SysResult<OwnedFd> {
    let mut attributes: [u32; 3] = [id, 0, 0];
    // SAFETY: the command returns a new descriptor.
    unsafe { owned(bpf(BPF_PROG_GET_FD_BY_ID, &mut attributes)) }
}

#[repr(C)]
struct Info {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// bpf(BPF_OBJ_GET_INFO_BY_FD): the name of a program.
pub fn program_name(program: BorrowedFd) -> SysResult<[u8; 16]> {
    // The beginning of `struct bpf_prog_info`, in which zero lengths ask for no instructions.
    const NAME: usize = 64;
    let mut info = [0_u8; NAME + 16];
    let mut get = Info {
        bpf_fd: program.as_raw_fd() as u32,
        info_len: info.len() as u32,
        info: info.as_mut_ptr() as u64,
    };
    check(bpf(BPF_OBJ_GET_INFO_BY_FD, &mut get))?;
    Ok(std::array::from_fn(|i| info[NAME + i]))
}
