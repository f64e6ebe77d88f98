/*
  Echo
  Sends back each line that it receives. Every ten seconds it also prints how long it has been
  running: {"seconds":10}

  circuit:
  - nothing but the board

  bridge: serial-ws --append lf
  page: web/p5/Echo

  created 20 Nov 2026
*/

const unsigned long interval = 10000;  // milliseconds between reports

unsigned long lastReport = 0;          // when the last one was, in milliseconds

void setup() {
  Serial.begin(9600);
}

void loop() {
  // byte by byte, so that a line may be of any length:
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
