/* driver: runs the benchmark's commands, so that Python is no part of what is measured.

   Reads jobs, one a line: commands parted by \x1e, arguments by \x1f. It runs each job's commands one after the other and prints: the
   time in ns, the first exit code that is not 0, the largest resident set (KiB) of a command, user and system CPU time in µs, page
   faults. Of a command's processes those count that it has waited for. Commands of its own:

     wait FILE              wait for the process whose id the file holds (a container's, which becomes this program's child)
     untimed COMMAND…       run a command, and count nothing of it
     output FILE COMMAND…   with its standard output in FILE
     together N COMMAND…    start N at once, with @ in an argument standing for the number; prints the N times instead
     mounts N DIRECTORY     mount DIRECTORY/0 … DIRECTORY/N-1 over themselves */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static int null, errors;
static long long spent, user, system_time, faults;
static long peak;
static int bad;

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long micros(struct timeval t) { return t.tv_sec * 1000000LL + t.tv_usec; }

static pid_t begin(char **command, int output) {
    pid_t child = vfork();
    if (child == 0) {
        dup2(null, 0), dup2(output, 1), dup2(errors, 2);
        execve(command[0], command, environ);
        _exit(255);
    }
    return child;
}

static void finish(pid_t child, int counts) {
    int status = 0;
    struct rusage use = {0};
    while (wait4(child, &status, 0, &use) < 0 && errno == EINTR);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (code && !bad) bad = code;
    if (!counts) return;
    if (use.ru_maxrss > peak) peak = use.ru_maxrss;
    user += micros(use.ru_utime), system_time += micros(use.ru_stime), faults += use.ru_minflt;
}

static void together(int count, char **command) {
    long long *begun = calloc(count, sizeof *begun), *took = calloc(count, sizeof *took);
    pid_t *pids = calloc(count, sizeof *pids);
    for (int i = 0; i < count; i++) {
        static char text[64][512];
        char *args[64];
        int n = 0;
        for (; command[n]; n++) {
            char *at = strchr(command[n], '@');
            if (at) snprintf(text[n], sizeof text[n], "%.*s%d%s", (int)(at - command[n]), command[n], i, at + 1), args[n] = text[n];
            else args[n] = command[n];
        }
        args[n] = 0;
        begun[i] = now();
        pids[i] = begin(args, null);
    }
    for (int left = count; left;) {
        int status;
        pid_t pid = wait(&status);
        if (pid < 0) break;
        for (int i = 0; i < count; i++)
            if (pids[i] == pid) {
                took[i] = now() - begun[i], left--;
                if (status && !bad) bad = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            }
    }
    printf("%d", bad);
    for (int i = 0; i < count; i++) printf(" %lld", took[i]);
    puts("");
    fflush(stdout);
}

static void mounts(int count, const char *directory) {
    char path[512];
    mkdir(directory, 0700);
    if (mount("none", directory, "tmpfs", 0, "")) bad = 1;
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%d", directory, i);
        if (mkdir(path, 0700) || mount(path, path, 0, MS_BIND, 0)) bad = 1;
    }
}

int main(int argc, char **argv) {
    static char line[1 << 16];
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    errors = open(argv[1], O_CREAT | O_RDWR | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (argc != 2 || null < 0 || errors < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1)) return 1;
    while (fgets(line, sizeof line, stdin)) {
        spent = user = system_time = faults = 0, bad = 0, peak = 0;
        char *job = strtok(line, "\n"), *next;
        int silent = 0;
        if (ftruncate(errors, 0)) return 1;
        for (; job; job = next) {
            next = strchr(job, 0x1e);
            if (next) *next++ = 0;
            char *args[64];
            int n = 0, timed = 1, output = null;
            for (char *a = job; a && n < 63;) {
                char *e = strchr(a, 0x1f);
                if (e) *e++ = 0;
                args[n++] = a, a = e;
            }
            args[n] = 0;
            char **command = args;
            if (!strcmp(command[0], "untimed")) timed = 0, command++;
            if (!strcmp(command[0], "output")) output = open(command[1], O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600), command += 2;
            long long start = now();
            if (!strcmp(command[0], "wait")) {
                FILE *f = fopen(command[1], "r");
                int pid = 0;
                if (!f || fscanf(f, "%d", &pid) != 1) bad = bad ? bad : 254;
                else finish(pid, timed);
                if (f) fclose(f);
            } else if (!strcmp(command[0], "together")) {
                together(atoi(command[1]), command + 2), silent = 1;
            } else if (!strcmp(command[0], "mounts")) {
                mounts(atoi(command[1]), command[2]);
            } else {
                finish(begin(command, output), timed);
            }
            if (timed) spent += now() - start;
            if (output != null) close(output);
        }
        while (waitpid(-1, 0, WNOHANG) > 0);
        if (!silent) printf("%lld %d %ld %lld %lld %lld\n", spent, bad, peak, user, system_time, faults), fflush(stdout);
    }
    return 0;
}
