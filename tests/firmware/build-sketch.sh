#!/bin/sh
# Compiles a sketch for the Uno with plain avr-g++ and the Arduino core of Debian's
# arduino-core-avr, with the flags of the core's platform.txt.
#
#   build-sketch.sh SKETCH-FOLDER OUTPUT-FOLDER [BAUD]
#
# makes OUTPUT-FOLDER/NAME.elf; with BAUD, the same sketch at that rate instead of 9600, as
# OUTPUT-FOLDER/NAME-BAUD.elf. The core is compiled once per output folder. With HEADERS=FOLDER, only
# the syntax is checked, against those headers: for sketches whose libraries are not available.
set -eu

sketch=${1%/} out=$2 baud=${3-}
name=$(basename "$sketch")
source=$sketch/$name.ino
elf=$out/$name${baud:+-$baud}.elf
avr=${ARDUINO_AVR:-/usr/share/arduino/hardware/arduino/avr}
core=$avr/cores/arduino

# Debian 12's avr-gcc leaves DECIMAL_DIG, which the core needs, out of C++11.
target="-mmcu=atmega328p -DF_CPU=16000000L -DARDUINO=10819 -DARDUINO_AVR_UNO -DARDUINO_ARCH_AVR
  -DDECIMAL_DIG=__DECIMAL_DIG__ -I$core -I$avr/variants/standard"
common="-c -Os -ffunction-sections -fdata-sections -flto $target"
c_flags="$common -w -std=gnu11 -fno-fat-lto-objects"
cpp_flags="$common -std=gnu++11 -fpermissive -fno-exceptions -fno-threadsafe-statics"

mkdir -p "$out"
if [ -z "${HEADERS-}" ] && [ ! -e "$out/core.a" ]; then
  # Built under a temporary name until complete, since builds may run in parallel.
  objects=$(mktemp -d "$out/core.XXXXXX")
  for file in "$core"/*.c "$core"/*.cpp "$core"/*.S; do
    object=$objects/$(basename "$file").o
    case $file in
      *.c) avr-gcc $c_flags "$file" -o "$object" ;;
      *.cpp) avr-g++ $cpp_flags -w "$file" -o "$object" ;;
      *.S) avr-gcc -c -x assembler-with-cpp $target "$file" -o "$object" ;;
    esac
  done
  avr-gcc-ar rcs "$objects/core.a" "$objects"/*.o
  mv "$objects/core.a" "$out/core.a"
  rm -r "$objects"
fi

work=$(mktemp -d "$out/$name.XXXXXX")
trap 'rm -rf "$work"' EXIT
if [ -n "$baud" ]; then
  # Each sketch sets the rate in one place, so replacing it there is enough.
  [ "$(grep -c 9600 "$source")" = 1 ] || { echo "$source: 9600 is not on exactly one line" >&2; exit 1; }
  sed "s/9600/$baud/" "$source" >"$work/source.ino"
else
  cp "$source" "$work/source.ino"
fi
{
  echo '#include <Arduino.h>'
  # Like the Arduino IDE, declares functions that a sketch uses before it defines them.
  sed -n 's/^\([A-Za-z_][A-Za-z_0-9 *]* [A-Za-z_0-9]*([^()]*)\) *{.*/\1;/p' "$work/source.ino"
  echo "#line 1 \"$source\""
  cat "$work/source.ino"
} >"$work/sketch.cpp"
warn="-Wall -Wextra -Werror"
if [ -n "${HEADERS-}" ]; then
  avr-g++ $cpp_flags $warn -fsyntax-only -I"$HEADERS" -I"$sketch" "$work/sketch.cpp"
  exit
fi
avr-g++ $cpp_flags $warn "$work/sketch.cpp" -o "$work/sketch.o"
avr-gcc -w -Os -flto -fuse-linker-plugin -Wl,--gc-sections -mmcu=atmega328p \
  "$work/sketch.o" "$out/core.a" -lm -o "$work/sketch.elf"
mv "$work/sketch.elf" "$elf"
