"""The differences that stay, each with its reason. `hack/compare --write` makes docs/differences.md from this.

A row knows differences by case and key (with * as in file names). Its witness is a case that shows both sides: where one of
them changes, the harness fails, and the row has to go or to say something else.
"""


class Row:
    def __init__(self, title, reason, groups, witness, views=(), only=None):
        self.title, self.reason, self.groups = title, reason, groups
        self.witness, self.views, self.only = witness, views, only


ROWS = []


def row(title, reason, keys, case, key, cases=("*",), views=(), only=None, view=None, shown=None, also=(), **values):
    """What differs in `keys` of `cases`, and in those of the pairs (cases, keys) of `also`. `values` are regular expressions: what each runtime shows for `key` in the witness `case`."""
    values = {name.replace("_", "-"): value for name, value in values.items()}
    seen = {"case": case, "key": key, "values": values}
    if view:
        seen["view"] = view
    if shown:
        seen["shown"] = shown
    ROWS.append(Row(title, reason, [(cases, keys), *also], seen, views, only))


row("a mask over a directory is a tmpfs with nosuid, nodev and noexec",
    "the peers' masks lack them; a mask has nothing in it that could be run, so nothing is lost",
    ["in.mount./proc/acpi *", "in.mount./sys/firmware *", "in.mount./mnt/sys/firmware *", "in.mount./mnt/proc/acpi *"], "plain", "in.mount./sys/firmware flags",
    also=[(["maskedPaths: *", "user namespace: masked *", "readonlyPaths: masked below it"], ["in.mount.* flags", "in.mount.* super"])],
    only=r"^ro,nosuid,nodev,noexec,relatime$|^(gid=\d+,)?rw(,uid=\d+)?$", runc="ro,relatime", ours="ro,nosuid,nodev,noexec,relatime")
row("a read-only sysfs or proc is read-only as a mount, not as a file system",
    "writing fails alike (for an ordinary user with EACCES); the file system is shared with the host, whose own flags stay as they are",
    ["in.mount./sys super", "in.mount./mnt/sys super", "in.path.write./sys/*"], "plain", "in.mount./sys super",
    also=[(["type: sysfs*"], ["in.mount.* super"]), (["type: proc, read-only"], ["in.mount./proc* super"])], runc="ro", crun="rw", ours="rw")
row("the directory of the v1 hierarchies is read-only where the config says so",
    "runc leaves it writable in a cgroup namespace, by an oversight: the container can add to it, and to nothing else; without one it binds the "
    "hierarchies without nosuid, nodev and noexec",
    ["in.mount./sys/fs/cgroup flags", "in.mount./sys/fs/cgroup#1 flags", "in.mount./mnt/sys/fs/cgroup flags"], "plain", "in.mount./sys/fs/cgroup flags",
    also=[(["type: cgroup*"], ["in.mount./mnt flags", "in.mount./sys/fs/cgroup/* flags"])], views=("native",), view="native",
    only="^ro,|^rw,nosuid,nodev,noexec,relatime$", runc="rw,nosuid,nodev,noexec,relatime", ours="ro,nosuid,nodev,noexec,relatime")
row("state says ociVersion 1.3.0",
    "each runtime names the version of the specification that it implements",
    ["state-*.ociVersion", "*.stdin.ociVersion"], "plain", "state-created.ociVersion", runc="1.2.1", crun="1.0.0", ours="1.3.0")
row("state names the owner",
    "the owner of the record, as crun and as runc's own list says; runc's state leaves it empty",
    ["state-*.owner"], "plain", "state-created.owner", runc="", crun="root", ours="root")
row("state has the path of the root filesystem as config.json writes it",
    "a path with dots or links means what the kernel makes of it; runc shortens it as text",
    ["state-*.rootfs"], "root: dots", "state-created.rootfs", cases=["root: *"], runc="\\$DIR/bundle/rootfs", ours="\\$DIR/bundle/../bundle/rootfs")
row("the session keyring has a name that cannot be guessed, and the user may only search it",
    "another container could join the keyring by its name, or read the name in /proc/keys and the keys with it",
    ["in.keyring"], "seccomp: missing", "in.keyring", runc="keyring;0;0;3f1b0000;_ses.*", ours="keyring;0;0;3f080000;own")
row("in a user namespace /dev/mqueue belongs to the overflow ids",
    "the namespaces are made in one call, before the ids are mapped; queues are made and used as before, the directory is writable for all",
    ["in.dev./dev/mqueue", "in.mount./dev/mqueue place"], "user namespace: plain", "in.dev./dev/mqueue",
    runc="dir 1777 0:65534", crun="dir 1777 0:0", ours="dir 1777 65534:65534")
row("a pid file does not take the place of a device",
    "as crun, which writes to it as it is; runc leaves a file where /dev/null was",
    ["pid file"], "pid file: is a device", "pid file", cases=["pid file: is a device"], runc="100644 the pid", crun="20644 ''", ours="20644 ''")
row("a file system without a source is called by its type",
    "as crun; runc gives the kernel an empty name, which tools that read mountinfo trip over",
    ["in.mount.* source", "in.mount.* super"], "tmpfs: no source", "in.mount./mnt source", cases=["tmpfs: no source", "tmpfs: an empty source", "tmpfs: null source", "null for: mounts.*"], crun="tmpfs", ours="tmpfs")
row("norelatime and recursive options of a new file system apply",
    "they say what they mean (rro as under crun); runc drops them where there is no bind",
    ["in.mount.* flags", "in.at.make.*"], "tmpfs: rro", "in.mount./mnt flags", cases=["tmpfs: r*", "tmpfs: norelatime"], runc="rw,relatime", ours="ro,relatime")
row("devices in a user namespace are bound with nosuid and noexec",
    "as crun: a device needs neither",
    ["in.mount./dev/* flags", "in.mount./proc/* flags"], "user namespace: plain", "in.mount./dev/null flags",
    also=[(["maskedPaths: in a user namespace", "user namespace: masked *"], ["in.mount./etc/passwd flags"])], only="nosuid.*noexec", crun=".*nosuid,noexec.*", ours=".*nosuid,noexec.*")
row("a root file system keeps the nosuid and nodev of the mount that it is on",
    "as runc for a writable root; for a read-only one its second mount call drops them, and crun drops them always: the host's administrator has set them",
    ["in.mount./ flags"], "root: read-only, on a mount with nosuid and nodev", "in.mount./ flags", cases=["root: *", "key in another case: *", "key twice: *"],
    only="nosuid", runc="ro,relatime", crun="ro,relatime", ours="ro,nosuid,nodev,relatime")
row("a read-only path is read-only with all that is mounted below it, and the same path twice is one mount",
    "runc and crun leave mounts below writable, which readonlyPaths is there to forbid; a second mount over the first does nothing",
    ["*"], "readonlyPaths: with mounts below", "in.at.make./usr/m/x",
    cases=["readonlyPaths: with mounts below", "readonlyPaths: /dev", "readonlyPaths: a device", "readonlyPaths: the root", "readonlyPaths: twice", "maskedPaths: twice*"],
    runc="file 0644 0:0", crun="file 0644 0:0", ours="EROFS")
row("a masked or read-only path with .. is protected as text and as the disk has it",
    "runc and crun lose a path whose first part does not exist: it stays open without a word",
    ["in.mount./proc/*", "in.at.*", "in.path./proc/*", "in.path.write./proc/*"], "readonlyPaths: dots that leave", "in.path.write./proc/sys/kernel/core_pattern",
    cases=["maskedPaths: dots*", "readonlyPaths: dots*"], runc="ok", crun="ok", ours="EROFS")
row("a device rule for no type, or for all types with a number, is about that number",
    "runc takes it for every device and every number: one entry with a slip in it opens the host's disks",
    ["in.at.mknod.*", "in.dev.*"], "device rules: type a with numbers", "in.dev.make.loop0",
    cases=["device rules: an empty type", "device rules: type a with numbers", "null for: linux.resources.devices.1.type", "key in another case: *"],
    view="v2", runc="ok, open ok", crun="ok, open EPERM", ours="ok, open EPERM")
row("without process.capabilities a process has none",
    "as crun, and as the specification's empty sets; under runc it has all that the runtime has",
    ["*"], "capabilities: missing", "in.status.CapEff", cases=["capabilities: missing*", "capabilities: null"],
    runc="000001fffeffffff", crun="0+", ours="0+")
row("a config that peers cannot run, though nothing is wrong with it, runs",
    "what stops runc or crun is a limit or a filter that their own process falls under, a detail of how they make things, or a list that "
    "is missing; each of these has one plain meaning, no right is given that the config does not name, and engines do not write them",
    ["*.exit", "program", "state-created.*"], "mounts: missing", "create.exit",
    cases=["rlimits: AS of 64 MiB", "rlimits: NOFILE of *", "rlimits: no soft", "seccomp and rights: *", "seccomp action: ERRNO of 4095", "seccomp architectures: several others",
           "seccomp flags: WAIT_KILLABLE_RECV", "args: without PATH", "args: by an empty entry of PATH", "args: by a relative entry of PATH", "mounts: missing", "mounts: null", "mounts: empty",
           "repeated key: mounts", "rootfsPropagation: runbindable", "order: /sys twice", "type: mqueue twice", "type: no /proc", "bind: type bind *", "bind: dest-nofollow", "bind: src-nofollow",
           "bind: copy-symlink", "tmpfs: copy-symlink", "bind: defaults", "tmpfs: defaults", "idmapped: empty mappings", "idmapped: with a word for the map", "root: a link", "maskedPaths: a slash at the end",
           "maskedPaths: above a mask", "maskedPaths: proc as a whole", "maskedPaths: one of a container without mounts", "device rules: no access*", "device rules: all allowed, a part denied", "device rules: capital letters", "device rules: a letter A", "device rules: a minor of 4294967295", "no process in the config", "length: too deep JSON", "length: 100 rlimits",
           "null in a list: rules", "devices: p with numbers", "cwd: a link that leads nowhere", "timeOffsets: empty", "capabilities: one that the host has not", "blockIO: leafWeight", "cpu: shares *",
           "hugepageLimits: *", "cgroup parent: with processes, a hugetlb limit", "namespaces, another's by path: mount", "memory: 4 MiB", "pids: -1", "pids: 0*",
           "unified: memory.max empty", "unified: a null value", "type: proc, subset", "namespaces: *", "process: *", "user namespace: without mappings", "user namespace: mappings empty", "number: -0 for an id", "key in another case: pids", "words: rootfs is /", "words: a user namespace without maps"],
    also=[(["fuzz *: config: */mounts = null*", "fuzz *: config: */mounts away*", "fuzz *: config: */mounts/0 *", "fuzz *: config: */linux/seccomp/syscalls/0/names*"], ["create.exit"]), (["fuzz *: update: */pids/limit = -1*", "fuzz *: update: */unified*"], ["update.exit"]),
          (["fuzz *: config: */rlimits/0*", "fuzz *: exec: */rlimits/0*"], ["*.exit"]), (["at its limits: little memory"], ["*.then"])],
    runc="1", crun="1", ours="0")
row("a value that cannot be meant is refused, by field",
    "runc and crun take it and do something else, or nothing: a device that is not made because a file of the image is in its place, a number that is cut to fit, a "
    "cgroup file that moves processes, a cgroup path that climbs, text behind the end of config.json, bytes that are no text; refused at create, with the remedy, it does no harm",
    ["*.exit", "hook.createRuntime.env.*", "left.*"], "text: something after it", "create.exit",
    cases=["text: *", "devices: numbers above", "devices: over a *", "devices: where another device is", "devices: /dev itself", "devices: an empty path", "devices: no path", "device rules: -2",
           "cgroupsPath: a long name", "length: a part of a cgroup path*", "cgroupsPath: dots", "cgroupsPath: leading out", "unified: cgroup.*", "hostname: a nul", "cpu: quota of -5", "pids: -2", "blockIO: weight of 9", "seccomp action: * with errnoRet", "seccomp action: default errno",
           "seccomp: empty", "seccomp: an empty default", "maskedPaths: the root", "bind: no source", "bind: an empty source", "domainname: beside its sysctl", "device rules: an access with a nul", "null in a list: architectures", "null in a list: scheduler flags", "hook's form: env without =", "execCPUAffinity: *"],
    also=[(["fuzz *: config: */linux/devices/0/path*", "fuzz *: config: *u0000*"], ["create.exit"]), (["fuzz *: update: */hugepageLimits*", "fuzz *: update: */network/priorities*"], ["update.exit"])],
    runc="0", crun="0", ours="1")
row("a limit or setting that cannot be had is refused",
    "as crun; runc starts the container without it (real-time limits and swappiness above 100 on cgroup v2, an absent resctrl, fields that runc 1.3 does not know: "
    "memoryPolicy, netDevices, of which crun passes over an entry that is null)",
    ["*.exit", "in.process.mempolicy", "in.net.*", "device on the host"], "intelRdt: empty", "create.exit", cases=["intelRdt: *", "memoryPolicy: *", "netDevices: *", "cpu: real time*", "memory: swappiness above 100", "words: a memory policy*", "words: Intel RDT"],
    runc="0", crun="1", ours="1")
row("personality flags apply",
    "the specification has the field; runc and crun overlook it. Only flags that the kernel knows by name are taken",
    ["in.process.personality"], "personality: with a flag", "in.process.personality", runc="0", crun="0", ours="0x40000")
row("start says that the program could not be executed",
    "runc and crun say yes and leave the reason to the container's output, after which engines report a start that never was",
    ["start.exit", "program", "delete.exit", "run.exit", "exec.exit"], "program: garbage", "start.exit",
    cases=["program: *", "args: one above*", "env: a value above*", "seccomp: execve*", "length: a variable of*", "length: variables of*", "distress: the filter forbids everything", "words: not a program", "words: a script without*"],
    runc="0", crun="0", ours="1")
row("a profile that lets the runtime not give up its rights is refused",
    "as crun, which fails without saying why; runc starts a process that keeps CAP_SYS_ADMIN until its program begins, and other processes see it",
    ["*"], "seccomp: write denied", "create.exit", cases=["seccomp: everything denied", "seccomp: everything killed", "seccomp: write denied"], runc="0", crun="1", ours="1")
row("HOME is set without process.env, and found behind a long or a broken line of /etc/passwd",
    "as crun; runc stops at the first line that it cannot read. An /etc/passwd that is a fifo holds both up for ever",
    ["in.env.*", "in.path./proc/1/environ", "*.exit", "left.*"], "env: missing", "in.env.HOME",
    cases=["env: missing", "env: null", "HOME: after a long line", "HOME: of a short line", "HOME: passwd is a fifo", "passwd: a line of 70 000", "passwd: short lines", "bind: a file over a file"], runc="\\(absent\\)", crun="/root", ours="/root")
row("no descriptor of the runtime's own reaches a hook or a program",
    "as crun; runc leaves a createContainer hook the ends of its conversation with init and the start fifo, and --preserve-fds passes its own where the caller has fewer",
    ["hook.createContainer*.fd.*", "in.fd.*"], "hook: createContainer", "hook.createContainer.fd.3", cases=["hook*", "caller, hooks: *", "descriptors: none open"], runc="socket rw", ours="\\(absent\\)")
row("a poststart hook runs when the process has been started, and reads the status running",
    "as crun, and as the specification; runc 1.3 runs it in create",
    ["hook.poststart*"], "hook: poststart", "hook.poststart.stdin.status", runc='"created"', crun='"running"', ours='"running"')
row("a poststop hook begins in the bundle, and in / where that is gone",
    "as crun, as the other hooks of the host; under runc it begins where delete was called",
    ["hook.poststop*", "at.*"], "hook: poststop", "hook.poststop.is.cwd", cases=["hook*", "caller, hooks: *", "made by runc: poststop hooks"], runc="\\$DIR", crun="\\$DIR/bundle", ours="\\$DIR/bundle")
row("the source of a new file system shows its first 255 bytes",
    "fsconfig(2) takes no longer text; the source of a file system without a device is a name in mountinfo and nothing else",
    ["in.mount./mnt source"], "tmpfs: a long source", "in.mount./mnt source", cases=["tmpfs: a long source"], runc="s{300}", crun="s+", ours="s{255}")
row("a startContainer hook that fails makes start fail; poststart hooks are not called then, poststop hooks are",
    "as the specification says; under runc start succeeds, and the container ends by itself",
    ["*"], "hook that fails: startContainer", "start.exit", cases=["hook that *: startContainer", "hook twice, the first fails: startContainer", "hooks of run: a startContainer that fails",
           "hook's form: a path on the host alone"],
    runc="0", crun="0", ours="1")
row("a poststart hook that fails makes start fail and is told at once; one that is missing is refused at create",
    "runc ends the container, crun goes on: engines that gave a hook want to know before the program runs",
    ["*"], "hook that fails: poststart", "create.exit", cases=["hook that *: poststart", "hook twice, the first fails: poststart", "hooks of run: a poststart that fails", "hook's form: a poststart that is missing"],
    runc="1", crun="0", ours="0")
row("a poststop hook that fails is a warning of delete",
    "as crun, and as the specification says: the container is gone. runc 1.3 removes it too and ends with 1",
    ["*"], "hook that fails: poststop", "delete.exit",
    cases=["hook that *: poststop", "hook twice, the first fails: poststop", "hooks of run: a poststop that fails", "hook's form: *poststop*", "hook's form: a null entry", "null in a list: poststop"],
    also=[(["fuzz *: config: */hooks/poststop*"], ["create.exit", "delete.exit"])],
    runc="1", crun="0", ours="0")
row("cgroup v2 parents hand down the controllers that limits need and statistics read, not all that there are",
    "each one more costs every container below a lock over the hierarchy; what a container is limited by is there",
    ["cg.hugetlb.*", "in.cgroup.file.cgroup.controllers"], "cgroupsPath: nested", "in.cgroup.file.cgroup.controllers", cases=["cgroup*"], view="v2", views=("v2",), runc="hugetlb", crun="hugetlb", ours="")
row("a create that fails leaves no record",
    "runc leaves one behind where the cgroup's name is a file of the kernel",
    ["left.state"], "cgroupsPath: a name of the kernel", "left.state", cases=["cgroupsPath: a name of the kernel"], runc="\\$ID", ours="nothing")
row("an empty env of a startContainer hook is empty",
    "as crun; runc gives it the container's, as where the field is missing",
    ["hook.startContainer.env.*"], "hook with an empty env: startContainer", "hook.startContainer.env.(entries)", runc="3", crun="0", ours="0")
row("a hook of the host that fails ends create with 1 under the name crun too",
    "crun ends with 255 there, or with 1 where it finds out itself; engines look at whether it is 0",
    ["create.exit", "run.exit"], "hook that fails: createRuntime", "create.exit", cases=["hook*"], only="^1$", runc="1", crun="255", ours_as_crun="1")
row("in a user namespace a device of the config is the host's, with the host's owner",
    "as crun; runc refuses its owner and leaves a device that cannot be opened",
    ["in.dev.read.*", "in.dev.write.*"], "devices: in a user namespace, /dev/full with uid", "in.dev.read./dev/full", cases=["devices: in a user namespace, *"], runc="EPERM", crun="ok", ours="ok")
row("v1: an access that another rule gives already is not written again",
    "the effect of the list is the same, and shorter: making any node is allowed by one rule, so that no other says it",
    ["*.devices.list"], "plain", "cg.devices.list", views=("native",), view="native", shown={"runc": "c 5:1 rwm", "ours": "c 5:1 rw"},
    runc=".* c 5:1 rwm .*", ours=".* c 5:1 rw .*")

import rows_commands  # noqa: E402 (the rows about commands and callers)
row("a cgroup mount over another has the source that the config says",
    "the kernel gives both the same file system; runc and crun bind the host's in that case, whose name shows",
    ["in.mount./sys/fs/cgroup#* source"], "type: cgroup twice", "in.mount./sys/fs/cgroup#1 source", cases=["type: *"], views=("v2",), view="v2", runc="cgroup2", crun="tmpfs", ours="cgroup")
