# LED by letters, for MicroPython
# H switches the LED on, L switches it off. Every other byte, such as a line ending, is ignored.
#
# circuit, on a Raspberry Pi Pico:
# - the LED on the board
#
# run: serial-ws
# page: web/p5/LedLetters
#
# created 20 Nov 2026
#
# This example code is in the public domain.

import micropython
import sys
from machine import Pin
from time import sleep

led = Pin("LED", Pin.OUT)  # the LED on the board

# for three seconds Ctrl-C in the editor can still stop the program:
sleep(3)
# from now on 0x03 is an ordinary byte, so a page cannot stop the program with it:
micropython.kbd_intr(-1)

while True:
    # wait for a byte:
    letter = sys.stdin.read(1)
    if letter == "H":
        led.on()
        # tell every page, since any of them may have switched it:
        print("on")
    if letter == "L":
        led.off()
        print("off")
