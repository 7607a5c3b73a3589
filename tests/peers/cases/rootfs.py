"""root: where the image is, read-only, and its propagation."""
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
