// The names of WiFiNINA that our sketches use, for a syntax check without the library.
#pragma once
#include <Arduino.h>
#include <Client.h>

enum { WL_CONNECTED = 3 };

struct WiFiClass {
  uint8_t status();
  int begin(const char *network, const char *password);
};
extern WiFiClass WiFi;

struct WiFiClient : Client {
  WiFiClient();
  int connect(IPAddress address, uint16_t port);
  int connect(const char *host, uint16_t port);
  size_t write(uint8_t byte);
  size_t write(const uint8_t *bytes, size_t length);
  int available();
  int read();
  int read(uint8_t *bytes, size_t length);
  int peek();
  void flush();
  void stop();
  uint8_t connected();
  operator bool();
};
