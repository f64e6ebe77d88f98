/*
  Orientation
  Prints heading,pitch,roll in degrees, as sketches for motion sensors do: 90.0,12.5,-3.0

  An accelerometer senses which way is down, which gives pitch and roll. It cannot sense a turn on
  the spot, so here a potentiometer gives the heading.

  circuit:
  - an analog accelerometer (ADXL335): x, y, z to A0, A1, A2, its power to 3.3V and ground
  - a wire from 3.3V to AREF
  - a potentiometer: its middle pin to A3, the outer ones to 3.3V and ground

  run: serial-ws
  page: web/p5/Orientation

  created 20 Nov 2026

  This example code is in the public domain.
*/

const int xPin = A0;        // the x output of the accelerometer
const int yPin = A1;        // the y output
const int zPin = A2;        // the z output
const int headingPin = A3;  // the middle pin of the potentiometer
const int middle = 512;     // the reading of an axis without acceleration
const int interval = 20;    // milliseconds between lines

void setup() {
  Serial.begin(9600);
  // measure relative to the voltage at AREF, which is 3.3V:
  analogReference(EXTERNAL);
}

void loop() {
  float x = analogRead(xPin) - middle;
  float y = analogRead(yPin) - middle;
  float z = analogRead(zPin) - middle;
  float heading = analogRead(headingPin) * 360.0 / 1024;
  float pitch = degrees(atan2(-x, sqrt(y * y + z * z)));
  float roll = degrees(atan2(y, z));
  Serial.print(heading, 1);
  Serial.print(",");
  Serial.print(pitch, 1);
  Serial.print(",");
  Serial.println(roll, 1);
  delay(interval);
}
