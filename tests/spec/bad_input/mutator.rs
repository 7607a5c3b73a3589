//! Valid configs, changed at random by a seeded generator. What would let a valid config change the test's host (a
//! bind of a host directory, a joined namespace of the host, a cgroup of another program) is put back: a config may ask for
//! that, and is not what these tests are about.

use crate::random::Random;
use crate::support::Container;
use serde_json::{Value, json};
use std::path::Path;

const TEXTS: &[&str] = &[
    "",
    "/",
    ".",
    "..",
    "/..",
    "../..",
    "a/../../b",
    "/proc",
    "/proc/self/fd/7",
    "/proc/self/cwd",
    "/dev/null",
    "/nonexistent/x",
    "\0",
    "a\0b",
    "\n",
    "é\u{202e}",
    "-1",
    "0",
    "0-",
    "9-1",
    "0-4000",
    "1.0.0",
    "2.0.0",
    "ro",
    "rbind",
    "idmap",
    "size=1",
    "tmpcopyup",
    "tmpfs",
    "proc",
    "sysfs",
    "bind",
    "mqueue",
    "nosuchfs",
    "user",
    "time",
    "mount",
    "CAP_KILL",
    "kill",
    "SCHED_RR",
    "SCHED_DEADLINE",
    "SCHED_IDLE",
    "IOPRIO_CLASS_RT",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_NOTIFY",
    "SCMP_ARCH_ARM",
    "SCMP_CMP_MASKED_EQ",
    "MPOL_BIND",
    "LINUX32",
    "RLIMIT_NOFILE",
    "RLIMIT_CPU",
    "net/../x",
    "kernel.domainname",
    "rslave",
    "unbindable",
    "2MB",
    "rwm",
    "b",
    "c",
    "p",
    "a",
    ":",
    "=",
    "A=",
    "=x",
];

const NUMBERS: &[i64] = &[
    0,
    1,
    2,
    -1,
    -2,
    7,
    18,
    19,
    20,
    63,
    64,
    65,
    99,
    100,
    255,
    256,
    511,
    512,
    1000,
    1001,
    4095,
    4096,
    65_535,
    65_536,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX,
    i64::MIN,
];

fn odd(random: &mut Random) -> Value {
    match random.below(12) {
        0..=4 => json!(random.pick(TEXTS)),
        5..=7 => json!(random.pick(NUMBERS)),
        8 => random.pick(&[
            json!(null),
            json!(true),
            json!(false),
            json!(1.5),
            json!(u64::MAX),
            json!([]),
            json!({}),
            json!([null]),
        ]),
        9 => json!("x".repeat(random.pick(&[64, 65, 255, 256, 4095, 4096, 70_000]))),
        10 => (0..random.pick(&[3, 100, 126])).fold(json!([]), |inside, _| json!([inside])),
        _ => json!(random.next()),
    }
}

/// The pointers of all values but the whole.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut below = |key: &str, member: &Value| {
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        places(member, &at, found);
        found.push(at);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, member)| below(key, member)),
        Value::Array(list) => list.iter().enumerate().for_each(|(i, member)| below(&i.to_string(), member)),
        _ => {}
    }
}

/// A place of the config; those of a long profile come as rarely as any other part.
fn somewhere(random: &mut Random, config: &Value) -> Option<String> {
    let mut found = Vec::new();
    places(config, "", &mut found);
    if random.below(10) > 0 {
        found.retain(|at| !at.starts_with("/linux/seccomp/syscalls/"));
    }
    (!found.is_empty()).then(|| random.pick(&found))
}

fn mutate(random: &mut Random, config: &mut Value) {
    let Some(at) = somewhere(random, config) else { return };
    match random.below(10) {
        0..=4 => *config.pointer_mut(&at).expect("was found") = odd(random),
        5..=6 => {
            let Some(from) = somewhere(random, config) else { return };
            let copy = config.pointer(&from).expect("was found").clone();
            *config.pointer_mut(&at).expect("was found") = copy;
        }
        kind => {
            let (parent, key) = at.rsplit_once('/').expect("a pointer has a slash");
            match config.pointer_mut(parent).expect("was found") {
                Value::Object(map) if kind == 9 => {
                    map.insert(random.pick(TEXTS).to_owned(), odd(random));
                }
                Value::Object(map) => {
                    map.remove(&key.replace("~1", "/").replace("~0", "~"));
                }
                Value::Array(list) => {
                    let index: usize = key.parse().expect("is an index");
                    match kind {
                        7 => drop(list.remove(index)),
                        8 => list.insert(index, list[index].clone()),
                        _ => list.push(odd(random)),
                    }
                }
                _ => {}
            }
        }
    }
}

/// A change that a config often survives: something less, twice, in another order, a little more or less.
fn nudge(random: &mut Random, config: &mut Value) {
    let Some(at) = somewhere(random, config) else { return };
    let (parent, key) = at.rsplit_once('/').expect("a pointer has a slash");
    let key = key.replace("~1", "/").replace("~0", "~");
    let (kind, other) = (random.below(4), random.below(1000));
    match config.pointer_mut(&at).expect("was found") {
        Value::Bool(value) => *value = !*value,
        Value::Number(number) if kind > 0 => {
            let value = number.as_i64().unwrap_or(1);
            *number = [value.wrapping_add(1), value.wrapping_sub(1), value.wrapping_mul(2)][kind - 1].into();
        }
        _ => match config.pointer_mut(parent).expect("was found") {
            Value::Object(map) => drop(map.remove(&key)),
            Value::Array(list) => {
                let (index, other): (usize, usize) = (key.parse().expect("is an index"), other % list.len());
                match kind {
                    0 => drop(list.remove(index)),
                    1 => list.insert(other, list[index].clone()),
                    _ => list.swap(index, other),
                }
            }
            _ => {}
        },
    }
}

/// More than Docker writes: hooks, devices, limits, rlimits, id maps, a scheduler.
fn rich(config: &mut Value) {
    let truth = json!([{"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 5}]);
    for kind in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        config["hooks"][kind] = truth.clone();
    }
    config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64}]);
    config["process"]["scheduler"] = json!({"policy": "SCHED_BATCH", "nice": 3});
    config["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_BE", "priority": 6});
    config["process"]["consoleSize"] = json!({"height": 25, "width": 80});
    config["linux"]["devices"] =
        json!([{"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 438, "uid": 0, "gid": 0}]);
    config["linux"]["sysctl"] = json!({"net.ipv4.ip_unprivileged_port_start": "0"});
    config["linux"]["personality"] = json!({"domain": "LINUX"});
    config["linux"]["resources"]["pids"] = json!({"limit": 50});
    config["linux"]["seccomp"]["syscalls"].as_array_mut().expect("a list").truncate(3);
    config["linux"]["seccomp"]["defaultAction"] = json!("SCMP_ACT_ALLOW");
    config["linux"]["timeOffsets"] = json!({"boottime": {"secs": 5, "nanosecs": 1}});
    config["linux"]["namespaces"].as_array_mut().expect("a list").push(json!({"type": "time"}));
    config["mounts"].as_array_mut().expect("a list").extend([
        json!({"destination": "/data", "type": "bind", "source": "data", "options": ["rbind", "ro"]}),
        json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=65536k", "tmpcopyup"]}),
    ]);
}

fn mapped(config: &mut Value) {
    config["linux"]["namespaces"].as_array_mut().expect("a list").push(json!({"type": "user"}));
    for map in ["uidMappings", "gidMappings"] {
        config["linux"][map] = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
    }
}

/// What the case is: the text of config.json.
pub fn config(random: &mut Random, container: &Container) -> Vec<u8> {
    let mut config = container.config.clone();
    if random.below(2) == 0 {
        rich(&mut config);
    }
    if random.below(4) == 0 {
        mapped(&mut config);
    }
    match random.below(2) {
        0 => (0..1 + random.below(5)).for_each(|_| mutate(random, &mut config)),
        _ => (0..1 + random.below(3)).for_each(|_| nudge(random, &mut config)),
    }
    keep_home(&mut config, container);
    let text = config.to_string().into_bytes();
    if random.below(8) > 0 {
        return text;
    }
    let mut changed = text.clone();
    for _ in 0..1 + random.below(4) {
        damage(random, &mut changed);
    }
    // Another path by an accident of bytes could be any program's.
    let still = serde_json::from_slice::<Value>(&changed).ok().is_none_or(|mut value| {
        let before = value.clone();
        keep_home(&mut value, container);
        value == before
    });
    if still { changed } else { text }
}

fn damage(random: &mut Random, text: &mut Vec<u8>) {
    if text.is_empty() {
        return;
    }
    let at = random.below(text.len());
    match random.below(6) {
        0 => text[at] ^= 1 << random.below(8),
        1 => text.insert(at, random.pick(b"\"{}[],:\\\0\xff\xc3-e.")),
        2 => drop(text.remove(at)),
        3 => text.truncate(at),
        4 => {
            let end = (at + random.below(200)).min(text.len());
            let part = text[at..end].to_vec();
            text.splice(at..at, part);
        }
        _ => drop(text.splice(at..at, [b'['; 10_000])),
    }
}

/// Puts back what could reach beyond the test: see the head of this file.
fn keep_home(config: &mut Value, container: &Container) {
    let id = container.id.as_str();
    let absolute = |path: &str| container.bundle().join(path);
    let away = |path: &str| absolute(path).canonicalize().is_ok_and(|path| !path.starts_with(&container.dir));
    if let Some(path) = config.pointer_mut("/linux/cgroupsPath")
        && let Some(text) = path.as_str().filter(|text| !text.is_empty() && !text.contains(".."))
        && !text.starts_with(&format!("/{id}"))
    {
        *path = json!(format!("/{id}/{text}"));
    }
    if let Some(path) = config.pointer_mut("/root/path")
        && path.as_str().is_some_and(away)
    {
        *path = json!("rootfs");
    }
    for mount in objects(config, "/mounts") {
        if mount["source"].as_str().is_some_and(|path| path.starts_with(['/', '.']) && away(path)) {
            mount["source"] = json!("data");
        }
        // A remount of what was bound, or a copy of a label, could change a superblock of the host.
        for option in mount.get_mut("options").and_then(Value::as_array_mut).into_iter().flatten() {
            if option.as_str().is_some_and(|word| word == "remount" || word.ends_with("shared")) {
                *option = json!("ro");
            }
        }
    }
    for namespace in objects(config, "/linux/namespaces") {
        if namespace["path"].as_str().is_some_and(|path| Path::new(path).exists()) {
            namespace["path"] = json!("/nonexistent/namespace");
        }
    }
    for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
        for hook in objects(config, &format!("/hooks/{kind}")) {
            if hook["path"].as_str().is_some_and(|path| Path::new(path).exists()) {
                hook["path"] = json!("/bin/true");
            }
        }
    }
}

/// The elements of a list that are objects.
fn objects<'v>(config: &'v mut Value, pointer: &str) -> impl Iterator<Item = &'v mut Value> {
    let list = config.pointer_mut(pointer).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter(|element| element.is_object())
}
