//! HOME, as passwd(5) of the container has it. The file is the image's, and a running container may exchange it: it may
//! be a device that never ends, a pipe, the kernel's log (CVE-2026-47262), or a link to any of them.
//!
//! So what is there is first looked at through an O_PATH descriptor, which opens nothing: it must be a regular file and none
//! of the kernel's own. Without a procfs of ours it can be opened only by its name, and the name may have changed since.
//! So it is opened with the rights of the container's process and no more: whatever gets opened and read, that process
//! could open and read by itself. No call here waits.
//!
//! The id is compared as a number and nothing else: an image cannot name itself into another user.

use crate::Init;
use crate::control::{Fail, In, Outcome};
use crate::sys::{self, Errno, Fd};
use crate::variable::Variable;
use crate::wire::Part;
use core::ffi::CStr;

/// What is read of the file at most.
const LIMIT: usize = 1 << 25;
const PASSWD: &CStr = c"/etc/passwd";

/// File systems whose regular files are the kernel's: reading one can do something, or show what is the host's.
const KERNELS: [u32; 24] = [
    0x0000_9fa0, // proc
    0x6265_6572, // sysfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x0765_5821, // resctrl
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0x5a3c_69f0, // apparmorfs
    0xf97c_ff8c, // selinuxfs
    0x4341_5d53, // smackfs
    0x6165_676c, // pstore
    0xcafe_4a11, // bpf
    0x6265_6570, // configfs
    0xde5e_81e4, // efivarfs
    0x6573_5543, // fusectl
    0x4249_4e4d, // binfmt_misc
    0x6e73_6673, // nsfs
    0x1980_0202, // mqueue
    0x0000_1cd1, // devpts
    0x6e66_7364, // nfsd
    0x6759_6969, // rpc_pipefs
    0xabba_1974, // xenfs
    0x012f_f7b7, // hypfs
];

const NO_FILE: Fail = Fail(Part::NotAFile, Errno(libc::EINVAL));

impl Init<'_> {
    /// The variable for user `uid`; `/` where the file knows no such user, and where it cannot be read.
    pub fn find_home(&mut self, uid: u32) {
        let found = find(uid).unwrap_or_else(|fail| {
            self.warn(fail);
            None
        });
        self.home = found.or_else(|| Variable::of(b"HOME=", b"/"));
    }
}

fn find(uid: u32) -> Outcome<Option<Variable>> {
    let open = |flags| sys::openat2(Fd::CWD, PASSWD, flags, 0, libc::RESOLVE_NO_MAGICLINKS);
    let seen = match open(libc::O_PATH) {
        // An image without users.
        Err(Errno(libc::ENOENT | libc::ENOTDIR)) => return Ok(None),
        other => other.part(Part::Open)?,
    };
    let found = regular(seen).and_then(|()| sys::filesystem(seen).part(Part::Verify));
    sys::close(seen);
    if KERNELS.contains(&(found? as u32)) {
        return Err(NO_FILE);
    }
    let file = open(libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY).part(Part::Open)?;
    let found = regular(file).and_then(|()| search(file, uid).part(Part::Read));
    sys::close(file);
    found
}

fn regular(file: Fd) -> Outcome<()> {
    let mode = sys::fstat(file).part(Part::Verify)?.mode;
    if mode & libc::S_IFMT == libc::S_IFREG { Ok(()) } else { Err(NO_FILE) }
}

/// Reads through one buffer, whatever the length of a line.
fn search(file: Fd, uid: u32) -> sys::Sys<Option<Variable>> {
    let mut buffer = [0u8; 4096];
    let (mut line, mut total) = (Line::NEW, 0);
    loop {
        let count = sys::read(file, &mut buffer)?;
        for &byte in &buffer[..count] {
            if byte != b'\n' {
                line.take(byte);
            } else if line.is_of(uid) {
                return Ok(line.home());
            } else {
                (line.field, line.digits, line.id, line.length) = (0, 0, 0, 0);
            }
        }
        if count == 0 {
            return Ok(if line.is_of(uid) { line.home() } else { None });
        }
        total += count;
        if total > LIMIT {
            return Err(Errno(libc::EFBIG));
        }
    }
}

const LONGEST: usize = 256;

/// What is known of a line: `name:password:uid:gid:comment:home:shell`.
struct Line {
    field: usize,
    digits: usize,
    id: u64,
    length: usize,
    directory: [u8; LONGEST],
}

impl Line {
    const NEW: Line = Line { field: 0, digits: 0, id: 0, length: 0, directory: [0; LONGEST] };

    fn take(&mut self, byte: u8) {
        match (byte, self.field) {
            (b':', _) => self.field += 1,
            (b'0'..=b'9', 2) if self.digits < 10 => {
                self.digits += 1;
                self.id = self.id * 10 + u64::from(byte - b'0');
            }
            // No number of a user.
            (_, 2) => self.digits = usize::MAX,
            (_, 5) => {
                if let Some(place) = self.directory.get_mut(self.length) {
                    *place = byte;
                }
                self.length += 1;
            }
            _ => {}
        }
    }

    fn is_of(&self, uid: u32) -> bool {
        self.field >= 5 && (1..=10).contains(&self.digits) && self.id == u64::from(uid)
    }

    /// An empty directory is one, as peers have it; one that is too long is none.
    fn home(&self) -> Option<Variable> {
        Variable::of(b"HOME=", self.directory.get(..self.length)?)
    }
}
