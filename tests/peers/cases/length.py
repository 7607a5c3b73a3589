"""The cost of length: long paths, many entries, deep nesting. A command that takes longer than its patience shows it."""

import json, os, resource
from catalogue import variants
from stand import PATIENCE


def spent():
    """Seconds of CPU, not of the clock: others use the machine too."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(change, says=()):
    """Whether it runs, and whether it takes seconds."""

    def act(s):
        s.process["args"] = ["/bin/true"]
        change(s)
        s.write()
        before = spent()
        s.call("run", "run", "-b", s.bundle, s.id, patience=4 * PATIENCE)
        s.see("long", "yes" if spent() - before > 9 else "no")
        s.see("a great many lines", "yes" if os.path.getsize(f"{s.dir}/run.err") > 200000 else "no")
        s.says("run", *says)
        s.residue()

    return act


def deep(count, length):
    return "/" + "/".join(["d" * length] * count)


variants(
    "length",
    {
        "cwd of 200": timed(lambda s: s.process.update(cwd=deep(4, 49))),
        "cwd of 2000": timed(lambda s: s.process.update(cwd=deep(40, 49))),
        "cwd of 4000": timed(lambda s: s.process.update(cwd=deep(80, 49))),
        "cwd of 4095": timed(lambda s: s.process.update(cwd=deep(2047, 1) + "/")),
        "cwd of 4096": timed(lambda s: s.process.update(cwd=deep(2048, 1))),
        "cwd of 5000": timed(lambda s: s.process.update(cwd=deep(100, 49))),
        "cwd with a part of 256": timed(lambda s: s.process.update(cwd=deep(1, 256))),
        "cwd with a part of 255": timed(lambda s: s.process.update(cwd=deep(1, 255))),
        "100 mounts": timed(lambda s: [s.mount(f"/m{i}", "tmpfs", "tmpfs", []) for i in range(100)]),
        "1 000 masked paths": timed(lambda s: s.linux.update(maskedPaths=[f"/proc/x{i}" for i in range(1000)])),
        "70 000 masked paths": timed(lambda s: s.linux.update(maskedPaths=[f"/proc/x{i}" for i in range(70000)])),
        "100 000 annotations": timed(lambda s: s.config.update(annotations={f"a{i}": "x" * 100 for i in range(100000)})),
        "10 000 annotations": timed(lambda s: s.config.update(annotations={f"a{i}": "x" for i in range(10000)})),
        "a large annotation": timed(lambda s: s.config.update(annotations={"a": "x" * 10000000})),
        "10 000 variables": timed(lambda s: s.process["env"].extend(f"V{i}=x" for i in range(10000))),
        "a variable of 131071": timed(lambda s: s.process["env"].append("V=" + "x" * 131069)),
        "a variable of 131072": timed(lambda s: s.process["env"].append("V=" + "x" * 131070)),
        "variables of 3 MB": timed(lambda s: s.process["env"].extend(f"V{i}=" + "x" * 100000 for i in range(30))),
        "10 000 arguments": timed(lambda s: s.process["args"].extend(str(i) for i in range(10000))),
        "70 000 unknown system calls": timed(
            lambda s: s.linux["seccomp"]["syscalls"].append(
                {"names": [f"nope{i}" for i in range(70000)], "action": "SCMP_ACT_ALLOW"}
            )
        ),
        "5 000 device rules": timed(
            lambda s: s.resources["devices"].extend(
                {"allow": True, "type": "c", "major": 9, "minor": i % 4000, "access": "r"} for i in range(5000)
            ),
        ),
        "6 001 device rules": timed(
            lambda s: s.resources["devices"].extend(
                {"allow": True, "type": "c", "major": 9, "minor": i, "access": "r"} for i in range(6001)
            ),
        ),
        "10 000 devices": timed(
            lambda s: s.linux.update(
                devices=[{"path": f"/dev/n{i}", "type": "c", "major": 1, "minor": 3} for i in range(10000)]
            )
        ),
        "2 000 mounts": timed(lambda s: [s.mount(f"/m{i}", "tmpfs", "tmpfs", []) for i in range(2000)]),
        "1 000 additional groups": timed(lambda s: s.process["user"].update(additionalGids=list(range(1000, 2000)))),
        "65 536 additional groups": timed(lambda s: s.process["user"].update(additionalGids=list(range(65536)))),
        "65 537 additional groups": timed(lambda s: s.process["user"].update(additionalGids=list(range(65537)))),
        "a host name of 64": timed(lambda s: s.config.update(hostname="h" * 64)),
        "a host name of 65": timed(lambda s: s.config.update(hostname="h" * 65)),
        "a domain name of 65": timed(lambda s: s.config.update(domainname="h" * 65)),
        "100 hooks": timed(lambda s: s.config.update(hooks={"createRuntime": [{"path": "/bin/true"}] * 100})),
        "a source of 4095": timed(lambda s: s.mount("/m", "bind", "/" + "x" * 4094, ["bind"])),
        "an option of 4 100 bytes": timed(lambda s: s.mount("/m", "tmpfs", "tmpfs", ["size=1m", "x" * 4100])),
        "a source of tmpfs of 300 bytes": timed(lambda s: s.mount("/m", "tmpfs", "t" * 300, [])),
        "1 000 options": timed(lambda s: s.mount("/m", "tmpfs", "tmpfs", ["nodev"] * 1000)),
        "deep JSON": timed(lambda s: setattr(s, "raw", json.dumps(s.config)[:-1] + ', "x": ' + "[" * 9000 + "]" * 9000 + "}")),
        "too deep JSON": timed(
            lambda s: setattr(s, "raw", json.dumps(s.config)[:-1] + ', "x": ' + "[" * 20000 + "]" * 20000 + "}")
        ),
        "a config of 5 MB": timed(lambda s: setattr(s, "raw", json.dumps(s.config) + " " * 5000000)),
        "a config of 50 MB": timed(lambda s: setattr(s, "raw", json.dumps(s.config)[:-1] + ', "x": "' + "y" * 50000000 + '"}')),
        "340 id maps": timed(
            lambda s: (
                s.user_namespace(),
                s.linux.update(uidMappings=[{"containerID": i, "hostID": 100000 + i * 2, "size": 1} for i in range(340)]),
            )
        ),
        "341 id maps": timed(
            lambda s: (
                s.user_namespace(),
                s.linux.update(uidMappings=[{"containerID": i, "hostID": 100000 + i * 2, "size": 1} for i in range(341)]),
            )
        ),
        "100 rlimits": timed(lambda s: s.process.update(rlimits=[{"type": "RLIMIT_NOFILE", "soft": 9, "hard": 99}] * 100)),
        "a long cgroup path": timed(lambda s: s.linux.update(cgroupsPath=s.cgroup + "/" + "/".join(["c" * 200] * 5))),
        "a part of a cgroup path of 256": timed(lambda s: s.linux.update(cgroupsPath=s.cgroup + "/" + "c" * 256)),
    },
    views=("v2",),
)


def passwd(text, uid=0, args=("/probe", "only:environment")):
    def act(s):
        s.in_rootfs("/etc/passwd", text() if callable(text) else text)
        s.process.update(args=list(args), user={"uid": uid, "gid": uid})
        s.process["env"] = ["PATH=/bin"]
        s.write()
        s.call("run", "run", "-b", s.bundle, s.id)

    return act


LINE = "user:x:1000:1000:user:/home/user:/bin/sh\n"
variants(
    "passwd",
    {
        "a long line": passwd("long:x:1:1:" + "g" * 5000 + ":/long:/bin/sh\n" + LINE, 1000),
        "the user's own line is long": passwd("user:x:1000:1000:" + "g" * 5000 + ":/home/user:/bin/sh\n", 1000),
        "a line of 70 000": passwd("user:x:1000:1000:" + "g" * 70000 + ":/home/user:/bin/sh\n", 1000),
        "above a megabyte": passwd(
            lambda: "".join(f"u{i}:x:{i + 2000}:1:" + "g" * 100 + ":/h:/s\n" for i in range(12000)) + LINE, 1000
        ),
        "no line end": passwd(LINE.strip(), 1000),
        "short lines": passwd("user\n:\nuser:x\nuser:x:1000\n" + LINE, 1000),
        "comments": passwd("# user:x:1000:1000::/no:\n" + LINE, 1000),
        "NIS": passwd("+:::::\n" + LINE, 1000),
        "twice": passwd("a:x:1000:1:a:/a:/a\n" + LINE, 1000),
        "an empty home": passwd("user:x:1000:1000:u::/bin/sh\n", 1000),
        "a relative home": passwd("user:x:1000:1000:u:home:/bin/sh\n", 1000),
        "an unknown id": passwd(LINE, 4321),
        "empty": passwd("", 1000),
        "bytes": passwd("user:x:1000:1000:ü:/hömé:/bin/sh\n", 1000),
        "spaces": passwd("user:x: 1000:1000:u:/home/user:/bin/sh\n", 1000),
        "carriage returns": passwd(LINE.replace("\n", "\r\n"), 1000),
        "a number with zeros": passwd("user:x:01000:1000:u:/home/user:/bin/sh\n", 1000),
        "a huge number": passwd("a:x:4294968296:1:a:/a:/a\n" + LINE, 1000),
    },
    views=("v2",),
)
