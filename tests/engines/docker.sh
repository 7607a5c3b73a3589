#!/bin/bash
# docker.sh: dockerd with a containerd of its own, both on private directories, drives the runtime.
# RUNTIME names another runtime than target/rruntime.
. "$(dirname "$0")/lib.sh"
. "$here/commands.sh"
need docker dockerd containerd containerd-shim-runc-v2 script
# The client that belongs to the daemon, where another one stands before it on PATH.
client=/usr/bin/docker
[ -x $client ] || client=$(command -v docker) || skip_all docker "the docker client is not installed"
choose_runtime docker
begin docker
layout=$([ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] && echo v2 || echo v1)

cat >"$work/containerd.toml" <<END
version = 2
root = "$work/containerd"
state = "$work/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "$work/containerd.sock"
[ttrpc]
  address = "$work/containerd.sock.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "$work/opt"
END
has_criu || true # from here on in PATH
daemon containerd containerd --config "$work/containerd.toml" --log-level warn
if ! soon 20 test -S "$work/containerd.sock"; then
  not_ok "docker: containerd starts" "$(tail -n 20 "$work/containerd.log")"
  close
fi

# Docker asks for more open files than a root without CAP_SYS_RESOURCE may set, hence the default.
echo '{"experimental": true}' >"$work/daemon.json"
daemon dockerd dockerd --config-file "$work/daemon.json" --host "unix://$work/docker.sock" \
  --containerd "$work/containerd.sock" --containerd-namespace "$tag" --containerd-plugins-namespace "$tag-plugins" \
  --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/docker.pid" \
  --storage-driver vfs --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
  --exec-opt "native.cgroupdriver=$cgroups" --cgroup-parent "$parent" \
  --add-runtime "under-test=$runtime" --default-runtime under-test --default-ulimit nofile=1024:4096 --log-level warn
export DOCKER_CONFIG=$work/client
mkdir -p "$DOCKER_CONFIG"
cli=("$client" --host "unix://$work/docker.sock")
if ! soon 30 "${cli[@]}" version; then
  not_ok "docker: the daemon starts" "$(tail -n 20 "$work/dockerd.log")"
  close
fi
ok "docker: the daemon starts"
echo "# docker $("${cli[@]}" version --format '{{.Server.Version}}'), cgroup $layout"

image=busybox:test unit_prefix=docker
attempt "${cli[@]}" import "$work/rootfs.tar" "$image"
[ "$code" = 0 ] || { not_ok "docker: import the image" "$(seen)"; close; }
ok "docker: import the image"
always=(--network none)

expect "docker: info names the runtime as the default" 0 under-test "${cli[@]}" info --format '{{.DefaultRuntime}}'
checks_of_run
checks_of_a_life

# docker's own ways
expect "docker: --init puts an init in front" 0 docker-init \
  "${cli[@]}" run --rm --init "${always[@]}" "$image" cat /proc/1/comm
expect "docker: a container in the host's network" 0 "$(readlink /proc/self/ns/net)" \
  "${cli[@]}" run --rm --network host "$image" readlink /proc/self/ns/net
attempt "${cli[@]}" run -d --name "$tag-stats" "${always[@]}" "$image" sleep 600
expect_match "docker: stats are read" 0 '^[1-9][0-9]*$' "${cli[@]}" stats --no-stream --format '{{.PIDs}}' "$tag-stats"
attempt "${cli[@]}" rm -f "$tag-stats"

if has_criu; then
  box=$tag-saved
  attempt "${cli[@]}" run -d --name "$box" "${always[@]}" "$image" sh -c "$counting"
  soon 10 counts_on "$box" 3
  before=$(count_of "$box")
  attempt "${cli[@]}" checkpoint create "$box" saved
  [ "$code" = 0 ] && soon 10 test "$(status_of "$box")" = exited && attempt "${cli[@]}" start --checkpoint saved "$box"
  # dockerd puts the checkpoint into containerd's store, and now and then finds its own copy there, before it calls a runtime.
  for _ in 1 2 3; do
    [[ $err = *"upload checkpoint to containerd"*"already exists"* ]] || break
    sleep 1
    attempt "${cli[@]}" start --checkpoint saved "$box"
  done
  if [ "$code" = 0 ] && soon 10 counts_on "$box" "${before:-0}"; then ok "docker: checkpoint, and start from it"; else
    not_ok "docker: checkpoint, and start from it" "$(seen)"
  fi
  "${cli[@]}" rm -f "$box" >/dev/null 2>&1
else
  skip "docker: checkpoint, and start from it" "no criu 4 or newer (hack/peers --fetch criu)"
fi

expect "docker: no container is left" 0 "" "${cli[@]}" ps -aq
check_nothing_left
close
