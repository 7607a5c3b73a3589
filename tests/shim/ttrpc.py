#!/usr/bin/env python3
"""ttrpc.py: a small client of ttrpc, containerd's protocol with its shims, and the part of containerd that a shim sees.

As a library (tests/shim/tasks and faults):
  Client(address)                 a connection; call("Kill", id=…, signal=9) waits for the answer, send(…) does not
  Events(path)                    containerd's side: a socket that takes what a shim publishes, in order
  start(binary, bundle, …)        `SHIM start` with the environment and arguments that containerd gives it; its address
By hand, on a shim that runs:
  tests/shim/ttrpc.py ADDRESS Connect id=NAME
  tests/shim/ttrpc.py ADDRESS Kill id=NAME signal=15

A frame has ten bytes in front: length (4, big end first), stream (4, odd numbers are the client's), kind (1: request,
2: response) and flags (1). Client reads in a thread of its own, so that many calls can wait at once.
"""
import json, os, socket, struct, subprocess, sys, threading, time

import protobuf

SERVICES = {2: "containerd.task.v2.Task", 3: "containerd.task.v3.Task"}
REQUEST, RESPONSE = 1, 2
LARGEST = 4 << 20
EMPTY = ("Pause", "Resume", "Checkpoint", "Kill", "Exec", "ResizePty", "CloseIO", "Update", "Shutdown")
NAMES = {"Create": "CreateTask", "Exec": "ExecProcess", "Checkpoint": "CheckpointTask", "Update": "UpdateTask"}
STATUS = {1: "CREATED", 2: "RUNNING", 3: "STOPPED", 4: "PAUSED", 5: "PAUSING"}
CODES = {2: "unknown", 3: "invalid argument", 4: "deadline", 5: "not found", 6: "already exists", 8: "exhausted",
         9: "failed precondition", 10: "aborted", 12: "unimplemented", 13: "internal", 14: "unavailable"}


class Refused(Exception):
    """An answer with an error in it."""

    def __init__(self, status):
        self.code, self.message = CODES.get(status["code"], str(status["code"])), status["message"]
        super().__init__(f"{self.code}: {self.message}")


class Closed(Exception):
    """The connection ended before the answer came."""


def path_of(address):
    address = address.split("+", 1)[-1] if address.startswith("ttrpc+") else address
    return address.removeprefix("unix://")


def connect(address):
    path = path_of(address)
    # longer names than an address can hold are reached through their directory
    if len(path.encode()) > 100:
        directory = os.open(os.path.dirname(path), os.O_PATH)
        path = f"/proc/self/fd/{directory}/{os.path.basename(path)}"
    link = socket.socket(socket.AF_UNIX)
    link.connect(path)
    return link


def frame(stream, kind, data, flags=0):
    return struct.pack(">IIBB", len(data), stream, kind, flags) + data


def exactly(link, size):
    data = bytearray()
    while len(data) < size:
        more = link.recv(min(size - len(data), 1 << 20))
        if not more:
            raise Closed("the peer closed the connection")
        data += more
    return bytes(data)


def receive(link):
    size, stream, kind, _flags = struct.unpack(">IIBB", exactly(link, 10))
    return stream, kind, exactly(link, size)


class Pending:
    def __init__(self):
        self.done = threading.Event()
        self.answer = None

    def result(self, timeout=30):
        if not self.done.wait(timeout):
            raise TimeoutError("no answer")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Client:
    def __init__(self, address, version=2, namespace="default"):
        self.address, self.service, self.namespace = address, SERVICES.get(version, version), namespace
        self.link = connect(address)
        self.lock, self.stream, self.waiting = threading.Lock(), -1, {}
        # what came twice, or for no call: a shim that was started anew may answer a call again
        self.doubled, self.closed = [], None
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        answered = set()
        try:
            while True:
                stream, kind, data = receive(self.link)
                with self.lock:
                    pending = self.waiting.pop(stream, None)
                if pending is None:
                    self.doubled.append((stream, stream in answered, kind, data))
                    continue
                answered.add(stream)
                pending[0].answer = self.understand(pending[1], kind, data)
                pending[0].done.set()
        except (OSError, Closed, ValueError, struct.error) as error:
            with self.lock:
                self.closed = error
                left, self.waiting = self.waiting, {}
            for pending, _ in left.values():
                pending.answer = Closed(str(error))
                pending.done.set()

    def understand(self, method, kind, data):
        if kind != RESPONSE:
            return Closed(f"a frame of kind {kind}")
        answer = protobuf.decode("Response", data)
        if answer["status"] and answer["status"]["code"]:
            return Refused(answer["status"])
        name = "Empty" if method in EMPTY else NAMES.get(method, method) + "Response"
        return protobuf.decode(name, answer["payload"]) if name in protobuf.MESSAGES else answer["payload"]

    def send(self, method, timeout_nano=0, service=None, payload=None, **values):
        """Sends a request and hands back what its answer will land in."""
        if payload is None:
            payload = protobuf.encode(NAMES.get(method, method) + "Request", values)
        request = protobuf.encode("Request", {
            "service": service or self.service, "method": method, "payload": payload, "timeout_nano": timeout_nano,
            "metadata": [{"key": "containerd-namespace-ttrpc", "value": self.namespace}]})
        pending = Pending()
        with self.lock:
            if self.closed:
                raise Closed(str(self.closed))
            self.stream += 2
            self.waiting[self.stream] = (pending, method)
            try:
                self.link.sendall(frame(self.stream, REQUEST, request))
            except OSError as error:
                raise Closed(str(error)) from error
        return pending

    def call(self, method, timeout=30, **values):
        return self.send(method, **values).result(timeout)

    def close(self):
        try:
            self.link.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.link.close()


class Events:
    """What containerd is to a shim: takes Forward calls on a socket and keeps the envelopes in the order they came in.
    `refuse` makes it answer the next so many calls with an error; `close_all` drops the connections, as a restart does."""

    def __init__(self, path):
        self.path, self.seen, self.refuse, self.links = path, [], 0, []
        self.news = threading.Condition()
        self.listen()

    def listen(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(64)
        threading.Thread(target=self.accept, args=(self.socket,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            self.links.append(link)
            threading.Thread(target=self.serve, args=(link,), daemon=True).start()

    def serve(self, link):
        try:
            while True:
                stream, _kind, data = receive(link)
                request = protobuf.decode("Request", data)
                if self.refuse > 0:
                    self.refuse -= 1
                    answer = {"status": {"code": 14, "message": "not now"}}
                else:
                    answer = {"status": {"code": 0}, "payload": b""}
                    envelope = protobuf.decode("ForwardRequest", request["payload"])["envelope"]
                    with self.news:
                        self.seen.append(protobuf.event(envelope) + (request["service"],))
                        self.news.notify_all()
                link.sendall(frame(stream, RESPONSE, protobuf.encode("Response", answer)))
        except (OSError, Closed, ValueError, TypeError):
            link.close()

    def wait(self, test, timeout=10):
        """Waits until an event passes the test, and gives it back; None when the time is up."""
        until = time.monotonic() + timeout
        with self.news:
            while True:
                for topic, what, _ in self.seen:
                    if test(topic, what):
                        return topic, what
                if not self.news.wait(max(0, until - time.monotonic())) and time.monotonic() >= until:
                    return None

    def close_all(self):
        for link in self.links:
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.links = []

    def close(self):
        self.socket.close()
        self.close_all()


def read_start(said):
    """(address, version) of what `start` prints: an address alone, or JSON with it."""
    text = said.decode(errors="replace").strip()
    if text.startswith("{"):
        answer = json.loads(text)
        return answer["address"], answer["version"]
    return text, 2


def start(binary, bundle, id, namespace, events, address, options=None, debug=False, env=None, timeout=20):
    """Runs `BINARY start` as containerd does, in the bundle; (address, version of the task service)."""
    args = [binary, "-namespace", namespace, "-address", address, "-publish-binary", "/bin/false", "-id", id]
    args += (["-debug"] if debug else []) + ["start"]
    surroundings = dict(os.environ, GOMAXPROCS="2", MAX_SHIM_VERSION="2", TTRPC_ADDRESS=events, GRPC_ADDRESS=address, NAMESPACE=namespace)
    surroundings.update(env or {})
    asked = protobuf.encode("Any", protobuf.any_of("Options", options)) if options is not None else b""
    done = subprocess.run(args, cwd=bundle, env=surroundings, input=asked, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    if done.returncode:
        raise RuntimeError(f"start ended with {done.returncode}: {done.stdout.decode(errors='replace')}")
    return read_start(done.stdout)


def delete(binary, bundle, id, namespace, events, address, timeout=20):
    """Runs `BINARY delete` as containerd does for a shim that is gone; the DeleteResponse."""
    args = [binary, "-namespace", namespace, "-address", address, "-publish-binary", "/bin/false", "-id", id, "-bundle", bundle, "delete"]
    surroundings = dict(os.environ, MAX_SHIM_VERSION="2", TTRPC_ADDRESS=events, GRPC_ADDRESS=address, NAMESPACE=namespace)
    done = subprocess.run(args, cwd=bundle, env=surroundings, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
    if done.returncode:
        raise RuntimeError(f"delete ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return protobuf.decode("DeleteResponse", done.stdout)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    version = int(os.environ.get("TASK_VERSION", "2"))
    client = Client(sys.argv[1], version)
    kinds = {field: kind for field, kind in protobuf.MESSAGES[NAMES.get(sys.argv[2], sys.argv[2]) + "Request"].values()}
    values = {}
    for pair in sys.argv[3:]:
        key, value = pair.split("=", 1)
        values[key] = int(value) if kinds[key] in "ub" else value
    try:
        print(json.dumps(client.call(sys.argv[2], **values), default=repr, indent=2))
    except Refused as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
