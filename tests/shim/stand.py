"""stand.py: what the tests of the shim share: one line for each check, a private world, a private containerd in it, and the
proof that nothing of it is left. A library; tests/shim/daemon starts the same world by hand.

  SHIM=rruntime   our shim (the default), containerd-shim-rruntime-v1, which is a link to RUNTIME (default target/rruntime)
  SHIM=runc       containerd-shim-runc-v2 with runc; SHIM=crun: with crun
  RUNC=PATH       another runtime for containerd-shim-runc-v2
  CONTAINERD=1.6  the installed one (default); 1.7 and 2: those of hack/peers --fetch containerd-1.7 containerd-2

The private world: every directory and socket lies under one directory made by mkdtemp, containerd's namespace and with it
every cgroup and container has this run's name, and every process is ended by its id. Other engines and other tests on the
same machine are neither seen nor touched.
"""
import atexit, json, os, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time

import ttrpc

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(HERE))
PEERS = os.path.join(PROJECT, "target/peers")
os.environ["PATH"] += ":/usr/sbin:/sbin"
os.environ["LC_ALL"] = "C"
SHIM = os.environ.get("SHIM", "rruntime")
# crun takes neither hybrid cgroups nor, the older one, a v2 mount beside v1: it sees v1 alone, in a mount namespace of its own
if SHIM == "crun" and os.geteuid() == 0 and os.path.ismount("/sys/fs/cgroup/unified") and not os.environ.get("RRUNTIME_TEST_V2_VIEW"):
    os.execvp("unshare", ["unshare", "-m", "--propagation", "private", "sh", "-c", 'umount /sys/fs/cgroup/unified && exec "$0" "$@"', sys.executable, *sys.argv])
V2_VIEW = bool(os.environ.get("RRUNTIME_TEST_V2_VIEW")) or os.path.exists("/sys/fs/cgroup/cgroup.controllers")
OURS = "containerd-shim-rruntime-v1"


# From 1.7 on, a containerd that starts asks each shim for Pids, and deletes the task whose answer has none. The Go shim has none for a
# task that has ended; ours is to name the process that was, until its end is asked for.
LEAKED = "containerd takes a task without processes for one that leaked, and deletes it"


class Checks:
    """Counts and prints; `with checks.part("…")` turns what goes wrong in it into one failed check."""

    def __init__(self, prefix=""):
        self.passed = self.failed = self.skipped = 0
        self.prefix, self.begun = prefix, time.monotonic()
        self.only = None

    def line(self, text):
        spent = f" ({time.monotonic() - self.begun:.1f} s)" if os.environ.get("TIMES") else ""
        print(text + spent, flush=True)

    def ok(self, name):
        self.passed += 1
        self.line(f"ok {self.prefix}{name}")

    def not_ok(self, name, detail=""):
        self.failed += 1
        self.line(f"not ok {self.prefix}{name}")
        for row in str(detail).splitlines()[:25]:
            if row.strip():
                print("    # " + row[:400], flush=True)

    def skip(self, name, reason):
        self.skipped += 1
        self.line(f"# SKIP {self.prefix}{name}: {reason}")

    def check(self, name, good, detail=""):
        if good:
            self.ok(name)
        else:
            self.not_ok(name, detail() if callable(detail) else detail)
        return bool(good)

    def equal(self, name, got, want):
        return self.check(name, got == want, f"wanted {want!r}\ngot    {got!r}")

    def part(self, name):
        return Part(self, name)

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        sys.exit(1 if self.failed else 0)


class Part:
    def __init__(self, checks, name):
        self.checks, self.name = checks, name

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None or not isinstance(error, Exception):
            return False
        import traceback
        where = traceback.extract_tb(trace)[-1]
        self.checks.not_ok(self.name, f"{kind.__name__}: {error}\n{os.path.basename(where.filename)}:{where.lineno}: {where.line}")
        return True


class Result:
    def __init__(self, code, out, err):
        self.code, self.raw, self.err = code, out, err.decode(errors="replace")
        self.out = out.decode(errors="replace").rstrip("\n")

    def __repr__(self):
        return f"exit code {self.code}\nstdout: {self.out[-600:]}\nstderr: {self.err[-600:]}"


def run(*command, stdin=b"", timeout=60, env=None):
    """A command with its whole output; -1 where it did not end in time."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, env=env)
        return Result(done.returncode, done.stdout, done.stderr)
    except subprocess.TimeoutExpired as late:
        return Result(-1, late.stdout or b"", (late.stderr or b"") + b"\nnot done in %d s" % timeout)


def soon(test, seconds=10, pause=0.02):
    """The first true value of the test, or its last one when the time is up."""
    until = time.monotonic() + seconds
    while True:
        value = test()
        if value or time.monotonic() > until:
            return value
        time.sleep(pause)


def slurp(path, mode="r"):
    try:
        with open(path, mode, **({} if "b" in mode else {"errors": "replace"})) as file:
            return file.read()
    except OSError:
        return b"" if "b" in mode else ""


def alive(pid):
    stat = slurp(f"/proc/{pid}/stat")
    return bool(stat) and stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def parent_of(pid):
    stat = slurp(f"/proc/{pid}/stat")
    return int(stat.rsplit(")", 1)[1].split()[1]) if stat else 0


def children_of(pid):
    return [int(p) for task in os.listdir(f"/proc/{pid}/task") for p in slurp(f"/proc/{pid}/task/{task}/children").split()]


def argv_of(pid):
    return slurp(f"/proc/{pid}/cmdline").split("\0")[:-1]


def descriptors(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def memory_files(pids):
    """KiB in the memory files that processes hold, which is in no RSS: {inode: KiB}."""
    found = {}
    for pid in pids:
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                path = f"/proc/{pid}/fd/{fd}"
                if os.readlink(path).startswith("/memfd:"):
                    about = os.stat(path)
                    found[about.st_ino] = about.st_blocks // 2
        except OSError:
            pass
    return found


def memory(pid):
    """(RSS, private) in KiB."""
    rows = dict(re.findall(r"^(\w+): +(\d+) kB", slurp(f"/proc/{pid}/smaps_rollup"), re.M))
    number = lambda key: int(rows.get(key, 0))
    return number("Rss"), number("Private_Clean") + number("Private_Dirty")


def program(*names):
    for name in names:
        path = name and shutil.which(name)
        if path:
            return os.path.realpath(path)
    return None


class World:
    """The private place. `checks` gets a skip and ends the script where something is missing that all of it needs."""

    def __init__(self, checks, name="shim", shim=None):
        self.checks = checks
        if os.geteuid() != 0:
            self.skip_all("needs root")
        self.shim = shim or SHIM
        self.tag = f"rrs-{name}-{os.getpid()}"
        self.work = tempfile.mkdtemp(prefix=f"rruntime-{name}.")
        self.had_containerd = os.path.exists("/run/containerd")
        self.had_sockets = set(sockets())
        self.daemons, self.addresses, self.elsewhere, self.number = [], set(), [], 0
        self.lock = threading.Lock()
        self.marker = f"RRUNTIME_SHIM_TEST={self.tag}"
        key, value = self.marker.split("=")
        os.environ[key] = value
        atexit.register(self.remove)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(130))
        made = run(os.path.join(PROJECT, "hack/make-bundle"), os.path.join(self.work, "bundle"))
        if made.code:
            self.skip_all("no static busybox (hack/install-deps)")
        self.rootfs = os.path.join(self.work, "bundle/rootfs")
        self.choose()

    def skip_all(self, reason):
        self.checks.skip("all", reason)
        self.checks.close()

    def choose(self):
        """Which shim, and with which runtime."""
        self.bin = os.path.join(self.work, "bin")
        os.mkdir(self.bin)
        self.runc = None
        if self.shim == "rruntime":
            self.runtime = "io.containerd.rruntime.v1"
            path = program(os.environ.get("RUNTIME") or os.path.join(PROJECT, "target/rruntime"))
            if not path:
                self.skip_all("no target/rruntime (make build)")
            self.install(path)
            self.binary = os.path.join(self.bin, OURS)
        else:
            self.runtime = "io.containerd.runc.v2"
            self.runc = program(os.environ.get("RUNC"), os.path.join(PEERS, self.shim), self.shim)
            if not self.runc:
                self.skip_all(f"{self.shim} is not installed")
            self.binary = program("containerd-shim-runc-v2")
            if not self.binary:
                self.skip_all("containerd-shim-runc-v2 is not installed (hack/install-deps --engines)")

    def install(self, path):
        """Our shim is the runtime under another name. A copy, renamed into place, so that a test can upgrade it."""
        target = os.path.join(self.bin, OURS)
        shutil.copy2(path, target + ".new")
        os.chmod(target + ".new", 0o755)
        os.rename(target + ".new", target)

    def name(self):
        with self.lock:
            self.number += 1
            return f"{self.tag}-{self.number}"

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    # processes

    def processes(self):
        """Every process that this run has started, but this one and its own children that are no shim: {pid: argv}."""
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid() or not alive(entry):
                continue
            pid = int(entry)
            if self.work in slurp(f"/proc/{pid}/cmdline") or self.marker in slurp(f"/proc/{pid}/environ") \
                    or self.tag in slurp(f"/proc/{pid}/cgroup") or self.points_here(pid):
                found[pid] = argv_of(pid)
        return found

    def points_here(self, pid):
        for link in ("cwd", "root", "exe"):
            try:
                if os.readlink(f"/proc/{pid}/{link}").startswith(self.work):
                    return True
            except OSError:
                pass
        return False

    def shims(self):
        """The processes of shims, keepers too: of this run, in no container's cgroup, and no containerd, ctr or test."""
        return [pid for pid, argv in self.processes().items()
                if not re.search(r"/%s(/|$)" % re.escape(self.tag), slurp(f"/proc/{pid}/cgroup"), re.M)
                and argv and os.path.basename(argv[0]) not in ("containerd", "ctr", "podman", "conmon", "script", "sh", "cat")
                and "python" not in argv[0]]

    def bundle(self, id, namespace=None):
        return self.path("state/io.containerd.runtime.v2.task", namespace or self.tag, id)

    def address(self, id, namespace=None):
        """(address, version) of the shim of a container, out of its bundle."""
        bundle = self.bundle(id, namespace)
        said = slurp(os.path.join(bundle, "bootstrap.json"), "rb") or slurp(os.path.join(bundle, "address"), "rb")
        if not said:
            raise FileNotFoundError(f"neither bootstrap.json nor address in {bundle}")
        address, version = ttrpc.read_start(said)
        self.addresses.add(ttrpc.path_of(address))
        return address, version

    def client(self, id, namespace=None):
        return ttrpc.Client(*self.address(id, namespace), namespace=namespace or self.tag)

    # what is left

    def left_mounts(self):
        return [row.split()[4] for row in slurp("/proc/self/mountinfo").splitlines() if self.work in row.split()[4]]

    def left_cgroups(self, parents=False):
        """Containers' cgroups; with `parents` also those of the namespaces, which stay and are ours to remove."""
        below = re.compile(rf"/{re.escape(self.tag)}[^/]*" + ("" if parents else "/"))
        # where unified is no mount, crun makes plain directories in it
        return [d for d, _, _ in os.walk("/sys/fs/cgroup", topdown=False) if below.search(d) and
                (parents or not d.startswith("/sys/fs/cgroup/unified/") or os.path.ismount("/sys/fs/cgroup/unified"))]

    def left_sockets(self):
        return [path for path in self.addresses if os.path.exists(path)]

    def left_state(self):
        """What a runtime or a shim keeps elsewhere under a container's name. (The Go shim's `delete` leaves the namespace's directory.)"""
        return [os.path.join(d, name) for d, dirs, files in os.walk("/run") for name in dirs + files if self.tag in name
                and (d, self.shim == "rruntime") != ("/run/containerd/runc", False)]

    def check_nothing_left(self, prefix=""):
        """All containers are gone by now. With containerd still there, then without it."""
        check = self.checks.check
        for name, left, wait in (("shim", lambda: [f"{p} {argv_of(p)}" for p in self.shims()], 8), ("cgroup", self.left_cgroups, 5)):
            soon(lambda: not left(), wait)
            rest = left()
            check(f"{prefix}no {name} is left", not rest, "\n".join(rest))
        for daemon in self.daemons:
            daemon.stop()
        for name, left in (("process", lambda: [f"{p} {argv}" for p, argv in self.processes().items()]), ("mount", self.left_mounts),
                           ("socket", self.left_sockets), ("state of a runtime", self.left_state)):
            soon(lambda: not left(), 5)
            rest = left()
            check(f"{prefix}no {name} is left", not rest, "\n".join(rest))

    def sweep(self):
        """Ends every shim and every container of this run, whatever they do."""
        for pid in self.processes():
            argv = argv_of(pid)
            if not argv or os.path.basename(argv[0]) not in ("containerd", "ctr"):
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        soon(lambda: not self.shims(), 5)
        for group in self.left_cgroups():
            soon(lambda: rmdir(group), 1)
        for path in self.left_sockets():
            os.unlink(path)

    def remove(self):
        """However the script ends: end what it started, in the order in which nothing can start anew."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for daemon in self.daemons:
            daemon.stop()
        for _ in range(3):
            for pid in self.processes():
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            if not soon(lambda: not self.processes(), 2):
                continue
            break
        for group in self.left_cgroups(parents=True):
            if group.startswith("/sys/fs/cgroup/unified/") and not os.path.ismount("/sys/fs/cgroup/unified"):
                # crun's plain directory, with plain files in it
                shutil.rmtree(group, ignore_errors=True)
            else:
                soon(lambda: rmdir(group), 1)
        for mount in sorted(self.left_mounts(), reverse=True):
            subprocess.run(["umount", "-l", mount], stderr=subprocess.DEVNULL)
        for path in sockets():
            # a Go shim that was killed leaves its socket, in a directory that it shares with all others
            if path in self.addresses or (path not in self.had_sockets and refuses(path)):
                os.unlink(path)
        for path in self.left_state() + self.elsewhere:
            shutil.rmtree(path, ignore_errors=True)
        if not self.had_containerd:
            for directory in (f"runc/{self.tag}", "runc", "fifo", "s", ""):
                rmdir(os.path.join("/run/containerd", directory))
        if not self.left_mounts():
            shutil.rmtree(self.work, ignore_errors=True)


def sockets():
    try:
        return [os.path.join("/run/containerd/s", name) for name in os.listdir("/run/containerd/s")]
    except OSError:
        return []


def refuses(path):
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect(path)
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    finally:
        link.close()
    return False


def rmdir(path):
    try:
        os.rmdir(path)
        return True
    except OSError:
        return not os.path.exists(path)


class Containerd:
    """A private containerd. `more` is added to its configuration."""

    def __init__(self, world, version=None, more="", cri=False, level="warn"):
        self.world, self.level, self.cri = world, level, cri
        self.version = version or os.environ.get("CONTAINERD", "1.6")
        self.process = None
        if self.version == "1.6":
            # the installed one, of whatever version
            self.containerd, self.ctr_path = program("containerd"), program("ctr")
        else:
            self.containerd = program(os.path.join(PEERS, "containerd-" + self.version))
            self.ctr_path = self.containerd and os.path.join(os.path.dirname(self.containerd), "ctr")
        if not self.containerd or not self.ctr_path:
            world.skip_all(f"no containerd {self.version} (hack/install-deps --engines, hack/peers --fetch containerd-1.7 containerd-2)")
        self.socket = world.path("containerd.sock")
        self.beside = os.path.dirname(self.containerd)
        if world.shim != "rruntime":
            world.binary = os.path.join(self.beside, "containerd-shim-runc-v2")
        self.config = world.path("config.toml")
        with open(self.config, "w") as file:
            file.write(self.settings() + more)
        world.daemons.append(self)

    def settings(self):
        w = self.world
        off = ["io.containerd.snapshotter.v1." + s for s in ("aufs", "btrfs", "devmapper", "zfs", "blockfile", "erofs")] \
            + ["io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
        off += [] if self.cri else ["io.containerd.grpc.v1.cri"]
        # a file in the form of the containerd's own generation
        return f"""version = {3 if self.version == "2" else 2}
root = "{w.path("root")}"
state = "{w.path("state")}"
disabled_plugins = {json.dumps(off)}
[grpc]
  address = "{self.socket}"
[ttrpc]
  address = "{self.socket}.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{w.path("opt")}"
[plugins."io.containerd.nri.v1.nri"]
  disable = true
"""

    def environment(self):
        # the shim is found through PATH; the plain runtime is not looked for when it has a path
        key, value = self.world.marker.split("=")
        return dict(os.environ, PATH=f"{self.world.bin}:{self.beside}:{os.environ['PATH']}", **{key: value})

    def start(self):
        log = open(self.world.path("containerd.log"), "ab")
        self.process = subprocess.Popen([self.containerd, "--config", self.config, "--log-level", self.level],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(), cwd=self.world.work)
        # ctr is not asked: each start of it costs more than this
        if not soon(lambda: self.answers() or self.process.poll() is not None, 30, 0.05) or self.process.poll() is not None:
            raise RuntimeError("containerd does not start: " + slurp(self.world.path("containerd.log"))[-1500:])
        return self

    def answers(self):
        link = socket.socket(socket.AF_UNIX)
        try:
            link.connect(self.socket)
            return run(self.ctr_path, "--address", self.socket, "--connect-timeout", "2s", "version", timeout=10).code == 0
        except OSError:
            return False
        finally:
            link.close()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def said(self):
        return slurp(self.world.path("containerd.log"))

    def line(self, *args, namespace=None):
        return [self.ctr_path, "--address", self.socket, "--namespace", namespace or self.world.tag, *args]

    def ctr(self, *args, stdin=b"", timeout=60, namespace=None):
        return run(*self.line(*args, namespace=namespace), stdin=stdin, timeout=timeout)

    def import_image(self, namespace=None, name="busybox", command=()):
        """An image of busybox; its name."""
        tar, image = self.world.path("rootfs.tar"), self.world.path(name + ".tar")
        if not os.path.exists(tar):
            subprocess.run(["tar", "-C", self.world.rootfs, "--numeric-owner", "--owner=0", "--group=0", "-cf", tar, "."], check=True)
        if not os.path.exists(image):
            packer = os.path.join(PROJECT, "tests/engines/oci-image.py")
            subprocess.run([sys.executable, packer, tar, image, f"localhost/{name}:test", *command], check=True)
        done = self.ctr("images", "import", image, namespace=namespace)
        names = self.ctr("images", "ls", "-q", namespace=namespace).out.split()
        if done.code or not names:
            raise RuntimeError(f"the image cannot be imported: {done}")
        return next(n for n in names if name in n)

    def options(self):
        """What names the shim to `ctr run` and `ctr containers create`."""
        # ctr asks for CPU shares always, and the pure-v2 view has no cpu controller
        more = ["--cpu-shares", "0"] if V2_VIEW and "cpu" not in slurp("/sys/fs/cgroup/cgroup.controllers").split() else []
        if self.world.shim == "rruntime":
            return ["--runtime", self.world.runtime] + more
        return more + ["--runtime", self.world.runtime, "--runc-binary", self.world.runc, "--runc-root", self.world.path("runtime")]

    def fifos(self):
        return ["--fifo-dir", self.world.path("fifo")]

    def tasks(self, namespace=None):
        rows = [row.split() for row in self.ctr("tasks", "ls", namespace=namespace).out.splitlines()[1:]]
        return {row[0]: (int(row[1]), row[2]) for row in rows if len(row) >= 3}

    def about(self):
        said = run(self.containerd, "--version").out.split()
        runtime = run(self.world.runc or self.world.binary, "--version").out.split("\n")[0]
        return f"# containerd {said[2]}, {self.world.runtime}, {runtime}{', pure cgroup v2' if V2_VIEW else ''}"
