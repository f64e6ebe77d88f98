/*
  Echo
  Sends back each line it receives. Every ten seconds it also prints how long it has been running:
  {"seconds":10}

  circuit:
  - only the board

  run: serial-ws --append lf
  page: web/p5/Echo

  created 20 Nov 2026

  This example code is in the public domain.
*/

const unsigned long interval = 10000;  // milliseconds between reports

unsigned long lastReport = 0;          // when the last report was due, in milliseconds

void setup() {
  Serial.begin(9600);
}

void loop() {
  // echo byte by byte, so that a line can have any length:
  if (Serial.available() > 0) {
    Serial.write(Serial.read());
  }
  if (millis() - lastReport >= interval) {
    lastReport = lastReport + interval;
    Serial.print("{\"seconds\":");
    Serial.print(lastReport / 1000);
    Serial.println("}");
  }
}
