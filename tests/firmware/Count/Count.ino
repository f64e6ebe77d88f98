/*
  Count
  Prints 0, 1, 2, … as fast as the line takes it, so that a test sees every gap.

  circuit:
  - nothing but the board
*/

unsigned long count = 0;

void setup() {
  Serial.begin(9600);
}

void loop() {
  Serial.println(count);
  count = count + 1;
}
