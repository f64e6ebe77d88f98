#!/bin/sh
# Uploads a compiled sketch to the simulated Uno by its serial port, as avrdude does to a real one:
# opening the port restarts the board, and its bootloader listens for a moment.
#
#   upload.sh PORT SKETCH.elf
set -eu
exec 3<>"$1"
stty raw -echo <&3
printf 'upload %s\n' "$2" >&3
# What the sketch sent before may still be in the terminal.
timeout 5 grep -qxm 1 uploaded <&3 || { echo "$1: no bootloader answers" >&2; exit 1; }
