"""Containers and hosts in distress: full disks, limits that are used up, damaged records, containers that are held."""

import json, os, signal, subprocess
from catalogue import case, variants
from stand import PATIENCE
from steps import fill, gone, settled, status, WAITING


def commands(s, *lines, patience=PATIENCE):
    for label, line in lines:
        s.call(label, *fill(s, line.split()), patience=patience)
        if label != "kill":  # it may be on its way
            s.see(f"{label}.then", status(s))


ALL = (
    ("state", "state ID"),
    ("ps", "ps -f json ID"),
    ("exec", "exec ID /bin/true"),
    ("update", "update --pids-limit 50 ID"),
    ("pause", "pause ID"),
    ("resume", "resume ID"),
    ("events", "events --stats ID"),
    ("list", "list -q"),
    ("kill", "kill ID KILL"),
    ("delete", "delete -f ID"),
)


def limited(resources, *lines, args=None):
    def act(s):
        s.resources.update(resources)
        if args:
            s.process["args"] = args
        if s.alive():
            commands(s, *(lines or ALL))
            s.residue()

    return act


FORKS = ["/bin/sh", "-c", "while sleep 50 & do :; done 2>/dev/null; echo asleep; sleep 60"]
variants(
    "at its limits",
    {
        "processes, used up": limited({"pids": {"limit": 1}}),
        "processes, two": limited({"pids": {"limit": 2}}),
        "little memory": limited({"memory": {"limit": 4 << 20}}),
        "one CPU in a thousand": limited({"cpu": {"quota": 1000, "period": 100000}}),
        "processes, exec alone": limited(
            {"pids": {"limit": 1}}, ("exec", "exec ID /bin/true"), ("exec-2", "exec -d ID /bin/true")
        ),
        "processes, exec that forks": limited({"pids": {"limit": 1}}, ("exec", "exec ID /bin/sh -c /bin/true")),
    },
)


def damaged(how, *lines):
    """The record on disk is not what it was, while the container runs."""

    def act(s):
        if not s.alive():
            return
        record = next((f"{s.root}/{s.id}/{n}" for n in ("state.json", "status") if os.path.exists(f"{s.root}/{s.id}/{n}")), None)
        if not record:
            return
        how(s, record)
        pid = s.pid
        for label, line in lines or (
            ("state", "state ID"),
            ("list", "list"),
            ("kill", "kill ID 0"),
            ("exec", "exec ID /bin/true"),
            ("delete", "delete ID"),
            ("force", "delete -f ID"),
        ):
            s.call(label, *fill(s, line.split()), patience=PATIENCE)
        s.until(lambda: settled(pid))
        lives = not gone(pid)
        # ended and said so, or left and said so: never left in silence
        s.see(
            "the container",
            ("lives" if lives else "ended")
            + (", and force said so" if lives and s.seen["force.exit"] != "0" else ", in silence" if lives else ""),
        )
        s.residue()
        if lives:
            os.kill(pid, 9)

    return act


def cut(s, record):
    data = open(record, "rb").read()
    open(record, "wb").write(data[: len(data) // 2])


variants(
    "damaged record",
    {
        "empty": damaged(lambda s, r: open(r, "w").close()),
        "cut": damaged(cut),
        "garbage": damaged(lambda s, r: open(r, "wb").write(b"\x00\xff" * 99)),
        "an empty object": damaged(lambda s, r: open(r, "w").write("{}")),
        "null": damaged(lambda s, r: open(r, "w").write("null")),
        "a directory": damaged(lambda s, r: (os.unlink(r), os.mkdir(r))),
        "gone": damaged(lambda s, r: os.unlink(r)),
        "a link that leads nowhere": damaged(lambda s, r: (os.unlink(r), os.symlink("/nope", r))),
        "a fifo": damaged(lambda s, r: (os.unlink(r), os.mkfifo(r)), ("state", "state ID"), ("force", "delete -f ID")),
        "the directory gone": damaged(lambda s, r: __import__("shutil").rmtree(os.path.dirname(r))),
        "the directory empty": damaged(
            lambda s, r: [os.unlink(os.path.join(os.path.dirname(r), n)) for n in os.listdir(os.path.dirname(r))]
        ),
        "not readable": damaged(lambda s, r: os.chmod(r, 0)),
        "an unknown field": damaged(lambda s, r: add_field(r)),
    },
)


def add_field(record):
    value = json.load(open(record))
    value["nope"] = 1
    json.dump(value, open(record, "w"))


def strange_root(make, *lines):
    """Things in the state directory that no runtime made."""

    def act(s):
        s.process["args"] = ["/bin/true"]
        make(s)
        s.write()
        for label, line in lines or (
            ("list", "list"),
            ("list-json", "list -f json"),
            ("list-q", "list -q"),
            ("state", "state x"),
            ("kill", "kill x KILL"),
            ("delete", "delete x"),
            ("force", "delete -f x"),
            ("run", "run -b BUNDLE x"),
        ):
            s.call(label, *fill(s, line.split()))
        s.see("left", " ".join(sorted(s.clean(n) for n in os.listdir(s.root) if not n.startswith("."))))

    return act


variants(
    "strange state directory",
    {
        "an empty directory": strange_root(lambda s: os.mkdir(f"{s.root}/x")),
        "a file": strange_root(lambda s: open(f"{s.root}/x", "w").close()),
        "a link to a directory": strange_root(lambda s: (os.mkdir(f"{s.dir}/y"), os.symlink(f"{s.dir}/y", f"{s.root}/x"))),
        "a link that leads nowhere": strange_root(lambda s: os.symlink("/nope", f"{s.root}/x")),
        "a state.json that is garbage": strange_root(
            lambda s: (os.mkdir(f"{s.root}/x"), open(f"{s.root}/x/state.json", "w").write("garbage"))
        ),
        "an empty state.json": strange_root(lambda s: (os.mkdir(f"{s.root}/x"), open(f"{s.root}/x/state.json", "w").close())),
        "the directory has mode 755": strange_root(lambda s: os.chmod(s.root, 0o755), ("run", "run -b BUNDLE ID")),
        "the directory cannot be written": strange_root(
            lambda s: subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,mode=700", "none", s.root]),
            ("run", "run -b BUNDLE ID"),
            ("list", "list"),
        ),
        "a directory with files": strange_root(
            lambda s: (os.mkdir(f"{s.root}/x"), open(f"{s.root}/x/precious", "w").write("data"))
        ),
    },
)


def fill_up(path):
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while os.write(file, b"x" * 4096):
            pass
    except OSError:
        pass
    os.close(file)


def full(size, *lines, inodes=None):
    """The state directory is on a file system without room."""

    def act(s):
        s.process["args"] = ["/probe", "only:none"]
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700" + (f",nr_inodes={inodes}" if inodes else ""), "none", s.root]
        )
        if not inodes:
            fill_up(f"{s.root}/.fill")
        s.write()
        for label, line in lines or (("run", "run -b BUNDLE ID"), ("list", "list"), ("force", "delete -f ID")):
            s.call(label, *fill(s, line.split()))
        s.residue()
        subprocess.run(["umount", "-l", s.root])

    return act


variants(
    "full disk",
    {
        "state directory": full("16k"),
        "no inodes": full("1m", inodes=1),
        "two inodes": full("1m", inodes=3),
        "four inodes": full("1m", inodes=5),
    },
)


@case("full disk: while it runs")
def _(s):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "none", s.root])
    if s.alive():
        fill_up(f"{s.root}/.fill")
        commands(s, *ALL)
        s.residue()
    subprocess.run(["umount", "-l", s.root])


def held(hold, *lines):
    def act(s):
        if s.alive():
            release = hold(s)
            try:
                commands(
                    s,
                    *(
                        lines
                        or (
                            ("state", "state ID"),
                            ("ps", "ps -f json ID"),
                            ("kill", "kill ID 0"),
                            ("list", "list -q"),
                            ("delete", "delete -f ID"),
                        )
                    ),
                )
            finally:
                if release:
                    release()
            s.residue()

    return act


def stop(s):
    os.kill(s.pid, signal.SIGSTOP)


def freeze_by_hand(s):
    for line in open(f"/proc/{s.pid}/cgroup"):
        number, names, path = line.strip().split(":", 2)
        if s.v2 and not names:
            open(f"/sys/fs/cgroup{path}/cgroup.freeze", "w").write("1")
        elif not s.v2 and names == "freezer":
            open(f"/sys/fs/cgroup/freezer{path}/freezer.state", "w").write("FROZEN")


def groups(s):
    """The directories of the container's cgroup: one, or one in each hierarchy of v1."""
    for line in open(f"/proc/{s.pid}/cgroup"):
        number, names, path = line.strip().split(":", 2)
        if s.v2:
            yield f"/sys/fs/cgroup{path}"
        elif names and path != "/":
            yield f"/sys/fs/cgroup/{names.replace('name=', '')}{path}"


def visitor(s):
    """A stranger's process in the container's cgroup."""
    process = subprocess.Popen(["sleep", "30"], stdin=subprocess.DEVNULL)
    for base in groups(s):
        try:
            open(f"{base}/cgroup.procs", "w").write(str(process.pid))
        except OSError:
            pass

    def end():
        s.see("the stranger", "lives" if process.poll() is None else "ended")
        process.kill()
        process.wait()

    return end


def below(s):
    """A cgroup that the container made below its own."""
    for base in groups(s):
        try:
            os.makedirs(f"{base}/inner/deeper")
        except OSError:
            pass


variants(
    "held",
    {
        "stopped by a signal": held(stop),
        "frozen by hand": held(freeze_by_hand),
        "frozen by hand, kill and delete": held(
            freeze_by_hand, ("kill", "kill ID KILL"), ("delete", "delete ID"), ("force", "delete -f ID")
        ),
        "frozen by hand, resume": held(freeze_by_hand, ("resume", "resume ID"), ("delete", "delete -f ID")),
        "a stranger in its cgroup": held(visitor),
        "cgroups below": held(below),
        "its cgroup is gone for a limit": held(lambda s: None, ("update", "update --pids-limit 5 ID")),
        "traced": held(lambda s: trace(s)),
        "PID 1 stopped, exec": held(stop, ("exec", "exec ID /bin/true"), ("delete", "delete -f ID")),
    },
)


def trace(s):
    code = f"import ctypes,os,time\nl=ctypes.CDLL(None)\nl.ptrace(16,{s.pid},0,0)\nprint('on',flush=True)\ntime.sleep(20)"
    process = subprocess.Popen(["python3", "-c", code], stdout=subprocess.PIPE)
    process.stdout.readline()
    return lambda: (process.kill(), process.wait())


@case("distress: killed while it creates")
def _(s):
    """The runtime dies in the middle; what is left can be deleted."""
    s.ran = True
    s.hook("createRuntime", "sleep:1")
    s.process["args"] = WAITING
    s.write()
    front = subprocess.Popen(
        s.command("create", "-b", s.bundle, s.id),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=s.environment,
        start_new_session=True,
    )
    s.until(lambda: os.path.exists(f"{s.dir}/hooks"), 5)
    front.kill()
    front.wait()
    s.until(lambda: all(settled(int(pid)) for pid in open(f"/proc/self/task/{os.getpid()}/children").read().split()))
    commands(s, ("delete", "delete ID"), ("force", "delete -f ID"))
    s.residue()


def once_with_words(s):
    """The kernel may tell of an end a moment after the process has closed its descriptors: then nothing is said of it."""
    for _ in range(5):
        if s.once().err.strip():
            break
    s.says("run", ".")


@case("distress: the process dies before its program begins, by the filter")
def _(s):
    s.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["execve", "execveat"], "action": "SCMP_ACT_KILL_PROCESS"}],
    }
    once_with_words(s)


@case("distress: the filter forbids everything")
def _(s):
    s.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ERRNO"}
    once_with_words(s)


@case("distress: a limit that is too small for a birth", views=("native",))
def _(s):
    """Where it ends is chance: that something is said is not."""
    s.resources["memory"] = {"limit": 99999}
    s.write()
    s.call("run", "run", "-b", s.bundle, s.id)
    s.seen.pop("run.exit")
    s.says("run", ".")
