#!/bin/bash
# containerd.sh: containerd on private directories, with its runc shim, drives the runtime.
# RUNTIME names another runtime than target/rruntime.
. "$(dirname "$0")/lib.sh"
need containerd containerd ctr containerd-shim-runc-v2 script python3
choose_runtime containerd
begin containerd

cat >"$work/config.toml" <<END
version = 2
root = "$work/root"
state = "$work/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "$work/containerd.sock"
[ttrpc]
  address = "$work/containerd.sock.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "$work/opt"
END
state_of_runtime=$work/runtime/$tag
daemon containerd containerd --config "$work/config.toml" --log-level warn
cli=(ctr --address "$work/containerd.sock" --namespace "$tag")
echo "# $(containerd --version)"
if ! soon 20 "${cli[@]}" version; then
  not_ok "containerd: the daemon starts" "$(tail -n 20 "$work/containerd.log")"
  close
fi
ok "containerd: the daemon starts"

image=local/busybox:test
python3 "$here/oci-image.py" "$work/rootfs.tar" "$work/image.tar" "$image"
attempt "${cli[@]}" images import --snapshotter native "$work/image.tar"
if [ "$code" != 0 ] || ! "${cli[@]}" images ls -q | grep -q busybox; then
  not_ok "containerd: import the image" "$(seen)"
  close
fi
ok "containerd: import the image"
image=$("${cli[@]}" images ls -q | grep busybox | head -n 1)

always=(--fifo-dir "$work/fifo" --snapshotter native --runc-binary "$runtime" --runc-root "$work/runtime")
# containerd puts a container's cgroup below its namespace's name, which is this run's tag
number=0
group() { echo "$tag/$box"; }
name() { number=$((number + 1)); box=$tag-$number; }
if [ "$cgroups" = systemd ]; then
  always+=(--runc-systemd-cgroup)
  group() { echo "$parent/rr-$box.scope"; }
  name() { number=$((number + 1)); box=$tag-$number; always=("${always[@]:0:fixed}" --cgroup "$parent:rr:$box"); }
fi
fixed=${#always[@]}
task_status() { "${cli[@]}" tasks ls | awk -v id="$1" '$1 == id { print $3 }'; }
has_status() { [ "$(task_status "$1")" = "$2" ]; }

name; expect "containerd: run prints what the container prints" 0 hello \
  "${cli[@]}" run --rm "${always[@]}" "$image" "$box" echo hello
name; expect "containerd: run hands on the exit code" 7 "" "${cli[@]}" run --rm "${always[@]}" "$image" "$box" sh -c 'exit 7'
name; attempt "${cli[@]}" run --rm "${always[@]}" "$image" "$box" no-such-command
if [ "$code" != 0 ] && [[ $err == *no-such-command* ]]; then ok "containerd: a command that is not there is named in the error"; else
  not_ok "containerd: a command that is not there is named in the error" "$(seen)"
fi
"${cli[@]}" containers rm "$box" >/dev/null 2>&1
name; attempt "${cli[@]}" run --rm "${always[@]}" "$image" "$box" sh -c 'echo one; echo two >&2'
if [ "$out" = one ] && grep -qx two "$work/err"; then ok "containerd: stdout and stderr stay apart"; else
  not_ok "containerd: stdout and stderr stay apart" "$(seen)"
fi
name; expect_match "containerd: run on a terminal" 0 '^/dev/(pts/0|console)$' \
  "${on_terminal[@]}" "${cli[@]}" run --rm -t "${always[@]}" "$image" "$box" tty
name; expect "containerd: env and working directory" 0 'v /tmp' \
  "${cli[@]}" run --rm "${always[@]}" --env K=v --cwd /tmp "$image" "$box" sh -c 'echo $K $PWD'
name; expect "containerd: the memory limit is the container's" 0 33554432 \
  "${cli[@]}" run --rm "${always[@]}" --memory-limit 33554432 --mount type=bind,src=/sys/fs/cgroup,dst=/host,options=rbind:ro \
  "$image" "$box" sh -c 'for f in /host/$1/memory.max /host/memory/$1/memory.limit_in_bytes; do [ -e $f ] && exec cat $f; done; exit 9' sh "$(group)"
name; expect "containerd: seccomp is on where asked" 0 2 \
  "${cli[@]}" run --rm "${always[@]}" --seccomp "$image" "$box" sed -n 's/^Seccomp:\t//p' /proc/self/status
mkdir -p "$work/volume"
echo from the host >"$work/volume/file"
name; expect "containerd: a mount shows the host's directory" 0 "from the host" \
  "${cli[@]}" run --rm "${always[@]}" --mount "type=bind,src=$work/volume,dst=/volume,options=rbind:ro" "$image" "$box" cat /volume/file
name; expect_match "containerd: a read-only root cannot be written" 1 '^no$' \
  "${cli[@]}" run --rm "${always[@]}" --read-only "$image" "$box" sh -c 'touch /x || { echo no; exit 1; }'
name; expect "containerd: a privileged container" 0 0 \
  "${cli[@]}" run --rm "${always[@]}" --privileged "$image" "$box" sed -n 's/^Seccomp:\t//p' /proc/self/status

name
attempt "${cli[@]}" run -d "${always[@]}" "$image" "$box" sh -c 'trap "exit 43" TERM; while :; do sleep 0.1; done'
if [ "$code" = 0 ] && soon 10 has_status "$box" RUNNING; then
  ok "containerd: run in the background"
  check_scope "$("${cli[@]}" tasks ls | awk -v id="$box" '$1 == id { print $2 }')" "rr-$box.scope"
  expect "containerd: exec prints what it prints" 0 inside "${cli[@]}" tasks exec --fifo-dir "$work/fifo" --exec-id e1 "$box" echo inside
  expect "containerd: exec hands on the exit code" 9 "" "${cli[@]}" tasks exec --fifo-dir "$work/fifo" --exec-id e2 "$box" sh -c 'exit 9'
  expect "containerd: exec as another user, in another directory" 0 "65534 /tmp" \
    "${cli[@]}" tasks exec --fifo-dir "$work/fifo" --exec-id e3 --user 65534 --cwd /tmp "$box" sh -c 'echo $(id -u) $PWD'
  expect_match "containerd: exec on a terminal" 0 '^/dev/pts/[0-9]+$' \
    "${on_terminal[@]}" "${cli[@]}" tasks exec --fifo-dir "$work/fifo" --exec-id e4 -t "$box" tty
  expect_match "containerd: ps lists its processes" 0 '^[0-9]+' "${cli[@]}" tasks ps "$box"
  expect_match "containerd: metrics are read" 0 'memory' "${cli[@]}" tasks metrics "$box"
  attempt "${cli[@]}" tasks pause "$box"
  if [ "$code" = 0 ] && has_status "$box" PAUSED; then ok "containerd: pause"; else not_ok "containerd: pause" "$(seen)"; fi
  attempt "${cli[@]}" tasks resume "$box"
  if [ "$code" = 0 ] && has_status "$box" RUNNING; then ok "containerd: resume"; else not_ok "containerd: resume" "$(seen)"; fi
  attempt "${cli[@]}" tasks kill -s SIGTERM "$box"
  if [ "$code" = 0 ] && soon 10 has_status "$box" STOPPED; then ok "containerd: kill by a signal that it handles"; else
    not_ok "containerd: kill by a signal that it handles" "$(seen)"
  fi
  attempt "${cli[@]}" tasks rm "$box"
  if [ "$code" = 43 ] || [ "$code" = 0 ]; then ok "containerd: remove the stopped task"; else not_ok "containerd: remove the stopped task" "$(seen)"; fi
  attempt "${cli[@]}" tasks start -d "$box"
  if [ "$code" = 0 ] && soon 10 has_status "$box" RUNNING; then ok "containerd: the container starts again"; else
    not_ok "containerd: the container starts again" "$(seen)"
  fi
  attempt "${cli[@]}" tasks kill -s SIGKILL --all "$box"
  if [ "$code" = 0 ] && soon 10 has_status "$box" STOPPED; then ok "containerd: kill all of its processes"; else
    not_ok "containerd: kill all of its processes" "$(seen)"
  fi
  attempt "${cli[@]}" tasks rm "$box"
  if [ "$code" = 137 ] || [ "$code" = 0 ]; then ok "containerd: remove the killed task"; else not_ok "containerd: remove the killed task" "$(seen)"; fi
  attempt "${cli[@]}" containers rm "$box"
  if [ "$code" = 0 ]; then ok "containerd: remove the container"; else not_ok "containerd: remove the container" "$(seen)"; fi
else
  not_ok "containerd: run in the background" "$(seen)"
fi

name
attempt "${cli[@]}" run -d "${always[@]}" "$image" "$box" sleep 600
attempt "${cli[@]}" tasks rm -f "$box"
if soon 5 has_status "$box" ""; then ok "containerd: a running task can be removed by force"; else
  not_ok "containerd: a running task can be removed by force" "$(seen)"
fi
attempt "${cli[@]}" containers rm "$box"

timeout 30 "${cli[@]}" events >"$work/events" 2>/dev/null &
watcher=$!
name
attempt "${cli[@]}" run --rm "${always[@]}" --memory-limit 16777216 "$image" "$box" sh -c 'tail /dev/zero; code=$?; sleep 0.5; exit $code'
if [ "$code" = 137 ] && soon 5 grep -q '/tasks/oom' "$work/events"; then ok "containerd: a container that runs out of memory says so"; else
  not_ok "containerd: a container that runs out of memory says so" "$(seen)
$(cat "$work/events")"
fi
kill $watcher 2>/dev/null
wait $watcher 2>/dev/null

expect "containerd: no task is left" 0 "" "${cli[@]}" tasks ls -q
expect "containerd: no container is left" 0 "" "${cli[@]}" containers ls -q
check_nothing_left
close
