/*
  WiFi client
  The board itself is a client of serial-ws, with no wire to the computer. It sends the reading of
  its knob as a line when it changes, and sets its LED to the numbers that others send.

  Fill in arduino_secrets.h first. The sketch needs the library ArduinoHttpClient, and on boards
  with a NINA module (Nano 33 IoT, MKR WiFi 1010, Uno WiFi Rev2) also the library WiFiNINA.

  circuit:
  - a potentiometer: its middle pin to A0, the outer ones to 3.3V and ground
  - an LED from pin 9 through a 220 ohm resistor to ground

  run: serial-ws --port room=loop,lines,append=lf --lan
  page: web/p5/WiFiClient

  created 20 Nov 2026

  This example code is in the public domain.
*/

// on boards with built-in WiFi (ESP32, Pico W) include WiFi.h instead, on the Uno R4 WiFi WiFiS3.h:
#include <WiFiNINA.h>
#include <ArduinoHttpClient.h>
#include "arduino_secrets.h"

const int knobPin = A0;                    // the middle pin of the potentiometer
const int ledPin = 9;                      // a pin that can be dimmed
const int threshold = 2;                   // smaller changes are noise
const unsigned long interval = 50;         // milliseconds between readings
const unsigned long retryInterval = 2000;  // milliseconds until the next attempt to connect

WiFiClient wifi;
WebSocketClient client = WebSocketClient(wifi, SECRET_SERVER, SECRET_SERVER_PORT);
int lastKnob = -100;                       // the reading that was sent last; none so far
unsigned long lastReading = 0;             // when the knob was last read, in milliseconds

void setup() {
  Serial.begin(9600);
  // give the Serial Monitor a moment to connect on a board with native USB:
  if (!Serial) delay(3000);
  pinMode(ledPin, OUTPUT);
}

void loop() {
  if (WiFi.status() != WL_CONNECTED) {
    joinNetwork();
  } else if (!client.connected()) {
    connectToServer();
  } else {
    receiveNumber();
    sendReading();
  }
}

void joinNetwork() {
  Serial.print("joining ");
  Serial.println(SECRET_SSID);
  WiFi.begin(SECRET_SSID, SECRET_PASS);
  delay(retryInterval);
}

void connectToServer() {
  // the token admits the board from the network:
  String path = "/?token=";
  path += SECRET_TOKEN;
  Serial.println("connecting to serial-ws");
  client.begin(path);
  // the others do not know the reading of this knob yet, so send it again:
  lastKnob = -100;
  if (!client.connected()) {
    delay(retryInterval);
  }
}

void receiveNumber() {
  // this also answers the keepalive pings of serial-ws:
  int length = client.parseMessage();
  if (length > 0) {
    String message = client.readString();
    Serial.println(message);
    // every board receives what any board sends, including its own messages:
    analogWrite(ledPin, constrain(message.toInt(), 0, 255));
  }
}

void sendReading() {
  if (millis() - lastReading < interval) {
    return;
  }
  lastReading = millis();
  int knob = analogRead(knobPin) / 4;
  if (abs(knob - lastKnob) > threshold) {
    client.beginMessage(TYPE_TEXT);
    client.print(knob);
    client.endMessage();
    lastKnob = knob;
  }
}
