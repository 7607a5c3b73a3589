// null_shim: what ctr and containerd take by themselves. It speaks containerd's shim protocol and answers every call at once,
// as a shim would that needs no time and whose containers do nothing: no process is started, no mount and no cgroup is made.
//
//   null_shim -namespace N -address A -id ID start     as containerd executes it, in the bundle: one process stays behind
//   null_shim … delete
//
// A process "ends" as soon as its Start is answered: what its Wait waits for. Its fifos are opened, and closed then. A container
// whose program is sleep stays until it is killed, for execs.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 16, PROCESSES = 64, WAITS = 64, LONGEST = 1 << 20 };

struct text { const uint8_t *at; size_t length; };
struct fields { struct text strings[16]; };
struct process { char id[128], exec[128]; char fifos[2][256]; int stays, ended, used; };
struct wait { int client; uint32_t stream; struct process *of; };

static struct process processes[PROCESSES];
static struct wait waits[WAITS];
static int finished;

// The fields of a protobuf message that are bytes or text, by number; the last of a repeated one.
static struct fields read_fields(struct text message) {
    struct fields found = {0};
    size_t at = 0;
    while (at < message.length) {
        uint64_t numbers[2] = {0};
        for (int each = 0; each < 2; each++) {
            for (int shift = 0; at < message.length; shift += 7) {
                uint8_t byte = message.at[at++];
                numbers[each] |= (uint64_t)(byte & 127) << shift;
                if (byte < 128) break;
            }
            if (each == 0 && (numbers[0] & 7) != 0 && (numbers[0] & 7) != 2) return found;
        }
        if ((numbers[0] & 7) == 2) {
            if (numbers[1] > message.length - at) return found;
            if (numbers[0] >> 3 < 16) found.strings[numbers[0] >> 3] = (struct text){message.at + at, numbers[1]};
            at += numbers[1];
        }
    }
    return found;
}

static void copy(char *to, size_t room, struct text from) {
    size_t length = from.length < room - 1 ? from.length : room - 1;
    memcpy(to, from.at, length);
    to[length] = 0;
}

static int is(struct text text, const char *word) { return text.length == strlen(word) && !memcmp(text.at, word, text.length); }

static uint8_t *put_number(uint8_t *at, int field, uint64_t value) {
    *at++ = field << 3;
    for (; value > 127; value >>= 7) *at++ = value | 128;
    *at++ = value;
    return at;
}

static uint8_t *put_bytes(uint8_t *at, int field, const void *bytes, size_t length) {
    *at++ = field << 3 | 2;
    for (size_t rest = length; ; rest >>= 7) {
        *at++ = rest > 127 ? rest | 128 : rest;
        if (rest <= 127) break;
    }
    memcpy(at, bytes, length);
    return at + length;
}

static uint8_t *put_time(uint8_t *at, int field) {
    uint8_t moment[32], *end = put_number(moment, 1, time(NULL));
    return put_bytes(at, field, moment, end - moment);
}

static void answer(int client, uint32_t stream, const uint8_t *payload, size_t length) {
    uint8_t frame[1024], *end = frame + 10;
    if (length) end = put_bytes(end, 2, payload, length);
    uint32_t size = htobe32(end - frame - 10), number = htobe32(stream);
    memcpy(frame, &size, 4);
    memcpy(frame + 4, &number, 4);
    frame[8] = 2, frame[9] = 0;
    if (send(client, frame, end - frame, MSG_NOSIGNAL) < 0) exit(1);
}

static struct process *find(struct text id, struct text exec) {
    for (struct process *each = processes; each < processes + PROCESSES; each++)
        if (each->used && is(id, each->id) && is(exec, each->exec)) return each;
    return NULL;
}

static struct process *add(struct text id, struct text exec, struct text out, struct text err) {
    for (struct process *each = processes; each < processes + PROCESSES; each++) {
        if (each->used) continue;
        memset(each, 0, sizeof *each);
        each->used = 1;
        copy(each->id, sizeof each->id, id);
        copy(each->exec, sizeof each->exec, exec);
        copy(each->fifos[0], sizeof each->fifos[0], out);
        copy(each->fifos[1], sizeof each->fifos[1], err);
        return each;
    }
    exit(1);
}

static void tell_end(struct wait *wait) {
    uint8_t payload[64], *end = put_time(put_number(payload, 1, 0), 2);
    answer(wait->client, wait->stream, payload, end - payload);
    wait->of = NULL;
}

static int sleeps(struct text bundle) {
    static char config[1 << 16];
    char path[512], *name = path + snprintf(path, 400, "%.*s", (int)bundle.length, (const char *)bundle.at);
    strcpy(name, "/config.json");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, config, sizeof config - 1);
    close(file);
    config[length < 0 ? 0 : length] = 0;
    return strstr(config, "\"sleep\"") != NULL;
}

// Its client reads each fifo to the end, which takes a writer that comes and goes.
static void end_process(struct process *process) {
    for (int at = 0; at < 2; at++) {
        int fd = -1;
        for (int tries = 0; process->fifos[at][0] && fd < 0 && tries < 200; tries++) {
            fd = open(process->fifos[at], O_WRONLY | O_NONBLOCK | O_CLOEXEC);
            if (fd < 0 && errno == ENXIO) usleep(50);
        }
        if (fd >= 0) close(fd);
    }
    process->ended = 1;
    for (struct wait *wait = waits; wait < waits + WAITS; wait++)
        if (wait->of == process) tell_end(wait);
}

static void serve(int client, uint32_t stream, struct text request) {
    struct fields outer = read_fields(request);
    struct text method = outer.strings[2];
    struct fields of = read_fields(outer.strings[3]);
    struct text id = of.strings[1], exec = of.strings[2], none = {(const uint8_t *)"", 0};
    uint8_t payload[512] = {0}, *end = payload;
    if (is(method, "Create")) exec = none;
    struct process *process = find(id, exec);
    if (is(method, "Create")) {
        add(id, none, of.strings[6], of.strings[7])->stays = sleeps(of.strings[2]);
        end = put_number(end, 1, getpid());
    } else if (is(method, "Exec")) {
        add(id, exec, of.strings[5], of.strings[6]);
    } else if (is(method, "Start") || is(method, "Connect")) {
        end = put_number(end, 1, getpid());
    } else if (is(method, "Wait") && process) {
        for (struct wait *wait = waits; wait < waits + WAITS; wait++) {
            if (wait->of) continue;
            *wait = (struct wait){client, stream, process};
            if (process->ended) tell_end(wait);
            return;
        }
        exit(1);
    } else if (is(method, "State") && process) {
        end = put_bytes(end, 1, process->id, strlen(process->id));
        end = put_number(end, 3, getpid());
        end = put_number(end, 4, process->ended ? 3 : 2);
    } else if (is(method, "Delete") && process) {
        process->used = 0;
        end = put_time(put_number(put_number(end, 1, getpid()), 2, 0), 3);
    } else if (is(method, "Kill") && process && !process->ended) {
        end_process(process);
    } else if (is(method, "Shutdown")) {
        finished = 1;
    }
    answer(client, stream, payload, end - payload);
    if (is(method, "Start") && process && !process->stays) end_process(process);
}

static void loop(int listener) {
    static uint8_t buffers[CLIENTS][LONGEST];
    static size_t filled[CLIENTS];
    struct pollfd watched[CLIENTS + 1];
    for (int at = 0; at < CLIENTS; at++) watched[at] = (struct pollfd){-1, POLLIN, 0};
    watched[CLIENTS] = (struct pollfd){listener, POLLIN, 0};
    while (!finished) {
        if (poll(watched, CLIENTS + 1, -1) < 0) continue;
        if (watched[CLIENTS].revents) {
            int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            for (int at = 0; client >= 0 && at < CLIENTS; at++)
                if (watched[at].fd < 0) { watched[at].fd = client, watched[at].revents = 0, filled[at] = 0, client = -1; }
            if (client >= 0) close(client);
        }
        for (int at = 0; at < CLIENTS; at++) {
            if (watched[at].fd < 0 || !watched[at].revents) continue;
            ssize_t got = read(watched[at].fd, buffers[at] + filled[at], LONGEST - filled[at]);
            if (got <= 0) {
                for (struct wait *wait = waits; wait < waits + WAITS; wait++)
                    if (wait->of && wait->client == watched[at].fd) wait->of = NULL;
                close(watched[at].fd), watched[at].fd = -1;
                continue;
            }
            filled[at] += got;
            while (filled[at] >= 10) {
                uint32_t size, stream;
                memcpy(&size, buffers[at], 4), memcpy(&stream, buffers[at] + 4, 4);
                size = be32toh(size), stream = be32toh(stream);
                if (size > LONGEST - 10) exit(1);
                if (filled[at] < 10 + size) break;
                if (buffers[at][8] == 1) serve(watched[at].fd, stream, (struct text){buffers[at] + 10, size});
                memmove(buffers[at], buffers[at] + 10 + size, filled[at] -= 10 + size);
            }
        }
    }
}

static void start(void) {
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    snprintf(place.sun_path, sizeof place.sun_path, "/tmp/null-shim-%d-%ld.sock", getpid(), (long)time(NULL));
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&place, sizeof place) || chmod(place.sun_path, 0600) || listen(listener, 16)) {
        perror(place.sun_path);
        exit(1);
    }
    int file = open("address", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    dprintf(file, "unix://%s", place.sun_path);
    close(file);
    if (fork() == 0) {
        int null = open("/dev/null", O_RDWR);
        setsid();
        for (int fd = 0; fd < 3; fd++) dup2(null, fd);
        close(null);
        loop(listener);
        unlink(place.sun_path);
        exit(0);
    }
    printf("unix://%s", place.sun_path);
}

int main(int count, char **words) {
    const char *action = count > 1 ? words[count - 1] : "";
    signal(SIGPIPE, SIG_IGN);
    if (!strcmp(action, "start")) start();
    // An empty DeleteResponse.
    else if (strcmp(action, "delete")) return fprintf(stderr, "null_shim: start or delete\n"), 2;
    return 0;
}
