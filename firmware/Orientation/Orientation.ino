/*
  Orientation
  Prints heading,pitch,roll in degrees, as sketches for boards with a motion sensor do: 90.0,12.5,-3.0

  An accelerometer feels which way is down, so it knows pitch and roll. It cannot feel a turn on
  the spot; a potentiometer gives the heading here.

  circuit:
  - an analog accelerometer (ADXL335): x, y, z to A0, A1, A2, its power to 3.3V and ground
  - a wire from 3.3V to AREF
  - a potentiometer: its middle pin to A3, the others to 3.3V and ground

  bridge: serial-ws
  page: web/p5/Orientation

  created 20 Nov 2026
*/

const int xPin = A0;              // the three directions of the accelerometer
const int yPin = A1;
const int zPin = A2;
const int headingPin = A3;        // the middle pin of the potentiometer
const int middle = 512;           // what a direction reads when nothing pulls it
const float degrees = 57.29578;   // in one radian
const int pause = 20;             // milliseconds between lines

void setup() {
  Serial.begin(9600);
  // readings are parts of the voltage at AREF, which is 3.3V:
  analogReference(EXTERNAL);
}

void loop() {
  float x = analogRead(xPin) - middle;
  float y = analogRead(yPin) - middle;
  float z = analogRead(zPin) - middle;
  float heading = analogRead(headingPin) * 360.0 / 1024;
  float pitch = atan2(-x, sqrt(y * y + z * z)) * degrees;
  float roll = atan2(y, z) * degrees;
  Serial.print(heading, 1);
  Serial.print(",");
  Serial.print(pitch, 1);
  Serial.print(",");
  Serial.println(roll, 1);
  delay(pause);
}
