/*
  One number
  Prints the reading of a sensor, one number per line.

  circuit:
  - a potentiometer: its middle pin to A0, the others to 5V and ground

  bridge: serial-ws
  page: web/p5/OneNumber

  created 20 Nov 2026
*/

const int sensorPin = A0;  // the middle pin of the potentiometer
const int pause = 20;      // milliseconds between readings

void setup() {
  Serial.begin(9600);
}

void loop() {
  Serial.println(analogRead(sensorPin));
  delay(pause);
}
