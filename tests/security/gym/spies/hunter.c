// hunter MODE REPORT CANARY [old]: hunts the processes that appear in its pid namespace, from their first instant on,
// and writes what it saw of them to the file REPORT.
//
//   trace  takes them by ptrace, stops them, looks, lets them do the attack on itself (see attack), follows every system
//          call up to their execve, and looks again whenever their rights have changed
//   mem    opens /proc/PID/mem for writing, then looks until they have become another program
//   look   reads what any neighbour may read: status and mountinfo
//
// CANARY is a file of the host and, after a comma, a word of the host's mount table. With "old", processes that are
// there already are taken too, but not followed. The report has a line for each thing seen, beginning with the pid:
//   PID rights WHEN name=… uid=… prm=… eff=… bnd=… amb=… nnp=… seccomp=… filters=…
//   PID fd NUMBER KIND LINK | PID host HOW | PID mem | PID refused ERRNO | PID called NUMBER… | PID end
//   PID attack opened | PID attack CALL ERRNO      the host's core_pattern, opened for writing; never written
#include "common.h"
#include <dirent.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { AHEAD = 6, PREY = 64, STOPS = 4000, CALLS = 512 };

struct prey {
  pid_t pid;
  int stops, looked;
  char rights[512];
  unsigned char called[CALLS];
};

static struct prey herd[PREY];
static int hunted;
static char canary[1024], *word = "";

static int read_file(pid_t pid, const char *file, char *buffer, int size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
  int fd = open(path, O_RDONLY | O_CLOEXEC), all = 0, count;
  if (fd < 0) return -1;
  while (all < size - 1 && (count = read(fd, buffer + all, size - 1 - all)) > 0) all += count;
  close(fd);
  buffer[all] = 0;
  return all;
}

static const char *field(const char *status, const char *name, char *value, int size) {
  const char *at = strstr(status, name);
  int i = 0;
  if (at) at += strlen(name) + strspn(at + strlen(name), "\t ");
  for (; at && i < size - 1 && *at && !strchr("\t\n", *at); at++) value[i++] = *at == ' ' ? '_' : *at;
  value[i] = 0;
  return value;
}

// Says the rights if they are others than last time; 1 if so, -1 if the process is gone.
static int rights(struct prey *prey, const char *when) {
  static const char *names[] = {"Name:", "Uid:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:",
                                "Seccomp:", "Seccomp_filters:"};
  static const char *words[] = {"name", "uid", "prm", "eff", "bnd", "amb", "nnp", "seccomp", "filters"};
  char status[8192], line[512], value[64];
  int length = 0;
  if (read_file(prey->pid, "status", status, sizeof status) <= 0) return -1;
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    length += snprintf(line + length, sizeof line - length, " %s=%s", words[i],
                       field(status, names[i], value, sizeof value));
  if (!strcmp(line, prey->rights)) return 0;
  strcpy(prey->rights, line);
  say("%d rights %s%s", prey->pid, when, line);
  return 1;
}

static void mounts(pid_t pid, const char *when) {
  static char table[1 << 20];
  if (*word && read_file(pid, "mountinfo", table, sizeof table) > 0 && strstr(table, word))
    say("%d host mountinfo-%s", pid, when);
}

// What it holds and where it stands; all of this needs the right to trace it.
static void possessions(pid_t pid, const char *when) {
  char path[2048], link[1024];
  static const char *places[] = {"root", "cwd"};
  struct stat found;
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "/proc/%d/%s%s", pid, places[i], canary);
    if (*canary && !stat(path, &found)) say("%d host %s-%s", pid, places[i], when);
  }
  snprintf(path, sizeof path, "/proc/%d/fd", pid);
  DIR *directory = opendir(path);
  if (!directory) return;
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (entry->d_name[0] == '.' || (entry->d_name[0] <= '2' && !entry->d_name[1])) continue;
    snprintf(path, sizeof path, "/proc/%d/fd/%s", pid, entry->d_name);
    int length = readlink(path, link, sizeof link - 1);
    if (length < 0) continue;
    link[length] = 0;
    say("%d fd %s %o %s", pid, entry->d_name, stat(path, &found) ? 0 : found.st_mode & S_IFMT, link);
    snprintf(path, sizeof path, "/proc/%d/fd/%s%s", pid, entry->d_name, canary);
    if (*canary && !stat(path, &found)) say("%d host fd-%s-%s", pid, entry->d_name, when);
  }
  closedir(directory);
}

#ifdef __x86_64__
// One system call by the prey, which stands at no system call of its own; -4095…-1 is an errno, INT64_MIN no answer.
static int64_t by_prey(pid_t pid, struct user_regs_struct *own, long number, long a, long b, long c, long d, long e) {
  struct user_regs_struct regs = *own;
  int status;
  regs.orig_rax = -1;
  regs.rax = number;
  regs.rdi = a, regs.rsi = b, regs.rdx = c, regs.r10 = d, regs.r8 = e;
  regs.r9 = 0;
  if (ptrace(PTRACE_SETREGS, pid, 0, &regs)) return INT64_MIN;
  if (ptrace(PTRACE_CONT, pid, 0, 0)) return INT64_MIN;
  if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) || status >> 8 != SIGTRAP) return INT64_MIN;
  if (ptrace(PTRACE_GETREGS, pid, 0, &regs)) return INT64_MIN;
  return regs.rax;
}

// The prey mounts a proc and opens core_pattern: what a container must never be able to.
static void attack(pid_t pid) {
  struct user_regs_struct own;
  static const char words[32] __attribute__((aligned(8))) = "proc\0\0\0\0sys/kernel/core_pattern";
  long kept[4], code, at;
  if (ptrace(PTRACE_GETREGS, pid, 0, &own)) return;
  at = (own.rsp - 512) & ~15L;
  errno = 0;
  code = ptrace(PTRACE_PEEKTEXT, pid, own.rip, 0);
  for (int i = 0; i < 4; i++) kept[i] = ptrace(PTRACE_PEEKDATA, pid, at + 8 * i, 0);
  if (errno) return say("%d attack peek %d", pid, errno);
  // syscall; int3
  ptrace(PTRACE_POKETEXT, pid, own.rip, (code & ~0xffffffL) | 0xcc050f);
  for (int i = 0; i < 4; i++) ptrace(PTRACE_POKEDATA, pid, at + 8 * i, ((long *)words)[i]);
  const char *call = "fsopen";
  int64_t context = by_prey(pid, &own, 430, at, 0, 0, 0, 0), made = -1, mount = -1, opened = -1;
  if (context >= 0) call = "fsconfig", made = by_prey(pid, &own, 431, context, 6, 0, 0, 0);
  if (made >= 0) call = "fsmount", mount = by_prey(pid, &own, 432, context, 0, 0, 0, 0);
  if (mount >= 0) call = "openat", opened = by_prey(pid, &own, 257, mount, at + 8, O_WRONLY, 0, 0);
  int64_t all[] = {context, mount, opened};
  for (int i = 0; i < 3; i++)
    if (all[i] >= 0) by_prey(pid, &own, 3, all[i], 0, 0, 0, 0);
  ptrace(PTRACE_POKETEXT, pid, own.rip, code);
  for (int i = 0; i < 4; i++) ptrace(PTRACE_POKEDATA, pid, at + 8 * i, kept[i]);
  ptrace(PTRACE_SETREGS, pid, 0, &own);
  int64_t last = context < 0 ? context : made < 0 ? made : mount < 0 ? mount : opened;
  if (opened >= 0) say("%d attack opened", pid);
  else say("%d attack %s %lld", pid, call, (long long)-last);
}
#else
static void attack(pid_t pid) { say("%d attack none 0", pid); }
#endif

static struct prey *of(pid_t pid) {
  for (int i = 0; i < PREY; i++)
    if (herd[i].pid == pid) return &herd[i];
  return 0;
}

static struct prey *add(pid_t pid) {
  struct prey *prey = of(0);
  if (!prey) return 0;
  memset(prey, 0, sizeof *prey);
  prey->pid = pid;
  hunted++;
  return prey;
}

static void release(struct prey *prey) {
  say("%d end", prey->pid);
  prey->pid = 0;
  hunted--;
}

// One that is being killed cannot be let go: until its end has been heard here, it has not ended for its parent.
static void let_go(struct prey *prey, int signal) {
  if (!ptrace(PTRACE_DETACH, prey->pid, 0, signal)) release(prey);
}

// What it called until it became another program.
static void calls(struct prey *prey) {
  char line[4 * CALLS] = "";
  int length = 0;
  for (int i = 0; i < CALLS; i++)
    if (prey->called[i]) length += snprintf(line + length, sizeof line - length, " %d", i);
  say("%d called%s", prey->pid, line);
}

static void stopped(struct prey *prey, int status, int follow) {
  pid_t pid = prey->pid;
  int signal = WSTOPSIG(status), event = status >> 16;
  if (!prey->looked) {
    prey->looked = 1;
    rights(prey, "first");
    possessions(pid, "first");
    mounts(pid, "first");
    // Only here it stands between two instructions of its own.
    if (event == PTRACE_EVENT_STOP && signal == SIGTRAP) attack(pid);
    if (!follow) return let_go(prey, 0);
    signal = 0;
  } else if (event == PTRACE_EVENT_EXEC) {
    calls(prey);
    rights(prey, "exec");
    possessions(pid, "exec");
    return let_go(prey, 0);
  } else if (signal == (SIGTRAP | 0x80)) {
    struct { uint8_t op, none[3]; uint32_t arch; uint64_t place[2], number, arguments[6]; } info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0 && info.op == 1 && info.number < CALLS)
      prey->called[info.number] = 1;
    if (rights(prey, "later") > 0) possessions(pid, "later");
    mounts(pid, "later");
    signal = 0;
  } else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
    ptrace(PTRACE_LISTEN, pid, 0, 0);
    return;
  } else if (event) {
    signal = 0;
  }
  if (++prey->stops > STOPS) return let_go(prey, signal);
  ptrace(PTRACE_SYSCALL, pid, 0, signal);
}

static int take(pid_t pid) {
  long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
  if (ptrace(PTRACE_SEIZE, pid, 0, options)) {
    // A process that may not be traced is tried again until it is gone: some are let go for an instant.
    static struct prey shy;
    if (errno == ESRCH) return shy.pid == pid;
    if (of(pid)) return 1;
    if (shy.pid != pid) {
      say("%d refused %d", pid, errno);
      shy = (struct prey){.pid = pid};
    }
    rights(&shy, "refused");
    return 0;
  }
  if (!add(pid)) return 1;
  if (ptrace(PTRACE_INTERRUPT, pid, 0, 0)) say("%d refused %d", pid, errno);
  return 1;
}

static void news(int follow) {
  int status;
  for (pid_t pid; hunted && (pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0;) {
    struct prey *prey = of(pid);
    if (!prey && !(prey = add(pid))) continue;
    if (WIFSTOPPED(status)) stopped(prey, status, follow);
    else release(prey);
  }
}

// Follows one process without stopping it.
static int watch(pid_t pid, int memory) {
  struct prey prey = {.pid = pid};
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, memory ? "mem" : "status");
  int fd = open(path, memory ? O_RDWR | O_CLOEXEC : O_RDONLY | O_CLOEXEC);
  if (fd < 0 && (errno == ENOENT || errno == ESRCH)) return 0;
  if (fd < 0) say("%d refused %d", pid, errno);
  else if (memory) say("%d mem", pid);
  for (int quiet = 0; quiet < 500; quiet++) {
    int changed = rights(&prey, quiet ? "later" : "first");
    if (changed < 0) break;
    if (changed) quiet = 0;
    if (changed && memory && fd >= 0) possessions(pid, "later");
    mounts(pid, "later");
  }
  if (fd >= 0) close(fd);
  say("%d end", pid);
  return 1;
}

// The number after those that are there; with `old` they are taken.
static pid_t newest(pid_t next, int old) {
  DIR *proc = opendir("/proc");
  if (!proc) return next;
  for (struct dirent *entry; (entry = readdir(proc));) {
    pid_t pid = atoi(entry->d_name);
    if (pid <= 0 || pid == getpid()) continue;
    if (old) take(pid);
    if (pid >= next) next = pid + old;
  }
  closedir(proc);
  return next;
}

// The number that was given last in this pid namespace.
static pid_t last_given(void) {
  static int fd = -1;
  char line[128];
  if (fd < 0) fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
  int length = pread(fd, line, sizeof line - 1, 0);
  if (length <= 0) return 0;
  line[length] = 0;
  char *last = strrchr(line, ' ');
  return last ? atoi(last) : 0;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int trace = !strcmp(argv[1], "trace"), memory = !strcmp(argv[1], "mem");
  int old = argc > 4 && !strcmp(argv[4], "old");
  begin(argv[2]);
  snprintf(canary, sizeof canary, "%s", argv[3]);
  if (strchr(canary, ',')) word = strchr(canary, ',') + 1, word[-1] = 0;
  pid_t next = newest(getpid() + 1, old);
  say("0 ready");
  for (unsigned round = 1;; round++) {
    for (pid_t pid = next; pid < next + AHEAD; pid++)
      if (trace ? take(pid) : watch(pid, memory)) {
        next = pid + 1;
        break;
      }
    if (hunted) news(!old);
    // Without a processor for a while it falls behind: what has gone meanwhile is lost, what comes is not.
    if (round % 64 == 0) {
      pid_t last = last_given();
      if (last >= next + AHEAD) next = last;
    }
  }
}
