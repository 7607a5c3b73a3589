"""The root and what is protected in it: where the image is, read-only, propagation; devices and their rules, masked and
read-only paths."""
import os
from catalogue import both, case, drop, put, variants

variants("root", {
    "missing": drop("root"),
    "null": put("root", None),
    "no path": put("root", {}),
    "an empty path": put("root.path", ""),
    "dots": put("root.path", "../bundle/rootfs"),
    "a slash at the end": put("root.path", "rootfs/"),
    "the bundle": put("root.path", "."),
    "not there": put("root.path", "nope"),
    "a file": put("root.path", "config.json"),
    "absolute": lambda s: put("root.path", s.rootfs)(s),
    "a link": lambda s: (os.symlink("rootfs", f"{s.bundle}/link"), put("root.path", "link")(s)),
    "read-only": put("root.readonly", True, look=["make:/x", "make:/dev/x", "make:/tmp/x"]),
    "readonly null": put("root.readonly", None),
    "readonly a word": put("root.readonly", "true"),
    "read-only, a mount below that is missing": both(put("root.readonly", True), lambda s: s.mount("/new/place", "tmpfs", "tmpfs", [])),
})


def propagation(word):
    return put("linux.rootfsPropagation", word)


variants("rootfsPropagation", {word or "empty": propagation(word) for word in (
    "private", "slave", "shared", "rprivate", "rslave", "rshared", "unbindable", "runbindable", "foo", "Shared", "")})
variants("rootfsPropagation", {
    "null": propagation(None),
    "shared, read-only": put("linux.rootfsPropagation", "shared", "root.readonly", True),
    "slave, with a shared mount": both(propagation("rslave"), lambda s: s.mount("/mnt", "bind", s.on_host("d"), ["rbind", "rshared"])),
    "shared, with a private mount": both(propagation("rshared"), lambda s: s.mount("/mnt", "bind", s.on_host("d"), ["rbind", "rprivate"])),
})


@case("root: on a shared mount")
def _(s):
    shared(s)


@case("root: on a shared mount, rslave")
def _(s):
    shared(s)
    s.linux["rootfsPropagation"] = "rslave"


@case("root: on a shared mount, rshared")
def _(s):
    shared(s)
    s.linux["rootfsPropagation"] = "rshared"


def shared(s):
    import subprocess
    subprocess.run(["mount", "--bind", s.rootfs, s.rootfs], check=True)
    subprocess.run(["mount", "--make-shared", s.rootfs], check=True)


@case("root: with mounts below")
def _(s):
    import subprocess
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "t", f"{s.rootfs}/usr"], check=True)
    s.look("make:/usr/x")


@case("root: with mounts below, read-only")
def _(s):
    import subprocess
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "t", f"{s.rootfs}/usr"], check=True)
    s.config["root"]["readonly"] = True
    s.look("make:/usr/x")


@case("root: read-only, on a mount with nosuid and nodev")
def _(s):
    import subprocess
    s.config["root"]["readonly"] = True
    subprocess.run(["mount", "--bind", s.rootfs, s.rootfs], check=True)
    subprocess.run(["mount", "-o", "remount,bind,nosuid,nodev", s.rootfs], check=True)


@case("root: on a mount with nosuid and nodev")
def _(s):
    import subprocess
    subprocess.run(["mount", "--bind", s.rootfs, s.rootfs], check=True)
    subprocess.run(["mount", "-o", "remount,bind,nosuid,nodev", s.rootfs], check=True)


@case("root: on a read-only mount")
def _(s):
    import subprocess
    subprocess.run(["mount", "--bind", s.rootfs, s.rootfs], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", s.rootfs], check=True)


@case("root: an empty directory")
def _(s):
    import shutil
    for name in os.listdir(s.rootfs):
        if name != "probe":
            path = f"{s.rootfs}/{name}"
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


@case("root: an empty directory, read-only")
def _(s):
    import shutil
    for name in os.listdir(s.rootfs):
        if name != "probe":
            path = f"{s.rootfs}/{name}"
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    s.config["root"]["readonly"] = True


@case("root: /dev is a link that leads out")
def _(s):
    os.rmdir(f"{s.rootfs}/dev")
    os.symlink("../../../../../../dev", f"{s.rootfs}/dev")


@case("root: /proc is a link")
def _(s):
    os.rmdir(f"{s.rootfs}/proc")
    os.symlink("/usr", f"{s.rootfs}/proc")


@case("root: /sys is a link")
def _(s):
    os.rmdir(f"{s.rootfs}/sys")
    os.symlink("usr", f"{s.rootfs}/sys")


@case("root: /dev is a file")
def _(s):
    os.rmdir(f"{s.rootfs}/dev")
    open(f"{s.rootfs}/dev", "w").close()


@case("root: mode 0700 of another user")
def _(s):
    os.chmod(s.rootfs, 0o700)
    os.chown(s.rootfs, 1000, 1000)


@case("root: the process cannot enter it")
def _(s):
    os.chmod(s.rootfs, 0o700)
    s.process["user"] = {"uid": 1000, "gid": 1000}


def device(*looks, **fields):
    return put("linux.devices", [fields], look=[f"stat:{fields.get('path', '/dev')}", *looks])


def seen(path, kind="c", major=1, minor=3, **more):
    return device(path=path, type=kind, major=major, minor=minor, **more)


variants("devices", {
    "null": put("linux.devices", None), "empty": put("linux.devices", []), "a null entry": put("linux.devices", [None]),
    "c": seen("/dev/xx"), "u": seen("/dev/xx", "u"), "b": seen("/dev/xx", "b", 7, 0), "p": device(path="/dev/xx", type="p"),
    "p with numbers": seen("/dev/xx", "p", 1, 3), "with a mode": seen("/dev/xx", fileMode=0o640), "a mode of 0": seen("/dev/xx", fileMode=0),
    "a mode with set-user-id": seen("/dev/xx", fileMode=0o4755), "a mode with a type": seen("/dev/xx", fileMode=0o20666),
    "a mode above": seen("/dev/xx", fileMode=0o1000666), "uid and gid": seen("/dev/xx", uid=1000, gid=5), "uid null": seen("/dev/xx", uid=None, gid=None),
    "uid of 4294967295": seen("/dev/xx", uid=4294967295), "beside umask": both(seen("/dev/xx", fileMode=0o666), put("process.user.umask", 0o77)),
    "no type": device(path="/dev/xx", major=1, minor=3), "an empty type": seen("/dev/xx", ""), "unknown type": seen("/dev/xx", "x"),
    "type a": seen("/dev/xx", "a"), "no numbers": device(path="/dev/xx", type="c"), "no minor": device(path="/dev/xx", type="c", major=1),
    "null numbers": device(path="/dev/xx", type="c", major=None, minor=None), "numbers below zero": seen("/dev/xx", major=-1, minor=-1),
    "large numbers": seen("/dev/xx", major=4096, minor=1048576), "numbers above": seen("/dev/xx", major=2 ** 33, minor=0),
    "no path": device(type="c", major=1, minor=3), "an empty path": seen(""), "a relative path": seen("dev/xx"), "a relative path without dev": seen("xx"),
    "outside /dev": seen("/run/xx"), "in the root": seen("/xx"), "in folders that are missing": seen("/dev/a/b/xx"), "a slash at the end": seen("/dev/zz/"),
    "two slashes": seen("/dev//zz"), "dots": seen("/dev/../dev/zz"), "leading out": seen("/../../dev/zz"), "/dev itself": seen("/dev"),
    "twice": put("linux.devices", [dict(path="/dev/xx", type="c", major=1, minor=3), dict(path="/dev/xx", type="c", major=1, minor=5)], look=["stat:/dev/xx"]),
    "twice the same": put("linux.devices", [dict(path="/dev/xx", type="c", major=1, minor=3)] * 2, look=["stat:/dev/xx"]),
    "a default one": seen("/dev/null", fileMode=0o600), "a default one, others' numbers": seen("/dev/null", major=1, minor=5),
    "/dev/ptmx": seen("/dev/ptmx", major=5, minor=2), "/dev/console": seen("/dev/console", major=5, minor=1), "/dev/tty": seen("/dev/tty", major=5, minor=0),
    "/dev/fd": seen("/dev/fd"), "/dev/pts/9": seen("/dev/pts/9", major=136, minor=9), "in /dev/shm": seen("/dev/shm/xx"),
    "over a file of the image": both(lambda s: s.in_rootfs("/run/xx", "text"), seen("/run/xx")),
    "over a directory of the image": both(lambda s: s.in_rootfs("/run/xx"), seen("/run/xx")),
    "over a link of the image": both(lambda s: s.in_rootfs("/run/xx", link="/etc/passwd"), seen("/run/xx")),
    "below a link of the image": both(lambda s: s.in_rootfs("/run/l", link="/usr"), seen("/run/l/xx")),
    "below a link that leads out": both(lambda s: s.in_rootfs("/run/l", link="../../../../../tmp"), seen("/run/l/xx")),
    "where a device is": both(lambda s: os.mknod(f"{s.rootfs}/run/xx", 0o20600, os.makedev(1, 3)), seen("/run/xx")),
    "where another device is": both(lambda s: os.mknod(f"{s.rootfs}/run/xx", 0o20600, os.makedev(1, 5)), seen("/run/xx")),
    "in a user namespace": both(seen("/dev/xx", major=1, minor=3), lambda s: s.user_namespace()),
    "in a user namespace, one that the host lacks": both(seen("/dev/xx", major=1, minor=12), lambda s: s.user_namespace()),
    "in a user namespace, /dev/null": both(seen("/dev/null", fileMode=0o600, uid=1000), lambda s: s.user_namespace()),
    "in a user namespace, /dev/full with uid": both(seen("/dev/full", major=1, minor=7, uid=5), lambda s: s.user_namespace()),
    "on a read-only /dev": both(seen("/dev/xx"), lambda s: s.mount_at("/dev")["options"].append("ro")),
    "in a read-only root": both(seen("/run/xx"), put("root.readonly", True)),
    "a long name": seen("/dev/" + "x" * 300), "many": put("linux.devices", [dict(path=f"/dev/x{i}", type="c", major=1, minor=3) for i in range(200)]),
    "a space in the name": seen("/dev/a b"),
})


@case("devices: /dev bound from the host")
def _(s):
    s.mount_at("/dev").update({"type": "bind", "source": "/dev", "options": ["rbind", "rslave"]})
    s.config["mounts"] = [m for m in s.config["mounts"] if not m["destination"].startswith("/dev/")]


def rules(*list_, first=True):
    """Device rules; `first` is the usual one that denies everything."""
    def act(s):
        s.resources["devices"] = ([{"allow": False, "access": "rwm"}] if first else []) + [dict(r) for r in list_]
        for name, number in (("fuse", "10:229"), ("mem", "1:1"), ("zero", "1:5"), ("loop", "7:0")):
            s.look(f"mknod:/tmp/r-{name}:{'b' if name == 'loop' else 'c'}:{number}")
    return act


def rule(access="rwm", allow=True, **fields):
    return {"allow": allow, "access": access, **fields}


variants("device rules", {
    "missing": lambda s: s.resources.pop("devices"), "null": put("linux.resources.devices", None), "empty": put("linux.resources.devices", []),
    "resources missing": drop("linux.resources"), "resources null": put("linux.resources", None),
    "everything allowed": rules(rule(), first=False), "everything allowed, then one denied": rules(rule(), rule(allow=False, type="c", major=1, minor=5), first=False),
    "nothing but the first": rules(), "everything denied, twice": rules(rule(allow=False)), "everything allowed after it was denied": rules(rule()),
    "type a": rules(rule(type="a")), "type a with numbers": rules(rule(type="a", major=1, minor=1)), "type a denied": rules(rule(type="a", allow=False), first=False),
    "all of a kind": rules(rule(type="c")), "all blocks": rules(rule(type="b")), "one major": rules(rule(type="c", major=1)), "one minor": rules(rule(type="c", minor=1)),
    "-1": rules(rule(type="c", major=1, minor=-1)), "-1 and -1": rules(rule(type="c", major=-1, minor=-1)), "null": rules(rule(type="c", major=1, minor=None)),
    "-2": rules(rule(type="c", major=-2, minor=1)), "reading alone": rules(rule("r", type="c", major=1, minor=1)), "writing alone": rules(rule("w", type="c", major=1, minor=1)),
    "mknod alone": rules(rule("m", type="c", major=1, minor=1)), "letters in another order": rules(rule("mwr", type="c", major=1, minor=1)),
    "a letter twice": rules(rule("rr", type="c", major=1, minor=1)), "unknown letters": rules(rule("rwa", type="c", major=1, minor=1)),
    "capital letters": rules(rule("RWM", type="c", major=1, minor=1)), "a letter A": rules(rule("A", type="c", major=1, minor=1)),
    "no access": rules({"allow": True, "type": "c", "major": 1, "minor": 1}), "an empty access": rules(rule("", type="c", major=1, minor=1)),
    "no access, denied": rules({"allow": False}, first=False), "no access, one denied": rules(rule(), {"allow": False, "type": "c", "major": 1, "minor": 5}, first=False),
    "an access with a nul": rules(rule("rwm\0", type="c", major=1, minor=1)), "no allow": rules({"access": "rwm", "type": "c", "major": 1, "minor": 1}),
    "type p": rules(rule(type="p", major=1, minor=1)), "type u": rules(rule(type="u", major=1, minor=1)), "unknown type": rules(rule(type="x", major=1, minor=1)),
    "an empty type": rules(rule(type="", major=1, minor=1)), "the same twice": rules(rule(type="c", major=1, minor=1), rule(type="c", major=1, minor=1)),
    "allowed, then denied": rules(rule(type="c", major=1, minor=1), rule(allow=False, type="c", major=1, minor=1)),
    "denied, then allowed": rules(rule(allow=False, type="c", major=1, minor=1), rule(type="c", major=1, minor=1)),
    "a part denied again": rules(rule(type="c", major=1, minor=1), rule("w", allow=False, type="c", major=1, minor=1)),
    "all allowed, a part denied": rules(rule(type="c"), rule("w", allow=False, type="c", major=1, minor=1)),
    "a default one denied": rules(rule(allow=False, type="c", major=1, minor=3)), "tun denied": rules(rule(allow=False, type="c", major=10, minor=200)),
    "large numbers": rules(rule(type="c", major=4095, minor=1048575)), "a minor of 4294967295": rules(rule(type="c", major=1, minor=4294967295)),
    "many": rules(*[rule(type="c", major=240, minor=i) for i in range(400)]), "a device that is made too": both(rules(), device(path="/dev/mem2", type="c", major=1, minor=1)),
    "a privileged container": both(rules(rule(), first=False), lambda s: put("process.capabilities", {k: ["CAP_MKNOD", "CAP_SYS_RAWIO"] for k in ("bounding", "effective", "permitted")})(s)),
    "in a user namespace": both(rules(rule(type="c", major=1, minor=1)), lambda s: s.user_namespace()),
})


def masked(*paths, look=(), **image):
    return put("linux.maskedPaths", list(paths), look=[*look, *(f"stat:{p}" for p in paths if p.startswith("/")), *(f"list:{p}" for p in paths if p.startswith("/"))])


def readonly(*paths, look=()):
    return put("linux.readonlyPaths", list(paths), look=[*look, *(f"make:{p}/x" for p in paths if p.startswith("/"))])


def linked(act, **links):
    def done(s):
        for link, target in links.items():
            s.in_rootfs(f"/{link}", link=target)
        act(s)
    return done


variants("maskedPaths", {
    "missing": drop("linux.maskedPaths"), "null": put("linux.maskedPaths", None), "empty": masked(), "a file": masked("/etc/passwd", look=["read:/etc/passwd"]),
    "a directory": masked("/usr", look=["make:/usr/x"]), "missing from the image": masked("/nope"), "twice": masked("/etc/passwd", "/usr", "/etc/passwd", "/usr"),
    "twice in other forms": masked("/usr", "/usr/", "//usr"), "relative": masked("etc/passwd", look=["read:/etc/passwd"]), "relative in proc": masked("proc/keys"),
    "an empty path": masked(""), "the root": masked("/"), "a slash at the end": masked("/proc/keys/", look=["read:/proc/keys"]),
    "dots": masked("/proc/../proc/keys", look=["read:/proc/keys"]), "dots that leave": masked("/nodir/../proc/keys", look=["read:/proc/keys"]),
    "two slashes": masked("//proc//keys", look=["read:/proc/keys"]), "a link": linked(masked("/l", look=["list:/usr"]), l="/usr"),
    "a link to a file": linked(masked("/l", look=["read:/etc/passwd"]), l="/etc/passwd"), "a link that leads out": linked(masked("/l"), l="../../../../../etc"),
    "a link that leads nowhere": linked(masked("/l"), l="/nowhere"), "below a link": linked(masked("/l/keys", look=["read:/proc/keys"]), l="/proc"),
    "a device": masked("/dev/zero", look=["read:/dev/zero"]), "below a mask": masked("/usr", "/usr/x"), "above a mask": masked("/proc/fs", "/proc"),
    "proc as a whole": masked("/proc"), "/dev/null": masked("/dev/null"), "a mount": both(lambda s: s.mount("/mnt", "tmpfs", "t", []), masked("/mnt")),
    "many": put("linux.maskedPaths", [f"/proc/{n}" for n in ("acpi", "asound", "interrupts", "keys", "timer_list", "scsi", "uptime", "version", "stat", "loadavg")]),
    "read-only too": both(masked("/usr", "/etc/passwd"), readonly("/usr", "/etc/passwd")), "a file in a read-only root": both(masked("/etc/passwd", "/usr"), put("root.readonly", True)),
    "no /dev/null": both(masked("/etc/passwd"), lambda s: s.config.update(mounts=[m for m in s.config["mounts"] if not m["destination"].startswith("/dev")])),
    "in a user namespace": both(masked("/etc/passwd", "/usr", "/proc/keys"), lambda s: s.user_namespace()), "a null entry": put("linux.maskedPaths", [None]),
    "a number": put("linux.maskedPaths", [7]), "one of a container without mounts": both(masked("/etc"), put("mounts", [])),
    "a long path": masked("/" + "x" * 5000),
})
variants("readonlyPaths", {
    "missing": drop("linux.readonlyPaths"), "null": put("linux.readonlyPaths", None), "empty": readonly(), "a directory": readonly("/usr", look=["make:/usr/x"]),
    "a file": readonly("/etc/passwd", look=["write:/etc/passwd"]), "missing from the image": readonly("/nope"), "twice": readonly("/usr", "/usr"),
    "relative": readonly("usr", look=["make:/usr/x"]), "the root": readonly("/", look=["make:/x", "make:/usr/x"]), "an empty path": readonly(""),
    "a slash at the end": readonly("/proc/sys/", look=["write:/proc/sys/kernel/hostname"]), "dots": readonly("/sys/../proc/sys"),
    "dots that leave": readonly("/nodir/../proc/sys"), "a link": linked(readonly("/l", look=["make:/usr/x"]), l="/usr"),
    "a link that leads out": linked(readonly("/l"), l="../../../../../etc"), "a device": readonly("/dev/null", look=["write:/dev/null"]),
    "a mount": both(lambda s: s.mount("/mnt", "tmpfs", "t", ["nosuid"]), readonly("/mnt")), "with mounts below": both(lambda s: s.mount("/usr/m", "tmpfs", "t", []), readonly("/usr", look=["make:/usr/m/x"])),
    "nested": readonly("/usr", "/usr/x"), "/dev": readonly("/dev", look=["make:/dev/shm/x"]), "in a user namespace": both(readonly("/usr", "/proc/sys"), lambda s: s.user_namespace()),
    "masked below it": both(readonly("/usr"), masked("/usr/lib"), lambda s: s.in_rootfs("/usr/lib/x", "y")), "a socket": lambda s: readonly("/run/s")(s),
})
