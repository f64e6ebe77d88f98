// The names of ArduinoHttpClient that our sketches use, for a syntax check without the library.
#pragma once
#include <Arduino.h>
#include <Client.h>

enum { TYPE_TEXT = 1, TYPE_BINARY = 2 };

struct WebSocketClient : Stream {
  WebSocketClient(Client &client, const char *host, uint16_t port);
  int begin(const char *path = "/");
  int begin(const String &path);
  int beginMessage(int type);
  int endMessage();
  int parseMessage();
  int messageType();
  String readString();
  uint8_t connected();
  size_t write(uint8_t byte);
  size_t write(const uint8_t *bytes, size_t length);
  int available();
  int read();
  int peek();
  void flush();
};
