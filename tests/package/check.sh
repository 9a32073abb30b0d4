#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check.sh CMAKE BUILD COMPILER CONFIG
#
# Installs BUILD into a directory of its own, builds the programs here against that, once with
# find_package and once with pkg-config, and runs the counting one twice at once, each way.
set -eu

cmake=$1 build=$2 compiler=$3 config=$4
here=$(cd "$(dirname "$0")" && pwd)
work=$build/package
prefix=$work/prefix
segment=test-package.$$
trap 'rm -f "/dev/shm/shoal.$segment"' EXIT

rm -rf "$work"
mkdir -p "$work/pkg-config"
"$cmake" --install "$build" --prefix "$prefix" --config "$config" >"$work/install.txt"

# What the package must not ask of its users.
private='boost|doctest|CLI11|nlohmann|benchmark'
if grep -rniE "$private" "$prefix/include" "$prefix"/lib*/cmake "$prefix"/lib*/pkgconfig; then
  echo "the installed package mentions what its users need not have"
  exit 1
fi

generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$build/CMakeCache.txt")
"$cmake" -S "$here" -B "$work/cmake" -G "$generator" -D CMAKE_BUILD_TYPE=Release \
  -D CMAKE_CXX_COMPILER="$compiler" -D CMAKE_PREFIX_PATH="$prefix"
"$cmake" --build "$work/cmake"

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name shoal.pc)")
export PKG_CONFIG_PATH
for program in main count show; do
  # shellcheck disable=SC2046  # these are several words
  "$compiler" -std=c++20 -O2 -MD -o "$work/pkg-config/$program" "$here/$program.cpp" \
    $(pkg-config --cflags --libs shoal)
done
if grep -E "/($private)/" "$work"/pkg-config/*.d; then
  echo "the programs were compiled with headers that their authors need not have"
  exit 1
fi

# Only a shared library has to be found when the program starts.
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
export LD_LIBRARY_PATH
for way in cmake pkg-config; do
  "$work/$way/count" "$segment" &
  other=$!
  "$work/$way/count" "$segment"
  wait "$other"
  # The program finds the library that it was installed with.
  if [ -x "$prefix/bin/shoal" ]; then
    env -u LD_LIBRARY_PATH "$prefix/bin/shoal" ls "$segment"
  fi
  counted=$("$work/$way/show" "$segment")
  echo "$way: $counted"
  [ "$counted" = 200000 ]
done
