// names A B: exchanges two names as fast as the kernel can, for ever.
#include "common.h"

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  for (;;)
    if (renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE)) sched_yield();
}
