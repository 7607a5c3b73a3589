//! A proc of another pid namespace, where the kernel takes that of the process that opens it (before Linux 6.18).
//!
//! ```text
//!  joiner ──fork──▶ first: an empty root, one socket, one capability, the filter
//!     │                └──clone──▶ holder, born in the pid namespace: fsopen, sendmsg, exit
//!     │◀── context ────────────────────┘
//!  create, mount, attach: outside
//! ```
//!
//! The holder is within reach of whatever may trace it there. It has nothing but its end of the socket, and the filter
//! leaves it three calls. So it can be made to send something else: the joiner takes nothing but a context of a proc.

use crate::control::{Fail, In, Outcome};
use crate::sys::{self, Errno, Fd};
use crate::wire::{Part, Strings};
use crate::{Init, mount};

const SYS_ADMIN: u64 = 1 << 21;
/// The holder is the joiner's child, like the process that makes it.
const BIRTH: u32 = libc::CLONE_PARENT as u32;

/// The calls of the holder, and the one that makes it; anything else ends it.
const FILTER: [[u8; 8]; 11] = {
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    #[cfg(target_arch = "x86_64")]
    const ARCH: u32 = 0xc000_003e;
    #[cfg(target_arch = "aarch64")]
    const ARCH: u32 = 0xc000_00b7;
    // seccomp_data: number u32, architecture u32, instruction pointer u64, arguments u64.
    [
        instruction(LOAD, 0, 0, 4),
        instruction(EQUAL, 0, 7, ARCH),
        instruction(LOAD, 0, 0, 0),
        instruction(EQUAL, 6, 0, libc::SYS_fsopen as u32),
        instruction(EQUAL, 5, 0, libc::SYS_sendmsg as u32),
        instruction(EQUAL, 4, 0, libc::SYS_exit_group as u32),
        instruction(EQUAL, 0, 2, libc::SYS_clone as u32),
        instruction(LOAD, 0, 0, 16),
        instruction(EQUAL, 1, 0, BIRTH),
        instruction(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
};

/// struct sock_filter: a code, where a jump goes if the answer is yes or no, and a value.
const fn instruction(code: u16, yes: u8, no: u8, k: u32) -> [u8; 8] {
    let (code, k) = (code.to_le_bytes(), k.to_le_bytes());
    [code[0], code[1], yes, no, k[0], k[1], k[2], k[3]]
}

impl Init<'_> {
    /// The context of a proc of this pid namespace. This process has no other children.
    pub fn held_context(&mut self, namespace: Fd) -> Outcome<Fd> {
        let [ours, theirs] = sys::socket_pair().part(Part::Socket)?;
        if sys::clone(0).part(Part::Clone)?.is_none() {
            let outcome = self.be_first(namespace, theirs);
            sys::exit(outcome.map_or_else(|Fail(_, Errno(errno))| errno, |()| 0));
        }
        sys::close(theirs);
        let received = sys::receive_descriptor(ours).part(Part::Socket)?;
        sys::close(ours);
        // Both end right after the message, and say why where none came.
        let mut failed = libc::ECHILD;
        while let Ok(code) = sys::wait() {
            if code != 0 {
                failed = code;
            }
        }
        let context = received.ok_or(Fail(Part::Holder, Errno(failed)))?;
        is_proc(context)?;
        Ok(context)
    }

    fn be_first(&mut self, namespace: Fd, socket: Fd) -> Outcome<()> {
        sys::setns(namespace, libc::CLONE_NEWPID as u64).part(Part::Setns)?;
        self.leave_tree()?;
        sys::dup3(socket, 0).part(Part::Dup)?;
        sys::close_range(1, 0).part(Part::Whole)?;
        sys::capset(SYS_ADMIN, SYS_ADMIN, 0).part(Part::Capset)?;
        sys::set_no_new_privileges().part(Part::Prctl)?;
        sys::seccomp(0, FILTER.as_flattened()).part(Part::Seccomp)?;
        if sys::clone(BIRTH as usize).part(Part::Clone)?.is_none() {
            let context = sys::fsopen(c"proc").part(Part::FsOpen)?;
            sys::send(Fd(0), &[0], context).part(Part::Control)?;
        }
        Ok(())
    }

    /// What is behind /proc/PID/root of the holder is an empty file system: before pivot_root it would be the host's tree.
    fn leave_tree(&mut self) -> Outcome<()> {
        sys::unshare(libc::CLONE_NEWNS as u64).part(Part::Whole)?;
        self.host_propagation(libc::MS_PRIVATE, true)?;
        let context = sys::fsopen(c"tmpfs").part(Part::FsOpen)?;
        let empty = self.new_filesystem(context, c"", Strings::EMPTY, mount::NO_MODE, mount::READ_ONLY)?;
        sys::move_mount(empty, Fd::CWD, c"/").part(Part::MoveMount)?;
        self.root = Some(empty);
        self.pivot()
    }
}

/// hidepid is an option of proc alone; a file system that takes any option takes the second one too.
fn is_proc(context: Fd) -> Outcome<()> {
    let known = sys::fsconfig(context, libc::FSCONFIG_SET_STRING, Some(c"hidepid"), Some(c"0"));
    let unknown = sys::fsconfig(context, libc::FSCONFIG_SET_FLAG, Some(c"no-proc"), None);
    // What the kernel says of the second would stand before what it says of the config's options.
    let _ = sys::read(context, &mut [0; 64]);
    match (known, unknown) {
        (Ok(()), Err(Errno(libc::EINVAL))) => Ok(()),
        _ => Err(Fail(Part::Unexpected, Errno(libc::EPERM))),
    }
}
