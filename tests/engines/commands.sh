# commands.sh: the checks that podman and Docker share, since both take the same command line. Sourced by each with
# the array `cli` (the engine with its global options), the image in $image, the options of every run in $always, and what the
# names of its scopes begin with in $unit_prefix.
#
# Exit codes 126 and 127 are worked out by the engines from the text of the runtime's error, so they check that text.

in_cgroup='for f in /sys/fs/cgroup/$1 /sys/fs/cgroup/$2; do [ -e $f ] && exec cat $f; done; exit 9'

has_every_capability() {
  local held
  held=$(sed -n 's/^CapBnd:\t//p' /proc/self/status)
  [ $((0x$held)) = $(((1 << ($(cat /proc/sys/kernel/cap_last_cap) + 1)) - 1)) ]
}
running() { [ "$("${cli[@]}" inspect -f '{{.State.Running}}' "$1" 2>/dev/null)" = true ]; }
status_of() { "${cli[@]}" inspect -f '{{.State.Status}}' "$1" 2>/dev/null; }

checks_of_run() {
  local file
  expect "$engine: run prints what the container prints" 0 hello "${cli[@]}" run --rm "${always[@]}" "$image" echo hello
  expect "$engine: run hands on the exit code" 7 "" "${cli[@]}" run --rm "${always[@]}" "$image" sh -c 'exit 7'
  expect "$engine: a command that is not there gives 127" 127 "" "${cli[@]}" run --rm "${always[@]}" "$image" no-such-command
  expect "$engine: a command that may not be executed gives 126" 126 "" "${cli[@]}" run --rm "${always[@]}" "$image" /etc/passwd
  attempt "${cli[@]}" run --rm "${always[@]}" "$image" sh -c 'echo one; echo two >&2'
  if [ "$out" = one ] && grep -qx two "$work/err"; then ok "$engine: stdout and stderr stay apart"; else
    not_ok "$engine: stdout and stderr stay apart" "$(seen)"
  fi
  expect "$engine: standard input reaches the container" 0 through \
    bash -c 'echo through | "$0" "$@"' "${cli[@]}" run --rm -i "${always[@]}" "$image" cat
  expect_match "$engine: run on a terminal" 0 '^/dev/pts/0$' "${on_terminal[@]}" "${cli[@]}" run --rm -t "${always[@]}" "$image" tty
  expect "$engine: env, working directory, user and host name" 0 'v /tmp 65534 box' \
    "${cli[@]}" run --rm "${always[@]}" -e K=v -w /tmp -u 65534:65534 --hostname box "$image" sh -c 'echo $K $PWD $(id -u) $(hostname)'
  if limits memory; then
    expect "$engine: the memory limit is the container's" 0 33554432 \
      "${cli[@]}" run --rm "${always[@]}" --memory 32m "$image" sh -c "$in_cgroup" sh memory.max memory/memory.limit_in_bytes
  else skip "$engine: the memory limit is the container's" "no memory controller here"; fi
  if limits pids; then
    expect "$engine: the pids limit is the container's" 0 17 \
      "${cli[@]}" run --rm "${always[@]}" --pids-limit 17 "$image" sh -c "$in_cgroup" sh pids.max pids/pids.max
  else skip "$engine: the pids limit is the container's" "no pids controller here"; fi
  if limits cpu; then
    expect "$engine: the cpu quota is the container's" 0 "$([ "$layout" = v2 ] && echo 50000 100000 || echo 50000)" \
      "${cli[@]}" run --rm "${always[@]}" --cpus 0.5 "$image" sh -c "$in_cgroup" sh cpu.max cpu/cpu.cfs_quota_us
  else skip "$engine: the cpu quota is the container's" "no cpu controller here"; fi
  expect "$engine: capabilities can all be dropped" 0 0000000000000000 \
    "${cli[@]}" run --rm "${always[@]}" --cap-drop ALL "$image" sed -n 's/^CapEff:\t//p' /proc/self/status
  expect "$engine: seccomp and no_new_privs are on" 0 "1 2" \
    "${cli[@]}" run --rm "${always[@]}" --security-opt no-new-privileges "$image" \
    sh -c 'echo $(sed -n "s/^NoNewPrivs:\t//p;s/^Seccomp:\t//p" /proc/self/status)'
  expect_match "$engine: a read-only root cannot be written" 1 '^$|denied|Read-only' \
    "${cli[@]}" run --rm "${always[@]}" --read-only "$image" sh -c 'touch /x || { echo; exit 1; }'
  mkdir -p "$work/volume"
  echo from the host >"$work/volume/file"
  expect "$engine: a volume shows the host's directory" 0 "from the host" \
    "${cli[@]}" run --rm "${always[@]}" -v "$work/volume:/volume" "$image" cat /volume/file
  expect "$engine: a volume can be read-only" 1 "" \
    "${cli[@]}" run --rm "${always[@]}" -v "$work/volume:/volume:ro" "$image" sh -c 'echo x 2>/dev/null >/volume/file'
  expect_match "$engine: a tmpfs is mounted with its options" 0 ' /scratch tmpfs .*size=1024k' \
    "${cli[@]}" run --rm "${always[@]}" --tmpfs /scratch:size=1m,noexec "$image" cat /proc/mounts
  expect "$engine: a device appears and can be used" 0 "crw 1" \
    "${cli[@]}" run --rm "${always[@]}" --device /dev/zero:/dev/nought:rw "$image" \
    sh -c 'echo "$(ls -l /dev/nought | cut -c1-3) $(head -c1 /dev/nought | wc -c)"'
  expect "$engine: a sysctl of the container's namespaces" 0 12345 \
    "${cli[@]}" run --rm "${always[@]}" --sysctl kernel.msgmax=12345 "$image" cat /proc/sys/kernel/msgmax
  attempt "${cli[@]}" run --rm "${always[@]}" --privileged "$image" sed -n 's/^Seccomp:\t//p' /proc/self/status
  if [ "$code:$out" = 0:0 ]; then ok "$engine: a privileged container"; elif [ "$engine" = docker ] && ! has_every_capability; then
    skip "$engine: a privileged container" "Docker asks for every capability, and this root does not hold them all"
  else not_ok "$engine: a privileged container" "$(seen)"; fi
  expect "$engine: host's pid and uts namespaces are shared where asked" 0 "$(readlink /proc/self/ns/uts)" \
    "${cli[@]}" run --rm "${always[@]}" --pid host --uts host "$image" readlink /proc/self/ns/uts
}

# A criu for the runtime, which podman looks for as well: that of hack/peers before the host's.
has_criu() {
  PATH=$here/../../target/peers:$PATH
  local version
  version=$(criu --version 2>/dev/null | sed -n 's/^Version: //p')
  [ "${version%%.*}" -ge 4 ] 2>/dev/null
}
count_of() { "${cli[@]}" exec "$1" cat /tmp/count 2>/dev/null; }
counts_on() { local now; now=$(count_of "$1") && [ "${now:-0}" -gt "$2" ]; }
counting='i=0; while :; do i=$((i+1)); echo $i >/tmp/new; mv /tmp/new /tmp/count; sleep 0.05; done'

checks_of_a_life() {
  local box=$tag-box
  attempt "${cli[@]}" run -d --name "$box" "${always[@]}" "$image" sh -c 'trap "exit 43" TERM; while :; do sleep 0.1; done'
  if [ "$code" = 0 ] && soon 10 running "$box"; then ok "$engine: run in the background"; else
    not_ok "$engine: run in the background" "$(seen)"
    "${cli[@]}" rm -f "$box" >/dev/null 2>&1
    return
  fi
  # shellcheck disable=SC2046 # two words
  check_scope $("${cli[@]}" inspect -f "{{.State.Pid}} $unit_prefix-{{.Id}}.scope" "$box")
  expect "$engine: exec prints what it prints" 0 inside "${cli[@]}" exec "$box" echo inside
  expect "$engine: exec hands on the exit code" 9 "" "${cli[@]}" exec "$box" sh -c 'exit 9'
  attempt "${cli[@]}" exec "$box" no-such-command
  # Docker before 23 says 126 here, whatever the runtime says
  if [[ "$code" = 127 || "$engine:$code" = docker:126 ]] && [[ $out$err == *no-such-command* ]]; then
    ok "$engine: exec of a command that is not there says so"
  else not_ok "$engine: exec of a command that is not there says so" "$(seen)"; fi
  expect "$engine: exec as another user, in another directory, with another variable" 0 "65534 /tmp v" \
    "${cli[@]}" exec -u 65534 -w /tmp -e K=v "$box" sh -c 'echo $(id -u) $PWD $K'
  expect "$engine: exec reads standard input" 0 through \
    bash -c 'echo through | "$0" "$@"' "${cli[@]}" exec -i "$box" cat
  expect_match "$engine: exec on a terminal" 0 '^/dev/pts/[0-9]+$' "${on_terminal[@]}" "${cli[@]}" exec -t "$box" tty
  expect "$engine: exec lands in the container's namespaces and cgroup" 0 same \
    "${cli[@]}" exec "$box" sh -c '[ "$(readlink /proc/1/ns/pid /proc/1/ns/net /proc/1/ns/mnt)" = "$(readlink /proc/self/ns/pid /proc/self/ns/net /proc/self/ns/mnt)" ] && cmp -s /proc/1/cgroup /proc/self/cgroup && echo same'
  if ps -ef >/dev/null 2>&1; then
    # Here sleeps come and go, and podman fails where a process ends while it is looked at.
    for _ in {1..20}; do
      attempt "${cli[@]}" top "$box"
      [[ $err == *"no such process"* ]] || break
    done
    if [ "$code" = 0 ] && grep -qE 'sleep 0.1|trap' "$work/out"; then ok "$engine: top lists its processes"; else
      not_ok "$engine: top lists its processes" "$(seen)"
    fi
  else
    skip "$engine: top lists its processes" "this host's ps does not work: $(ps -ef 2>&1 | tail -n 1)"
  fi
  expect_match "$engine: ps shows it running" 0 "$box.*Up |Up .*$box" "${cli[@]}" ps

  attempt "${cli[@]}" pause "$box"
  if [ "$code" = 0 ] && [ "$(status_of "$box")" = paused ]; then ok "$engine: pause"; else not_ok "$engine: pause" "$(seen)"; fi
  attempt "${cli[@]}" unpause "$box"
  if [ "$code" = 0 ] && [ "$(status_of "$box")" = running ]; then ok "$engine: unpause"; else not_ok "$engine: unpause" "$(seen)"; fi

  if ! limits memory; then
    skip "$engine: update changes the memory limit of the running container" "no memory controller here"
  else
    attempt "${cli[@]}" update --memory 48m --memory-swap 48m "$box"
    if [ "$code" = 0 ]; then
      expect "$engine: update changes the memory limit of the running container" 0 50331648 \
        "${cli[@]}" exec "$box" sh -c "$in_cgroup" sh memory.max memory/memory.limit_in_bytes
    else not_ok "$engine: update changes the memory limit of the running container" "$(seen)"; fi
  fi

  attempt "${cli[@]}" stop -t 10 "$box"
  expect "$engine: stop lets the process end by itself, and its exit code is kept" 0 "43 exited" \
    "${cli[@]}" inspect -f '{{.State.ExitCode}} {{.State.Status}}' "$box"
  attempt "${cli[@]}" start "$box"
  if [ "$code" = 0 ] && soon 10 running "$box"; then ok "$engine: a stopped container starts again"; else
    not_ok "$engine: a stopped container starts again" "$(seen)"
  fi
  attempt "${cli[@]}" kill -s KILL "$box"
  attempt "${cli[@]}" wait "$box"
  if [ "$out" = 137 ]; then ok "$engine: kill, and wait says 137"; else not_ok "$engine: kill, and wait says 137" "$(seen)"; fi
  attempt "${cli[@]}" rm "$box"
  if [ "$code" = 0 ] && [ -z "$("${cli[@]}" ps -aq)" ]; then ok "$engine: rm"; else not_ok "$engine: rm" "$(seen)"; fi

  attempt "${cli[@]}" run -d --name "$box-2" "${always[@]}" "$image" sh -c 'trap exit TERM; while :; do sleep 0.1; done'
  attempt "${cli[@]}" rm -f "$box-2"
  if [ "$code" = 0 ] && [ -z "$("${cli[@]}" ps -aq)" ]; then ok "$engine: a running container can be removed by force"; else
    not_ok "$engine: a running container can be removed by force" "$(seen)"
  fi

  if ! limits memory; then
    skip "$engine: a container that runs out of memory ends with 137" "no memory controller here"
  else
    attempt "${cli[@]}" run --name "$box-3" "${always[@]}" --memory 16m --memory-swap 16m "$image" \
      sh -c 'tail /dev/zero; code=$?; sleep 0.5; exit $code'
    expect_match "$engine: a container that runs out of memory ends with 137" 0 '^137 ' \
      "${cli[@]}" inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' "$box-3"
    if [ "$out" = "137 true" ]; then ok "$engine: and is marked as out of memory"; else
      # It is conmon that listens for it: this one hears nothing on cgroup v1, and now and then not on v2, with runc neither.
      if [ "$engine" = podman ] && { [ "$layout" = v1 ] || "$conmon" --version | grep -q 'version 2\.1\.6'; }; then
        skip "$engine: and is marked as out of memory" "this conmon does not hear of it, with runc neither"
      else not_ok "$engine: and is marked as out of memory" "$out"; fi
    fi
    attempt "${cli[@]}" rm -f "$box-3"
  fi

  attempt "${cli[@]}" create --name "$box-4" "${always[@]}" "$image" echo created
  expect "$engine: create, then start attached" 0 created "${cli[@]}" start -a "$box-4"
  attempt "${cli[@]}" rm -f "$box-4"
}
