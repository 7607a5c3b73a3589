"""exec: every option in its forms, and what the program in the container then meets."""

import json, os
from catalogue import CASES, case, variants
from stand import gone
from steps import up, seq, fill, WAITING

SEEN = ("/probe", "only:identity,environment,arguments,process,session,tty,keyring")


def given(field, value):
    """A config whose process has this field."""
    return lambda s: s.process.__setitem__(field, value)


def user(uid, gid, **more):
    return lambda s: s.process.__setitem__("user", {"uid": uid, "gid": gid, **more})


variants(
    "exec",
    {
        "plain": up(program=SEEN),
        "of a user's container": up(program=SEEN, setup=user(1000, 1000, additionalGids=[5, 6], umask=0o77)),
        "--cwd": up("--cwd", "/tmp"),
        "--cwd relative": up("--cwd", "tmp"),
        "--cwd empty": up("--cwd", ""),
        "--cwd missing": up("--cwd", "/no/such"),
        "--cwd a file": up("--cwd", "/etc/passwd"),
        "--cwd /proc/self/fd": up("--cwd", "/proc/self/fd"),
        "--cwd /proc/self/fd/7": up("--cwd", "/proc/self/fd/7"),
        "--cwd with dots": up("--cwd", "/tmp/../etc"),
        "--cwd by a link": up("--cwd", "/etc/link", setup=lambda s: s.in_rootfs("/etc/link", link="/tmp")),
        "--cwd by a link that leads out": up(
            "--cwd", "/etc/link", setup=lambda s: s.in_rootfs("/etc/link", link="../../../../../tmp")
        ),
        "--cwd that the user may not enter": up("--user", "1000", "--cwd", "/root"),
        "--env": up("--env", "A=b"),
        "-e twice": up("-e", "A=b", "-e", "C=d"),
        "-e the same twice": up("-e", "A=b", "-e", "A=c"),
        "-e beside the config's": up("-e", "PATH=/x:/bin"),
        "-e empty value": up("-e", "A="),
        "-e without =": up("-e", "A"),
        "-e empty": up("-e", ""),
        "-e only =": up("-e", "=x"),
        "-e with spaces": up("-e", "A=b c  d"),
        "-e HOME": up("-e", "HOME=/x"),
        "-e HOME empty": up("-e", "HOME="),
        "-e TERM": up("-e", "TERM=vt100"),
        "-e with a line end": up("-e", "A=b\nc"),
        "-e with bytes": up("-e", b"A=\xff\xfe".decode("utf-8", "surrogateescape")),
        "-e PATH, program by name": up("-e", "PATH=/bin", program=("busybox", "true")),
        "-e PATH away, program by name": up("-e", "PATH=/nowhere", program=("busybox", "true"), says=("not found",)),
        "-e PATH empty, program by name": up("-e", "PATH=", program=("busybox", "true")),
        "without an environment in the config": up(setup=given("env", []), program=SEEN),
        "without PATH in the config, by name": up(setup=given("env", ["A=b"]), program=("true",)),
        "--user number": up("--user", "1000", program=SEEN),
        "--user two numbers": up("--user", "1000:1001", program=SEEN),
        "--user name": up("--user", "user", program=SEEN),
        "--user name and group": up("--user", "user:extra", program=SEEN),
        "--user unknown name": up("--user", "ghost"),
        "--user unknown number": up("--user", "4321", program=SEEN),
        "--user empty": up("--user", ""),
        "--user colon": up("--user", ":"),
        "--user only group": up("--user", ":1001"),
        "--user number and empty group": up("--user", "1000:"),
        "--user below nought": up("--user", "-1"),
        "--user too large": up("--user", "4294967295"),
        "--user much too large": up("--user", "4294967296"),
        "--user gid too large": up("--user", "0:4294967296"),
        "--user three parts": up("--user", "1:2:3"),
        "--user in hex": up("--user", "0x3e8"),
        "--user with zeros": up("--user", "0001000"),
        "--user plus": up("--user", "+5"),
        "--user spaces": up("--user", " 5"),
        "-u twice": up("-u", "5", "-u", "6", program=("/probe", "only:process")),
        "--user of a user's container": up("--user", "7", setup=user(1000, 1000, additionalGids=[5], umask=0o77), program=SEEN),
        "-g": up("-g", "5", program=SEEN),
        "-g twice": up("-g", "5", "-g", "6", program=SEEN),
        "-g with commas": up("-g", "5,6", program=SEEN),
        "-g name": up("-g", "root"),
        "-g empty": up("-g", ""),
        "-g too large": up("-g", "4294967296"),
        "-g below nought": up("-g", "-1"),
        "-g beside the config's": up("-g", "9", setup=user(0, 0, additionalGids=[5, 6]), program=SEEN),
        "--additional-gids": up("--additional-gids", "77", program=SEEN),
        "--cap": up("--cap", "CAP_SYS_ADMIN", program=SEEN),
        "-c twice": up("-c", "CAP_SYS_ADMIN", "-c", "CAP_NET_ADMIN", program=SEEN),
        "--cap small letters": up("--cap", "cap_sys_admin", program=SEEN),
        "--cap short": up("--cap", "SYS_ADMIN", program=SEEN),
        "--cap unknown": up("--cap", "CAP_NOPE", program=SEEN),
        "--cap empty": up("--cap", "", program=SEEN),
        "--cap ALL": up("--cap", "ALL", program=SEEN),
        "--cap for a user": up("--cap", "CAP_NET_RAW", "--user", "1000", program=SEEN),
        "--cap a new one for a user": up("--cap", "CAP_SYS_ADMIN", "--user", "1000", program=SEEN),
        "--cap inheritable in the config, user": up(
            "--cap",
            "CAP_SYS_ADMIN",
            "--user",
            "1000",
            program=SEEN,
            setup=lambda s: s.process["capabilities"].__setitem__("inheritable", ["CAP_SYS_ADMIN"]),
        ),
        "--cap two, one inheritable": up(
            "--cap",
            "CAP_SYS_ADMIN",
            "--cap",
            "CAP_SYS_TIME",
            "--user",
            "1000",
            program=SEEN,
            setup=lambda s: s.process["capabilities"].__setitem__("inheritable", ["CAP_SYS_TIME"]),
        ),
        "ambient in the config": up(
            "--user",
            "1000",
            program=SEEN,
            setup=lambda s: s.process["capabilities"].update(inheritable=["CAP_NET_RAW"], ambient=["CAP_NET_RAW"]),
        ),
        "no capabilities in the config": up(program=SEEN, setup=lambda s: s.process.pop("capabilities")),
        "--cap without capabilities in the config": up(
            "--cap", "CAP_SYS_ADMIN", program=SEEN, setup=lambda s: s.process.pop("capabilities")
        ),
        "empty capabilities in the config": up(program=SEEN, setup=given("capabilities", {})),
        "--no-new-privs": up("--no-new-privs", program=SEEN),
        "--no-new-privs=false": up("--no-new-privs=false", program=SEEN),
        "no new privileges in the config": up(program=SEEN, setup=given("noNewPrivileges", True)),
        "--no-new-privs=false beside the config": up("--no-new-privs=false", program=SEEN, setup=given("noNewPrivileges", True)),
        "--apparmor": up("--apparmor", "nope", program=SEEN),
        "--apparmor empty": up("--apparmor", "", program=SEEN),
        "--process-label": up("--process-label", "a:b:c", program=SEEN),
        "--process-label empty": up("--process-label", "", program=SEEN),
        "--tty without a terminal": up("--tty", program=("/probe", "only:tty")),
        "--detach": up("--detach"),
        "--detach of what is not there": up("--detach", program=("/nope",)),
        "--ignore-paused": up("--ignore-paused"),
        "--preserve-fds": up("--preserve-fds", "1", program=("/probe", "only:fd,environment")),
        "--preserve-fds=abc": up("--preserve-fds=abc"),
        "--preserve-fds -1": up("--preserve-fds", "-1"),
        "--preserve-fds 0x0": up("--preserve-fds", "0x0"),
        "--preserve-fds 100": up("--preserve-fds", "100", program=("/probe", "only:fd,environment")),
        "--preserve-fds empty": up("--preserve-fds="),
        "--preserve-fds with LISTEN_FDS": up(
            "--preserve-fds", "1", program=("/probe", "only:fd,environment"), env={"LISTEN_FDS": "1", "LISTEN_PID": "1"}
        ),
        "LISTEN_FDS": up(program=("/probe", "only:fd,environment"), env={"LISTEN_FDS": "2"}),
        "--cgroup missing": up("--cgroup", "sub", program=("/probe", "only:none", "read:/proc/self/cgroup")),
        "--cgroup /": up("--cgroup", "/", program=("/probe", "only:none", "read:/proc/self/cgroup")),
        "--cgroup outside": up("--cgroup", "../..", says=("bad sub cgroup path", "sub.?cgroup")),
        "--cgroup empty": up("--cgroup", "", program=("/probe", "only:none", "read:/proc/self/cgroup")),
        "--cgroup of a controller": up("--cgroup", "pids:sub"),
        "--cgroup of no controller": up("--cgroup", "nope:/"),
        "--cgroup twice": up("--cgroup", "/", "--cgroup", "/"),
        "--cgroup dots": up("--cgroup", "./a/.."),
        "no program": lambda s: s.alive() and s.call("exec", "exec", s.id),
        "an empty program": up(program=("",), says=("no such file",)),
        "a directory": up(program=("/tmp",), says=("permission denied", "is a directory")),
        "a file that cannot be run": up(program=("/etc/passwd",), says=("permission denied",)),
        "what is not there": up(program=("/nope",), says=("no such file or directory", "exec.*/nope")),
        "what is not in PATH": up(program=("nope",), says=("not found", "exec.*nope", "in .PATH")),
        "a script without its interpreter": up(
            program=("/script",), says=("no such file or directory",), setup=lambda s: s.in_rootfs("/script", "#!/no/sh\n", 0o755)
        ),
        "a script": up(
            program=("/script", "a"), setup=lambda s: s.in_rootfs("/script", "#!/bin/sh\necho $0 $1\n", 0o755), show="out"
        ),
        "a script without its first line": up(
            program=("/script",), says=("exec format error",), setup=lambda s: s.in_rootfs("/script", "echo x\n", 0o755)
        ),
        "an empty file": up(program=("/script",), setup=lambda s: s.in_rootfs("/script", "", 0o755)),
        "a relative program": up("--cwd", "/bin", program=("./true",)),
        "a relative program below": up("--cwd", "/", program=("bin/true",)),
        "a link that leads nowhere": up(
            program=("/link",), setup=lambda s: s.in_rootfs("/link", link="/no/where"), says=("no such file",)
        ),
        "a link to itself": up(
            program=("/link",), setup=lambda s: s.in_rootfs("/link", link="/link"), says=("too many levels", "Too many levels")
        ),
        "a program of another user's": up(
            "--user",
            "1000",
            program=("/own",),
            setup=lambda s: os.chmod(s.in_rootfs("/own", "#!/bin/sh\n"), 0o700),
            says=("permission denied",),
        ),
        "below a directory that is closed": up(
            "--user",
            "1000",
            program=("/root/x",),
            setup=lambda s: s.in_rootfs("/root/x", "#!/bin/sh\n", 0o755),
            says=("permission denied",),
        ),
        "a program without a right to run, with CAP_DAC_OVERRIDE": up(
            "--cap",
            "CAP_DAC_OVERRIDE",
            "--user",
            "1000",
            program=("/own",),
            setup=lambda s: (
                os.chmod(s.in_rootfs("/own", "#!/bin/sh\necho ran\n"), 0o744),
                s.process["capabilities"].__setitem__("inheritable", ["CAP_DAC_OVERRIDE"]),
            ),
            show="out",
        ),
        "a fifo": up(program=("/fifo",), setup=lambda s: os.mkfifo(s.rootfs + "/fifo", 0o755)),
        "a device": up(program=("/dev/null",), says=("permission denied",)),
        "below a file": up(program=("/etc/passwd/x",), says=("not a directory",)),
        "a long name": up(program=("/" + "x" * 300,), says=("name too long", "no such file")),
        "many arguments": up(program=("/bin/true", *["x" * 100] * 500)),
        "an argument too long": up(program=("/bin/sh", "-c", "true", "x" * 131071)),
        "an empty argument": up(program=("/probe", "only:arguments", "arg:", "")),
        "exit 0": up(program=("/bin/true",)),
        "exit 1": up(program=("/bin/false",)),
        "exit 255": up(program=("/bin/sh", "-c", "exit 255")),
        "ended by TERM": up(program=("/bin/sh", "-c", "kill -TERM $$")),
        "ended by KILL": up(program=("/probe", "only:none", "kill:9")),
        "ended by a signal of real time": up(program=("/probe", "only:none", "kill:40")),
        "a child that stays": up(program=("/bin/sh", "-c", "sleep 40 >/dev/null 2>&1 </dev/null & exit 4")),
        "standard input": lambda s: s.alive()
        and s.call("exec", "exec", s.id, "/bin/cat", stdin=open(f"{s.bundle}/config.json"), show="out")
        and None,
        "a rlimit in the config": up(program=SEEN, setup=given("rlimits", [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}])),
        "a score in the config": up(program=SEEN, setup=given("oomScoreAdj", 321)),
        "a scheduler in the config": up(program=SEEN, setup=given("scheduler", {"policy": "SCHED_BATCH", "nice": 4})),
        "an ioPriority in the config": up(program=SEEN, setup=given("ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 6})),
        "seccomp of the config": up(program=("/probe", "only:calls,process")),
        "a terminal in the config": up(program=("/probe", "only:tty,fd"), setup=given("terminal", False)),
        "from a terminal, with -t": up("-t", program=("/probe", "only:tty,fd,session"), terminal=True),
        "from a terminal": up(program=("/probe", "only:tty,fd,session"), terminal=True),
        "what hidepid hides": up(
            "--user",
            "1000",
            program=("/probe", "only:process"),
            setup=lambda s: s.mount_at("/proc").update(options=["hidepid=2"]),
        ),
        "the descriptors that it gets": up(program=("/probe", "only:fd")),
        "its namespaces": up(program=("/probe", "only:namespaces,cgroups")),
        "its mounts": up(program=("/probe", "only:mounts")),
        "an execCPUAffinity": up(program=SEEN, setup=given("execCPUAffinity", {"initial": "0", "final": "0"})),
        "an execCPUAffinity that is odd": up(program=SEEN, setup=given("execCPUAffinity", {"initial": "x"})),
    },
)


@case("exec: --pid-file, detached")
def _(s):
    if s.alive():
        s.call("exec", "exec", "-d", "--pid-file", f"{s.dir}/pid", s.id, "/bin/sleep", "30")
        text = open(f"{s.dir}/pid").read() if os.path.exists(f"{s.dir}/pid") else "none"
        s.see(
            "pid file",
            f"{os.stat(f'{s.dir}/pid').st_mode:o} {'a number' if text.isdigit() else text}" if text != "none" else text,
        )
        s.until(lambda: gone(text) or "sleep" in open(f"/proc/{text}/cmdline").read())
        s.see(
            "its program",
            (
                open(f"/proc/{text}/cmdline").read().replace("\0", " ")
                if text.isdigit() and os.path.exists(f"/proc/{text}")
                else "gone"
            ),
        )


# --- --process ---


def process(
    change=None,
    program=("/probe", "only:identity,environment,arguments,process"),
    text=None,
    options=(),
    words=(),
    setup=None,
    base=None,
    says=(),
    **how,
):
    def act(s):
        if setup:
            setup(s)
        if not s.alive():
            return
        spec = (
            base
            if base is not None
            else {"cwd": "/", "args": list(program), "env": ["PATH=/bin", "X=y"], "user": {"uid": 0, "gid": 0}}
        )
        spec = json.loads(json.dumps(spec))
        if callable(change):
            change(spec)
        elif change:
            spec.update(change)
        with open(f"{s.dir}/process.json", "w") as f:
            f.write(text if text is not None else json.dumps(spec))
        s.call("exec", "exec", *fill(s, options), "--process", f"{s.dir}/process.json", s.id, *words, **how)
        s.says("exec", *says)

    return act


CAPS = {k: ["CAP_NET_RAW", "CAP_CHOWN"] for k in ("bounding", "effective", "permitted")}
variants(
    "exec --process",
    {
        "plain": process(),
        "and words too": process(words=("/bin/false",)),
        "empty file": process(text=""),
        "no JSON": process(text="{"),
        "null": process(text="null"),
        "an empty object": process(text="{}"),
        "a list": process(text="[]"),
        "no args": process({"args": None}),
        "empty args": process({"args": []}),
        "args with null": process({"args": ["/bin/true", None]}),
        "no cwd": process(lambda p: p.pop("cwd")),
        "relative cwd": process({"cwd": "tmp"}),
        "empty cwd": process({"cwd": ""}),
        "cwd missing": process({"cwd": "/no/such"}),
        "no env": process(lambda p: p.pop("env")),
        "env without =": process({"env": ["PATH=/bin", "X"]}),
        "env twice": process({"env": ["PATH=/bin", "X=1", "X=2"]}),
        "no user": process(lambda p: p.pop("user")),
        "a user": process({"user": {"uid": 1000, "gid": 1000, "additionalGids": [5, 6], "umask": 0o27}}),
        "a user's name": process({"user": {"username": "user"}}),
        "user too large": process({"user": {"uid": 4294967296, "gid": 0}}),
        "user below nought": process({"user": {"uid": -1, "gid": 0}}),
        "a umask too large": process({"user": {"uid": 0, "gid": 0, "umask": 0o7777}}),
        "capabilities": process({"capabilities": CAPS}),
        "empty capabilities": process({"capabilities": {}}),
        "an unknown capability": process({"capabilities": {"bounding": ["CAP_NOPE"]}}),
        "ambient": process({"capabilities": {**CAPS, "inheritable": ["CAP_NET_RAW"], "ambient": ["CAP_NET_RAW"]}}),
        "ambient alone": process({"capabilities": {**CAPS, "ambient": ["CAP_NET_RAW"]}}),
        "rlimits": process({"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}]}),
        "rlimit twice": process(
            {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}, {"type": "RLIMIT_NOFILE", "soft": 32, "hard": 128}]}
        ),
        "rlimit unknown": process({"rlimits": [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]}),
        "rlimit soft above hard": process({"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 65, "hard": 64}]}),
        "noNewPrivileges": process({"noNewPrivileges": True}),
        "oomScoreAdj": process({"oomScoreAdj": 123}),
        "oomScoreAdj below nought": process({"oomScoreAdj": -500}),
        "oomScoreAdj too large": process({"oomScoreAdj": 1001}),
        "scheduler": process({"scheduler": {"policy": "SCHED_BATCH", "nice": 3}}),
        "nice outside": process({"scheduler": {"policy": "SCHED_OTHER", "nice": 40}}),
        "nice far below": process({"scheduler": {"policy": "SCHED_OTHER", "nice": -40}}),
        "scheduler unknown": process({"scheduler": {"policy": "SCHED_NOPE"}}),
        "scheduler idle": process({"scheduler": {"policy": "SCHED_IDLE"}}),
        "ioPriority": process({"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 5}}),
        "ioPriority above 7": process({"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 9}}),
        "ioPriority below nought": process({"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": -1}}),
        "ioPriority unknown": process({"ioPriority": {"class": "IOPRIO_CLASS_X"}}),
        "ioPriority idle": process({"ioPriority": {"class": "IOPRIO_CLASS_IDLE"}}),
        "consoleSize without a terminal": process({"consoleSize": {"height": 10, "width": 20}}),
        "consoleSize with a terminal": process(
            {"terminal": True, "consoleSize": {"height": 10, "width": 20}}, program=("/probe", "only:tty"), terminal=True
        ),
        "consoleSize too large": process(
            {"terminal": True, "consoleSize": {"height": 70000, "width": 20}}, program=("/probe", "only:tty"), terminal=True
        ),
        "terminal without one": process({"terminal": True}, program=("/probe", "only:tty")),
        "apparmorProfile": process({"apparmorProfile": "nope"}),
        "selinuxLabel": process({"selinuxLabel": "a:b:c"}),
        "unknown field": process({"nope": 1}),
        "another case": process(lambda p: p.update(CWD=p.pop("cwd"), ARGS=p.pop("args"))),
        "keys twice": process(text='{"cwd":"/","cwd":"/tmp","args":["/probe","only:identity"],"env":[]}'),
        "cwd a number": process({"cwd": 3}),
        "args a string": process({"args": "/bin/true"}),
        "env a string": process({"env": "A=b"}),
        "env an object": process({"env": {"A": "b"}}),
        "terminal a string": process({"terminal": "yes"}),
        "a text after the value": process(text='{"cwd":"/","args":["/bin/true"]} x'),
        "--user beside it": process(options=("--user", "7")),
        "--cwd beside it": process(options=("--cwd", "/tmp")),
        "--env beside it": process(options=("-e", "X=z")),
        "--cap beside it": process({"capabilities": CAPS}, options=("--cap", "CAP_SYS_ADMIN")),
        "--no-new-privs beside it": process(options=("--no-new-privs",)),
        "--tty beside it": process(options=("--tty",), program=("/probe", "only:tty"), terminal=True),
        "-g beside it": process(options=("-g", "9")),
        "the container's own rlimits": process(setup=given("rlimits", [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}])),
        "the container's own score": process(setup=given("oomScoreAdj", 321)),
        "without capabilities, those of the container": process(lambda p: p.pop("capabilities", None)),
        "execCPUAffinity": process({"execCPUAffinity": {"initial": "0", "final": "1"}}),
        "execCPUAffinity odd": process({"execCPUAffinity": {"final": "x"}}),
        "commandLine": process({"commandLine": "x"}),
        "HOME": process({"env": ["HOME=/x", "PATH=/bin"]}),
        "HOME empty": process({"env": ["HOME=", "PATH=/bin"]}),
        "missing file": lambda s: s.alive() and s.call("exec", "exec", "--process", "/no/file", s.id),
        "a directory": lambda s: s.alive() and s.call("exec", "exec", "--process", "/tmp", s.id),
        "empty name": lambda s: s.alive() and s.call("exec", "exec", "--process", "", s.id, "/bin/true"),
        "seccomp of the container": process(program=("/probe", "only:calls")),
    },
    views=("v2",),
)


@case("exec --process: from a slow writer")
def _(s):
    import threading, time

    if not s.alive():
        return
    read, write = os.pipe()
    text = json.dumps({"cwd": "/", "args": ["/probe", "only:identity"], "env": []}).encode()

    def slowly():
        for part in (text[:10], text[10:30], text[30:]):
            time.sleep(0.02)
            os.write(write, part)
        os.close(write)

    thread = threading.Thread(target=slowly)
    thread.start()
    s.call("exec", "exec", "--process", f"/dev/fd/{read}", s.id, pass_fds=(read,))
    thread.join()
    os.close(read)


# Where both peers are; the groups below are another matter on v1.
for name, one in CASES.items():
    if name.startswith("exec: ") and "cgroup" not in name:
        one.views = ("v2",)
