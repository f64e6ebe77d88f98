#!/bin/sh
# Uploads a compiled sketch to the simulated Uno by its serial port, as avrdude does to a real one:
# opening the port restarts the board, and its bootloader listens for a moment.
#
#   upload.sh PORT SKETCH.elf
set -eu
exec 3<>"$1"
stty raw -echo <&3
# What the sketch sent before is still in the terminal.
timeout 0.2 cat <&3 >/dev/null || true
printf 'upload %s\n' "$2" >&3
[ "$(timeout 5 head -n 1 <&3)" = uploaded ] || { echo "$1: no bootloader answers" >&2; exit 1; }
