/* floor: the least that the container of the benchmark costs. No C library, no config, no state: only the kernel calls that this very
   container needs, from tables that hack/benchmark/floor.py writes into tables.h out of the same config.json. It checks nothing and
   guards against nothing; what a runtime takes beyond it is the price of reading, checking, recording and explaining.

     floor run ROOTFS PARENT CGROUP             make the container, run the program in it, remove its cgroup
     floor create ROOTFS PARENT CGROUP FIFO     make it, and leave it waiting at FIFO; prints its process id
     floor start FIFO                           let it run
     floor delete CGROUP FIFO                   remove its cgroup and the fifo
     floor exec PID CGROUP                      run the program inside the container of process PID

   Exit code: the program's; 100 + the number of the call that failed. Cgroup v2 and x86-64 alone. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/bpf.h>
#include <linux/fs.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct entry { const char *type, *target, *source; unsigned attributes; const char *options[12]; };
struct node { const char *name; unsigned device; };
#include "tables.h"

static long call(long n, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
}
#define CALL(n, a, b, c, d, e, ...) call(SYS_##n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS(...) CALL(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
/* the call has to succeed */
static long step;
static long must(long result) {
    step++;
    if (result < 0) SYS(exit_group, 100 + step);
    return result;
}

static char **arguments;
static long ready, waits;

static void confine(void) {
    for (int bit = 0; bit < 64; bit++)
        if (DROPPED >> bit & 1) must(SYS(prctl, PR_CAPBSET_DROP, bit));
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{KEPT & 0xffffffff, KEPT & 0xffffffff, 0}, {KEPT >> 32, KEPT >> 32, 0}};
    must(SYS(setgroups, 0, 0));
    must(SYS(setresgid, 0, 0, 0));
    must(SYS(setresuid, 0, 0, 0));
    struct sock_fprog filter = {sizeof filter_code / sizeof *filter_code, filter_code};
    must(SYS(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter));
    must(SYS(capset, &head, data));
}

static void become(void) {
    static const char *const argv[] = {PROGRAM, 0}, *const envp[] = {"PATH=/bin", "HOME=/root", "TERM=xterm", 0};
    must(SYS(execve, argv[0], argv, envp));
}

static void keyring(void) { must(SYS(keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, "_ses.floor")); }

static void mount_entry(int root, const struct entry *m) {
    int tree;
    if (m->source) {
        tree = must(SYS(open_tree, AT_FDCWD, m->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
        if (m->attributes) {
            struct mount_attr attr = {.attr_set = m->attributes};
            must(SYS(mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr));
        }
    } else {
        int context = must(SYS(fsopen, m->type, FSOPEN_CLOEXEC));
        for (const char *const *o = m->options; *o; o += 2)
            must(SYS(fsconfig, context, o[1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, o[0], o[1], 0));
        must(SYS(fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0));
        tree = must(SYS(fsmount, context, FSMOUNT_CLOEXEC, m->attributes));
        SYS(close, context);
    }
    must(SYS(move_mount, tree, "", root, m->target, MOVE_MOUNT_F_EMPTY_PATH));
    SYS(close, tree);
}

static void inside(void) {
    const char *rootfs = arguments[2];
    int score = must(SYS(openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    must(SYS(write, score, "0", 1));
    SYS(close, score);
    must(SYS(unshare, CLONE_NEWCGROUP));
    keyring();
    struct ifreq loopback = {.ifr_ifrn.ifrn_name = "lo", .ifr_ifru.ifru_flags = IFF_UP | IFF_LOOPBACK};
    int inet = must(SYS(socket, 2, 2 | O_CLOEXEC, 0));
    must(SYS(ioctl, inet, 0x8914 /* SIOCSIFFLAGS */, &loopback));
    SYS(close, inet);
    SYS(umask, 0);
    struct mount_attr private = {.propagation = 1 << 18 /* MS_PRIVATE */};
    must(SYS(mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof private));
    int root = must(SYS(open_tree, AT_FDCWD, rootfs, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    must(SYS(move_mount, root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));
    for (unsigned i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        if (mounts[i].type && MADE(mounts[i].target)) must(SYS(mkdirat, root, mounts[i].target, 0755));
        mount_entry(root, &mounts[i]);
    }
    for (unsigned i = 0; i < sizeof nodes / sizeof *nodes; i++) must(SYS(mknodat, root, nodes[i].name, S_IFCHR | 0666, nodes[i].device));
    for (unsigned i = 0; i < sizeof links / sizeof *links; i += 2) must(SYS(symlinkat, links[i + 1], root, links[i]));
    must(SYS(fchdir, root));
    must(SYS(pivot_root, ".", "."));
    must(SYS(umount2, ".", 2 /* MNT_DETACH */));
    must(SYS(sethostname, "hello", 5));
    for (unsigned i = 0; i < sizeof readonly / sizeof *readonly; i++) mount_entry(AT_FDCWD, &readonly[i]);
    for (unsigned i = 0; i < sizeof masked / sizeof *masked; i++) {
        int tree = must(SYS(open_tree, AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
        must(SYS(move_mount, tree, "", AT_FDCWD, masked[i], MOVE_MOUNT_F_EMPTY_PATH));
        SYS(close, tree);
    }
    int empty = must(SYS(fsopen, "tmpfs", FSOPEN_CLOEXEC));
    must(SYS(fsconfig, empty, FSCONFIG_CMD_CREATE, 0, 0, 0));
    int tree = must(SYS(fsmount, empty, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
    SYS(close, empty);
    for (unsigned i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        int next = i ? must(SYS(open_tree, tree, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)) : tree;
        must(SYS(move_mount, next, "", AT_FDCWD, hidden[i], MOVE_MOUNT_F_EMPTY_PATH));
        if (i) SYS(close, next);
    }
    SYS(close, tree);
    SYS(umask, 022);
    must(SYS(setsid, 0));
    confine();
    if (waits) {
        char word;
        must(SYS(write, ready, "r", 1));
        must(SYS(read, waits, &word, 1));
    }
    become();
}

static void joined(void) {
    keyring();
    must(SYS(setsid, 0));
    confine();
    become();
}

static char stack[16384] __attribute__((aligned(64)));

static long begin(void (*child)(void), unsigned long flags, int cgroup) {
    struct clone_args args = {.flags = flags | CLONE_VM | CLONE_INTO_CGROUP, .exit_signal = 17, .stack = (unsigned long)stack,
                              .stack_size = sizeof stack, .cgroup = cgroup};
    long result;
    register void (*run)(void) __asm__("r12") = child;
    __asm__ volatile("syscall; test %%rax, %%rax; jnz 1f; xor %%ebp, %%ebp; call *%%r12; 1:"
                     : "=a"(result) : "a"(SYS_clone3), "D"(&args), "S"(sizeof args), "r"(run) : "rcx", "r11", "memory");
    return must(result);
}

static long number(const char *text) {
    long value = 0;
    while (*text >= '0' && *text <= '9') value = value * 10 + *text++ - '0';
    return value;
}

static int ended(long pid) {
    int status = 0;
    must(SYS(wait4, pid, &status, 0, 0));
    return status & 127 ? 128 + (status & 127) : status >> 8;
}

static int make(int lives_on) {
    SYS(mkdir, arguments[3], 0755);
    must(SYS(mkdir, arguments[4], 0755));
    int cgroup = must(SYS(open, arguments[4], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    union bpf_attr program = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE, .insn_cnt = sizeof device_code / sizeof *device_code,
                              .insns = (unsigned long)device_code, .license = (unsigned long)"Apache"};
    int loaded = must(SYS(bpf, BPF_PROG_LOAD, &program, sizeof program));
    union bpf_attr attach = {.target_fd = cgroup, .attach_bpf_fd = loaded, .attach_type = BPF_CGROUP_DEVICE, .attach_flags = BPF_F_ALLOW_MULTI};
    must(SYS(bpf, BPF_PROG_ATTACH, &attach, sizeof attach));
    unsigned long flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    if (!lives_on) {
        int code = ended(begin(inside, flags | CLONE_VFORK, cgroup));
        must(SYS(rmdir, arguments[4]));
        return code;
    }
    int pipe[2];
    must(SYS(mknod, arguments[5], S_IFIFO | 0600, 0));
    waits = must(SYS(open, arguments[5], O_RDWR | O_CLOEXEC));
    must(SYS(pipe2, pipe, O_CLOEXEC));
    ready = pipe[1];
    long pid = begin(inside, flags, cgroup);
    char text[24], *digit = text + sizeof text, word;
    must(SYS(read, pipe[0], &word, 1));
    for (long rest = pid; rest; rest /= 10) *--digit = '0' + rest % 10;
    must(SYS(write, 1, digit, text + sizeof text - digit));
    return 0;
}

static int start(void) {
    int fifo = must(SYS(open, arguments[2], O_WRONLY | O_CLOEXEC));
    must(SYS(write, fifo, "s", 1));
    return 0;
}

static int delete(void) {
    must(SYS(rmdir, arguments[2]));
    must(SYS(unlink, arguments[3]));
    return 0;
}

static int join(void) {
    int process = must(SYS(pidfd_open, number(arguments[2]), 0));
    int cgroup = must(SYS(open, arguments[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    must(SYS(setns, process, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP));
    return ended(begin(joined, CLONE_VFORK, cgroup));
}

__attribute__((used)) static void enter(long *words) {
    arguments = (char **)(words + 1);
    char first = arguments[1][0];
    int code = first == 'r' ? make(0) : first == 'c' ? make(1) : first == 's' ? start() : first == 'd' ? delete() : join();
    SYS(exit_group, code);
    __builtin_unreachable();
}

__asm__(".globl _start\n_start: mov %rsp, %rdi; and $-16, %rsp; call enter\n");
