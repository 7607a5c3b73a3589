//! One row for each thing that can be wrong in a config.

use crate::bad_input::{Words, assert_nothing_left, assert_refused, lacks};
use crate::support::{Container, Ended};
use serde_json::{Value, json};
use std::fs;

/// What is wrong; how the config gets it; and what the error tells: field, value, reason, remedy.
type Row = (&'static str, fn(&mut Value), Words);

const ROWS: &[Row] = &[
    (
        "a wrong type deep inside",
        |c| c["linux"]["resources"]["memory"] = json!({"limit": "lots"}),
        &["/linux/resources/memory/limit", "must be a whole number, not \"lots\"", "without a unit"],
    ),
    (
        "a number where a text belongs",
        |c| c["annotations"] = json!({"retries": 3}),
        &["/annotations/retries", "must be a string, not 3", "write it in quotation marks"],
    ),
    (
        "a wrong type in a list",
        |c| c["linux"]["resources"]["devices"][2]["allow"] = json!("yes"),
        &["/linux/resources/devices/2/allow", "must be true or false, not \"yes\"", "config-linux.md"],
    ),
    (
        "a mount over the root",
        |c| mount(c, json!({"destination": "/x/..", "type": "tmpfs", "source": "tmpfs"})),
        &["/destination", "/x/..", "is the root", "root.path"],
    ),
    (
        "a mask over the root",
        |c| c["linux"]["maskedPaths"] = json!(["/proc/kcore", "/"]),
        &["/linux/maskedPaths/1", "is the root", "leave it out"],
    ),
    (
        "no args",
        |c| c["process"]["args"] = json!([]),
        &["/process/args", "missing or empty", "give the program"],
    ),
    (
        "a limit into which nothing fits",
        |c| c["process"]["rlimits"] = json!([{"type": "RLIMIT_AS", "soft": 4096, "hard": 4096}]),
        &["/process/rlimits/0/soft", "RLIMIT_AS 4096", "cannot allocate memory", "raise it"],
    ),
    (
        "an empty program",
        |c| c["process"]["args"] = json!([""]),
        &["/process/args/0", "empty", "give the name"],
    ),
    ("a relative cwd", |c| c["process"]["cwd"] = json!("tmp"), &["/process/cwd", "tmp", "absolute", "("]),
    (
        "a cwd that is no directory",
        |c| c["process"]["cwd"] = json!("/bin/busybox"),
        &["/process/cwd", "/bin/busybox", "not a directory"],
    ),
    (
        "a variable without =",
        |c| c["process"]["env"] = json!(["PATH"]),
        &["/process/env/0", "has no", "NAME=VALUE"],
    ),
    (
        "an unknown namespace",
        |c| c["linux"]["namespaces"][0]["type"] = json!("pids"),
        &["/linux/namespaces/0/type", "pids", "pid"],
    ),
    (
        "a namespace twice",
        |c| c["linux"]["namespaces"][1]["type"] = json!("pid"),
        &["/linux/namespaces/1/type", "pid", "twice", "remove one"],
    ),
    (
        "a namespace path that is not there",
        |c| c["linux"]["namespaces"][1]["path"] = json!("/nonexistent/ns"),
        &[
            "/linux/namespaces/1/path",
            "/nonexistent/ns",
            "no such file",
            "check that the process that holds it is alive",
        ],
    ),
    (
        "a namespace path of another kind",
        |c| c["linux"]["namespaces"][1]["path"] = json!("/proc/self/ns/uts"),
        &[
            "/linux/namespaces/1/path",
            "/proc/self/ns/uts",
            "this is a uts namespace, not a network namespace",
        ],
    ),
    (
        "a namespace path that is no namespace",
        |c| c["linux"]["namespaces"][1]["path"] = json!("/etc/passwd"),
        &["/linux/namespaces/1/path", "/etc/passwd", "no namespace", "/proc/PID/ns/net"],
    ),
    (
        "an unknown seccomp action",
        |c| c["linux"]["seccomp"]["syscalls"][0]["action"] = json!("SCMP_ACT_MAYBE"),
        &["/linux/seccomp/syscalls/0/action", "SCMP_ACT_MAYBE", "SCMP_ACT_ALLOW"],
    ),
    (
        "a misspelt seccomp action",
        |c| c["linux"]["seccomp"]["syscalls"][0]["action"] = json!("SCMP_ACT_ALOW"),
        &["/linux/seccomp/syscalls/0/action", "SCMP_ACT_ALOW", "did you mean \"SCMP_ACT_ALLOW\"?"],
    ),
    (
        "an unknown seccomp default action",
        |c| c["linux"]["seccomp"]["defaultAction"] = json!("SCMP_ACT_MAYBE"),
        &["/linux/seccomp/defaultAction", "SCMP_ACT_MAYBE", "SCMP_ACT_ALLOW"],
    ),
    (
        "an unknown architecture of a profile",
        |c| c["linux"]["seccomp"]["architectures"] = json!(["SCMP_ARCH_Z80"]),
        &["/linux/seccomp/architectures/0", "SCMP_ARCH_Z80", "SCMP_ARCH_X86_64"],
    ),
    (
        "an unknown operator of a profile",
        |c| {
            c["linux"]["seccomp"]["syscalls"][0]["args"] =
                json!([{"index": 0, "value": 1, "op": "SCMP_CMP_ABOUT"}]);
        },
        &["/linux/seccomp/syscalls/0/args/0/op", "SCMP_CMP_ABOUT", "SCMP_CMP_EQ"],
    ),
    (
        "an unknown rlimit",
        |c| c["process"]["rlimits"] = json!([{"type": "RLIMIT_HOPE", "soft": 1, "hard": 1}]),
        &["/process/rlimits/0/type", "RLIMIT_HOPE", "RLIMIT_NOFILE"],
    ),
    (
        "a soft limit above the hard one",
        |c| c["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 5}]),
        &["/process/rlimits/0/soft", "10", "above the hard limit 5", "lower it"],
    ),
    (
        "a device of no known type",
        |c| c["linux"]["devices"] = json!([{"type": "x", "path": "/dev/x", "major": 1, "minor": 3}]),
        &["/linux/devices/0/type", "\"x\"", "c"],
    ),
    (
        "a device rule of no known type",
        |c| c["linux"]["resources"]["devices"][1]["type"] = json!("z"),
        &["/linux/resources/devices/1/type", "\"z\""],
    ),
    (
        "a sysctl of the host",
        |c| c["linux"]["sysctl"] = json!({"vm.swappiness": "1"}),
        &["/linux/sysctl/vm.swappiness", "does not belong to a namespace", "remove it"],
    ),
    (
        "a sysctl that climbs out",
        |c| c["linux"]["sysctl"] = json!({"net/../kernel/core_pattern": "x"}),
        &["/linux/sysctl/net~1..~1kernel~1core_pattern", "not the name of a sysctl", "net.ipv4.ip_forward"],
    ),
    (
        "a sysctl whose namespace the container does not have",
        |c| {
            c["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
            c["linux"]["namespaces"].as_array_mut().unwrap().retain(|n| n["type"] != "network");
        },
        &["/linux/sysctl/net.ipv4.ip_forward", "would change the host", "add {\"type\": \"network\"}"],
    ),
    (
        "a sysctl that the kernel does not have",
        |c| c["linux"]["sysctl"] = json!({"net.ipv4.no_such_thing": "1"}),
        &["/linux/sysctl/net.ipv4.no_such_thing", "no such file", "this kernel has no such parameter"],
    ),
    (
        "a sysctl value that the kernel refuses",
        |c| c["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "perhaps"}),
        &["/linux/sysctl/net.ipv4.ip_forward", "perhaps", "invalid argument"],
    ),
    (
        "a hook that is not there",
        |c| c["hooks"] = json!({"createRuntime": [{"path": "/bin/true"}, {"path": "/nonexistent/hook"}]}),
        &[
            "/hooks/createRuntime/1/path",
            "/nonexistent/hook",
            "no such file",
            "hooks are programs of the host",
        ],
    ),
    (
        "a hook that is not there in the container",
        |c| c["hooks"] = json!({"startContainer": [{"path": "/nonexistent/hook"}]}),
        &["/hooks/startContainer/0", "/nonexistent/hook", "no such file", "programs of the container"],
    ),
    (
        "a hook that is not executable",
        |c| c["hooks"] = json!({"prestart": [{"path": "/etc/passwd"}]}),
        &["/hooks/prestart/0/path", "/etc/passwd", "permission denied", "executable"],
    ),
    (
        "a hook that is a directory",
        |c| c["hooks"] = json!({"prestart": [{"path": "/etc"}]}),
        &["/hooks/prestart/0/path", "/etc", "is a directory", "executable"],
    ),
    (
        "a hook with a relative path",
        |c| c["hooks"] = json!({"poststart": [{"path": "bin/true"}]}),
        &["/hooks/poststart/0/path", "bin/true", "absolute"],
    ),
    (
        "a hook with a timeout that is none",
        |c| c["hooks"] = json!({"poststart": [{"path": "/bin/true", "timeout": 0}]}),
        &["/hooks/poststart/0/timeout", "0", "not a positive number", "leave it out"],
    ),
    ("no root", |c| c["root"] = Value::Null, &["/root", "missing", "rootfs"]),
    (
        "a rootfs that is not there",
        |c| c["root"]["path"] = json!("nowhere"),
        &["/root/path", "nowhere", "no such file", "nothing is at this path on the host"],
    ),
    (
        "a rootfs that is a file",
        |c| c["root"]["path"] = json!("/etc/passwd"),
        &["/root/path", "/etc/passwd", "not a directory", "("],
    ),
    (
        "a mount source that is not there",
        |c| mount(c, json!({"destination": "/opt", "source": "/nonexistent/source", "options": ["bind"]})),
        &["/mounts/7/source", "/nonexistent/source", "no such file", "nothing is at this path on the host"],
    ),
    (
        "a mount without a type",
        |c| mount(c, json!({"destination": "/opt"})),
        &["/mounts/7/type", "missing", "name a filesystem type"],
    ),
    (
        "a mount of type none",
        |c| mount(c, json!({"destination": "/opt", "type": "none", "source": "/etc"})),
        &["/mounts/7/type", "none", "stands for no file system", "name a filesystem type"],
    ),
    (
        "a bind with a slip",
        |c| mount(c, json!({"destination": "/opt", "source": "/etc", "options": ["ro", "rbnid"]})),
        &["/mounts/7/options/1", "rbnid", "without a type", "did you mean \"rbind\"?"],
    ),
    (
        "a mount without a destination",
        |c| mount(c, json!({"type": "tmpfs", "source": "tmpfs"})),
        &["/mounts/7/destination", "missing or empty", "absolute path"],
    ),
    (
        "a file system that the kernel does not have",
        |c| mount(c, json!({"destination": "/opt", "type": "nosuchfs", "source": "x"})),
        &["/mounts/7", "nosuchfs", "no such device", "this kernel has no such file system"],
    ),
    (
        "a mount option that the file system does not have",
        |c| {
            mount(c, json!({"destination": "/opt", "type": "tmpfs", "source": "x", "options": ["size=many"]}))
        },
        &["/mounts/7/options/0", "size=many", "Bad value for 'size'"],
    ),
    (
        "a misspelt mount option",
        |c| {
            let options = json!(["ro", "nosiud"]);
            mount(c, json!({"destination": "/opt", "type": "tmpfs", "source": "x", "options": options}))
        },
        &["/mounts/7/options/1", "nosiud", "Unknown parameter 'nosiud'", "did you mean \"nosuid\"?"],
    ),
    (
        "a misspelt option of a tmpfs",
        |c| mount(c, json!({"destination": "/opt", "type": "tmpfs", "source": "x", "options": ["sizee=4k"]})),
        &["/mounts/7/options/0", "sizee=4k", "Unknown parameter 'sizee'", "did you mean \"size\"?"],
    ),
    (
        "a directory onto a file",
        |c| mount(c, json!({"destination": "/bin/busybox", "source": "/etc", "options": ["bind"]})),
        &["/mounts/7", "/etc", "invalid argument", "a directory goes onto a directory"],
    ),
    (
        "an unknown propagation",
        |c| c["linux"]["rootfsPropagation"] = json!("sideways"),
        &["/linux/rootfsPropagation", "sideways", "slave"],
    ),
    (
        "a hostname without its namespace",
        |c| c["linux"]["namespaces"].as_array_mut().unwrap().retain(|n| n["type"] != "uts"),
        &["/hostname", "needs a uts namespace", "add {\"type\": \"uts\"}"],
    ),
    (
        "a hostname that is too long",
        |c| c["hostname"] = json!("x".repeat(65)),
        &["/hostname", "xxx", "longer than 64 bytes", "shorten it"],
    ),
    (
        "a cgroup path with ..",
        |c| c["linux"]["cgroupsPath"] = json!("/a/../../b"),
        &["/linux/cgroupsPath", "/a/../../b", "must not contain \"..\"", "without \"..\""],
    ),
    (
        "a user that no mapping has",
        |c| {
            c["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
            for map in ["uidMappings", "gidMappings"] {
                c["linux"][map] = json!([{"containerID": 0, "hostID": 100000, "size": 10}]);
            }
            c["process"]["user"]["uid"] = json!(10);
        },
        &["/process/user/uid", "10", "not mapped", "add it to a mapping"],
    ),
    (
        "a mapping of no ids",
        |c| {
            c["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
            c["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": 100000, "size": 0}]);
            c["linux"]["gidMappings"] = json!([{"containerID": 0, "hostID": 100000, "size": 10}]);
        },
        &["/linux/uidMappings/0/size", "0", "is an empty range", "at least 1"],
    ),
    (
        "more open files than the kernel allows",
        |c| {
            let limit = json!({"type": "RLIMIT_NOFILE", "soft": 1, "hard": 4_000_000_000u32});
            c["process"]["rlimits"] = json!([limit]);
        },
        &["/process/rlimits/0", "hard 4000000000", "fs.nr_open"],
    ),
    (
        "an error number for an action without one",
        |c| c["linux"]["seccomp"]["syscalls"][0]["errnoRet"] = json!(1),
        &["/linux/seccomp/syscalls/0/errnoRet", "1", "take an error number", "leave the number out"],
    ),
    (
        "too little memory for init",
        |c| c["linux"]["resources"]["memory"] = json!({"limit": 4096}),
        &["/linux/resources/memory/limit", "4096", "("],
    ),
    (
        "a hook that fails in silence",
        |c| c["hooks"] = json!({"createRuntime": [{"path": "/bin/false"}]}),
        &["/hooks/createRuntime/0", "/bin/false", "exit status 1", "run it by hand"],
    ),
    (
        "the kernel's no id",
        |c| c["process"]["user"]["uid"] = json!(u32::MAX),
        &["/process/user/uid", "4294967295", "no id", "below 4294967295"],
    ),
    (
        "an effective capability that is not permitted",
        |c| c["process"]["capabilities"]["effective"] = json!(["CAP_SYS_ADMIN"]),
        &["/process/capabilities/effective", "CAP_SYS_ADMIN", "lacks", "add it to the permitted set"],
    ),
    (
        "an OOM score out of range",
        |c| c["process"]["oomScoreAdj"] = json!(1001),
        &["/process/oomScoreAdj", "1001", "-1000", "1000"],
    ),
    (
        "swap below memory",
        |c| c["linux"]["resources"]["memory"] = json!({"limit": 1_048_576_000, "swap": 1000}),
        &["/linux/resources/memory/swap", "1000", "below the memory limit", "raise it"],
    ),
    (
        "a period that the kernel does not take",
        |c| c["linux"]["resources"]["cpu"] = json!({"period": 5}),
        &["/linux/resources/cpu/period", "5", "1000"],
    ),
    (
        "a CPU list that is none",
        |c| c["linux"]["resources"]["cpu"] = json!({"cpus": "0-"}),
        &["/linux/resources/cpu/cpus", "0-", "not a list", "0-3,7"],
    ),
    (
        "a CPU that is not there",
        |c| c["linux"]["resources"]["cpu"] = json!({"cpus": "4000"}),
        &["/linux/resources/cpu/cpus", "4000"],
    ),
    (
        "a page size that is none",
        |c| c["linux"]["resources"]["hugepageLimits"] = json!([{"pageSize": "2MiB", "limit": 0}]),
        &["/linux/resources/hugepageLimits/0/pageSize", "2MiB", "not a page size", "2MB"],
    ),
    (
        "a cgroup file with a slash",
        |c| c["linux"]["resources"]["unified"] = json!({"../memory.max": "1"}),
        &["/linux/resources/unified/..~1memory.max", "not the name of a cgroup file", "memory.high"],
    ),
    (
        "an unknown I/O class",
        |c| c["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_NONE_SUCH", "priority": 1}),
        &["/process/ioPriority/class", "IOPRIO_CLASS_NONE_SUCH", "IOPRIO_CLASS_IDLE"],
    ),
    (
        "an unknown scheduling policy",
        |c| c["process"]["scheduler"] = json!({"policy": "SCHED_LUCK"}),
        &["/process/scheduler/policy", "SCHED_LUCK", "SCHED_OTHER"],
    ),
    (
        "a device in the place of a directory",
        |c| c["linux"]["devices"] = json!([{"type": "c", "path": "/bin", "major": 1, "minor": 3}]),
        &["/linux/devices/0/path", "/bin"],
    ),
];

fn mount(config: &mut Value, mount: Value) {
    config["mounts"].as_array_mut().unwrap().push(mount);
}

#[test]
fn a_mapping_of_no_ids_is_told_once_and_not_what_follows_from_it() {
    let container = Container::new().args(&["true"]).edit(|c| {
        c["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        c["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": 100000, "size": 0}]);
        c["linux"]["gidMappings"] = json!([{"containerID": 0, "hostID": 100000, "size": 10}]);
    });
    let ended = container.run();
    assert!(ended.err.contains("is an empty range") && !ended.err.contains("map the"), "{ended:?}");
    assert!(!ended.err.contains("not mapped"), "{ended:?}");
    assert_nothing_left(&container);
}

/// Every row, so that one run tells all that is amiss.
fn check(rows: impl Iterator<Item = &'static Row>, call: fn(&Container) -> Ended) {
    let mut amiss = Vec::new();
    for (what, edit, words) in rows {
        let container = Container::new().args(&["true"]).edit(edit);
        let ended = call(&container);
        amiss.extend(lacks(&ended, words).map(|missing| format!("{what} lacks {missing}")));
        if !container.cgroups().is_empty() {
            amiss.push(format!("{what} leaves a cgroup: {}", ended.err));
        } else {
            assert_nothing_left(&container);
        }
    }
    assert!(amiss.is_empty(), "{}", amiss.join("\n"));
}

#[test]
fn each_mistake_in_a_config_is_named_and_leaves_nothing() {
    check(ROWS.iter(), Container::run);
}

/// Programs read the parts of an error, and a person finds the cause in them: each has its place, and none is missing.
#[test]
fn each_mistake_has_its_field_code_value_and_hint_in_json() {
    let mut amiss = Vec::new();
    for (what, edit, words) in ROWS {
        let container = Container::new().args(&["true"]).edit(edit);
        let mut command = container.command(&["--log-format", "json", "run", "--bundle"]);
        command.arg(container.bundle()).arg(&container.id);
        container.write_config();
        let ended = crate::support::finish(command);
        let errors = ended.err.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let errors: Vec<Value> = errors.filter(|record| record["level"] == "error").collect();
        let [record] = &errors[..] else {
            amiss.push(format!("{what}: one record: {ended:?}"));
            continue;
        };
        let part = |key: &str| record[key].as_str().unwrap_or_default();
        if !part("field").contains(words[0]) {
            amiss.push(format!("{what}: field {:?}: {record}", words[0]));
        }
        for key in ["code", "hint"] {
            if part(key).is_empty() || part(key) == "failed" {
                amiss.push(format!("{what}: no {key}: {record}"));
            }
        }
        let missing = words.iter().find(|word| !part("msg").contains(**word));
        amiss.extend(missing.map(|word| format!("{what}: msg lacks {word:?}: {record}")));
        if record["value"].is_string() && !part("msg").contains(&format!("{:?}", part("value"))) {
            amiss.push(format!("{what}: msg lacks the value: {record}"));
        }
    }
    assert!(amiss.is_empty(), "{}", amiss.join("\n"));
}

#[test]
fn create_refuses_what_run_refuses() {
    check(ROWS.iter().filter(|(what, ..)| !what.contains("in the container")), Container::create);
}

#[test]
fn labels_of_security_modules_that_the_kernel_lacks_are_refused() {
    let enabled = |path: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == "Y");
    if !enabled("/sys/module/apparmor/parameters/enabled") {
        let container = Container::new()
            .args(&["true"])
            .edit(|c| c["process"]["apparmorProfile"] = json!("some-profile"));
        let words = ["/process/apparmorProfile", "some-profile", "this kernel has no such security module"];
        assert_refused("AppArmor", &container, &container.run(), &words);
    }
    if !fs::exists("/sys/fs/selinux/enforce").unwrap() {
        let label = "system_u:system_r:container_t:s0";
        let container =
            Container::new().args(&["true"]).edit(|c| c["process"]["selinuxLabel"] = json!(label));
        let words = ["/process/selinuxLabel", label, "this kernel has no such security module"];
        assert_refused("SELinux", &container, &container.run(), &words);
    }
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    for (text, words) in [
        ("", ["config.json", "is empty", "jq"]),
        ("{", ["config.json", "line 1", "jq"]),
        ("{\"ociVersion\": \"1.0.0\",\n \"process\": oops}", ["config.json", "line 2", "jq"]),
        ("\u{0}\u{1}binary", ["config.json", "not valid JSON", "jq"]),
        ("{} trailing", ["config.json", "not valid JSON", "jq"]),
        ("[1]", ["config.json: must be an object", "not a list", "config.md"]),
    ] {
        let container = Container::new();
        fs::write(container.bundle().join("config.json"), text).unwrap();
        let mut command = container.command(&["run", "--bundle"]);
        command.arg(container.bundle()).arg(&container.id);
        assert_refused(text, &container, &crate::support::finish(command), &words);
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    let container = Container::new().args(&["true"]).edit(|config| {
        config["process"]["cwd"] = json!("tmp");
        config["linux"]["resources"]["pids"] = json!({"limit": -5});
        config["linux"]["namespaces"][0]["type"] = json!("pids");
    });
    let words = ["/process/cwd", "/linux/resources/pids/limit", "/linux/namespaces/0/type"];
    assert_refused("three", &container, &container.run(), &words);
}

#[test]
fn a_container_without_a_process_is_made_and_cannot_be_started() {
    let container = Container::new().edit(|config| config["process"] = Value::Null);
    assert_refused("run", &container, &container.run(), &["/process", "missing", "which program"]);
    for (part, name, slip) in [("", "process", "proces"), ("/process", "args", "arg"), ("", "root", "rooot")]
    {
        let container = Container::new().args(&["true"]).edit(|config| {
            let object = config.pointer_mut(part).unwrap().as_object_mut().unwrap();
            let value = object.remove(name).unwrap();
            object.insert(slip.to_owned(), value);
        });
        let meant = format!("{part}/{slip} is not a key of the specification: did you mean \"{name}\"?");
        let field = format!("{part}/{name} is missing");
        assert_refused(slip, &container, &container.run(), &[&field, &meant]);
    }
    assert_eq!(container.create().code, 0);
    let refused = container.start().fails();
    assert!(refused.contains("/process") && refused.contains("which program"), "{refused}");
    container.call(&["delete", "--force", &container.id]).ok();
    assert_nothing_left(&container);
}

#[test]
fn keys_in_another_case_and_keys_that_stand_twice_are_read_as_go_reads_them() {
    let container = Container::new().sh("grep NoNewPrivs /proc/self/status; cat /proc/sys/kernel/hostname");
    let text = container.config.to_string();
    let text = text
        .replacen("\"process\":", "\"Process\": {\"NoNewPrivileges\": true}, \"process\":", 1)
        .replacen("\"root\":", "\"root\": {\"ReadOnly\": true}, \"root\":", 1)
        .replacen("\"hostname\":", "\"hostname\": \"first\", \"hostname\":", 1);
    let name = container.config["hostname"].as_str().unwrap().to_owned();
    fs::write(container.bundle().join("config.json"), text).unwrap();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id);
    let ended = crate::support::finish(command);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.starts_with("NoNewPrivs:\t1\n") && ended.out.contains(&name), "{ended:?}");
    assert!(ended.err.contains("noNewPrivileges is written \\\"NoNewPrivileges\\\""), "{ended:?}");
    assert!(ended.err.contains("/hostname stands twice"), "{ended:?}");
}
