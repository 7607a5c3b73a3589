// deaf FILE REPORT: mounts a FUSE file system over FILE, of one file or one empty directory as FILE is, and answers until
// SIGUSR1 comes; then it takes requests and answers none. Runs on the host. Writes "ready", then "asked" for each of them.
#include "common.h"
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>

static volatile sig_atomic_t deaf;
static const char content[] = "root:x:0:0:root:/root:/bin/sh\n";

static void go_deaf(int signal) { deaf = signal; }

static void answer(int fuse, __u64 unique, int error, void *data, size_t size) {
  struct fuse_out_header header = {.len = sizeof header + size, .error = -error, .unique = unique};
  struct iovec parts[] = {{&header, sizeof header}, {data, size}};
  // ENOENT: who asked has been ended.
  if (writev(fuse, parts, size ? 2 : 1) < 0 && errno != ENOENT) _exit(5);
}

int main(int argc, char **argv) {
  static char request[1 << 20], options[128];
  struct stat under;
  if (argc < 3 || stat(argv[1], &under)) return 2;
  begin(argv[2]);
  int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  snprintf(options, sizeof options, "fd=%d,rootmode=%o,user_id=0,group_id=0,allow_other", fuse, under.st_mode);
  if (fuse < 0 || mount("gym-deaf", argv[1], "fuse", MS_NOSUID | MS_NODEV, options)) return 3;
  struct sigaction action = {.sa_handler = go_deaf, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, 0);
  say("ready");
  for (;;) {
    ssize_t size = read(fuse, request, sizeof request);
    if (size < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN)) continue;
    if (size < 0) return 0; // unmounted
    struct fuse_in_header *in = (void *)request;
    void *body = in + 1;
    if (in->opcode == FUSE_FORGET || in->opcode == FUSE_BATCH_FORGET || in->opcode == FUSE_INTERRUPT) continue;
    if (deaf) {
      say("asked");
      continue;
    }
    switch (in->opcode) {
    case FUSE_INIT: {
      struct fuse_init_in *asked = body;
      struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = asked->minor, .max_write = 4096};
      answer(fuse, in->unique, 0, &out, sizeof out);
      break;
    }
    case FUSE_GETATTR: {
      struct fuse_attr_out out = {.attr = {.ino = 1, .mode = under.st_mode, .nlink = 1, .size = sizeof content - 1,
                                           .uid = under.st_uid, .gid = under.st_gid, .blksize = 4096}};
      answer(fuse, in->unique, 0, &out, sizeof out);
      break;
    }
    case FUSE_OPEN:
    case FUSE_OPENDIR: {
      struct fuse_open_out out = {.open_flags = FOPEN_DIRECT_IO};
      answer(fuse, in->unique, 0, &out, sizeof out);
      break;
    }
    case FUSE_READ: {
      struct fuse_read_in *asked = body;
      size_t from = asked->offset < sizeof content - 1 ? asked->offset : sizeof content - 1;
      size_t count = sizeof content - 1 - from;
      answer(fuse, in->unique, 0, (void *)(content + from), count < asked->size ? count : asked->size);
      break;
    }
    case FUSE_READDIR: answer(fuse, in->unique, 0, 0, 0); break;
    case FUSE_LOOKUP: answer(fuse, in->unique, ENOENT, 0, 0); break;
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_FLUSH: answer(fuse, in->unique, 0, 0, 0); break;
    default: answer(fuse, in->unique, ENOSYS, 0, 0);
    }
  }
}
