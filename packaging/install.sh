#!/bin/sh
# Installs serial-ws for the current user, on Linux or macOS: downloads the release for this computer,
# compares it with its published checksum, and puts the program into ~/.local/bin.
#
#   curl -fsSL https://github.com/serial-ws/serial-ws/releases/latest/download/install.sh | sh
#
# Variables: SERIAL_WS_VERSION (0.1.0; the latest), SERIAL_WS_BIN (~/.local/bin), and
# SERIAL_WS_DOWNLOAD, another address where a release's files are.
set -eu

repository=https://github.com/serial-ws/serial-ws

# Everything is in functions, so that half a download does nothing.
main() {
  target=$(target)
  archive=serial-ws-$target.tar.gz
  bin=${SERIAL_WS_BIN:-$HOME/.local/bin}
  from=${SERIAL_WS_DOWNLOAD:-$repository/releases/${SERIAL_WS_VERSION:+download/v}${SERIAL_WS_VERSION:-latest/download}}

  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  trap 'exit 1' HUP INT TERM

  say "downloading $from/$archive"
  download "$from/$archive" "$folder/$archive"
  download "$from/SHA256SUMS" "$folder/SHA256SUMS"
  check "$folder" "$archive"

  tar -xzf "$folder/$archive" -C "$folder"
  program=$folder/serial-ws-$target/serial-ws
  version=$("$program" -V) ||
    fail "the program does not run on this system. To build it here: cargo install serial-ws"

  mkdir -p "$bin"
  # A program that runs cannot be overwritten, but it can be replaced.
  cp "$program" "$bin/serial-ws.new"
  mv -f "$bin/serial-ws.new" "$bin/serial-ws"
  say "installed $version as $bin/serial-ws; to remove it, delete that file"

  case :$PATH: in
    *:"$bin":*) say "try: serial-ws sim --open" ;;
    *)
      # The shell of macOS reads another file than those of Linux.
      case ${SHELL-} in
        */zsh) profile=.zprofile ;;
        *) profile=.profile ;;
      esac
      say "$bin is not in your PATH yet. Put this line at the end of ~/$profile, then log in again:"
      say "  export PATH=\"$bin:\$PATH\""
      say "or run it by its whole name: $bin/serial-ws sim --open"
      ;;
  esac
}

# The name of this computer's kind among the release's files.
target() {
  system=$(uname -s)
  machine=$(uname -m)
  # 32-bit systems, as of the Raspberry Pi, may have a 64-bit kernel.
  if [ "$system" = Linux ] && [ "$machine" = aarch64 ] && [ "$(getconf LONG_BIT)" = 32 ]; then
    machine=armv7l
  fi
  # Under Rosetta, a shell reports x86_64 on Apple silicon.
  if [ "$system" = Darwin ] && [ "$(sysctl -n hw.optional.arm64 2>/dev/null)" = 1 ]; then
    machine=arm64
  fi
  case $system-$machine in
    Linux-x86_64) echo x86_64-unknown-linux-gnu ;;
    Linux-aarch64) echo aarch64-unknown-linux-gnu ;;
    Linux-armv6l | Linux-armv7l | Linux-armv8l) echo arm-unknown-linux-gnueabihf ;;
    Darwin-x86_64) echo x86_64-apple-darwin ;;
    Darwin-arm64) echo aarch64-apple-darwin ;;
    *) fail "there is no release for $system on $machine. To build it here: cargo install serial-ws" ;;
  esac
}

# download ADDRESS FILE
download() {
  if command -v curl >/dev/null; then
    curl -fsSL --retry 3 -o "$2" "$1" || fail "cannot download $1"
  elif command -v wget >/dev/null; then
    wget -q -O "$2" "$1" || fail "cannot download $1"
  else
    fail "neither curl nor wget is here. Install one of them"
  fi
}

# check FOLDER FILE: compares FILE with its line in SHA256SUMS, or ends.
check() {
  expected=$(awk -v file="$2" '$2 == file { print $1 }' "$1/SHA256SUMS")
  [ -n "$expected" ] || fail "SHA256SUMS does not name $2. Nothing was installed"
  if command -v sha256sum >/dev/null; then
    found=$(sha256sum "$1/$2")
  elif command -v shasum >/dev/null; then
    found=$(shasum -a 256 "$1/$2")
  else
    fail "neither sha256sum nor shasum is here, so the download cannot be checked"
  fi
  [ "${found%% *}" = "$expected" ] ||
    fail "the checksum of $2 is wrong: ${found%% *} instead of $expected. Nothing was installed"
}

say() {
  echo "serial-ws: $1"
}

fail() {
  echo "serial-ws: $1" >&2
  exit 1
}

main
