/*
  Button
  Prints 1 when a button is pressed and 0 when it is let go, and nothing in between.

  circuit:
  - a button between pin 2 and ground

  bridge: serial-ws
  page: web/p5/Button

  created 20 Nov 2026
*/

const int buttonPin = 2;      // reads LOW while the button is pressed
const int debounceDelay = 5;  // milliseconds until the contacts have come to rest

int lastState = HIGH;         // the state of the button when last looked at

void setup() {
  Serial.begin(9600);
  pinMode(buttonPin, INPUT_PULLUP);
}

void loop() {
  int state = digitalRead(buttonPin);
  if (state != lastState) {
    // the contacts bounce; look again when they are at rest:
    delay(debounceDelay);
    state = digitalRead(buttonPin);
  }
  if (state != lastState) {
    Serial.println(state == LOW);
    lastState = state;
  }
}
