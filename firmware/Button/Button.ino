/*
  Button
  Prints 1 when a button is pressed and 0 when it is released.

  circuit:
  - a button between pin 2 and ground

  run: serial-ws
  page: web/p5/Button

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int buttonPin = 2;      // reads LOW while the button is pressed
const int debounceDelay = 5;  // milliseconds until the contacts have settled

int lastState = HIGH;         // the state of the button at the last check

void setup() {
  Serial.begin(9600);
  pinMode(buttonPin, INPUT_PULLUP);
}

void loop() {
  int state = digitalRead(buttonPin);
  if (state != lastState) {
    // the contacts bounce, so check again when they have settled:
    delay(debounceDelay);
    state = digitalRead(buttonPin);
  }
  if (state != lastState) {
    Serial.println(state == LOW);
    lastState = state;
  }
}
