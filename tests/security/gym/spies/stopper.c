// stopper REPORT: sends SIGSTOP to every process that appears in its pid namespace, and again and again to the last few
// of them; writes "ready", then the number of each one that it has met.
#include "common.h"

enum { AHEAD = 6, KEPT = 8 };

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  pid_t own = getpid(), next = own + 1;
  begin(argv[1]);
  say("ready");
  for (;;)
    for (pid_t pid = next > KEPT ? next - KEPT : 1; pid < next + AHEAD; pid++) {
      if (pid == own || pid == 1 || kill(pid, SIGSTOP) || pid < next) continue;
      next = pid + 1;
      say("%d", pid);
    }
}
