/*
  Count
  Prints 0, 1, 2, … as fast as the serial line allows, so that a test notices every gap.

  circuit:
  - only the board
*/

unsigned long count = 0;

void setup() {
  Serial.begin(9600);
}

void loop() {
  Serial.println(count);
  count = count + 1;
}
