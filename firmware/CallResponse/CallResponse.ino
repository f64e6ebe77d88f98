/*
  Call and response
  Prints hello until a byte arrives. After that it prints one line for each byte it receives, so
  the computer sets the pace.

  circuit:
  - a potentiometer: its middle pin to A0, the outer ones to 5V and ground
  - a light sensor from A1 to 5V, and a 10 kilohm resistor from A1 to ground
  - a button between pin 2 and ground

  run: serial-ws
  page: web/p5/CallResponse

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int knobPin = A0;   // the middle pin of the potentiometer
const int lightPin = A1;  // the point between the light sensor and its resistor
const int buttonPin = 2;  // reads LOW while the button is pressed

void setup() {
  Serial.begin(9600);
  pinMode(buttonPin, INPUT_PULLUP);
  // say that the board is ready until a byte arrives:
  while (Serial.available() == 0) {
    Serial.println("hello");
    delay(300);
  }
}

void loop() {
  // print one line for each byte, whatever its value:
  if (Serial.available() > 0) {
    Serial.read();
    Serial.print(analogRead(knobPin));
    Serial.print(",");
    Serial.print(analogRead(lightPin));
    Serial.print(",");
    Serial.println(digitalRead(buttonPin) == LOW);
  }
}
