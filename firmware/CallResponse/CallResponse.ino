/*
  Call and response
  Says hello until somebody answers. Then it prints one line for each byte that it receives,
  so the computer sets the pace.

  circuit:
  - a potentiometer: its middle pin to A0, the others to 5V and ground
  - a light sensor from A1 to 5V, and a 10 kilohm resistor from A1 to ground
  - a button between pin 2 and ground

  bridge: serial-ws
  page: web/p5/CallResponse

  created 20 Nov 2026
*/

const int knobPin = A0;   // the middle pin of the potentiometer
const int lightPin = A1;  // where the light sensor and its resistor meet
const int buttonPin = 2;  // reads LOW while the button is pressed

void setup() {
  Serial.begin(9600);
  pinMode(buttonPin, INPUT_PULLUP);
  // until a byte comes, say that the board is ready:
  while (Serial.available() == 0) {
    Serial.println("hello");
    delay(300);
  }
}

void loop() {
  // one line for each byte, whatever it is:
  if (Serial.available() > 0) {
    Serial.read();
    Serial.print(analogRead(knobPin));
    Serial.print(",");
    Serial.print(analogRead(lightPin));
    Serial.print(",");
    Serial.println(digitalRead(buttonPin) == LOW);
  }
}
