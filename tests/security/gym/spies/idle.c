// idle: a program that needs no system call but pause, so that it lives behind every filter; seen from outside.
#include <unistd.h>

int main(void) {
  for (;;) pause();
}
