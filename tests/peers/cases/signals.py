"""kill and its signals; who gets what of a runtime's own signals."""

import json, os, re, signal, subprocess
from catalogue import variants
from stand import read
from steps import fill, gone, settled, status

TRAP = [
    "/bin/sh",
    "-c",
    'for s in HUP INT QUIT USR1 USR2 TERM CONT WINCH ALRM; do trap "echo end.got $s >/got; exit 7" $s; done; echo asleep; while :; do sleep 0.02; done',
]


def kill(*line, program=None):
    def act(s):
        s.process["args"] = program or ["/probe", "only:none", "sleep:60"]
        s.process.setdefault("rlimits", []).append({"type": "RLIMIT_CORE", "soft": 0, "hard": 0})
        if s.alive():
            if program:
                s.until(lambda: "asleep" in open(f"{s.dir}/create.out").read())
            s.call("kill", "kill", *fill(s, line))
            if s.seen["kill.exit"] == "0":
                s.until(lambda: gone(s.pid) or (not program and settled(s.pid)))
            s.see("program", s.wait(s.pid) if gone(s.pid) else "lives")

    return act


variants(
    "kill",
    {
        "no signal": kill("ID", program=TRAP),
        **{f"signal {x}": kill("ID", x) for x in ("KILL", "SIGKILL", "kill", "sigkill", "9", "SigKill", "+9", "09", "0x9")},
        **{
            f"signal {x}, caught": kill("ID", x, program=TRAP)
            for x in ("TERM", "HUP", "SIGHUP", "INT", "USR1", "10", "WINCH", "CONT", "ALRM")
        },
        **{
            f"signal {x or 'empty'}": kill("ID", x)
            for x in (
                "0",
                "EXIT",
                "",
                "NOPE",
                "65",
                "64",
                "-1",
                "999",
                "RTMIN",
                "RTMIN+1",
                "SIGRTMIN+3",
                "RTMAX",
                "RTMAX-1",
                "CLD",
                "IOT",
                "POLL",
                "SIGSTKFLT",
                "UNUSED",
                "SIG",
                "4294967305",
                "9 ",
                "STOP",
                "KILL TERM",
            )
        },
        "-9": kill("-9", "ID"),
        "-0": kill("ID", "-0"),
        "-KILL": kill("-KILL", "ID"),
        "-s KILL": kill("-s", "KILL", "ID"),
        "id last": kill("KILL", "ID"),
        "two signals": kill("ID", "TERM", "KILL"),
        "no id": kill(),
        "--all": kill("--all", "ID", "KILL"),
        "-a": kill("-a", "ID", "KILL"),
        "--all behind": kill("ID", "KILL", "--all"),
        "--all TERM": kill("--all", "ID", "TERM", program=TRAP),
        "--regex": kill("--regex", "cmp.*", "KILL"),
    },
    views=("v2",),
)

variants(
    "kill, without a pid namespace",
    {
        "KILL, with children": lambda s: (
            s.without_namespace("pid"),
            kill("ID", "KILL", program=["/bin/sh", "-c", "sleep 60 & echo asleep; wait"])(s),
            s.call("delete", "delete", "-f", s.id),
            s.residue(),
        ),
        "--all KILL": lambda s: (
            s.without_namespace("pid"),
            kill("--all", "ID", "KILL", program=["/bin/sh", "-c", "sleep 60 & echo asleep; wait"])(s),
            s.call("delete", "delete", "-f", s.id),
            s.residue(),
        ),
        "children that outlive it": lambda s: (s.without_namespace("pid"), s.sh("sleep 60 >/dev/null 2>&1 & exit 0"), s.life()),
    },
)


def waited_for(s, command):
    """The shell that the runtime waits for."""
    status(s)
    if command == "run":
        return getattr(s, "pid", 0)
    inside = s.quiet("ps", "-f", "json", s.id).out
    return next((pid for pid in json.loads(inside or "[]") if pid != s.pid and "trap" in read(f"/proc/{pid}/cmdline")), 0)


def looked(pid, before):
    """How often a process has gone to sleep since."""
    return int((re.findall(r"^voluntary_ctxt_switches:\s*(\d+)", read(f"/proc/{pid}/status"), re.M) or [10**9])[0]) - before


def forwarded(number, command="run", ends=7):
    """A signal to the runtime that waits in the foreground."""

    def act(s):
        s.ran = True
        out = f"{s.dir}/front.out"
        if command == "run":
            s.process["args"] = TRAP
            s.write()
            line = s.command("run", "-b", s.bundle, s.id)
        else:
            if not s.alive():
                return
            line = s.command("exec", s.id, *TRAP)
        with open(out, "wb") as f:
            front = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=f,
                stderr=subprocess.STDOUT,
                env=s.environment,
                cwd=s.cwd,
                start_new_session=True,
            )
        s.until(lambda: "asleep" in open(out).read(), 10)
        front.send_signal(number)
        # What is passed on ends the shell within a turn of its loop.
        s.until(lambda: front.poll() is not None or settled(front.pid))
        turns = looked(shell := waited_for(s, command), 0)
        s.until(lambda: front.poll() is not None or (settled(front.pid) and looked(shell, turns) >= 4))
        if front.poll() is None and gone(shell):
            s.until(lambda: front.poll() is not None)
        s.see("front.exit", "waits" if front.poll() is None else front.returncode)
        front.kill()
        front.wait()
        s.see("container got", open(f"{s.rootfs}/got").read().strip() if os.path.exists(f"{s.rootfs}/got") else "nothing")

    return act


variants(
    "signal to the runtime",
    {
        f"{name} to {command}": forwarded(getattr(signal, "SIG" + name), command)
        for command in ("run", "exec")
        for name in ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "CONT", "WINCH", "ALRM", "KILL")
    },
    views=("v2",),
)
