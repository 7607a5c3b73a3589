/* The probe: writes down everything that a program in a container can notice, one line each: KEY, a tab, VALUE.

   probe [WORD…]                 all sections, then the words: each is a look of its own
     stat:PATH read:PATH link:PATH write:PATH exec:PATH list:PATH make:PATH     what is there, and what can be done with it
     mknod:PATH:c:MAJOR:MINOR                                         a node made, and opened
     only:SECTION,SECTION         instead of all sections             sleep:SECONDS   stays, after it has written
     out:PATH                     writes to this file                 exit:N, kill:N  how it ends
   probe hook NAME PATH           what a hook sees (cwd, environment, namespaces, stdin), appended to PATH

   Static, and without anything of the image: it works in an empty rootfs. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/mempolicy.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;
static FILE *out;

/* Control characters, backslashes and bytes above ASCII as \xNN: a line stays a line. */
static void text(const char *value, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = value[i];
        if (c < 32 || c == '\\' || c > 126) fprintf(out, "\\x%02x", c);
        else fputc(c, out);
    }
}
static void say(const char *key, const char *format, ...) {
    char value[65536];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(value, sizeof value, format, list);
    va_end(list);
    if (length >= (int)sizeof value) length = sizeof value - 1;
    text(key, strlen(key));
    fputc('\t', out);
    text(value, length);
    fputc('\n', out);
}
static void sayf(const char *section, const char *name, const char *format, ...) {
    char key[8192], value[65536];
    snprintf(key, sizeof key, "%s.%s", section, name);
    va_list list;
    va_start(list, format);
    vsnprintf(value, sizeof value, format, list);
    va_end(list);
    say(key, "%s", value);
}
static const char *error(void) { return errno ? strerrorname_np(errno) : "ok"; }

/* Up to `room - 1` bytes of a file; -1 if it cannot be opened, -2 if it cannot be read. */
static ssize_t slurp(const char *path, char *buffer, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return -1;
    size_t have = 0;
    ssize_t n = 0;
    while (have + 1 < room && (n = read(fd, buffer + have, room - 1 - have)) > 0) have += n;
    int saved = errno;
    close(fd);
    errno = saved;
    buffer[have] = 0;
    return n < 0 && !have ? -2 : (ssize_t)have;
}
static void say_file(const char *section, const char *name, const char *path) {
    char buffer[32768];
    ssize_t n = slurp(path, buffer, sizeof buffer);
    if (n < 0) { sayf(section, name, "%s: %s", n == -1 ? "open" : "read", error()); return; }
    while (n && buffer[n - 1] == '\n') buffer[--n] = 0;
    sayf(section, name, "%s", buffer);
}

static const char *kind(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFDIR: return "dir"; case S_IFREG: return "file"; case S_IFLNK: return "link";
    case S_IFCHR: return "char"; case S_IFBLK: return "block"; case S_IFIFO: return "fifo"; case S_IFSOCK: return "socket";
    default: return "?";
    }
}
/* What a path is, and where it leads. */
static void say_stat(const char *section, const char *path) {
    struct stat s;
    if (lstat(path, &s)) { sayf(section, path, "%s", error()); return; }
    char more[PATH_MAX + 64] = "";
    if (S_ISLNK(s.st_mode)) {
        char target[PATH_MAX];
        ssize_t n = readlink(path, target, sizeof target - 1);
        target[n < 0 ? 0 : n] = 0;
        snprintf(more, sizeof more, " -> %s", target);
    } else if (S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode)) {
        snprintf(more, sizeof more, " %u:%u", major(s.st_rdev), minor(s.st_rdev));
    }
    sayf(section, path, "%s %04o %u:%u%s", kind(s.st_mode), s.st_mode & 07777, s.st_uid, s.st_gid, more);
}
static const char *opens(const char *path, int flags) {
    errno = 0;
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0) { close(fd); errno = 0; }
    return error();
}
static int entries(const char *path) {
    DIR *dir = opendir(path);
    if (!dir) return -1;
    int n = 0;
    for (struct dirent *e; (e = readdir(dir));) if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) n++;
    closedir(dir);
    return n;
}

/* The nth mount at its place: flags, propagation, type, source, options of the file system; what the place is. */
static void mounts(void) {
    FILE *f = fopen("/proc/self/mountinfo", "re");
    if (!f) { say("mounts", "%s", error()); return; }
    static char line[65536];
    static char *places[4096];
    int count = 0;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        char *save, *field[6];
        int i = 0;
        char *word = strtok_r(line, " ", &save);
        for (; word && i < 6; word = strtok_r(NULL, " ", &save)) field[i++] = word;
        if (i < 6) continue;
        char tags[256] = "";
        for (; word && strcmp(word, "-"); word = strtok_r(NULL, " ", &save)) {
            strncat(tags, " ", sizeof tags - strlen(tags) - 1);
            strncat(tags, word, sizeof tags - strlen(tags) - 1);
        }
        char *type = strtok_r(NULL, " ", &save), *source = strtok_r(NULL, " ", &save), *super = strtok_r(NULL, "", &save);
        int nth = 0;
        for (int k = 0; k < count; k++) nth += !strcmp(places[k], field[4]);
        if (count < 4096) places[count++] = strdup(field[4]);
        char name[8192];
        snprintf(name, sizeof name, nth ? "%s#%d" : "%s", field[4], nth);
        struct stat s;
        memset(&s, 0, sizeof s);
        int there = !lstat(field[4], &s);
        sayf("mount", name, "%s root=%s%s type=%s source=%s super=%s place=%s %04o %u:%u", field[5], field[3], tags,
             type ? type : "", source ? source : "", super ? super : "", there ? kind(s.st_mode) : error(),
             s.st_mode & 07777, s.st_uid, s.st_gid);
    }
    fclose(f);
}

static void devices(void) {
    DIR *dir = opendir("/dev");
    if (!dir) { say("dev", "%s", error()); return; }
    for (struct dirent *e; (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        char path[512];
        snprintf(path, sizeof path, "/dev/%s", e->d_name);
        say_stat("dev", path);
        struct stat s;
        if (!stat(path, &s) && (S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode))) {
            sayf("dev.read", path, "%s", opens(path, O_RDONLY));
            sayf("dev.write", path, "%s", opens(path, O_WRONLY));
        }
    }
    closedir(dir);
    say_stat("dev", "/dev");
    /* what can be made, and opened once it is made: the device rules by their effect */
    static const struct { const char *name; mode_t type; int major, minor; } tries[] = {
        {"mem", S_IFCHR, 1, 1}, {"null", S_IFCHR, 1, 3}, {"zero", S_IFCHR, 1, 5}, {"full", S_IFCHR, 1, 7}, {"random", S_IFCHR, 1, 8},
        {"urandom", S_IFCHR, 1, 9}, {"kmsg", S_IFCHR, 1, 11}, {"tty0", S_IFCHR, 4, 0}, {"tty", S_IFCHR, 5, 0},
        {"console", S_IFCHR, 5, 1}, {"ptmx", S_IFCHR, 5, 2}, {"loop0", S_IFBLK, 7, 0}, {"sda", S_IFBLK, 8, 0},
        {"hpet", S_IFCHR, 10, 228}, {"tun", S_IFCHR, 10, 200}, {"fuse", S_IFCHR, 10, 229}, {"pts0", S_IFCHR, 136, 0},
        {"vda", S_IFBLK, 254, 0}, {"whiteout", S_IFCHR, 0, 0},
    };
    const char *where = access("/dev", W_OK) ? "/tmp" : "/dev";
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/probe-%s", where, tries[i].name);
        errno = 0;
        int made = mknod(path, tries[i].type | 0600, makedev(tries[i].major, tries[i].minor));
        char first[32];
        snprintf(first, sizeof first, "%s", made ? error() : "ok");
        sayf("dev.make", tries[i].name, made ? "%s" : "%s, open %s", first, made ? "" : opens(path, O_RDONLY));
        if (!made) unlink(path);
    }
}

/* Masks and read-only paths by their effect. */
static void paths(void) {
    static const char *read_tries[] = {
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
        "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/proc/kallsyms", "/proc/key-users", "/proc/kmsg", "/proc/1/environ",
        "/sys/firmware", "/sys/devices/virtual/powercap", "/sys/fs/cgroup", "/sys/kernel", "/sys/class/net", "/proc/bus", "/proc/fs",
        "/proc/irq", "/proc/sys",
    };
    static const char *write_tries[] = {
        "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/vm/drop_caches", "/proc/irq/default_smp_affinity", "/proc/self/oom_score_adj", "/proc/self/attr/current",
        "/proc/self/uid_map", "/sys/kernel/profiling", "/sys/power/state", "/sys/fs/cgroup/cgroup.procs",
        "/sys/fs/cgroup/memory/cgroup.procs", "/sys/kernel/mm/ksm/run", "/proc/self/mem",
    };
    char buffer[4096];
    for (size_t i = 0; i < sizeof read_tries / sizeof *read_tries; i++) {
        struct stat s;
        if (stat(read_tries[i], &s)) { sayf("path", read_tries[i], "%s", error()); continue; }
        if (S_ISDIR(s.st_mode)) {
            int n = entries(read_tries[i]);
            sayf("path", read_tries[i], "dir %s, %04o", n < 0 ? error() : n ? "entries" : "empty", s.st_mode & 07777);
        } else {
            ssize_t n = slurp(read_tries[i], buffer, 2);
            sayf("path", read_tries[i], "%s %s, %04o", kind(s.st_mode), n < 0 ? error() : n ? "bytes" : "empty", s.st_mode & 07777);
        }
    }
    for (size_t i = 0; i < sizeof write_tries / sizeof *write_tries; i++)
        sayf("path.write", write_tries[i], "%s", opens(write_tries[i], O_WRONLY));
}

static void status_line(const char *status, const char *name) {
    char label[64];
    snprintf(label, sizeof label, "\n%s:", name);
    const char *at = strstr(status, label);
    if (!at) { sayf("status", name, "-"); return; }
    at += strlen(label);
    while (*at == '\t' || *at == ' ') at++;
    char value[4096];
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\n"), at);
    for (char *c = value; *c; c++) if (*c == '\t') *c = ' ';
    for (size_t n = strlen(value); n && value[n - 1] == ' ';) value[--n] = 0;
    sayf("status", name, "%s", value);
}
static void process(void) {
    static char status[16384] = "\n";
    slurp("/proc/self/status", status + 1, sizeof status - 1);
    static const char *lines[] = {
        "Umask", "Uid", "Gid", "Groups", "NStgid", "NSpid", "NSsid", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff",
        "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters", "Speculation_Store_Bypass", "CoreDumping", "THP_enabled",
        "Cpus_allowed_list", "Mems_allowed_list", "TracerPid", "Threads",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) status_line(status, lines[i]);
    int value = 0;
    sayf("process", "securebits", "%d", prctl(PR_GET_SECUREBITS));
    sayf("process", "dumpable", "%d", prctl(PR_GET_DUMPABLE));
    prctl(PR_GET_PDEATHSIG, &value);
    sayf("process", "pdeathsig", "%d", value);
    prctl(PR_GET_CHILD_SUBREAPER, &value);
    sayf("process", "subreaper", "%d", value);
    sayf("process", "timerslack", "%d", prctl(PR_GET_TIMERSLACK));
    sayf("process", "personality", "%#x", personality(0xffffffff));
    sayf("process", "nice", "%d", getpriority(PRIO_PROCESS, 0));
    struct { unsigned size, policy; unsigned long long flags; int nice; unsigned priority; unsigned long long run, dead, period; unsigned lo, hi; } sched = {0};
    if (!syscall(SYS_sched_getattr, 0, &sched, sizeof sched, 0))
        sayf("process", "scheduler", "policy=%u flags=%llx nice=%d priority=%u runtime=%llu deadline=%llu period=%llu", sched.policy, sched.flags,
             sched.nice, sched.priority, sched.policy == 6 ? sched.run : 0, sched.policy == 6 ? sched.dead : 0, sched.policy == 6 ? sched.period : 0);
    sayf("process", "ioprio", "%#lx", syscall(SYS_ioprio_get, 1, 0));
    int mode = -1;
    unsigned long mask[16] = {0};
    if (syscall(SYS_get_mempolicy, &mode, mask, 1024, 0, 0)) sayf("process", "mempolicy", "%s", error());
    else sayf("process", "mempolicy", "%d %lx", mode, mask[0]);
    say_file("process", "oom_score_adj", "/proc/self/oom_score_adj");
    say_file("process", "coredump_filter", "/proc/self/coredump_filter");
    say_file("process", "loginuid", "/proc/self/loginuid");
    say_file("process", "attr", "/proc/self/attr/current");
    say_file("process", "timerslack_ns", "/proc/self/timerslack_ns");
    char name[32] = "";
    prctl(PR_GET_NAME, name);
    sayf("process", "comm", "%s", name);
    char link[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", link, sizeof link - 1);
    link[n < 0 ? 0 : n] = 0;
    sayf("process", "exe", "%s", n < 0 ? error() : link);
    static const char *limits[] = {"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING",
                                   "MSGQUEUE", "NICE", "RTPRIO", "RTTIME"};
    for (int i = 0; i < 16; i++) {
        struct rlimit limit;
        getrlimit(i, &limit);
        char soft[32], hard[32];
        snprintf(soft, sizeof soft, limit.rlim_cur == RLIM_INFINITY ? "unlimited" : "%llu", (unsigned long long)limit.rlim_cur);
        snprintf(hard, sizeof hard, limit.rlim_max == RLIM_INFINITY ? "unlimited" : "%llu", (unsigned long long)limit.rlim_max);
        sayf("rlimit", limits[i], "%s %s", soft, hard);
    }
    sayf("session", "pid", "%d", getpid());
    sayf("session", "leads", "session %s, group %s", getsid(0) == getpid() ? "yes" : "no", getpgrp() == getpid() ? "yes" : "no");
    sayf("session", "parent", "%s", getppid() == 0 ? "outside" : getppid() == 1 ? "1" : "other");
}

static void terminal(void) {
    errno = 0;
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    sayf("tty", "controlling", "%s", tty < 0 ? error() : "yes");
    if (tty >= 0) {
        sayf("tty", "foreground", "%s", tcgetpgrp(tty) == getpgrp() ? "yes" : "no");
        close(tty);
    }
    for (int fd = 0; fd < 3; fd++) {
        char name[16];
        snprintf(name, sizeof name, "%d", fd);
        struct termios t;
        if (tcgetattr(fd, &t)) { sayf("tty", name, "no"); continue; }
        struct winsize w = {0};
        ioctl(fd, TIOCGWINSZ, &w);
        struct stat s;
        fstat(fd, &s);
        sayf("tty", name, "iflag=%#x oflag=%#x cflag=%#x lflag=%#x size=%ux%u mode=%04o %u:%u", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag,
             w.ws_col, w.ws_row, s.st_mode & 07777, s.st_uid, s.st_gid);
    }
}

static void descriptors(const char *section) {
    DIR *dir = opendir("/proc/self/fd");
    if (!dir) { say(section, "%s", error()); return; }
    for (struct dirent *e; (e = readdir(dir));) {
        int fd = atoi(e->d_name);
        if (e->d_name[0] == '.' || fd == dirfd(dir) || (out && fd == fileno(out) && fd > 2)) continue;
        char link[PATH_MAX];
        ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link - 1);
        link[n < 0 ? 0 : n] = 0;
        int flags = fcntl(fd, F_GETFL);
        sayf(section, e->d_name, "%s %s%s%s", link, (flags & O_ACCMODE) == O_RDONLY ? "r" : (flags & O_ACCMODE) == O_WRONLY ? "w" : "rw",
             flags & O_APPEND ? " append" : "", flags & O_NONBLOCK ? " nonblock" : "");
    }
    closedir(dir);
}

static void environment(const char *section) {
    int count = 0;
    for (char **e = environ; *e; e++) {
        count++;
        char *equals = strchr(*e, '=');
        if (!equals) { sayf(section, *e, "without ="); continue; }
        char name[4096];
        snprintf(name, sizeof name, "%.*s", (int)(equals - *e), *e);
        sayf(section, name, "%s", equals + 1);
    }
    sayf(section, "(entries)", "%d", count);
}

static void identity(const char *section) {
    char cwd[PATH_MAX];
    sayf(section, "cwd", "%s", getcwd(cwd, sizeof cwd) ? cwd : error());
    struct utsname u;
    uname(&u);
    sayf(section, "hostname", "%s", u.nodename);
    sayf(section, "domainname", "%s", u.domainname);
    sayf(section, "machine", "%s", u.machine);
    sayf(section, "release", "%s", u.release);
}

static void namespaces(const char *section) {
    static const char *names[] = {"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64], link[128];
        snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
        ssize_t n = readlink(path, link, sizeof link - 1);
        link[n < 0 ? 0 : n] = 0;
        sayf(section, names[i], "%s", n < 0 ? error() : link);
    }
}
static void maps(void) {
    say_file("maps", "uid", "/proc/self/uid_map");
    say_file("maps", "gid", "/proc/self/gid_map");
    say_file("maps", "setgroups", "/proc/self/setgroups");
    say_file("maps", "time", "/proc/self/timens_offsets");
}

static void keyring(void) {
    char buffer[4096];
    long n = syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, buffer, sizeof buffer, 0);
    if (n < 0) { say("keyring", "%s", error()); return; }
    say("keyring", "%s", buffer);
}

static void cgroups(void) {
    say_file("cgroup", "self", "/proc/self/cgroup");
    DIR *dir = opendir("/sys/fs/cgroup");
    if (!dir) { sayf("cgroup", "fs", "%s", error()); return; }
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.' || e->d_type == DT_REG) continue;
        char path[512];
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s", e->d_name);
        say_stat("cgroup", path);
    }
    closedir(dir);
    static const char *files[] = {
        "cgroup.type", "cgroup.controllers", "cgroup.subtree_control", "memory/memory.limit_in_bytes", "pids/pids.max",
        "cpu/cpu.shares", "cpu/cpu.cfs_quota_us", "cpuset/cpuset.cpus", "memory.max", "pids.max", "cpu.weight", "cpu.max",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[128];
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s", files[i]);
        say_file("cgroup.file", files[i], path);
    }
}

static void network(void) {
    struct if_nameindex *list = if_nameindex();
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (struct if_nameindex *i = list; i && i->if_index; i++) {
        struct ifreq r = {0};
        strncpy(r.ifr_name, i->if_name, IFNAMSIZ - 1);
        short flags = s >= 0 && !ioctl(s, SIOCGIFFLAGS, &r) ? r.ifr_flags : -1;
        int mtu = s >= 0 && !ioctl(s, SIOCGIFMTU, &r) ? r.ifr_mtu : -1;
        sayf("net", i->if_name, "%s mtu=%d", flags & IFF_UP ? "up" : "down", mtu);
    }
    if (s >= 0) close(s);
}

static void sysctls(void) {
    static const char *names[] = {
        "kernel/msgmax", "kernel/msgmnb", "kernel/shmmax", "kernel/shmmni", "kernel/sem", "fs/mqueue/msg_max", "kernel/hostname",
        "kernel/domainname", "net/ipv4/ip_forward", "net/ipv4/ping_group_range", "net/ipv4/ip_unprivileged_port_start",
        "net/core/somaxconn", "net/ipv4/conf/all/forwarding", "net/ipv4/conf/lo/forwarding", "kernel/shm_rmid_forced",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "/proc/sys/%s", names[i]);
        say_file("sysctl", names[i], path);
    }
}

/* Calls with arguments that do nothing: the error tells a filter from the kernel. Each in a process of its own. */
static void call(const char *name, long number, long a, long b, long c, long d, long e) {
    fflush(out);
    pid_t pid = fork();
    if (!pid) {
        errno = 0;
        long r = syscall(number, a, b, c, d, e, 0);
        _exit(r < 0 ? errno & 255 : 0);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) { sayf("call", name, "fork: %s", error()); return; }
    if (WIFSIGNALED(status)) sayf("call", name, "signal %d", WTERMSIG(status));
    else {
        errno = WEXITSTATUS(status);
        sayf("call", name, "%s", error());
    }
}
static void calls(void) {
    call("add_key", SYS_add_key, 0, 0, 0, 0, 0);
    call("bpf", SYS_bpf, 0, 0, 0, 0, 0);
    call("chroot", SYS_chroot, (long)"/", 0, 0, 0, 0);
    call("clone3", SYS_clone3, 0, 0, 0, 0, 0);
    call("clock_settime", SYS_clock_settime, 0, 0, 0, 0, 0);
    call("delete_module", SYS_delete_module, 0, 0, 0, 0, 0);
    call("fsopen", SYS_fsopen, (long)"tmpfs", 0, 0, 0, 0);
    call("io_uring_setup", 425, 0, 0, 0, 0, 0);
    call("kexec_load", SYS_kexec_load, 0, 0, 0, 0, 0);
    call("keyctl", SYS_keyctl, -1, 0, 0, 0, 0);
    call("mount", SYS_mount, (long)"none", (long)"/", (long)"tmpfs", MS_RDONLY | MS_REMOUNT | 1L << 40, 0);
    call("move_pages", SYS_move_pages, -1, 0, 0, 0, 0);
    call("open_by_handle_at", SYS_open_by_handle_at, -1, 0, 0, 0, 0);
    call("perf_event_open", SYS_perf_event_open, 0, 0, 0, 0, 0);
    call("personality 0", SYS_personality, 0, 0, 0, 0, 0);
    call("personality 0x40000", SYS_personality, 0x40000, 0, 0, 0, 0);
    call("pivot_root", SYS_pivot_root, 0, 0, 0, 0, 0);
    call("process_vm_readv", SYS_process_vm_readv, getpid(), 0, 0, 0, 0);
    call("ptrace", SYS_ptrace, 12345, 0, 0, 0, 0);
    call("quotactl", SYS_quotactl, 0, 0, 0, 0, 0);
    call("reboot", SYS_reboot, 0, 0, 0, 0, 0);
    call("setdomainname", SYS_setdomainname, 0, -1, 0, 0, 0);
    call("sethostname", SYS_sethostname, 0, -1, 0, 0, 0);
    call("setns", SYS_setns, -1, 0, 0, 0, 0);
    call("settimeofday", SYS_settimeofday, 1, 0, 0, 0, 0);
    call("socket packet", SYS_socket, AF_PACKET, SOCK_RAW, 0, 0, 0);
    call("socket raw", SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP, 0, 0);
    call("socket vsock", SYS_socket, 40, SOCK_STREAM, 0, 0, 0);
    call("socket ping", SYS_socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP, 0, 0);
    call("swapoff", SYS_swapoff, 0, 0, 0, 0, 0);
    call("syslog", SYS_syslog, 10, 0, 0, 0, 0);
    call("umount2", SYS_umount2, (long)"", 0, 0, 0, 0);
    call("unshare fs", SYS_unshare, CLONE_FS, 0, 0, 0, 0);
    call("unshare mnt", SYS_unshare, CLONE_NEWNS, 0, 0, 0, 0);
    call("unshare user", SYS_unshare, CLONE_NEWUSER, 0, 0, 0, 0);
    call("userfaultfd", SYS_userfaultfd, -1, 0, 0, 0, 0);
    call("setuid 0", SYS_setuid, 0, 0, 0, 0, 0);
    call("setuid 1234", SYS_setuid, 1234, 0, 0, 0, 0);
    call("setgroups", SYS_setgroups, 0, 0, 0, 0, 0);
    call("no such call", 1023, 0, 0, 0, 0, 0);
}

static void look(char *word) {
    char *colon = strchr(word, ':');
    if (!colon) { sayf("word", word, "unknown"); return; }
    *colon = 0;
    char *path = colon + 1;
    char section[64];
    snprintf(section, sizeof section, "at.%s", word);
    errno = 0;
    if (!strcmp(word, "stat")) say_stat(section, path);
    else if (!strcmp(word, "read")) say_file(section, path, path);
    else if (!strcmp(word, "link")) {
        char target[PATH_MAX] = "";
        sayf(section, path, "%s", readlink(path, target, sizeof target - 1) < 0 ? error() : target);
    }
    else if (!strcmp(word, "write")) {
        int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        sayf(section, path, "%s", fd < 0 ? error() : write(fd, "x", 1) == 1 ? "ok" : error());
        if (fd >= 0) close(fd);
    } else if (!strcmp(word, "make")) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        sayf(section, path, "%s", fd < 0 ? error() : "ok");
        if (fd >= 0) { close(fd); say_stat(section, path); unlink(path); }
    } else if (!strcmp(word, "list")) {
        struct dirent **names;
        int n = scandir(path, &names, NULL, alphasort);
        if (n < 0) { sayf(section, path, "%s", error()); return; }
        char all[32768] = "";
        for (int i = 0; i < n; i++) {
            if (names[i]->d_name[0] == '.' && (!names[i]->d_name[1] || names[i]->d_name[1] == '.')) continue;
            if (strlen(all) + strlen(names[i]->d_name) + 2 < sizeof all) strcat(strcat(all, names[i]->d_name), " ");
        }
        sayf(section, path, "%s", all);
    } else if (!strcmp(word, "exec")) {
        fflush(out);
        pid_t pid = fork();
        if (!pid) {
            execl(path, path, "only:none", NULL);
            _exit(errno & 127);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        errno = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
        sayf(section, path, "%s", WIFEXITED(status) ? error() : "signal");
    } else if (!strcmp(word, "mknod")) {
        char name[256], type;
        unsigned a, b;
        if (sscanf(path, "%255[^:]:%c:%u:%u", name, &type, &a, &b) != 4) return;
        int made = mknod(name, (type == 'b' ? S_IFBLK : S_IFCHR) | 0600, makedev(a, b));
        sayf(section, path, made ? "%s" : "ok, read %s", made ? error() : opens(name, O_RDONLY));
        if (!made) { sayf(section, path, "write %s", opens(name, O_WRONLY)); unlink(name); }
    } else sayf("word", word, "unknown");
}

static int hook(int argc, char **argv) {
    out = fopen(argv[3], "ae");
    if (!out) return 97;
    char section[256];
    snprintf(section, sizeof section, "hook.%s", argv[2]);
    char part[300], state[65536];
    ssize_t n = 0, have = 0;
    while (have + 1 < (ssize_t)sizeof state && (n = read(0, state + have, sizeof state - 1 - have)) > 0) have += n;
    state[have] = 0;
    sayf(section, "stdin", "%s", state);
    snprintf(part, sizeof part, "%s.is", section), identity(part);
    snprintf(part, sizeof part, "%s.env", section), environment(part);
    snprintf(part, sizeof part, "%s.ns", section), namespaces(part);
    snprintf(part, sizeof part, "%s.fd", section), descriptors(part);
    sayf(section, "uid", "%d %d", geteuid(), getegid());
    struct stat root, cwd;
    if (!stat("/", &root) && !stat(".", &cwd)) sayf(section, "stands", "%s", root.st_ino == cwd.st_ino && root.st_dev == cwd.st_dev ? "in its root" : "elsewhere");
    sayf(section, "image", "%s", access("/probe", F_OK) ? "not the root" : "the root");
    for (int i = 4; i < argc; i++) {
        if (!strncmp(argv[i], "exit:", 5)) { fclose(out); return atoi(argv[i] + 5); }
        else if (!strncmp(argv[i], "say:", 4)) fprintf(stderr, "%s\n", argv[i] + 4);
        else if (!strncmp(argv[i], "sleep:", 6)) { fflush(out); usleep(atof(argv[i] + 6) * 1e6); }
        else look(argv[i]);
    }
    fclose(out);
    return 0;
}

int main(int argc, char **argv) {
    if (argc >= 4 && !strcmp(argv[1], "hook")) return hook(argc, argv);
    const char *only = NULL;
    out = stdout;
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "only:", 5)) only = argv[i] + 5;
        if (!strncmp(argv[i], "out:", 4)) {
            out = fopen(argv[i] + 4, "we");
            if (!out) return 97;
        }
    }
#define SECTION(name, act) if (!only || strstr(only, name)) act
    SECTION("identity", identity("is"));
    SECTION("environment", environment("env"));
    SECTION("fd", descriptors("fd"));
    SECTION("process", process());
    SECTION("tty", terminal());
    SECTION("mounts", mounts());
    SECTION("namespaces", (namespaces("ns"), maps()));
    SECTION("paths", paths());
    SECTION("cgroups", cgroups());
    SECTION("network", network());
    SECTION("sysctls", sysctls());
    SECTION("keyring", keyring());
    SECTION("devices", devices());
    SECTION("calls", calls());
    for (int i = 0; i < argc; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        if (!only || strstr(only, "arguments")) sayf("arg", name, "%s", argv[i]);
    }
    int code = 0;
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "only:", 5) || !strncmp(argv[i], "out:", 4) || !strncmp(argv[i], "arg:", 4)) continue;
        if (!strncmp(argv[i], "exit:", 5)) code = atoi(argv[i] + 5);
        else if (!strncmp(argv[i], "sleep:", 6)) {
            say("end", "asleep");
            fflush(out);
            usleep(atof(argv[i] + 6) * 1e6);
        } else if (!strncmp(argv[i], "kill:", 5)) {
            fflush(out);
            signal(atoi(argv[i] + 5), SIG_DFL);
            kill(getpid(), atoi(argv[i] + 5));
        } else look(strdup(argv[i]));
    }
    say("end", "%d", code);
    fclose(out);
    return code;
}
