#!/usr/bin/env bash
# Makes the recordings of this folder again: runs sketches of firmware/ on a simulated Uno, and records
# what serial-ws reads of it.
#
#   firmware/recordings/record.sh [NAME…]
#
# It needs what tests/firmware/run needs, and a build: cargo build. SERIAL_WS names another program.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

program=${SERIAL_WS:-${CARGO_TARGET_DIR:-target}/debug/serial-ws}
seconds=20
work=$(mktemp -d)
board=$work/board
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT

cc -O2 -I/usr/include/simavr tests/firmware/uno-sim.c -o "$work/uno-sim" -lsimavr -lm

# record NAME SKETCH COMMANDS [TYPED]: records the sketch with these commands of uno-sim. What is TYPED
# is sent every 100 ms.
record() {
  tests/firmware/build-sketch.sh "firmware/$2" "$work"
  mkfifo "$work/commands"
  "$work/uno-sim" --link "$board" --auto-reset "$work/$2.elf" <"$work/commands" >/dev/null &
  local uno=$!
  exec 3>"$work/commands"
  printf '%b' "$3" >&3
  until [ -e "$board" ]; do sleep 0.1; done
  "$program" --listen 127.0.0.1:24090 --record "$work/out" "uno=$board,baud=9600" 2>"$work/log" &
  local serial_ws=$!
  until curl -fs http://127.0.0.1:24090/healthz >/dev/null; do sleep 0.1; done
  if [ -n "${4-}" ]; then
    for _ in $(seq $((seconds * 10))); do
      curl -fs -d "$4" http://127.0.0.1:24090/api/ports/uno/write >/dev/null || true
      sleep 0.1
    done
  else
    sleep "$seconds"
  fi
  kill "$serial_ws"
  wait "$serial_ws" || true
  exec 3>&-
  wait "$uno" || true
  # As if it were a board on USB.
  sed -e '1s|"port":"uno"|"port":"uno","path":"/dev/ttyACM0","board":"Arduino Uno"|' \
    -e "s|$board|/dev/ttyACM0|g" "$work"/out/uno-*.jsonl >"firmware/recordings/$1.jsonl"
  rm -r "$work/out" "$work/commands"
}

names=("$@")
[ $# -gt 0 ] || names=(potentiometer imu call-and-response)
for name in "${names[@]}"; do
  case $name in
    potentiometer) record "$name" OneNumber 'sine 0 0.2\n' ;;
    imu) record "$name" Orientation 'sine 0 0.11\nsine 1 0.17\nadc 2 3300\nsine 3 0.05\n' ;;
    call-and-response) record "$name" CallResponse 'sine 0 0.2\nsine 1 0.5\n' . ;;
    *) echo "no recording is called $name" >&2; exit 2 ;;
  esac
done
