/*
  Dimmer by number
  Sets the brightness of an LED to the number in each line, 0 to 255, and prints it as a line.

  circuit:
  - an LED from pin 9 through a 220 ohm resistor to ground

  run: serial-ws --append lf
  page: web/p5/DimmerNumber

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int ledPin = 9;  // a pin that can be dimmed; many boards mark these with ~

void setup() {
  Serial.begin(9600);
  // parseInt() waits at most this many milliseconds for a digit:
  Serial.setTimeout(10);
  pinMode(ledPin, OUTPUT);
}

void loop() {
  if (Serial.available() > 0) {
    int number = Serial.parseInt();
    // use the number only when its line is complete, which ends with CR, LF or both:
    int end = Serial.read();
    if (end == '\r' || end == '\n') {
      int brightness = constrain(number, 0, 255);
      analogWrite(ledPin, brightness);
      Serial.println(brightness);
    }
  }
}
