/*
  A simulated Arduino Uno: runs a compiled sketch in real time, with its serial port as a
  pseudo-terminal at a path of your choice.

    uno-sim [--link PATH] [--auto-reset] [--boot-ms MS] [--lines FILE] SKETCH.elf

    --link PATH    keep a symbolic link to the pseudo-terminal at PATH
    --auto-reset   restart the sketch whenever the port is opened, as an Uno does
    --boot-ms MS   start the sketch this long after a reset, like a bootloader; bytes received
                   in that time are lost, except for the line "upload SKETCH.elf": that sketch
                   takes the place of the other, and the line "uploaded" is the answer
    --lines FILE   reset when DTR is asserted: FILE is that of tests/browser/modem-lines.c

  Commands on stdin, one per line; the simulation ends with stdin:
    adc CH MV      voltage at an analog input, in millivolts
    sine CH HZ     a sine at an analog input, 0.1 to 4.9 V; 0 stops it
    pin N 0|1      level at a digital input: a button
    reset          press the reset button
    unplug, plug   remove the board, and bring it back under another pty
    stat           print the counters

  Events on stdout, one per line:
    pty PATH                 the current path of the port
    open, close              a program has opened or closed the port
    baud PROGRAM SKETCH      the two rates, whenever either changes while the port is open
    reset, start             the board was reset, the sketch has started
    pin N 0|1, pwm N 0-255   an output changed (seen once per millisecond)
    stat sent N lost N received N dropped N

  For tests only. It links libsimavr, which is under the GNU General Public License, version 3 or
  later, and so is the compiled program. It is never shipped with serial-ws, and Cargo.toml keeps
  it out of the package.

  Differences from a real board: there are no modem lines without --lines (a pty has none), the
  bootloader is not that of an Uno, times are accurate to a millisecond, and the USB chip of an Uno
  is not simulated.
*/
#define _GNU_SOURCE
#include <asm/termbits.h> /* struct termios2, for rates that POSIX has no name for */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <avr_adc.h>
#include <avr_ioport.h>
#include <avr_uart.h>
#include <sim_avr.h>
#include <sim_elf.h>

#define HERTZ 16000000u
#define CYCLES_PER_SLICE (HERTZ / 1000)
#define SLICE_NS 1000000
/* Beyond this delay on a busy machine, stay late instead of catching up in a rush. */
#define MAX_LATE_NS 50000000
#define ANALOG_INPUTS 6
#define PINS 14
/* A UART reads wrong bits if the two rates differ by more than this. */
#define TOLERANCE 0.04
/* Bytes that the USB chip buffers for the sketch; beyond that, the program's write waits. */
#define RECEIVE_BUFFER 64

/* Registers of the ATmega328P, as data addresses. */
enum { PINB = 0x23, PIND = 0x29, UCSR0A = 0xc0, UBRR0L = 0xc4, UBRR0H = 0xc5 };

/* The outputs that analogWrite can dim: control register, its bit, compare register. */
static const struct { uint8_t pin, control, bit, compare; } pwm[] = {
  {3, 0xb0, 5, 0xb4}, {5, 0x44, 5, 0x48}, {6, 0x44, 7, 0x47},
  {9, 0x80, 7, 0x88}, {10, 0x80, 5, 0x8a}, {11, 0xb0, 7, 0xb3},
};

static avr_t *avr;
static avr_uart_t *uart;
static elf_firmware_t firmware;

static const char *link_path;
static bool auto_reset;
static int boot_ms;
static volatile uint8_t *lines; /* DTR first, in a file that the program shares */

static int master = -1; /* the board's end of the pty; -1 while unplugged */
static bool is_open;
static int boot_left;   /* milliseconds until the sketch starts */
static bool is_booting = true;

static uint8_t out[4096], in[RECEIVE_BUFFER];
static size_t out_length, in_length;
static bool is_delivering;
static unsigned long sent, lost, received, dropped;

static unsigned millivolts[ANALOG_INPUTS];
static double sine_hz[ANALOG_INPUTS];
static int level[PINS]; /* the level of an input, -1 if nothing is connected */
static int shown[PINS], shown_dim[PINS];
static unsigned shown_program, shown_sketch;

static void event(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vprintf(format, values);
  va_end(values);
  putchar('\n');
  fflush(stdout);
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

/* ---- rates ---- */

static unsigned cycles_per_bit(void) {
  unsigned divisor = avr->data[UBRR0L] + (avr->data[UBRR0H] << 8) + 1;
  return divisor * (avr->data[UCSR0A] & 2 ? 8 : 16);
}

static unsigned sketch_baud(void) {
  return HERTZ / cycles_per_bit();
}

static struct termios2 settings(void) {
  struct termios2 now = {0};
  if (master >= 0) ioctl(master, TCGETS2, &now);
  return now;
}

static unsigned program_baud(void) {
  return settings().c_ospeed;
}

/* Computes what a receiver at one rate reads from a byte sent at another; returns the byte count. */
static int garble(uint8_t byte, double from, double to, uint8_t result[16]) {
  if (from <= 0 || to <= 0 || fabs(from - to) / from < TOLERANCE) {
    result[0] = byte;
    return 1;
  }
  unsigned line = (byte << 1) | ~0x1ffu; /* start bit, data, and the line idle after it */
  double ratio = from / to;              /* bits of the sender per bit of the receiver */
  int count = 0;
  for (double at = 0; at < 10 && count < 16; ) {
    if (line >> (int)at & 1) { /* no start bit yet: skip to the next bit of the sender */
      at = floor(at) + 1;
      continue;
    }
    uint8_t seen = 0;
    for (int bit = 0; bit < 8; bit++) {
      int where = at + (1.5 + bit) * ratio;
      if (where > 31 || line >> where & 1) seen |= 1 << bit;
    }
    result[count++] = seen;
    at += 9.5 * ratio;
  }
  return count;
}

/* ---- the serial line ---- */

static void on_sketch_sends(struct avr_irq_t *irq, uint32_t value, void *unused) {
  (void)irq, (void)unused;
  sent++;
  if (!is_open) {
    lost++; /* like on a wire with nothing at the other end */
    return;
  }
  uint8_t bytes[16];
  int count = garble(value, sketch_baud(), program_baud(), bytes);
  for (int i = 0; i < count && out_length < sizeof out; i++) out[out_length++] = bytes[i];
}

static avr_cycle_count_t deliver(avr_t *unused, avr_cycle_count_t when, void *nothing) {
  (void)unused, (void)nothing;
  if (in_length == 0) {
    is_delivering = false;
    return 0;
  }
  uint8_t bytes[16];
  int count = garble(in[0], program_baud(), sketch_baud(), bytes);
  memmove(in, in + 1, --in_length);
  for (int i = 0; i < count; i++)
    avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT), bytes[i]);
  received++;
  unsigned rate = program_baud();
  return when + (rate ? 10ull * HERTZ / rate : 10ull * cycles_per_bit());
}

static void flush_out(void) {
  size_t done = 0;
  while (is_open && done < out_length) {
    ssize_t written = write(master, out + done, out_length - done);
    if (written <= 0) break;
    done += written;
  }
  lost += out_length - done; /* no program reads: a USB chip would overflow as well */
  out_length = 0;
}

static void restart(void) {
  avr_reset(avr);
  avr_cycle_timer_cancel(avr, deliver, NULL);
  is_delivering = false;
  dropped += in_length;
  in_length = out_length = 0;
}

/* What a bootloader does with the bytes that it receives. */
static void boot(const uint8_t *bytes, size_t count) {
  static char line[256];
  static size_t length;
  for (size_t i = 0; i < count; i++) {
    if (bytes[i] != '\n') {
      line[length] = bytes[i];
      if (length < sizeof line - 1) length++;
      continue;
    }
    line[length] = 0;
    length = 0;
    const char *path = line + strlen("upload ");
    elf_firmware_t other = {0};
    if (strncmp(line, "upload ", strlen("upload ")) || elf_read_firmware(path, &other)) continue;
    memset(avr->flash, 0xff, avr->flashend + 1);
    avr_load_firmware(avr, &other);
    restart();
    boot_left = 0;
    event("upload %s", path);
    /* A part of a line may stand before it. */
    if (write(master, "\nuploaded\n", 10) != 10) event("nobody was told");
  }
}

static void take_in(void) {
  if (!is_open || in_length == sizeof in) return;
  ssize_t count = read(master, in + in_length, sizeof in - in_length);
  if (count <= 0) return;
  if (is_booting) {
    dropped += count;
    boot(in + in_length, count);
    return;
  }
  in_length += count;
  if (!is_delivering) {
    is_delivering = true;
    avr_cycle_timer_register(avr, 10ull * cycles_per_bit(), deliver, NULL);
  }
}

/* ---- the board ---- */

static void set_inputs(void) {
  for (int i = 0; i < ANALOG_INPUTS; i++)
    avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0 + i), millivolts[i]);
  for (int i = 0; i < PINS; i++) {
    if (level[i] < 0) continue;
    char port = i < 8 ? 'D' : 'B';
    avr_ioport_external_t pull = {
      .name = port, .mask = 0, .value = 0};
    for (int other = i < 8 ? 0 : 8; other < (i < 8 ? 8 : PINS); other++) {
      if (level[other] < 0) continue;
      pull.mask |= 1 << other % 8;
      pull.value |= level[other] << other % 8;
    }
    avr_ioctl(avr, AVR_IOCTL_IOPORT_SET_EXTERNAL(port), &pull);
    avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ(port), i % 8), level[i]);
  }
}

static void reset(void) {
  restart();
  boot_left = boot_ms;
  is_booting = true;
  event("reset");
}

static void plug(void) {
  master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (master < 0 || grantpt(master) || unlockpt(master)) die("uno-sim: a pty");
  const char *path = ptsname(master);
  /* A pty reports that it is closed only after it was opened and closed once. */
  close(open(path, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (link_path && symlink(path, link_path)) die(link_path);
  event("pty %s", path);
}

static void unplug(void) {
  if (master < 0) return;
  if (link_path) unlink(link_path);
  close(master);
  master = -1;
  if (is_open) event("close");
  is_open = false;
  shown_program = 0;
}

static void remove_link(void) {
  if (link_path && master >= 0) unlink(link_path);
}

static void watch_lines(void) {
  static bool was_asserted;
  bool is_asserted = lines && lines[0];
  if (is_asserted && !was_asserted) reset();
  was_asserted = is_asserted;
}

static void watch_port(void) {
  if (master < 0) return;
  struct pollfd port = {.fd = master};
  poll(&port, 1, 0);
  /* Until the program sets raw mode, the terminal would echo what the board sends. */
  bool now = !(port.revents & POLLHUP) && (is_open || !(settings().c_lflag & ICANON));
  if (now != is_open) {
    is_open = now;
    event(now ? "open" : "close");
    shown_program = 0;
    if (now && auto_reset) reset();
  }
  if (is_open && !is_booting && (program_baud() != shown_program || sketch_baud() != shown_sketch)) {
    shown_program = program_baud();
    shown_sketch = sketch_baud();
    event("baud %u %u", shown_program, shown_sketch);
  }
}

static int output(int pin) {
  int at = pin < 8 ? PIND : PINB, bit = pin % 8; /* followed by the direction and output registers */
  return (avr->data[at + 1] & avr->data[at + 2]) >> bit & 1;
}

static void show_outputs(void) {
  for (size_t i = 0; i < sizeof pwm / sizeof *pwm; i++) {
    bool dims = avr->data[pwm[i].control] >> pwm[i].bit & 1;
    int dim = dims ? avr->data[pwm[i].compare] : -1;
    if (dim >= 0 && dim != shown_dim[pwm[i].pin]) event("pwm %d %d", pwm[i].pin, dim);
    shown_dim[pwm[i].pin] = dim;
  }
  for (int pin = 2; pin < PINS; pin++) {
    int now = shown_dim[pin] >= 0 ? 2 : output(pin);
    if (now != shown[pin] && now < 2) event("pin %d %d", pin, now);
    shown[pin] = now;
  }
}

static void run_slice(void) {
  static double seconds;
  seconds += 0.001;
  for (int i = 0; i < ANALOG_INPUTS; i++) {
    if (sine_hz[i] == 0) continue;
    millivolts[i] = 2500 + 2400 * sin(2 * M_PI * sine_hz[i] * seconds);
    avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0 + i), millivolts[i]);
  }
  if (is_booting) {
    if (boot_left-- > 0) return;
    is_booting = false;
    set_inputs();
    event("start");
  }
  /* simavr always counts a parity bit, but without one a byte is ten bits. */
  uart->cycles_per_byte = 10 * cycles_per_bit();
  avr_cycle_count_t end = avr->cycle + CYCLES_PER_SLICE;
  while (avr->cycle < end) {
    int state = avr_run(avr);
    if (state == cpu_Done || state == cpu_Crashed) {
      event("crashed");
      exit(1);
    }
  }
  show_outputs();
}

/* ---- commands ---- */

static void execute(const char *line) {
  int number, value;
  double hertz;
  if (sscanf(line, "adc %d %d", &number, &value) == 2 && number >= 0 && number < ANALOG_INPUTS) {
    sine_hz[number] = 0;
    millivolts[number] = value;
    set_inputs();
  } else if (sscanf(line, "sine %d %lf", &number, &hertz) == 2 && number >= 0 && number < ANALOG_INPUTS) {
    sine_hz[number] = hertz;
  } else if (sscanf(line, "pin %d %d", &number, &value) == 2 && number >= 2 && number < PINS) {
    level[number] = value != 0;
    set_inputs();
  } else if (!strcmp(line, "reset")) {
    reset();
  } else if (!strcmp(line, "unplug")) {
    unplug();
  } else if (!strcmp(line, "plug")) {
    if (master < 0) plug();
    reset(); /* it had no power */
  } else if (!strcmp(line, "stat")) {
    event("stat sent %lu lost %lu received %lu dropped %lu", sent, lost, received, dropped);
  } else {
    fprintf(stderr, "uno-sim: unknown command %s\n", line);
  }
}

static void read_commands(void) {
  static char line[256];
  static size_t length;
  char byte;
  struct pollfd commands = {.fd = 0, .events = POLLIN};
  while (poll(&commands, 1, 0) > 0) {
    if (read(0, &byte, 1) <= 0) exit(0);
    if (byte == '\n') {
      line[length] = 0;
      length = 0;
      execute(line);
    } else if (length < sizeof line - 1) {
      line[length++] = byte;
    }
  }
}

/* ---- start ---- */

static void only_errors(avr_t *unused, const int severity, const char *format, va_list values) {
  (void)unused;
  if (severity <= LOG_ERROR) vfprintf(stderr, format, values);
}

static void set_up(const char *path) {
  avr_global_logger_set(only_errors);
  avr = avr_make_mcu_by_name("atmega328p");
  if (!avr || elf_read_firmware(path, &firmware)) {
    fprintf(stderr, "uno-sim: cannot run %s\n", path);
    exit(1);
  }
  avr_init(avr);
  avr->frequency = HERTZ;
  avr->vcc = avr->avcc = avr->aref = 5000;
  avr->log = LOG_ERROR;
  avr_load_firmware(avr, &firmware);
  for (avr_io_t *io = avr->io_port; io; io = io->next)
    if (!strcmp(io->kind, "uart") && ((avr_uart_t *)io)->name == '0') uart = (avr_uart_t *)io;
  uint32_t flags = 0; /* no sleeping when the sketch polls, no printing of what it sends */
  avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
  avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT),
                          on_sketch_sends, NULL);
  for (int i = 0; i < PINS; i++) level[i] = shown_dim[i] = -1;
  boot_left = boot_ms;
}

static void map_lines(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) die(path);
  close(fd);
  lines = mapped;
}

static void wait_until(struct timespec *next) {
  next->tv_nsec += SLICE_NS;
  if (next->tv_nsec >= 1000000000) {
    next->tv_nsec -= 1000000000;
    next->tv_sec++;
  }
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  long long late = (now.tv_sec - next->tv_sec) * 1000000000ll + now.tv_nsec - next->tv_nsec;
  if (late > MAX_LATE_NS) *next = now;
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL);
}

int main(int count, char **arguments) {
  const char *sketch = NULL;
  for (int i = 1; i < count; i++) {
    if (!strcmp(arguments[i], "--link") && i + 1 < count) link_path = arguments[++i];
    else if (!strcmp(arguments[i], "--boot-ms") && i + 1 < count) boot_ms = atoi(arguments[++i]);
    else if (!strcmp(arguments[i], "--lines") && i + 1 < count) map_lines(arguments[++i]);
    else if (!strcmp(arguments[i], "--auto-reset")) auto_reset = true;
    else if (arguments[i][0] != '-' && !sketch) sketch = arguments[i];
    else {
      fprintf(stderr, "usage: uno-sim [--link PATH] [--auto-reset] [--boot-ms MS] [--lines FILE] SKETCH.elf\n");
      return 2;
    }
  }
  if (!sketch) {
    fprintf(stderr, "uno-sim: no sketch given\n");
    return 2;
  }
  set_up(sketch);
  atexit(remove_link);
  plug();
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (;;) {
    read_commands();
    watch_port();
    watch_lines();
    take_in();
    run_slice();
    watch_lines(); /* the last moment: a board says nothing more once it is reset */
    flush_out();
    wait_until(&next);
  }
}
