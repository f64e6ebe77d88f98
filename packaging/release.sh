#!/usr/bin/env bash
# Makes everything that a release has, as far as this computer can, and installs it. Publishes nothing:
# packaging/release.sh --dry-run [TARGET | TARGET=PROGRAM]…
#
# Builds the given targets, or all of targets.txt for which Rust has its standard library and there is a
# linker; what links for other systems comes from the environment, as cargo reads it. For TARGET=PROGRAM it
# packs that file instead. Ends with what it made, installed, and left out and why.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ "${1-}" != --dry-run ]; then
  echo "usage: packaging/release.sh --dry-run [TARGET | TARGET=PROGRAM]…   (release.yml publishes)" >&2
  exit 2
fi
shift

packages=target/packages
rm -rf $packages
mkdir -p $packages
given=()
left_out=()

# log FILE COMMAND…: runs it, and keeps what it prints in the file.
log() {
  local file=$1
  shift
  echo "== $*"
  "$@" >"$file" 2>&1
}

# has_std TARGET: true if Rust has its standard library.
has_std() { [ -d "$("${RUSTC:-rustc}" --print sysroot)/lib/rustlib/$1/lib" ]; }

# make TARGET [PROGRAM]: its archive and, for Linux, the Debian package.
make() {
  local target=$1 said=target/packages.log
  [ $# = 1 ] || given+=("$target: not built, it is $2")
  if [ $# = 1 ] && ! has_std "$target"; then
    left_out+=("$target: Rust has no standard library for it: rustup target add $target")
    return
  fi
  if ! log $said packaging/archive.sh "$@"; then
    left_out+=("$target: $(grep -m 1 '^error' $said || tail -n 1 $said)")
    return
  fi
  case $target in
    *-linux-*)
      log $said packaging/deb.sh "$@" || left_out+=("the Debian package for $target: $(tail -n 1 $said)")
      ;;
  esac
}

packaging/documents.sh
if [ $# -gt 0 ]; then
  for word; do
    case $word in
      *=*) make "${word%%=*}" "${word#*=}" ;;
      *) make "$word" ;;
    esac
  done
else
  while read -r target _; do make "$target"; done < <(grep -v '^#' packaging/targets.txt)
fi
packaging/assemble.sh
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
packaging/notes.sh "$version" >target/notes.md 2>target/packages.log ||
  left_out+=("the notes: $(tail -n 1 target/packages.log)")

failed=0
packaging/test-packages.sh || failed=1
printf '\nmade in %s:\n' $packages
(cd $packages && find . -type f -printf "  %s\t%f\n" | sort -k 2)
[ ${#given[@]} = 0 ] || printf 'given      %s\n' "${given[@]}"
[ ${#left_out[@]} = 0 ] || printf 'left out   %s\n' "${left_out[@]}"
exit $failed
