"""Terminals: the container's own beside the caller's, sizes, line ends, the console socket."""

import array, fcntl, json, os, pty, select, socket, struct, subprocess, termios, threading, time
from catalogue import case, variants
from stand import PATIENCE
from steps import fill

LOOK = ["/probe", "only:tty,fd,session"]


def on_pty(*options, args=LOOK, size=None, keys=b"", command="run", shown=False, own=True):
    """`run` or `exec -t` from a terminal of 80x24."""

    def act(s):
        if size:
            s.process["consoleSize"] = size
        if command == "run":
            s.process.update(terminal=own, args=list(args))
            s.write()
            s.call("run", "run", *options, "-b", s.bundle, s.id, terminal=True, keys=keys)
        elif s.alive():
            s.call("exec", "exec", *options, s.id, *args, terminal=True, keys=keys)
        if shown:
            s.see("bytes", repr(open(f"{s.dir}/{command}.out", "rb").read()))

    return act


LINES = ["/bin/printf", "a\\nb\\n"]
variants(
    "terminal",
    {
        "run": on_pty(),
        "run, without one in the config": on_pty(own=False),
        "exec -t": on_pty("-t", command="exec"),
        "exec": on_pty(command="exec"),
        "consoleSize": on_pty(size={"height": 11, "width": 22}),
        "consoleSize of nought": on_pty(size={"height": 0, "width": 0}),
        "consoleSize half": on_pty(size={"height": 11}),
        "consoleSize too large": on_pty(size={"height": 65536, "width": 1}),
        "consoleSize largest": on_pty(size={"height": 65535, "width": 65535}),
        "bytes of run": on_pty(args=LINES, shown=True),
        "bytes of exec -t": on_pty("-t", args=LINES, command="exec", shown=True),
        "bytes of exec": on_pty(args=LINES, command="exec", shown=True),
        "bytes of run, without one": on_pty(args=LINES, own=False, shown=True),
        "keys": on_pty(args=["/bin/sh", "-c", "echo ready; read x; echo end.x $x"], keys=b"hello\n"),
        "end of file": on_pty(args=["/bin/sh", "-c", "echo ready; exec cat"], keys=b"hello\n\x04", shown=True),
        "interrupt": on_pty(
            args=["/bin/sh", "-c", "trap 'echo got; exit 5' INT; echo ready; while :; do sleep 0.05; done"], keys=b"\x03"
        ),
        "exec -t interrupt": on_pty(
            "-t",
            command="exec",
            args=["/bin/sh", "-c", "trap 'echo got; exit 5' INT; echo ready; while :; do sleep 0.05; done"],
            keys=b"\x03",
        ),
        "detached": on_pty("-d"),
        "exec -d -t": on_pty("-d", "-t", command="exec"),
        "exec --tty=false": on_pty("--tty=false", command="exec"),
        "much output": on_pty(
            args=["/bin/sh", "-c", "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done"], shown=False
        ),
        "an exit code": on_pty(args=["/bin/sh", "-c", "exit 9"]),
        "a user": lambda s: (s.process.update(user={"uid": 1000, "gid": 1000}), on_pty()(s)),
        "a user, exec -t": lambda s: on_pty("-t", "--user", "1000", command="exec")(s),
        "TERM": on_pty(args=["/probe", "only:environment"]),
        "exec -t, TERM": on_pty("-t", command="exec", args=["/probe", "only:environment"]),
    },
    views=("v2",),
)


def mixed(stdin, stdout, *, command="run", terminal=True, stderr=None):
    """Standard streams of different kinds: pty, pipe, file, null."""

    def act(s):
        s.ran = True
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
        result = f"{s.dir}/result"
        if command == "run":
            s.process.update(terminal=terminal, args=LINES)
            s.write()
            line = s.command("run", "-b", s.bundle, s.id)
        else:
            if not s.alive():
                return
            line = s.command("exec", "-t", s.id, *LINES)
        text, reader = b"", None

        def stream(kind, write):
            if kind == "pty":
                return slave
            if kind == "null":
                return subprocess.DEVNULL
            return open(result, "ab") if write else open(f"{s.bundle}/config.json", "rb")

        process = subprocess.Popen(
            line,
            stdin=stream(stdin, False),
            stdout=stream(stdout, True),
            stderr=stream(stderr or stdout, True),
            env=s.environment,
            cwd=s.cwd,
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(slave, termios.TIOCSCTTY, 0)),
        )
        os.close(slave)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if select.select([master], [], [], 0.02)[0]:
                try:
                    part = os.read(master, 65536)
                except OSError:
                    break
                text += part
            elif process.poll() is not None:
                break
        try:
            s.see("run.exit", process.wait(PATIENCE))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            s.see("run.exit", "timeout")
        os.close(master)
        s.see("on the terminal", repr(text) if process.returncode == 0 else "an error" if text else "nothing")
        if os.path.exists(result):
            s.see("in the file", repr(open(result, "rb").read()) if process.returncode == 0 else "an error")

    return act


variants(
    "terminal, streams",
    {
        f"{command}: {i} in, {o} out": mixed(i, o, command=command)
        for command in ("run", "exec")
        for i in ("pty", "file", "null")
        for o in ("pty", "file")
    },
    views=("v2",),
)
variants(
    "no terminal, streams",
    {f"run: {i} in, {o} out": mixed(i, o, terminal=False) for i in ("pty", "null") for o in ("pty", "file")},
    views=("v2",),
)


def console(path="DIR/s", *, args=LOOK, command="create", receive=True, size=None, terminal=True, listen=True, extra=()):
    """The master of the terminal goes to a socket."""

    def act(s):
        s.ran = True
        place = fill(s, [path])[0]
        os.makedirs(os.path.dirname(os.path.join(s.dir, place)) or ".", exist_ok=True)
        server = socket.socket(socket.AF_UNIX)
        if listen:
            directory = os.open(os.path.dirname(os.path.join(s.dir, place)), os.O_PATH)
            server.bind(f"/proc/self/fd/{directory}/{os.path.basename(place)}")
            server.listen(1)
            server.settimeout(0.1)
            os.close(directory)
        got, over = [], threading.Event()

        def take():
            try:
                connection = None
                while not connection:
                    last = over.is_set()
                    try:
                        connection, _ = server.accept()
                    except TimeoutError:
                        if last:
                            raise
                connection.settimeout(PATIENCE)
                data, ancillary, _, _ = connection.recvmsg(4096, 4096)
                for level, kind, body in ancillary:
                    fds = array.array("i")
                    fds.frombytes(body[: len(body) // 4 * 4])
                    got.extend(fds)
                s.see("message", "/dev/pts/N" if data.startswith(b"/dev/pts/") else data)
                s.see("descriptors", len(got))
            except OSError as e:
                s.see("message", f"none")

        thread = threading.Thread(target=take)
        if listen:
            thread.start()
        s.process.update(terminal=terminal, args=list(args))
        if size:
            s.process["consoleSize"] = size
        if command == "exec":
            s.process.update(terminal=False, args=["/probe"])
            if s.alive():
                s.call("exec", "exec", *extra, "--console-socket", place, s.id, *args)
        else:
            s.write()
            s.call(command, command, *extra, "--console-socket", place, "-b", s.bundle, s.id)
            if command == "create" and s.seen["create.exit"] == "0":
                s.call("start", "start", s.id)
        over.set()
        if listen:
            thread.join()
        text = b""
        for fd in got:
            w = struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, b"\0" * 8))
            s.see("size", f"{w[1]}x{w[0]}")
            s.see("output flags of the terminal", hex(termios.tcgetattr(fd)[1]))
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                if select.select([fd], [], [], 0.05)[0]:
                    try:
                        text += os.read(fd, 65536)
                    except OSError:
                        break
                elif text.rstrip().endswith(b"end\t0"):
                    break
            os.close(fd)
        s.lines(text.decode(errors="replace").replace("\r\n", "\n"), "in")
        server.close()

    return act


LONG = "DIR/" + "/".join(["d" * 40] * 4) + "/sock"
variants(
    "console socket",
    {
        "create": console(),
        "run -d": console(command="run", extra=("-d",)),
        "run": console(command="run"),
        "exec -d -t": console(command="exec", extra=("-d", "-t")),
        "exec -t": console(command="exec", extra=("-t",)),
        "exec without -t": console(command="exec"),
        "a long path": console(LONG),
        "a long path, exec": console(LONG, command="exec", extra=("-d", "-t")),
        "relative": console("sock"),
        "relative and long": console(LONG[5:]),
        "with a size": console(size={"height": 7, "width": 9}),
        "without a terminal": console(terminal=False),
        "nobody listens": console(listen=False),
        "empty": console("", listen=False),
        "a file": lambda s: (open(f"{s.dir}/s", "w").close(), console(listen=False)(s)),
        "a terminal without a socket, create": lambda s: (
            s.process.update(terminal=True),
            s.write(),
            s.call("create", "create", "-b", s.bundle, s.id),
            s.residue(),
        ),
        "a terminal without a socket, run -d": lambda s: (
            s.process.update(terminal=True),
            s.write(),
            s.call("run", "run", "-d", "-b", s.bundle, s.id),
            s.residue(),
        ),
        "bytes": console(args=LINES),
    },
    views=("v2",),
)
