"""Words that scripts look for in error messages: under each peer's name the peer's phrase stands in the line."""

import os
from catalogue import CASES, variants
from steps import fill, on_running, up


def failing(change, *phrases, hooks=False, life=False):
    def act(s):
        s.process["args"] = ["/bin/true"]
        change(s)
        s.write()
        if life:
            s.call("run", "create", "-b", s.bundle, s.id)
            s.call("start", "start", s.id)
            open(f"{s.dir}/run.err", "a").write(open(f"{s.dir}/start.err").read())
        else:
            s.call("run", "run", "-b", s.bundle, s.id)
        s.says("run", *phrases)
        s.residue()

    return act


def hook(kind, *, second=False, code=3, path=None, timeout=None):
    def change(s):
        if second:
            s.hook(kind)
        s.hook(
            kind,
            *(["sleep:4"] if timeout else []),
            f"exit:{code}",
            "say:the hook says so",
            **({"path": path} if path else {}),
            **({"timeout": timeout} if timeout else {}),
        )

    return change


for kind in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"):
    phrases = (f"error running {kind} hook", r"hook #?0", "exit status 3", "the hook says so")
    variants(
        "words, hook",
        {
            f"{kind} fails": failing(hook(kind), *phrases),
            f"{kind}, the second fails": failing(hook(kind, second=True), f"error running {kind} hook #1", "hook #?1"),
            f"{kind} is not there": failing(hook(kind, path="/nope"), "no such file or directory", kind),
            f"{kind} takes too long": failing(
                hook(kind, timeout=1), "hook ran past specified timeout", "context deadline|timeout"
            ),
            f"{kind} fails, in a life": failing(hook(kind), *phrases, life=True),
        },
    )

variants(
    "words",
    {
        "a program that is not there": failing(
            lambda s: s.process.update(args=["/nope"]),
            r'exec: "/nope"',
            "no such file or directory",
            "exec /nope",
            "executable file .* not found",
        ),
        "a program that is not in PATH": failing(
            lambda s: s.process.update(args=["nope"]), r'exec: "nope"', r"executable file not found in \$PATH", "not found"
        ),
        "a directory": failing(lambda s: s.process.update(args=["/tmp"]), "permission denied", "is a directory"),
        "empty": failing(lambda s: s.process.update(args=[""]), "executable file"),
        "not executable": failing(lambda s: s.process.update(args=["/etc/passwd"]), "permission denied"),
        "a script without its interpreter": failing(
            lambda s: (s.in_rootfs("/s", "#!/no\n", 0o755), s.process.update(args=["/s"])), "no such file or directory", "exec /s"
        ),
        "not a program": failing(
            lambda s: (s.in_rootfs("/s", "text", 0o755), s.process.update(args=["/s"])), "exec format error"
        ),
        "no args": failing(lambda s: s.process.update(args=[]), "args must not be empty"),
        "no cwd": failing(lambda s: s.process.update(cwd=""), "[Cc]wd"),
        "a relative cwd": failing(lambda s: s.process.update(cwd="tmp"), "absolute path"),
        "cwd is a file": failing(lambda s: s.process.update(cwd="/etc/passwd"), "not a directory", "chdir to cwd"),
        "cwd out of the container": failing(lambda s: s.process.update(cwd="/proc/self/fd/7"), "[Cc]wd", "cwd"),
        "proc is a link": failing(
            lambda s: (os.rmdir(s.rootfs + "/proc"), s.in_rootfs("/proc", link="sys")),
            "must be mounted on ordinary directory",
            "symlink",
        ),
        "sys is a link": failing(
            lambda s: (os.rmdir(s.rootfs + "/sys"), s.in_rootfs("/sys", link="tmp")),
            "must be mounted on ordinary directory",
            "symlink",
        ),
        "a mount inside proc": failing(
            lambda s: s.mount("/proc/net/x", "tmpfs", "tmpfs", []), "inside /proc", "cannot be mounted"
        ),
        "a bind over proc": failing(
            lambda s: s.mount("/proc", "bind", s.on_host("p"), ["bind"]), "inside /proc", "cannot be mounted"
        ),
        "no source": failing(lambda s: s.mount("/m", "bind", "/no/such", ["bind"]), "no such file or directory"),
        "no type": failing(lambda s: s.mount("/m", "nopefs", "x", []), "no such device", "unknown filesystem"),
        "a relative destination": failing(lambda s: s.mount("m", "tmpfs", "tmpfs", []), "mount destination|absolute"),
        "an option that is not known": failing(lambda s: s.mount("/m", "tmpfs", "tmpfs", ["nope=1"]), "invalid argument", "nope"),
        "no rootfs": failing(
            lambda s: s.config["root"].update(path="/no/such"), "no such file or directory", "invalid rootfs|rootfs"
        ),
        "rootfs is a file": failing(lambda s: s.config["root"].update(path="/etc/passwd"), "not a directory"),
        "rootfs is /": failing(lambda s: s.config["root"].update(path="/"), "rootfs", "invalid"),
        "an agent that is not there": failing(
            lambda s: s.linux["seccomp"].update(
                listenerPath="/no/socket",
                syscalls=s.linux["seccomp"]["syscalls"] + [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}],
            ),
            "failed to connect with seccomp agent",
            "seccomp",
        ),
        "notify on write": failing(
            lambda s: s.linux["seccomp"].update(
                listenerPath="/no/socket", syscalls=[{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}]
            ),
            "SCMP_ACT_NOTIFY cannot be used for the write syscall",
            "write",
        ),
        "notify without a listener": failing(
            lambda s: s.linux["seccomp"].update(syscalls=[{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]),
            "listenerPath",
            "[Nn]otify",
        ),
        "notify by default": failing(
            lambda s: s.linux["seccomp"].update(defaultAction="SCMP_ACT_NOTIFY", listenerPath="/x"),
            "SCMP_ACT_NOTIFY cannot be used as default action",
        ),
        "an unknown action": failing(
            lambda s: s.linux["seccomp"].update(defaultAction="SCMP_ACT_X"),
            "SCMP_ACT_X",
            "string SCMP_ACT_X is not a valid action",
        ),
        "an unknown architecture": failing(lambda s: s.linux["seccomp"].update(architectures=["SCMP_ARCH_X"]), "SCMP_ARCH_X"),
        "an unknown flag": failing(
            lambda s: s.linux["seccomp"].update(flags=["SECCOMP_FILTER_FLAG_X"]), "seccomp flag", "SECCOMP_FILTER_FLAG_X"
        ),
        "a memory policy that is not known": failing(
            lambda s: s.linux.update(memoryPolicy={"mode": "MPOL_X", "nodes": "0"}), "MPOL_X"
        ),
        "deadline beside a cpuset": failing(
            lambda s: (
                s.resources.update(cpu={"cpus": "0"}),
                s.process.update(
                    scheduler={"policy": "SCHED_DEADLINE", "runtime": 1000000, "deadline": 10000000, "period": 10000000}
                ),
            ),
            "process scheduler can't be used together with AllowedCPUs",
            "AllowedCPUs",
        ),
        "a scheduler that is not known": failing(
            lambda s: s.process.update(scheduler={"policy": "SCHED_X"}), "SCHED_X", "scheduler"
        ),
        "an ioPriority that is not known": failing(
            lambda s: s.process.update(ioPriority={"class": "X", "priority": 1}), "ioPriority|io priority|ioprio", "X"
        ),
        "unified on v1": failing(
            lambda s: s.resources.update(unified={"pids.max": "5"}), "cannot use unified on cgroup v1|unified", "unified"
        ),
        "a unified file with a slash": failing(lambda s: s.resources.update(unified={"a/b": "5"}), "slash|a/b"),
        "a unified file that is not there": failing(lambda s: s.resources.update(unified={"pids.nope": "5"}), "pids.nope"),
        "a cgroup of systemd's form": failing(lambda s: s.linux.update(cgroupsPath="a:b:c:d"), "expected cgroupsPath"),
        "an unknown capability": failing(lambda s: s.process["capabilities"].update(bounding=["CAP_X"]), "CAP_X"),
        "a sysctl of the host": failing(
            lambda s: s.linux.update(sysctl={"vm.swappiness": "5"}),
            "vm.swappiness",
            "not in a separate kernel namespace|namespace",
        ),
        "a sysctl without its namespace": failing(
            lambda s: (s.without_namespace("network"), s.linux.update(sysctl={"net.core.somaxconn": "5"})),
            "net.core.somaxconn",
            "not allowed in host network|namespace",
        ),
        "a sysctl that is not there": failing(lambda s: s.linux.update(sysctl={"net.nope": "5"}), "no such file", "net"),
        "a hostname without its namespace": failing(
            lambda s: (s.without_namespace("uts"), s.config.update(hostname="x")),
            "unable to set hostname without a private UTS namespace",
            "[Hh]ostname",
        ),
        "a namespace path that is not there": failing(lambda s: s.namespace("network", "/no/ns"), "/no/ns", "no such file"),
        "a namespace path of another kind": failing(
            lambda s: s.namespace("network", "/proc/1/ns/uts"), "invalid argument|namespace"
        ),
        "a namespace twice": failing(lambda s: s.linux["namespaces"].append({"type": "pid"}), "[Dd]uplicate|duplicated ns"),
        "an unknown namespace": failing(lambda s: s.linux["namespaces"].append({"type": "nope"}), "nope"),
        "a user namespace without maps": failing(lambda s: s.namespace("user"), "user namespaces? .*(mapping|enabled)|mapping"),
        "rootfsPropagation": failing(lambda s: s.linux.update(rootfsPropagation="nope"), "rootfsPropagation|propagation"),
        "an rlimit that is not known": failing(
            lambda s: s.process.update(rlimits=[{"type": "RLIMIT_X", "soft": 1, "hard": 1}]), "RLIMIT_X", "rlimit"
        ),
        "an rlimit above what is allowed": failing(
            lambda s: s.process.update(rlimits=[{"type": "RLIMIT_NOFILE", "soft": 1 << 40, "hard": 1 << 40}]),
            "rlimit",
            "operation not permitted",
        ),
        "a personality that is not known": failing(lambda s: s.linux.update(personality={"domain": "X"}), "personality|X"),
        "an AppArmor profile": failing(lambda s: s.process.update(apparmorProfile="nope"), "apparmor|AppArmor"),
        "an SELinux label": failing(lambda s: s.process.update(selinuxLabel="a:b:c:d"), "selinux|SELinux"),
        "Intel RDT": failing(lambda s: s.linux.update(intelRdt={"closID": "x"}), "[Ii]ntel ?R[Dd][Tt]|resctrl"),
        "an ociVersion that is not one": failing(lambda s: s.config.update(ociVersion="x"), "ociVersion|unsupported|parse"),
        "no ociVersion": failing(lambda s: s.config.pop("ociVersion"), "ociVersion|version"),
        "config.json is not there": lambda s: (
            s.call("run", "run", "-b", s.root, s.id),
            s.says("run", "config.json", "not found", "no such file", "JSON specification file config.json not found"),
        ),
        "a device that is not known": failing(
            lambda s: s.linux.update(devices=[{"path": "/dev/x", "type": "z", "major": 1, "minor": 5}]), "/dev/x|z"
        ),
        "terminal without a socket": lambda s: (
            s.process.update(terminal=True),
            s.write(),
            s.call("create", "create", "-b", s.bundle, s.id),
            s.says("create", "cannot allocate tty if runc will detach without setting console socket", "console.socket"),
        ),
        "a socket without a terminal": lambda s: (
            s.write(),
            s.call("create", "create", "--console-socket", "/x", "-b", s.bundle, s.id),
            s.says("create", "cannot use console socket if runc will not detach or allocate tty", "console.socket"),
        ),
    },
)

variants(
    "words, command",
    {
        "no such container": lambda s: (
            s.call("state", "state", "nope"),
            s.says("state", "container does not exist", "does not exist", "container `?nope`? (does not|is not)", "No such file"),
        ),
        "it exists": lambda s: s.alive()
        and (
            s.call("again", "create", "-b", s.bundle, s.id),
            s.says("again", "already exists", "container with given ID already exists", "container with id exists"),
        ),
        "delete of a running one": on_running(
            "delete", "ID", says=("cannot delete container", "that is not stopped", "is not stopped", "running")
        ),
        "exec in a paused one": on_running(
            "pause",
            "ID",
            after=lambda s: (
                s.call("exec", "exec", s.id, "/bin/true"),
                s.says("exec", "cannot exec in a paused container", "paused"),
            ),
        ),
        "start of a running one": on_running(
            "start", "ID", says=("cannot start an already running container", "already running")
        ),
        "kill of a stopped one": on_running(
            "kill",
            "ID",
            "KILL",
            after=lambda s: (
                s.wait(s.pid),
                s.call("kill", "kill", s.id, "KILL"),
                s.says("kill", "container not running", "not running", "no such process"),
            ),
        ),
        "exec in a stopped one": on_running(
            "kill",
            "ID",
            "KILL",
            after=lambda s: (
                s.wait(s.pid),
                s.call("exec", "exec", s.id, "/bin/true"),
                s.says("exec", "cannot exec in a stopped container", "stopped", "is not running"),
            ),
        ),
        "resume of a running one": on_running("resume", "ID", says=("container not paused", "not paused")),
        "pause of a paused one": on_running(
            "pause",
            "ID",
            after=lambda s: (
                s.call("pause2", "pause", s.id),
                s.says("pause2", "container not running or created: paused", "not running", "paused"),
            ),
        ),
        "an unknown signal": on_running("kill", "ID", "NOPE", says=("unknown signal", "signal")),
        "an odd id": lambda s: (
            s.write(),
            s.call("run", "run", "-b", s.bundle, "a/b"),
            s.says("run", "invalid container ID format", "invalid", "a/b|container"),
        ),
        "an empty id": lambda s: (
            s.write(),
            s.call("run", "run", "-b", s.bundle, ""),
            s.says("run", "container id cannot be empty", "empty|invalid"),
        ),
        "exec's user is not known": on_running(
            "exec", "--user", "ghost", "ID", "/bin/true", says=("strconv.Atoi|unable to find user|user", "ghost")
        ),
        "exec's cwd": on_running("exec", "--cwd", "/proc/self/fd", "ID", "/bin/true", says=("cwd",)),
        "exec's cgroup": on_running("exec", "--cgroup", "../x", "ID", "/bin/true", says=("bad sub cgroup path", "cgroup")),
        "exec's cgroup that is missing": on_running("exec", "--cgroup", "x", "ID", "/bin/true", says=("no such file", "cgroup")),
        "exec -t -d without a socket": on_running(
            "exec", "-t", "-d", "ID", "/bin/true", says=("console.socket", "cannot allocate tty")
        ),
        "update with nonsense": on_running("update", "--memory", "abc", "ID", says=("invalid value for memory", "memory|abc")),
        "ps of what is stopped": on_running(
            "kill", "ID", "KILL", after=lambda s: (s.wait(s.pid), s.call("ps", "ps", s.id), s.says("ps", "not running|stopped"))
        ),
        "a list of options": on_running("update", "--pids-limit", "abc", "ID", says=("invalid",)),
        "preserve-fds": on_running(
            "exec", "--preserve-fds", "abc", "ID", "/bin/true", says=("invalid value", "preserve-fds")
        ),
        "events of what is stopped": on_running(
            "kill",
            "ID",
            "KILL",
            after=lambda s: (
                s.wait(s.pid),
                s.call("events", "events", "--stats", s.id),
                s.says("events", "not running", "stopped"),
            ),
        ),
    },
)

variants(
    "words, debug",
    {
        f"--debug {line.split()[0]}": (
            lambda line: lambda s: s.alive()
            and (
                s.call("command", "--debug", *fill(s, line.split())),
                s.see("command.says anything", "yes" if open(f"{s.dir}/command.err").read().strip() else "no"),
            )
        )(line)
        for line in (
            "exec ID /bin/true",
            "state ID",
            "kill ID 0",
            "pause ID",
            "update --pids-limit 9 ID",
            "delete -f ID",
            "ps ID",
            "list",
            "events --stats ID",
        )
    },
)


# Where both peers are; but some words are about v1.
for name, one in CASES.items():
    if name.startswith("words") and "unified" not in name and "debug" not in name:
        one.views = ("v2",)
