#!/usr/bin/env bash
# Runs install.sh as a user would, against a server on this computer with releases made here, and
# checks that all installers name the repository of Cargo.toml: packaging/test-install.sh
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")"
installer=$PWD/install.sh

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
release=$work/release
home=$work/home
mkdir -p "$release" "$home" "$work/tools"

# release TARGET: makes an archive whose program prints its target instead of a version, and the checksums.
release() {
  mkdir -p "$work/serial-ws-$1"
  printf '#!/bin/sh\necho "a program for %s"\n' "$1" >"$work/serial-ws-$1/serial-ws"
  chmod +x "$work/serial-ws-$1/serial-ws"
  tar -czf "$release/serial-ws-$1.tar.gz" -C "$work" "serial-ws-$1"
  (cd "$release" && sha256sum ./*.tar.gz | sed 's| \./| |' >SHA256SUMS)
}

# computer SYSTEM MACHINE BITS: pretends to the installer that this is such a computer.
computer() {
  # shellcheck disable=SC2016 # the script expands them
  printf '#!/bin/sh\n[ "$1" = -s ] && echo %s || echo %s\n' "$1" "$2" >"$work/tools/uname"
  printf '#!/bin/sh\necho %s\n' "$3" >"$work/tools/getconf"
  printf '#!/bin/sh\nexit 1\n' >"$work/tools/sysctl"
  chmod +x "$work/tools"/*
}

# run: runs the installer, and keeps its output in $work/said.
run() {
  HOME=$home PATH=$work/tools:$PATH SERIAL_WS_DOWNLOAD=$url sh "$installer" >"$work/said" 2>&1
}

fail() {
  echo "FAILED: $1"
  sed 's/^/  /' "$work/said"
  exit 1
}

# installs TARGET: it puts the program for TARGET where it says.
installs() {
  rm -rf "$home/.local"
  run || fail "no installation for $1"
  grep -q "installed a program for $1 as $home/.local/bin/serial-ws" "$work/said" || fail "does not say what it did"
  [ "$("$home/.local/bin/serial-ws")" = "a program for $1" ] || fail "another program than for $1"
  echo "installs $1"
}

# refuses TEXT: it ends with TEXT, and leaves nothing behind.
refuses() {
  rm -rf "$home/.local"
  ! run || fail "installs although: $1"
  grep -q "$1" "$work/said" || fail "does not say: $1"
  [ ! -e "$home/.local" ] || fail "leaves something behind although: $1"
  echo "refuses: $1"
}

python3 -u -m http.server --bind 127.0.0.1 --directory "$release" 0 >"$work/server" 2>&1 &
server=$!
until grep -q 'http://' "$work/server"; do kill -0 "$server"; done
url=$(sed -n 's|.*(\(http://.*\)/).*|\1|p' "$work/server")

for target in {x86_64,aarch64}-{unknown-linux-gnu,apple-darwin} arm-unknown-linux-gnueabihf; do
  release "$target"
done
computer Linux x86_64 64 && installs x86_64-unknown-linux-gnu
SHELL=/bin/bash run
grep -q "at the end of ~/.profile" "$work/said" || fail "does not tell about the PATH"
SHELL=/bin/zsh run
grep -q "at the end of ~/.zprofile" "$work/said" || fail "does not tell about the PATH of zsh"
run || fail "cannot replace what it installed"
computer Linux aarch64 64 && installs aarch64-unknown-linux-gnu
computer Linux aarch64 32 && installs arm-unknown-linux-gnueabihf
computer Linux armv6l 32 && installs arm-unknown-linux-gnueabihf
computer Darwin x86_64 64 && installs x86_64-apple-darwin
computer Darwin arm64 64 && installs aarch64-apple-darwin
computer Linux riscv64 64 && refuses "there is no release for Linux on riscv64"

computer Linux x86_64 64
echo >>"$release/serial-ws-x86_64-unknown-linux-gnu.tar.gz"
refuses "the checksum of serial-ws-x86_64-unknown-linux-gnu.tar.gz is wrong"
: >"$release/SHA256SUMS"
refuses "SHA256SUMS does not name serial-ws-x86_64-unknown-linux-gnu.tar.gz"
rm "$release/SHA256SUMS"
refuses "cannot download .*/SHA256SUMS"

repository=$(sed -n 's/^repository = "\(.*\)"/\1/p' ../Cargo.toml)
for file in install.sh install.ps1 ../README.md debian/copyright; do
  grep -qF "$repository" "$file" || fail "$file does not name $repository"
  ! grep -o 'https://github.com/[^/]*/serial-ws' "$file" | grep -vxF "$repository" >"$work/said" ||
    fail "$file names another repository"
done
echo "all name $repository"
