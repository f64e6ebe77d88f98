/*
  Two boards
  Prints the reading of its knob when it changes, and sets its LED to the number in each line it
  receives. Upload it to two boards: the page sends the knob of each to the LED of the other.

  circuit, on each board:
  - a potentiometer: its middle pin to A0, the outer ones to 5V and ground
  - an LED from pin 9 through a 220 ohm resistor to ground

  run: serial-ws --port left=/dev/ttyACM0 --port right=/dev/ttyACM1
  page: web/p5/TwoBoards

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int knobPin = A0;   // the middle pin of the potentiometer
const int ledPin = 9;     // a pin that can be dimmed; many boards mark these with ~
const int threshold = 1;  // smaller changes are noise
const int interval = 20;  // milliseconds between readings

int lastKnob = -100;      // the reading that was sent last; none so far

void setup() {
  Serial.begin(9600);
  // parseInt() waits at most this many milliseconds for a digit:
  Serial.setTimeout(10);
  pinMode(ledPin, OUTPUT);
}

void loop() {
  // scale the reading to 0 to 255, the range of the LED:
  int knob = analogRead(knobPin) / 4;
  if (abs(knob - lastKnob) > threshold) {
    Serial.println(knob);
    lastKnob = knob;
  }
  while (Serial.available() > 0) {
    int brightness = Serial.parseInt();
    // use the number only when its line is complete, which ends with CR, LF or both:
    int end = Serial.read();
    if (end == '\r' || end == '\n') {
      analogWrite(ledPin, constrain(brightness, 0, 255));
    }
  }
  delay(interval);
}
