"""linux.resources and cgroupsPath, on both hierarchies."""
import os
from catalogue import both, case, drop, put, variants

NATIVE, PURE = ("native",), ("v2",)


def resources(**fields):
    return put(*[x for name, value in fields.items() for x in (f"linux.resources.{name}", value)])


def path(value):
    return put("linux.cgroupsPath", value)


def below(tail):
    """A cgroupsPath that ends in the container's own name, in the folder that is cleaned."""
    return lambda s: put("linux.cgroupsPath", tail.replace("ID", s.id))(s)


variants("cgroupsPath", {
    "missing": lambda s: (s.linux.pop("cgroupsPath"), None)[1], "empty": path(""), "null": path(None), "nested": below("/cmp/ID/a/b"), "relative": below("cmp/ID"), "a slash at the end": below("/cmp/ID/"),
    "two slashes": below("//cmp//ID"), "dots": below("/cmp/../cmp/ID"), "leading out": below("/../../cmp/ID"), "like systemd's": below("cmp/test.slice:cri:ID"),
    "like systemd's, with a slash": below("/cmp/test.slice:cri:ID"), "a space": below("/cmp/ID a b"), "bytes above ASCII": below("/cmp/IDö"), "a colon": below("/cmp/ID:x"), "a newline": below("/cmp/ID\nx"),
    "a long name": below("/cmp/ID" + "x" * 260), "a number": path(7), "a name of the kernel": below("/cmp/ID/cgroup.procs"), "a dot": below("/cmp/./ID"),
})


@case("cgroupsPath: one that exists")
def _(s):
    for base in bases(s):
        os.makedirs(f"{base}/cmp/{s.id}", exist_ok=True)
    seed_cpuset(s, f"/cmp/{s.id}")


@case("cgroupsPath: one that exists, with a cgroup below")
def _(s):
    for base in bases(s):
        os.makedirs(f"{base}/cmp/{s.id}/below", exist_ok=True)
    seed_cpuset(s, f"/cmp/{s.id}")


def bases(s):
    from stand import roots
    return roots(s.v2)


def seed_cpuset(s, at):
    """The kernel wants cpus and mems in every cpuset of v1 down to the one that a process enters."""
    if s.v2:
        return
    parts, here = at.strip("/").split("/"), "/sys/fs/cgroup/cpuset"
    for part in parts:
        for name in ("cpuset.cpus", "cpuset.mems"):
            value = open(f"{here}/{name}").read().strip()
            if not open(f"{here}/{part}/{name}").read().strip():
                open(f"{here}/{part}/{name}", "w").write(value)
        here = f"{here}/{part}"


@case("cgroupsPath: an empty cpuset above", views=NATIVE)
def _(s):
    os.makedirs(f"/sys/fs/cgroup/cpuset/cmp/{s.id}", exist_ok=True)
    s.linux["cgroupsPath"] = f"/cmp/{s.id}/pod/c1"


@case("cgroupsPath: an empty cpuset above, two levels", views=NATIVE)
def _(s):
    os.makedirs(f"/sys/fs/cgroup/cpuset/cmp/{s.id}/a/b", exist_ok=True)
    s.linux["cgroupsPath"] = f"/cmp/{s.id}/a/b/c"
    s.resources["cpu"] = {"cpus": "0"}


def inhabited(act=None, controllers=True):
    """A parent with processes: they belong to this case."""
    def done(s):
        import subprocess
        base = "/sys/fs/cgroup" if s.v2 else "/sys/fs/cgroup/pids"
        parent = f"{base}/cmp/{s.id}"
        os.makedirs(parent, exist_ok=True)
        sleeper = subprocess.Popen(["sleep", "60"])
        try:
            open(f"{parent}/cgroup.procs", "w").write(str(sleeper.pid))
            s.linux["cgroupsPath"] = f"/cmp/{s.id}/c1"
            if act:
                act(s)
            s.life()
            s.see("neighbour", "alive" if sleeper.poll() is None else "ended")
        finally:
            sleeper.kill()
            sleeper.wait()
    return done


variants("cgroup parent", {
    "with processes": inhabited(), "with processes, a pids limit": inhabited(resources(pids={"limit": 50})), "with processes, a memory limit": inhabited(resources(memory={"limit": 67108864})),
    "with processes, a hugetlb limit": inhabited(resources(hugepageLimits=[{"pageSize": "2MB", "limit": 2097152}])),
})


def typed(kind, act=None):
    """A parent of an unusual type."""
    def done(s):
        parent = f"/sys/fs/cgroup/cmp/{s.id}"
        os.makedirs(f"{parent}/t", exist_ok=True)
        if kind == "threaded":
            open(f"{parent}/t/cgroup.type", "w").write("threaded")
            s.linux["cgroupsPath"] = f"/cmp/{s.id}/t/c1"
        elif kind == "domain threaded":
            open(f"{parent}/t/cgroup.type", "w").write("threaded")
            s.linux["cgroupsPath"] = f"/cmp/{s.id}/c1"
        elif kind == "no descendants":
            open(f"{parent}/cgroup.max.descendants", "w").write("1")
            s.linux["cgroupsPath"] = f"/cmp/{s.id}/c1"
        elif kind == "no depth":
            open(f"{parent}/cgroup.max.depth", "w").write("0")
            s.linux["cgroupsPath"] = f"/cmp/{s.id}/c1"
        elif kind == "frozen":
            open(f"{parent}/cgroup.freeze", "w").write("1")
            s.linux["cgroupsPath"] = f"/cmp/{s.id}/c1"
        if act:
            act(s)
    return done


variants("cgroup parent", {
    "threaded": typed("threaded"), "domain threaded": typed("domain threaded"), "domain threaded, a hugetlb limit": typed("domain threaded", resources(hugepageLimits=[{"pageSize": "2MB", "limit": 2097152}])),
    "full": typed("no descendants"), "that may have no children": typed("no depth"),
}, views=PURE)

variants("pids", {
    "50": resources(pids={"limit": 50}), "-1": resources(pids={"limit": -1}), "0": resources(pids={"limit": 0}), "0, ociVersion 1.3": both(put("ociVersion", "1.3.0"), resources(pids={"limit": 0})),
    "-2": resources(pids={"limit": -2}), "1": resources(pids={"limit": 1}), "no limit": resources(pids={}), "null": resources(pids=None), "limit null": resources(pids={"limit": None}),
    "large": resources(pids={"limit": 9223372036854775807}), "a word": resources(pids={"limit": "50"}), "above the kernel's": resources(pids={"limit": 5000000}),
})
MB = 1 << 20
variants("memory", {
    "limit": resources(memory={"limit": 64 * MB}), "limit of -1": resources(memory={"limit": -1}), "limit of 0": resources(memory={"limit": 0}), "limit of -2": resources(memory={"limit": -2}),
    "odd bytes": resources(memory={"limit": 64 * MB + 1}), "limit and swap": resources(memory={"limit": 64 * MB, "swap": 128 * MB}), "swap unlimited": resources(memory={"limit": 64 * MB, "swap": -1}),
    "swap below the limit": resources(memory={"limit": 64 * MB, "swap": 32 * MB}), "swap alone": resources(memory={"swap": 64 * MB}), "swap like the limit": resources(memory={"limit": 64 * MB, "swap": 64 * MB}),
    "swap of 0": resources(memory={"limit": 64 * MB, "swap": 0}), "reservation": resources(memory={"reservation": 32 * MB}), "reservation above the limit": resources(memory={"limit": 32 * MB, "reservation": 64 * MB}),
    "reservation of -1": resources(memory={"reservation": -1}), "swappiness": resources(memory={"swappiness": 10}), "swappiness of 0": resources(memory={"swappiness": 0}), "swappiness above 100": resources(memory={"swappiness": 150}),
    "kernel": resources(memory={"kernel": 32 * MB}), "kernelTCP": resources(memory={"kernelTCP": 32 * MB}), "no oom killer": resources(memory={"disableOOMKiller": True}), "oom killer": resources(memory={"disableOOMKiller": False}),
    "hierarchy": resources(memory={"useHierarchy": True}), "no hierarchy": resources(memory={"useHierarchy": False}), "check before update": resources(memory={"limit": 64 * MB, "checkBeforeUpdate": True}),
    "too little": resources(memory={"limit": 99999}), "a page": resources(memory={"limit": 4096}), "4 MiB": resources(memory={"limit": 4 * MB}), "empty": resources(memory={}), "null": resources(memory=None),
    "large": resources(memory={"limit": 9223372036854775807}), "larger": resources(memory={"limit": 9223372036854775808}), "all zero": resources(memory={"limit": 0, "swap": 0, "reservation": 0, "kernel": 0, "swappiness": 0}),
    "a fraction": resources(memory={"limit": 67108864.0}), "an exponent": lambda s: raw_number(s, "6.7108864e7"),
})


def raw_number(s, text):
    import json
    s.resources["memory"] = {"limit": 424242}
    s.raw = json.dumps(s.config).replace("424242", text)


variants("cpu", {
    "shares": resources(cpu={"shares": 512}), "shares of 0": resources(cpu={"shares": 0}), "shares of 1": resources(cpu={"shares": 1}), "shares of 262144": resources(cpu={"shares": 262144}), "shares above": resources(cpu={"shares": 300000}),
    "quota": resources(cpu={"quota": 50000}), "quota and period": resources(cpu={"quota": 20000, "period": 50000}), "period alone": resources(cpu={"period": 50000}), "quota of -1": resources(cpu={"quota": -1, "period": 100000}),
    "quota of 0": resources(cpu={"quota": 0, "period": 0}), "quota of 500": resources(cpu={"quota": 500}), "period of 1": resources(cpu={"period": 1, "quota": 1000}), "period above": resources(cpu={"period": 2000000, "quota": 1000}),
    "quota of -5": resources(cpu={"quota": -5}), "burst": resources(cpu={"quota": 50000, "period": 100000, "burst": 20000}), "burst without quota": resources(cpu={"burst": 20000}), "burst above quota": resources(cpu={"quota": 50000, "burst": 60000}),
    "burst of 0": resources(cpu={"quota": 50000, "burst": 0}), "idle": resources(cpu={"idle": 1}), "idle of 0": resources(cpu={"idle": 0}), "idle of 2": resources(cpu={"idle": 2}), "idle and shares": resources(cpu={"idle": 1, "shares": 512}),
    "real time": resources(cpu={"realtimeRuntime": 1000, "realtimePeriod": 100000}), "real time of 0": resources(cpu={"realtimeRuntime": 0, "realtimePeriod": 0}), "real time period": resources(cpu={"realtimePeriod": 500000}),
    "empty": resources(cpu={}), "null": resources(cpu=None), "shares null": resources(cpu={"shares": None}), "negative shares": resources(cpu={"shares": -1}),
    "cpus": resources(cpu={"cpus": "0"}), "cpus, a range": resources(cpu={"cpus": "0-1"}), "cpus, empty": resources(cpu={"cpus": "", "mems": ""}), "cpus, odd": resources(cpu={"cpus": "x"}), "cpus that are missing": resources(cpu={"cpus": "7"}),
    "cpus with spaces": resources(cpu={"cpus": "0, 1"}), "cpus with a newline": resources(cpu={"cpus": "0\n"}), "mems": resources(cpu={"mems": "0"}), "mems that are missing": resources(cpu={"mems": "3"}), "cpus and mems": resources(cpu={"cpus": "1", "mems": "0"}),
    "cpus twice in it": resources(cpu={"cpus": "0,0,1"}), "cpus, a stride": resources(cpu={"cpus": "0-1:1/2"}), "everything": resources(cpu={"shares": 1024, "quota": 100000, "period": 100000, "cpus": "0-1", "mems": "0"}),
})
variants("blockIO", {
    "weight": resources(blockIO={"weight": 500}), "weight of 0": resources(blockIO={"weight": 0}), "weight of 9": resources(blockIO={"weight": 9}), "weight of 1001": resources(blockIO={"weight": 1001}), "leafWeight": resources(blockIO={"leafWeight": 500}),
    "read bps": resources(blockIO={"throttleReadBpsDevice": [{"major": 254, "minor": 0, "rate": 1000000}]}), "write iops": resources(blockIO={"throttleWriteIOPSDevice": [{"major": 254, "minor": 0, "rate": 100}]}),
    "a device that is missing": resources(blockIO={"throttleReadBpsDevice": [{"major": 99, "minor": 0, "rate": 1}]}), "a rate of 0": resources(blockIO={"throttleWriteBpsDevice": [{"major": 254, "minor": 0, "rate": 0}]}),
    "weight of a device": resources(blockIO={"weight": 100, "weightDevice": [{"major": 254, "minor": 0, "weight": 300}]}), "empty": resources(blockIO={}), "null": resources(blockIO=None), "empty lists": resources(blockIO={"weightDevice": [], "throttleReadBpsDevice": []}),
    "null lists": resources(blockIO={"weightDevice": None}),
})
variants("hugepageLimits", {
    "2MB": resources(hugepageLimits=[{"pageSize": "2MB", "limit": 4194304}]), "two": resources(hugepageLimits=[{"pageSize": "2MB", "limit": 4194304}, {"pageSize": "1GB", "limit": 1073741824}]),
    "2M": resources(hugepageLimits=[{"pageSize": "2M", "limit": 4194304}]), "unknown": resources(hugepageLimits=[{"pageSize": "3MB", "limit": 4194304}]), "0": resources(hugepageLimits=[{"pageSize": "2MB", "limit": 0}]),
    "small letters": resources(hugepageLimits=[{"pageSize": "2mb", "limit": 4194304}]), "key in small letters": resources(hugepageLimits=[{"pagesize": "2MB", "limit": 4194304}]), "null": resources(hugepageLimits=None), "empty": resources(hugepageLimits=[]),
    "twice": resources(hugepageLimits=[{"pageSize": "2MB", "limit": 4194304}, {"pageSize": "2MB", "limit": 2097152}]), "odd bytes": resources(hugepageLimits=[{"pageSize": "2MB", "limit": 4194305}]),
    "2048KB": resources(hugepageLimits=[{"pageSize": "2048KB", "limit": 4194304}]), "unlimited": resources(hugepageLimits=[{"pageSize": "2MB", "limit": 18446744073709551615}]), "leading out": resources(hugepageLimits=[{"pageSize": "../2MB", "limit": 1}]),
    "no size": resources(hugepageLimits=[{"limit": 1}]), "no limit": resources(hugepageLimits=[{"pageSize": "2MB"}]),
})
variants("unified", {
    "empty": resources(unified={}), "null": resources(unified=None), "a file": resources(unified={"hugetlb.2MB.max": "4194304"}), "max": resources(unified={"hugetlb.2MB.max": "max"}), "an empty value": resources(unified={"hugetlb.2MB.max": ""}),
    "memory.max empty": resources(unified={"memory.max": ""}), "memory.max": resources(unified={"memory.max": "67108864"}), "a controller that is missing": resources(unified={"foo.max": "1"}), "a file that is missing": resources(unified={"hugetlb.2MB.foo": "1"}),
    "a core file": resources(unified={"cgroup.max.depth": "3"}), "cgroup.procs": resources(unified={"cgroup.procs": "0"}), "a slash": resources(unified={"../cgroup.freeze": "1"}), "a slash below": resources(unified={"a/b": "1"}),
    "a value that the kernel refuses": resources(unified={"hugetlb.2MB.max": "x"}), "an empty name": resources(unified={"": "1"}), "a name without a dot": resources(unified={"hugetlb": "1"}), "several lines": resources(unified={"cgroup.max.descendants": "5\n", "cgroup.max.depth": "max"}),
    "a number": resources(unified={"hugetlb.2MB.max": 4194304}), "a null value": resources(unified={"hugetlb.2MB.max": None}), "against a limit": resources(unified={"hugetlb.2MB.max": "2097152"}, hugepageLimits=[{"pageSize": "2MB", "limit": 4194304}]),
    "cgroup.freeze": resources(unified={"cgroup.freeze": "0"}),
})
variants("other resources", {
    "rdma": resources(rdma={"mlx5_0": {"hcaHandles": 3}}), "rdma null": resources(rdma=None), "rdma empty": resources(rdma={}), "network class": resources(network={"classID": 1048577}), "network priorities": resources(network={"priorities": [{"name": "lo", "priority": 3}]}),
    "network class of 0": resources(network={"classID": 0}), "network null": resources(network=None), "network empty": resources(network={}), "an unknown key": resources(foo={"bar": 1}), "empty": put("linux.resources", {}),
    "everything that is usual": resources(memory={"limit": 64 * MB, "swap": 128 * MB, "reservation": 32 * MB}, cpu={"shares": 512, "quota": 50000, "period": 100000, "cpus": "0"}, pids={"limit": 50}, blockIO={"weight": 300}),
})


@case("resources: in a user namespace")
def _(s):
    s.user_namespace()
    s.resources.update({"pids": {"limit": 50}} if not s.v2 else {"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]})


@case("resources: two containers in one cgroup")
def _(s):
    if s.alive():
        s.call("second", "create", "--bundle", s.bundle, f"{s.id}b")
        s.call("delete-second", "delete", "--force", f"{s.id}b")
        s.state("first")
        s.call("delete", "delete", "--force", s.id)
    s.residue()
