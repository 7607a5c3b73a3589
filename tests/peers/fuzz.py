"""Cases made by chance, the same for the same seed: `hack/compare --fuzz N --seed S`.

Half of them mutate the default config (one field or a few: deleted, null, of another type, repeated, at a boundary, odd, in
another case); the others mutate `exec --process`, `update -r` and command lines. A case's name says what was done, so that it
can be written down as a case of its own. What could reach the host is left alone: root.path, cgroupsPath, the mount namespace.
"""

import copy, json, random
from catalogue import Case

# fmt: off
NUMBERS = [-1, 0, 1, 2, 7, 255, 256, 4095, 4096, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -2, -2**31, -2**63, 1.5, 1e3]
STRINGS = ["", " ", "x", "/", ".", "..", "../x", "/x", "/tmp/", "//tmp", "0", "-1", "a b", "a\nb", "ä", "a\0b", "a=b", "=", ":", "a:b", "y" * 300, "TRUE", "CAP_SYS_ADMIN", "SCMP_ACT_ALLOW", "private", "/proc/self", "/tmp/./a/../b"]
OTHERS = [True, False, None, {}, [], "x", 3, [None], [""], {"": ""}, [[]], [3]]
# fmt: on
KEPT = ("/root/path", "/linux/cgroupsPath", "/process/args", "/process/args/0")


def rich(config):
    """The default config with more of the fields that there are; the profile is cut, so that each field has its chance."""
    config = copy.deepcopy(config)
    config["hostname"], config["domainname"] = "box", "example"
    config["annotations"] = {"a.b": "c"}
    config["hooks"] = {
        kind: [{"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 5}] for kind in ("createRuntime", "poststop")
    }
    process, linux = config["process"], config["linux"]
    process.update(
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 256, "hard": 512}],
        oomScoreAdj=10,
        noNewPrivileges=False,
        scheduler={"policy": "SCHED_OTHER", "nice": 1},
        ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 4},
        consoleSize={"height": 5, "width": 6},
    )
    process["user"].update(umask=0o22, additionalGids=[5])
    linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "architectures": ["SCMP_ARCH_X86_64"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "syscalls": [
            {
                "names": [n for s in linux["seccomp"]["syscalls"][:1] for n in s["names"]] + ["clone", "clone3", "personality"],
                "action": "SCMP_ACT_ALLOW",
            },
            {
                "names": ["ptrace"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": 3,
                "args": [{"index": 0, "value": 7, "valueTwo": 0, "op": "SCMP_CMP_EQ"}],
            },
        ],
    }
    linux.update(
        sysctl={"net.core.somaxconn": "77"},
        devices=[{"path": "/dev/zz", "type": "c", "major": 1, "minor": 5, "fileMode": 0o600, "uid": 0, "gid": 0}],
        rootfsPropagation="private",
    )
    linux["resources"].update(
        memory={"limit": 1 << 28, "reservation": 1 << 27},
        cpu={"shares": 512, "quota": 50000, "period": 100000},
        pids={"limit": 50},
    )
    return config


def pointers(value, at=""):
    """Each place in a value, deeper ones too."""
    if at:
        yield at
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from pointers(inner, f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}")


def split(pointer):
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def parent(value, pointer):
    parts = split(pointer)
    for part in parts[:-1]:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value, int(parts[-1]) if isinstance(value, list) else parts[-1]


def chosen(rng, value):
    """A place: first a room of the tree, then a place in it, so that long lists are not all there is."""
    at, inner = "", value
    while isinstance(inner, (dict, list)) and inner and (not at or rng.random() < 0.8):
        key = rng.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
        at, inner = f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}", inner[key]
    return at


def reaches_out(config):
    """A mutation that takes away what keeps a container from its host is none of ours."""
    namespaces = config.get("linux", {}).get("namespaces") if isinstance(config.get("linux"), dict) else None
    kinds = [str(n.get("type")) for n in namespaces if isinstance(n, dict)] if isinstance(namespaces, list) else []
    whole = all(isinstance(n, dict) and not n.get("path") for n in namespaces) if isinstance(namespaces, list) else False
    return (
        not whole
        or not {"mount", "pid", "network", "ipc", "uts"} <= set(kinds)
        or not isinstance(config.get("root"), dict)
        or not config["root"].get("path")
    )


def mutate(rng, value, safe):
    """One mutation, and what to call it; None where it may not be."""
    pointer = chosen(rng, value)
    if safe and (pointer in KEPT or pointer in ("/root", "/linux", "/process", "/linux/resources/devices")):
        return None
    inside, key = parent(value, pointer)
    old = inside[key]
    kind = rng.choice(["delete", "null", "type", "number", "string", "repeat", "case", "entry"])
    if kind == "delete":
        del inside[key]
        return f"{pointer} away"
    if kind == "case":
        if not isinstance(inside, dict):
            return None
        new = rng.choice([key.upper(), key.lower(), key[:1].upper() + key[1:]])
        if new == key:
            return None
        inside[new] = inside.pop(key)
        return f"{pointer} as {new}"
    if kind == "repeat":
        if isinstance(inside, list):
            inside.insert(key, copy.deepcopy(old))
            return f"{pointer} twice"
        inside[key + "\0again"] = copy.deepcopy(old)
        return f"{pointer} as a key twice"
    if kind == "entry":
        if not isinstance(old, list):
            return None
        new = rng.choice(OTHERS + STRINGS)
        old.insert(rng.randrange(len(old) + 1), new)
        return f"{pointer} with {shown(new)}"
    if kind == "null":
        new = None
    elif kind == "type":
        new = rng.choice(OTHERS)
    elif kind == "number":
        if isinstance(old, (dict, list, str)) and rng.random() < 0.7:
            return None
        new = rng.choice(NUMBERS)
    else:
        if not isinstance(old, str) and rng.random() < 0.7:
            return None
        new = rng.choice(
            STRINGS + ([old.upper(), old + "/", old + " ", " " + old, old[:-1]] if isinstance(old, str) and old else [])
        )
    inside[key] = copy.deepcopy(new)
    return f"{pointer} = {shown(new)}"


def shown(value):
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:30] + f"…({len(text)})"


def text_of(value):
    """JSON; a key that was made twice stands twice."""
    return json.dumps(value).replace("\\u0000again", "")


def mutated(rng, value, safe):
    names, wanted = [], rng.choice([1, 1, 1, 2, 3])
    for _ in range(60):
        if len(names) == wanted:
            break
        trial = copy.deepcopy(value)
        try:
            name = mutate(rng, trial, safe)
        except (KeyError, IndexError, TypeError):
            continue
        if name and not (safe and reaches_out(trial)):
            value = trial
            names.append(name)
    return value, "; ".join(names)


def within_reach(resources, untouched):
    """Without the limits that this host cannot give at all: with them every case would be the same refusal. What was mutated
    stays."""
    try:
        there = open("/sys/fs/cgroup/cgroup.controllers").read().split()
    except OSError:
        there = ["memory", "cpu", "pids", "io", "network"]
    needs = {"memory": "memory", "cpu": "cpu", "pids": "pids", "blockIO": "io", "network": "network", "unified": "cgroup v2"}
    if "network" not in there:
        there.append("cgroup v2")
    for name, controller in needs.items() if isinstance(resources, dict) else ():
        if controller not in there and resources.get(name) == untouched.get(name):
            resources.pop(name, None)


def config_case(rng):
    place = rng.getrandbits(64)

    def made(config):
        return mutated(random.Random(place), rich(config), True)

    def act(s):
        config = copy.deepcopy(s.config)
        config["process"]["args"] = ["/probe", "only:identity,environment,process,mounts,fd,session,sysctls,cgroups"]
        path = config["linux"].pop("cgroupsPath")
        value, _ = made(config)
        within_reach(value["linux"].get("resources"), rich(config)["linux"]["resources"])
        value["linux"]["cgroupsPath"] = path
        s.raw = text_of(value)
        s.write()
        ended = s.call("create", "create", "-b", s.bundle, s.id)
        if ended.code == 0:
            state = s.state("created") or {}
            s.control_files(state.get("pid", 0))
            s.call("start", "start", s.id)
            s.see("program", s.wait(state.get("pid")))
            s.lines(open(f"{s.dir}/create.out", errors="replace").read(), "in")
            s.call("delete", "delete", s.id)
        s.residue()

    from stand import CONFIG

    config = copy.deepcopy(CONFIG)
    config["process"]["args"] = ["/probe", "only:x"]
    config["linux"].pop("cgroupsPath", None)
    config["linux"]["resources"] = {"devices": config["linux"]["resources"]["devices"]}
    return "config: " + made(config)[1], act


PROCESS = {
    "terminal": False,
    "consoleSize": {"height": 3, "width": 4},
    "user": {"uid": 0, "gid": 0, "umask": 18, "additionalGids": [5]},
    "args": ["/probe", "only:identity,environment,arguments,process"],
    "env": ["PATH=/bin", "A=b"],
    "cwd": "/",
    "capabilities": {k: ["CAP_NET_RAW", "CAP_CHOWN"] for k in ("bounding", "effective", "permitted", "inheritable", "ambient")},
    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}],
    "noNewPrivileges": False,
    "oomScoreAdj": 20,
    "scheduler": {"policy": "SCHED_OTHER", "nice": 2},
    "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 5},
}
RESOURCES = {
    "memory": {"limit": 1 << 27, "reservation": 1 << 26, "swap": 1 << 28},
    "cpu": {"shares": 300, "quota": 40000, "period": 80000, "cpus": "0", "mems": "0"},
    "pids": {"limit": 40},
    "blockIO": {"weight": 100},
    "unified": {},
    "hugepageLimits": [],
    "network": {"priorities": []},
}


def exec_case(rng):
    value, name = mutated(rng, PROCESS, False)

    def act(s):
        if s.alive():
            open(f"{s.dir}/process.json", "w").write(text_of(value))
            s.call("exec", "exec", "--process", f"{s.dir}/process.json", s.id)

    return "exec: " + name, act


def limits(s):
    s.control_files(s.pid)
    return {key: s.seen.pop(key) for key in list(s.seen) if key.startswith("cg.")}


def update_case(rng):
    value, name = mutated(rng, RESOURCES, False)

    def act(s):
        if s.alive():
            within_reach(value, RESOURCES)
            open(f"{s.dir}/resources.json", "w").write(text_of(value))
            before = limits(s)
            ended = s.call("update", "update", "-r", f"{s.dir}/resources.json", s.id)
            after = limits(s)
            if ended.code == 0:
                s.seen.update(after)
            else:
                s.see("changed", "no" if after == before else "yes")

    return "update: " + name, act


# fmt: off
LINES = ["state ID", "kill ID 0", "kill ID KILL", "exec ID /bin/true", "exec -e A=b --cwd / ID /bin/true", "exec --user 1000:1000 -g 5 ID /bin/true", "ps -f json ID", "list -f json", "list -q", "pause ID", "delete -f ID", "update --pids-limit 30 --memory 64m ID",
         "update --cpu-quota 20000 --cpu-period 50000 --cpu-share 300 ID", "events --stats ID", "run -d --pid-file pid -b BUNDLE ID-2", "run --keep -b BUNDLE ID-2", "create --no-pivot -b BUNDLE ID-2", "start ID", "resume ID", "features", "--debug state ID", "--log log --log-format json state ID", "help exec"]
WORDS = ["--", "-", "", "-h", "--help", "-f", "--force", "-d", "--detach", "-t", "--all", "-a", "x", "0", "-1", "9", "KILL", "--pid-file", "--no-pivot", "--keep", "--quiet", "-q", "--nosuch", "-z", "ID", "--debug", "--format=json", "--format", "--stats", "--", "=", "-=", "--=x", "true", "--user=5", "--tty=false", "--detach=maybe",
         "--cgroup=/", "--cap=CAP_CHOWN", "--env", "--preserve-fds=0", "-fq", "nope", " ", "ä", "--memory=x"]

# fmt: on


def line_case(rng):
    words = rng.choice(LINES).split()
    for _ in range(rng.choice([1, 1, 2, 3])):
        at = rng.randrange(len(words) + 1)
        kind = rng.choice(["put", "put", "drop", "swap", "twice", "shorten", "replace"])
        if kind == "put":
            words.insert(at, rng.choice(WORDS))
        elif words and at < len(words):
            if kind == "drop":
                del words[at]
            elif kind == "swap":
                other = rng.randrange(len(words))
                words[at], words[other] = words[other], words[at]
            elif kind == "twice":
                words.insert(at, words[at])
            elif kind == "shorten" and len(words[at]) > 2 and words[at] != "BUNDLE":
                words[at] = words[at][:-1]
            elif kind == "replace":
                words[at] = rng.choice(WORDS)

    def act(s):
        from steps import fill, status

        if s.alive():
            s.process["args"] = ["/bin/true"]
            s.write()
            s.call("line", *fill(s, words), patience=10)
            s.see("then", status(s))

    return "line: " + json.dumps(words), act


def cases(n, seed):
    """n cases; the same seed gives the same ones, and more of them begin with the same."""
    made = []
    for number in range(n):
        rng = random.Random(f"{seed}/{number}")
        kind = rng.choices([config_case, exec_case, update_case, line_case], [50, 15, 12, 23])[0]
        name, act = kind(rng)
        made.append(Case(f"fuzz {seed}/{number}: {name}", act, ("native", "v2"), (), "line" if kind is line_case else False))
    return made
