/*
  Dimmer by number
  Each line that comes is a number, 0 to 255, the brightness of an LED. It is told back as a line.

  circuit:
  - an LED from pin 9 through a 220 ohm resistor to ground

  bridge: serial-ws --append lf
  page: web/p5/DimmerNumber

  created 20 Nov 2026
*/

const int ledPin = 9;  // a pin that can be dimmed; many boards mark these with ~

void setup() {
  Serial.begin(9600);
  // parseInt() waits so many milliseconds for a digit:
  Serial.setTimeout(10);
  pinMode(ledPin, OUTPUT);
}

void loop() {
  if (Serial.available() > 0) {
    int number = Serial.parseInt();
    // a number counts when its line ends, not before:
    if (Serial.read() == '\n') {
      int brightness = constrain(number, 0, 255);
      analogWrite(ledPin, brightness);
      Serial.println(brightness);
    }
  }
}
