/*
  Call and response, binary
  Answers each byte with a reading of two bytes, the high byte first: high * 256 + low.

  circuit:
  - a potentiometer: its middle pin to A0, the outer ones to 5V and ground

  run: serial-ws --raw
  page: web/p5/CallResponseBinary

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int sensorPin = A0;  // the middle pin of the potentiometer

void setup() {
  Serial.begin(9600);
}

void loop() {
  if (Serial.available() > 0) {
    Serial.read();
    // a reading is 0 to 1023, too large for one byte:
    int reading = analogRead(sensorPin);
    Serial.write(highByte(reading));
    Serial.write(lowByte(reading));
  }
}
