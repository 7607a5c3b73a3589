//! What the images of a checkpoint may say, asked before CRIU reads them: it does what they say with all rights, and much
//! of that (files made, truncated, removed) cannot be taken back when the restored container is compared with its config.
//! What is not known is refused.

use crate::criu::images::{
    self, Core, File, FileHandle, Ghost, Ids, Inventory, Memory, Process, Regular, Remap,
};
use crate::engine::CriuOptions;
use crate::engine::checkpoint::compare::{Model, Mount, beyond_config};
use crate::engine::checkpoint::images::Images;
use crate::engine::checkpoint::rights::{NET_ADMIN, NET_RAW, Rights, SETPCAP, SYS_ADMIN, SYS_RESOURCE};
use crate::error::{Error, Result};
use crate::host::mountinfo;
use crate::names::RLIMITS;
use crate::names::namespaces::{NETWORK, USER};
use crate::spec::Spec;
use crate::sys::Errno;
use crate::sys::file::{cwd, openat2};
use prost::Message;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// What the images are held against.
pub struct Look<'a> {
    pub images: &'a Images,
    pub spec: &'a Spec<'a>,
    /// The namespaces (`CLONE_NEW…`) that the container gets.
    pub created: u64,
    pub model: Model<'a>,
    pub options: &'a CriuOptions,
    /// What descriptors of the caller's take the place of.
    pub inherited: &'a [&'a str],
}

/// A name that CRIU makes or removes, by the number of the mount that it is on and its place below that.
pub struct Name {
    pub mount: u32,
    pub path: PathBuf,
}

/// `fd_types` of fdinfo.proto.
const ORDINARY: [u32; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 17, 18, 20, 0xffff];
const PRIVILEGED: [(u32, u64, &str); 3] = [
    (10, NET_RAW, "a packet socket"),
    (12, SYS_ADMIN, "a group of fanotify"),
    (15, NET_ADMIN, "a tun device"),
];
/// Sockets of these protocols may belong to groups without a right: NETLINK_ROUTE, _KOBJECT_UEVENT, _GENERIC.
const OPEN_PROTOCOLS: [u32; 3] = [0, 15, 16];
/// An open file has none of them: the kernel forgets them.
const MAKING: u32 =
    (libc::O_CREAT | libc::O_EXCL | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u32;
/// `TASK_DEAD`
const DEAD: u32 = 2;
/// `USK_EXTERN`
const EXTERNAL: u32 = 1;
/// `remap_type`
const LINKED: u32 = 0;
const GHOST: u32 = 1;
const PROCFS: u32 = 2;
/// The beginning of the names that CRIU gives files without one.
const LINK: &[u8] = b"link_remap.";
const NULL: &[u8] = b"/dev/null";
const KEEP_CAPS: u32 = 1 << 4;

impl Look<'_> {
    /// All images. Returns the names whose directories are to be asked for links when the mounts are there.
    pub fn all(&self) -> Result<Vec<Name>> {
        let names = self.images.names()?;
        let processes = self.read::<Process>("pstree.img")?;
        let mounts = self.mounts(&processes)?;
        let mut files = BTreeMap::new();
        for entry in self.read::<File>(FILES)? {
            self.file(&entry, &mounts)?;
            if let Some(regular) = entry.regular {
                files.insert(regular.id, regular);
            }
        }
        for Process { pid, threads, parent } in &processes {
            // It would become a child of whatever is around the container, and is in no tree that is compared.
            let above = self.read_if_there::<Core>(&format!("core-{parent}.img"))?;
            let is_alive = |core: &Core| core.task.as_ref().is_some_and(|task| task.state != DEAD);
            if *parent != 0 && (above.is_empty() || !above.iter().all(is_alive)) {
                return Err(refused("pstree.img", "a process whose parent has ended", "/process"));
            }
            let name = format!("mm-{pid}.img");
            let memory = self.read_if_there::<Memory>(&name)?;
            if memory.iter().flat_map(|memory| &memory.areas).any(|area| area.flags & MAKING != 0) {
                return Err(refused(&name, "a mapping that makes a file", "/root"));
            }
            for thread in threads.iter().chain([pid]) {
                let name = format!("core-{thread}.img");
                self.read_if_there(&name)?.iter().try_for_each(|core| self.core(&name, core))?;
            }
        }
        for name in names.iter().filter(|name| name.starts_with("ghost-file-")) {
            let mode = images::head::<Ghost>(name, &self.images.read(name)?)?.mode;
            let plain = matches!(mode & libc::S_IFMT, libc::S_IFREG | libc::S_IFIFO | libc::S_IFDIR);
            if !plain || mode & (libc::S_ISUID | libc::S_ISGID) != 0 {
                return Err(refused(name, "a deleted file that is a device or set-uid", "/root"));
            }
        }
        let remaps = self.read_if_there::<Remap>(REMAPS)?;
        remaps.iter().filter_map(|remap| self.remap(remap, &files, &mounts).transpose()).collect()
    }

    fn read<T: Message + Default>(&self, name: &str) -> Result<Vec<T>> {
        images::read(name, &self.images.read(name)?)
    }

    /// Of what has ended, and of what a container has none of, there is no image.
    fn read_if_there<T: Message + Default>(&self, name: &str) -> Result<Vec<T>> {
        self.images.read_if_there(name)?.map_or(Ok(Vec::new()), |bytes| images::read(name, &bytes))
    }

    /// The mounts by their numbers in the images: one mount namespace, which is not CRIU's, with the mounts of the model.
    fn mounts(&self, processes: &[Process]) -> Result<BTreeMap<i64, Mount>> {
        let mut tables: Vec<u32> = Vec::new();
        for Process { pid, .. } in processes {
            let ids = self.read_if_there::<Ids>(&format!("ids-{pid}.img"))?;
            tables.extend(ids.iter().map(|ids| ids.mount));
        }
        let inventory = self.read::<Inventory>("inventory.img")?;
        let crius = inventory.iter().filter_map(|inventory| inventory.root_ids).map(|ids| ids.mount);
        let Some(number) = tables.first().filter(|first| tables.iter().all(|table| table == *first)) else {
            return Err(refused("ids", "none or several mount namespaces", "/linux/namespaces"));
        };
        let crius: Vec<u32> = crius.collect();
        if crius.is_empty() || crius.iter().any(|crius| crius == number || *crius == 0) {
            return Err(refused("inventory.img", "a container in CRIU's own mounts", "/linux/namespaces"));
        }
        let image = format!("mountpoints-{number}.img");
        let mut entries = self.read::<images::Mount>(&image)?;
        // The last comes first.
        entries.reverse();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let top = entries.iter().find(|entry| entry.point == b"/").map(|entry| text(&entry.root));
        let top = top.ok_or_else(|| refused(&image, "no mount at /", "/root"))?;
        let mut numbers = BTreeMap::new();
        let mut mounts = Vec::new();
        for entry in &entries {
            let point = text(&entry.point);
            let is_shown = self.model.shows(&point);
            let key = (is_shown && point != "/").then_some(&entry.point);
            let plain = is_plain(&entry.point) && is_plain(&entry.root);
            // What runc calls each masked file.
            let is_null = !is_shown && entry.external_key.as_deref() == Some(NULL) && entry.root == b"/null";
            let is_named = is_null || entry.external_key.as_ref() == key;
            if !plain || entry.with_plugin || entry.deleted || !is_named {
                let what = format!("a mount that its config does not have at {point}");
                return Err(refused(&image, &what, "/mounts"));
            }
            let kind = images::FILE_SYSTEMS.iter().find(|(code, _)| *code == entry.kind);
            let mut mount = Mount {
                id: entry.id.into(),
                parent: entry.parent.into(),
                root: text(&entry.root),
                kind: kind.map_or("file system of another kind", |(_, kind)| kind).to_owned(),
                device: String::new(),
                flags: u64::from(entry.flags),
                is_read_only: u64::from(entry.system_flags) & libc::MS_RDONLY != 0,
                options: Vec::new(),
                point,
            };
            self.model.complete(&mut mount, is_null, &top);
            numbers.insert(i64::from(entry.id), mount.clone());
            mounts.push(mount);
        }
        self.model.check(&mounts, &[], None).map_err(|error| error.doing(image))?;
        Ok(numbers)
    }

    fn file(&self, entry: &File, mounts: &BTreeMap<i64, Mount>) -> Result<()> {
        let may = Rights::of(self.spec);
        let refuse = |what: &str, field: &str| Err(refused(FILES, what, field));
        match PRIVILEGED.iter().find(|(kind, ..)| *kind == entry.kind) {
            Some((_, right, _)) if may.can_have(*right) && self.owns_network() => {}
            Some((_, _, what)) => return refuse(what, CAPABILITIES),
            None if ORDINARY.contains(&entry.kind) => {}
            None => return refuse(&format!("an open file of kind {}", entry.kind), "/root"),
        }
        if let Some(inet) = entry.inet
            && inet.kind == libc::SOCK_RAW as u32
            && !(may.can_have(NET_RAW) && self.owns_network())
        {
            return refuse("a raw socket", CAPABILITIES);
        }
        if let Some(netlink) = &entry.netlink
            && netlink.groups.iter().any(|group| *group != 0)
            && !OPEN_PROTOCOLS.contains(&netlink.protocol)
            && !may.can_have(NET_ADMIN)
        {
            return refuse("a netlink socket in a group", CAPABILITIES);
        }
        if let Some(regular) = &entry.regular {
            self.regular(regular, mounts)?;
        }
        if let Some(unix) = &entry.unix {
            let name = unix.name.strip_suffix(b"\0").unwrap_or(&unix.name);
            if !name.is_empty() && name[0] != 0 {
                let path =
                    if name[0] == b'/' { name.to_vec() } else { [&unix.directory, &b"/"[..], name].concat() };
                // CRIU connects to a socket of the host by what the container has at its address.
                if unix.flags & EXTERNAL == 0 {
                    self.named(&path, unix.mount, mounts, true)?;
                } else if !is_plain(&path) || !self.options.ext_unix_sk {
                    return refuse("a socket of the host, without --ext-unix-sk", "/root");
                }
            }
        }
        let watches = entry.inotify.iter().flat_map(|inotify| &inotify.watches).map(|watch| &watch.file);
        let marks = entry.fanotify.iter().flat_map(|fanotify| &fanotify.marks);
        let marks = marks.filter_map(|mark| mark.inode.as_ref()).map(|inode| &inode.file);
        for FileHandle { path, mount } in watches.chain(marks).flatten() {
            self.named(path.as_deref().unwrap_or_default(), *mount, mounts, false)?;
        }
        Ok(())
    }

    /// The config's capabilities count in the network namespace that came with its user namespace, or without one.
    fn owns_network(&self) -> bool {
        self.created & USER == 0 || self.created & NETWORK != 0
    }

    fn regular(&self, file: &Regular, mounts: &BTreeMap<i64, Mount>) -> Result<()> {
        if file.external && self.inherited.iter().any(|key| key.as_bytes() == file.name) {
            return Ok(());
        }
        // CRIU keeps no mount of the names that it has made itself.
        if file.mount.is_none() && is_link(&file.name) && is_plain(&file.name) {
            return Ok(());
        }
        let name = String::from_utf8_lossy(&file.name);
        if file.external || file.flags & MAKING != 0 {
            return Err(refused(FILES, &format!("a file that opening makes: {name}"), "/root"));
        }
        let writes = file.flags & libc::O_ACCMODE as u32 != libc::O_RDONLY as u32;
        let is_content = matches!(file.mode & libc::S_IFMT, 0 | libc::S_IFREG | libc::S_IFDIR);
        self.named(&file.name, file.mount, mounts, writes && is_content)
    }

    /// A path is one of the container's, on a mount of it; with `writes` it is on one that may be written to.
    fn named(
        &self,
        path: &[u8],
        mount: Option<i32>,
        mounts: &BTreeMap<i64, Mount>,
        writes: bool,
    ) -> Result<()> {
        let name = String::from_utf8_lossy(path);
        let Some(mount) = mount.and_then(|number| mounts.get(&i64::from(number))).filter(|_| is_plain(path))
        else {
            return Err(refused(FILES, &format!("a file that is none of the container's: {name}"), "/root"));
        };
        let place = Path::new("/").join(&*name);
        let above = mounts.values().filter(|mount| place.starts_with(&mount.point));
        let on = above.max_by_key(|mount| mount.point.len());
        if writes && !(mount.may_write() && on.is_some_and(Mount::may_write)) {
            return Err(refused(
                FILES,
                &format!("a file to write to, on what is read-only: {name}"),
                "/mounts",
            ));
        }
        Ok(())
    }

    fn remap(
        &self,
        remap: &Remap,
        files: &BTreeMap<u32, Regular>,
        mounts: &BTreeMap<i64, Mount>,
    ) -> Result<Option<Name>> {
        let refuse = |what: &str| Err(refused(REMAPS, what, "/mounts"));
        let file = files.get(&remap.file);
        let (name, number) = match (remap.kind, file) {
            (Some(PROCFS), Some(_)) => return Ok(None),
            (Some(GHOST), Some(file)) => (&file.name, file.mount),
            (Some(LINKED), Some(file)) if self.options.link_remap => match files.get(&remap.to) {
                Some(to) => (&to.name, file.mount),
                None => return refuse("another name of a file that it does not have"),
            },
            (Some(LINKED), Some(_)) => {
                return Err(Error::new("the checkpoint has other names of files, to be removed")
                    .doing(REMAPS)
                    .remedy(
                        "restore with --link-remap too, as it was written, if its files can be trusted",
                    ));
            }
            _ => return refuse("a deleted file of an unknown kind"),
        };
        let text = String::from_utf8_lossy(name);
        let path = Path::new("/").join(&*text);
        let mount = number.and_then(|number| mounts.get(&i64::from(number)));
        let below = mount.and_then(|mount| path.strip_prefix(&mount.point).ok());
        match (mount, below, number) {
            (Some(mount), Some(below), Some(number))
                if mount.may_write() && is_plain(name) && (is_link(name) || remap.kind == Some(GHOST)) =>
            {
                Ok(Some(Name { mount: number as u32, path: below.to_owned() }))
            }
            _ => refuse(&format!("a deleted file where it is no container's to make or remove one: {text}")),
        }
    }

    fn core(&self, name: &str, core: &Core) -> Result<()> {
        let may = Rights::of(self.spec);
        let nothing = Default::default();
        let process = self.spec.process.as_ref().unwrap_or(&nothing);
        let refuse = |what: String, field: &str| Err(refused(name, &what, field));
        if let Some(task) = &core.task {
            let limits = task.limits.iter().flat_map(|limits| limits.each.iter().enumerate());
            for (number, limit) in limits {
                let kind =
                    RLIMITS.iter().find(|(_, known)| *known as usize == number).map_or("", |(kind, _)| kind);
                let wanted = process.rlimits.iter().find(|wanted| &*wanted.kind == kind);
                if wanted.is_some_and(|wanted| limit.hard > wanted.hard) && !may.can_have(SYS_RESOURCE) {
                    return refuse(format!("a process with a higher {kind}"), "/process/rlimits");
                }
            }
        }
        let Some(thread) = &core.thread else { return Ok(()) };
        let bits = thread.credentials.map_or(0, |credentials| credentials.secure_bits);
        if bits & !KEEP_CAPS != 0 && !may.can_have(SETPCAP) {
            return refuse(format!("a process with secure bits {bits:#x}"), CAPABILITIES);
        }
        Ok(())
    }
}

/// Asks for links on the way to what CRIU is about to make or remove, with `pid` and its mounts, which lie each for itself
/// now: it would follow them from its own root, and its /proc leads to the host.
pub fn names(names: &[Name], pid: i32) -> Result<()> {
    let table = mountinfo::table(pid)?;
    let open = |from: BorrowedFd, path: &Path, resolve| {
        openat2(from, &crate::sys::c(path)?, libc::O_PATH | libc::O_DIRECTORY, 0, resolve)
    };
    for Name { mount, path } in names {
        let end = format!("/mnt-{mount:010}");
        let line = mountinfo::lines(&table).find(|line| line.point.ends_with(&end));
        let line = line.ok_or_else(|| Error::new("criu lays its mounts out in a way that is not known"))?;
        let place = format!("/proc/{pid}/root{}", mountinfo::unescape(line.point));
        let on = open(cwd(), Path::new(&place), 0).map_err(|e| e.because("open a mount of the container"))?;
        let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { continue };
        match open(on.as_fd(), parent, libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS) {
            Ok(_) | Err(Errno(libc::ENOENT)) => {}
            Err(_) => {
                let what = format!("a deleted file behind a link: {}", path.display());
                return Err(refused(REMAPS, &what, "/mounts"));
            }
        }
    }
    Ok(())
}

const FILES: &str = "files.img";
const REMAPS: &str = "remap-fpath.img";
const CAPABILITIES: &str = "/process/capabilities";

fn is_link(path: &[u8]) -> bool {
    path.rsplit(|byte| *byte == b'/').next().is_some_and(|name| name.starts_with(LINK))
}

/// A path that stays where it seems to lead.
fn is_plain(path: &[u8]) -> bool {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let fits = |part: &[u8]| !part.is_empty() && part != b"." && part != b".." && !part.contains(&0);
    path.is_empty() || path.split(|byte| *byte == b'/').all(fits)
}

fn refused(image: &str, what: &str, field: &str) -> Error {
    let ended = "end what the container, or `exec`, has made beyond its config before the checkpoint";
    beyond_config(what, ended).doing(image.to_owned()).field(field)
}
