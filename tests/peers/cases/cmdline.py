"""Command lines: options in all places and forms, help, usage, version, what scripts parse. All of it belongs to the name."""

import json, os, re, stat
from catalogue import case, variants
from steps import fill, on_running, seq, up, words


def bare(*line, phrases=(), first=False, cwd=None, env=None):
    """A whole command line: without --root and without a container."""

    def act(s):
        s.call("line", *fill(s, line), bare=True, cwd=cwd, env=env)
        s.says("line", *phrases)
        out, err = (open(f"{s.dir}/line.{k}", errors="replace").read() for k in ("out", "err"))
        s.see(
            "line.prints", f"{'text' if out.strip() else 'nothing'} to stdout, {'text' if err.strip() else 'nothing'} to stderr"
        )
        if first:
            s.see("line.says first", s.clean(next(iter(out.split("\n")), "")))

    return act


COMMANDS = "checkpoint create delete events exec features kill list ps pause restore resume run spec start state update".split()
variants(
    "command line",
    {
        "nothing": bare(phrases=("NAME", "USAGE", "COMMANDS")),
        "--help": bare("--help", first=True, phrases=("NAME:", "USAGE:", "COMMANDS:", "GLOBAL OPTIONS:")),
        "-h": bare("-h", first=True),
        "help": bare("help", first=True),
        "h": bare("h", first=True),
        "help of nothing": bare("help", "nosuch"),
        "help help": bare("help", "help"),
        "help --help": bare("help", "--help"),
        "help --nosuch": bare("help", "--nosuch"),
        "--version": bare("--version", phrases=(r"(?m)^(runc|crun) version ", r"(?m)^spec: \d", r"(?m)^commit: ")),
        "-v": bare("-v", phrases=(r"^(runc|crun) version ",)),
        "-V": bare("-V"),
        "version": bare("version"),
        "--version list": bare("--version", "list"),
        "list --version": bare("--root", "DIR/root", "list", "--version"),
        "an unknown command": bare("nosuch"),
        "an unknown option": bare("--nosuch", "list", phrases=("flag provided but not defined", "Incorrect Usage")),
        "an unknown option of a command": bare("list", "--nosuch", phrases=("flag provided but not defined", "Incorrect Usage")),
        "an empty command": bare(""),
        "a command in capitals": bare("LIST"),
        "the beginning of a command": bare("lis"),
        "-- list": bare("--root", "DIR/root", "--", "list"),
        "-- first": bare("--", "--root", "DIR/root", "list"),
        "--root=": bare("--root=", "list"),
        "--root empty": bare("--root", "", "list"),
        "--root missing": bare("--root", "DIR/no/such", "list"),
        "--root a file": bare("--root", "/etc/passwd", "list"),
        "--root relative": bare("--root", "root", "list"),
        "--root without value": bare("--root"),
        "--root twice": bare("--root", "DIR/nope", "--root", "DIR/root", "list"),
        "-root with one dash": bare("-root", "DIR/root", "list"),
        "--root with slash": bare("--root", "DIR/root/", "list", "-q"),
        "--root a link": lambda s: (os.symlink(s.root, f"{s.dir}/l"), bare("--root", "DIR/l", "list", "-q")(s)),
        "--rootless=maybe": bare("--root", "DIR/root", "--rootless=maybe", "list"),
        "--rootless auto": bare("--root", "DIR/root", "--rootless", "auto", "list"),
        "--rootless true": bare("--root", "DIR/root", "--rootless=true", "list"),
        "--rootless empty": bare("--root", "DIR/root", "--rootless=", "list"),
        "--rootless at the end": bare("--root", "DIR/root", "--rootless"),
        "--debug": bare("--root", "DIR/root", "--debug", "list"),
        "--debug=false": bare("--root", "DIR/root", "--debug=false", "list"),
        "--debug=maybe": bare("--root", "DIR/root", "--debug=maybe", "list"),
        "--debug twice": bare("--root", "DIR/root", "--debug", "--debug", "list"),
        "-debug": bare("--root", "DIR/root", "-debug", "list"),
        "--systemd-cgroup": bare("--root", "DIR/root", "--systemd-cgroup", "list"),
        "-dd": bare("-dd", "list"),
        "--log": bare("--root", "DIR/root", "--log", "DIR/log", "list"),
        "--log missing directory": bare("--root", "DIR/root", "--log", "/no/dir/log", "list"),
        "--log empty": bare("--root", "DIR/root", "--log", "", "list"),
        "--log a directory": bare("--root", "DIR/root", "--log", "/tmp", "list"),
        "--log-format json": bare("--root", "DIR/root", "--log-format", "json", "list"),
        "--log-format text": bare("--root", "DIR/root", "--log-format=text", "list"),
        "--log-format odd": bare("--root", "DIR/root", "--log-format", "xml", "list"),
        "--log-format empty": bare("--root", "DIR/root", "--log-format=", "list"),
        "--log /dev/null": bare("--root", "DIR/root", "--log", "/dev/null", "list"),
        "--log /dev/stderr": bare("--root", "DIR/root", "--log", "/dev/stderr", "state", "x"),
        "--log-level": bare("--root", "DIR/root", "--log-level", "debug", "list"),
        "--cgroup-manager": bare("--root", "DIR/root", "--cgroup-manager", "cgroupfs", "list"),
        "--cgroup-manager odd": bare("--root", "DIR/root", "--cgroup-manager", "nope", "list"),
        "--criu": bare("--root", "DIR/root", "--criu", "/usr/sbin/criu", "list"),
        **{f"{c} --help": bare(c, "--help", phrases=("NAME:", "USAGE:")) for c in COMMANDS},
        **{f"{c} -h": bare(c, "-h") for c in COMMANDS},
        **{f"help {c}": bare("help", c) for c in COMMANDS},
        **{
            f"{c} without an id": bare("--root", "DIR/root", c, phrases=("requires exactly 1 argument", "Incorrect Usage"))
            for c in COMMANDS
            if c not in ("features", "list", "spec")
        },
        **{f"{c} with a word too many": bare("--root", "DIR/root", c, "one", "two", "three", "four") for c in COMMANDS},
        **{f"{c} --nosuch": bare("--root", "DIR/root", c, "--nosuch", "x") for c in COMMANDS},
        **{f"{c} of an empty id": bare("--root", "DIR/root", c, "") for c in COMMANDS if c not in ("features", "spec", "list")},
        **{
            f"{c} of an id with a slash": bare("--root", "DIR/root", c, "a/b")
            for c in COMMANDS
            if c not in ("features", "spec", "list", "create", "run")
        },
        **{
            f"{c} of no container": bare(
                "--root", "DIR/root", c, "nope", *(["x"] if c == "exec" else []), phrases=("does not exist",)
            )
            for c in COMMANDS
            if c not in ("features", "spec", "list", "create", "run")
        },
        "help create": bare("create", "help"),
        "create of an unknown command": bare("create", "help", "x"),
        "a command that only we have": bare("info"),
        "list behind an option": bare("--root", "DIR/root", "list", "--format", "json"),
        "list -f": bare("--root", "DIR/root", "list", "-f", "json"),
        "list -fjson": bare("--root", "DIR/root", "list", "-fjson"),
        "list -qf json": bare("--root", "DIR/root", "list", "-qf", "json"),
        "list --format=json": bare("--root", "DIR/root", "list", "--format=json"),
        "list --format odd": bare("--root", "DIR/root", "list", "--format", "odd"),
        "list --format empty": bare("--root", "DIR/root", "list", "--format="),
        "list -q -q": bare("--root", "DIR/root", "list", "-q", "-q"),
        "list --quiet": bare("--root", "DIR/root", "list", "--quiet"),
        "list --quiet=false": bare("--root", "DIR/root", "list", "--quiet=false"),
        "list -format json": bare("--root", "DIR/root", "list", "-format", "json"),
        "list with a word": bare("--root", "DIR/root", "list", "word"),
        "list --root behind": bare("list", "--root", "DIR/root"),
        "list --form": bare("--root", "DIR/root", "list", "--form", "json"),
        "features": bare("features", phrases=(r'"ociVersionMin"', r'"ociVersionMax"', r'"hooks"', r'"mountOptions"', r'"linux"')),
        "features with a word": bare("features", "word"),
        "spec --nosuch": bare("spec", "--nosuch"),
        "closed output": lambda s: s.call("line", "--help", bare=True, before=lambda: os.close(1)),
        "full output": lambda s: s.call(
            "line", "--help", bare=True, before=lambda: os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        ),
        "full output, list": lambda s: s.alive()
        and s.call("line", "list", before=lambda: os.dup2(os.open("/dev/full", os.O_WRONLY), 1)),
        "full output, state": lambda s: s.alive()
        and s.call("line", "state", s.id, before=lambda: os.dup2(os.open("/dev/full", os.O_WRONLY), 1)),
    },
    face="line",
    views=("v2",),
)

variants(
    "command line, exec",
    {
        "an option behind the id": up("ID_", program=()) if False else on_running("exec", "ID", "-t", "true"),
        "-e behind the id": on_running("exec", "ID", "-e", "A=b", "/bin/env"),
        "--help behind the id": on_running("exec", "ID", "--help"),
        "-- behind the id": on_running("exec", "ID", "--", "/bin/true"),
        "-- before the id": on_running("exec", "--", "ID", "/bin/true"),
        "an option of the program": on_running("exec", "ID", "/bin/echo", "-n", "x", show="out"),
        "-- of the program": on_running("exec", "ID", "/bin/echo", "--", "x", show="out"),
        "--help of the program": on_running("exec", "ID", "/bin/echo", "--help", show="out"),
        "-e without value": on_running("exec", "-e"),
        "-eA=b": on_running("exec", "-eA=b", "ID", "/bin/true"),
        "-e=A=b": on_running("exec", "-e=A=b", "ID", "/bin/env"),
        "--env=A=b": on_running("exec", "--env=A=b", "ID", "/bin/true"),
        "-td": on_running("exec", "-td", "ID", "/bin/true"),
        "-d": on_running("exec", "-d", "ID", "/bin/true"),
        "--detach=true": on_running("exec", "--detach=true", "ID", "/bin/true"),
        "--tty=false": on_running("exec", "--tty=false", "ID", "/bin/true"),
        "-p file": lambda s: (
            open(f"{s.dir}/p.json", "w").write(json.dumps({"cwd": "/", "args": ["/bin/false"]})),
            on_running("exec", "-p", "DIR/p.json", "ID", "/bin/true")(s),
        ),
        "-p file alone": lambda s: (
            open(f"{s.dir}/p.json", "w").write(json.dumps({"cwd": "/", "args": ["/bin/true"]})),
            on_running("exec", "-p", "DIR/p.json", "ID")(s),
        ),
        "--pid-file and words": on_running("exec", "--pid-file", "DIR/pid", "ID", "/bin/true"),
        "no words": on_running("exec", "ID"),
        "-user one dash": on_running("exec", "-user", "5", "ID", "/bin/true"),
        "--nosuch": on_running("exec", "--nosuch", "ID", "/bin/true"),
    },
    face="line",
    views=("v2",),
)

variants(
    "command line, others",
    {
        "start --nosuch": on_running("start", "--nosuch", "ID"),
        "state behind": on_running("state", "ID", "--nosuch"),
        "kill ID -0": on_running("kill", "ID", "-0"),
        "kill 0": on_running("kill", "ID", "0"),
        "kill -a": on_running("kill", "-a", "ID", "0"),
        "kill -- ": on_running("kill", "--", "ID", "0"),
        "delete behind": on_running("delete", "ID", "--force"),
        "delete -f=true": on_running("delete", "-f=true", "ID"),
        "delete -f=false": on_running("delete", "-f=false", "ID"),
        "delete --force=0": on_running("delete", "--force=0", "ID"),
        "delete -f two": on_running("delete", "-f", "ID", "other"),
        "delete -force": on_running("delete", "-force", "ID"),
        "delete -r": on_running("delete", "-r", "-f", "cmp.*"),
        "ps -f json": on_running("ps", "-f", "json", "ID"),
        "ps behind": on_running("ps", "ID", "-f", "json"),
        "ps with options of ps": on_running("ps", "ID", "-o", "pid,cmd"),
        "ps aux": on_running("ps", "ID", "aux"),
        "ps without pid": on_running("ps", "ID", "-o", "cmd"),
        "ps --format odd": on_running("ps", "--format", "odd", "ID"),
        "ps -fjson": on_running("ps", "-fjson", "ID"),
        "ps of a bad option": on_running("ps", "ID", "--nosuch"),
        "pause two": on_running("pause", "ID", "other"),
        "pause --nosuch": on_running("pause", "--nosuch", "ID"),
        "update behind": on_running("update", "ID", "--pids-limit", "20"),
        "update --pids-limit=": on_running("update", "--pids-limit=", "ID"),
        "events --stats": on_running("events", "--stats", "ID"),
        "events --interval": on_running("events", "--interval", "1s", "--stats", "ID"),
        "events --interval odd": on_running("events", "--interval", "x", "--stats", "ID"),
        "events --interval 0": on_running("events", "--interval", "0", "ID"),
        "events --interval below nought": on_running("events", "--interval", "-1s", "ID"),
        "events --interval a number": on_running("events", "--interval", "5", "--stats", "ID"),
        "events -stats": on_running("events", "-stats", "ID"),
        "create behind": lambda s: seq("create ID -b BUNDLE")(s),
        "create --bundle=": seq(["create", "--bundle=BUNDLE", "ID"]),
        "create -b=": seq(["create", "-b=BUNDLE", "ID"]),
        "create -bBUNDLE": seq(["create", "-bBUNDLE", "ID"]),
        "create -bundle": seq("create -bundle BUNDLE ID"),
        "create -- id": seq("create -b BUNDLE -- ID"),
        "run -d=true": seq("run -d=true -b BUNDLE ID"),
        "run --detach=false": seq("run --detach=false -b BUNDLE ID", args=["/bin/true"]),
        "run -d behind": seq("run -b BUNDLE ID -d", args=["/bin/true"]),
        "run two": seq("run -b BUNDLE ID other", args=["/bin/true"]),
        "run --nosuch": seq("run --nosuch -b BUNDLE ID"),
        "run -h": seq("run -h"),
        "create --preserve-fds odd": seq("create --preserve-fds odd -b BUNDLE ID"),
        "create --console-socket alone": seq("create -b BUNDLE ID --console-socket"),
        "create --config": seq("create --config config.json -b BUNDLE ID"),
        "create --pidfd-socket": seq("create --pidfd-socket /nope -b BUNDLE ID"),
    },
    face="line",
    views=("v2",),
)


def logged(*line, fmt=None, debug=False, phrases=()):
    """What a log file holds: its form, which engines parse."""

    def act(s):
        s.process["args"] = ["/bin/true"]
        s.write()
        s.call(
            "line",
            *(["--debug"] if debug else []),
            "--log",
            f"{s.dir}/log",
            *([f"--log-format={fmt}"] if fmt else []),
            *fill(s, line),
        )
        text = open(f"{s.dir}/log").read() if os.path.exists(f"{s.dir}/log") else "(none)"
        s.see(
            "log.kind",
            (
                "none"
                if text == "(none)"
                else "empty" if not text else "json" if all(l.startswith("{") for l in text.splitlines()) else "text"
            ),
        )
        for entry in text.splitlines():
            try:
                entry = json.loads(entry)
                if not debug:
                    s.see("log.keys", " ".join(entry))
                    s.see("log.level", entry["level"])
                    s.see("log.time", re.sub(r"\d", "9", re.sub(r"\.\d+", "", entry["time"])).replace("+99:99", "Z"))
            except (ValueError, TypeError):
                pass
        if os.path.exists(f"{s.dir}/log"):
            s.see("log.mode", oct(stat.S_IMODE(os.stat(f"{s.dir}/log").st_mode)))
            os.rename(f"{s.dir}/log", f"{s.dir}/line.log")
        s.says("line", *phrases)

    return act


variants(
    "log",
    {
        "an error": logged("state", "nope", phrases=("level=error", "does not exist")),
        "an error in JSON": logged("state", "nope", fmt="json", phrases=('"level":"error"', "does not exist")),
        "success": logged("list"),
        "success in JSON": logged("list", fmt="json"),
        "debug": logged("list", debug=True),
        "debug of exec": logged("exec", "nope", "x", fmt="json", debug=True),
        "a failed run": logged("run", "-b", "/nope", "ID", fmt="json", phrases=('"level":"error"',)),
        "debug of run": logged("run", "-b", "BUNDLE", "ID", fmt="json", debug=True),
        "an unknown option": logged("state", "--nosuch", fmt="json"),
        "a missing id": logged("state", fmt="json"),
    },
    face="line",
    views=("v2",),
)


# --- what is printed for scripts ---


def printed(*line, setup=None, keep=None, program=None):
    """The shape of what is printed: keys of JSON, columns of tables."""

    def act(s):
        if setup:
            setup(s)
        if program:
            s.process["args"] = program
        if not s.alive():
            return
        out = s.call("line", *fill(s, line)).out
        try:
            for key, value in shape(json.loads(out), keep or ()):
                s.see(f"out.{key}", value)
        except ValueError:
            lines = out.splitlines()
            s.see("columns", " ".join(lines[0].split()) if lines else "none")
            s.see("lines", len(lines))
            if len(lines) > 1 and keep == "rows":
                s.see("row", re.sub(r"\b\d+\b", "N", re.sub(r"\d{4}-.*?Z", "TIME", s.clean(" ".join(lines[1].split())))))

    return act


def shape(value, keep, at=""):
    if isinstance(value, dict):
        if not value:
            yield at, "{}"
        for key in value:
            yield from shape(value[key], keep, f"{at}.{key}".lstrip("."))
    elif isinstance(value, list):
        yield at, f"[{len(value)}]"
        for entry in value[:2]:
            yield from shape(entry, keep, at + "[]")
    else:
        yield at, (
            json.dumps(value)
            if at in keep or isinstance(value, (str, bool)) and not re.search(r"\d\d", str(value))
            else type(value).__name__
        )


variants(
    "printed",
    {
        "state": printed("state", "ID"),
        "state with annotations": printed("state", "ID", setup=lambda s: s.config.update(annotations={"a.b": "c", "x": ""})),
        "list": printed("list", keep="rows"),
        "list json": printed("list", "-f", "json"),
        "list -q": printed("list", "-q", keep="rows"),
        "ps": printed("ps", "ID"),
        "ps json": printed("ps", "-f", "json", "ID"),
        "ps -o": printed("ps", "ID", "-o", "pid,comm"),
        "events": printed("events", "--stats", "ID"),
        "events, limits": printed(
            "events",
            "--stats",
            "ID",
            setup=lambda s: s.linux["resources"].update(memory={"limit": 1 << 27}, pids={"limit": 33}, cpu={"shares": 512}),
        ),
        "list of none": lambda s: s.call("list", "list", show="out"),
        "list json of none": lambda s: s.call("list", "list", "-f", "json", show="out"),
        "list -q of none": lambda s: s.call("list", "list", "-q", show="out"),
    },
    views=("v2",),
)


@case("printed: features")
def _(s):
    try:
        value = json.loads(s.call("features", "features", bare=True).out)
    except ValueError:
        return
    s.see("keys", " ".join(sorted(value)))
    s.see("keys of linux", " ".join(sorted(value["linux"])))
    for name in ("hooks",):
        s.see(name, " ".join(sorted(value[name])))
    for name in ("namespaces", "cgroup", "seccomp", "apparmor", "selinux", "intelRdt", "mountExtensions"):
        s.see(
            f"linux.{name}",
            json.dumps(
                sorted(value["linux"].get(name) or {})
                if not isinstance(value["linux"].get(name), list)
                else sorted(value["linux"][name])
            ),
        )


def spec(*options, setup=None):
    def act(s):
        where = f"{s.dir}/new"
        os.mkdir(where)
        if setup:
            setup(where)
        ended = s.call("spec", "spec", *options, bare=True, cwd=where)
        for name in sorted(os.listdir(where)):
            s.see(f"file {name}", oct(os.lstat(f"{where}/{name}").st_mode))
            if name.endswith(".json") and os.path.exists(f"{where}/{name}") and os.path.getsize(f"{where}/{name}") > 10:
                for key, value in shape(json.load(open(f"{where}/{name}")), ()):
                    if key.count(".") < 2 and "capabilities" not in key:
                        s.see(f"spec.{key}", value)

    return act


variants(
    "spec",
    {
        "plain": spec(),
        "--rootless": spec("--rootless"),
        "-b": spec("-b", "."),
        "-b missing": spec("-b", "/no/such"),
        "there is one": spec(setup=lambda w: open(f"{w}/config.json", "w").close()),
        "with a word": spec("word"),
        "there is a link": spec(setup=lambda w: os.symlink(f"{w}/../nowhere", f"{w}/config.json")),
    },
    views=("v2",),
)


@case("spec: what it makes runs")
def _(s):
    s.call("spec", "spec", bare=True, cwd=s.bundle)
    config = json.load(open(f"{s.bundle}/config.json"))
    config["process"].update(terminal=False, args=["/probe", "only:process,identity,environment,mounts,namespaces"])
    config["hostname"] = "box"
    open(f"{s.bundle}/config.json", "w").write(json.dumps(config))
    s.call("run", "run", "-b", s.bundle, s.id)
