#!/usr/bin/env bash
# Prints the formula for Homebrew, with the checksums in target/packages/SHA256SUMS: packaging/homebrew.sh [FOLDER]
#
# To publish it, put it into the repository of a tap as Formula/serial-ws.rb.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
sums=${1:-target/packages}/SHA256SUMS

# field NAME: its value in Cargo.toml.
field() { sed -n "s/^$1 = \"\(.*\)\"/\1/p" Cargo.toml | head -n 1; }
version=$(field version)
repository=$(field repository)

# source_of TARGET PROCESSOR: where its archive is, and its checksum.
source_of() {
  local file=serial-ws-$1.tar.gz sum
  sum=$(awk -v file="$file" '$2 == file { print $1 }' "$sums")
  if [ -z "$sum" ]; then
    echo "homebrew.sh: left out $1: $sums does not name $file" >&2
    return
  fi
  echo "    on_$2 do"
  echo "      url \"$repository/releases/download/v$version/$file\""
  echo "      sha256 \"$sum\""
  echo "    end"
}

cat <<TEXT
class SerialWs < Formula
  desc "$(field description)"
  homepage "$repository"
  version "$version"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
$(source_of aarch64-apple-darwin arm)
$(source_of x86_64-apple-darwin intel)
  end

  on_linux do
$(source_of aarch64-unknown-linux-gnu arm)
$(source_of x86_64-unknown-linux-gnu intel)
  end

  def install
    bin.install "serial-ws"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/serial-ws.bash" => "serial-ws"
    zsh_completion.install "completions/_serial-ws"
    fish_completion.install "completions/serial-ws.fish"
    doc.install "PROTOCOL.md", "SECURITY.md", "THIRD-PARTY.txt", "docs"
  end

  service do
    run [opt_bin/"serial-ws"]
    keep_alive true
    error_log_path var/"log/serial-ws.log"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/serial-ws -V")
    assert_match "baud", shell_output("#{bin}/serial-ws config sim")
  end
end
TEXT
