#!/usr/bin/env bash
# Installs what is in target/packages as users would, each into an empty folder or system, and runs it:
# packaging/test-packages.sh
#
# Programs for other systems are run by what CARGO_TARGET_…_RUNNER names, as cargo does. Ends with what it
# installed, and what it left out and why. Exits with 1 if something failed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.."
packages=$PWD/target/packages
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
host=$(rustc -vV | sed -n 's/^host: //p')
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT

# try WHAT COMMAND…: notes whether it went well. A command that cannot be run here ends with 77, after a
# line with the reason.
try() {
  local what=$1 status
  shift
  (set -e && "$@") >"$work/said" 2>&1
  status=$?
  case $status in
    0) echo "installed  $what: $(tail -n 1 "$work/said")" ;;
    77) echo "left out   $what: $(tail -n 1 "$work/said")" ;;
    *) echo "FAILED     $what" && sed 's/^/  /' "$work/said" ;;
  esac >>"$work/report"
  tail -n 1 "$work/report"
}

# skip WHY: ends a command of `try`.
skip() { echo "$1" && exit 77; }

# there COMMAND…: goes on if all are installed.
there() {
  local command
  for command; do command -v "$command" >/dev/null || skip "there is no $command here"; done
}

# answers COMMAND…: runs the program on a simulated board until that sends a line, and prints its version.
answers() {
  local address line
  "$@" sim --listen 127.0.0.1:0 >"$work/log" 2>&1 &
  for _ in $(seq 300); do
    address=$(sed -n 's|.*listening on ws://\(127[^/]*\)/.*|\1|p' "$work/log")
    [ -z "$address" ] || break
    sleep 0.1
  done
  line=$(curl -sN --max-time 20 "http://$address/api/ports/sim/lines" | head -n 1)
  kill $!
  wait $! || true
  cat "$work/log"
  [ -n "$line" ]
  "$@" -V
}

# unpack TARGET: unpacks its archive into a folder, whose path is in $unpacked.
unpack() {
  unpacked=$work/unpacked/serial-ws-$1
  mkdir -p "$work/unpacked"
  case $1 in
    *-windows-*) there unzip && unzip -qo "$packages/serial-ws-$1.zip" -d "$work/unpacked" ;;
    *) tar -xzf "$packages/serial-ws-$1.tar.gz" -C "$work/unpacked" ;;
  esac
}

# archive TARGET: runs the program in it.
archive() {
  local runner suffix=
  unpack "$1"
  case $1 in *-windows-*) suffix=.exe ;; esac
  runner=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$1")_RUNNER
  if [ "$1" != "$host" ] && [ -z "${!runner-}" ]; then
    skip "it does not run here, and \$$runner names nothing that runs it"
  fi
  # shellcheck disable=SC2086 # a command and its arguments
  answers ${!runner-} "$unpacked/serial-ws$suffix"
}

installer() {
  there curl
  HOME=$work/home SERIAL_WS_DOWNLOAD=file://$packages sh "$packages/install.sh"
  answers "$work/home/.local/bin/serial-ws"
}

# debian FILE: installs it into a fresh Debian, which is made once.
debian() {
  local root=$work/debian
  [ "$(dpkg --print-architecture 2>/dev/null)" = "$(dpkg-deb -f "$1" Architecture)" ] || skip "it is for another computer"
  there debootstrap
  [ "$(id -u)" = 0 ] || skip "only root can make a fresh Debian"
  [ -e "$root" ] || debootstrap --variant=minbase stable "$root"
  cp "$1" "$root/tmp/serial-ws.deb"
  chroot "$root" apt-get install -y /tmp/serial-ws.deb
  chroot "$root" sh -c 'serial-ws config sim >/dev/null && test -e /usr/share/man/man1/serial-ws.1.gz'
  answers chroot "$root" serial-ws
}

npm_package() {
  there npm npx
  local files=("$packages/serial-ws-$version.tgz")
  for file in "$packages"/serial-ws-*-"$version".tgz; do files+=("$file"); done
  mkdir "$work/npm" && cd "$work/npm" && echo '{}' >package.json
  # npm skips those for other platforms if they may be missing.
  npm install --offline --no-audit --no-fund --save-optional "${files[@]}"
  echo 'import { SerialWs } from "serial-ws"; console.log(typeof SerialWs)' >client.mjs
  [ "$(node client.mjs)" = function ]
  answers node_modules/.bin/serial-ws
}

wheel() {
  there python3
  python3 -m venv "$work/python"
  "$work/python/bin/pip" install --quiet --find-links "$packages" "serial-ws==$version"
  "$work/python/bin/python" -c 'import serial_ws; serial_ws.connect'
  answers "$work/python/bin/serial-ws"
}

formula() {
  there ruby
  ruby -c "$packages/serial-ws.rb"
  echo "its syntax is right; Homebrew has not run it"
}

cd "$packages"
set -e
sha256sum --check --quiet SHA256SUMS
set +e
while read -r target _; do
  case $target in
    *-windows-*) file=serial-ws-$target.zip ;;
    *) file=serial-ws-$target.tar.gz ;;
  esac
  [ ! -e "$file" ] || try "$file" archive "$target"
done < <(grep -v '^#' ../../packaging/targets.txt)
try "install.sh" installer
for file in *.deb; do [ ! -e "$file" ] || try "$file" debian "$PWD/$file"; done
try "serial-ws-$version.tgz" npm_package
try "serial_ws-$version.whl" wheel
try "serial-ws.rb" formula

printf '\n'
cat "$work/report"
! grep -q '^FAILED' "$work/report"
