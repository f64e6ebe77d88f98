#!/usr/bin/env bash
# Installs what packages are made and checked with, in the versions that were tried:
# packaging/tools.sh about|deb|deny|zig…
set -eu

for tool; do
  case $tool in
    about) cargo install --locked cargo-about@0.9.3 --features cli ;;
    deb) cargo install --locked cargo-deb@3.8.0 ;;
    deny) cargo install --locked cargo-deny@0.19.0 ;;
    zig)
      # zig is the C compiler and linker; cargo-zigbuild finds it by way of this python3.
      python3 -m venv "$HOME/.local/zig"
      "$HOME/.local/zig/bin/pip" install -q cargo-zigbuild==0.24.0 ziglang==0.17.0
      if [ -n "${GITHUB_PATH-}" ]; then
        echo "$HOME/.local/zig/bin" >>"$GITHUB_PATH"
      else
        echo "now: PATH=$HOME/.local/zig/bin:\$PATH"
      fi
      ;;
    *) echo "tools.sh: what is $tool?" >&2 && exit 2 ;;
  esac
done
