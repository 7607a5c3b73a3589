"""A stand: one case under one runtime. It holds the bundle, runs the commands, and writes down what can be seen.

What is seen are lines KEY: VALUE. Values are cleaned of what differs by chance (paths of this run, ids, numbers of pipes),
so that the same behaviour gives the same lines under every runtime.
"""
import copy, fcntl, glob, json, os, pty, re, select, shutil, signal, stat, struct, subprocess, termios, time

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(HERE))
CONFIG = json.load(open(os.path.join(PROJECT, "tests/data/docker-default.json")))
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
# A command or a program that takes longer is stuck: others may use the machine too.
PATIENCE = 30
EXITING = 4  # PF_EXITING, in the flags of /proc/PID/stat
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts")
HOST = {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES if os.path.exists(f"/proc/self/ns/{name}")}
# What a limit writes, of both hierarchies.
CONTROL_FILES = """
memory.max memory.low memory.min memory.high memory.swap.max pids.max cpu.weight cpu.max cpu.max.burst cpu.idle cpuset.cpus cpuset.mems
io.weight io.bfq.weight io.max hugetlb.2MB.max hugetlb.2MB.rsvd.max rdma.max cgroup.type cgroup.freeze misc.max
memory.limit_in_bytes memory.soft_limit_in_bytes memory.memsw.limit_in_bytes memory.kmem.limit_in_bytes memory.kmem.tcp.limit_in_bytes
memory.swappiness memory.oom_control memory.use_hierarchy cpu.shares cpu.cfs_quota_us cpu.cfs_period_us cpu.cfs_burst_us cpu.rt_runtime_us
cpu.rt_period_us cpuset.cpu_exclusive cpuset.mem_exclusive cpuset.sched_load_balance devices.list net_cls.classid net_prio.ifpriomap
blkio.weight blkio.bfq.weight blkio.throttle.read_bps_device blkio.throttle.write_bps_device blkio.throttle.read_iops_device
blkio.throttle.write_iops_device hugetlb.2MB.limit_in_bytes hugetlb.2MB.rsvd.limit_in_bytes freezer.state notify_on_release
""".split()


MOUNT = re.compile(r"(?P<flags>\S+) root=(?P<root>\S*)(?P<propagation>.*) type=(?P<type>\S*) source=(?P<source>\S*) super=(?P<super>\S*) "
                   r"place=(?P<place>.*)")


class Skip(Exception):
    """The case cannot be had on this machine, or in this view."""


class Subject:
    """A runtime under a name: runc and crun themselves, and ours as itself, as runc, as crun."""

    def __init__(self, name, program, peer, version=""):
        self.name, self.program, self.peer, self.version = name, program, peer, version


class Ended:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


class Stand:
    def __init__(self, case, subject, directory, number):
        self.case, self.subject, self.dir = case, subject, directory
        above = directory
        while not os.path.ismount(above):
            above = os.path.dirname(above)
        self.within = "/" + os.path.relpath(directory, above)
        self.v2 = is_v2()
        self.id = f"cmp{number}"
        self.bundle, self.rootfs = f"{directory}/bundle", f"{directory}/bundle/rootfs"
        self.root = f"{directory}/root"
        self.seen, self.notes, self.ran, self.pids = {}, {}, False, []
        self.global_options, self.create_options = [], []
        self.environment, self.cwd, self.before = dict(ENVIRONMENT), directory, None
        self.looks, self.expected = [], []
        self.cgroup = f"/cmp/{self.id}"
        os.makedirs(self.rootfs)
        os.makedirs(self.root, 0o700)
        furnish(self.rootfs)
        self.config = copy.deepcopy(CONFIG)
        self.config["process"]["args"] = ["/probe"]
        self.config["linux"]["cgroupsPath"] = self.cgroup
        self.config["linux"]["resources"] = {"devices": self.config["linux"]["resources"]["devices"]}
        self.raw = None

    # --- what a case may change ---------------------------------------------------------------------------------------

    @property
    def process(self):
        return self.config["process"]

    @property
    def linux(self):
        return self.config["linux"]

    @property
    def resources(self):
        return self.config["linux"].setdefault("resources", {})

    def look(self, *words):
        """Further looks of the probe: see probe.c."""
        self.looks += words

    def sh(self, script):
        """A shell in the place of the probe; what it prints is seen."""
        self.process["args"] = ["/bin/sh", "-c", script]

    def mount(self, destination, kind, source, options):
        """One more mount, at the end of the list."""
        mount = {"destination": destination, "type": kind, "source": source, "options": options}
        self.config["mounts"].append({k: v for k, v in mount.items() if v is not None})
        return self.config["mounts"][-1]

    def mount_at(self, destination):
        return next(m for m in self.config["mounts"] if m["destination"] == destination)

    def namespace(self, kind, path=None):
        self.without_namespace(kind)
        self.linux["namespaces"].append({"type": kind, **({"path": path} if path else {})})

    def without_namespace(self, kind):
        self.linux["namespaces"] = [n for n in self.linux["namespaces"] if n["type"] != kind]

    def user_namespace(self, host=100000, size=65536):
        self.namespace("user")
        self.linux["uidMappings"] = [{"containerID": 0, "hostID": host, "size": size}]
        self.linux["gidMappings"] = [{"containerID": 0, "hostID": host, "size": size}]
        # the mapped root has to reach its image
        for path, folders, files in os.walk(self.rootfs):
            for name in folders + files + ["."]:
                os.lchown(os.path.join(path, name), host, host)
        at = self.dir
        while len(at) > 1:
            mode = stat.S_IMODE(os.stat(at).st_mode)
            if at.startswith("/tmp/") or at.startswith(self.dir):
                os.chmod(at, mode | 0o711)
            at = os.path.dirname(at)

    def in_rootfs(self, path, text=None, mode=None, link=None):
        """A directory (no text), a file or a link in the image."""
        full = os.path.join(self.rootfs, path.lstrip("/"))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if link is not None:
            os.symlink(link, full)
        elif text is None:
            os.makedirs(full, exist_ok=True)
        else:
            with open(full, "w" if isinstance(text, str) else "wb") as f:
                f.write(text)
        if mode is not None:
            os.chmod(full, mode)
        return full

    def on_host(self, path, text=None, mode=None):
        """A directory or a file beside the bundle, for binds. Returns its path."""
        full = os.path.join(self.dir, "host", path.lstrip("/"))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if text is None:
            os.makedirs(full, exist_ok=True)
        else:
            with open(full, "w") as f:
                f.write(text)
        if mode is not None:
            os.chmod(full, mode)
        return full

    def hook(self, kind, *words, path=None, **fields):
        """A hook that writes down what it sees."""
        inside = kind == "startContainer"
        if inside and not any(m["destination"] == "/seen" for m in self.config["mounts"]):
            os.chmod(self.on_host("seen"), 0o777)
            self.mount("/seen", "bind", self.on_host("seen"), ["bind"])
        where = "/seen/hooks" if inside else f"{self.dir}/hooks"
        number = len(self.config.setdefault("hooks", {}).setdefault(kind, []))
        program = path or ("/probe" if inside else f"{self.dir}/probe")
        if not os.path.exists(f"{self.dir}/probe"):
            os.link(f"{HERE_PROBE}", f"{self.dir}/probe") if same_device(HERE_PROBE, self.dir) else shutil.copy(HERE_PROBE, f"{self.dir}/probe")
        hook = {"path": program, "args": ["probe", "hook", f"{kind}{number or ''}", where, *words], **fields}
        self.config["hooks"][kind].append(hook)
        return hook

    # --- running ------------------------------------------------------------------------------------------------------

    def write(self):
        """config.json as it is to be found."""
        args = (self.config.get("process") or {}).get("args") or [None]
        if args[0] == "/probe" and isinstance(args, list):
            args += self.looks
            self.looks = []
        with open(f"{self.bundle}/config.json", "w") as f:
            f.write(self.raw if self.raw is not None else json.dumps(self.config))

    def command(self, *line, options=None):
        return [self.subject.program, "--root", self.root, *(self.global_options if options is None else options), *line]

    def call(self, label, *line, stdin=None, env=None, cwd=None, before=None, pass_fds=(), patience=PATIENCE, options=None, bare=False,
             terminal=False, keys=b"", show=None):
        """One command. Its exit code is seen; what it printed is kept for the report, and seen where `show` says so."""
        self.ran = True
        line = [self.subject.program, *line] if bare else self.command(*line, options=options)
        out, err = f"{self.dir}/{label}.out", f"{self.dir}/{label}.err"
        env = {**self.environment, **(env or {})}
        run_before = before or self.before
        if terminal:
            code, text = self.on_terminal(line, env, cwd or self.cwd, run_before, pass_fds, patience, keys)
            with open(out, "wb") as f:
                f.write(text)
            open(err, "w").close()
        else:
            with open(out, "wb") as o, open(err, "wb") as e:
                source = stdin if stdin is not None else subprocess.DEVNULL
                try:
                    process = subprocess.Popen(line, stdin=source, stdout=o, stderr=e, env=env, cwd=cwd or self.cwd,
                                               preexec_fn=run_before, pass_fds=pass_fds, start_new_session=True)
                except subprocess.SubprocessError as error:
                    raise Skip("this machine has no such caller") from error
                try:
                    code = process.wait(patience)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    code = "timeout"
            if code == 0 and {"-d", "--detach"} & set(line) and "--console-socket" not in line and self.probes(line):
                self.until(lambda: re.search("^end\t", read(out), re.M))
        ended = Ended(code, read(out), read(err))
        self.see(f"{label}.exit", f"signal {-code}" if isinstance(code, int) and code < 0 else code)
        self.notes[label] = self.clean(ended.err.strip() or (ended.out.strip() if code else ""))[:600]
        self.lines(ended.out, "in")
        if show == "out":
            self.see(f"{label}.out", self.clean(ended.out.strip()))
        elif show == "lines":
            self.see(f"{label}.out", " | ".join(sorted(self.clean(ended.out).split("\n"))))
        return ended

    def probes(self, line):
        """Whether a command starts the probe, and not for long: then its words are waited for."""
        words = line if "exec" in line else self.process["args"]
        return "/probe" in words and not any(str(word).startswith("sleep:") for word in words)

    def on_terminal(self, line, env, cwd, before, pass_fds, patience, keys):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

        def child():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            if before:
                before()

        process = subprocess.Popen(line, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=cwd, preexec_fn=child, pass_fds=pass_fds)
        os.close(slave)
        text, end = b"", time.monotonic() + patience
        while time.monotonic() < end:
            ready, _, _ = select.select([master], [], [], 0.05)
            if ready:
                try:
                    part = os.read(master, 65536)
                except OSError:
                    break
                if not part:
                    break
                text += part
                if keys and b"ready" in text:  # the program is there, and the terminal as it is to be
                    os.write(master, keys)
                    keys = b""
            elif process.poll() is not None:
                break
        code = "timeout"
        try:
            code = process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(master)
        return code, text

    def says(self, label, *phrases):
        """Words that scripts look for: whether they stand in what the command printed."""
        text = read(f"{self.dir}/{label}.err") + read(f"{self.dir}/{label}.out") + read(f"{self.dir}/{label}.log")
        for phrase in phrases:
            self.see(f"{label}.says {phrase}", "yes" if re.search(phrase, text) else "no")

    def life(self, start=True, delete=True, detail=True):
        """create, state, start, wait, state, delete; between them, what the host sees."""
        self.write()
        ended = self.call("create", "create", "--bundle", self.bundle, *self.create_options, self.id)
        if ended.code == 0:
            before = self.state("created")
            pid = before.get("pid", 0) if before else 0
            if pid and detail:
                self.control_files(pid)
            if start:
                started = self.call("start", "start", self.id)
                # what was refused may go on waiting for a start
                self.until(lambda: gone(pid) or (started.code != 0 and settled(pid)))
                self.see("program", self.wait(pid) if gone(pid) else "waits")
                self.state("after")
                self.lines(read(f"{self.dir}/create.out"), "in")
                self.notes["program"] = self.clean(read(f"{self.dir}/create.err"))[:600]
        self.hooks_seen()
        if delete:
            if ended.code == 0:
                self.call("delete", "delete", *([] if start else ["--force"]), self.id)
            self.residue()
            self.hooks_seen()

    def once(self, *options, **how):
        """`run`, and what is left of it."""
        self.write()
        ended = self.call("run", "run", "--bundle", self.bundle, *options, self.id, **how)
        self.hooks_seen()
        self.residue()
        return ended

    def alive(self, *words, **how):
        """A container that runs until it is ended: for exec, kill, update and the like."""
        args = self.process["args"] if self.process["args"][0] != "/probe" else ["/probe", "only:none", *words, "sleep:60"]
        self.process["args"] = args
        self.write()
        ended = self.call("create", "create", "--bundle", self.bundle, *self.create_options, self.id, **how)
        if ended.code == 0:
            self.call("start", "start", self.id)
            self.pid = json.loads(self.quiet("state", self.id).out or "{}").get("pid", 0)
            self.until(lambda: "asleep" in read(f"{self.dir}/create.out") or args[0] != "/probe")
        return ended.code == 0

    def quiet(self, *line):
        """A command that is a means, not a subject: nothing is seen of it."""
        done = subprocess.run(self.command(*line, options=[]), stdin=subprocess.DEVNULL, capture_output=True, env=ENVIRONMENT, timeout=PATIENCE)
        return Ended(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def state(self, label, container=None):
        ended = self.call(f"state-{label}", "state", container or self.id)
        try:
            state = json.loads(ended.out)
        except ValueError:
            return None
        for key in ("ociVersion", "status", "bundle", "rootfs", "owner", "id"):
            if key in state:
                self.see(f"state-{label}.{key}", state[key])
        self.see(f"state-{label}.annotations", json.dumps(state.get("annotations") or {}, sort_keys=True))
        self.see(f"state-{label}.pid", "a number" if state.get("pid") else "none")
        self.pids.append(state.get("pid") or 0)
        return state

    def wait(self, pid, patience=PATIENCE):
        """How a process ended whose parent has ended: we are the subreaper."""
        end = time.monotonic() + patience
        while pid and time.monotonic() < end:
            try:
                done, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                return "gone"
            if done:
                return f"exit {os.WEXITSTATUS(status)}" if os.WIFEXITED(status) else f"signal {os.WTERMSIG(status)}"
            time.sleep(0.005)
        return "timeout"

    def until(self, true, patience=PATIENCE):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if true():
                return True
            time.sleep(0.01)
        return False

    # --- seeing -------------------------------------------------------------------------------------------------------

    def see(self, key, value):
        self.seen[key] = self.clean(str(value))

    def clean(self, value):
        # A mount's root is a path of its file system.
        return value.replace(self.dir, "$DIR").replace(self.within, "$DIR").replace(self.id, "$ID").replace(self.subject.program, "$RUNTIME")

    def lines(self, text, head):
        """What the probe wrote."""
        for line in text.split("\n"):
            key, tab, value = line.rstrip("\r").partition("\t")
            if not tab or not re.match(r"^[a-z][A-Za-z_]*(\..*)?$", key):
                continue
            value = tidy(key, self.clean(value))
            if key.startswith("mount."):
                for part in MOUNT.fullmatch(value).groupdict().items() if MOUNT.fullmatch(value) else [("line", value)]:
                    self.see(f"{head}.{self.clean(key)} {part[0]}", part[1].strip())
            else:
                self.see(f"{head}.{self.clean(key)}", value)

    def hooks_seen(self):
        for path in (f"{self.dir}/hooks", f"{self.dir}/host/seen/hooks"):
            for line in read(path).split("\n"):
                key, tab, value = line.partition("\t")
                if not tab:
                    continue
                if key.endswith(".stdin"):
                    try:
                        state = json.loads(bytes(value, "ascii").decode("unicode_escape") if "\\x" in value else value)
                        self.see(f"{key}.keys", " ".join(sorted(state)))
                        for name in ("status", "bundle", "id", "ociVersion", "annotations"):
                            self.see(f"{key}.{name}", json.dumps(state.get(name), sort_keys=True))
                    except ValueError:
                        self.see(key, value)
                else:
                    self.see(key, tidy(key.split(".", 2)[-1] if ".ns." in key or ".fd." in key else key, value))

    def control_files(self, pid, label="cg"):
        """The limits of the container's cgroups, as the host sees them."""
        for line in read(f"/proc/{pid}/cgroup").split("\n"):
            number, _, rest = line.partition(":")
            names, _, path = rest.partition(":")
            if not path:
                continue
            self.see(f"{label}.path.{names or 'v2'}", path)
            base = controller_root(names, self.v2)
            if not base:
                continue
            for file in CONTROL_FILES:
                text = read(f"{base}{path}/{file}")
                if text or os.path.exists(f"{base}{path}/{file}"):
                    self.see(f"{label}.{file}", " ".join(sorted(text.split("\n"))).strip())

    def residue(self):
        """What is left on the host behind the last command."""
        left = sorted(os.listdir(self.root)) if os.path.isdir(self.root) else []
        self.see("left.state", " ".join(self.clean(name) for name in left if not name.startswith((".", "cgroup:"))) or "nothing")
        groups = [path for base in roots(self.v2) for path in glob.glob(f"{base}/cmp/*") if os.path.basename(path).startswith(self.id)]
        self.see("left.cgroups", len(groups) and "some" or "nothing")
        self.see("left.mounts", "some" if any(self.dir in line for line in read("/proc/self/mountinfo").split("\n")) else "nothing")

    # --- the end ------------------------------------------------------------------------------------------------------

    def clear(self):
        """Takes away whatever a case left, of any runtime."""
        for name in os.listdir(self.root) if os.path.isdir(self.root) else []:
            try:
                subprocess.run(self.command("delete", "--force", name, options=[]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, timeout=PATIENCE, env=ENVIRONMENT)
            except (subprocess.TimeoutExpired, OSError):
                pass
        for base in roots(self.v2):
            for path in sorted(glob.glob(f"{base}/cmp/{self.id}*") + glob.glob(f"{base}/cmp/{self.id}*/**/", recursive=True), reverse=True):
                for pid in read(f"{path}/cgroup.procs").split():
                    try:
                        os.kill(int(pid), signal.SIGKILL)
                    except OSError:
                        pass
                for _ in range(50):
                    try:
                        os.rmdir(path)
                        break
                    except FileNotFoundError:
                        break
                    except OSError:
                        reap()
                        time.sleep(0.01)
        reap()
        for line in reversed(read("/proc/self/mountinfo").split("\n")):
            fields = line.split(" ")
            if len(fields) > 4 and fields[4].startswith(self.dir):
                subprocess.run(["umount", "-l", fields[4]], stderr=subprocess.DEVNULL)
        # What is thousands of directories deep is not for Python.
        subprocess.run(["rm", "-rf", "--one-file-system", self.dir], stderr=subprocess.DEVNULL)


HERE_PROBE = os.environ.get("PEERS_PROBE", "")


def furnish(rootfs):
    """An image of a probe, a busybox, and a passwd."""
    for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr", "var", "run"):
        os.mkdir(f"{rootfs}/{name}")
    os.chmod(f"{rootfs}/tmp", 0o1777)
    os.chmod(f"{rootfs}/root", 0o700)
    give(HERE_PROBE, f"{rootfs}/probe")
    give(os.environ["PEERS_BUSYBOX"], f"{rootfs}/bin/busybox")
    for name in ("sh", "cat", "echo", "true", "false", "sleep", "id", "env", "ls", "mount", "stat", "kill", "test", "printf", "pwd", "touch", "grep"):
        os.symlink("busybox", f"{rootfs}/bin/{name}")
    with open(f"{rootfs}/etc/passwd", "w") as f:
        f.write("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    with open(f"{rootfs}/etc/group", "w") as f:
        f.write("root:x:0:\ntty:x:5:\nuser:x:1000:\nextra:x:1001:user\nnogroup:x:65534:\n")


def give(source, target):
    """A copy, since a case may change owner and mode."""
    shutil.copyfile(source, target)
    os.chmod(target, 0o755)


def same_device(a, b):
    return os.stat(a).st_dev == os.stat(b).st_dev


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode("utf-8", "backslashreplace")
    except OSError:
        return ""


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def settled(pid):
    """Ended, or at rest: each of its threads sleeps, and no signal is on its way. However slow the machine is, nothing comes of
    what was sent before."""
    if gone(pid):
        return True
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            with open(f"/proc/{pid}/task/{thread}/status") as f:
                pending = re.findall(r"^S..Pnd:\s*(\w+)$", f.read(), re.M)
            if fields[0] not in "ST" or int(fields[6]) & EXITING or any(int(mask, 16) for mask in pending):
                return False
    except OSError:
        return gone(pid)
    return True


def is_v2():
    return os.path.exists("/sys/fs/cgroup/cgroup.procs")


def roots(v2):
    return ["/sys/fs/cgroup"] if v2 else [path for path in glob.glob("/sys/fs/cgroup/*") if os.path.isdir(path) and not os.path.islink(path)]


def controller_root(names, v2):
    if v2:
        return "/sys/fs/cgroup" if not names else None
    for name in ([names] if names else ["unified"]) + names.split(","):
        path = f"/sys/fs/cgroup/{name.replace('name=', '')}"
        if os.path.isdir(path):
            return path
    return None


def reap():
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                return
        except ChildProcessError:
            return


def tidy(key, value):
    """Without what differs from run to run."""
    name = key.rsplit(".", 1)[-1]
    if re.match(r"^[a-z]+:\[\d+\]$", value) and name in HOST:
        return "host" if value == HOST[name] else "own"
    if name in ("NSpid", "NStgid", "NSsid") or key.endswith("session.pid"):
        # of several processes the number depends on the threads that a runtime had
        value = re.sub(r"\b([2-9]|\d\d+)\b", "N", value)
    if key.endswith("keyring") and ";" in value:
        value = ";".join([*value.split(";")[:4], "own" if "$ID" not in value and len(value) > 40 else value.split(";")[4]])
    if re.match(r"fd\.[012]$", key) and "memfd:hook" in value:
        # a file in memory is to a hook what a pipe is
        value = "pipe r" if key == "fd.0" else "pipe w"
    if re.match(r"fd\.\d+$", key):
        value = re.sub(r"^/dev/pts/\d+", "/dev/pts/N", value)
    value = re.sub(r"\b(shared|master|propagate_from):\d+", r"\1", value)
    value = re.sub(r"\b(pipe|socket|anon_inode):\[\d+\]", r"\1", value)
    value = re.sub(r"anon_inode:\[(\w+)\]", r"\1", value)
    if key.startswith("mount."):
        value = re.sub(r"super=(\S*)", lambda m: "super=" + ",".join(sorted(m[1].split(","))), value)
    return value
