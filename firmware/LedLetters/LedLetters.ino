/*
  LED by letters
  H switches the LED on, L switches it off. Every other byte, such as a line ending, is ignored.

  circuit:
  - the LED on the board, or one from pin 13 through a 220 ohm resistor to ground

  run: serial-ws
  page: web/p5/LedLetters

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int ledPin = LED_BUILTIN;  // pin 13 on most boards

void setup() {
  Serial.begin(9600);
  pinMode(ledPin, OUTPUT);
}

void loop() {
  if (Serial.available() > 0) {
    char letter = Serial.read();
    if (letter == 'H') {
      digitalWrite(ledPin, HIGH);
      // tell every page, since any of them may have switched it:
      Serial.println("on");
    }
    if (letter == 'L') {
      digitalWrite(ledPin, LOW);
      Serial.println("off");
    }
  }
}
