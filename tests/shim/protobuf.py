"""protobuf.py: the few protobuf messages that the tests of the shim say and hear, as tables of fields; used as a library.

A message is a dict. `encode("KillRequest", {"id": "box", "signal": 9})` gives bytes, and `decode` gives a dict with every
field that the table names (its default where the bytes do not have it). A field that no table names is kept under its
number, so that an answer can be looked at whose table is not complete. Facts from containerd's and Kubernetes' public
descriptions of their interfaces; numbers and names are all that is taken from there.
"""
import struct

# name: {number: (field, kind)}; a kind is u (varint), b (bool), s (string), y (bytes), d (double), m (map of strings), a
# message's name; and "*" before it: repeated.
MESSAGES = {
    "Empty": {},
    "Any": {1: ("type_url", "s"), 2: ("value", "y")},
    "Timestamp": {1: ("seconds", "u"), 2: ("nanos", "u")},
    "Status": {1: ("code", "u"), 2: ("message", "s"), 3: ("details", "*Any")},
    # ttrpc's own
    "Request": {1: ("service", "s"), 2: ("method", "s"), 3: ("payload", "y"), 4: ("timeout_nano", "u"), 5: ("metadata", "*KeyValue")},
    "Response": {1: ("status", "Status"), 2: ("payload", "y")},
    "KeyValue": {1: ("key", "s"), 2: ("value", "s")},
    # the task service, versions 2 and 3 alike
    "Mount": {1: ("type", "s"), 2: ("source", "s"), 3: ("target", "s"), 4: ("options", "*s")},
    "CreateTaskRequest": {1: ("id", "s"), 2: ("bundle", "s"), 3: ("rootfs", "*Mount"), 4: ("terminal", "b"), 5: ("stdin", "s"),
                          6: ("stdout", "s"), 7: ("stderr", "s"), 8: ("checkpoint", "s"), 9: ("parent_checkpoint", "s"), 10: ("options", "Any")},
    "CreateTaskResponse": {1: ("pid", "u")},
    "DeleteRequest": {1: ("id", "s"), 2: ("exec_id", "s")},
    "DeleteResponse": {1: ("pid", "u"), 2: ("exit_status", "u"), 3: ("exited_at", "Timestamp")},
    "ExecProcessRequest": {1: ("id", "s"), 2: ("exec_id", "s"), 3: ("terminal", "b"), 4: ("stdin", "s"), 5: ("stdout", "s"),
                           6: ("stderr", "s"), 7: ("spec", "Any")},
    "ResizePtyRequest": {1: ("id", "s"), 2: ("exec_id", "s"), 3: ("width", "u"), 4: ("height", "u")},
    "StateRequest": {1: ("id", "s"), 2: ("exec_id", "s")},
    "StateResponse": {1: ("id", "s"), 2: ("bundle", "s"), 3: ("pid", "u"), 4: ("status", "u"), 5: ("stdin", "s"), 6: ("stdout", "s"),
                      7: ("stderr", "s"), 8: ("terminal", "b"), 9: ("exit_status", "u"), 10: ("exited_at", "Timestamp"), 11: ("exec_id", "s")},
    "KillRequest": {1: ("id", "s"), 2: ("exec_id", "s"), 3: ("signal", "u"), 4: ("all", "b")},
    "CloseIORequest": {1: ("id", "s"), 2: ("exec_id", "s"), 3: ("stdin", "b")},
    "PidsRequest": {1: ("id", "s")},
    "PidsResponse": {1: ("processes", "*ProcessInfo")},
    "ProcessInfo": {1: ("pid", "u"), 2: ("info", "Any")},
    "ProcessDetails": {1: ("exec_id", "s")},
    "CheckpointTaskRequest": {1: ("id", "s"), 2: ("path", "s"), 3: ("options", "Any")},
    "UpdateTaskRequest": {1: ("id", "s"), 2: ("resources", "Any"), 3: ("annotations", "m")},
    "StartRequest": {1: ("id", "s"), 2: ("exec_id", "s")},
    "StartResponse": {1: ("pid", "u")},
    "WaitRequest": {1: ("id", "s"), 2: ("exec_id", "s")},
    "WaitResponse": {1: ("exit_status", "u"), 2: ("exited_at", "Timestamp")},
    "StatsRequest": {1: ("id", "s")},
    "StatsResponse": {1: ("stats", "Any")},
    "ConnectRequest": {1: ("id", "s")},
    "ConnectResponse": {1: ("shim_pid", "u"), 2: ("task_pid", "u"), 3: ("version", "s")},
    "ShutdownRequest": {1: ("id", "s"), 2: ("now", "b")},
    "PauseRequest": {1: ("id", "s")},
    "ResumeRequest": {1: ("id", "s")},
    # containerd.runc.v1.Options and CheckpointOptions
    "Options": {1: ("no_pivot_root", "b"), 2: ("no_new_keyring", "b"), 3: ("shim_cgroup", "s"), 4: ("io_uid", "u"), 5: ("io_gid", "u"),
                6: ("binary_name", "s"), 7: ("root", "s"), 9: ("systemd_cgroup", "b"), 10: ("criu_image_path", "s"),
                11: ("criu_work_path", "s"), 12: ("task_api_address", "s"), 13: ("task_api_version", "u")},
    "CheckpointOptions": {1: ("exit", "b"), 2: ("open_tcp", "b"), 3: ("external_unix_sockets", "b"), 4: ("terminal", "b"), 5: ("file_locks", "b"),
                          6: ("empty_namespaces", "*s"), 7: ("cgroups_mode", "s"), 8: ("image_path", "s"), 9: ("work_path", "s")},
    "RuntimeInfo": {1: ("name", "s"), 2: ("version", "RuntimeVersion"), 3: ("options", "Any"), 4: ("features", "Any"), 5: ("annotations", "m")},
    "RuntimeVersion": {1: ("version", "s"), 2: ("revision", "s")},
    # events, and the service of containerd's that takes them
    "ForwardRequest": {1: ("envelope", "Envelope")},
    "Envelope": {1: ("timestamp", "Timestamp"), 2: ("namespace", "s"), 3: ("topic", "s"), 4: ("event", "Any")},
    "TaskIO": {1: ("stdin", "s"), 2: ("stdout", "s"), 3: ("stderr", "s"), 4: ("terminal", "b")},
    "TaskCreate": {1: ("container_id", "s"), 2: ("bundle", "s"), 3: ("rootfs", "*Mount"), 4: ("io", "TaskIO"), 5: ("checkpoint", "s"), 6: ("pid", "u")},
    "TaskStart": {1: ("container_id", "s"), 2: ("pid", "u")},
    "TaskDelete": {1: ("container_id", "s"), 2: ("pid", "u"), 3: ("exit_status", "u"), 4: ("exited_at", "Timestamp"), 5: ("id", "s")},
    "TaskExit": {1: ("container_id", "s"), 2: ("id", "s"), 3: ("pid", "u"), 4: ("exit_status", "u"), 5: ("exited_at", "Timestamp")},
    "TaskOOM": {1: ("container_id", "s")},
    "TaskExecAdded": {1: ("container_id", "s"), 2: ("exec_id", "s")},
    "TaskExecStarted": {1: ("container_id", "s"), 2: ("exec_id", "s"), 3: ("pid", "u")},
    "TaskPaused": {1: ("container_id", "s")},
    "TaskResumed": {1: ("container_id", "s")},
    "TaskCheckpointed": {1: ("container_id", "s"), 2: ("checkpoint", "s")},
    # Kubernetes' CRI; a Pod… or Container… before a name says whose it is where both have one
    "VersionRequest": {1: ("version", "s")},
    "VersionResponse": {1: ("version", "s"), 2: ("runtime_name", "s"), 3: ("runtime_version", "s"), 4: ("runtime_api_version", "s")},
    "IDMapping": {1: ("host_id", "u"), 2: ("container_id", "u"), 3: ("length", "u")},
    "UserNamespace": {1: ("mode", "u"), 2: ("uids", "*IDMapping"), 3: ("gids", "*IDMapping")},
    "NamespaceOption": {1: ("network", "u"), 2: ("pid", "u"), 3: ("ipc", "u"), 4: ("target_id", "s"), 5: ("userns_options", "UserNamespace")},
    "SecurityProfile": {1: ("profile_type", "u"), 2: ("localhost_ref", "s")},
    "SecurityContext": {1: ("namespace_options", "NamespaceOption"), 3: ("run_as_user", "Number"), 4: ("readonly_rootfs", "b"), 5: ("supplemental_groups", "*u"),
                        6: ("privileged", "b"), 8: ("run_as_group", "Number"), 9: ("seccomp", "SecurityProfile")},
    "Capability": {1: ("add_capabilities", "*s"), 2: ("drop_capabilities", "*s")},
    "ContainerSecurityContext": {1: ("capabilities", "Capability"), 2: ("privileged", "b"), 3: ("namespace_options", "NamespaceOption"), 5: ("run_as_user", "Number"),
                                 6: ("run_as_username", "s"), 7: ("readonly_rootfs", "b"), 8: ("supplemental_groups", "*u"), 9: ("apparmor_profile", "s"),
                                 11: ("no_new_privs", "b"), 12: ("run_as_group", "Number"), 13: ("masked_paths", "*s"), 14: ("readonly_paths", "*s"),
                                 15: ("seccomp", "SecurityProfile")},
    "DNSConfig": {1: ("servers", "*s"), 2: ("searches", "*s"), 3: ("options", "*s")},
    "LinuxPodSandboxConfig": {1: ("cgroup_parent", "s"), 2: ("security_context", "SecurityContext"), 3: ("sysctls", "m")},
    "PodSandboxMetadata": {1: ("name", "s"), 2: ("uid", "s"), 3: ("namespace", "s"), 4: ("attempt", "u")},
    "PodSandboxConfig": {1: ("metadata", "PodSandboxMetadata"), 2: ("hostname", "s"), 3: ("log_directory", "s"), 4: ("dns_config", "DNSConfig"), 6: ("labels", "m"),
                         8: ("linux", "LinuxPodSandboxConfig")},
    "StatusResponse": {3: ("runtime_handlers", "*RuntimeHandler")},
    "RuntimeHandler": {1: ("name", "s"), 2: ("features", "RuntimeHandlerFeatures")},
    "RuntimeHandlerFeatures": {1: ("recursive_read_only_mounts", "b"), 2: ("user_namespaces", "b")},
    "RunPodSandboxRequest": {1: ("config", "PodSandboxConfig"), 2: ("runtime_handler", "s")},
    "RunPodSandboxResponse": {1: ("pod_sandbox_id", "s")},
    "PodSandboxRequest": {1: ("pod_sandbox_id", "s"), 2: ("verbose", "b")},
    "PodSandboxStatus": {1: ("id", "s"), 3: ("state", "u"), 4: ("created_at", "u"), 5: ("network", "PodSandboxNetworkStatus")},
    "PodSandboxNetworkStatus": {1: ("ip", "s")},
    "PodSandboxStatusResponse": {1: ("status", "PodSandboxStatus"), 2: ("info", "m")},
    "StateValue": {1: ("state", "u")},
    "PodSandboxFilter": {1: ("id", "s"), 2: ("state", "StateValue"), 3: ("label_selector", "m")},
    "ListPodSandboxRequest": {1: ("filter", "PodSandboxFilter")},
    "ListPodSandboxResponse": {1: ("items", "*PodSandboxStatus")},
    "ImageSpec": {1: ("image", "s")},
    "ImageStatusRequest": {1: ("image", "ImageSpec")},
    "Image": {1: ("id", "s")},
    "ImageStatusResponse": {1: ("image", "Image")},
    "LinuxContainerResources": {1: ("cpu_period", "u"), 2: ("cpu_quota", "u"), 3: ("cpu_shares", "u"), 4: ("memory_limit_in_bytes", "u"),
                                5: ("oom_score_adj", "u"), 6: ("cpuset_cpus", "s"), 9: ("unified", "m")},
    "LinuxContainerConfig": {1: ("resources", "LinuxContainerResources"), 2: ("security_context", "ContainerSecurityContext")},
    "ContainerMetadata": {1: ("name", "s"), 2: ("attempt", "u")},
    "ContainerMount": {1: ("container_path", "s"), 2: ("host_path", "s"), 3: ("readonly", "b"), 5: ("propagation", "u"), 6: ("uid_mappings", "*IDMapping"),
                       7: ("gid_mappings", "*IDMapping"), 8: ("recursive_read_only", "b")},
    "Device": {1: ("container_path", "s"), 2: ("host_path", "s"), 3: ("permissions", "s")},
    "ContainerConfig": {1: ("metadata", "ContainerMetadata"), 2: ("image", "ImageSpec"), 3: ("command", "*s"), 4: ("args", "*s"), 5: ("working_dir", "s"),
                        6: ("envs", "*KeyValue"), 7: ("mounts", "*ContainerMount"), 8: ("devices", "*Device"), 9: ("labels", "m"), 11: ("log_path", "s"),
                        12: ("stdin", "b"), 13: ("stdin_once", "b"), 14: ("tty", "b"), 15: ("linux", "LinuxContainerConfig")},
    "CreateContainerRequest": {1: ("pod_sandbox_id", "s"), 2: ("config", "ContainerConfig"), 3: ("sandbox_config", "PodSandboxConfig")},
    "CreateContainerResponse": {1: ("container_id", "s")},
    "ContainerRequest": {1: ("container_id", "s")},
    "StopContainerRequest": {1: ("container_id", "s"), 2: ("timeout", "u")},
    "ContainerStatus": {1: ("id", "s"), 3: ("state", "u"), 4: ("created_at", "u"), 5: ("started_at", "u"), 6: ("finished_at", "u"), 7: ("exit_code", "u"), 10: ("reason", "s"),
                        11: ("message", "s"), 12: ("labels", "m")},
    "ContainerStatusResponse": {1: ("status", "ContainerStatus")},
    "Container": {1: ("id", "s"), 2: ("pod_sandbox_id", "s"), 6: ("state", "u")},
    "ContainerFilter": {1: ("id", "s"), 2: ("state", "StateValue"), 3: ("pod_sandbox_id", "s"), 4: ("label_selector", "m")},
    "ListContainersRequest": {1: ("filter", "ContainerFilter")},
    "ListContainersResponse": {1: ("containers", "*Container")},
    "UpdateContainerResourcesRequest": {1: ("container_id", "s"), 2: ("linux", "LinuxContainerResources")},
    "ExecSyncRequest": {1: ("container_id", "s"), 2: ("cmd", "*s"), 3: ("timeout", "u")},
    "ExecSyncResponse": {1: ("stdout", "y"), 2: ("stderr", "y"), 3: ("exit_code", "u")},
    "ExecRequest": {1: ("container_id", "s"), 2: ("cmd", "*s"), 3: ("tty", "b"), 4: ("stdin", "b"), 5: ("stdout", "b"), 6: ("stderr", "b")},
    "AttachRequest": {1: ("container_id", "s"), 2: ("stdin", "b"), 3: ("tty", "b"), 4: ("stdout", "b"), 5: ("stderr", "b")},
    "UrlResponse": {1: ("url", "s")},
    "Number": {1: ("value", "u")},
    "CpuUsage": {1: ("timestamp", "u"), 2: ("usage_core_nano_seconds", "Number")},
    "MemoryUsage": {1: ("timestamp", "u"), 2: ("working_set_bytes", "Number")},
    "ContainerAttributes": {1: ("id", "s"), 3: ("labels", "m")},
    "ContainerStats": {1: ("attributes", "ContainerAttributes"), 2: ("cpu", "CpuUsage"), 3: ("memory", "MemoryUsage")},
    "ContainerStatsResponse": {1: ("stats", "ContainerStats")},
    "ContainerStatsFilter": {1: ("id", "s"), 2: ("pod_sandbox_id", "s"), 3: ("label_selector", "m")},
    "ListContainerStatsRequest": {1: ("filter", "ContainerStatsFilter")},
    "ListContainerStatsResponse": {1: ("stats", "*ContainerStats")},
    "ProcessUsage": {1: ("timestamp", "u"), 2: ("process_count", "Number")},
    "LinuxPodSandboxStats": {1: ("cpu", "CpuUsage"), 2: ("memory", "MemoryUsage"), 4: ("process", "ProcessUsage"), 5: ("containers", "*ContainerStats")},
    "PodSandboxStats": {2: ("linux", "LinuxPodSandboxStats")},
    "PodSandboxStatsResponse": {1: ("stats", "PodSandboxStats")},
    "PortForwardRequest": {1: ("pod_sandbox_id", "s"), 2: ("port", "*u")},
}

DEFAULT = {"u": 0, "b": False, "s": "", "y": b"", "d": 0.0, "m": {}}


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def piece(number, kind, value):
    if kind in "ub" and len(kind) == 1:
        return varint(number << 3) + varint(int(value))
    if kind == "d":
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if kind == "s":
        value = value.encode(errors="surrogateescape")
    elif kind not in ("y",):
        value = encode(kind, value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def encode(name, message):
    table = {field: (number, kind) for number, (field, kind) in MESSAGES[name].items()}
    out = b""
    for field, value in message.items():
        number, kind = table[field]
        if kind == "m":
            for key, each in value.items():
                out += piece(number, "y", piece(1, "s", key) + piece(2, "s", each))
        elif kind.startswith("*"):
            out += b"".join(piece(number, kind[1:], each) for each in value)
        elif value is not None and value != DEFAULT.get(kind, None):
            out += piece(number, kind, value)
    return out


def fields(data):
    """(number, value) of each field: an int for numbers, bytes for the rest."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = read_varint(data, at)
        elif wire == 2:
            size, at = read_varint(data, at)
            if at + size > len(data):
                raise ValueError("a field is longer than its message")
            value, at = data[at:at + size], at + size
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            value, at = data[at:at + size], at + size
        else:
            raise ValueError(f"wire type {wire}")
        yield tag >> 3, value


def value_of(kind, raw):
    if kind == "b":
        return bool(raw)
    if kind in ("u", "y"):
        return raw
    if kind == "d":
        return struct.unpack("<d", raw)[0]
    if kind == "s":
        return raw.decode(errors="surrogateescape")
    return decode(kind, raw)


def decode(name, data):
    out = {}
    for field, kind in MESSAGES[name].values():
        out[field] = [] if kind.startswith("*") else {} if kind == "m" else DEFAULT.get(kind)
    for number, raw in fields(data):
        if number not in MESSAGES[name]:
            out.setdefault(number, []).append(raw)
            continue
        field, kind = MESSAGES[name][number]
        if kind == "m":
            pair = dict(fields(raw))
            out[field][pair.get(1, b"").decode()] = pair.get(2, b"").decode()
        elif kind.startswith("*"):
            out[field].append(value_of(kind[1:], raw))
        else:
            out[field] = value_of(kind, raw)
    return out


def any_of(name, message, url=None):
    """An Any that holds this message of the tables."""
    return {"type_url": url or "containerd.runc.v1." + name, "value": encode(name, message)}


def event(envelope):
    """(topic, the event as a dict) of an envelope."""
    what = envelope["event"]
    name = what["type_url"].rsplit(".", 1)[-1].rsplit("/", 1)[-1]
    return envelope["topic"], decode(name, what["value"]) if name in MESSAGES else what["value"]
