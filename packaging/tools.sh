#!/usr/bin/env bash
# Installs the tools that make and check packages, in the versions that were tested:
# packaging/tools.sh about|deb|deny|fuzz|zig…
set -eu

for tool; do
  case $tool in
    about) cargo install --locked cargo-about@0.9.3 --features cli ;;
    deb) cargo install --locked cargo-deb@3.8.0 ;;
    deny) cargo install --locked cargo-deny@0.20.2 ;;
    fuzz) cargo install --locked cargo-fuzz@0.13.2 ;;
    zig)
      # zig is the C compiler and linker; cargo-zigbuild finds it through this python3.
      python3 -m venv "$HOME/.local/zig"
      "$HOME/.local/zig/bin/pip" install -q cargo-zigbuild==0.24.0 ziglang==0.17.0
      if [ -n "${GITHUB_PATH-}" ]; then
        echo "$HOME/.local/zig/bin" >>"$GITHUB_PATH"
      else
        echo "now: PATH=$HOME/.local/zig/bin:\$PATH"
      fi
      ;;
    *) echo "tools.sh: unknown tool $tool" >&2 && exit 2 ;;
  esac
done
