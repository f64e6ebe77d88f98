#!/usr/bin/env bash
# Installs what is in target/packages as users would, each into an empty folder or system, and runs it:
# packaging/test-packages.sh
#
# Programs for other systems are run by what CARGO_TARGET_…_RUNNER names, as cargo does, and those of npm by the
# Node that NODE_LINUX_ARM64, NODE_WIN32_X64 and so on name. Debian packages for other processors are installed
# if Linux runs their programs (binfmt). Ends with what it installed, and what it left out and why. Exits with 1
# if something failed.
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
  (set -e && "$@") </dev/null >"$work/said" 2>&1
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

# answers COMMAND…: runs the program on a simulated board until that sends a line, and prints what it is.
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
  "$@" --version >"$work/version"
  awk -F ': ' '
    NR == 1 { name = $0 }
    { value[$1] = $2 }
    END {
      print name ", commit " value["commit"] ", for " value["target"]
      exit !("commit" in value && "target" in value)
    }
  ' "$work/version"
}

# runs_here TARGET: goes on if programs for it run here: as they are, or by $runner.
runs_here() {
  local variable
  variable=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$1")_RUNNER
  runner=${!variable-}
  [ "$1" = "$host" ] || [ -n "$runner" ] || skip "it does not run here, and \$$variable names nothing that runs it"
}

# archive TARGET: unpacks it and runs the program in it.
archive() {
  local unpacked=$work/unpacked
  mkdir -p "$unpacked"
  case $1 in
    *-windows-*) there unzip && unzip -qo "$packages/serial-ws-$1.zip" -d "$unpacked" ;;
    *) tar -xzf "$packages/serial-ws-$1.tar.gz" -C "$unpacked" ;;
  esac
  runs_here "$1"
  # shellcheck disable=SC2086 # a command and its arguments
  answers $runner "$(echo "$unpacked/serial-ws-$1"/serial-ws*)"
}

installer() {
  there curl
  HOME=$work/home SERIAL_WS_DOWNLOAD=file://$packages sh "$packages/install.sh"
  answers "$work/home/.local/bin/serial-ws"
}

# debian FILE: installs it into a fresh Debian of its kind.
debian() {
  local kind root
  there debootstrap
  kind=$(dpkg-deb -f "$1" Architecture)
  [ "$(id -u)" = 0 ] || skip "only root can make a fresh Debian"
  if [ "$kind" != "$(dpkg --print-architecture)" ]; then
    there arch-test
    arch-test "$kind" >/dev/null || skip "Linux does not run programs for $kind here"
  fi
  root=$work/debian-$kind
  debootstrap --variant=minbase --arch="$kind" stable "$root"
  cp "$1" "$root/tmp/serial-ws.deb"
  chroot "$root" apt-get install -y /tmp/serial-ws.deb
  chroot "$root" sh -c 'serial-ws config sim >/dev/null && test -e /usr/share/man/man1/serial-ws.1.gz'
  answers chroot "$root" serial-ws
}

# npm_package TARGET PLATFORM: installs what npm would on that platform, and runs the command by its Node.
npm_package() {
  local files=("$packages/serial-ws-$version.tgz") options=() node file
  there npm node
  for file in "$packages"/serial-ws-*-"$version".tgz; do files+=("$file"); done
  mkdir "$work/npm-$2" && cd "$work/npm-$2" && echo '{}' >package.json
  [ "$1" = "$host" ] || options=("--os=${2%-*}" "--cpu=${2#*-}" --libc=glibc)
  # npm skips those for other platforms if they may be missing.
  npm install --offline --no-audit --no-fund --save-optional "${options[@]}" "${files[@]}"
  [ "$(ls node_modules/@serial-ws)" = "$2" ]
  if [ "$1" = "$host" ]; then
    echo 'import { SerialWs } from "serial-ws"; console.log(typeof SerialWs)' >client.mjs
    [ "$(node client.mjs)" = function ]
    answers node_modules/.bin/serial-ws
    return
  fi
  node=NODE_$(tr a-z- A-Z_ <<<"$2")
  [ -n "${!node-}" ] || skip "\$$node names no Node for it"
  # shellcheck disable=SC2086 # a command and its arguments
  answers ${!node} node_modules/serial-ws/bin/serial-ws.mjs
}

# wheel TARGET PLATFORM FILE: installs it as Python would there, and runs the program in it.
wheel() {
  local here=$work/python-$1 options=() platform
  there python3
  python3 -m venv "$here"
  if [ "$1" = "$host" ]; then
    "$here/bin/pip" install --quiet --find-links "$packages" "serial-ws==$version"
    "$here/bin/python" -c 'import serial_ws; serial_ws.connect'
    answers "$here/bin/serial-ws"
    return
  fi
  for platform in ${2//./ }; do options+=(--platform "$platform"); done
  "$here/bin/pip" install --quiet --no-deps --only-binary=:all: "${options[@]}" --target "$here/there" "$3"
  [ -e "$here/there/serial_ws/py.typed" ]
  runs_here "$1"
  # shellcheck disable=SC2086 # a command and its arguments
  answers $runner "$(echo "$here/there/bin"/serial-ws*)"
  echo "$(tail -n 1 "$work/said"), without a Python"
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
while read -r target npm python; do
  case $target in
    *-windows-*) file=serial-ws-$target.zip ;;
    *) file=serial-ws-$target.tar.gz ;;
  esac
  [ -e "$file" ] || continue
  try "$file" archive "$target"
  try "serial-ws-$npm-$version.tgz" npm_package "$target" "$npm"
  file=serial_ws-$version-py3-none-$python.whl
  try "$file" wheel "$target" "$python" "$PWD/$file"
done < <(grep -v '^#' ../../packaging/targets.txt)
try "install.sh" installer
for file in *.deb; do [ ! -e "$file" ] || try "$file" debian "$PWD/$file"; done
try "serial-ws.rb" formula

printf '\n'
cat "$work/report"
! grep -q '^FAILED' "$work/report"
