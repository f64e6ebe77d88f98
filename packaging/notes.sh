#!/usr/bin/env bash
# Prints the changelog of VERSION, which must be the version in Cargo.toml: packaging/notes.sh VERSION
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${1:?usage: packaging/notes.sh VERSION}

cargo=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
if [ "$cargo" != "$version" ]; then
  echo "notes.sh: Cargo.toml has version $cargo. Change it to $version, or tag v$cargo" >&2
  exit 1
fi
notes=$(awk -v version="$version" '
  /^## / { wanted = $2 == version || $2 == "[" version "]" }
  wanted && !/^## / { print }
' CHANGELOG.md)
if [ -z "$notes" ]; then
  echo "notes.sh: CHANGELOG.md has no section \"## $version\". Rename \"Unreleased\"" >&2
  exit 1
fi
echo "$notes"
