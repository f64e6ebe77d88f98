/*
  Dimmer by byte
  Sets the brightness of an LED to each byte it receives, 0 to 255, and prints it as a line.

  circuit:
  - an LED from pin 9 through a 220 ohm resistor to ground

  run: serial-ws
  page: web/p5/DimmerByte

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int ledPin = 9;  // a pin that can be dimmed; many boards mark these with ~

void setup() {
  Serial.begin(9600);
  pinMode(ledPin, OUTPUT);
}

void loop() {
  if (Serial.available() > 0) {
    int brightness = Serial.read();
    analogWrite(ledPin, brightness);
    Serial.println(brightness);
  }
}
