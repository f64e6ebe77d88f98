#!/usr/bin/env bash
# Makes the documents that go with the program, in target/documents: packaging/documents.sh
#
#   man/, completions/      as the program prints them
#   THIRD-PARTY.txt         the licences of all libraries in the program, by cargo-about
#   debian/changelog        in Debian's format: one entry that points to CHANGELOG.md
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=target/documents

program=${CARGO_TARGET_DIR:-target}/debug/serial-ws
cargo build --locked
rm -rf $out
mkdir -p $out/man $out/completions $out/debian

"$program" man --dir $out/man
"$program" completions bash >$out/completions/serial-ws.bash
"$program" completions zsh >$out/completions/_serial-ws
"$program" completions fish >$out/completions/serial-ws.fish
"$program" completions powershell >$out/completions/_serial-ws.ps1

cargo about generate --locked --fail --config packaging/about.toml \
  --output-file $out/THIRD-PARTY.txt packaging/about.hbs

version=$("$program" -V | cut -d ' ' -f 2)
maintainer=$(sed -n 's/^maintainer = "\(.*\)"/\1/p' Cargo.toml)
cat >$out/debian/changelog <<TEXT
serial-ws ($version-1) unstable; urgency=medium

  * The changes are in changelog.gz, beside this file.

 -- $maintainer  $(git log -1 --format=%aD)
TEXT
