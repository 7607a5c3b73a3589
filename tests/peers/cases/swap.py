"""A live swap: each command on a container that the peer made and that runs, with the peer's own state directory."""

import json, os, subprocess
from catalogue import case, variants
from steps import fill, gone, settled

WAITING = ["/probe", "only:none", "sleep:60"]


def made_by(maker, *lines, stage="running", setup=None, says=(), look=None):
    def act(s):
        s.ran = True
        s.process["args"] = list(WAITING)
        if setup:
            setup(s)
        s.write()

        def make(*line):
            with open(f"{s.dir}/maker.out", "ab") as out:
                done = subprocess.run(
                    [s.peers[maker], "--root", s.root, *line],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    env=s.environment,
                    cwd=s.dir,
                    timeout=20,
                )
            assert done.returncode == 0, open(f"{s.dir}/maker.out").read()

        make("create", "-b", s.bundle, s.id)
        state = json.loads(
            subprocess.run([s.peers[maker], "--root", s.root, "state", s.id], capture_output=True, env=s.environment).stdout
        )
        s.pid = state["pid"]
        if stage != "created":
            make("start", s.id)
        if stage == "paused":
            make("pause", s.id)
        if stage == "stopped":
            os.kill(s.pid, 9)
            s.see("program", s.wait(s.pid))
        for number, line in enumerate(lines, 1):
            label = f"{number}-{line.split()[0]}"
            if number > 1 and lines[number - 2].startswith("kill") and "0" not in lines[number - 2].split():
                s.until(lambda: settled(s.pid))
            out = s.call(label, *fill(s, line.split())).out
            if line.startswith("state"):
                try:
                    for key, value in json.loads(out).items():
                        if key in ("status", "bundle", "id"):
                            s.see(f"{label}.{key}", value)
                        if key == "pid":
                            s.see(f"{label}.pid", "that of PID 1" if value == s.pid else value)
                except ValueError:
                    pass
            elif line.startswith("list -q"):
                s.see(f"{label}.out", s.clean(out.strip()))
            elif line.startswith("list -f json"):
                try:
                    s.see(
                        f"{label}.out",
                        " ".join(f"{c['status']} {'pid' if c['pid'] == s.pid else c['pid']}" for c in json.loads(out) or []),
                    )
                except ValueError:
                    pass
            elif line.startswith("ps -f json"):
                try:
                    s.see(f"{label}.out", "that of PID 1" if json.loads(out) == [s.pid] else out)
                except (ValueError, TypeError):
                    s.see(f"{label}.out", "no JSON")
            s.says(label, *says)
        s.until(lambda: settled(s.pid))
        s.see("PID 1", "ended" if gone(s.pid) else "lives")
        frozen = [
            p
            for p in (
                [f"/sys/fs/cgroup{s.cgroup}/cgroup.freeze"] if s.v2 else [f"/sys/fs/cgroup/freezer{s.cgroup}/freezer.state"]
            )
            if os.path.exists(p)
        ]
        s.see("frozen", open(frozen[0]).read().strip() if frozen else "no cgroup")
        if look:
            look(s)
        s.residue()

    return act


LINES = {
    "state": ("state ID",),
    "list": ("list -q", "list -f json"),
    "ps": ("ps ID", "ps -f json ID"),
    "kill": ("kill ID KILL", "state ID", "delete ID"),
    "kill 0": ("kill ID 0",),
    "kill TERM by default": ("kill ID",),
    "pause and resume": ("pause ID", "state ID", "resume ID", "state ID"),
    "pause": ("pause ID",),
    "delete": ("delete ID",),
    "delete --force": ("delete --force ID", "state ID"),
    "events": ("events --stats ID",),
    "kill --all": ("kill --all ID KILL",),
    "create of the same name": ("create -b BUNDLE ID",),
    "run of the same name": ("run -b BUNDLE ID",),
}
STAGES = {
    "start": ("created", ("start ID", "state ID")),
    "delete of a created one": ("created", ("delete ID",)),
    "delete --force of a created one": ("created", ("delete -f ID",)),
    "state of a created one": ("created", ("state ID", "list -f json")),
    "kill of a created one": ("created", ("kill ID KILL", "state ID", "delete ID")),
    "state of a paused one": ("paused", ("state ID", "list -f json")),
    "resume": ("paused", ("resume ID", "state ID")),
    "delete --force of a paused one": ("paused", ("delete -f ID",)),
    "kill of a paused one": ("paused", ("kill ID KILL", "resume ID")),
    "state of a stopped one": ("stopped", ("state ID", "list -f json")),
    "delete of a stopped one": ("stopped", ("delete ID",)),
    "kill of a stopped one": ("stopped", ("kill ID KILL",)),
    "exec in a stopped one": ("stopped", ("exec ID /bin/true",)),
}


def hooks(s):
    s.hook("poststop")


for maker in ("runc", "crun"):
    how = {"needs": (maker,), "views": ("native", "v2") if maker == "runc" else ("v2",)}
    variants(f"made by {maker}", {name: made_by(maker, *lines) for name, lines in LINES.items()}, **how)
    variants(f"made by {maker}", {name: made_by(maker, *lines, stage=stage) for name, (stage, lines) in STAGES.items()}, **how)
    variants(
        f"made by {maker}",
        {
            "exec": made_by(maker, "exec ID /bin/true", "state ID"),
            "update": made_by(maker, "update --pids-limit 20 ID", "state ID"),
            "poststop hooks": made_by(maker, "delete -f ID", setup=hooks, look=lambda s: s.hooks_seen()),
            "children": made_by(
                maker,
                "kill ID KILL",
                "delete ID",
                setup=lambda s: s.process.update(args=["/bin/sh", "-c", "sleep 60 & sleep 60"]),
            ),
            "children, no pid namespace": made_by(
                maker,
                "kill ID KILL",
                "delete -f ID",
                setup=lambda s: (s.without_namespace("pid"), s.process.update(args=["/bin/sh", "-c", "sleep 60 & sleep 60"])),
            ),
            "the bundle is gone": made_by(maker, "state ID", "kill ID KILL", "delete -f ID"),
            "annotations": made_by(maker, "state ID", setup=lambda s: s.config.update(annotations={"a": "b"})),
            "its cgroup's processes by a user's namespace": made_by(
                maker, "state ID", "kill ID KILL", "delete ID", setup=lambda s: s.user_namespace()
            ),
        },
        **how,
    )


def ours_then(maker, *lines):
    """The way back: the peer's commands on a container of ours lose nothing."""

    def act(s):
        if not s.alive():
            return
        for number, line in enumerate(lines, 1):
            done = subprocess.run(
                [s.peers[maker], "--root", s.root, *fill(s, line.split())],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=s.environment,
                timeout=20,
            )
            s.until(lambda: settled(s.pid))
            s.notes[f"peer {line}"] = done.stderr.decode(errors="replace")[:300]
        lives = not gone(s.pid)
        s.see("lost", "yes" if lives and s.id not in os.listdir(s.root) else "no")

    return act


# crun's delete takes any directory away: docs/replacing-runc.md says to delete first.
variants(
    "ours, under runc",
    {line: ours_then("runc", line) for line in ("state ID", "list", "kill ID KILL", "delete ID", "delete -f ID", "pause ID")},
    needs=("runc",),
)
