"""process: user, capabilities, limits, environment, and what else the program is given."""
from catalogue import both, case, drop, put, variants


@case("plain")
def _(s):
    pass


def without_process(s):
    del s.config["process"]


case("process: missing")(without_process)
case("process: null")(put("process", None))

variants("user", {
    "missing": drop("process.user"),
    "null": put("process.user", None),
    "uid alone": put("process.user", {"uid": 1000}),
    "gid alone": put("process.user", {"gid": 1000}),
    "both": put("process.user", {"uid": 1000, "gid": 1000}),
    "additional groups": put("process.user", {"uid": 1000, "gid": 1000, "additionalGids": [5, 1001]}),
    "groups repeated": put("process.user", {"uid": 1000, "gid": 1000, "additionalGids": [5, 5, 1000, 5]}),
    "groups of root": put("process.user", {"uid": 0, "gid": 0, "additionalGids": [0, 10]}),
    "groups empty": put("process.user", {"uid": 1000, "gid": 1000, "additionalGids": []}),
    "many groups": put("process.user", {"uid": 1000, "gid": 1000, "additionalGids": list(range(2000, 2300))}),
    "a name too": put("process.user", {"uid": 1000, "gid": 1000, "username": "other"}),
    "a name alone": put("process.user", {"username": "user"}),
    "without an entry": put("process.user", {"uid": 12345, "gid": 12345}),
    "the largest id": put("process.user", {"uid": 4294967294, "gid": 4294967294}),
    "minus one": put("process.user", {"uid": 4294967295, "gid": 4294967295}),
    "negative": put("process.user", {"uid": -1, "gid": 0}),
    "above 32 bits": put("process.user", {"uid": 4294967296, "gid": 0}),
    "umask 0": put("process.user.umask", 0, look=["make:/tmp/new"]),
    "umask 077": put("process.user.umask", 0o77, look=["make:/tmp/new"]),
    "umask 0777": put("process.user.umask", 0o777, look=["make:/tmp/new"]),
    "umask above 0777": put("process.user.umask", 0o1777),
    "umask null": put("process.user.umask", None, look=["make:/tmp/new"]),
})


def passwd(text, uid=1000, **how):
    def act(s):
        s.process["user"] = {"uid": uid, "gid": uid}
        s.in_rootfs("/etc/passwd", text, **how)
    return act


def passwd_link(target):
    def act(s):
        import os
        s.process["user"] = {"uid": 1000, "gid": 1000}
        os.unlink(f"{s.rootfs}/etc/passwd")
        s.in_rootfs("/etc/passwd", link=target)
    return act


LONG = "user:x:1000:1000:" + "g" * 5000 + ":/home/long:/bin/sh\n"
variants("HOME", {
    "from passwd": passwd("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n"),
    "empty in passwd": passwd("user:x:1000:1000:::/bin/sh\n"),
    "of the first of two": passwd("a:x:1000:1000::/one:/bin/sh\nb:x:1000:1000::/two:/bin/sh\n"),
    "of a short line": passwd("user:x:1000\nuser:x:1000:1000::/home/user\n"),
    "after a comment": passwd("# a comment\n\n+::::::\nuser:x:1000:1000::/home/user:/bin/sh\n"),
    "of a long line": passwd(LONG),
    "after a long line": passwd("x:x:7:7:" + "g" * 70000 + ":/:/\nuser:x:1000:1000::/home/user:/bin/sh\n"),
    "at the end of a large file": passwd("x:x:7:7::/:/\n" * 90000 + "user:x:1000:1000::/home/user:/bin/sh\n"),
    "of a file without its last newline": passwd("user:x:1000:1000::/home/user:/bin/sh"),
    "of a file that the user cannot read": passwd("user:x:1000:1000::/home/user:/bin/sh\n", mode=0o600),
    "of a link": passwd_link("passwd.real"),
    "of a link that leads out": passwd_link("../../../../../../etc/passwd"),
    "of a link to a device": passwd_link("/dev/zero"),
    "of a link to a file of proc": passwd_link("/proc/self/environ"),
    "set": put("process.env.+", "HOME=/elsewhere"),
    "set empty": put("process.env.+", "HOME="),
    "set, then empty": put("process.env.+", "HOME=/x", "process.env.+", "HOME="),
    "empty, then set": put("process.env.+", "HOME=", "process.env.+", "HOME=/x"),
    "of nobody": put("process.user", {"uid": 65534, "gid": 65534}),
})


@case("HOME: without passwd")
def _(s):
    import os
    os.unlink(f"{s.rootfs}/etc/passwd")


@case("HOME: passwd is a directory")
def _(s):
    import os
    os.unlink(f"{s.rootfs}/etc/passwd")
    os.mkdir(f"{s.rootfs}/etc/passwd")


@case("HOME: passwd is a fifo")
def _(s):
    import os
    os.unlink(f"{s.rootfs}/etc/passwd")
    os.mkfifo(f"{s.rootfs}/etc/passwd")


PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
variants("env", {
    "missing": drop("process.env"),
    "null": put("process.env", None),
    "empty": put("process.env", []),
    "twice": put("process.env", [PATH, "A=1", "A=2"]),
    "twice, others between": put("process.env", [PATH, "A=1", "B=1", "A=2", "B="]),
    "PATH twice": put("process.env", ["PATH=/nowhere", PATH], "process.args", ["sh", "-c", "env"]),
    "without =": put("process.env", [PATH, "NOTHING"]),
    "empty string": put("process.env", [PATH, "", "A=1"]),
    "without a name": put("process.env", [PATH, "=x"]),
    "null in it": put("process.env", [PATH, None]),
    "several =": put("process.env", [PATH, "A=b=c=d"]),
    "a newline": put("process.env", [PATH, "A=b\nc"]),
    "bytes above ASCII": put("process.env", [PATH, "Ä=ö€"]),
    "a long value": put("process.env", [PATH, "A=" + "x" * 100000]),
    "a value above the kernel's limit": put("process.env", [PATH, "A=" + "x" * 140000]),
    "many": put("process.env", [PATH] + [f"V{i}=x" for i in range(3000)]),
    "a number": put("process.env", [PATH, 7]),
    "TERM without a terminal": put("process.env", [PATH, "TERM=xterm"]),
    "LISTEN_FDS": put("process.env", [PATH, "LISTEN_FDS=3", "LISTEN_PID=77"]),
    "a name with a space": put("process.env", [PATH, "A B=c"]),
})
variants("args", {
    "missing": drop("process.args"),
    "null": put("process.args", None),
    "empty": put("process.args", []),
    "an empty program": put("process.args", [""]),
    "null in it": put("process.args", ["/probe", None, "arg:x"]),
    "an empty argument": put("process.args", ["/probe", "arg:", "arg:x"]),
    "by PATH": put("process.args", ["sh", "-c", "echo 'in.x\tok'"]),
    "by a relative path": put("process.args", ["./probe"]),
    "by a relative path with a slash": put("process.args", ["bin/sh", "-c", "exit 5"]),
    "relative to cwd": put("process.args", ["./sh", "-c", "exit 5"], "process.cwd", "/bin"),
    "by name alone in cwd": put("process.args", ["probe"]),
    "by an empty entry of PATH": put("process.args", ["probe"], "process.env", ["PATH=:/bin"]),
    "by a relative entry of PATH": put("process.args", ["sh", "-c", "exit 5"], "process.env", ["PATH=bin"]),
    "without PATH": put("process.args", ["sh", "-c", "exit 5"], "process.env", ["A=b"]),
    "with an empty PATH": put("process.args", ["sh", "-c", "exit 5"], "process.env", ["PATH="]),
    "not there": put("process.args", ["/nope"]),
    "not in PATH": put("process.args", ["nope"]),
    "below a file": put("process.args", ["/probe/x"]),
    "a directory": put("process.args", ["/tmp"]),
    "a directory by PATH": put("process.args", ["tmp"], "process.env", ["PATH=/"]),
    "not executable": put("process.args", ["/etc/passwd"]),
    "a slash at the end": put("process.args", ["/probe/"]),
    "two slashes": put("process.args", ["//probe"]),
    "dots": put("process.args", ["/tmp/../probe"]),
    "a name that is too long": put("process.args", ["/" + "x" * 300]),
    "a number": put("process.args", ["/probe", 7]),
    "a word instead of a list": put("process.args", "/probe"),
    "many": put("process.args", ["/probe"] + [f"arg:{i}" for i in range(500)]),
    "one above the kernel's limit": put("process.args", ["/probe", "arg:" + "x" * 140000]),
    "bytes above ASCII": put("process.args", ["/probe", "arg:ö€"]),
})


def program(text, mode=0o755, **user):
    def act(s):
        s.in_rootfs("/bin/prog", text, mode=mode)
        s.process["args"] = ["/bin/prog", "-x"]
        s.process["user"].update(user)
    return act


def overriding(s):
    program("#!/bin/sh\nexit 6\n", mode=0o744, uid=1000, gid=1000)(s)
    for kind in ("bounding", "effective", "permitted", "inheritable", "ambient"):
        s.process["capabilities"][kind] = ["CAP_DAC_OVERRIDE"]


variants("program", {
    "a script": program("#!/bin/sh\nexit 6\n"),
    "a script without a first line": program("exit 6\n"),
    "a script whose interpreter is missing": program("#!/bin/nope\nexit 6\n"),
    "a script whose interpreter is a directory": program("#!/tmp\nexit 6\n"),
    "a script with arguments": program("#!/bin/sh -e\nfalse\nexit 6\n"),
    "a script with lines that end as on Windows": program("#!/bin/sh\r\nexit 6\r\n"),
    "an empty file": program(""),
    "the head of an ELF file": program("\x7fELF"),
    "garbage": program(b"\x01\x02\x03\x04" * 30),
    "for its owner alone": program("#!/bin/sh\nexit 6\n", mode=0o744, uid=1000, gid=1000),
    "that may be run but not read": program("#!/bin/sh\nexit 6\n", mode=0o711, uid=1000, gid=1000),
    "with no mode at all": program("#!/bin/sh\nexit 6\n", mode=0),
    "for its owner alone, CAP_DAC_OVERRIDE": overriding,
    "set-user-id": both(put("process.user", {"uid": 1000, "gid": 1000}), lambda s: s.in_rootfs("/probe2", open(f"{s.rootfs}/probe", "rb").read(), mode=0o4755),
                        put("process.args", ["/probe2"])),
    "set-user-id, no new privileges": both(put("process.user", {"uid": 1000, "gid": 1000}, "process.noNewPrivileges", True),
                                           lambda s: s.in_rootfs("/probe2", open(f"{s.rootfs}/probe", "rb").read(), mode=0o4755),
                                           put("process.args", ["/probe2"])),
    "on a mount without exec": both(lambda s: s.mount("/mnt", "bind", s.rootfs, ["bind", "noexec"]), put("process.args", ["/mnt/probe"])),
    "a link": both(lambda s: s.in_rootfs("/link", link="/probe"), put("process.args", ["/link"])),
    "a link that leads out": both(lambda s: s.in_rootfs("/link", link="../../../../../bin/true"), put("process.args", ["/link"])),
    "a link that leads nowhere": both(lambda s: s.in_rootfs("/link", link="/nowhere"), put("process.args", ["/link"])),
    "a link to itself": both(lambda s: s.in_rootfs("/link", link="/link"), put("process.args", ["/link"])),
    "through a mount": both(lambda s: s.mount("/mnt", "bind", s.rootfs, ["bind"]), put("process.args", ["/mnt/probe"])),
    "killed": put("process.args", ["/probe", "only:none", "kill:11"]),
    "killed by TERM": put("process.args", ["/bin/sh", "-c", "trap - TERM; kill -TERM $$; exit 3"]),
    "exits 255": put("process.args", ["/probe", "only:none", "exit:255"]),
})
variants("cwd", {
    "missing": drop("process.cwd"),
    "null": put("process.cwd", None),
    "empty": put("process.cwd", ""),
    "relative": put("process.cwd", "tmp"),
    "a directory": put("process.cwd", "/usr"),
    "not there": put("process.cwd", "/a/b/c", look=["stat:/a", "stat:/a/b", "stat:/a/b/c"]),
    "not there, another user": put("process.cwd", "/a/b", "process.user", {"uid": 1000, "gid": 1000}, look=["stat:/a", "stat:/a/b"]),
    "not there, umask 077": put("process.cwd", "/a/b", "process.user.umask", 0o77, look=["stat:/a", "stat:/a/b"]),
    "not there, read-only root": put("process.cwd", "/a/b", "root.readonly", True, look=["stat:/a"]),
    "a file": put("process.cwd", "/etc/passwd"),
    "a slash at the end": put("process.cwd", "/usr/"),
    "dots": put("process.cwd", "/usr/../tmp"),
    "above the root": put("process.cwd", "/../../.."),
    "two slashes": put("process.cwd", "//usr"),
    "that the user cannot enter": put("process.cwd", "/root", "process.user", {"uid": 1000, "gid": 1000}),
    "that the user alone can enter": both(lambda s: __import__("os").chown(s.in_rootfs("/mine", mode=0o700), 1000, 1000),
                                          put("process.cwd", "/mine", "process.user", {"uid": 1000, "gid": 1000})),
    "a link": both(lambda s: s.in_rootfs("/link", link="/usr"), put("process.cwd", "/link")),
    "a link that leads out": both(lambda s: s.in_rootfs("/link", link="../../../../../usr"), put("process.cwd", "/link")),
    "a link that leads nowhere": both(lambda s: s.in_rootfs("/link", link="/nowhere/x"), put("process.cwd", "/link", look=["stat:/nowhere"])),
    "on a mount": put("process.cwd", "/dev/shm"),
    "below a mount, not there": put("process.cwd", "/dev/shm/x/y", look=["stat:/dev/shm/x"]),
    "a descriptor": put("process.cwd", "/proc/self/fd/7"),
    "in proc": put("process.cwd", "/proc/self"),
    "a long name": put("process.cwd", "/" + "x" * 300),
})

ALL = [f"CAP_{n}" for n in """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE
SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
CHECKPOINT_RESTORE""".split()]
SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")


def caps(*sets, **more):
    """The same capabilities in the sets named; `more` are sets of their own, and `uid`."""
    def act(s):
        uid = more.pop("uid", 0) if "uid" in more else 0
        some = ["CAP_CHOWN", "CAP_NET_RAW", "CAP_KILL"]
        s.process["capabilities"] = {**{kind: some for kind in sets}, **{k: v for k, v in more.items()}}
        if uid:
            s.process["user"] = {"uid": uid, "gid": uid}
    return act


def caps_of(uid, **sets):
    return put("process.capabilities", sets, "process.user", {"uid": uid, "gid": uid})


SOME = ["CAP_CHOWN", "CAP_NET_RAW", "CAP_KILL"]
variants("capabilities", {
    "missing": drop("process.capabilities"),
    "null": put("process.capabilities", None),
    "empty": put("process.capabilities", {}),
    "missing, another user": both(drop("process.capabilities"), put("process.user", {"uid": 1000, "gid": 1000})),
    "bounding alone": caps_of(0, bounding=SOME),
    "bounding alone, another user": caps_of(1000, bounding=SOME),
    "effective alone": caps_of(0, effective=SOME),
    "permitted alone": caps_of(0, permitted=SOME),
    "inheritable alone": caps_of(0, inheritable=SOME),
    "ambient alone": caps_of(0, ambient=SOME),
    "all five": caps_of(0, **{k: SOME for k in SETS}),
    "all five, another user": caps_of(1000, **{k: SOME for k in SETS}),
    "three, another user": caps_of(1000, bounding=SOME, effective=SOME, permitted=SOME),
    "ambient without inheritable": caps_of(1000, bounding=SOME, effective=SOME, permitted=SOME, ambient=SOME),
    "ambient without permitted": caps_of(1000, bounding=SOME, inheritable=SOME, ambient=SOME),
    "effective beyond permitted": caps_of(0, bounding=ALL, permitted=SOME, effective=[*SOME, "CAP_MKNOD"]),
    "permitted beyond bounding": caps_of(0, bounding=["CAP_KILL"], permitted=SOME, effective=SOME),
    "inheritable beyond bounding": caps_of(1000, bounding=["CAP_KILL"], inheritable=SOME, permitted=["CAP_KILL"], effective=["CAP_KILL"]),
    "every one there is": caps_of(0, **{k: [c for c in ALL if c != "CAP_SYS_RESOURCE"] for k in ("bounding", "effective", "permitted")}),
    "one that the host has not": caps_of(0, **{k: ["CAP_KILL", "CAP_SYS_RESOURCE"] for k in ("bounding", "effective", "permitted")}),
    "SYS_ADMIN": caps_of(0, **{k: ["CAP_SYS_ADMIN"] for k in ("bounding", "effective", "permitted")}),
    "repeated": caps_of(0, **{k: SOME + SOME for k in ("bounding", "effective", "permitted")}),
    "in small letters": caps_of(0, **{k: ["cap_kill"] for k in ("bounding", "effective", "permitted")}),
    "without CAP_": caps_of(0, **{k: ["KILL"] for k in ("bounding", "effective", "permitted")}),
    "unknown": caps_of(0, **{k: ["CAP_KILL", "CAP_FLY"] for k in ("bounding", "effective", "permitted")}),
    "empty word": caps_of(0, **{k: ["CAP_KILL", ""] for k in ("bounding", "effective", "permitted")}),
    "ALL": caps_of(0, **{k: ["ALL"] for k in ("bounding", "effective", "permitted")}),
    "null sets": put("process.capabilities", {k: None for k in SETS}),
    "a list": put("process.capabilities", SOME),
    "without SETPCAP": caps_of(1000, bounding=["CAP_NET_RAW"], effective=["CAP_NET_RAW"], permitted=["CAP_NET_RAW"], inheritable=["CAP_NET_RAW"],
                               ambient=["CAP_NET_RAW"]),
})
variants("noNewPrivileges", {"true": put("process.noNewPrivileges", True), "null": put("process.noNewPrivileges", None),
                             "a word": put("process.noNewPrivileges", "true"), "a number": put("process.noNewPrivileges", 1)})


def rlimits(*list_):
    return put("process.rlimits", [dict(zip(("type", "soft", "hard"), entry)) for entry in list_])


MAX = 18446744073709551615
variants("rlimits", {
    "several": rlimits(("RLIMIT_NOFILE", 512, 1024), ("RLIMIT_CORE", 0, 0), ("RLIMIT_NPROC", 100, 200)),
    "every one": rlimits(*[(f"RLIMIT_{n}", 4096, 8192) for n in "CPU MSGQUEUE NPROC NOFILE MEMLOCK LOCKS SIGPENDING NICE RTPRIO RTTIME".split()],
                         *[(f"RLIMIT_{n}", MAX, MAX) for n in "AS DATA FSIZE RSS STACK CORE".split()]),
    "twice": rlimits(("RLIMIT_NOFILE", 512, 1024), ("RLIMIT_NOFILE", 256, 512)),
    "unknown": rlimits(("RLIMIT_FOO", 1, 1)),
    "small letters": rlimits(("rlimit_nofile", 64, 64)),
    "without RLIMIT_": rlimits(("NOFILE", 64, 64)),
    "no type": put("process.rlimits", [{"soft": 64, "hard": 64}]),
    "soft above hard": rlimits(("RLIMIT_NOFILE", 1024, 512)),
    "no soft": put("process.rlimits", [{"type": "RLIMIT_NOFILE", "hard": 512}]),
    "no hard": put("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 512}]),
    "unlimited": rlimits(("RLIMIT_CORE", MAX, MAX)),
    "minus one": rlimits(("RLIMIT_CORE", -1, -1)),
    "NOFILE above what the kernel allows": rlimits(("RLIMIT_NOFILE", MAX, MAX)),
    "NOFILE of three": rlimits(("RLIMIT_NOFILE", 3, 3)),
    "NOFILE of zero": rlimits(("RLIMIT_NOFILE", 0, 0)),
    "NOFILE of one million": rlimits(("RLIMIT_NOFILE", 1000000, 1000000)),
    "NPROC of one": rlimits(("RLIMIT_NPROC", 1, 1)),
    "FSIZE of zero": rlimits(("RLIMIT_FSIZE", 0, 0)),
    "STACK unlimited": rlimits(("RLIMIT_STACK", MAX, MAX)),
    "AS of 64 MiB": rlimits(("RLIMIT_AS", 67108864, 67108864)),
    "CPU of one second": rlimits(("RLIMIT_CPU", 1, 2)),
    "null": put("process.rlimits", None),
    "empty": put("process.rlimits", []),
})
variants("oomScoreAdj", {
    "missing": drop("process.oomScoreAdj"), "null": put("process.oomScoreAdj", None), "500": put("process.oomScoreAdj", 500),
    "-500": put("process.oomScoreAdj", -500), "1000": put("process.oomScoreAdj", 1000), "1001": put("process.oomScoreAdj", 1001),
    "-1001": put("process.oomScoreAdj", -1001), "a fraction": put("process.oomScoreAdj", 1.5), "a word": put("process.oomScoreAdj", "5"),
})


def scheduler(**fields):
    return put("process.scheduler", fields)


variants("scheduler", {
    "OTHER": scheduler(policy="SCHED_OTHER"),
    "OTHER, nice": scheduler(policy="SCHED_OTHER", nice=10),
    "OTHER, nice below zero": scheduler(policy="SCHED_OTHER", nice=-5),
    "OTHER, priority": scheduler(policy="SCHED_OTHER", priority=5),
    "BATCH": scheduler(policy="SCHED_BATCH", nice=5),
    "IDLE": scheduler(policy="SCHED_IDLE"),
    "FIFO": scheduler(policy="SCHED_FIFO", priority=10),
    "RR": scheduler(policy="SCHED_RR", priority=1),
    "FIFO without a priority": scheduler(policy="SCHED_FIFO"),
    "FIFO of 100": scheduler(policy="SCHED_FIFO", priority=100),
    "FIFO, nice": scheduler(policy="SCHED_FIFO", priority=10, nice=5),
    "DEADLINE": scheduler(policy="SCHED_DEADLINE", runtime=1000000, deadline=10000000, period=10000000),
    "DEADLINE without numbers": scheduler(policy="SCHED_DEADLINE"),
    "ISO": scheduler(policy="SCHED_ISO"),
    "unknown": scheduler(policy="SCHED_FOO"),
    "small letters": scheduler(policy="sched_batch"),
    "empty": scheduler(),
    "empty policy": scheduler(policy=""),
    "nice of 20": scheduler(policy="SCHED_OTHER", nice=20),
    "nice of -21": scheduler(policy="SCHED_OTHER", nice=-21),
    "reset on fork": scheduler(policy="SCHED_FIFO", priority=10, flags=["SCHED_FLAG_RESET_ON_FORK"]),
    "two flags": scheduler(policy="SCHED_OTHER", nice=3, flags=["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_KEEP_PARAMS"]),
    "unknown flag": scheduler(policy="SCHED_OTHER", flags=["SCHED_FLAG_FOO"]),
    "utilisation": scheduler(policy="SCHED_OTHER", flags=["SCHED_FLAG_UTIL_CLAMP_MIN"]),
    "null": put("process.scheduler", None),
    "beside a cpuset": put("process.scheduler", {"policy": "SCHED_BATCH"}, "linux.resources.cpu", {"cpus": "0"}),
})
variants("ioPriority", {
    "best effort": put("process.ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 4}),
    "real time": put("process.ioPriority", {"class": "IOPRIO_CLASS_RT", "priority": 0}),
    "idle": put("process.ioPriority", {"class": "IOPRIO_CLASS_IDLE"}),
    "idle of 5": put("process.ioPriority", {"class": "IOPRIO_CLASS_IDLE", "priority": 5}),
    "none": put("process.ioPriority", {"class": "IOPRIO_CLASS_NONE", "priority": 0}),
    "no class": put("process.ioPriority", {"priority": 3}),
    "priority of 8": put("process.ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 8}),
    "priority below zero": put("process.ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": -1}),
    "unknown": put("process.ioPriority", {"class": "IOPRIO_CLASS_FOO", "priority": 1}),
    "empty": put("process.ioPriority", {}),
    "null": put("process.ioPriority", None),
})
variants("labels", {
    "apparmorProfile": put("process.apparmorProfile", "docker-default"),
    "apparmorProfile unconfined": put("process.apparmorProfile", "unconfined"),
    "apparmorProfile empty": put("process.apparmorProfile", ""),
    "apparmorProfile null": put("process.apparmorProfile", None),
    "selinuxLabel": put("process.selinuxLabel", "system_u:system_r:container_t:s0:c1,c2"),
    "selinuxLabel empty": put("process.selinuxLabel", ""),
    "mountLabel": put("linux.mountLabel", "system_u:object_r:container_file_t:s0:c1,c2"),
    "mountLabel empty": put("linux.mountLabel", ""),
})
variants("personality", {
    "LINUX": put("linux.personality", {"domain": "LINUX"}),
    "LINUX32": put("linux.personality", {"domain": "LINUX32"}),
    "with a flag": put("linux.personality", {"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}),
    "empty flags": put("linux.personality", {"domain": "LINUX", "flags": []}),
    "unknown": put("linux.personality", {"domain": "BSD"}),
    "small letters": put("linux.personality", {"domain": "linux32"}),
    "empty": put("linux.personality", {}),
    "null": put("linux.personality", None),
})
variants("consoleSize", {
    "without a terminal": put("process.consoleSize", {"height": 10, "width": 20}),
    "large, without a terminal": put("process.consoleSize", {"height": 70000, "width": 70000}),
    "negative": put("process.consoleSize", {"height": -1, "width": 1}),
    "null": put("process.consoleSize", None),
})


def memory_policy(**fields):
    return put("linux.memoryPolicy", fields, "linux.seccomp", None)


variants("memoryPolicy", {
    "default": memory_policy(mode="MPOL_DEFAULT"),
    "bind": memory_policy(mode="MPOL_BIND", nodes="0"),
    "interleave": memory_policy(mode="MPOL_INTERLEAVE", nodes="0"),
    "preferred": memory_policy(mode="MPOL_PREFERRED", nodes="0"),
    "local": memory_policy(mode="MPOL_LOCAL"),
    "static nodes": memory_policy(mode="MPOL_BIND", nodes="0", flags=["MPOL_F_STATIC_NODES"]),
    "a node that is not there": memory_policy(mode="MPOL_BIND", nodes="9"),
    "no nodes": memory_policy(mode="MPOL_BIND"),
    "odd nodes": memory_policy(mode="MPOL_BIND", nodes="x"),
    "unknown": memory_policy(mode="MPOL_FOO", nodes="0"),
    "empty": memory_policy(),
})


def affinity(**fields):
    def act(s):
        s.process["execCPUAffinity"] = fields
        if s.alive():
            s.call("exec", "exec", s.id, "/probe", "only:process")
            s.call("delete", "delete", "--force", s.id)
        s.residue()
    return act


variants("execCPUAffinity", {
    "final": affinity(final="1"), "initial": affinity(initial="0"), "both": affinity(initial="0", final="0-1"), "empty": affinity(),
    "empty words": affinity(initial="", final=""), "odd": affinity(final="x"), "not there": affinity(final="77"), "spaces": affinity(final=" 0 , 1 "),
    "a range backwards": affinity(final="1-0"), "a long list": affinity(final="0,0,0-1,1"),
})
variants("intelRdt", {
    "absent hardware": put("linux.intelRdt", {"closID": "c1"}),
    "empty": put("linux.intelRdt", {}),
    "a schema": put("linux.intelRdt", {"l3CacheSchema": "L3:0=f"}),
    "monitoring": put("linux.intelRdt", {"enableMonitoring": True}),
    "null": put("linux.intelRdt", None),
})
