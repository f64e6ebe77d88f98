/*
  WiFi client
  The board itself is a client of serial-ws, with no wire to the computer. It sends the reading of
  its knob as a line when that changes, and dims its LED by the numbers that others send.

  Fill in arduino_secrets.h first. It needs the library ArduinoHttpClient, and for boards with a
  NINA module (Nano 33 IoT, MKR WiFi 1010, Uno WiFi Rev2) the library WiFiNINA.

  circuit:
  - a potentiometer: its middle pin to A0, the others to 3.3V and ground
  - an LED from pin 9 through a 220 ohm resistor to ground

  bridge: serial-ws --port room=loop,lines,append=lf --lan
  page: web/p5/WiFiClient

  created 20 Nov 2026
*/

// for boards with WiFi of their own (ESP32, Pico W), the name is WiFi.h; for the Uno R4 WiFi, WiFiS3.h:
#include <WiFiNINA.h>
#include <ArduinoHttpClient.h>
#include "arduino_secrets.h"

const int knobPin = A0;            // the middle pin of the potentiometer
const int ledPin = 9;              // a pin that can be dimmed
const int threshold = 2;           // smaller changes are noise
const unsigned long pause = 50;    // milliseconds between readings
const unsigned long again = 2000;  // milliseconds until the next try to connect

WiFiClient wifi;
WebSocketClient socket = WebSocketClient(wifi, SECRET_SERVER, SECRET_SERVER_PORT);
int lastKnob = -100;               // the reading that was sent last; none was
unsigned long lastReading = 0;     // when it was looked at, in milliseconds

void setup() {
  Serial.begin(9600);
  // on a board with native USB, a moment for the Serial Monitor:
  if (!Serial) delay(3000);
  pinMode(ledPin, OUTPUT);
}

void loop() {
  if (WiFi.status() != WL_CONNECTED) {
    joinNetwork();
  } else if (!socket.connected()) {
    connectToBridge();
  } else {
    listen();
    speak();
  }
}

void joinNetwork() {
  Serial.print("joining ");
  Serial.println(SECRET_SSID);
  WiFi.begin(SECRET_SSID, SECRET_PASS);
  delay(again);
}

void connectToBridge() {
  // the token lets the board in from the network:
  String path = "/?token=";
  path += SECRET_TOKEN;
  Serial.println("connecting to the bridge");
  socket.begin(path);
  // others have not heard this board's knob yet:
  lastKnob = -100;
  if (!socket.connected()) {
    delay(again);
  }
}

void listen() {
  // this also answers the bridge when it asks whether the board is still there:
  int length = socket.parseMessage();
  if (length > 0) {
    String message = socket.readString();
    Serial.println(message);
    // what all boards send comes back to all, also to this one:
    analogWrite(ledPin, constrain(message.toInt(), 0, 255));
  }
}

void speak() {
  if (millis() - lastReading < pause) {
    return;
  }
  lastReading = millis();
  int knob = analogRead(knobPin) / 4;
  if (abs(knob - lastKnob) > threshold) {
    socket.beginMessage(TYPE_TEXT);
    socket.print(knob);
    socket.endMessage();
    lastKnob = knob;
  }
}
