# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What the tests of programs share; read by `.`, and not a program itself.

fail() {
  printf '%s: %s\n' "$0" "$*"
  exit 1
}

# needs PROGRAM    skips the test where there is none
needs() {
  command -v "$1" >/dev/null || {
    echo "skipped: there is no $1"
    exit 77
  }
}

# exits CODE COMMAND...    fails unless it ends with that code
exits() {
  wanted=$1
  shift
  code=0
  "$@" || code=$?
  [ "$code" -eq "$wanted" ] || fail "exit code $code, not $wanted: $*"
}

# until_true COMMAND...    looks again and again, for 20 s at most
until_true() {
  looks=0
  until "$@"; do
    looks=$((looks + 1))
    [ "$looks" -lt 400 ] || fail "in vain waited for: $*"
    sleep 0.05
  done
}
