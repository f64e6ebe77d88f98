/*
  Raw byte
  Sends each reading of a sensor as one byte, 0 to 255, without line endings.

  circuit:
  - a potentiometer: its middle pin to A0, the outer ones to 5V and ground

  run: serial-ws --raw
  page: web/p5/RawByte

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int sensorPin = A0;  // the middle pin of the potentiometer
const int interval = 10;   // milliseconds between readings

void setup() {
  Serial.begin(9600);
}

void loop() {
  // a reading is 0 to 1023; a byte holds 0 to 255:
  byte reading = analogRead(sensorPin) / 4;
  // write() sends the byte itself; println() would send its digits:
  Serial.write(reading);
  delay(interval);
}
