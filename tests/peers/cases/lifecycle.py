"""Commands one after another: what each does in each state of a container, and what is left."""

import os, socket, struct, array, json, threading
from catalogue import case, variants
from steps import seq, ended, residue, status, WAITING, fill

CREATE = "create -b BUNDLE ID"
RUN = "run -d -b BUNDLE ID"
QUICK = ["/bin/true"]

variants(
    "sequence",
    {
        "a whole life": seq(CREATE, "start ID", ended, "delete ID", residue, args=QUICK),
        "run detached, kill, delete": seq(RUN, "kill ID KILL", ended, "delete ID", residue),
        "run in the foreground": seq("run -b BUNDLE ID", residue, args=QUICK),
        "run in the foreground, keep": seq("run --keep -b BUNDLE ID", residue, "delete ID", residue, args=QUICK),
        "create twice": seq(CREATE, CREATE, "delete -f ID", residue),
        "create twice, the second one quick": seq(RUN, "run -b BUNDLE ID", "delete -f ID"),
        "start twice": seq(CREATE, "start ID", "start ID"),
        "start of a stopped one": seq(CREATE, "start ID", ended, "start ID", "delete ID", args=QUICK),
        "start of nothing": seq("start ID"),
        "delete of a created one": seq(CREATE, "delete ID", residue),
        "delete of a running one": seq(RUN, "delete ID", residue),
        "delete of a paused one": seq(RUN, "pause ID", "delete ID", "delete -f ID", residue),
        "delete of nothing": seq("delete ID", "delete -f ID", residue),
        "delete twice": seq(RUN, "kill ID 9", ended, "delete ID", "delete ID"),
        "delete by force of a created one": seq(CREATE, "delete -f ID", residue),
        "delete by force of a running one": seq(RUN, "delete --force ID", residue),
        "delete by force, then again": seq(RUN, "delete --force ID", "delete --force ID"),
        "kill of a created one": seq(CREATE, "kill ID KILL", ended, "kill ID KILL", "delete ID", residue),
        "kill TERM of a created one": seq(CREATE, "kill ID TERM", ended, "delete ID", residue),
        "kill INT of a created one": seq(CREATE, "kill ID INT", ended, "delete ID"),
        "kill 0 of a created one": seq(CREATE, "kill ID 0", "start ID", "delete -f ID"),
        "kill of a stopped one": seq(RUN, "kill ID KILL", ended, "kill ID KILL", "kill ID TERM", "kill ID 0"),
        "kill --all of a stopped one": seq(RUN, "kill ID KILL", ended, "kill --all ID KILL", "delete ID"),
        "kill of a paused one": seq(RUN, "pause ID", "kill ID KILL", "resume ID", ended, "delete ID", residue),
        "kill of nothing": seq("kill ID KILL"),
        "pause of a created one": seq(CREATE, "pause ID", "resume ID", "start ID"),
        "pause twice": seq(RUN, "pause ID", "pause ID", "resume ID"),
        "resume of a running one": seq(RUN, "resume ID"),
        "resume of a stopped one": seq(RUN, "kill ID KILL", ended, "resume ID"),
        "pause of a stopped one": seq(RUN, "kill ID KILL", ended, "pause ID"),
        "pause of nothing": seq("pause ID", "resume ID"),
        "start of a paused one": seq(CREATE, "pause ID", "start ID", "resume ID", "start ID"),
        "exec in a created one": seq(CREATE, "exec ID /bin/true", "delete -f ID"),
        "exec in a stopped one": seq(RUN, "kill ID KILL", ended, "exec ID /bin/true"),
        "exec in a paused one": seq(RUN, "pause ID", "exec ID /bin/true", "resume ID"),
        "exec in nothing": seq("exec ID /bin/true"),
        "ps of a created one": seq(CREATE, "ps ID", "ps -f json ID"),
        "ps of a stopped one": seq(RUN, "kill ID KILL", ended, "ps ID", "ps -f json ID"),
        "ps of a paused one": seq(RUN, "pause ID", "ps ID", "ps -f json ID"),
        "ps of nothing": seq("ps ID"),
        "update of a created one": seq(CREATE, "update --pids-limit 20 ID", "start ID"),
        "update of a stopped one": seq(RUN, "kill ID KILL", ended, "update --pids-limit 20 ID"),
        "update of a paused one": seq(RUN, "pause ID", "update --pids-limit 20 ID", "resume ID"),
        "update of nothing": seq("update --pids-limit 20 ID"),
        "events of a created one": seq(CREATE, "events --stats ID"),
        "events of a stopped one": seq(RUN, "kill ID KILL", ended, "events --stats ID", "events ID"),
        "events of nothing": seq("events --stats ID"),
        "state of nothing": seq("state ID"),
        "the bundle is gone, delete": seq(
            RUN, "kill ID KILL", ended, lambda s: os.rename(s.bundle, s.bundle + ".gone"), "state ID", "delete ID", residue
        ),
        "the bundle is gone, exec": seq(
            RUN, lambda s: os.rename(s.bundle, s.bundle + ".gone"), "state ID", "exec ID /bin/true", "delete -f ID", residue
        ),
        "the bundle is gone, start": seq(CREATE, lambda s: os.rename(s.bundle, s.bundle + ".gone"), "start ID", "delete -f ID"),
        "the config is changed, start": seq(
            CREATE, lambda s: open(f"{s.bundle}/config.json", "w").write("{}"), "start ID", "exec ID /bin/true", "delete -f ID"
        ),
        "a program that is not there, create": seq(CREATE, "start ID", residue, "delete -f ID", args=["/nope"]),
        "a program that is not there, run": seq(RUN, residue, "run -b BUNDLE ID", residue, args=["/nope"]),
        "an exit code, run": seq("run -b BUNDLE ID", args=["/bin/sh", "-c", "exit 37"]),
        "an exit code of 255, run": seq("run -b BUNDLE ID", args=["/bin/sh", "-c", "exit 255"]),
        "ended by KILL, run": seq("run -b BUNDLE ID", args=["/probe", "only:none", "kill:9"]),
        "ended by SEGV, run": seq(
            "run -b BUNDLE ID", args=["/bin/sh", "-c", "(kill -SEGV $$) & wait; ulimit -c 0; exec /probe only:none kill:11"]
        ),
        "a child that stays, run": seq("run -b BUNDLE ID", residue, args=["/bin/sh", "-c", "sleep 50 >/dev/null 2>&1 & exit 3"]),
        "two bundles, the same id": seq(RUN, "run -d -b DIR/other ID", setup=lambda s: os.mkdir(f"{s.dir}/other")),
    },
)

variants(
    "bundle",
    {
        "none, from the working directory": lambda s: (setattr(s, "cwd", s.bundle), seq("run ID", args=QUICK)(s)),
        "relative": seq("run -b bundle ID", args=QUICK),
        "with a slash": seq("run -b BUNDLE/ ID", args=QUICK),
        "with dots": seq("run -b BUNDLE/../bundle/. ID", args=QUICK),
        "missing": seq("run -b /nope ID", residue, args=QUICK),
        "empty": seq(["run", "-b", "", "ID"], args=QUICK),
        "a file": seq("run -b BUNDLE/config.json ID", args=QUICK),
        "without config.json": seq("run -b DIR/empty ID", setup=lambda s: os.mkdir(f"{s.dir}/empty")),
        "given twice": seq("run -b /nope -b BUNDLE ID", args=QUICK),
        "by a link": seq(
            "run -d -b DIR/link ID", lambda s: s.state("link"), setup=lambda s: os.symlink(s.bundle, f"{s.dir}/link")
        ),
        "config.json is a link": seq(
            "run -b BUNDLE ID",
            residue,
            setup=lambda s: s.write()
            or (
                os.rename(f"{s.bundle}/config.json", f"{s.dir}/c.json"),
                os.symlink(f"{s.dir}/c.json", f"{s.bundle}/config.json"),
            ),
            args=QUICK,
        ),
        "config.json is a directory": lambda s: (
            os.mkdir(f"{s.bundle}/config.json"),
            s.call("run", "run", "-b", s.bundle, s.id),
            s.residue(),
        ),
        "config.json is empty": lambda s: (setattr(s, "raw", ""), s.once()),
        "config.json is not JSON": lambda s: (setattr(s, "raw", "{"), s.once()),
        "config.json is a list": lambda s: (setattr(s, "raw", "[]"), s.once()),
        "config.json is null": lambda s: (setattr(s, "raw", "null"), s.once()),
        "config.json is an empty object": lambda s: (setattr(s, "raw", "{}"), s.once()),
        "config.json begins with a mark of byte order": lambda s: (
            s.sh("true"),
            setattr(s, "raw", "\ufeff" + json.dumps(s.config)),
            s.once(),
        ),
    },
    views=("v2",),
)


@case("bundle: config.json is a fifo")
def _(s):
    s.process["args"] = QUICK
    path = f"{s.bundle}/config.json"
    os.mkfifo(path)
    threading.Thread(target=lambda: open(path, "w").write(json.dumps(s.config)), daemon=True).start()
    s.call("run", "run", "-b", s.bundle, s.id)
    try:  # a writer that nobody has read from ends
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        pass


NAMES = {
    "a dot": ".",
    "two dots": "..",
    "empty": "",
    "a space": "a b",
    "a slash": "a/b",
    "a letter": "q",
    "an underscore": "_a",
    "a dash first": "-a",
    "a plus": "a+b",
    "a colon": "a:b",
    "dots within": "a.b..c",
    "a dot first": ".a",
    "a line end": "a\nb",
    "an umlaut": "ä",
    "127 letters": "n" * 127,
    "128 letters": "n" * 128,
    "200 letters": "n" * 200,
    "254 letters": "n" * 254,
    "255 letters": "n" * 255,
    "256 letters": "n" * 256,
    "1025 letters": "n" * 1025,
    "an at sign": "a@b",
    "a percent": "a%b",
    "a star": "a*",
    "two dashes": "--",
    "a backslash": "a\\b",
    "a comma": "a,b",
    "digits": "12",
}


def named(name):
    def act(s):
        s.process["args"] = QUICK
        s.write()
        s.call("run", "run", "-b", s.bundle, name)
        s.call("state", "state", name)
        s.residue()

    return act


variants(
    "name of a container",
    {k: named(v) for k, v in NAMES.items()},
    views=("v2",),
)


# --- files and descriptors that a birth gives or takes ---


def pid_file(*line, where="DIR/pid", setup=None, command="run"):
    def act(s):
        s.process["args"] = WAITING if command != "run" or "-d" in line else QUICK
        if setup:
            setup(s)
        s.write()
        path = fill(s, [where])[0]
        s.call(command, command, *fill(s, line), "--pid-file", path, "-b", s.bundle, s.id)
        at = path if path.startswith("/") else os.path.join(s.dir, path)
        if os.path.lexists(at):
            info = os.lstat(at)
            text = open(at).read() if os.path.isfile(at) else ""
            status(s)
            s.see(
                "pid file",
                f"{info.st_mode:o} {'the pid' if text == str(getattr(s, 'pid', 0)) and text else repr(text) if not text.isdigit() else 'a number'}",
            )
        else:
            s.see("pid file", "none")
        if "keep" in where and os.path.exists(f"{s.dir}/keep"):
            s.see("the other file", open(f"{s.dir}/keep").read())

    return act


def other_file(s):
    open(f"{s.dir}/keep", "w").write("before")
    os.symlink(f"{s.dir}/keep", f"{s.dir}/keep-link")


variants(
    "pid file",
    {
        "run -d": pid_file("-d"),
        "run in the foreground": pid_file(),
        "create": pid_file(command="create"),
        "relative": pid_file("-d", where="here.pid"),
        "empty": pid_file("-d", where=""),
        "in a directory that is missing": pid_file("-d", where="DIR/no/pid"),
        "is a directory": pid_file("-d", where="DIR/bundle"),
        "is there already": pid_file("-d", setup=lambda s: open(f"{s.dir}/pid", "w").write("longer than a pid\n")),
        "is a device": pid_file("-d", where="DIR/null", setup=lambda s: os.mknod(f"{s.dir}/null", 0o20666, os.makedev(1, 3))),
        "is a link": pid_file("-d", where="DIR/keep-link", setup=other_file),
        "in a directory that cannot be written": pid_file("-d", where="/proc/pid"),
        "a failed birth": pid_file("-d", setup=lambda s: s.process.update(args=["/nope"])),
    },
    views=("v2",),
)


def descriptors(count, *options, spec=(), env=None, extra=3):
    def act(s):
        s.process["args"] = ["/probe", "only:fd,environment"]
        s.write()

        def give():
            for number in range(3, 3 + extra):
                os.dup2(1 if number % 2 else 2, number, inheritable=True)

        s.call(
            "run",
            "run",
            *([f"--preserve-fds={count}"] if count is not None else []),
            *options,
            "-b",
            s.bundle,
            s.id,
            before=give,
            pass_fds=range(3, 3 + extra),
            env=env,
        )

    return act


variants(
    "descriptors",
    {
        "none are given on": descriptors(None),
        "none asked for": descriptors(0),
        "one": descriptors(1),
        "all three": descriptors(3),
        "more than are open": descriptors(10),
        "a hundred": descriptors(100),
        "below nought": descriptors(-1),
        "not a number": descriptors("abc"),
        "empty": descriptors(""),
        "in hex": descriptors("0x1"),
        "a huge number": descriptors(2147483647),
        "too huge a number": descriptors(99999999999999999999),
        "with LISTEN_FDS": descriptors(1, env={"LISTEN_FDS": "1", "LISTEN_PID": "1"}),
        "LISTEN_FDS alone": descriptors(None, env={"LISTEN_FDS": "2"}),
        "LISTEN_FDS with names": descriptors(None, env={"LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"}),
        "LISTEN_FDS that is no number": descriptors(None, env={"LISTEN_FDS": "x"}),
        "LISTEN_FDS empty": descriptors(None, env={"LISTEN_FDS": ""}),
        "LISTEN_FDS of nought": descriptors(None, env={"LISTEN_FDS": "0"}),
        "LISTEN_FDS of many": descriptors(None, env={"LISTEN_FDS": "50"}),
        "one, of seven": descriptors(1, extra=7),
        "none open": descriptors(2, extra=0),
    },
    views=("v2",),
)


def born(*options, **how):
    def act(s):
        s.process["args"] = ["/probe", "only:keyring,session,mounts,tty,fd"] + list(how.get("more", ()))
        s.write()
        s.call("run", "run", *options, "-b", s.bundle, s.id)
        s.residue()

    return act


variants(
    "birth option",
    {
        "--no-pivot": born("--no-pivot"),
        "--no-new-keyring": born("--no-new-keyring"),
        "both": born("--no-pivot", "--no-new-keyring"),
        "--no-subreaper": born("--no-subreaper"),
        "--detach": born("--detach"),
        "--keep": born("--keep"),
        "--detach --keep": born("--detach", "--keep"),
        "--no-pivot=false": born("--no-pivot=false"),
        "--no-pivot=maybe": born("--no-pivot=maybe"),
        "--keep twice": born("--keep", "--keep"),
    },
)


def without(field):
    def act(s):
        s.config.pop(field, None)
        seq(CREATE, "start ID", "delete -f ID", residue, setup=lambda s: None)(s) if field != "process" else no_process(s)

    return act


def no_process(s):
    s.write = lambda: open(f"{s.bundle}/config.json", "w").write(
        json.dumps({k: v for k, v in s.config.items() if k != "process"})
    )
    s.write()
    for label, line in (
        ("create", ("create", "-b", s.bundle, s.id)),
        ("start", ("start", s.id)),
        ("delete", ("delete", "-f", s.id)),
    ):
        s.call(label, *line)
    s.residue()


case("no process in the config")(no_process)
