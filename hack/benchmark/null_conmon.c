// null_conmon: what podman takes by itself. As conmon and as the runtime it answers every call at once, as they would that need no
// time and whose containers do nothing: one process that waits is started, no mount and no cgroup is made.
//
//   null_conmon -c ID -b BUNDLE -p PIDFILE --exit-dir DIR --exit-command PODMAN --exit-command-arg WORD …    as podman executes conmon
//   null_conmon … start ID       as the runtime: the container's process ends; all other commands do nothing
//
// As conmon does it listens at BUNDLE/attach, writes the pid to the sync pipe, at the end the exit file, and becomes the exit command.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *id = "", *bundle = "", *exit_dir = "", *pid_files[2], *exit_words[64];
static int exit_count;

static void fail(const char *what) { perror(what); exit(1); }

static void write_file(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, text, strlen(text)) < 0) fail(path);
    close(file);
}

static void path_of_start(char *path, size_t room, const char *of) { snprintf(path, room, "/tmp/null-conmon-%s", of); }

static int pipe_of(const char *variable) {
    const char *number = getenv(variable);
    return number ? atoi(number) : -1;
}

// A path too long for a socket's address is entered by its directory.
static int listen_at(const char *directory, const char *name) {
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    snprintf(place.sun_path, sizeof place.sun_path, "%s", name);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (chdir(directory) || bind(listener, (struct sockaddr *)&place, sizeof place) || chmod(name, 0700) || listen(listener, 8)) fail(directory);
    return listener;
}

static void serve(void) {
    char text[512], start[256], byte;
    int start_pipe = pipe_of("_OCI_STARTPIPE"), sync_pipe = pipe_of("_OCI_SYNCPIPE");
    if (start_pipe >= 0 && read(start_pipe, &byte, 1) < 0) fail("start pipe");
    if (start_pipe >= 0) close(start_pipe);
    pid_t daemon = fork();
    if (daemon < 0) fail("fork");
    if (daemon) {
        snprintf(text, sizeof text, "%d", daemon);
        if (pid_files[1]) write_file(pid_files[1], text);
        exit(0);
    }
    setsid();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    path_of_start(start, sizeof start, id);
    if (mkfifo(start, 0600)) fail(start);
    int started = open(start, O_RDWR | O_CLOEXEC), listener = listen_at(bundle, "attach"), client = -1;
    pid_t pid = fork();
    if (pid == 0) {
        close_range(3, ~0U, 0);
        pause();
        _exit(0);
    }
    snprintf(text, sizeof text, "%d", pid);
    if (pid_files[0]) write_file(pid_files[0], text);
    snprintf(text, sizeof text, "{\"data\": %d}\n", pid);
    if (sync_pipe >= 0 && write(sync_pipe, text, strlen(text)) < 0) fail("sync pipe");
    if (sync_pipe >= 0) close(sync_pipe);
    struct pollfd watched[] = {{started, POLLIN, 0}, {listener, POLLIN, 0}};
    while (poll(watched, 2, -1) < 0 || !watched[0].revents)
        if (watched[1].revents) client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    unlink("attach"), unlink(start);
    snprintf(text, sizeof text, "%s/%s", exit_dir, id);
    write_file(text, "0");
    if (client >= 0) close(client);
    if (exit_count) execv(exit_words[0], (char **)exit_words);
    exit(0);
}

int main(int count, char **words) {
    char start[256];
    for (int at = 1; at < count; at++) {
        const char *next = at + 1 < count ? words[at + 1] : "";
        if (!strcmp(words[at], "start")) {
            path_of_start(start, sizeof start, next);
            return write_file(start, "1"), 0;
        }
        const struct { const char *option, **value; } options[] = {
            {"-c", &id}, {"-b", &bundle}, {"-p", &pid_files[0]}, {"--conmon-pidfile", &pid_files[1]}, {"--exit-dir", &exit_dir}};
        for (size_t each = 0; each < sizeof options / sizeof *options; each++)
            if (!strcmp(words[at], options[each].option)) *options[each].value = next;
        int is_exit = !strcmp(words[at], "--exit-command") || !strcmp(words[at], "--exit-command-arg");
        if (is_exit && exit_count < 63) exit_words[exit_count++] = next;
        if (!strcmp(words[at], "--version")) return puts("conmon version 2.1.6\nruntime version 1.0.0"), 0;
    }
    if (*bundle && *exit_dir) serve();
    return 0;
}
