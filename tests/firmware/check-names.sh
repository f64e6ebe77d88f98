#!/bin/sh
# Checks that a sketch has no global with a name of POSIX or C. Some boards include these headers in
# every sketch: the ESP32 has a function pause(), so a variable of that name does not compile there.
#
#   check-names.sh SKETCH-FOLDER
#
# Within extern "C", a function of the same name is a conflict too, whatever its parameters are.
set -eu

sketch=${1%/}
source=$sketch/$(basename "$sketch").ino
here=$(dirname "$0")

headers=
for header in unistd sys/socket netdb arpa/inet poll pthread semaphore signal fcntl termios syslog sys/ioctl sys/select \
  sys/stat sys/time sys/wait dirent math stdio stdlib string strings time; do
  headers="$headers -include $header.h"
done

{
  echo '#include <Arduino.h>'
  grep '^#include' "$source" || true
  echo 'extern "C" {'
  # Like the Arduino IDE, declares functions that a sketch uses before it defines them.
  sed -n 's/^\([A-Za-z_][A-Za-z_0-9 *]* [A-Za-z_0-9]*([^()]*)\) *{.*/\1;/p' "$source"
  echo "#line 1 \"$source\""
  sed 's/^#include.*//' "$source"
  echo '}'
} | c++ -x c++ -std=gnu++17 -fsyntax-only -Wall -Wextra -Werror $headers -I"$here/posix" -I"$here/headers" -I"$sketch" -
