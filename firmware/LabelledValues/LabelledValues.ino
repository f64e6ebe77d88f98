/*
  Labelled values
  Prints each value with its label, the format of serial plotters, with a tab between the pairs.

  circuit:
  - a potentiometer: its middle pin to A0, the outer ones to 5V and ground
  - a light sensor from A1 to 5V, and a 10 kilohm resistor from A1 to ground

  run: serial-ws
  page: web/p5/LabelledValues

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int knobPin = A0;   // the middle pin of the potentiometer
const int lightPin = A1;  // the point between the light sensor and its resistor
const int interval = 50;  // milliseconds between lines

void setup() {
  Serial.begin(9600);
}

void loop() {
  Serial.print("potentiometer:");
  Serial.print(analogRead(knobPin));
  Serial.print("\t");
  Serial.print("light:");
  Serial.println(analogRead(lightPin));
  delay(interval);
}
