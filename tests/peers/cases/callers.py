"""Callers with odd inheritance: what the runtime makes of it, and what the container gets of it."""

import ctypes, os, resource, signal, subprocess
from catalogue import case, variants
from steps import fill

SEEN = ["/probe", "only:process,fd,environment,identity,session"]


def limit(kind, soft, hard=None):
    return lambda: resource.setrlimit(getattr(resource, "RLIMIT_" + kind), (soft, soft if hard is None else hard))


def closed(*fds):
    return lambda: [os.close(fd) for fd in fds]


def blocked(*signals):
    return lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signals)


def ignored(*signals):
    return lambda: [signal.signal(s, signal.SIG_IGN) for s in signals]


def chain(*acts):
    return lambda: [act() for act in acts]


def cwd_gone(directory):
    def act():
        os.mkdir(directory)
        os.chdir(directory)
        os.rmdir(directory)

    return act


def prctl(*numbers):
    return lambda: ctypes.CDLL(None).prctl(*numbers)


CALLERS = {
    "SIGCHLD ignored": ignored(signal.SIGCHLD),
    "SIGPIPE ignored": ignored(signal.SIGPIPE),
    "TERM and HUP ignored": ignored(signal.SIGTERM, signal.SIGHUP, signal.SIGINT),
    "all that can be are ignored": ignored(*[s for s in range(1, 32) if s not in (9, 19)]),
    "SIGCHLD blocked": blocked(signal.SIGCHLD),
    "TERM blocked": blocked(signal.SIGTERM, signal.SIGINT),
    "all blocked": blocked(*signal.valid_signals()),
    "a signal of real time blocked": blocked(40),
    "umask 0": lambda: os.umask(0),
    "umask 077": lambda: os.umask(0o77),
    "umask 0777": lambda: os.umask(0o777),
    "umask 0177": lambda: os.umask(0o177),
    "no file may grow": limit("FSIZE", 0),
    "files of one block": limit("FSIZE", 512),
    "few descriptors": limit("NOFILE", 20, 1024),
    "very few descriptors": limit("NOFILE", 10, 1024),
    "few descriptors, hard": limit("NOFILE", 20),
    "twelve descriptors, hard": limit("NOFILE", 12),
    "eight descriptors, hard": limit("NOFILE", 8),
    "many descriptors": limit("NOFILE", 1024, 4096),
    "a small stack": limit("STACK", 1 << 20),
    "core dumps": limit("CORE", 0),
    "little data": limit("DATA", 32 << 20),
    "little address space": limit("AS", 1 << 30),
    "no locked memory": limit("MEMLOCK", 0),
    "little time": limit("CPU", 5, 10),
    "few processes": limit("NPROC", 1),
    "no messages": limit("MSGQUEUE", 0),
    "no signals pending": limit("SIGPENDING", 0),
    "no standard input": closed(0),
    "no standard output": closed(1),
    "no standard error": closed(2),
    "no standard streams": closed(0, 1, 2),
    "no input and output": closed(0, 1),
    "affinity to one": lambda: os.sched_setaffinity(0, {0}),
    "affinity to the other": lambda: os.sched_setaffinity(0, {1}),
    "nice": lambda: os.nice(5),
    "batch": lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)),
    "idle": lambda: os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)),
    "round robin": lambda: os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(3)),
    "personality": lambda: ctypes.CDLL(None).personality(0x0040000),
    "no new privileges": prctl(38, 1, 0, 0, 0),
    "not dumpable": prctl(4, 0, 0, 0, 0),
    "a subreaper": prctl(36, 1, 0, 0, 0),
    "a death signal": prctl(1, 15, 0, 0, 0),
    "timer slack": prctl(29, 1000000, 0, 0, 0),
    "a score": lambda: open("/proc/self/oom_score_adj", "w").write("300"),
    "a core filter": lambda: open("/proc/self/coredump_filter", "w").write("0x7"),
    "groups": lambda: os.setgroups([7, 8, 9]),
    "no groups": lambda: os.setgroups([]),
    "another gid": lambda: os.setgid(1000),
    "an io priority": lambda: ctypes.CDLL(None).syscall(251, 1, 0, (2 << 13) | 7),
    "its working directory gone": lambda: cwd_gone(f"/tmp/rr-gone-{os.getpid()}")(),
    "a working directory in proc": lambda: os.chdir("/proc/self"),
    "descriptors without close-on-exec": lambda: [os.dup2(1, n, inheritable=True) for n in (5, 17, 130)],
    "an alarm": lambda: signal.alarm(30),
    "a timer": lambda: signal.setitimer(signal.ITIMER_REAL, 30),
    "a new session": lambda: None,
    "not a leader of a session": lambda: os.getpid() == os.getsid(0),
}


def under(before, command):
    def act(s):
        s.process["args"] = list(SEEN)
        if command == "run":
            s.write()
            s.call("run", "run", "-b", s.bundle, s.id, before=before)
            s.residue()
        elif command == "life":
            s.write()
            ended = s.call("create", "create", "-b", s.bundle, s.id, before=before)
            if ended.code == 0:
                s.pid = (s.state("created") or {}).get("pid")
                s.call("start", "start", s.id, before=before)
                s.see("program", s.wait(s.pid))
                s.lines(open(f"{s.dir}/create.out", errors="replace").read(), "in")
                s.call("delete", "delete", s.id, before=before)
            s.residue()
        elif command == "exec":
            s.process["args"] = ["/probe"]
            if s.alive():
                s.call("exec", "exec", s.id, *SEEN, before=before)
        else:
            s.process["args"] = ["/probe"]
            if s.alive():
                for label, line in (
                    ("state", ("state", s.id)),
                    ("ps", ("ps", "-f", "json", s.id)),
                    ("pause", ("pause", s.id)),
                    ("resume", ("resume", s.id)),
                    ("update", ("update", "--pids-limit", "50", s.id)),
                    ("list", ("list", "-q")),
                    ("kill", ("kill", s.id, "KILL")),
                    ("delete", ("delete", "-f", s.id)),
                ):
                    s.call(label, *line, before=before)
                s.residue()

    return act


for command in ("run", "life", "exec", "others"):
    # Small limits are felt most where there are many hierarchies.
    small = {
        name: before
        for name, before in CALLERS.items()
        if "few" in name or "descriptors" in name or "file" in name or "SIGCHLD" in name
    }
    variants(
        f"caller, {command}",
        {name: under(before, command) for name, before in (CALLERS if command in ("run", "exec") else small).items()},
        views=("v2",),
    )
    variants(f"caller on v1, {command}", {name: under(before, command) for name, before in small.items()}, views=("native",))

ENVIRONMENTS = {
    "empty": {},
    "no PATH": {"LANG": "C"},
    "PATH empty": {"PATH": ""},
    "PATH odd": {"PATH": ":::.:/nope"},
    "HOME": {"HOME": "/x", "PATH": "/bin"},
    "XDG_RUNTIME_DIR": {"XDG_RUNTIME_DIR": "/nope", "PATH": "/bin"},
    "TMPDIR": {"TMPDIR": "/nope", "PATH": "/bin"},
    "USER": {"USER": "other", "PATH": "/bin"},
    "a variable twice": {"PATH": "/bin", "A": "1"},
    "NOTIFY_SOCKET": {"NOTIFY_SOCKET": "/nope/notify", "PATH": "/bin"},
    "NOTIFY_SOCKET empty": {"NOTIFY_SOCKET": "", "PATH": "/bin"},
    "NOTIFY_SOCKET relative": {"NOTIFY_SOCKET": "notify", "PATH": "/bin"},
    "NOTIFY_SOCKET abstract": {"NOTIFY_SOCKET": "@notify", "PATH": "/bin"},
    "GODEBUG": {"GODEBUG": "x=1", "PATH": "/bin"},
    "LD_PRELOAD": {"LD_PRELOAD": "/nope.so", "PATH": "/bin"},
    "LC_ALL": {"LC_ALL": "de_DE.UTF-8", "PATH": "/bin"},
    "_LIBCONTAINER": {"_LIBCONTAINER_INITTYPE": "standard", "_LIBCONTAINER_LOGLEVEL": "5", "PATH": "/bin"},
    "a large one": {"PATH": "/bin", "X": "y" * 100000},
    "MALLOC": {"MALLOC_PERTURB_": "42", "PATH": "/bin"},
    "TZ": {"TZ": "Nowhere/City", "PATH": "/bin"},
    "LISTEN_PID alone": {"LISTEN_PID": "1", "PATH": "/bin"},
}


def with_environment(environment):
    def act(s):
        s.process["args"] = list(SEEN)
        s.environment = environment
        s.write()
        s.call("run", "run", "-b", s.bundle, s.id)
        s.hook("createRuntime")
        s.process["args"] = ["/probe", "only:none"]
        s.write()
        s.call("hook", "run", "-b", s.bundle, s.id)
        s.hooks_seen()
        s.residue()

    return act


variants("caller's environment", {name: with_environment(e) for name, e in ENVIRONMENTS.items()}, views=("v2",))

HOOKS = {
    k: CALLERS[k]
    for k in (
        "SIGCHLD ignored",
        "all that can be are ignored",
        "all blocked",
        "umask 0777",
        "descriptors without close-on-exec",
        "no standard streams",
        "affinity to one",
        "nice",
    )
}


def hooks(before):
    def act(s):
        for kind in ("createRuntime", "createContainer", "startContainer", "poststart", "poststop"):
            s.hook(kind)
        s.process["args"] = ["/probe", "only:none"]
        s.write()
        s.call("create", "create", "-b", s.bundle, s.id, before=before)
        s.pid = (s.state("created") or {}).get("pid")
        s.call("start", "start", s.id, before=before)
        s.see("program", s.wait(s.pid))
        s.call("delete", "delete", s.id, before=before)
        s.hooks_seen()

    return act


variants("caller, hooks", {k: hooks(v) for k, v in HOOKS.items()})


@case("caller: in a pid namespace of its own")
def _(s):
    s.process["args"] = list(SEEN)
    s.write()
    line = ["unshare", "-pf", "--mount-proc", *s.command("run", "-b", s.bundle, s.id)]
    out = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, env=s.environment, timeout=20)
    s.ran = True
    s.see("run.exit", out.returncode)
    s.lines(out.stdout.decode(), "in")
