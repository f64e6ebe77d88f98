/*
  SLIP frames
  Sends two readings in each frame, as bytes. A frame is between bytes that never come inside it
  (SLIP, RFC 1055), so a page that joins late still knows where a frame begins.

  circuit:
  - a potentiometer: its middle pin to A0, the outer ones to 5V and ground
  - a light sensor from A1 to 5V, and a 10 kilohm resistor from A1 to ground

  run: serial-ws --frame slip
  page: web/p5/SlipFrames

  created 1 Dec 2026

  This example code is in the public domain.
*/

const int knobPin = A0;   // the middle pin of the potentiometer
const int lightPin = A1;  // the point between the light sensor and its resistor
const int interval = 20;  // milliseconds between frames

const byte END = 0xC0;      // ends a frame
const byte ESC = 0xDB;      // begins two bytes that stand for one of these
const byte ESC_END = 0xDC;  // behind ESC, stands for END
const byte ESC_ESC = 0xDD;  // behind ESC, stands for ESC

void setup() {
  Serial.begin(9600);
}

void loop() {
  // a reading is 0 to 1023, which takes two bytes:
  sendNumber(analogRead(knobPin));
  sendNumber(analogRead(lightPin));
  Serial.write(END);
  delay(interval);
}

// sends a number as two bytes, the low one first:
void sendNumber(int number) {
  sendByte(number & 0xFF);
  sendByte(number >> 8);
}

// sends a byte of a frame; the two special ones become two bytes each:
void sendByte(byte value) {
  if (value == END) {
    Serial.write(ESC);
    Serial.write(ESC_END);
  } else if (value == ESC) {
    Serial.write(ESC);
    Serial.write(ESC_ESC);
  } else {
    Serial.write(value);
  }
}
