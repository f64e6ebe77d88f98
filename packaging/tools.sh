#!/usr/bin/env bash
# Installs the tools that make and check packages, in the versions that were tested:
# packaging/tools.sh about|deb|deny|fuzz|sbom|wheels|zig…
set -eu

# python_tools PACKAGE…: installs them where their python3 comes first in the PATH.
python_tools() {
  local folder=$HOME/.local/serial-ws-tools
  [ -d "$folder" ] || python3 -m venv "$folder"
  "$folder/bin/pip" install -q "$@"
  if [ -n "${GITHUB_PATH-}" ]; then
    echo "$folder/bin" >>"$GITHUB_PATH"
  else
    echo "now: PATH=$folder/bin:\$PATH"
  fi
}

for tool; do
  case $tool in
    sbom) cargo install --locked cargo-cyclonedx@0.5.9 ;;
    about) cargo install --locked cargo-about@0.9.3 --features cli ;;
    deb) cargo install --locked cargo-deb@3.8.0 ;;
    deny) cargo install --locked cargo-deny@0.20.2 ;;
    fuzz) cargo install --locked cargo-fuzz@0.13.2 ;;
    wheels) python_tools hatchling==1.33.0 ;;
    # zig is the C compiler and linker; cargo-zigbuild finds it through this python3.
    zig) python_tools cargo-zigbuild==0.24.0 ziglang==0.17.0 ;;
    *) echo "tools.sh: unknown tool $tool" >&2 && exit 2 ;;
  esac
done
