"""linux.seccomp: actions, arguments, flags, architectures, the listener."""
import os, socket, threading
from catalogue import both, case, drop, put, variants


def profile(*rules, default="SCMP_ACT_ALLOW", **fields):
    return put("linux.seccomp", {"defaultAction": default, "syscalls": [r for r in rules], **fields})


def rule(names, action="SCMP_ACT_ERRNO", **fields):
    return {"names": names if isinstance(names, list) else [names], "action": action, **fields}


def arg(index, value, op="SCMP_CMP_EQ", **more):
    return {"index": index, "value": value, "op": op, **more}


KILLED = "personality"
variants("seccomp", {
    "missing": drop("linux.seccomp"), "null": put("linux.seccomp", None), "empty": put("linux.seccomp", {}), "no rules": profile(), "no rules, null": put("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": None}),
    "no default": put("linux.seccomp", {"syscalls": [rule("keyctl")]}), "an empty default": profile(default=""), "an unknown default": profile(default="SCMP_ACT_FOO"), "everything denied": profile(default="SCMP_ACT_ERRNO"),
    "everything killed": profile(default="SCMP_ACT_KILL_PROCESS"), "everything logged": profile(default="SCMP_ACT_LOG"), "execve denied": profile(rule(["execve", "execveat"])), "write denied": profile(rule("write")),
    "execve killed": profile(rule(["execve", "execveat"], "SCMP_ACT_KILL_PROCESS")),
})
variants("seccomp action", {
    "ERRNO": profile(rule("personality")), "ERRNO of 38": profile(rule("personality", errnoRet=38)), "ERRNO of 0": profile(rule("personality", errnoRet=0)), "ERRNO of 4095": profile(rule("personality", errnoRet=4095)),
    "ERRNO of 4096": profile(rule("personality", errnoRet=4096)), "ERRNO of 70000": profile(rule("personality", errnoRet=70000)), "KILL": profile(rule("personality", "SCMP_ACT_KILL")), "KILL_PROCESS": profile(rule("personality", "SCMP_ACT_KILL_PROCESS")),
    "KILL_THREAD": profile(rule("personality", "SCMP_ACT_KILL_THREAD")), "TRAP": profile(rule("personality", "SCMP_ACT_TRAP")), "LOG": profile(rule("personality", "SCMP_ACT_LOG")), "ALLOW": profile(rule("personality", "SCMP_ACT_ALLOW"), default="SCMP_ACT_LOG"),
    "TRACE": profile(rule("personality", "SCMP_ACT_TRACE")), "TRACE with a number": profile(rule("personality", "SCMP_ACT_TRACE", errnoRet=7)), "unknown": profile(rule("personality", "SCMP_ACT_FOO")), "missing": profile({"names": ["personality"]}),
    "like the default": profile(rule("personality", "SCMP_ACT_ALLOW")), "like the default, another errno": profile(rule("personality", errnoRet=38), rule(["read", "write", "execve", "exit_group", "exit"], "SCMP_ACT_ALLOW"), default="SCMP_ACT_ERRNO", defaultErrnoRet=1),
    "LOG with errnoRet": profile(rule("personality", "SCMP_ACT_LOG", errnoRet=5)), "KILL with errnoRet": profile(rule("personality", "SCMP_ACT_KILL", errnoRet=5)), "NOTIFY without a listener": profile(rule("personality", "SCMP_ACT_NOTIFY")),
    "default errno": profile(rule(["personality"], "SCMP_ACT_ERRNO"), defaultErrnoRet=38), "small letters": profile(rule("personality", "scmp_act_errno")),
})
variants("seccomp names", {
    "unknown": profile(rule(["nosuchcall", "personality"])), "only unknown": profile(rule("nosuchcall")), "unknown in a list that allows": profile(rule(["nosuchcall"], "SCMP_ACT_ALLOW"), default="SCMP_ACT_LOG"), "empty": profile(rule([])), "null": profile({"names": None, "action": "SCMP_ACT_ERRNO"}),
    "missing": profile({"action": "SCMP_ACT_ERRNO"}), "the old key": profile({"name": "personality", "action": "SCMP_ACT_ERRNO"}), "an empty name": profile(rule("")), "a null name": profile(rule([None])), "twice": profile(rule(["personality", "personality"])),
    "twice, other actions": profile(rule("personality"), rule("personality", "SCMP_ACT_KILL_PROCESS")), "twice, other errnos": profile(rule("personality", errnoRet=1), rule("personality", errnoRet=38)), "new ones": profile(rule(["mseal", "statmount", "listmount", "clone3"], errnoRet=38)),
    "of another architecture": profile(rule(["socketcall", "_llseek", "personality"])), "capitals": profile(rule("PERSONALITY")), "with a space": profile(rule(" personality")), "a comment": profile({**rule("personality"), "comment": "x", "includes": {}, "excludes": {}}),
    "a thousand unknown": profile(rule([f"nosuchcall{i}" for i in range(1000)])),
})


def args_(*list_, action="SCMP_ACT_ERRNO"):
    return profile(rule("personality", action, args=list(list_)))


variants("seccomp args", {
    "EQ": args_(arg(0, 0x40000)), "NE": args_(arg(0, 0, "SCMP_CMP_NE")), "LT": args_(arg(0, 5, "SCMP_CMP_LT")), "LE": args_(arg(0, 0x40000, "SCMP_CMP_LE")), "GE": args_(arg(0, 0x40000, "SCMP_CMP_GE")), "GT": args_(arg(0, 0, "SCMP_CMP_GT")),
    "MASKED_EQ": args_(arg(0, 0x40000, "SCMP_CMP_MASKED_EQ", valueTwo=0x40000)), "MASKED_EQ without valueTwo": args_(arg(0, 0x40000, "SCMP_CMP_MASKED_EQ")), "several": args_(arg(0, 0x40000), arg(1, 0)), "the same index twice": args_(arg(0, 0x40000), arg(0, 0)),
    "the same index twice, a range": args_(arg(0, 1, "SCMP_CMP_GE"), arg(0, 0x50000, "SCMP_CMP_LE")), "index of 6": args_(arg(6, 0)), "index below zero": args_(arg(-1, 0)), "unknown operator": args_(arg(0, 0, "SCMP_CMP_FOO")), "no operator": args_({"index": 0, "value": 0x40000}),
    "a large value": args_(arg(0, 18446744073709551615, "SCMP_CMP_NE")), "a value above": args_(arg(0, 18446744073709551616)), "a negative value": args_(arg(0, -1)), "empty": args_(), "null": profile({**rule("personality"), "args": None}), "a null entry": profile({**rule("personality"), "args": [None]}),
    "kept apart": profile(rule("personality", args=[arg(0, 0x40000)], errnoRet=5), rule("personality", args=[arg(0, 0)], errnoRet=6)), "valueTwo where it means nothing": args_(arg(0, 0x40000, valueTwo=7)),
    "beside a rule without": profile(rule("personality", args=[arg(0, 0x40000)], errnoRet=5), rule("personality", errnoRet=6)),
})
ALL = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
variants("seccomp architectures", {
    "missing": profile(rule("personality")), "empty": profile(rule("personality"), architectures=[]), "ours": profile(rule("personality"), architectures=ALL[:1]), "all of ours": profile(rule("personality"), architectures=ALL), "without ours": profile(rule("personality"), architectures=ALL[1:2]),
    "another": profile(rule("personality"), architectures=["SCMP_ARCH_AARCH64"]), "several others": profile(rule("personality"), architectures=[*ALL, "SCMP_ARCH_ARM", "SCMP_ARCH_S390X"]), "twice": profile(rule("personality"), architectures=ALL[:1] * 2), "unknown": profile(rule("personality"), architectures=["SCMP_ARCH_FOO"]),
    "an empty word": profile(rule("personality"), architectures=[""]), "null": profile(rule("personality"), architectures=None), "without the prefix": profile(rule("personality"), architectures=["amd64"]), "new ones": profile(rule("personality"), architectures=["SCMP_ARCH_LOONGARCH64", *ALL]),
})
variants("seccomp flags", {
    "missing": profile(rule("personality")), "empty": profile(rule("personality"), flags=[]), "LOG": profile(rule("personality"), flags=["SECCOMP_FILTER_FLAG_LOG"]), "TSYNC": profile(rule("personality"), flags=["SECCOMP_FILTER_FLAG_TSYNC"]), "SPEC_ALLOW": profile(rule("personality"), flags=["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]),
    "WAIT_KILLABLE_RECV": profile(rule("personality"), flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]), "unknown": profile(rule("personality"), flags=["SECCOMP_FILTER_FLAG_FOO"]), "null": profile(rule("personality"), flags=None), "twice": profile(rule("personality"), flags=["SECCOMP_FILTER_FLAG_LOG"] * 2),
    "NEW_LISTENER": profile(rule("personality"), flags=["SECCOMP_FILTER_FLAG_NEW_LISTENER"]),
})
variants("seccomp and rights", {
    "no new privileges": both(put("process.noNewPrivileges", True), profile(rule("personality"))), "another user": both(put("process.user", {"uid": 1000, "gid": 1000}), profile(rule("personality"))),
    "no capabilities": both(put("process.capabilities", {}), profile(rule("personality"))), "setuid denied": both(put("process.user", {"uid": 1000, "gid": 1000}), profile(rule(["setuid", "setgid", "setgroups", "setresuid", "setresgid"]))),
    "capset and prctl denied": profile(rule(["capset", "prctl"])), "chdir denied": profile(rule(["chdir", "fchdir", "openat", "open"], errnoRet=13)), "close denied": profile(rule(["close", "close_range"])), "in a user namespace": both(lambda s: s.user_namespace(), profile(rule("personality"))),
    "mount denied": profile(rule(["mount", "umount2", "pivot_root", "openat2", "move_mount", "fsopen"])), "no new privileges, prctl denied": both(put("process.noNewPrivileges", True), profile(rule(["prctl", "seccomp"]))),
    "SYS_ADMIN": both(put("process.capabilities", {k: ["CAP_SYS_ADMIN"] for k in ("bounding", "effective", "permitted")}), profile(rule("personality"))),
})


def listener(metadata="meta", path=True, agent=True, **fields):
    """An agent that takes what it is sent, and answers nothing."""
    def act(s):
        where = f"{s.dir}/agent.sock"
        got = []
        server = socket.socket(socket.AF_UNIX)
        if agent:
            server.bind(where)
            server.listen()
            server.settimeout(3)

        def take():
            import array, json
            try:
                client, _ = server.accept()
                client.settimeout(3)
                text, ancillary, _, _ = client.recvmsg(65536, 1024)
                number = sum(len(data) // 4 for _, _, data in ancillary)
                for _, _, data in ancillary:
                    for fd in array.array("i", data[:len(data) // 4 * 4]):
                        os.close(fd)
                state = json.loads(text)
                got.append((sorted(state), state.get("fds"), state.get("metadata"), sorted(state.get("state", {})), state.get("state", {}).get("status"), number))
            except (OSError, ValueError) as error:
                got.append(type(error).__name__)

        thread = threading.Thread(target=take)
        if agent:
            thread.start()
        s.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule("personality", "SCMP_ACT_NOTIFY")], **({"listenerPath": where} if path is True else {"listenerPath": path} if path else {}),
                              **({"listenerMetadata": metadata} if metadata is not None else {}), **fields}
        s.process["args"] = ["/probe", "only:process,identity"]
        s.life()
        if agent:
            thread.join(4)
            s.see("agent", got)
        server.close()
    return act


variants("seccomp listener", {
    "plain": listener(), "without metadata": listener(metadata=None), "nobody there": listener(agent=False), "a relative path": listener(path="agent.sock", agent=False), "no rule that notifies": listener(agent=False, syscalls=[rule("personality")]),
    "write notified": listener(agent=False, syscalls=[rule(["write", "personality"], "SCMP_ACT_NOTIFY")]), "default notifies": listener(agent=False, defaultAction="SCMP_ACT_NOTIFY"), "TSYNC": listener(flags=["SECCOMP_FILTER_FLAG_TSYNC"]), "metadata alone": listener(path=None, agent=False, syscalls=[rule("personality")]),
})
