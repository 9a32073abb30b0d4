#!/bin/sh
# SPDX-License-Identifier: MIT
#
# expect.sh PROGRAM FILE    runs a demo, and compares what it prints with what the file expects
#
# Each line of the file is a regular expression for one whole line. Lines that begin with ~ may
# come in any order among the ~ lines beside them.
set -eu
export LC_ALL=C

out=$(mktemp)
trap 'rm -f "$out"' EXIT

"$1" >"$out"
cat "$out"
awk '
  NR == FNR { expected[++count] = $0; next }
  { if (!found($0)) bad("not expected: " $0) }
  END {
    if (failed) exit 1
    for (i = 1; i <= count; ++i) if (!met[i]) bad("not printed: " expected[i])
  }
  function found(line,    i) {
    while (met[first + 1]) ++first
    for (i = first + 1; i <= count; ++i) {
      if (!met[i] && line ~ "^(" substr(expected[i], 1 + (expected[i] ~ /^~/)) ")$") return met[i] = 1
      if (expected[i] !~ /^~/ || expected[i + 1] !~ /^~/) return 0
    }
    return 0
  }
  function bad(what) { print "expect.sh: " what; failed = 1; exit 1 }
' "$2" "$out"
