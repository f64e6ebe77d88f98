#!/usr/bin/env bash
# Makes the wheels for PyPI from the archives in target/packages: packaging/wheels.sh [FOLDER]
#
# The result is beside the archives, or in FOLDER if they are there: serial_ws-VERSION-py3-none-PLATFORM.whl
# for each archive, with the program and the module serial_ws of python/. Needs hatchling for python3, and
# tar or, for archives of Windows, unzip.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
packages=$(realpath "${1:-target/packages}")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SERIAL_WS_VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
export SERIAL_WS_VERSION SERIAL_WS_PROGRAM SERIAL_WS_PLATFORM

made=0
while read -r target _ SERIAL_WS_PLATFORM; do
  name=serial-ws-$target
  if [ -e "$packages/$name.tar.gz" ]; then
    tar -xzf "$packages/$name.tar.gz" -C "$work"
  elif [ -e "$packages/$name.zip" ]; then
    unzip -q "$packages/$name.zip" -d "$work"
  else
    echo "left out $SERIAL_WS_PLATFORM: there is no archive of $target in $packages"
    continue
  fi
  cp -R packaging/python "$work/$target"
  cp "$work/$name"/{LICENSE-MIT,LICENSE-APACHE,THIRD-PARTY.txt} "$work/$target"
  SERIAL_WS_PROGRAM=$(echo "$work/$name"/serial-ws*)
  (cd "$work/$target" && python3 -m hatchling build --target wheel --directory "$packages")
  made=$((made + 1))
done < <(grep -v '^#' packaging/targets.txt)

if [ $made = 0 ]; then
  echo "wheels.sh: $packages has no archive. Run packaging/archive.sh first" >&2
  exit 1
fi
