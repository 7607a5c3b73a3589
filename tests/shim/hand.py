"""hand.py: a shim without containerd: bundles, fifos and calls by hand, and containerd's event service. A library.

A Pod is one shim (started with `SHIM start` in the bundle of its first container), and a Box one container of it. Our shim
is two processes: the pid that it gives to Connect is the keeper's, and the shim proper is the keeper's child.
"""
import json, os, select, signal, threading, time

import protobuf, stand, ttrpc

PROCESS = "types.containerd.io/opencontainers/runtime-spec/1/Process"
RESOURCES = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"


class Reader:
    """Reads a fifo in a thread of its own and keeps what came, unless `sink` takes it. `go` can be cleared to stall."""

    def __init__(self, path, sink=None):
        self.path, self.data, self.sink, self.end = path, bytearray(), sink, threading.Event()
        self.go, self.count = threading.Event(), 0
        self.go.set()
        # opened for both ways first, so that neither side waits for the other; the shim holds the writing end after that
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.stop = False
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        seen = False
        while not self.stop:
            self.go.wait()
            if not select.select([self.fd], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                continue
            except OSError:
                break
            if not data:
                if seen:
                    break
                time.sleep(0.005)
                continue
            seen = True
            self.count += len(data)
            if self.sink:
                self.sink(data)
            else:
                self.data += data
        self.end.set()

    def text(self):
        return bytes(self.data).decode(errors="replace")

    def close(self):
        self.stop = True
        self.go.set()
        self.end.wait(1)
        os.close(self.fd)


PODS = []


def end_all():
    """Ends the pods that a failed test has left."""
    for pod in list(PODS):
        pod.end()


class Pod:
    def __init__(self, world, debug=False, env=None):
        PODS.append(self)
        self.world, self.debug, self.env = world, debug, env
        self.events = ttrpc.Events(world.path(f"events-{world.name()}.sock"))
        self.boxes, self.binary, self.shim_address, self.client = [], world.binary, None, None

    def options(self):
        if self.world.runc:
            return {"binary_name": self.world.runc, "root": self.world.path("runtime")}
        return {"root": self.world.path("runtime")}

    def box(self, args, **more):
        box = Box(self, args, kind="container" if self.boxes else "sandbox", **more)
        self.boxes.append(box)
        return box

    def begin(self, box):
        """`start` for a box; the shim's own connection with the first."""
        address, version = ttrpc.start(self.binary, box.bundle, box.id, self.world.tag, self.events.path, self.world.path("none.sock"),
                                       options=self.options(), debug=self.debug, env=self.env)
        self.world.addresses.add(ttrpc.path_of(address))
        if self.client is None:
            self.shim_address, self.version = address, version
            self.client = ttrpc.Client(address, version, self.world.tag)
            self.keeper = self.client.call("Connect", id=box.id)["shim_pid"]
        return address

    def proper(self):
        """The process that may be killed: the keeper's child that has the shim's name; for a Go shim there is none."""
        if self.world.shim != "rruntime":
            return None
        # The kernel's list of children may leave one out while another one ends.
        for _ in range(20):
            for pid in stand.children_of(self.keeper):
                argv = stand.argv_of(pid)
                if argv and argv[0].endswith(stand.OURS):
                    return pid
            time.sleep(0.002)
        return None

    def processes(self):
        return [pid for pid in (self.keeper, self.proper()) if pid]

    def call(self, method, **values):
        return self.client.call(method, **values)

    def topics(self, box=None):
        """What was published, in order, as short words: of one box, execs with their name."""
        words = []
        for topic, what, _ in self.events.seen:
            if box is None or what["container_id"] == box.id:
                name = what.get("exec_id") or what.get("id") or ""
                words.append(topic.rsplit("/", 1)[-1] + (f"({name})" if name and (box is None or name != box.id) else ""))
        return words

    def end(self):
        """Kills and deletes what is left, and shuts the shim down."""
        if self in PODS:
            PODS.remove(self)
        for box in self.boxes:
            box.end()
        if self.client and not self.client.closed:
            try:
                self.client.call("Shutdown", id=self.boxes[0].id, timeout=5)
            except (ttrpc.Refused, ttrpc.Closed, TimeoutError):
                pass
            self.client.close()
        self.events.close()


class Box:
    def __init__(self, pod, args, kind, terminal=False, memory=None, stdin=False, change=None, stdout=None, stderr=None):
        self.pod, self.world = pod, pod.world
        self.id = self.world.name()
        self.bundle = self.world.path("bundles", self.id)
        os.makedirs(os.path.join(self.bundle, "rootfs"))
        self.spec = json.loads(stand.slurp(os.path.join(stand.PROJECT, "bundles/hello/config.json")))
        process, linux = self.spec["process"], self.spec["linux"]
        process.update(args=args, terminal=terminal, env=["PATH=/bin:/sbin:/usr/bin"], noNewPrivileges=False)
        process.pop("rlimits", None)
        self.spec["root"] = {"path": "rootfs"}
        self.spec["mounts"] = [m for m in self.spec["mounts"] if m["destination"] != "/tmp"]
        linux["resources"] = {"devices": linux["resources"].get("devices", [])}
        linux["cgroupsPath"] = f"/{self.world.tag}/{self.id}"
        linux.pop("seccomp", None)
        if memory:
            linux["resources"]["memory"] = {"limit": memory, "swap": memory}
        # what has all of a pod's containers find its one shim
        first = pod.boxes[0].id if pod.boxes else self.id
        self.spec["annotations"] = {"io.kubernetes.cri.container-type": kind, "io.kubernetes.cri.sandbox-id": first}
        if change:
            change(self.spec)
        with open(os.path.join(self.bundle, "config.json"), "w") as file:
            json.dump(self.spec, file)
        log = os.path.join(self.bundle, "log")
        os.mkfifo(log)
        self.log = os.open(log, os.O_RDWR | os.O_NONBLOCK)
        self.terminal = terminal
        self.io = self.fifos("", terminal, stdin)
        if stdout is not None:
            self.io.update(stdout=stdout, stderr=stderr if stderr is not None else stdout)
        self.readers, self.execs, self.gone = {}, [], False

    def fifos(self, exec_id, terminal, stdin):
        names = {"stdin": "", "stdout": "", "stderr": ""}
        for name in (["stdin"] if stdin else []) + ["stdout"] + ([] if terminal else ["stderr"]):
            names[name] = os.path.join(self.bundle, f"{exec_id or 'init'}-{name}")
            if not os.path.exists(names[name]):
                os.mkfifo(names[name])
        return names

    def read(self, exec_id="", sink=None, io=None):
        """Starts to read the output; Reader of stdout."""
        io = io or self.io
        for name in ("stdout", "stderr"):
            if io[name] and not io[name].startswith(("file:", "binary:")):
                self.readers[exec_id, name] = Reader(io[name], sink if name == "stdout" else None)
        return self.readers.get((exec_id, "stdout"))

    def out(self, exec_id=""):
        return self.readers[exec_id, "stdout"]

    def request(self, **more):
        rootfs = [{"type": "bind", "source": self.world.rootfs, "options": ["rbind", "rw"]}]
        return dict(id=self.id, bundle=self.bundle, rootfs=rootfs, terminal=self.terminal, options=protobuf.any_of("Options", self.pod.options()),
                    **self.io) | more

    def create(self, read=True, **more):
        self.pod.begin(self)
        if read:
            self.read()
        self.pid = self.pod.call("Create", **self.request(**more))["pid"]
        return self

    def start(self):
        return self.pod.call("Start", id=self.id)

    def run(self, **more):
        self.create(**more)
        self.start()
        return self

    def call(self, method, exec_id="", **values):
        if exec_id:
            values["exec_id"] = exec_id
        return self.pod.call(method, id=self.id, **values)

    def status(self, exec_id=""):
        return ttrpc.STATUS.get(self.call("State", exec_id)["status"])

    def process(self, args, terminal=False):
        process = dict(self.spec["process"], args=args, terminal=terminal)
        return {"type_url": PROCESS, "value": json.dumps(process).encode()}

    def exec(self, exec_id, args, terminal=False, stdin=False, read=True, io=True):
        """Exec and Start; nothing is waited for."""
        names = self.fifos(exec_id, terminal, stdin) if io else {"stdin": "", "stdout": "", "stderr": ""}
        if read and io:
            self.read(exec_id, io=names)
        self.call("Exec", exec_id, terminal=terminal, spec=self.process(args, terminal), **names)
        self.execs.append(exec_id)
        return self.call("Start", exec_id)["pid"]

    def wait(self, exec_id="", timeout=30):
        return self.pod.client.call("Wait", id=self.id, timeout=timeout, **({"exec_id": exec_id} if exec_id else {}))["exit_status"]

    def delete(self, exec_id=""):
        answer = self.call("Delete", exec_id)
        if not exec_id:
            self.gone = True
        else:
            for name in ("stdout", "stderr"):
                reader = self.readers.pop((exec_id, name), None)
                if reader:
                    reader.close()
            for name in ("stdin", "stdout", "stderr"):
                path = os.path.join(self.bundle, f"{exec_id}-{name}")
                if os.path.exists(path):
                    os.unlink(path)
        return answer["exit_status"]

    def end(self):
        if not self.gone:
            for method, values in (("Kill", {"signal": 9, "all": True}), ("Wait", {}), ("Delete", {})):
                try:
                    self.pod.client.call(method, id=self.id, timeout=5, **values)
                except (ttrpc.Refused, ttrpc.Closed, TimeoutError, AttributeError):
                    pass
        for reader in self.readers.values():
            reader.close()
        self.readers = {}
        if self.log is not None:
            os.close(self.log)
            self.log = None

    def said(self):
        """What the shim wrote into the bundle's log."""
        try:
            return os.read(self.log, 1 << 16).decode(errors="replace")
        except BlockingIOError:
            return ""
