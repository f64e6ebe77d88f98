/*
  Two boards
  Prints the reading of its knob when that changes, and dims its LED by the number on each line
  that comes. Put it on two boards: the page sends each one's knob to the other one's LED.

  circuit, on each board:
  - a potentiometer: its middle pin to A0, the others to 5V and ground
  - an LED from pin 9 through a 220 ohm resistor to ground

  bridge: serial-ws --port left=/dev/ttyACM0 --port right=/dev/ttyACM1
  page: web/p5/TwoBoards

  created 20 Nov 2026
*/

const int knobPin = A0;   // the middle pin of the potentiometer
const int ledPin = 9;     // a pin that can be dimmed; many boards mark these with ~
const int threshold = 1;  // smaller changes are noise
const int pause = 20;     // milliseconds between readings

int lastKnob = -100;      // the reading that was sent last; none was

void setup() {
  Serial.begin(9600);
  // parseInt() waits so many milliseconds for a digit:
  Serial.setTimeout(10);
  pinMode(ledPin, OUTPUT);
}

void loop() {
  // 0 to 255, as an LED takes it:
  int knob = analogRead(knobPin) / 4;
  if (abs(knob - lastKnob) > threshold) {
    Serial.println(knob);
    lastKnob = knob;
  }
  while (Serial.available() > 0) {
    int brightness = Serial.parseInt();
    // a number counts when its line ends, not before:
    if (Serial.read() == '\n') {
      analogWrite(ledPin, constrain(brightness, 0, 255));
    }
  }
  delay(pause);
}
