# LED by letters, for MicroPython
# H switches the LED on, L switches it off. Every other byte, such as a line end, is passed over.
#
# circuit, on a Raspberry Pi Pico:
# - the LED on the board
#
# bridge: serial-ws
# page: web/p5/LedLetters
#
# created 20 Nov 2026

import micropython
import sys
from machine import Pin
from time import sleep

led = Pin("LED", Pin.OUT)  # the LED on the board

# in these seconds Ctrl-C in the editor still stops the program:
sleep(3)
# from now on the byte 0x03 is a byte like any other; a page cannot stop the program with it:
micropython.kbd_intr(-1)

while True:
    # wait for a byte:
    letter = sys.stdin.read(1)
    if letter == "H":
        led.on()
        # tell everyone, since any page may have switched it:
        print("on")
    if letter == "L":
        led.off()
        print("off")
