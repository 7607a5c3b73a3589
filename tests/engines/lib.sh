# lib.sh: what the engine scripts share: one line for each check, a private world to run in, and the proof that
# nothing of it is left. Sourced, never run.
#
# CGROUPS=systemd has the engine use its systemd driver (tests/engines/run-in-box); default cgroupfs.
#
# The private world: every directory, socket and pid file lies under $work (made by mktemp), every cgroup under one
# named after this run, and every daemon is a child of the script that ends it by its process id. Other engines and
# other tests on the same machine are neither seen nor touched.

set -uo pipefail
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$here/../.." && pwd)

passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); echo "ok $1${TIMES:+ ($SECONDS s)}"; }
not_ok() { failed=$((failed + 1)); echo "not ok $1${TIMES:+ ($SECONDS s)}"; printf '%s\n' "${2:-}" | sed -n '/./s/^/    # /p' | head -n "${LINES_OF_DETAIL:-20}"; }
skip() { skipped=$((skipped + 1)); echo "skipped: $1: $2"; }

# Ends the script with the count; the exit code says whether anything failed.
close() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ]
  exit $?
}

# The whole script cannot run here: one skipped check that says why.
skip_all() {
  skip "$1" "$2"
  close
}

# Runs a command for at most 60 s. Its output lands in $out, what it said on stderr in $err, its exit code in $code.
attempt() {
  timeout -k 5 "${LIMIT:-60}" "$@" >"$work/out" 2>"$work/err" </dev/null
  code=$?
  out=$(tr -d '\0' <"$work/out")
  err=$(tr -d '\0' <"$work/err")
}
seen() { printf 'exit code %s\nstdout: %s\nstderr: %s' "$code" "$out" "$err"; }

# expect NAME CODE OUTPUT COMMAND…: the exit code and the whole standard output must be these.
expect() {
  local name=$1 want_code=$2 want=$3
  shift 3
  attempt "$@"
  if [ "$code" = "$want_code" ] && [ "$out" = "$want" ]; then ok "$name"; else
    not_ok "$name" "wanted exit code $want_code and: $want
$(seen)"
  fi
}

# expect_match NAME CODE REGEX COMMAND…: the exit code must be this, and a line of the output must match.
expect_match() {
  local name=$1 want_code=$2 want=$3
  shift 3
  attempt "$@"
  if [ "$code" = "$want_code" ] && grep -qE -- "$want" "$work/out"; then ok "$name"; else
    not_ok "$name" "wanted exit code $want_code and a line like: $want
$(seen)"
  fi
}

# "${on_terminal[@]}" COMMAND…: runs it on a terminal of its own (script makes one) and hands back its exit code.
# Nobody types: standard input is a pipe that stays open and empty, or script would pass an end of file on.
on_terminal=(bash -c 'printf -v line "%q " "$@"; script -qec "$line" /dev/null <&9 | tr -d "\r"; exit "${PIPESTATUS[0]}"' terminal)

# soon SECONDS COMMAND…: true as soon as the command is, false when the time is up.
soon() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $until ] || return 1
    sleep 0.1
  done
}

# The runtime under test, as an absolute path.
choose_runtime() {
  local name=${RUNTIME:-$project/target/rruntime}
  runtime=$(command -v "$name" || true)
  [ -n "$runtime" ] || skip_all "$1" "no runtime at $name (make build)"
  runtime=$(realpath "$runtime")
  echo "# $1 with $("$runtime" --version 2>/dev/null | head -n 1) at $runtime"
}

# Whether the kernel limits this here: every controller of v1, those of v2 that are not v1's on a machine that has both.
limits() { [ "${layout:-v1}" = v1 ] || grep -qw "$1" /sys/fs/cgroup/cgroup.controllers; }

# systemctl of the manager that makes this user's scopes.
manager() { if [ "$(id -u)" = 0 ]; then systemctl "$@"; else systemctl --user "$@"; fi; }

# With systemd's cgroups: a process is in a unit of this name, and systemd has it.
check_scope() { # PID UNIT
  [ "$cgroups" = systemd ] || return 0
  if grep -qE "/$2(/|\$)" "/proc/$1/cgroup" && [ "$(manager is-active "$2")" = active ]; then
    ok "$engine: its cgroup is a scope that systemd knows"
  else
    not_ok "$engine: its cgroup is a scope that systemd knows" "wanted $2
$(cat "/proc/$1/cgroup")
$(manager status --no-pager "$2" 2>&1)"
  fi
}

need_root() { [ "$(id -u)" = 0 ] || skip_all "$1" "needs root"; }
cgroups=${CGROUPS:-cgroupfs}
need() { # ENGINE COMMAND…
  local engine=$1 command
  shift
  for command; do
    command -v "$command" >/dev/null || skip_all "$engine" "$command is not installed (hack/install-deps --engines)"
  done
}

begin() { # ENGINE: makes the private world
  engine=$1
  # With systemd's cgroups an ordinary user's podman has what it needs.
  [ "$engine $cgroups" = "podman systemd" ] || need_root "$engine"
  work=$(mktemp -d "${TMPDIR:-/tmp}/rruntime-$engine.XXXXXX")
  tag=rruntime-test-$engine-$$
  # systemd takes a name without a hyphen as a slice right below its root.
  parent=$([ "$cgroups" = systemd ] && echo "${tag//-/_}.slice" || echo "/$tag")
  # conmon takes arguments of ASCII alone, whatever the locale.
  if [[ $runtime = *[!\ -~]* ]]; then cp "$runtime" "$work/" && runtime=$work/$(basename "$runtime"); fi
  daemons=()
  # containerd's shims put their sockets here whatever containerd is told
  had_containerd=$([ -e /run/containerd ] && echo yes || echo no)
  trap 'finish_quietly' EXIT
  trap 'exit 130' INT TERM
  cd "$work" # conmon writes a file "oom" where it was started
  "$project/hack/make-bundle" "$work/bundle" || skip_all "$engine" "no static busybox (hack/install-deps)"
  mkfifo "$work/nobody"
  exec 9<>"$work/nobody"
  tar -C "$work/bundle/rootfs" --numeric-owner --owner=0 --group=0 -cf "$work/rootfs.tar" .
}

# daemon NAME COMMAND…: starts it in the background, its log in $work/NAME.log.
daemon() {
  local name=$1
  shift
  "$@" >"$work/$name.log" 2>&1 </dev/null &
  daemons+=($!)
}

# Ends the daemons, the last one started first; one that does not end in 15 s is killed.
stop_daemons() {
  local i
  for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do
    kill "${daemons[i]}" 2>/dev/null || continue
    soon 15 ended "${daemons[i]}" || kill -KILL "${daemons[i]}" 2>/dev/null
    wait "${daemons[i]}" 2>/dev/null
  done
  daemons=()
}
ended() { # PROCESS: gone, or a child of ours that only waits to be collected
  local stat
  stat=$({ cat "/proc/$1/stat"; } 2>/dev/null) || return 0
  stat=${stat##*) }
  [ "${stat%% *}" = Z ]
}

# What this run has left on the host, each on a line.
# (dockerd keeps its own handle on the host's network there until it is unmounted by hand: that is not the runtime's)
left_mounts() { awk -v work="$work" 'index($5, work) == 1 && $5 !~ /\/exec\/netns\// { print $5 }' /proc/self/mountinfo; }
# podman's monitor makes a cgroup "conmon" beside the containers and leaves it: that one is not the runtime's.
left_cgroups() {
  find /sys/fs/cgroup -mindepth 2 -type d -path "*/${parent#/}/*" ! -name conmon ! -name 'libpod-conmon-*.scope' 2>/dev/null
}
left_processes() {
  local directory pid line
  for directory in /proc/[0-9]*; do
    pid=${directory##*/}
    [ "$pid" != $$ ] || continue
    # a process may end between the listing and the look
    line=$({ tr '\0' ' ' <"$directory/cmdline"; } 2>/dev/null) || continue
    case $line in *"$work"*) echo "$pid ${line:0:120}" ;; esac
  done
}

# With the containers gone no cgroup is left, and with the daemons gone no process, mount or state either.
no_cgroup_left() { [ -z "$(left_cgroups)" ]; }
no_process_left() { [ -z "$(left_processes)" ]; }
no_mount_left() { [ -z "$(left_mounts)" ]; }
check_nothing_left() {
  if soon 5 no_cgroup_left; then ok "$engine: no cgroup is left"; else not_ok "$engine: no cgroup is left" "$(left_cgroups)"; fi
  stop_daemons
  if soon 5 no_process_left; then ok "$engine: no process is left"; else not_ok "$engine: no process is left" "$(left_processes)"; fi
  if soon 5 no_mount_left; then ok "$engine: no mount is left"; else not_ok "$engine: no mount is left" "$(left_mounts)"; fi
  local rest
  # under a directory that the engine names, or in the runtime's own one, where engines use 64 hexadecimal digits
  # (what it remembers of the machine is no container's)
  rest=$(ls -A --ignore='.thread:*' "${state_of_runtime:-/nonexistent}" 2>/dev/null
    if [ -z "${state_of_runtime:-}" ]; then
      find "/run/$(basename "$runtime")" -mindepth 1 -maxdepth 1 -newer "$work/rootfs.tar" -regextype posix-extended -regex '.*/[0-9a-f]{64}' 2>/dev/null
    fi)
  if [ -z "$rest" ]; then ok "$engine: no state of the runtime is left"; else not_ok "$engine: no state of the runtime is left" "$rest"; fi
}

# However the script ends: end what it started, in the order in which nothing can start anew, and remove its directory.
finish_quietly() {
  local status=$? pid mount directory
  stop_daemons
  left_processes | while read -r pid _; do kill -KILL "$pid" 2>/dev/null; done
  for directory in $(left_cgroups | sort -r); do
    while read -r pid; do kill -KILL "$pid" 2>/dev/null; done <"$directory/cgroup.procs"
    soon 2 rmdir "$directory"
  done
  if [ "$cgroups" = systemd ]; then
    manager stop "$parent" 2>/dev/null
  else
    find /sys/fs/cgroup -mindepth 1 -depth -type d \( -path "*/$tag" -o -path "*/$tag/*" \) -exec rmdir {} + 2>/dev/null
  fi
  { left_mounts; echo "$work/exec/netns/default"; } | sort -r | while read -r mount; do umount -l "$mount" 2>/dev/null; done
  if [ "$had_containerd" = no ]; then rmdir /run/containerd/{fifo,s,} 2>/dev/null; fi
  no_mount_left && rm -rf --one-file-system "$work"
  exit $status
}
