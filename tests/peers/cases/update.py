"""update: every option in its forms, and -r with every field; what the control files then say."""

import json
from catalogue import case, variants
from steps import fill

MIB = 1 << 20


def update(*options, base=None, stdin=None, says=(), before=()):
    def act(s):
        s.linux["resources"].update(json.loads(json.dumps(base or {})))
        if not s.alive():
            return
        for line in before:
            s.call("before", "update", *line, s.id)
        source = None
        if stdin is not None:
            with open(f"{s.dir}/resources.json", "w") as f:
                f.write(stdin if isinstance(stdin, str) else json.dumps(stdin))
            source = open(f"{s.dir}/resources.json")
        s.call("update", "update", *fill(s, options), s.id, stdin=source)
        s.says("update", *says)
        s.control_files(s.pid)
        s.seen = {key: value for key, value in s.seen.items() if "devices.list" not in key}  # no subject here

    return act


def option(name, *values, **how):
    return {f"{name} {value}": update(f"{name}={value}", **how) for value in values}


variants(
    "update",
    {
        "nothing": update(),
        **option(
            "--memory",
            64 * MIB,
            "64m",
            "64M",
            "64mb",
            "64MiB",
            "1e8",
            "+100m",
            "1_000_000",
            "1.5g",
            "0",
            "-1",
            "-2",
            "-5",
            "",
            "abc",
            "64x",
            "9223372036854775807",
            "9223372036854775808",
            " 64m",
            "0x4000000",
            "unlimited",
            "max",
        ),
        **option("--memory", 64 * MIB, "-1", "0", base={"memory": {"limit": 128 * MIB, "swap": 256 * MIB}}),
        "--memory above swap": update("--memory", "512m", base={"memory": {"limit": 128 * MIB, "swap": 256 * MIB}}),
        "--memory-swap below memory": update("--memory-swap", "64m", base={"memory": {"limit": 128 * MIB, "swap": 256 * MIB}}),
        "--memory and --memory-swap": update("--memory", "64m", "--memory-swap", "96m"),
        "--memory and --memory-swap equal": update("--memory", "64m", "--memory-swap", "64m"),
        "--memory-swap alone": update("--memory-swap", "64m"),
        "--memory-swap -1": update("--memory-swap", "-1", base={"memory": {"limit": 128 * MIB, "swap": 256 * MIB}}),
        "--memory lower": update("--memory", "32m", base={"memory": {"limit": 128 * MIB}}),
        "--memory-swap 0": update("--memory-swap", "0", base={"memory": {"limit": 128 * MIB, "swap": 256 * MIB}}),
        **option("--memory-reservation", "32m", "0", "-1", "x"),
        **option("--kernel-memory", "50m", "-1"),
        **option("--kernel-memory-tcp", "50m"),
        **option(
            "--pids-limit", "20", "0", "-1", "-2", "0x10", "010", "", "abc", "1_0", "99999999999", "9223372036854775808", "+5"
        ),
        "--pids-limit 0 beside a limit": update("--pids-limit", "0", base={"pids": {"limit": 30}}),
        "--pids-limit -1 beside a limit": update("--pids-limit", "-1", base={"pids": {"limit": 30}}),
        **option("--cpu-share", "512", "0", "1", "2", "262144", "262145", "-1", "x"),
        "--cpu-shares": update("--cpu-shares", "512"),
        "--cpu-shares 0 beside shares": update("--cpu-share", "0", base={"cpu": {"shares": 512}}),
        **option("--cpu-quota", "50000", "0", "-1", "-2", "1", "999", "1000", "x", "9223372036854775807"),
        **option("--cpu-period", "50000", "0", "1", "1000", "1000000", "1000001", "-1", "x"),
        "--cpu-quota and --cpu-period": update("--cpu-quota", "20000", "--cpu-period", "40000"),
        "--cpu-quota -1 beside a quota": update("--cpu-quota", "-1", base={"cpu": {"quota": 50000, "period": 100000}}),
        "--cpu-period beside a quota": update("--cpu-period", "200000", base={"cpu": {"quota": 50000, "period": 100000}}),
        "--cpu-quota 0 beside a quota": update("--cpu-quota", "0", base={"cpu": {"quota": 50000, "period": 100000}}),
        **option("--cpu-burst", "1000", "0", "-1", "x"),
        "--cpu-burst beside a quota": update("--cpu-burst", "10000", base={"cpu": {"quota": 50000, "period": 100000}}),
        "--cpu-burst above the quota": update("--cpu-burst", "60000", base={"cpu": {"quota": 50000, "period": 100000}}),
        **option("--cpu-idle", "1", "0", "2", "-1", "x"),
        "--cpu-idle and --cpu-share": update("--cpu-idle", "1", "--cpu-share", "512"),
        **option("--cpu-rt-period", "1000000", "0", "x"),
        **option("--cpu-rt-runtime", "0", "-1", "500"),
        **option("--cpuset-cpus", "0", "0-1", "0,1", "1-0", "all", "", "99", "x", "0-", " 0", "0-1:2", "0,0"),
        **option("--cpuset-mems", "0", "9", "x", ""),
        **option("--blkio-weight", "500", "10", "9", "0", "1000", "1001", "-1", "x"),
        "two limits, one refused": update("--pids-limit", "22", "--cpuset-cpus", "99", base={"pids": {"limit": 30}}),
        "an option twice": update("--pids-limit", "22", "--pids-limit", "23"),
        "several": update("--pids-limit", "22", "--cpu-share", "300", "--memory", "99m"),
        **option("--l3-cache-schema", "L3:0=f"),
        **option("--mem-bw-schema", "MB:0=20"),
    },
    views=("native",),
)


def resources(value, **how):
    return update("-r", "-", stdin=value, **how)


variants(
    "update -r",
    {
        "empty input": resources(""),
        "no JSON": resources("{"),
        "null": resources("null"),
        "a list": resources("[{}]"),
        "an empty list": resources("[]"),
        "an empty object": resources({}),
        "a number": resources("3"),
        "text after the value": resources("{} x"),
        "two values": resources('{"pids":{"limit":20}} {"pids":{"limit":21}}'),
        "an unknown field": resources({"nope": 1}),
        "keys twice": resources('{"pids":{"limit":20},"pids":{"limit":21}}'),
        "another case": resources('{"PIDS":{"Limit":20}}'),
        "all null": resources(
            {k: None for k in ("memory", "cpu", "pids", "blockIO", "hugepageLimits", "network", "rdma", "unified", "devices")}
        ),
        "pids": resources({"pids": {"limit": 20}}),
        "pids 0": resources({"pids": {"limit": 0}}),
        "pids 0 beside a limit": resources({"pids": {"limit": 0}}, base={"pids": {"limit": 30}}),
        "pids -1": resources({"pids": {"limit": -1}}, base={"pids": {"limit": 30}}),
        "pids -2": resources({"pids": {"limit": -2}}, base={"pids": {"limit": 30}}),
        "pids null": resources({"pids": {"limit": None}}),
        "pids empty": resources({"pids": {}}, base={"pids": {"limit": 30}}),
        "pids a string": resources({"pids": {"limit": "20"}}),
        "pids a fraction": resources('{"pids":{"limit":2.5}}'),
        "pids 2e1": resources('{"pids":{"limit":2e1}}'),
        "pids a list": resources({"pids": []}),
        "memory": resources({"memory": {"limit": 64 * MIB}}),
        "memory and swap": resources({"memory": {"limit": 64 * MIB, "swap": 96 * MIB}}),
        "memory 0": resources({"memory": {"limit": 0}}, base={"memory": {"limit": 128 * MIB}}),
        "memory -1": resources({"memory": {"limit": -1}}, base={"memory": {"limit": 128 * MIB}}),
        "memory -2": resources({"memory": {"limit": -2}}),
        "memory, all": resources(
            {
                "memory": {
                    "limit": 64 * MIB,
                    "reservation": 32 * MIB,
                    "swap": 128 * MIB,
                    "kernel": 0,
                    "kernelTCP": 0,
                    "disableOOMKiller": False,
                    "useHierarchy": True,
                    "checkBeforeUpdate": False,
                }
            }
        ),
        "swap below memory": resources({"memory": {"limit": 64 * MIB, "swap": 32 * MIB}}),
        "checkBeforeUpdate": resources({"memory": {"limit": 4096, "checkBeforeUpdate": True}}),
        "checkBeforeUpdate, enough": resources({"memory": {"limit": 64 * MIB, "checkBeforeUpdate": True}}),
        "swappiness": resources({"memory": {"swappiness": 30}}),
        "swappiness 0": resources({"memory": {"swappiness": 0}}),
        "swappiness above 100": resources({"memory": {"swappiness": 101}}),
        "swappiness below 0": resources({"memory": {"swappiness": -1}}),
        "disableOOMKiller": resources({"memory": {"disableOOMKiller": True}}),
        "kernel": resources({"memory": {"kernel": 50 * MIB}}),
        "reservation": resources({"memory": {"reservation": 20 * MIB}}),
        "cpu shares": resources({"cpu": {"shares": 512}}),
        "cpu shares 0": resources({"cpu": {"shares": 0}}, base={"cpu": {"shares": 512}}),
        "cpu quota": resources({"cpu": {"quota": 20000, "period": 50000}}),
        "cpu quota -1": resources({"cpu": {"quota": -1}}, base={"cpu": {"quota": 50000, "period": 100000}}),
        "cpu quota -2": resources({"cpu": {"quota": -2}}),
        "cpu quota 0": resources({"cpu": {"quota": 0}}, base={"cpu": {"quota": 50000, "period": 100000}}),
        "cpu period alone": resources({"cpu": {"period": 50000}}),
        "cpu period 0": resources({"cpu": {"period": 0}}),
        "cpu burst": resources({"cpu": {"quota": 50000, "period": 100000, "burst": 10000}}),
        "cpu idle": resources({"cpu": {"idle": 1}}),
        "cpu idle 2": resources({"cpu": {"idle": 2}}),
        "cpu cpus": resources({"cpu": {"cpus": "0"}}),
        "cpu cpus empty": resources({"cpu": {"cpus": ""}}, base={"cpu": {"cpus": "0"}}),
        "cpu cpus out of range": resources({"cpu": {"cpus": "77"}}),
        "cpu mems": resources({"cpu": {"mems": "0"}}),
        "cpu realtime": resources({"cpu": {"realtimePeriod": 1000000, "realtimeRuntime": 0}}),
        "cpu shares a string": resources({"cpu": {"shares": "512"}}),
        "cpu shares below nought": resources({"cpu": {"shares": -1}}),
        "blockIO weight": resources({"blockIO": {"weight": 300}}),
        "blockIO weight 0": resources({"blockIO": {"weight": 0}}),
        "blockIO weight 5": resources({"blockIO": {"weight": 5}}),
        "blockIO weight 1001": resources({"blockIO": {"weight": 1001}}),
        "blockIO weight too large": resources({"blockIO": {"weight": 70000}}),
        "blockIO leafWeight": resources({"blockIO": {"leafWeight": 300}}),
        "blockIO throttle": resources({"blockIO": {"throttleReadBpsDevice": [{"major": 1, "minor": 0, "rate": 1000000}]}}),
        "blockIO throttle of no device": resources(
            {"blockIO": {"throttleReadBpsDevice": [{"major": 250, "minor": 250, "rate": 1000000}]}}
        ),
        "blockIO weightDevice": resources({"blockIO": {"weightDevice": [{"major": 1, "minor": 0, "weight": 200}]}}),
        "hugepages": resources({"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]}),
        "hugepages of no size": resources({"hugepageLimits": [{"pageSize": "3MB", "limit": 4 * MIB}]}),
        "hugepages without size": resources({"hugepageLimits": [{"limit": 4 * MIB}]}),
        "network classID": resources({"network": {"classID": 1048577}}),
        "network classID 0": resources({"network": {"classID": 0}}),
        "network priorities": resources({"network": {"priorities": [{"name": "lo", "priority": 5}]}}),
        "rdma": resources({"rdma": {"mlx5_0": {"hcaHandles": 3}}}),
        "unified": resources({"unified": {"pids.max": "25"}}),
        "unified empty": resources({"unified": {}}),
        "unified empty value": resources({"unified": {"pids.max": ""}}),
        "unified unknown": resources({"unified": {"no.such": "1"}}),
        "unified with a slash": resources({"unified": {"../cgroup.procs": "1"}}),
        "devices": resources({"devices": [{"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"}]}),
        "devices empty": resources({"devices": []}),
        "devices, deny all": resources({"devices": [{"allow": False, "access": "rwm"}]}),
        "an option beside it": update("-r", "-", "--pids-limit", "21", stdin={"pids": {"limit": 20}}),
        "a file": lambda s: (open(f"{s.dir}/r.json", "w").write('{"pids":{"limit":20}}'), update("-r", "DIR/r.json")(s)),
        "--resources a file that is missing": update("--resources", "/no/file"),
        "an empty name": update("-r", ""),
        "a directory": update("-r", "/tmp"),
        "from /dev/stdin": update("-r", "/dev/stdin", stdin={"pids": {"limit": 20}}),
        "the whole config": lambda s: update("-r", "-", stdin=json.dumps(s.config))(s),
        "a byte order mark": resources('\ufeff{"pids":{"limit":20}}'),
        "white space": resources(' \n\t{"pids":{"limit":20}}\n\n'),
        "text that is long": resources('{"pids":{"limit":20}}' + " " * 300000),
    },
    views=("native",),
)


@case("update: a limit, and what a later exec and the next update see")
def _(s):
    s.linux["resources"]["pids"] = {"limit": 30}
    if s.alive():
        s.call("one", "update", "--pids-limit", "40", s.id)
        s.call("two", "update", "--cpu-share", "512", s.id)
        s.control_files(s.pid)
        s.call("exec", "exec", s.id, "/bin/true")
        s.control_files(s.pid, "after")
