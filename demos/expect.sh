#!/bin/sh
# SPDX-License-Identifier: MIT
#
# expect.sh PROGRAM FILE README    runs a demo, and compares what it prints with what the file
#                                  expects; and so what the README says that it prints
#
# Each line of the file is a regular expression for one whole line. Lines that begin with ~ may
# come in any order among the ~ lines beside them.
set -eu
export LC_ALL=C

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# compare WHAT OUTPUT EXPECTED
compare() {
  awk -v what="$1" '
    NR == FNR { expected[++count] = $0; next }
    { if (!found($0)) bad("not expected: " $0) }
    END {
      if (failed) exit 1
      for (i = 1; i <= count; ++i) if (!met[i]) bad("not printed: " expected[i])
    }
    function found(line,    i) {
      while (met[first + 1]) ++first
      for (i = first + 1; i <= count; ++i) {
        if (!met[i] && line ~ "^(" substr(expected[i], 1 + (expected[i] ~ /^~/)) ")$")
          return met[i] = 1
        if (expected[i] !~ /^~/ || expected[i + 1] !~ /^~/) return 0
      }
      return 0
    }
    function bad(why) { print what ": " why; failed = 1; exit 1 }
  ' "$3" "$2"
}

"$1" >"$folder/printed"
cat "$folder/printed"
compare "$1" "$folder/printed" "$2"

# In the README: after the command, up to the end of that block.
name=${2%.expect}
name=$(basename "$(dirname "$name")")/$(basename "$name")
awk -v command="\$ build/release/demos/$name" '
  $0 == command { shown = 1; next }
  /^(\$|```)/ { shown = 0 }
  shown
' "$3" >"$folder/shown"
compare "$3, $name" "$folder/shown" "$2"
