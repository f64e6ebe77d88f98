/* Gives pseudo-terminals the modem lines that they lack, for tests of what sets and reads them: preload it
 * into serial-ws, with LINES_FILE naming a file of at least eight bytes.
 *
 * Bytes 0 to 2 of the file are the outputs DTR, RTS and break; bytes 3 to 6 the inputs CTS, DSR, DCD and RI.
 * Bytes 7, 8 and 9 count framing, parity and overrun errors. The file LINES_LOG, if it is named, gets a line
 * for each change of an output, such as "dtr 1".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile unsigned char *lines(void) {
  static volatile unsigned char *map;
  if (map) return map;
  const char *path = getenv("LINES_FILE");
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd >= 0) close(fd);
  if (mapped != MAP_FAILED) map = mapped;
  return map;
}

static void output(int at, int level) {
  static const char *const names[] = {"dtr", "rts", "break"};
  if (lines()[at] == level) return;
  lines()[at] = level;
  const char *path = getenv("LINES_LOG");
  int fd = path ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
  if (fd < 0) return;
  dprintf(fd, "%s %d\n", names[at], level);
  close(fd);
}

static void set(int bits, int mask) {
  if (mask & TIOCM_DTR) output(0, (bits & TIOCM_DTR) != 0);
  if (mask & TIOCM_RTS) output(1, (bits & TIOCM_RTS) != 0);
}

int ioctl(int fd, unsigned long request, ...) {
  static int (*real)(int, unsigned long, ...);
  if (!real) real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
  va_list rest;
  va_start(rest, request);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  if (!lines()) return real(fd, request, argument);
  switch (request) {
    case TIOCMGET: {
      const int bits[] = {TIOCM_DTR, TIOCM_RTS, 0, TIOCM_CTS, TIOCM_DSR, TIOCM_CAR, TIOCM_RNG};
      int now = 0;
      for (int at = 0; at < 7; at++)
        if (lines()[at]) now |= bits[at];
      *(int *)argument = now;
      return 0;
    }
    case TIOCMSET:
      set(*(int *)argument, TIOCM_DTR | TIOCM_RTS);
      return 0;
    case TIOCMBIS:
      set(*(int *)argument, *(int *)argument);
      return 0;
    case TIOCMBIC:
      set(0, *(int *)argument);
      return 0;
    case TIOCSBRK:
    case TIOCCBRK:
      output(2, request == TIOCSBRK);
      return 0;
    case TIOCGICOUNT: {
      struct serial_icounter_struct *count = argument;
      *count = (struct serial_icounter_struct){.frame = lines()[7], .parity = lines()[8], .overrun = lines()[9]};
      return 0;
    }
    default:
      return real(fd, request, argument);
  }
}
