/*
  JSON lines
  Prints one JSON object per line: {"count":7,"potentiometer":512,"button":0}

  circuit:
  - a potentiometer: its middle pin to A0, the outer ones to 5V and ground
  - a button between pin 2 and ground

  run: serial-ws
  page: web/p5/JsonLines

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int knobPin = A0;    // the middle pin of the potentiometer
const int buttonPin = 2;   // reads LOW while the button is pressed
const int interval = 100;  // milliseconds between lines

long count = 0;           // the number of lines printed so far

void setup() {
  Serial.begin(9600);
  pinMode(buttonPin, INPUT_PULLUP);
}

void loop() {
  Serial.print("{\"count\":");
  Serial.print(count);
  Serial.print(",\"potentiometer\":");
  Serial.print(analogRead(knobPin));
  Serial.print(",\"button\":");
  Serial.print(digitalRead(buttonPin) == LOW);
  Serial.println("}");
  count = count + 1;
  delay(interval);
}
