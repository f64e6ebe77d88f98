#!/usr/bin/env bash
# Makes everything that a release has beside its archives, from those: packaging/assemble.sh
#
# Adds to target/packages: the packages for npm and PyPI, the formula for Homebrew, the installers, the list
# of what the program contains (an SBOM of CycloneDX), the notes, and the checksums. Needs what npm.mjs and
# wheels.sh need, and cargo-cyclonedx.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
packages=target/packages
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)

packaging/npm.mjs
packaging/wheels.sh
cp packaging/install.sh packaging/install.ps1 $packages

# cargo-cyclonedx writes beside Cargo.toml, and names the folder of the sources.
cargo cyclonedx --format json --spec-version 1.5 --target all --no-build-deps --override-filename serial-ws-sbom
sed -e "s|path+file://$PWD#||" -e 's|?download_url=file://\.||' serial-ws-sbom.json \
  >"$packages/serial-ws-$version.cdx.json"
rm serial-ws-sbom.json

(cd $packages && rm -f SHA256SUMS serial-ws.rb && sha256sum -- * >SHA256SUMS)
packaging/homebrew.sh >$packages/serial-ws.rb
(cd $packages && sha256sum serial-ws.rb >>SHA256SUMS)
