"""An ordinary user runs the runtime: ids, state directories, cgroups that it may not write."""

import ctypes, json, os, stat
from catalogue import case, variants
from steps import fill, status

UID = 1000
LIBC = ctypes.CDLL(None, use_errno=True)


def as_user(subids=None, groups=(), umask=0o022):
    """What the child does before it becomes the runtime."""

    def act():
        if subids is not None:
            LIBC.unshare(0x20000)
            LIBC.mount(b"none", b"/", None, 0x40000 | 0x4000, None)
            for place in (b"/etc/subuid", b"/etc/subgid"):
                LIBC.mount(subids.encode(), place, None, 0x1000, None)
        os.umask(umask)
        os.setgroups(list(groups))
        os.setgid(UID)
        os.setuid(UID)

    return act


def hand_over(s):
    """The bundle and the state directory are the user's."""
    for path, folders, files in os.walk(s.dir):
        for name in folders + files + ["."]:
            os.lchown(os.path.join(path, name), UID, UID)
    os.chmod(s.dir, 0o711)
    s.cwd = s.bundle


def rootless(s, maps=None, resources=False, cgroup=False):
    """As `spec --rootless` makes it."""
    s.namespace("user")
    s.linux["uidMappings"] = s.linux["gidMappings"] = maps or [{"containerID": 0, "hostID": UID, "size": 1}]
    if maps is False:
        s.linux.pop("uidMappings"), s.linux.pop("gidMappings")
    if not resources:
        s.linux.pop("resources", None)
    if not cgroup:
        s.linux.pop("cgroupsPath", None)
    for mount in s.config["mounts"]:
        mount["options"] = [o for o in mount.get("options", []) if o != "gid=5"]
    s.config["mounts"] = [m for m in s.config["mounts"] if m["type"] != "cgroup" or cgroup]


SEEN = ["/probe", "only:identity,process,mounts,namespaces,cgroups,paths"]


def life(
    change=None,
    subids=None,
    env=None,
    groups=(),
    umask=0o022,
    maps=None,
    resources=False,
    cgroup=False,
    own_root=True,
    args=SEEN,
    commands=True,
):
    def act(s):
        s.ran = True
        rootless(s, maps, resources, cgroup)
        s.process["args"] = list(args)
        if change:
            change(s)
        s.write()
        path = None
        if subids is not None:
            path = f"{s.dir}/subids"
            open(path, "w").write(subids)
        hand_over(s)
        runtime = f"{s.dir}/run"
        os.mkdir(runtime, 0o700)
        os.chown(runtime, UID, UID)
        before = as_user(path, groups, umask)
        more = {"XDG_RUNTIME_DIR": runtime, **(env or {})}
        s.environment = {**s.environment, **{k: v.replace("DIR/", s.dir + "/") for k, v in more.items() if v is not None}}
        for name in [k for k, v in more.items() if v is None]:
            s.environment.pop(name, None)
        call = (
            (lambda label, *line: s.call(label, *line, before=before))
            if own_root
            else (lambda label, *line: s.call(label, *line, before=before, bare=True))
        )
        ended = call("create", "create", "-b", s.bundle, s.id)
        if ended.code == 0:
            out = call("state", "state", s.id).out
            try:
                state = json.loads(out)
            except ValueError:
                state = {}
            s.see("owner", state.get("owner"))
            if state.get("pid"):
                s.see(
                    "cgroup of the process",
                    "|".join(
                        sorted(
                            {l.split(":", 2)[2] for l in open(f"/proc/{state['pid']}/cgroup").read().splitlines()} & {s.cgroup}
                        )
                        or ["elsewhere"]
                    ),
                )
            s.see("state directories", " ".join(sorted(os.listdir(runtime))))
            if commands:
                for line in (
                    ("ps", "-f", "json", s.id),
                    ("pause", s.id),
                    ("update", "--pids-limit", "9", s.id),
                    ("events", "--stats", s.id),
                    ("list", "-q"),
                    ("kill", s.id, "0"),
                    ("exec", s.id, "/bin/true"),
                ):
                    call(line[0], *line)
            call("start", "start", s.id)
            s.see("program", s.wait(state.get("pid")))
            s.lines(open(f"{s.dir}/create.out", errors="replace").read(), "in")
            call("delete", "delete", s.id)
        left = []
        for path in (runtime, s.root):
            for at, folders, files in os.walk(path):
                left += [os.path.relpath(os.path.join(at, n), path) for n in folders + files]
        s.see("left", " ".join(sorted(s.clean(l) for l in left if s.id in l)) or "nothing")

    return act


HOST = [{"containerID": 0, "hostID": UID, "size": 1}, {"containerID": 1, "hostID": 100000, "size": 65536}]
variants(
    "rootless",
    {
        "as spec --rootless": life(),
        "on the host's network": life(
            lambda s: s.without_namespace("network")
            or s.config.update(mounts=[m for m in s.config["mounts"] if m["destination"] != "/sys"])
        ),
        "sysfs bound": life(
            lambda s: s.mount_at("/sys").update(type="none", source="/sys", options=["rbind", "nosuid", "noexec", "nodev", "ro"])
        ),
        "its own state directory": life(own_root=False),
        "USER set": life(own_root=False, env={"USER": "somebody"}),
        "USER=root": life(own_root=False, env={"USER": "root"}),
        "without XDG_RUNTIME_DIR": life(own_root=False, env={"XDG_RUNTIME_DIR": None}),
        "XDG_RUNTIME_DIR empty": life(own_root=False, env={"XDG_RUNTIME_DIR": ""}),
        "XDG_RUNTIME_DIR missing": life(own_root=False, env={"XDG_RUNTIME_DIR": "DIR/no/such"}),
        "HOME only": life(own_root=False, env={"XDG_RUNTIME_DIR": None, "HOME": "DIR/run"}),
        "with a cgroup mount": life(cgroup=True),
        "with a cgroup path": life(lambda s: s.linux.update(cgroupsPath="/cmp/" + s.id)),
        "with limits": life(lambda s: s.linux.update(resources={"memory": {"limit": 1 << 27}})),
        "with a limit on processes": life(lambda s: s.linux.update(resources={"pids": {"limit": 20}})),
        "with the default devices": life(resources=True),
        "with empty resources": life(lambda s: s.linux.update(resources={})),
        "without maps": life(maps=False),
        "another's id": life(maps=[{"containerID": 0, "hostID": 0, "size": 1}]),
        "a range that is not given": life(maps=HOST),
        "a range that is not given, by an empty subuid": life(maps=HOST, subids=""),
        "a range that is given": life(maps=HOST, subids="1000:100000:65536\ncloudsdk:100000:65536\n"),
        "a range that is too short": life(maps=HOST, subids="1000:100000:100\ncloudsdk:100000:100\n"),
        "umask 077": life(umask=0o77),
        "umask 0177": life(umask=0o177),
        "umask 0777": life(umask=0o777),
        "with groups": life(groups=(7, 8)),
        "a user inside that is not mapped": life(lambda s: s.process.update(user={"uid": 5, "gid": 5})),
        "additional groups": life(lambda s: s.process.update(user={"uid": 0, "gid": 0, "additionalGids": [1]})),
        "devices": life(
            lambda s: s.linux.update(devices=[{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]),
            args=["/probe", "only:devices"],
        ),
        "the default devices": life(args=["/probe", "only:devices"]),
        "no user namespace": life(lambda s: s.without_namespace("user")),
        "oom score below": life(lambda s: s.process.update(oomScoreAdj=-500)),
        "oom score above": life(lambda s: s.process.update(oomScoreAdj=500)),
        "rlimit above the hard one": life(
            lambda s: s.process.update(rlimits=[{"type": "RLIMIT_NOFILE", "soft": 1 << 20, "hard": (1 << 20) + 1}])
        ),
        "masked and read-only paths away": life(lambda s: (s.linux.pop("maskedPaths"), s.linux.pop("readonlyPaths"))),
        "the image is not the user's": life(lambda s: os.chmod(s.rootfs, 0o700)),
        "a cgroup of the same name of root's": life(lambda s: s.linux.update(cgroupsPath="/cmp")),
        "a hook": life(lambda s: s.hook("createRuntime")),
    },
)


def stranger(*line):
    """The user's command on a container of root's."""

    def act(s):
        if s.alive():
            os.chmod(s.dir, 0o711)
            s.call("command", *fill(s, line), before=as_user())
            s.see("then", status(s))

    return act


variants(
    "a stranger's command",
    {
        line.split()[0]: stranger(*line.split())
        for line in (
            "state ID",
            "kill ID KILL",
            "delete -f ID",
            "exec ID /bin/true",
            "list",
            "ps ID",
            "pause ID",
            "update --pids-limit 3 ID",
            "events --stats ID",
            "start ID",
            "resume ID",
        )
    },
)
