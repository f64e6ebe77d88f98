/*
  Duplex
  For each line with two numbers, such as 1,0, switches two LEDs and answers with a reading.
  Prints 0 until the first line arrives, so that the page has something to answer.

  circuit:
  - a potentiometer: its middle pin to A0, the outer ones to 5V and ground
  - two LEDs from pins 2 and 5, each through a 220 ohm resistor to ground

  run: serial-ws
  page: web/p5/Duplex

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int sensorPin = A0;   // the middle pin of the potentiometer
const int leftLedPin = 2;   // the LED of the first number
const int rightLedPin = 5;  // the LED of the second

void setup() {
  Serial.begin(9600);
  // parseInt() waits at most this many milliseconds for a digit:
  Serial.setTimeout(10);
  pinMode(leftLedPin, OUTPUT);
  pinMode(rightLedPin, OUTPUT);
  while (Serial.available() == 0) {
    Serial.println(0);
    // keep this short, or incoming bytes overflow the 64-byte receive buffer:
    delay(100);
  }
}

void loop() {
  if (Serial.available() > 0) {
    int left = Serial.parseInt();
    // anything but a comma here is the rest of another line:
    if (Serial.read() == ',') {
      int right = Serial.parseInt();
      // both numbers are complete when the line ends, with CR, LF or both:
      int end = Serial.read();
      if (end == '\r' || end == '\n') {
        digitalWrite(leftLedPin, left > 0);
        digitalWrite(rightLedPin, right > 0);
        Serial.println(analogRead(sensorPin));
      }
    }
  }
}
