#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mutant_check.sh PROGRAM CASE TEXT   runs one test case of a program with a bug, and fails unless
#                                     the case finds it: by an assertion, having printed the text
#
# doctest filters separate names by commas.
set -u

ended=0
output=$("$1" --test-case="$(printf %s "$2" | tr , '?')" --no-colors 2>&1) || ended=$?

fail() {
  printf '%s\n' "$output"
  echo "mutant_check: $1"
  exit 1
}

[ "$ended" -eq 1 ] || fail "exit code $ended, not 1"
printf '%s\n' "$output" | grep -q '^\[doctest\] test cases: *1 | *0 passed | *1 failed ' ||
  fail "not one case that failed"
printf '%s\n' "$output" | grep -q 'ERROR: CHECK' || fail "no assertion failed"
printf '%s\n' "$output" | grep -qE 'test case (THREW|CRASHED)' && fail "the test itself failed"
printf '%s\n' "$output" | grep -F -m 1 -- "$3" || fail "nothing printed of: $3"
