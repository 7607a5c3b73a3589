#!/bin/bash
# podman.sh: podman, with its own storage in a private directory, drives the runtime.
# RUNTIME names another runtime than target/rruntime; CONMON=ours has it be podman's monitor too (src/shim/conmon).
. "$(dirname "$0")/lib.sh"
. "$here/commands.sh"
need podman podman conmon script
choose_runtime podman
begin podman
conmon=$(command -v conmon)
if [ "${CONMON:-}" = ours ]; then
  conmon=$work/conmon
  ln -s "$runtime" "$conmon"
fi

mkdir -p "$work/tmp"
cli=(podman --root "$work/root" --runroot "$work/run" --tmpdir "$work/tmp" --storage-driver vfs
  --cgroup-manager "$cgroups" --events-backend file --log-level error --runtime "$runtime" --conmon "$conmon")
image=localhost/busybox:test unit_prefix=libpod
# podman asks for more open files and processes than a root without CAP_SYS_RESOURCE may set: set both lower.
always=(--network none --cgroup-parent "$parent" --ulimit nofile=1024:4096 --ulimit nproc=1024:4096)
layout=$([ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] && echo v2 || echo v1)
# Without being asked podman limits processes on cgroup v2.
unlimited=()
limits pids || unlimited=(--pids-limit -1)
always+=("${unlimited[@]}")
echo "# $(podman --version), conmon $("$conmon" --version | sed -n 's/conmon version //p'), cgroup $layout"

attempt "${cli[@]}" import "$work/rootfs.tar" "$image"
[ "$code" = 0 ] || { not_ok "podman: import the image" "$(seen)"; close; }
ok "podman: import the image"

checks_of_run
checks_of_a_life

# podman's own ways
expect_match "podman: info names the runtime" 0 "$runtime" "${cli[@]}" info
attempt "${cli[@]}" pod create --name "$tag-pod" --infra=false --cgroup-parent "$parent"
if [ "$code" = 0 ]; then
  expect "podman: a container in a pod" 0 pod "${cli[@]}" run --rm --pod "$tag-pod" "${unlimited[@]}" --network none --ulimit nofile=1024:4096 --ulimit nproc=1024:4096 "$image" echo pod
  attempt "${cli[@]}" pod rm -f "$tag-pod"
  [ "$code" = 0 ] || not_ok "podman: pod rm" "$(seen)"
else
  skip "podman: a container in a pod" "podman makes no pod here: $err"
fi
attempt "${cli[@]}" run --rm --cgroup-parent "$parent" "${unlimited[@]}" --ulimit nofile=1024:4096 --ulimit nproc=1024:4096 "$image" cat /sys/class/net/eth0/operstate
if [ "$code" = 0 ]; then ok "podman: the default network"; else
  case $err in
    *CNI* | *cni* | *netavark* | *iptables* | *nftables* | *slirp* | *pasta*)
      skip "podman: the default network" "this host's network plugins do not work: $(tail -n 1 <<<"$err")" ;;
    *) not_ok "podman: the default network" "$(seen)" ;;
  esac
fi

if [ "$(id -u)" != 0 ]; then
  skip "podman: container checkpoint and restore" "podman and CRIU do that for root alone"
elif has_criu; then
  box=$tag-saved
  attempt "${cli[@]}" run -d --name "$box" "${always[@]}" "$image" sh -c "$counting"
  soon 10 counts_on "$box" 3
  before=$(count_of "$box")
  attempt "${cli[@]}" container checkpoint "$box"
  [ "$code" = 0 ] && attempt "${cli[@]}" container restore "$box"
  if [ "$code" = 0 ] && soon 10 counts_on "$box" "$before"; then ok "podman: container checkpoint and restore"; else
    not_ok "podman: container checkpoint and restore" "$(seen)"
  fi
  before=$(count_of "$box")
  attempt "${cli[@]}" container checkpoint --export "$work/saved.tar.gz" "$box"
  "${cli[@]}" rm -f "$box" >/dev/null 2>&1
  [ "$code" = 0 ] && attempt "${cli[@]}" container restore --import "$work/saved.tar.gz" --name "$box-again"
  if [ "$code" = 0 ] && soon 10 counts_on "$box-again" "${before:-0}"; then ok "podman: a checkpoint is exported, and imported"; else
    not_ok "podman: a checkpoint is exported, and imported" "$(seen)"
  fi
  "${cli[@]}" rm -f "$box-again" >/dev/null 2>&1
else
  skip "podman: container checkpoint and restore" "no criu 4 or newer (hack/peers --fetch criu)"
fi

expect "podman: no container is left" 0 "" "${cli[@]}" ps -aq
check_nothing_left
close
