//! The attach socket and the fifos beside it, where podman and CRI-O look for them.

use crate::error::{Error, Result};
use crate::shim::conmon::options::Options;
use crate::sys::{Errno, c, file};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::sys::stat::{Mode, fchmod, umask};
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Room for a path in a socket's address, with its end.
const ADDRESS: usize = 108;

/// The link by which a socket in a long path is reached; none with --full-attach.
pub fn link(options: &Options) -> Option<PathBuf> {
    (!options.full_attach).then(|| {
        let mut name = options.uuid.clone();
        let room = ADDRESS.saturating_sub(options.socket_dir.as_os_str().len() + "//attach".len() + 1);
        name.truncate(name.floor_char_boundary(room));
        options.socket_dir.join(name)
    })
}

/// Binds the attach socket in the bundle.
pub fn listen_to_clients(options: &Options) -> Result<OwnedFd> {
    let path = options.bundle.join("attach");
    let failed = |e: Errno| e.because(format!("bind {}", path.display()));
    if let Some(link) = link(options) {
        // The link says so where it cannot be made.
        let _ = fs::create_dir_all(&options.socket_dir);
        // One of an earlier life.
        let _ = fs::remove_file(&link);
        symlink(&options.bundle, &link)
            .map_err(|e| Error::io(format!("link {}", link.display()), &e).field("--socket-dir-path"))?;
    }
    bound(&path, SockType::SeqPacket, 0o600)
        .and_then(|socket| {
            listen(&socket, Backlog::new(64)?)?;
            Ok(socket)
        })
        .map_err(failed)
}

/// A socket at the path, however long that is.
pub fn bound(path: &Path, kind: SockType, mode: u32) -> crate::sys::SysResult<OwnedFd> {
    let _ = fs::remove_file(path);
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let opened = file::openat2(file::cwd(), &c(directory)?, libc::O_PATH | libc::O_DIRECTORY, 0, 0)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("attach");
    let short = format!("/proc/self/fd/{}/{name}", opened.as_raw_fd());
    let socket = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    // Its file has the socket's mode, from the first moment on, but for what the umask takes away. There is one thread yet.
    let mode = Mode::from_bits_truncate(mode);
    fchmod(&socket, mode)?;
    let before = umask(Mode::empty());
    let bound = UnixAddr::new(&*short).and_then(|address| bind(socket.as_raw_fd(), &address));
    umask(before);
    bound?;
    Ok(socket)
}

/// A fifo of this name in the bundle, with an end to write to of our own, so that it never ends.
pub fn fifo(bundle: &Path, name: &str) -> Result<OwnedFd> {
    let path = bundle.join(name);
    let failed = |e: Errno| e.because(format!("make the fifo {}", path.display()));
    let words = c(&path).map_err(failed)?;
    match file::mkfifoat(file::cwd(), &words, 0o660) {
        Ok(()) | Err(Errno(libc::EEXIST)) => {}
        Err(e) => return Err(failed(e)),
    }
    let fifo = file::openat2(file::cwd(), &words, libc::O_RDWR | libc::O_NONBLOCK, 0, 0).map_err(failed)?;
    match file::kind(fifo.as_fd()) {
        Ok(libc::S_IFIFO) => Ok(fifo),
        _ => Err(Error::argument("--bundle", path.display(), "this is no fifo")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_cut_ends_with_a_whole_character() {
        for length in 80..110 {
            let options = Options { uuid: "\u{e4}".repeat(length), ..Options::default() };
            let link = link(&options).unwrap();
            assert!(link.as_os_str().len() + "/attach".len() < ADDRESS, "{length}");
        }
    }
}
