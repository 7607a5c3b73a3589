"""mounts: types, options, places, sources, order."""
import os, subprocess
from catalogue import both, case, drop, put, variants

variants("mounts", {
    "missing": drop("mounts"), "null": put("mounts", None), "empty": put("mounts", []), "null in it": put("mounts.+", None),
    "no destination": put("mounts.+", {"type": "tmpfs", "source": "tmpfs"}),
    "an empty destination": put("mounts.+", {"destination": "", "type": "tmpfs", "source": "tmpfs"}),
    "a relative destination": put("mounts.+", {"destination": "mnt", "type": "tmpfs", "source": "tmpfs"}),
})


def tmpfs(options, at="/mnt", source="tmpfs", **image):
    """A tmpfs over what `image` says: the mode of a directory that is there, or nothing."""
    def act(s):
        if "mode" in image:
            s.in_rootfs(at, mode=image["mode"])
            os.chown(s.rootfs + at, image.get("owner", 0), image.get("owner", 0))
        for name in image.get("files", ()):
            s.in_rootfs(f"{at}/{name}", name, mode=0o640)
        s.mount(at, "tmpfs", source, options)
        s.look(f"stat:{at}", f"make:{at}/x", f"list:{at}")
    return act


variants("tmpfs", {
    "no options": tmpfs(None),
    "empty options": tmpfs([]),
    "null options": both(tmpfs([]), lambda s: put("mounts.-1.options", None)(s)),
    "over a directory of 0750": tmpfs([], mode=0o750),
    "over a directory of 0750, another owner": tmpfs([], mode=0o750, owner=1000),
    "over a directory of 01777": tmpfs([], mode=0o1777),
    "over a directory of 02755": tmpfs([], mode=0o2755),
    "mode over a directory": tmpfs(["mode=700"], mode=0o750),
    "mode=1777": tmpfs(["mode=1777"]),
    "mode without octal": tmpfs(["mode=9"]),
    "mode and size in one word": tmpfs(["size=1m,mode=700"]),
    "a flag in one word with others": tmpfs(["noexec,size=1m"]),
    "size": tmpfs(["size=1m"]),
    "size in percent": tmpfs(["size=1%"]),
    "size without a number": tmpfs(["size=x"]),
    "uid and gid": tmpfs(["uid=1000", "gid=1001"]),
    "uid alone over a directory": tmpfs(["uid=1000"], mode=0o711),
    "nr_inodes": tmpfs(["nr_inodes=10"]),
    "huge": tmpfs(["huge=never"]),
    "read-only": tmpfs(["ro"]),
    "read-only and rw": tmpfs(["ro", "rw"]),
    "rw and read-only": tmpfs(["rw", "ro"]),
    "all flags": tmpfs(["nosuid", "nodev", "noexec", "noatime", "nodiratime", "sync", "dirsync"]),
    "strictatime": tmpfs(["strictatime"]),
    "norelatime": tmpfs(["norelatime"]),
    "lazytime": tmpfs(["lazytime"]),
    "nosymfollow": tmpfs(["nosymfollow"]),
    "silent": tmpfs(["silent"]),
    "defaults": tmpfs(["defaults"]),
    "mand": tmpfs(["mand"]),
    "iversion": tmpfs(["iversion"]),
    "a word twice": tmpfs(["size=1m", "size=2m", "mode=700", "mode=755"]),
    "an unknown word": tmpfs(["foo"]),
    "an unknown word with a value": tmpfs(["foo=bar"]),
    "a word of systemd": tmpfs(["x-systemd.automount", "nofail", "_netdev"]),
    "an empty word": tmpfs([""]),
    "= alone": tmpfs(["="]),
    "a word with a space": tmpfs([" ro"]),
    "in capitals": tmpfs(["RO"]),
    "shared": tmpfs(["shared"]),
    "rshared": tmpfs(["rshared"]),
    "slave": tmpfs(["slave"]),
    "unbindable": tmpfs(["unbindable"]),
    "private and shared": tmpfs(["private", "shared"]),
    "no source": tmpfs([], source=None),
    "an empty source": tmpfs([], source=""),
    "a source of its own": tmpfs([], source="my tmpfs"),
    "a long source": tmpfs([], source="s" * 300),
    "tmpcopyup": tmpfs(["tmpcopyup"], mode=0o750, files=("one", "two/three")),
    "tmpcopyup over nothing": tmpfs(["tmpcopyup"]),
    "tmpcopyup with a mode": tmpfs(["mode=700", "tmpcopyup"], mode=0o750, files=("one",)),
    "tmpcopyup with a mode over nothing": tmpfs(["mode=700", "tmpcopyup"]),
    "tmpcopyup, read-only": tmpfs(["tmpcopyup", "ro"], mode=0o755, files=("one",)),
    "tmpcopyup in a small one": tmpfs(["tmpcopyup", "size=4k"], mode=0o755, files=("one", "two", "three")),
    "over a file": tmpfs([], at="/etc/passwd"),
    "in a directory that is missing": tmpfs([], at="/a/b/c"),
    "over /": tmpfs([], at="/"),
    "on /tmp": tmpfs([], at="/tmp"),
    "on /run": tmpfs(["nosuid", "nodev", "mode=755", "size=65536k"], at="/run"),
    "rro": tmpfs(["rro"]),
    "rnoexec": tmpfs(["rnoexec", "rnosuid"]),
    "bind beside it": tmpfs(["bind"]),
    "idmap": tmpfs(["idmap"]),
    "copy-symlink": tmpfs(["copy-symlink"]),
})


@case("tmpfs: on /dev, read-only")
def _(s):
    s.mount_at("/dev")["options"].append("ro")
    s.look("make:/dev/x")


@case("tmpfs: on /dev, mode 0700")
def _(s):
    s.mount_at("/dev")["options"] = ["nosuid", "mode=700"]


@case("tmpfs: a long word of data")
def _(s):
    s.mount("/mnt", "tmpfs", "t", ["mpol=default", "x=" + "y" * 5000])


def bind(options, at="/mnt", kind="bind", file=False, source=None, flags=None, below=False, there=True):
    """A bind of a directory (or a file) of the host whose own mount has `flags`, with a mount `below`."""
    def act(s):
        where = s.on_host("v/x", "text", mode=0o644) if file else s.on_host("v", mode=0o755)
        if not file:
            s.on_host("v/file", "text")
            s.on_host("v/sub")
        if flags is not None:
            subprocess.run(["mount", "--bind", where, where], check=True)
            subprocess.run(["mount", "-o", f"remount,bind,{flags}", where], check=True)
        if below:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,nosuid", "below", f"{where}/sub"], check=True)
        s.mount(at, kind, where if source is None else source, options)
        s.look(f"stat:{at}", f"make:{at}/new", f"list:{at}", f"make:{at}/sub/new", f"read:{at}")
    return act


variants("bind", {
    "plain": bind(["bind"]), "recursive": bind(["rbind"]), "recursive with mounts below": bind(["rbind"], below=True),
    "plain with mounts below": bind(["bind"], below=True),
    "rbind and bind": bind(["rbind", "bind", "ro"], below=True), "bind and rbind": bind(["bind", "rbind", "ro"], below=True),
    "read-only": bind(["bind", "ro"]), "read-only, recursive": bind(["rbind", "ro"], below=True), "rro": bind(["rbind", "rro"], below=True),
    "rro and rw": bind(["rbind", "rro", "rw"], below=True), "ro and rrw": bind(["rbind", "ro", "rrw"], below=True),
    "ro and rw": bind(["bind", "ro", "rw"]), "rw and ro": bind(["bind", "rw", "ro"]),
    "a file": bind(["bind"], file=True), "a file, read-only": bind(["bind", "ro"], file=True), "a file over a file": bind(["bind"], file=True, at="/etc/passwd"),
    "a file over a directory": bind(["bind"], file=True, at="/usr"), "a directory over a file": bind(["bind"], at="/etc/passwd"),
    "in directories that are missing": bind(["bind"], at="/a/b/c"), "a file in directories that are missing": bind(["bind"], file=True, at="/a/b/c"),
    "type none": bind(["bind"], kind="none"), "no type": bind(["bind"], kind=None), "an empty type": bind(["bind"], kind=""),
    "type bind alone": bind(None), "type bind with ro alone": bind(["ro"]), "no type, no options": bind(None, kind=None),
    "type tmpfs with bind": bind(["bind"], kind="tmpfs"), "type ext4 with rbind": bind(["rbind"], kind="ext4"),
    "type bind with rw": bind(["rw"]), "type bind with private": bind(["rprivate"], below=True),
    "a source that is missing": bind(["bind"], source="/nope"), "a relative source": bind(["bind"], source="rootfs/usr"),
    "a relative source with dots": bind(["bind"], source="../host/v"), "no source": both(bind(["bind"]), lambda s: s.config["mounts"][-1].pop("source")),
    "an empty source": bind(["bind"], source=""), "the image itself": lambda s: s.mount("/mnt", "bind", s.rootfs, ["rbind"]),
    "over /": lambda s: s.mount("/", "bind", s.rootfs, ["rbind"]),
    "a source with a slash at the end": lambda s: s.mount("/mnt", "bind", s.on_host("v") + "/", ["bind"]),
    "a source that is a link": lambda s: (os.symlink(s.on_host("v"), f"{s.dir}/l"), s.mount("/mnt", "bind", f"{s.dir}/l", ["bind"])),
    "a device": lambda s: (s.mount("/mnt/null", "bind", "/dev/null", ["bind"]), s.look("write:/mnt/null")),
    "a fifo": lambda s: (os.mkfifo(f"{s.dir}/f"), s.mount("/mnt/f", "bind", f"{s.dir}/f", ["bind"]), s.look("stat:/mnt/f")),
    "flags of the source, nothing asked": bind(["bind"], flags="nosuid,nodev,noexec"),
    "flags of the source, rbind,rprivate,rw": bind(["rbind", "rprivate", "rw"], flags="nosuid,nodev,noexec"),
    "flags of the source, exec": bind(["bind", "exec"], flags="nosuid,nodev,noexec"),
    "flags of the source, dev and suid": bind(["bind", "dev", "suid"], flags="nosuid,nodev,noexec"),
    "flags of the source, noexec": bind(["bind", "noexec"], flags="nosuid,nodev"),
    "flags of the source, ro": bind(["bind", "ro"], flags="nosuid,nodev,noexec"),
    "flags of the source, propagation alone": bind(["bind", "rslave"], flags="nosuid,nodev,noexec"),
    "a read-only source": bind(["bind"], flags="ro"), "a read-only source, rw": bind(["bind", "rw"], flags="ro"),
    "a read-only source, rbind rw": bind(["rbind", "rw"], flags="ro", below=True),
    "a noatime source": bind(["bind"], flags="noatime"), "a noatime source, atime": bind(["bind", "atime"], flags="noatime"),
    "a noatime source, relatime": bind(["bind", "relatime"], flags="noatime"), "a noatime source, ro": bind(["bind", "ro"], flags="noatime"),
    "a strictatime source, ro": bind(["bind", "ro"], flags="strictatime"), "a nodiratime source, ro": bind(["bind", "ro"], flags="nodiratime"),
    "noatime": bind(["bind", "noatime"]), "strictatime": bind(["bind", "strictatime"]), "norelatime": bind(["bind", "norelatime"]),
    "nodiratime": bind(["bind", "nodiratime"]), "nosymfollow": bind(["bind", "nosymfollow"]), "sync": bind(["bind", "sync"]),
    "noatime and strictatime": bind(["bind", "noatime", "strictatime"]),
    "nosuid, nodev, noexec": bind(["bind", "nosuid", "nodev", "noexec"]), "rnosuid": bind(["rbind", "rnosuid", "rnodev", "rnoexec"], below=True),
    "rnoatime": bind(["rbind", "rnoatime"], below=True), "rsuid": bind(["rbind", "rsuid"], flags="nosuid", below=True),
    "a typing error": bind(["bind", "raedonly"]), "an unknown word": bind(["bind", "foo=bar"]), "words of other tools": bind(["bind", "z", "Z", "U"]),
    "data words": bind(["bind", "size=1m", "mode=700"]), "defaults": bind(["bind", "defaults"]), "remount": bind(["bind", "remount", "ro"]),
    "an empty word": bind(["bind", ""]), "options in one word": bind(["bind,ro"]), "copy-symlink": bind(["bind", "copy-symlink"]),
    "tmpcopyup": bind(["bind", "tmpcopyup"]), "nofail": bind(["bind", "nofail", "x-foo"]), "src-nofollow": bind(["bind", "src-nofollow"]),
    "dest-nofollow": bind(["bind", "dest-nofollow"]),
})
variants("bind, propagation", {w: bind(["rbind", w], below=True) for w in "private rprivate slave rslave shared rshared unbindable runbindable".split()})
variants("bind, propagation", {
    "two words": bind(["rbind", "rslave", "rshared"], below=True), "slave and rprivate": bind(["rbind", "slave", "rprivate"], below=True),
    "shared, not recursive": bind(["bind", "shared"]), "shared and read-only": bind(["bind", "shared", "ro"]),
    "shared, below a shared root": both(put("linux.rootfsPropagation", "rshared"), bind(["rbind", "rshared"], below=True)),
})


def with_shared(options, **how):
    """The source is a shared mount of the host."""
    def act(s):
        where = s.on_host("v")
        subprocess.run(["mount", "-t", "tmpfs", "t", where], check=True)
        subprocess.run(["mount", "--make-shared", where], check=True)
        os.mkdir(f"{where}/sub")
        s.mount("/mnt", "bind", where, options)
    return act


variants("bind of a shared mount", {" ".join(w): with_shared(list(w)) for w in (
    ("bind",), ("rbind",), ("bind", "private"), ("rbind", "rslave"), ("bind", "shared"), ("rbind", "rshared"), ("bind", "slave", "ro"), ("rbind", "unbindable"))})
variants("idmapped", {
    "no mappings": bind(["bind", "idmap"]),
    "ridmap, no mappings": bind(["rbind", "ridmap"]),
    "mappings": both(bind(["bind"]), put("mounts.-1.uidMappings", [{"containerID": 0, "hostID": 100000, "size": 65536}],
                                         "mounts.-1.gidMappings", [{"containerID": 0, "hostID": 100000, "size": 65536}])),
    "mappings and idmap": both(bind(["bind", "idmap"]), put("mounts.-1.uidMappings", [{"containerID": 0, "hostID": 100000, "size": 65536}],
                                                            "mounts.-1.gidMappings", [{"containerID": 0, "hostID": 100000, "size": 65536}])),
    "uid mappings alone": both(bind(["bind"]), put("mounts.-1.uidMappings", [{"containerID": 0, "hostID": 100000, "size": 65536}])),
    "mappings, ridmap": both(bind(["rbind", "ridmap"], below=True), put("mounts.-1.uidMappings", [{"containerID": 0, "hostID": 1000, "size": 1}],
                                                            "mounts.-1.gidMappings", [{"containerID": 0, "hostID": 1000, "size": 1}])),
    "empty mappings": both(bind(["bind"]), put("mounts.-1.uidMappings", [], "mounts.-1.gidMappings", [])),
    "mappings of size 0": both(bind(["bind"]), put("mounts.-1.uidMappings", [{"containerID": 0, "hostID": 1000, "size": 0}],
                                                   "mounts.-1.gidMappings", [{"containerID": 0, "hostID": 1000, "size": 0}])),
    "read-only": both(bind(["bind", "ro"]), put("mounts.-1.uidMappings", [{"containerID": 0, "hostID": 100000, "size": 65536}],
                                                "mounts.-1.gidMappings", [{"containerID": 0, "hostID": 100000, "size": 65536}])),
    "mappings on a tmpfs": put("mounts.+", {"destination": "/mnt", "type": "tmpfs", "source": "t",
                                            "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
                                            "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]}),
    "in a user namespace": both(bind(["bind", "idmap"]), lambda s: s.user_namespace()),
    "with a word for the map": bind(["bind", "idmap=uids=0-100000-10;gids=0-100000-10"]),
})


def at(place, **links):
    """A tmpfs at a place, with links in the image."""
    def act(s):
        for link, target in links.items():
            s.in_rootfs("/" + link, link=target)
        s.mount(place, "tmpfs", "tmpfs", ["size=1m"])
        s.look(f"stat:{place}")
    return act


variants("destination", {
    "dots": at("/usr/../mnt"), "above the root": at("/../../mnt"), "a slash at the end": at("/mnt/"), "two slashes": at("//mnt//x"),
    "a dot": at("/./mnt"), "a link": at("/link", link="/usr"), "a relative link": at("/link", link="usr"), "a link that leads out": at("/link", link="../../../../../tmp/out"),
    "a link that leads nowhere": at("/link", link="/not/there"), "a link to itself": at("/link", link="/link"), "below a link": at("/link/below", link="/usr"),
    "below a link that leads nowhere": at("/link/below", link="/not/there"), "below a link that leads out": at("/link/below", link="../../../../../tmp"),
    "a link into proc": at("/link", link="/proc/1/net"), "in proc": at("/proc/mnt"), "a directory of proc": at("/proc/fs"), "proc itself": at("/proc"),
    "a file of proc": lambda s: s.mount("/proc/uptime", "bind", s.on_host("f", "1 1\n"), ["bind"]),
    "another file of proc": lambda s: s.mount("/proc/sys/kernel/hostname", "bind", s.on_host("f", "x"), ["bind"]),
    "proc/self": lambda s: s.mount("/proc/self/environ", "bind", s.on_host("f", "x"), ["bind"]),
    "in sys": at("/sys/fs/bpf"), "in sys, missing": at("/sys/mnt"), "a space": at("/a b"), "a newline": at("/a\nb"), "bytes above ASCII": at("/ö€"),
    "a long name": at("/" + "x" * 300), "below a file": at("/etc/passwd/x"), "a file": at("/etc/passwd"), "/dev/pts/x": at("/dev/pts/x"),
    "in /dev": at("/dev/mnt"), "a null device": lambda s: s.mount("/dev/null", "bind", s.on_host("f", "x"), ["bind"]),
    "/dev/console": lambda s: s.mount("/dev/console", "bind", s.on_host("f", "x"), ["bind"]),
    "of mode 0": lambda s: (s.in_rootfs("/closed", mode=0), s.mount("/closed/x", "tmpfs", "t", [])),
})

variants("order", {
    "a child before its parent": lambda s: (s.mount("/mnt/a", "tmpfs", "one", []), s.mount("/mnt", "tmpfs", "two", []), s.look("list:/mnt")),
    "the same place twice": lambda s: (s.mount("/mnt", "tmpfs", "one", ["mode=700"]), s.mount("/mnt", "tmpfs", "two", ["mode=755"]), s.look("stat:/mnt")),
    "the same bind twice": lambda s: (s.mount("/mnt", "bind", s.on_host("a"), ["bind"]), s.mount("/mnt", "bind", s.on_host("a"), ["bind"])),
    "a bind below a tmpfs": lambda s: (s.mount("/mnt", "tmpfs", "one", []), s.mount("/mnt/x/y", "bind", s.on_host("a"), ["bind"]), s.look("stat:/mnt/x")),
    "a bind below a read-only bind": lambda s: (s.mount("/mnt", "bind", s.on_host("a"), ["bind", "ro"]), s.mount("/mnt/new", "tmpfs", "t", [])),
    "a bind below a read-only tmpfs": lambda s: (s.mount("/mnt", "tmpfs", "one", ["ro"]), s.mount("/mnt/x", "tmpfs", "t", [])),
    "a source that an earlier mount makes": lambda s: (s.on_host("a/sub/deep"), s.mount("/mnt", "bind", s.on_host("a"), ["bind"]),
                                                       s.mount("/fin", "bind", f"{s.rootfs}/mnt/sub", ["bind"]), s.look("list:/fin")),
    "a source in a tmpfs that an earlier mount makes": lambda s: (s.mount("/mnt", "tmpfs", "t", ["mode=700"]),
                                                                  s.mount("/fin", "bind", f"{s.rootfs}/mnt", ["bind"]), s.look("stat:/fin")),
    "a place that an earlier bind makes": lambda s: (s.on_host("a/sub"), s.mount("/mnt", "bind", s.on_host("a"), ["bind"]), s.mount("/mnt/sub", "tmpfs", "t", [])),
    "/dev last": lambda s: s.config["mounts"].append(s.config["mounts"].pop(1)),
    "/proc last": lambda s: s.config["mounts"].append(s.config["mounts"].pop(0)),
    "/proc twice": lambda s: s.mount("/proc", "proc", "proc", []),
    "/sys twice": lambda s: s.mount("/sys", "sysfs", "sysfs", ["ro"]),
    "a link that an earlier mount brings": lambda s: (os.symlink("/usr", s.on_host("a") + "/l"), s.mount("/mnt", "bind", s.on_host("a"), ["bind"]),
                                                      s.mount("/mnt/l", "tmpfs", "t", [])),
})


def kind(name, options, at="/mnt", source=None, **change):
    def act(s):
        s.mount(at, name, source or name or "none", options)
        s.look(f"stat:{at}", f"list:{at}")
    return act


def instead(place, **fields):
    """Another mount at a place that the default config has."""
    def act(s):
        mount = s.mount_at(place)
        for key, value in fields.items():
            mount[{"kind": "type"}.get(key, key)] = value
    return act


def without(*places):
    def act(s):
        s.config["mounts"] = [m for m in s.config["mounts"] if m["destination"] not in places]
    return act


variants("type", {
    "unknown": kind("foofs", []), "none": kind("none", []), "of another case": kind("TMPFS", []), "ramfs": kind("ramfs", ["mode=700"]),
    "proc elsewhere": kind("proc", []), "sysfs elsewhere": kind("sysfs", ["ro"]), "sysfs, rw": instead("/sys", options=["nosuid"]),
    "sysfs, no options": instead("/sys", options=[]),
    "mqueue elsewhere": kind("mqueue", []), "mqueue twice": kind("mqueue", [], at="/dev/mqueue"), "mqueue, no options": instead("/dev/mqueue", options=[]),
    "devpts elsewhere": kind("devpts", ["newinstance"]), "devpts, no options": instead("/dev/pts", options=[]),
    "devpts without newinstance": instead("/dev/pts", options=["nosuid", "noexec", "ptmxmode=0666"]),
    "devpts, gid above the map": instead("/dev/pts", options=["newinstance", "gid=4294967294"]),
    "devpts, odd mode": instead("/dev/pts", options=["newinstance", "mode=0777", "ptmxmode=0000"]),
    "proc, hidepid": instead("/proc", options=["hidepid=2"]), "proc, subset": instead("/proc", options=["subset=pid"]),
    "proc, read-only": instead("/proc", options=["ro"]), "proc, gid": instead("/proc", options=["gid=5", "hidepid=1"]),
    "proc, no options": instead("/proc", options=[]), "proc, an unknown word": instead("/proc", options=["foo"]),
    "proc as a bind": instead("/proc", kind="bind", source="/proc", options=["rbind"]),
    "sys as a bind": instead("/sys", kind="bind", source="/sys", options=["rbind", "ro"]),
    "dev as a bind": instead("/dev", kind="bind", source="/dev", options=["rbind"]),
    "cgroup, rw": instead("/sys/fs/cgroup", options=["rw"]), "cgroup, no options": instead("/sys/fs/cgroup", options=[]),
    "cgroup2": instead("/sys/fs/cgroup", kind="cgroup2"), "cgroup elsewhere": kind("cgroup", ["ro"]), "cgroup2 elsewhere": kind("cgroup2", ["ro"]),
    "cgroup twice": kind("cgroup", ["ro"], at="/sys/fs/cgroup"),
    "cgroup, a data word": instead("/sys/fs/cgroup", options=["ro", "nsdelegate"]), "cgroup, relatime and private": instead("/sys/fs/cgroup", options=["relatime", "ro", "rprivate"]),
    "cgroup as a bind": instead("/sys/fs/cgroup", kind="bind", source="/sys/fs/cgroup", options=["rbind", "ro"]),
    "cgroup without a namespace": lambda s: s.without_namespace("cgroup"),
    "cgroup without a namespace, rw": both(lambda s: s.without_namespace("cgroup"), instead("/sys/fs/cgroup", options=["rw"])),
    "overlay": lambda s: s.mount("/mnt", "overlay", "overlay", [f"lowerdir={s.on_host('l')}", f"upperdir={s.on_host('u')}", f"workdir={s.on_host('w')}"]),
    "overlay, two lower": lambda s: s.mount("/mnt", "overlay", "overlay", [f"lowerdir={s.on_host('l')}:{s.on_host('m')}"]),
    "debugfs": kind("debugfs", []), "tracefs": kind("tracefs", []), "securityfs": kind("securityfs", []), "bpf": kind("bpf", ["mode=700"]),
    "binfmt_misc": kind("binfmt_misc", []), "hugetlbfs": kind("hugetlbfs", ["pagesize=2M"]), "fusectl": kind("fusectl", []), "devtmpfs": kind("devtmpfs", []),
    "ext4 from no device": kind("ext4", [], source="/dev/nope"),
    "no /proc": without("/proc"), "no /dev": without("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"), "no /dev/pts": without("/dev/pts"),
    "no /sys": without("/sys", "/sys/fs/cgroup"), "no cgroup": without("/sys/fs/cgroup"), "no /dev/shm": without("/dev/shm"),
    "no /dev but /dev/pts": without("/dev", "/dev/shm", "/dev/mqueue"),
})


@case("type: ext4 from a loop device")
def _(s):
    image = f"{s.dir}/image"
    with open(image, "wb") as f:
        f.truncate(4 << 20)
    from stand import Skip
    if subprocess.run(["mkfs.ext4", "-q", "-F", image], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        raise Skip("mkfs.ext4 is missing")
    made = subprocess.run(["losetup", "-f", "--show", image], capture_output=True, text=True)
    if made.returncode:
        raise Skip("there is no loop device")
    loop = made.stdout.strip()
    try:
        s.mount("/mnt", "ext4", loop, [])
        s.look("list:/mnt")
        s.life()
        s.seen = {k: v.replace(loop, "$LOOP") for k, v in s.seen.items()}
    finally:
        subprocess.run(["losetup", "-d", loop])
