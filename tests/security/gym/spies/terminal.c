// terminal REPORT: a session leader without a terminal that takes each terminal below /dev/pts as its own, the moment
// that it can be opened. Writes "ready", then "took NUMBER"; it gives one back when that is hung up.
#include "common.h"
#include <sys/ioctl.h>
#include <termios.h>

enum { NUMBERS = 4 };

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  begin(argv[1]);
  signal(SIGHUP, SIG_IGN);
  setsid();
  say("ready");
  for (;;)
    for (int number = 0; number < NUMBERS; number++) {
      char path[32], byte;
      snprintf(path, sizeof path, "/dev/pts/%d", number);
      // The open alone makes it ours, if it is nobody's yet.
      int fd = open(path, O_RDWR | O_CLOEXEC);
      if (fd < 0) continue;
      if (!ioctl(fd, TIOCSCTTY, 0)) {
        say("took %d", number);
        // Held until its other end is closed.
        while (read(fd, &byte, 1) > 0);
      }
      close(fd);
    }
}
