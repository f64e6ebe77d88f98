# Several sensors, for MicroPython
# Prints two readings and the state of a button, separated by commas: 512,300,1
#
# circuit, on a Raspberry Pi Pico:
# - a potentiometer: its middle pin to GP26, the outer ones to 3V3 and ground
# - a light sensor from GP27 to 3V3, and a 10 kilohm resistor from GP27 to ground
# - a button between GP15 and ground
#
# run: serial-ws
# page: web/p5/SeveralSensors
#
# created 20 Nov 2026
#
# This example code is in the public domain.

from machine import ADC, Pin
from time import sleep_ms

knob = ADC(26)                         # the middle pin of the potentiometer
light = ADC(27)                        # the point between the light sensor and its resistor
button = Pin(15, Pin.IN, Pin.PULL_UP)  # reads 0 while the button is pressed
interval = 20                          # milliseconds between lines

while True:
    # a reading here is 0 to 65535, but the page expects 0 to 1023:
    print(knob.read_u16() // 64, light.read_u16() // 64, 1 - button.value(), sep=",")
    sleep_ms(interval)
