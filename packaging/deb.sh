#!/usr/bin/env bash
# Makes the Debian package of the program that packaging/archive.sh TARGET built: packaging/deb.sh TARGET [PROGRAM]
#
# With PROGRAM, packs that file instead. Needs cargo-deb. The result is
# target/packages/serial-ws_VERSION-1_ARCHITECTURE.deb.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${1:?usage: packaging/deb.sh TARGET [PROGRAM]}
if [ -n "${2-}" ]; then
  # cargo-deb takes the program from where cargo would have put it.
  install -D "$2" "${CARGO_TARGET_DIR:-target}/$target/dist/serial-ws"
fi
cargo deb --locked --no-build --no-strip --profile dist --target "$target" --output target/packages/
