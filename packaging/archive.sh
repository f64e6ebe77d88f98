#!/usr/bin/env bash
# Builds the program for TARGET and packs it with its documents: packaging/archive.sh TARGET [PROGRAM]
#
# With PROGRAM, packs that file instead of building one. Needs target/documents (packaging/documents.sh)
# and, for Linux, cargo-zigbuild with zig, which links against an old C library, so that the program runs
# on every system in use. Elsewhere than on a Mac, zig links for macOS too, with the frameworks of Apple's
# SDK at $SDKROOT. The result is target/packages/serial-ws-TARGET.tar.gz, or .zip for Windows.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${1:?usage: packaging/archive.sh TARGET [PROGRAM]}
program=${2-}

# For Debian 10, Ubuntu 20.04, Raspberry Pi OS 10 and Red Hat 8; `depends` in Cargo.toml is the same.
glibc=2.28
# The first macOS that runs on Apple silicon.
export MACOSX_DEPLOYMENT_TARGET=11.0
# Windows does not include the C library that Microsoft's compiler links against.
export CARGO_TARGET_X86_64_PC_WINDOWS_MSVC_RUSTFLAGS="-C target-feature=+crt-static"
export CARGO_TARGET_AARCH64_PC_WINDOWS_MSVC_RUSTFLAGS="-C target-feature=+crt-static"

if [ ! -d target/documents ]; then
  echo "archive.sh: there is no target/documents. Run packaging/documents.sh first" >&2
  exit 1
fi

case $target in
  *-windows-*) suffix=.exe ;;
  *) suffix= ;;
esac
if [ -z "$program" ]; then
  build=build as=$target
  case $target in
    *-linux-gnu*) build=zigbuild as=$target.$glibc ;;
    *-apple-darwin) [ "$(uname -s)" = Darwin ] || build=zigbuild ;;
  esac
  cargo $build --locked --profile dist --target "$as"
  program=${CARGO_TARGET_DIR:-target}/$target/dist/serial-ws$suffix
fi

name=serial-ws-$target
packages=$PWD/target/packages
folder=$packages/$name
rm -rf "$folder"
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"
cp "$program" "$folder/serial-ws$suffix"
cp -R README.md CHANGELOG.md PROTOCOL.md SECURITY.md docs LICENSE-MIT LICENSE-APACHE "$folder"
cp -R target/documents/{THIRD-PARTY.txt,completions,man} "$folder"
case $target in
  *-linux-*) cp -R packaging/systemd "$folder" ;;
esac

cd "$packages"
rm -f "$name.tar.gz" "$name.zip"
case $target in
  *-windows-*) if command -v 7z >/dev/null; then 7z a -bso0 "$name.zip" "$name"; else zip -qr "$name.zip" "$name"; fi ;;
  *) tar -czf "$name.tar.gz" "$name" ;;
esac
ls -l "$packages/$name".*
