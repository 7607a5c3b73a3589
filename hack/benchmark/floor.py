"""The floor's tables: what hack/benchmark/floor.c needs to know of one bundle, out of its config.json.

The seccomp filter and the device program are the very ones that rruntime loads for the bundle, as strace shows them: the kernel's
price of a filter depends on it, and the floor is to pay the same."""
import json, os, re, subprocess

ATTRIBUTES = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "strictatime": 0x20}
CAPABILITIES = ("CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
                "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
                "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
                "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE").split()
NODES = [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)]
LINKS = [("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"),
         ("ptmx", "pts/ptmx")]


def text(value):
    return json.dumps(value) if value is not None else "0"


def entry(mount):
    options, attributes = [], 0
    bind = mount.get("type") == "bind" or bool({"bind", "rbind"} & set(mount.get("options", [])))
    for option in mount.get("options", []):
        if option in ATTRIBUTES:
            attributes |= ATTRIBUTES[option]
        elif option not in ("rw", "bind", "rbind", "relatime"):
            key, equals, value = option.partition("=")
            options += [key, value if equals else None]
    if not bind:
        options = ["source", mount["source"], *options]
    kind = {"cgroup": "cgroup2"}.get(mount.get("type"), mount.get("type"))
    target = mount["destination"].lstrip("/")
    return (f"{{{text(None if bind else kind)}, {text(target)}, {text(mount['source'] if bind else None)}, {attributes}, "
            f"{{{', '.join(map(text, [] if bind else options)) or '0'}}}}},")


def programs(trace):
    """The BPF of the device program and of the seccomp filter, as C, from strace's output (-v -X raw)."""
    devices = re.search(r"bpf\(0x5, \{prog_type=0xf, .*?insns=\[(.*?)\], license", trace)
    filter = re.search(r"seccomp\(0x1, .*?filter=\[(.*?)\]\}\)", trace)
    number = lambda sum: eval(re.sub(r"/\*.*?\*/", "", sum).strip().replace("|", "+"), {"__builtins__": {}})  # 0x1|0|0x60
    device_code = [
        "{" + ", ".join(f".{name} = {number(value)}" for name, value in re.findall(r"(\w+)=([^,}]+)", row)) + "}"
        for row in re.findall(r"\{([^}]*)\}", devices[1])]
    filter_code = []
    for kind, inside in re.findall(r"BPF_(STMT|JUMP)\(([^)]*)\)", filter[1]):
        code, k, yes, no = ([number(part) for part in inside.split(",")] + [0, 0])[:4]
        filter_code.append(f"{{{code}, {yes}, {no}, {k}u}}")
    return ",".join(device_code), ",".join(filter_code)


def tables(config, trace):
    masked = [p for p in config["linux"]["maskedPaths"] if os.path.exists(p)]
    in_rootfs = [p for p in config["linux"]["maskedPaths"] if p not in masked and os.path.exists(config["root"]["path"] + p)]
    read_only = [p for p in config["linux"]["readonlyPaths"] if os.path.exists(p)]
    hidden = [p for p in masked if os.path.isdir(p)]
    kept = {c.removeprefix("CAP_") for c in config["process"]["capabilities"]["bounding"]}
    last = int(open("/proc/sys/kernel/cap_last_cap").read())
    bits = lambda names: sum(1 << i for i, name in enumerate(CAPABILITIES) if i <= last and name in names)
    devices, filter = programs(trace)
    made = [m["destination"].lstrip("/") for m in config["mounts"] if m["destination"].startswith("/dev/")]
    rows = "\n    ".join
    return f"""
#define PROGRAM {", ".join(map(text, config["process"]["args"]))}
#define KEPT {bits(kept)}UL
#define DROPPED {bits(set(CAPABILITIES) - kept)}UL
/* below /dev, which is empty until then */
#define MADE(target) ((target)[0] == 'd' && (target)[3] == '/')
static const struct entry mounts[] = {{
    {rows(map(entry, config["mounts"]))}
}};
static const struct node nodes[] = {{{", ".join(f'{{"dev/{n}", {major << 8 | minor}}}' for n, major, minor in NODES)}}};
static const char *const links[] = {{{", ".join(f'"dev/{n}", {text(to)}' for n, to in LINKS)}}};
static const struct entry readonly[] = {{
    {rows(f'{{0, {text(p)}, {text(p)}, 1, {{0}}}},' for p in read_only)}
}};
static const char *const masked[] = {{{", ".join(map(text, [p for p in masked if p not in hidden] + in_rootfs))}}};
static const char *const hidden[] = {{{", ".join(map(text, hidden))}}};
static struct bpf_insn device_code[] = {{{devices}}};
static struct sock_filter filter_code[] = {{{filter}}};
"""


def build(bundle, trace, out):
    """Compiles the floor for the bundle; returns where it is."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(bundle, "config.json")) as file:
        config = json.load(file)
    work = out + ".d"
    os.makedirs(work, exist_ok=True)
    with open(os.path.join(work, "tables.h"), "w") as file:
        file.write(tables(config, trace))
    subprocess.run(["cc", "-O2", "-Wall", "-Wno-unused-function", "-Wno-main", "-fno-stack-protector", "-ffreestanding", "-fno-pie", "-static",
                    "-nostdlib", "-nostartfiles", "-no-pie", "-s", "-I", work, os.path.join(here, "floor.c"), "-o", out], check=True)
    return out
