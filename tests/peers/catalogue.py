"""The catalogue: every case by its name. A file of cases/ declares them with `case` and `variants`."""
import copy, fnmatch, importlib, os, pkgutil

CASES = {}


class Case:
    def __init__(self, name, act, views, needs, face):
        self.name, self.act, self.views, self.needs, self.face = name, act, views, needs, face

    def run(self, stand):
        self.act(stand)
        if not stand.ran:
            stand.life()


def case(name, views=("native", "v2"), needs=(), face=False):
    """A case: a function that is given a stand (stand.py). Where it runs no command itself, it is a whole life: create,
    start, end, delete. `views` are where it runs, `needs` the peers that it compares with (none: those that are there), and
    `face` says that what it looks at belongs to the name under which a runtime is called: as crun we have to do as crun
    ("line": and under our own name as we like)."""

    def add(act):
        assert name not in CASES, f"two cases are called {name}"
        CASES[name] = Case(name, act, views, needs, face)
        return act

    return add


def variants(name, table, **how):
    """Several cases of one kind: a table of names and what each changes."""
    for variant, change in table.items():
        case(f"{name}: {variant}", **how)(change)


def at(config, path):
    """Where a dotted path leads: its parent and the last key. Objects on the way are made; numbers are places in lists."""
    *way, last = path.split(".")
    for key in way:
        config = config[int(key)] if isinstance(config, list) else config.setdefault(key, {})
    return config, last


def put(*pairs, look=()):
    """What a variant changes in the config: paths and values, one after the other. The key `+` adds to a list."""
    assert len(pairs) % 2 == 0

    def act(stand):
        for path, value in zip(pairs[::2], pairs[1::2]):
            holder, key = at(stand.config, path)
            value = copy.deepcopy(value)
            if key == "+":
                holder.append(value)
            elif isinstance(holder, list):
                holder[int(key)] = value
            else:
                holder[key] = value
        stand.look(*look)

    return act


def drop(*paths):
    """A variant that leaves fields out."""

    def act(stand):
        for path in paths:
            holder, key = at(stand.config, path)
            holder.pop(key, None)

    return act


def both(*acts):
    """A variant that does several things."""

    def act(stand):
        for one in acts:
            one(stand)

    return act


def load():
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")
    for module in sorted(pkgutil.iter_modules([here]), key=lambda m: m.name):
        importlib.import_module(f"cases.{module.name}")
    return CASES


def chosen(patterns):
    return [c for c in CASES.values() if not patterns or any(fnmatch.fnmatch(c.name, p) or c.name.startswith(p) for p in patterns)]
