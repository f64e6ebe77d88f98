// The names of the Arduino API that our sketches use, for a syntax check by the compiler of the host.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { LOW, HIGH, INPUT, OUTPUT, INPUT_PULLUP, EXTERNAL };
enum { LED_BUILTIN = 13, A0, A1, A2, A3 };

typedef uint8_t byte;

#define lowByte(word) ((byte)((word) & 0xff))
#define highByte(word) ((byte)((word) >> 8))
#define constrain(value, low, high) ((value) < (low) ? (low) : (value) > (high) ? (high) : (value))
#define degrees(radians) ((radians) * 57.295779513)

extern "C" {
void pinMode(int pin, int mode);
void digitalWrite(int pin, int level);
int digitalRead(int pin);
int analogRead(int pin);
void analogWrite(int pin, int value);
void analogReference(int kind);
void delay(unsigned long milliseconds);
unsigned long millis();
void setup();
void loop();
}

struct String {
  String(const char *text = "");
  String &operator+=(const char *text);
  long toInt() const;
};

struct Stream {
  size_t print(const char *text);
  size_t print(const String &text);
  size_t print(long number);
  size_t print(int number) { return print(static_cast<long>(number)); }
  size_t print(unsigned long number);
  size_t print(double number, int digits = 2);
  template <typename... Values> size_t println(Values... values) { return print(values...); }
  int available();
  int read();
  int peek();
  long parseInt();
  void setTimeout(unsigned long milliseconds);
  size_t write(int byte);
};

struct SerialPort : Stream {
  void begin(unsigned long baud);
  operator bool();
};
extern SerialPort Serial;

struct IPAddress;
