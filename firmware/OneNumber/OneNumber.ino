/*
  One number
  Prints the readings of a sensor, one number per line.

  circuit:
  - a potentiometer: its middle pin to A0, the outer ones to 5V and ground

  run: serial-ws
  page: web/p5/OneNumber

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int sensorPin = A0;  // the middle pin of the potentiometer
const int interval = 20;   // milliseconds between readings

void setup() {
  Serial.begin(9600);
}

void loop() {
  Serial.println(analogRead(sensorPin));
  delay(interval);
}
