"""A fence around the harness: cgroup and mount namespaces of its own, and a host name that no config has.

A runtime that is told of an odd cgroup may end everything in the root of a hierarchy. What it sees as the root is ours.
"""
import ctypes, os, socket, subprocess, sys

LIBC = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWCGROUP, NEWUTS = 0x20000, 0x2000000, 0x4000000


def hierarchies():
    """Where cgroups are mounted: place, type, and the options of the hierarchy."""
    found = []
    for line in open("/proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        place, (kind, _, options) = before.split()[4], after.split()[:3]
        if kind.startswith("cgroup") and place.startswith("/sys/fs/cgroup"):
            found.append((place, kind, ",".join(word for word in options.split(",") if word not in ("rw", "ro"))))
    return found


def enter(group, view):
    """Makes `group` the root of every hierarchy; in the view v2 there is no other than that of cgroup v2."""
    places = hierarchies()
    for place, _, _ in places:
        os.makedirs(f"{place}/{group}", exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems", "cpu.rt_runtime_us"):
            try:
                write(f"{place}/{group}/{file}", open(f"{place}/{file}").read().strip())
            except OSError:
                pass
        write(f"{place}/{group}/cgroup.procs", str(os.getpid()))
    if LIBC.unshare(NEWNS | NEWCGROUP | NEWUTS):
        sys.exit("compare: namespaces cannot be made")
    socket.sethostname("peers-host")
    run("mount", "--make-rprivate", "/")
    for place, _, _ in places:
        run("umount", place)
    if view == "v2" and not any(place == "/sys/fs/cgroup" for place, _, _ in places):
        places = [("/sys/fs/cgroup", "cgroup2", "")]
    for place, kind, options in places:
        run("mount", "-t", kind, "-o", options or "rw", kind, place)
        if kind == "cgroup2" and place == "/sys/fs/cgroup":
            # a group that has processes can give no controller to those below it
            os.makedirs(f"{place}/harness", exist_ok=True)
            write(f"{place}/harness/cgroup.procs", str(os.getpid()))


def leave(group):
    """Takes away what is left of the group, from outside."""
    for place, _, _ in hierarchies():
        for path, _, _ in os.walk(f"{place}/{group}", topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                pass


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def run(*words):
    if subprocess.run(words).returncode:
        sys.exit(f"compare: {' '.join(words)} failed")
