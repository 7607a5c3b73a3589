"""hooks: what each sees, how they fail, what is left out. And annotations."""
import json, os
from catalogue import both, case, drop, put, variants

HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def hook(*kinds, words=(), **fields):
    def act(s):
        for kind in kinds:
            s.hook(kind, *words, **fields)
    return act


variants("hook", {kind: hook(kind, words=["stat:.", "make:./hook-made"]) for kind in HOOKS})
variants("hook with env", {kind: hook(kind, env=["A=1", "PATH=/bin"]) for kind in HOOKS})
variants("hook with an empty env", {kind: hook(kind, env=[]) for kind in HOOKS})
variants("hook that fails", {kind: hook(kind, words=["say:no", "exit:7"]) for kind in HOOKS})
variants("hook that is missing", {kind: hook(kind, path="/nope") for kind in HOOKS})
variants("hook that takes too long", {kind: hook(kind, words=["sleep:30"], timeout=1) for kind in HOOKS})
variants("hook with a timeout", {kind: hook(kind, timeout=10) for kind in HOOKS})
variants("hook twice, the first fails", {kind: (lambda kind: lambda s: (s.hook(kind, "exit:3"), s.hook(kind)))(kind) for kind in HOOKS})


def odd(kind, **fields):
    def act(s):
        s.hook(kind)
        for key, value in fields.items():
            s.config["hooks"][kind][0][key] = value
    return act


variants("hook's form", {
    "all of them": hook(*HOOKS), "hooks null": put("hooks", None), "hooks empty": put("hooks", {}), "a null list": put("hooks.poststop", None), "an empty list": put("hooks.poststart", []),
    "a null entry": put("hooks.poststop", [None]), "an unknown kind": put("hooks.preflight", [{"path": "/nope"}]), "no path": put("hooks.createRuntime", [{"args": ["x"]}]),
    "a relative path": put("hooks.createRuntime", [{"path": "bin/true"}]), "an empty path": put("hooks.createRuntime", [{"path": ""}]), "no args": odd("createRuntime", args=[]),
    "args null": odd("createRuntime", args=None), "a timeout of 0": odd("createRuntime", timeout=0), "a timeout below zero": odd("createRuntime", timeout=-1), "timeout null": odd("createRuntime", timeout=None),
    "a timeout with a fraction": odd("createRuntime", timeout=1.5), "a large timeout": odd("createRuntime", timeout=9223372036), "env without =": odd("createRuntime", env=["NOTHING", "A=1"]),
    "env twice": odd("createRuntime", env=["A=1", "A=2"]), "env null": odd("createRuntime", env=None), "an env with an empty word": odd("createRuntime", env=["", "A=1"]), "not executable": odd("createRuntime", path="/etc/passwd"),
    "a directory": odd("createRuntime", path="/tmp"), "a poststop that is missing": put("hooks.poststop", [{"path": "/nope"}]), "a poststart that is missing": put("hooks.poststart", [{"path": "/nope"}]),
    "a hook that is killed": lambda s: put("hooks.createRuntime", [{"path": "/bin/sh", "args": ["sh", "-c", "kill -9 $$"]}])(s), "many": lambda s: [s.hook("createRuntime") for _ in range(20)],
    "a path in the container alone": put("hooks.createContainer", [{"path": "/probe", "args": ["probe", "hook", "x", "/tmp/h"]}]),
    "a path on the host alone": both(lambda s: s.hook("createContainer"), put("hooks.startContainer", [{"path": "/usr/bin/env"}])),
    "one that reads nothing": put("hooks.createRuntime", [{"path": "/bin/true"}], "annotations", {f"k{i}": "v" * 1000 for i in range(200)}),
    "one that closes its input": put("hooks.createRuntime", [{"path": "/bin/sh", "args": ["sh", "-c", "exec <&-; sleep 0.05"]}], "annotations", {f"k{i}": "v" * 1000 for i in range(200)}),
    "one that leaves a process": put("hooks.createRuntime", [{"path": "/bin/sh", "args": ["sh", "-c", "sleep 2 & exit 0"]}]),
    "one that leaves a process, with a timeout": put("hooks.createRuntime", [{"path": "/bin/sh", "args": ["sh", "-c", "sleep 2 & exit 0"], "timeout": 20}]),
})
variants("hooks and the process", {
    "of a user": both(put("process.user", {"uid": 1000, "gid": 1000, "umask": 0o77}), hook(*HOOKS)), "with limits": both(put("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100}]), hook(*HOOKS)),
    "with a cwd": both(put("process.cwd", "/usr"), hook(*HOOKS)), "in a user namespace": both(lambda s: s.user_namespace(), hook("createRuntime", "createContainer", "poststart", "poststop")),
    "without namespaces": both(put("linux.namespaces", [{"type": "mount"}]), drop("hostname"), hook(*HOOKS)), "read-only": both(put("root.readonly", True), hook("createContainer", "startContainer", words=["make:./x"])),
    "a program that is missing": both(put("process.args", ["/nope"]), hook(*HOOKS)), "a mount that fails": both(lambda s: s.mount("/mnt", "bind", "/nope", ["bind"]), hook(*HOOKS)),
})


def run_with(*kinds, words=()):
    def act(s):
        for kind in kinds:
            s.hook(kind, *words)
        s.once()
    return act


variants("hooks of run", {"all": run_with(*HOOKS), **{f"a {kind} that fails": run_with(kind, words=["exit:7"]) for kind in HOOKS}})


@case("hooks: killed before start")
def _(s):
    for kind in HOOKS:
        s.hook(kind)
    s.life(start=False)


@case("hooks: delete --force of one that runs")
def _(s):
    for kind in HOOKS:
        s.hook(kind)
    if s.alive():
        s.call("delete", "delete", "--force", s.id)
    s.hooks_seen()
    s.residue()


@case("hooks: the bundle is gone at delete")
def _(s):
    import shutil
    s.hook("poststop")
    if s.alive():
        shutil.rmtree(s.bundle, ignore_errors=True)
        s.call("delete", "delete", "--force", s.id)
    s.hooks_seen()
    s.residue()


@case("hooks: config.json changed after create")
def _(s):
    s.hook("poststop")
    if s.alive():
        open(f"{s.bundle}/config.json", "w").write("{}")
        s.call("delete", "delete", "--force", s.id)
    s.hooks_seen()
    s.residue()


@case("hooks: the caller has descriptors")
def _(s):
    for kind in HOOKS:
        s.hook(kind)
    read_end, write_end = os.pipe()
    os.set_inheritable(read_end, True)
    os.dup2(read_end, 20, inheritable=True)
    s.write()
    ended = s.call("create", "create", "--bundle", s.bundle, s.id, pass_fds=(20,))
    os.close(read_end), os.close(write_end), os.close(20)
    if ended.code == 0:
        pid = (s.state("created") or {}).get("pid")
        s.call("start", "start", s.id)
        s.see("program", s.wait(pid))
        s.call("delete", "delete", s.id)
    s.hooks_seen()
    s.lines(open(f"{s.dir}/create.out").read(), "in")


def annotations(values):
    return put("annotations", values)


variants("annotations", {
    "some": annotations({"a": "b", "org.example/key": "value"}), "null": annotations(None), "empty": annotations({}), "an empty key": annotations({"": "x"}), "an empty value": annotations({"a": ""}),
    "a null value": annotations({"a": None}), "a number": annotations({"a": 1}), "odd bytes": annotations({"ö": "a\nb\t\"\\ €"}), "many": annotations({f"k{i}": "v" for i in range(2000)}),
    "org.systemd": annotations({"org.systemd.property.TimeoutStopUSec": "uint64 123"}), "run.oci": annotations({"run.oci.keep_original_groups": "1"}), "run.oci, a hook": annotations({"run.oci.hooks.stderr": "/dev/null"}),
    "of another kind": annotations(["a"]), "io.kubernetes": annotations({"io.kubernetes.cri.container-type": "sandbox"}),
})
