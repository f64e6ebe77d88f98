/*
  Several sensors
  Prints two readings and the state of a button, separated by commas: 512,300,1

  circuit:
  - a potentiometer: its middle pin to A0, the outer ones to 5V and ground
  - a light sensor from A1 to 5V, and a 10 kilohm resistor from A1 to ground
  - a button between pin 2 and ground

  run: serial-ws
  page: web/p5/SeveralSensors

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int knobPin = A0;   // the middle pin of the potentiometer
const int lightPin = A1;  // the point between the light sensor and its resistor
const int buttonPin = 2;  // reads LOW while the button is pressed
const int interval = 20;  // milliseconds between lines

void setup() {
  Serial.begin(9600);
  // the pin reads HIGH, or LOW when the button connects it to ground:
  pinMode(buttonPin, INPUT_PULLUP);
}

void loop() {
  Serial.print(analogRead(knobPin));
  Serial.print(",");
  Serial.print(analogRead(lightPin));
  Serial.print(",");
  // print 1 if pressed and 0 if not; println() ends the line:
  Serial.println(digitalRead(buttonPin) == LOW);
  delay(interval);
}
