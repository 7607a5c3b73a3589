"""Cases as lists of commands.

A step is a line as a user types it (ID and BUNDLE stand for the container and its bundle), a pair of a line and phrases that
scripts look for in its answer, or a function that is given the stand. After each line the container's status is seen.
"""

import json, re, shlex
from stand import gone, settled

WAITING = ["/bin/sleep", "60"]


def fill(stand, words):
    filled = [w.replace("BUNDLE", stand.bundle).replace("DIR/", stand.dir + "/") for w in words]
    return [re.sub(r"(?<![A-Za-z])ID(?![A-Za-z])", stand.id, w) for w in filled]


def status(stand):
    ended = stand.quiet("state", stand.id)
    try:
        state = json.loads(ended.out)
    except ValueError:
        return "none"
    stand.pid = state.get("pid") or getattr(stand, "pid", 0)
    stand.pids.append(stand.pid)
    return state["status"]


def words(line):
    return line if isinstance(line, (list, tuple)) else shlex.split(line)


def seq(*steps, setup=None, args=None, show=None, look=True, bare=False):
    """A case of several commands."""

    def act(s):
        s.ran = True
        s.process["args"] = list(args) if args else list(WAITING)
        if setup:
            setup(s)
        s.write()
        for number, step in enumerate(steps, 1):
            if callable(step):
                step(s)
                continue
            line, phrases = (step[0], step[1:]) if isinstance(step, tuple) else (step, ())
            line = fill(s, words(line))
            command = next((w for w in line if re.match(r"^[a-z]+$", w)), "none")
            label = f"{number}-{command}"
            s.call(label, *line, show=show, bare=bare)
            s.says(label, *phrases)
            if look and command != "kill":  # it may be on its way
                if args and command in ("run", "start"):
                    s.until(lambda: status(s) != "running")
                s.see(f"{label}.then", status(s))

    return act


def ended(s):
    """The container's process has ended, or has not."""
    s.until(lambda: gone(s.pid) or (s.process["args"] == WAITING and settled(s.pid)))
    s.see("program", s.wait(s.pid) if gone(s.pid) else "lives")


def residue(s):
    s.residue()


def up(
    *options, setup=None, says=(), show=None, program=("/probe", "only:identity,environment,arguments"), command="exec", **how
):
    """One `exec` (or another command) on a container that runs."""

    def act(s):
        if setup:
            setup(s)
        if s.alive():
            s.call(command, command, *fill(s, options), s.id, *fill(s, program), show=show, **how)
            s.says(command, *says)

    return act


def on_running(*line, says=(), setup=None, show=None, after=None, **how):
    """One command line on a container that runs."""

    def act(s):
        if setup:
            setup(s)
        if s.alive():
            filled = fill(s, line)
            s.call("command", *filled, show=show, **how)
            s.says("command", *says)
            if after:
                after(s)

    return act
