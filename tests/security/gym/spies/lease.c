// lease FILE REPORT: holds a write lease on FILE: a process that opens it waits until this process ends, or the lease is broken
// (/proc/sys/fs/lease-break-time). Writes "ready" to REPORT, and "asked" when an open waits.
#include "common.h"

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  sigset_t asked;
  int signal, file = open(argv[1], O_RDONLY | O_CLOEXEC);
  if (file < 0) return 3;
  begin(argv[2]);
  sigemptyset(&asked);
  sigaddset(&asked, SIGIO);
  sigprocmask(SIG_BLOCK, &asked, 0);
  // Refused while anything else has the file open.
  while (fcntl(file, F_SETLEASE, F_WRLCK)) usleep(1000);
  say("ready");
  for (;;)
    if (!sigwait(&asked, &signal)) say("asked");
}
