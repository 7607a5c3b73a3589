// What every spy does: a report of lines, and a processor of its own.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int report;

static inline void say(const char *format, ...) {
  char line[4096];
  va_list list;
  va_start(list, format);
  int length = vsnprintf(line, sizeof line - 1, format, list);
  va_end(list);
  if (length > (int)sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  if (write(report, line, length) != length) _exit(9);
}

// Opens the report; the spy that spins does so on the last processor, so that what it hunts has the others.
static inline void begin(const char *file) {
  cpu_set_t processors;
  int last = -1;
  report = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (report < 0) _exit(8);
  if (!sched_getaffinity(0, sizeof processors, &processors))
    for (int i = 0; i < CPU_SETSIZE; i++)
      if (CPU_ISSET(i, &processors)) last = i;
  if (last <= 0) return;
  CPU_ZERO(&processors);
  CPU_SET(last, &processors);
  sched_setaffinity(0, sizeof processors, &processors);
}
