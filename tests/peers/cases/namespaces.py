"""linux.namespaces, id maps, hostname, domainname, sysctl, network devices, time."""
import os, signal, subprocess
from catalogue import both, case, drop, put, variants

KINDS = ("pid", "network", "ipc", "uts", "mount", "cgroup", "user", "time")
FILES = {"network": "net", "mount": "mnt"}
variants("namespaces, without", {kind: (lambda kind: lambda s: s.without_namespace(kind))(kind) for kind in KINDS[:6]})
# not the mount namespace: it is the harness's own, and a runtime may change its root
variants("namespaces, the host's by path", {kind: (lambda kind: lambda s: s.namespace(kind, f"/proc/self/ns/{FILES.get(kind, kind)}"))(kind) for kind in KINDS if kind != "mount"})


class Other:
    """A process in namespaces of its own."""

    def __init__(self, *flags):
        self.process = subprocess.Popen(["unshare", *flags, "--", "sh", "-c", "echo; exec sleep 60"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        self.process.stdout.readline()
        self.pid = self.process.pid
        children = open(f"/proc/{self.pid}/task/{self.pid}/children").read().split()
        self.inside = int(children[0]) if children else self.pid

    def path(self, kind):
        return f"/proc/{self.inside}/ns/{FILES.get(kind, kind)}"

    def end(self):
        for pid in {self.inside, self.pid}:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process.stdout.close()


def join(flags, *kinds, more=None, drops=()):
    """Joins another process's namespaces; what is seen is whether they are its."""
    def act(s):
        other = Other(*flags)
        try:
            for kind in kinds:
                s.namespace(kind, other.path(kind))
            for kind in drops:
                s.without_namespace(kind)
            if more:
                more(s)
            s.look(*(f"link:/proc/self/ns/{FILES.get(kind, kind)}" for kind in kinds))
            s.life()
            for kind in kinds:
                key = f"in.at.link./proc/self/ns/{FILES.get(kind, kind)}"
                if key in s.seen:
                    s.see(key, "theirs" if s.seen[key] == os.readlink(other.path(kind)) else "not theirs")
        finally:
            other.end()
    return act


variants("namespaces, another's by path", {
    "network": join(["-n"], "network"), "ipc": join(["-i"], "ipc"), "uts": join(["-u"], "uts", more=drop("hostname")), "uts with a hostname": join(["-u"], "uts"),
    "pid": join(["-p", "-f", "--kill-child"], "pid"), "cgroup": join(["-C"], "cgroup"), "time": join(["-T", "-f"], "time"),
    "mount": join(["-m"], "mount", more=both(drop("linux.maskedPaths", "linux.readonlyPaths"), put("mounts", []))),
    "network, ipc and uts": join(["-n", "-i", "-u"], "network", "ipc", "uts"),
    "user": join(["-U", "-r"], "user"), "user and network": join(["-U", "-r", "-n"], "user", "network"),
    "user, and a network that it does not own": join(["-U", "-r"], "user", drops=["network"]),
    "user, and a network of the host's": lambda s: beside(s),
    "network with a sysctl": join(["-n"], "network", more=put("linux.sysctl", {"net.ipv4.ip_forward": "1"})),
})


def beside(s):
    """A network namespace that belongs to the host's user namespace, and another's user namespace."""
    other = Other("-n")
    try:
        s.mount_at("/dev/pts")["options"] = ["newinstance", "ptmxmode=0666"]  # it maps no group 5
        join(["-U", "-r"], "user", more=lambda s: s.namespace("network", other.path("network")))(s)
    finally:
        other.end()


variants("namespaces", {
    "missing": drop("linux.namespaces"), "null": put("linux.namespaces", None), "empty": put("linux.namespaces", []),
    "one twice": put("linux.namespaces.+", {"type": "pid"}), "one twice, with a path": put("linux.namespaces.+", {"type": "network", "path": "/proc/self/ns/net"}),
    "unknown": put("linux.namespaces.+", {"type": "foo"}), "an empty type": put("linux.namespaces.+", {"type": ""}), "no type": put("linux.namespaces.+", {}),
    "in capitals": put("linux.namespaces.+", {"type": "TIME"}), "of the kernel's name": put("linux.namespaces.+", {"type": "net"}), "a null entry": put("linux.namespaces.+", None),
    "a path that is missing": lambda s: s.namespace("network", "/nope"), "a path to a file": lambda s: s.namespace("network", "/etc/passwd"),
    "a path of another kind": lambda s: s.namespace("network", "/proc/self/ns/uts"), "an empty path": lambda s: put("linux.namespaces.+", {"type": "time", "path": ""})(s),
    "a relative path": lambda s: s.namespace("network", "proc/self/ns/net"), "time": lambda s: s.namespace("time"), "linux missing": drop("linux"), "linux null": put("linux", None),
    "linux empty": put("linux", {}), "nothing but a mount namespace": put("linux.namespaces", [{"type": "mount"}]),
    "no mount namespace, nothing else": put("linux.namespaces", [{"type": "pid"}], "linux.maskedPaths", [], "linux.readonlyPaths", [], "mounts", []),
    "a path that is a bound file": lambda s: bound(s),
})


def bound(s):
    path = f"{s.dir}/netns"
    open(path, "w").close()
    subprocess.run(["unshare", f"--net={path}", "true"], check=True)
    s.namespace("network", path)


variants("timeOffsets", {
    "monotonic": both(lambda s: s.namespace("time"), put("linux.timeOffsets", {"monotonic": {"secs": 100, "nanosecs": 5}})),
    "both": both(lambda s: s.namespace("time"), put("linux.timeOffsets", {"monotonic": {"secs": 100}, "boottime": {"secs": 7, "nanosecs": 1}})),
    "negative": both(lambda s: s.namespace("time"), put("linux.timeOffsets", {"boottime": {"secs": -1, "nanosecs": 0}})),
    "unknown clock": both(lambda s: s.namespace("time"), put("linux.timeOffsets", {"realtime": {"secs": 1}})),
    "too many nanoseconds": both(lambda s: s.namespace("time"), put("linux.timeOffsets", {"boottime": {"nanosecs": 1000000000}})),
    "without a namespace": put("linux.timeOffsets", {"boottime": {"secs": 7}}), "null": put("linux.timeOffsets", None), "empty": put("linux.timeOffsets", {}),
    "null entry": both(lambda s: s.namespace("time"), put("linux.timeOffsets", {"boottime": None})),
})


def maps(uids, gids=None, more=None):
    def act(s):
        s.user_namespace()
        for name, list_ in (("uidMappings", uids), ("gidMappings", uids if gids is None else gids)):
            s.linux[name] = [dict(zip(("containerID", "hostID", "size"), entry)) for entry in list_]
        if more:
            more(s)
    return act


variants("user namespace", {
    "plain": lambda s: s.user_namespace(), "without mappings": lambda s: s.namespace("user"), "mappings empty": maps([], []), "uid mappings alone": maps([(0, 100000, 65536)], []),
    "gid mappings alone": maps([], [(0, 100000, 65536)]), "the whole range": maps([(0, 0, 4294967295)]), "two ranges": maps([(0, 100000, 1000), (1000, 200000, 1000)]),
    "ranges that overlap": maps([(0, 100000, 1000), (500, 200000, 1000)]), "host ranges that overlap": maps([(0, 100000, 1000), (1000, 100500, 1000)]),
    "a size of 0": maps([(0, 100000, 0)]), "root not mapped": maps([(1, 100000, 1000)]), "the process's user not mapped": maps([(0, 100000, 10)], more=put("process.user", {"uid": 1000, "gid": 1000})),
    "a group not mapped": maps([(0, 100000, 10)], more=put("process.user.additionalGids", [5, 1000])), "one id": maps([(0, 100000, 1)]), "beyond the end": maps([(0, 4294967290, 100)]),
    "341 ranges": maps([(i * 10, 100000 + i * 10, 10) for i in range(341)]), "not at 0 on the host": maps([(0, 1, 65536)]), "another user": maps([(0, 100000, 65536)], more=put("process.user", {"uid": 1000, "gid": 1000})),
    "no devpts gid": maps([(0, 100000, 5)]), "read-only root": maps([(0, 100000, 65536)], more=put("root.readonly", True)), "sysctl": maps([(0, 100000, 65536)], more=put("linux.sysctl", {"net.ipv4.ip_forward": "1"})),
    "without a network namespace": maps([(0, 100000, 65536)], more=lambda s: s.without_namespace("network")), "without an ipc namespace": maps([(0, 100000, 65536)], more=lambda s: s.without_namespace("ipc")),
    "without a pid namespace": maps([(0, 100000, 65536)], more=lambda s: s.without_namespace("pid")), "without a cgroup namespace": maps([(0, 100000, 65536)], more=lambda s: s.without_namespace("cgroup")),
    "without a uts namespace": maps([(0, 100000, 65536)], more=lambda s: (s.without_namespace("uts"), s.config.pop("hostname"))),
    "a bind": maps([(0, 100000, 65536)], more=lambda s: s.mount("/mnt", "bind", s.on_host("v"), ["bind", "ro"])), "a tmpfs with uid": maps([(0, 100000, 65536)], more=lambda s: s.mount("/mnt", "tmpfs", "t", ["uid=5", "gid=6", "mode=700"])),
    "oom score": maps([(0, 100000, 65536)], more=put("process.oomScoreAdj", 200)), "oom score below": maps([(0, 100000, 65536)], more=put("process.oomScoreAdj", -5)),
    "keyring": maps([(0, 100000, 65536)], more=put("linux.seccomp", None)), "no new privileges": maps([(0, 100000, 65536)], more=put("process.noNewPrivileges", True)),
    "umask and groups": maps([(0, 100000, 65536)], more=put("process.user", {"uid": 7, "gid": 8, "umask": 0o27, "additionalGids": [9, 10]})), "cwd of another": maps([(0, 100000, 65536)], more=put("process.cwd", "/a/b", "process.user", {"uid": 7, "gid": 7})),
    "a mount in a place that is missing": maps([(0, 100000, 65536)], more=lambda s: s.mount("/new/place", "tmpfs", "t", [])), "noexec,nosuid,nodev source": maps([(0, 100000, 65536)], more=lambda s: flagged(s)),
    "masked directories": maps([(0, 100000, 65536)], more=put("linux.maskedPaths", ["/usr", "/proc/keys", "/etc/passwd"], look=["list:/usr"])), "a null map": put("linux.uidMappings", None, "linux.gidMappings", None),
    "maps without a namespace": put("linux.uidMappings", [{"containerID": 0, "hostID": 100000, "size": 10}], "linux.gidMappings", [{"containerID": 0, "hostID": 100000, "size": 10}]),
    "maps without a namespace, uid alone": put("linux.uidMappings", [{"containerID": 0, "hostID": 0, "size": 10}]), "maps and a path": lambda s: (s.user_namespace(), s.namespace("user", "/proc/self/ns/user")),
    "rlimits": maps([(0, 100000, 65536)], more=put("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 2000, "hard": 3000}])), "time": maps([(0, 100000, 65536)], more=lambda s: s.namespace("time")),
    "all caps": maps([(0, 100000, 65536)], more=put("process.capabilities", {k: ["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_CHOWN"] for k in ("bounding", "effective", "permitted")}, "linux.seccomp", None)),
})


def flagged(s):
    where = s.on_host("v")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec,nosuid,nodev,noatime", "t", where], check=True)
    s.mount("/mnt", "bind", where, ["rbind", "rprivate", "rw"])


variants("hostname", {
    "missing": drop("hostname"), "null": put("hostname", None), "empty": put("hostname", ""), "dots": put("hostname", "a.b.c"), "of 64 bytes": put("hostname", "x" * 64),
    "of 65 bytes": put("hostname", "x" * 65), "odd bytes": put("hostname", "a b/ö"), "a nul": put("hostname", "h\0"), "without a namespace": lambda s: s.without_namespace("uts"),
    "without a namespace, the host's": lambda s: (s.without_namespace("uts"), put("hostname", os.uname().nodename)(s)), "beside its sysctl": put("linux.sysctl", {"kernel.hostname": "other"}),
    "by its sysctl alone": both(drop("hostname"), put("linux.sysctl", {"kernel.hostname": "other"})),
})
variants("domainname", {
    "plain": put("domainname", "example.org"), "empty": put("domainname", ""), "null": put("domainname", None), "of 65 bytes": put("domainname", "x" * 65),
    "without a namespace": both(put("domainname", "d"), drop("hostname"), lambda s: s.without_namespace("uts")), "beside its sysctl": put("domainname", "a", "linux.sysctl", {"kernel.domainname": "b"}),
    "beside its sysctl, the same": put("domainname", "a", "linux.sysctl", {"kernel.domainname": "a"}), "by its sysctl alone": put("linux.sysctl", {"kernel.domainname": "b"}),
})


def sysctl(**values):
    return put("linux.sysctl", {k.replace("__", "."): v for k, v in values.items()})


variants("sysctl", {
    "ipc": sysctl(kernel__msgmax="65536", kernel__shmmni="100", kernel__sem="250 32000 100 128"), "mqueue": sysctl(fs__mqueue__msg_max="20"), "net": sysctl(net__ipv4__ip_forward="1"),
    "net with slashes": put("linux.sysctl", {"net/ipv4/ip_forward": "1"}), "net, an interface": put("linux.sysctl", {"net.ipv4.conf.lo.forwarding": "1"}),
    "net, slashes for an interface with a dot": put("linux.sysctl", {"net/ipv4/conf/lo/forwarding": "1"}), "several": sysctl(net__core__somaxconn="77", kernel__shm_rmid_forced="1"),
    "of the host": sysctl(vm__swappiness="10"), "of the host, kernel": sysctl(kernel__panic="5"), "unknown": sysctl(net__nope="1"), "unknown namespace": sysctl(foo__bar="1"),
    "an empty name": put("linux.sysctl", {"": "1"}), "an empty value": sysctl(net__ipv4__ip_forward=""), "a value that the kernel refuses": sysctl(net__ipv4__ip_forward="x"),
    "a value with a newline": sysctl(kernel__msgmax="65536\n"), "dots that leave": put("linux.sysctl", {"net.../../vm/swappiness": "10"}), "a number": put("linux.sysctl", {"kernel.msgmax": 65536}),
    "null": put("linux.sysctl", None), "empty": put("linux.sysctl", {}), "a null value": put("linux.sysctl", {"kernel.msgmax": None}),
    "net without a namespace": both(sysctl(net__ipv4__ip_forward="1"), lambda s: s.without_namespace("network")), "ipc without a namespace": both(sysctl(kernel__msgmax="65536"), lambda s: s.without_namespace("ipc")),
    "net, the host's by path": both(sysctl(net__ipv4__ip_forward="0"), lambda s: s.namespace("network", "/proc/self/ns/net")), "ping_group_range": sysctl(net__ipv4__ping_group_range="0 2147483647"),
    "unprivileged port": sysctl(net__ipv4__ip_unprivileged_port_start="0"), "a read-only one": sysctl(net__ipv4__tcp_available_congestion_control="x"), "in capitals": put("linux.sysctl", {"NET.ipv4.ip_forward": "1"}),
    "a prefix alone": put("linux.sysctl", {"net": "1"}), "a directory": put("linux.sysctl", {"net.ipv4": "1"}),
})


def with_link(act, name="cmpd0"):
    """A dummy device in a network namespace that is the runtime's for this case."""
    def done(s):
        program, device = s.subject.program, f"d{s.id[-6:].replace('-', '')}"[:15]
        made = subprocess.run(["ip", "link", "add", device, "type", "dummy"], capture_output=True)
        from stand import Skip
        if made.returncode:
            raise Skip("no dummy device can be made")
        try:
            act(s, device)
            s.life()
            s.see("device on the host", "yes" if os.path.exists(f"/sys/class/net/{device}") else "no")
            s.seen = {k.replace(device, "$DEVICE"): v.replace(device, "$DEVICE") for k, v in s.seen.items()}
        finally:
            subprocess.run(["ip", "link", "del", device], capture_output=True)
    return done


variants("netDevices", {
    "plain": with_link(lambda s, d: put("linux.netDevices", {d: {}})(s)), "another name": with_link(lambda s, d: put("linux.netDevices", {d: {"name": "eth9"}})(s)),
    "null": put("linux.netDevices", None), "empty": put("linux.netDevices", {}), "a null entry": with_link(lambda s, d: put("linux.netDevices", {d: None})(s)),
    "missing": put("linux.netDevices", {"nope0": {}}), "lo": put("linux.netDevices", {"lo": {}}), "a long name": with_link(lambda s, d: put("linux.netDevices", {d: {"name": "x" * 16}})(s)),
    "a name that is taken": with_link(lambda s, d: put("linux.netDevices", {d: {"name": "lo"}})(s)), "a name with a slash": with_link(lambda s, d: put("linux.netDevices", {d: {"name": "a/b"}})(s)),
    "without a namespace": with_link(lambda s, d: (put("linux.netDevices", {d: {}})(s), s.without_namespace("network"))),
})
