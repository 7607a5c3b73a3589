"""config.json as text: keys, nulls, numbers, what is around the value."""
import json
from catalogue import both, case, drop, put, variants


def text(change):
    def act(s):
        s.raw = change(json.dumps(s.config))
    return act


def replaced(old, new):
    def change(t):
        assert old in t, f"{old} is not in the config"
        return t.replace(old, new, 1)
    return text(change)


def renamed(old, new, *setup):
    """A key in another spelling."""
    def act(s):
        for one in setup:
            one(s)
        t = json.dumps(s.config)
        assert f'"{old}":' in t, old
        s.raw = t.replace(f'"{old}":', f'"{new}":', 1)
    return act


variants("key in another case", {
    "noNewPrivileges": renamed("noNewPrivileges", "NoNewPrivileges", put("process.noNewPrivileges", True)), "readonly": renamed("readonly", "Readonly", put("root.readonly", True, look=["make:/x"])), "seccomp": renamed("seccomp", "Seccomp"),
    "maskedPaths": renamed("maskedPaths", "maskedpaths"), "readonlyPaths": renamed("readonlyPaths", "READONLYPATHS"), "capabilities": renamed("capabilities", "Capabilities"), "bounding": renamed("bounding", "Bounding"), "user": renamed("user", "User", put("process.user", {"uid": 1000, "gid": 1000})),
    "uid": renamed("uid", "UID", put("process.user", {"uid": 1000, "gid": 1000})), "linux": renamed("linux", "Linux"), "process": renamed("process", "Process"), "args": renamed("args", "Args"), "mounts": renamed("mounts", "Mounts"), "options": renamed("options", "Options"),
    "destination": renamed("destination", "Destination"), "namespaces": renamed("namespaces", "Namespaces"), "resources": renamed("resources", "Resources"), "devices": renamed("devices", "Devices"), "pids": renamed("pids", "Pids", put("linux.resources.pids", {"limit": 50})),
    "limit": renamed("limit", "Limit", put("linux.resources.hugepageLimits", [{"pageSize": "2MB", "limit": 2097152}])), "hostname": renamed("hostname", "HostName"), "root": renamed("root", "ROOT"), "path": renamed("path", "Path"), "defaultAction": renamed("defaultAction", "defaultaction"),
    "rlimits": renamed("rlimits", "RLimits", put("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64}])), "ociVersion": renamed("ociVersion", "ociversion"), "cgroupsPath": renamed("cgroupsPath", "cgroupspath"), "allow": renamed("allow", "Allow"), "cwd": renamed("cwd", "Cwd"),
    "env": renamed("env", "ENV"), "annotations": renamed("annotations", "Annotations", put("annotations", {"a": "b"})), "an annotation's own": put("annotations", {"Key": "1", "key": "2"}), "sysctl": renamed("sysctl", "Sysctl", put("linux.sysctl", {"net.ipv4.ip_forward": "1"})),
    "uidMappings": both(lambda s: s.user_namespace(), renamed("uidMappings", "uidmappings")), "hooks": lambda s: (s.hook("createRuntime"), renamed("hooks", "Hooks")(s)), "a hook's kind": lambda s: (s.hook("createRuntime"), renamed("createRuntime", "CreateRuntime")(s)),
    "both spellings, ours first": replaced('"readonly": false', '"readonly": false, "Readonly": true'), "both spellings, ours last": replaced('"readonly": false', '"Readonly": true, "readonly": false'), "additionalGids": renamed("additionalGids", "AdditionalGids", put("process.user.additionalGids", [7])),
    "umask": renamed("umask", "Umask", put("process.user.umask", 0o77)), "oomScoreAdj": renamed("oomScoreAdj", "oomscoreadj", put("process.oomScoreAdj", 100)), "type": renamed("type", "Type"), "a long s": replaced('"hostname"', '"ho\\u017ftname"'), "a kelvin sign": replaced('"masKedPaths"' if False else '"maskedPaths"', '"mas\\u212aedPaths"'),
})
variants("repeated key", {
    "args": replaced('"args": [', '"args": ["/nope"], "args": ['), "args, longer first": replaced('"args": [', '"args": ["/nope", "a", "b"], "args": ['), "process": text(lambda t: t[:-1] + ', "process": {"args": ["/probe", "only:process"]}}'), "hostname": replaced('"hostname": ', '"hostname": "one", "hostname": '),
    "readonly": replaced('"readonly": false', '"readonly": true, "readonly": false'), "readonly, the other way": replaced('"readonly": false', '"readonly": false, "readonly": true'), "mounts": text(lambda t: t[:-1] + ', "mounts": []}'), "null last": replaced('"hostname": ', '"hostname": "x", "domainname": "y", "domainname": null, "hostname": '),
    "linux": text(lambda t: t[:-1] + ', "linux": {"sysctl": {"net.ipv4.ip_forward": "1"}}}'), "annotations": text(lambda t: t[:-1] + ', "annotations": {"a": "1", "a": "2"}}'), "two objects of annotations": text(lambda t: t[:-1] + ', "annotations": {"a": "1"}, "annotations": {"b": "2"}}'), "type of a rule": replaced('"type": "c"', '"type": "c", "type": "c"'),
    "an unknown one": text(lambda t: t[:-1] + ', "foo": 1, "foo": 2}'), "env": replaced('"env": [', '"env": ["A=1"], "env": ['), "user": replaced('"user": {', '"user": {"uid": 5, "gid": 6, "umask": 7}, "user": {'), "noNewPrivileges": replaced('"terminal": false', '"terminal": false, "noNewPrivileges": true, "noNewPrivileges": false'),
})
variants("null in a list", {
    "args": put("process.args", ["sh", None, "arg:x"]), "env": put("process.env.+", None), "additionalGids": put("process.user.additionalGids", [None]), "poststop": put("hooks.poststop", [None]), "rlimits": put("process.rlimits", [None]), "capabilities": put("process.capabilities.bounding.+", None),
    "options": put("mounts.0.options.+", None), "mappings": put("linux.uidMappings", [None]), "rules": put("linux.resources.devices.+", None), "hugepageLimits": put("linux.resources.hugepageLimits", [None]), "seccomp names": put("linux.seccomp.syscalls.0.names.+", None), "seccomp rules": put("linux.seccomp.syscalls.+", None),
    "throttle devices": put("linux.resources.blockIO", {"throttleReadBpsDevice": [None]}), "architectures": put("linux.seccomp.architectures.+", None), "scheduler flags": put("process.scheduler", {"policy": "SCHED_OTHER", "flags": [None]}),
})
variants("null for", {name: put(name, None) for name in ("ociVersion", "process.terminal", "process.user.uid", "process.capabilities.bounding", "root.path", "root.readonly", "mounts.0.type", "mounts.0.source", "mounts.0.destination", "mounts.0.options", "linux.resources.devices",
                                                            "linux.namespaces.0.type", "linux.namespaces.0", "linux.resources.devices.0.allow", "linux.resources.devices.1.type", "linux.seccomp.defaultAction", "linux.seccomp.syscalls.0.action", "annotations", "hooks", "linux.seccomp.defaultErrnoRet")})
variants("ociVersion", {repr(v): put("ociVersion", v) for v in ("1.0", "v1.0.2", "2.0.0", "0.6.0", "1", "", "1.0.2-dev", "1.3.0", "1.9.0", "1.0.0-rc5", "abc", " 1.0.2", "1.0.2+x", "01.0.0", "1.0.0.0", 1.0, 1)})
variants("ociVersion", {"missing": drop("ociVersion")})
variants("text", {
    "something after it": text(lambda t: t + " x"), "a second value after it": text(lambda t: t + "{}"), "a newline after it": text(lambda t: t + "\n\n"), "a nul after it": text(lambda t: t + "\0"), "a byte order mark": text(lambda t: "\ufeff" + t), "empty": text(lambda t: ""), "blanks alone": text(lambda t: "  \n"), "null": text(lambda t: "null"),
    "a list": text(lambda t: "[" + t + "]"), "an object": text(lambda t: "{}"), "cut": text(lambda t: t[:-1]), "a comma too many": text(lambda t: t[:-1] + ",}"), "a comment": text(lambda t: "// x\n" + t), "single quotes": replaced('"hostname"', "'hostname'"), "a lone surrogate": replaced('"hostname": "bench"', '"hostname": "a\\ud800b"'),
    "a lone surrogate in an annotation": text(lambda t: t[:-1] + ', "annotations": {"a": "\\ud800"}}'), "a pair of surrogates": text(lambda t: t[:-1] + ', "annotations": {"a": "\\ud83d\\ude00"}}'), "escapes": replaced('"hostname": "bench"', '"host\\u006eame": "\\u0062ench"'), "a nul in a name": replaced('"hostname": "bench"', '"hostname": "h\\u0000"'),
    "a nul in an argument": put("process.args", ["/probe", "arg:a\0b"]), "a nul in env": put("process.env.+", "A=a\0b"), "a nul in cwd": put("process.cwd", "/tmp\0"), "a nul in a path": put("linux.maskedPaths", ["/etc\0"]), "a tab in a string": replaced('"bench"', '"a\tb"'), "unknown keys": put("foo", {"bar": [1, 2, {"x": None}]}, "process.foo", 1, "linux.foo", []),
    "deep": text(lambda t: t[:-1] + ', "foo": ' + "[" * 5000 + "]" * 5000 + "}"), "large": text(lambda t: t[:-1] + ', "foo": "' + "x" * 3000000 + '"}'), "bytes that are no UTF-8": lambda s: bad_bytes(s), "bytes that are no UTF-8, in an argument": lambda s: bad_bytes(s, "arg"),
    "windows and solaris": put("windows", {"layerFolders": ["x"]}, "solaris", {"anet": [{}]}, "vm", {"kernel": {"path": "/x"}}, "zos", {}), "spaces everywhere": text(lambda t: t.replace(":", " : \n\t").replace("SCMP", "SCMP") if False else json.dumps(json.loads(t), indent=4)),
})


def bad_bytes(s, where="hostname"):
    if where == "arg":
        s.process["args"] = ["/probe", "arg:MARK"]
    else:
        s.config["annotations"] = {"a": "MARK"}
    s.write()
    path = f"{s.bundle}/config.json"
    data = open(path, "rb").read().replace(b"MARK", b"\xff\xfe")
    open(path, "wb").write(data)
    s.write = lambda: None


def number(path_, literal):
    def act(s):
        put(path_, 424242)(s)
        s.raw = json.dumps(s.config).replace("424242", literal)
    return act


variants("number", {
    "-0": number("process.oomScoreAdj", "-0"), "0.0": number("process.oomScoreAdj", "0.0"), "1e2": number("process.oomScoreAdj", "1e2"), "1.0": number("process.user.uid", "1.0"), "-0 for an id": number("process.user.uid", "-0"), "a leading zero": number("process.user.uid", "01"), "a plus": number("process.user.uid", "+1"),
    "hexadecimal": number("process.user.uid", "0x10"), "in quotes": number("process.user.uid", '"1000"'), "true for a number": number("process.user.uid", "true"), "very large": number("process.oomScoreAdj", "99999999999999999999"), "a large fraction": number("linux.resources.cpu.shares", "1024.5"),
    "1E3": number("linux.resources.cpu.shares", "1E3"), "NaN": number("process.user.uid", "NaN"), "a fraction of zero for a limit": number("linux.resources.pids.limit", "50.0"),
})


@case("config: a fifo")
def _(s):
    import os, threading
    s.write()
    path = f"{s.bundle}/config.json"
    data = open(path, "rb").read()
    os.unlink(path)
    os.mkfifo(path)

    def feed():
        import time
        with open(path, "wb") as f:
            f.write(data[:1000])
            f.flush()
            time.sleep(0.1)
            f.write(data[1000:])

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    s.write = lambda: thread.join(0)
    s.process["args"] = ["/probe"]
    s.once()


@case("config: a link")
def _(s):
    import os
    s.write()
    os.rename(f"{s.bundle}/config.json", f"{s.dir}/real.json")
    os.symlink(f"{s.dir}/real.json", f"{s.bundle}/config.json")
    s.write = lambda: None
    s.life()


@case("config: a directory")
def _(s):
    import os
    os.mkdir(f"{s.bundle}/config.json")
    s.write = lambda: None
    s.life()


@case("config: missing")
def _(s):
    s.write = lambda: None
    s.life()
