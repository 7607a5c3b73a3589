"""What is a difference, and which differences are known.

Ours is seen three times: as itself, as runc, as crun. What a container meets has to be as under runc; where runc and crun
differ and we do as crun, a row of differences.py says why. Exit codes, and the cases whose subject is the face, have to be
those of the runtime whose name we bear.
"""
import fnmatch, re

ABSENT = "(absent)"


class Difference:
    def __init__(self, case, view, key, values, kind):
        self.case, self.view, self.key, self.values, self.kind = case, view, key, values, kind
        self.row = None

    def __str__(self):
        shown = "\n".join(f"      {name:13} {value}" for name, value in self.values.items())
        return f"  {self.case} [{self.view}] {self.key}: {self.kind}\n{shown}"


def belongs_to_face(case, key, peers):
    """Exit codes too; but where one peer refuses what the other takes, the code is no matter of the name."""
    if key.endswith(".exit") and not case.face:
        return len({value == "0" for value in peers.values()}) == 1
    return case.face or ".says " in key


def differences(case, view, seen):
    """`seen` maps the name of each subject to what was seen."""
    found = []
    for key in sorted(set().union(*seen.values())):
        values = {name: lines.get(key, ABSENT) for name, lines in seen.items()}
        peers = {name: values[name] for name in ("runc", "crun") if name in values}
        if len(set(values.values())) == 1 or not peers:
            continue
        kind = None
        peers = {name: value for name, value in peers.items() if not crashed(case, key, value)} or peers
        lead = "runc" if "runc" in peers else "crun"
        for ours in ("ours", "ours-as-runc", "ours-as-crun"):
            if ours not in values or (ours == "ours" and (".says " in key or case.face == "line")):  # our own words are ours
                continue
            value = values[ours]
            if ".says " in key and value == "yes":  # more than a peer says is no fault
                continue
            if key.endswith(".exit") and ours == "ours-as-crun" and (value == peers.get("crun") or not case.face and refused_alone(values)):
                continue
            if crashed(case, key, peers[lead]):
                continue
            if ".says " in key and succeeds(seen[ours], key) and not all(succeeds(seen[name], key) for name in peers):
                continue  # no words of an error that is none
            if value not in peers.values():
                kind = f"{ours} does as neither" if len(peers) > 1 else f"{ours} is not as {lead}"
            elif belongs_to_face(case, key, peers) and ours == "ours-as-crun" and "crun" in peers and value != peers["crun"]:
                kind = "as crun it is not as crun"
            elif belongs_to_face(case, key, peers) and ours == "ours-as-crun" and "crun" in peers:
                continue
            elif value != peers[lead]:
                kind = f"{ours} does as crun, not as runc"
            if kind and ABSENT in (value, peers[lead]) and exits(seen[ours]) != exits(seen[lead]):
                kind = None  # where one refuses, the exit code is the difference
            if kind:
                break
        if kind:
            found.append(Difference(case.name, view, key, values, kind))
    return found


def refused_alone(values):
    """We refuse what runc refuses, and crun takes it: there is no code of crun's for that."""
    return values.get("crun") == "0" and all(values.get(name, "1") != "0" for name in ("runc", "ours", "ours-as-crun"))


def crashed(case, key, code):
    """A peer that breaks down refuses. 2 is a panic of Go's; but a program may end so too."""
    return key.endswith(".exit") and (code in ("signal 6", "signal 11", "signal 13") or code == "2" and case.name.startswith("fuzz"))


def succeeds(lines, key):
    """Whether the command whose words these are has ended well."""
    return lines.get(key.split(".says ")[0] + ".exit") == "0"


def exits(lines):
    return {key: value for key, value in lines.items() if key.endswith(".exit")}


def match(rows, difference):
    """The row that knows this difference."""
    for row in rows:
        if row.views and difference.view not in row.views:
            continue
        if any(among(difference.case, cases) and among(difference.key, keys) for cases, keys in row.groups):
            if row.only and not all(re.search(row.only, v) for n, v in difference.values.items() if n.startswith("ours") and v not in peers_of(difference)):
                continue
            return row
    return None


def peers_of(difference):
    return [difference.values[n] for n in ("runc", "crun") if n in difference.values]


def among(name, patterns):
    return any(fits(name, pattern) for pattern in patterns)


def fits(name, pattern):
    return name == pattern or fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def witness(row, case, view, seen):
    """A row's own case shows both sides: None, or what is not as the row says."""
    want = row.witness
    if want["case"] != case.name or ("view" in want and want["view"] != view):
        return None
    for name, value in want["values"].items():
        if name in seen and not re.fullmatch(value, seen[name].get(want["key"], ABSENT), re.S):
            return f"{row.title!r} says that {name} shows {value!r} for {want['key']} in {case.name}; it shows {seen[name].get(want['key'], ABSENT)!r}"
    return None
