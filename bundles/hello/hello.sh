#!/bin/sh
# What a container sees of itself, as a table. Runs inside bundles/hello with nothing but busybox.
# hack/run-hello passes what only the host knows: HELLO_HOST_NS ("pid:[1] mnt:[2] …"), HELLO_HOST_USER, HELLO_LEFT_OUT.

row() { printf '  %-18s %-26s %s\n' "$1" "$2" "$3"; }
more() { row '' "$1" "$2"; }
title() { printf '\n  %s\n' "$1"; }

# The first word that follows NAME: in /proc/self/status.
status() { while read -r name value rest; do [ "$name" = "$1:" ] && { echo "$value"; return; }; done </proc/self/status; }

# The first line of the first of these files that can be read; says nothing when there is none.
first() { for file; do [ -r "$file" ] && read -r line rest <"$file" && { echo "$line${rest:+ $rest}"; return; }; done; }

# What stands for a limit that cannot be read from inside.
unseen="not visible"
case $HELLO_LEFT_OUT in *limit*) unseen="none" ;; esac

size() {
  case $1 in
    '') echo "$unseen" ;;
    max | 9223372036854771712) echo "none" ;;
    *) if [ $(($1 % 1048576)) = 0 ]; then echo "$(($1 / 1048576)) MiB"; else echo "$1 bytes"; fi ;;
  esac
}

# Capability numbers as the kernel counts them (include/uapi/linux/capability.h).
capability_names='chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable
net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace
sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control
setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore'

capabilities() {
  mask=$((0x$1)) bit=0 held=0 total=0 text=
  for name in $capability_names; do
    total=$((total + 1))
    if [ $((mask >> bit & 1)) = 1 ]; then
      held=$((held + 1))
      text="$text $name"
    fi
    bit=$((bit + 1))
  done
  [ $held -gt 0 ] || text=' none'
}

# Prints words as indented lines of a readable width.
words() {
  echo "$*" | fold -s -w 70 | while read -r line; do printf '    %s\n' "$line"; done
}

echo
echo "  This is a container. It sees of itself:"

title "Processes and identity"
note="the first process: the container has its own process numbers"
[ $$ = 1 ] || note="not the first process here: the process numbers are the host's"
row "process id" $$ "$note"
count=0
for directory in /proc/[0-9]*; do [ -d "$directory" ] && count=$((count + 1)); done
row "processes seen" $count "all that it can see, signal or inspect"
row "host name" "$(hostname)" "its own; the host keeps its name"
note=
read -r inside outside length </proc/self/uid_map
if [ "$length" -lt 4294967295 ]; then
  number=$((outside - inside + $(id -u)))
  note="on the host this is $number"
  case $HELLO_HOST_USER in '' | "$number") ;; *) note="on the host this is $HELLO_HOST_USER (uid $number)" ;; esac
else
  note="the same number on the host, but with fewer powers: see below"
fi
row "user" "$(id -un) (uid $(id -u), gid $(id -g))" "$note"

title "Namespaces: its own view of ..."
for kind in pid mnt net ipc uts cgroup user time; do
  [ -e /proc/self/ns/$kind ] || continue
  link=$(readlink /proc/self/ns/$kind)
  case $kind in
    pid) what="process numbers" ;; mnt) what="mounts" ;; net) what="network" ;; ipc) what="shared memory, queues" ;;
    uts) what="host name" ;; cgroup) what="limits tree" ;; user) what="user numbers" ;; time) what="uptime clocks" ;;
  esac
  own=
  if [ -n "$HELLO_HOST_NS" ]; then
    own=own
    case " $HELLO_HOST_NS " in *" $link "*) own="the host's" ;; esac
  fi
  number=${link#*\[}
  row "$kind" "${number%]}${own:+ $own}" "$what"
done
interfaces=
for device in /sys/class/net/*; do [ -e "$device" ] && interfaces="$interfaces ${device##*/}"; done
[ -n "$interfaces" ] || interfaces=$(sed -n 's/^ *\([^ :]*\):.*/ \1/p' /proc/net/dev | tr -d '\n')
row "interfaces" "${interfaces# }" "network devices in its network namespace"

title "Powers"
capabilities "$(status CapEff)"
row "capabilities" "$held of $total" "what root may still do here:"
words "$text"
capabilities "$(status CapBnd)"
row "bounding set" "$held of $total" "no program started here can ever get more"
case $(status NoNewPrivs) in 1) row "no_new_privs" yes "setuid programs gain nothing" ;; *) row "no_new_privs" no "setuid programs work" ;; esac
case $(status Seccomp) in
  2) row "seccomp" "filter ($(status Seccomp_filters))" "system calls outside the profile are refused" ;;
  1) row "seccomp" strict "" ;;
  *) row "seccomp" off "every system call is allowed" ;;
esac
label=$(first /proc/self/attr/current 2>/dev/null | tr -d '\0')
row "security label" "${label:-none}" "AppArmor or SELinux, where the host has it"

# A limit, and what it does; without one the second part would say something untrue.
limit() {
  case $2 in
    none) row "$1" none "${HELLO_LEFT_OUT:+left out: see below}" ;;
    not*) row "$1" "$2" "" ;;
    *) row "$@" ;;
  esac
}

title "Limits"
cgroup=/sys/fs/cgroup
limit "memory" "$(size "$(first $cgroup/memory.max $cgroup/memory/memory.limit_in_bytes)")" "past it the kernel ends a process of this container"
quota=$(first $cgroup/cpu.max)
[ -n "$quota" ] || quota="$(first $cgroup/cpu/cpu.cfs_quota_us $cgroup/cpu,cpuacct/cpu.cfs_quota_us) $(first $cgroup/cpu/cpu.cfs_period_us $cgroup/cpu,cpuacct/cpu.cfs_period_us)"
case $quota in
  ' ') quota=$unseen ;;
  max* | -1*) quota=none ;;
  *) quota="$((${quota% *} * 100 / ${quota#* })) % of one CPU" ;;
esac
limit "cpu" "$quota" "more is slowed down, not ended"
pids=$(first $cgroup/pids.max $cgroup/pids/pids.max)
case $pids in '') pids=$unseen ;; max) pids=none ;; esac
limit "processes" "$pids" "a fork bomb stops here"
row "open files" "$(ulimit -Sn) (may raise to $(ulimit -Hn))" ""

title "File system"
if touch /.probe 2>/dev/null; then
  rm -f /.probe
  row "root" "read-write" ""
else
  row "root" "read-only" "writable places: /tmp, /dev, /dev/shm"
fi
# mountinfo: id parent device root mountpoint options … - type source superoptions
total=0 masked= readonly= list= devices= hierarchies=
while read -r _ _ _ _ point options rest; do
  type=${rest#*- }
  type=${type%% *}
  total=$((total + 1))
  case ",$options," in *,ro,*) mode=read-only ;; *) mode=read-write ;; esac
  case $point:$type in
    /proc:* | /sys:* | /sys/fs/cgroup:*) list="$list$point $type $mode
" ;;
    /sys/fs/cgroup/*:cgroup) hierarchies="$hierarchies ${point##*/}" ;;
    /dev/*:devtmpfs) devices="$devices ${point##*/}" ;;
    /proc/*:proc) [ $mode = read-only ] && readonly="$readonly $point" ;;
    /proc/*:* | /sys/*:tmpfs | /sys/*:devtmpfs | /sys/firmware:* | /sys/devices/*:*) masked="$masked $point" ;;
    *) list="$list$point $type $mode
" ;;
  esac
done </proc/self/mountinfo
row "mounts" "$total" "hidden and read-only paths, further down, among them"
printf '%s' "$list" | while read -r point type mode; do
  printf '    %-28s %-11s %s\n' "$point" "$type" "$mode"
  case $point in
    /sys/fs/cgroup) [ -z "$hierarchies" ] || printf '      with the limits tree of%s\n' "$hierarchies" | fold -s -w 70 | sed '2,$s/^/      /' ;;
    /dev) [ -z "$devices" ] || printf '      with the host'"'"'s%s\n' "$devices" ;;
  esac
done
row "hidden paths" "$(set -- $masked; echo $#)" "empty here, so that the kernel's inner data stays hidden:"
[ -z "$masked" ] || words "$masked"
row "read-only paths" "$(set -- $readonly; echo $#)" "the kernel's switches can be read, not turned:"
[ -z "$readonly" ] || words "$readonly"

if [ -n "$HELLO_LEFT_OUT" ]; then
  title "Left out, because this host does not allow it to you"
  echo "$HELLO_LEFT_OUT" | while read -r line; do printf '    %s\n' "$line"; done
fi
printf '\n  A shell in such a container: hack/run-hello busybox-shell. What this one was told: bundles/hello/config.json.\n\n'
