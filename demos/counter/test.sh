#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test.sh COUNTER CASE    runs the demo as a user would, and judges what it printed
set -eu
. "$(dirname "$0")/../../tests/judging.sh"

counter=$1
case=$2
name=test.counter.$$
file=/dev/shm/shoal.$name
folder=$(mktemp -d)
trap 'rm -rf "$folder" "$file"' EXIT

number() { awk -v row="$1" '$1 == row { gsub(",", "", $2); print $2 }' "$2"; }

# Names of segments that no process has mapped.
orphans() {
  for segment in /dev/shm/shoal.counter-*; do
    [ -e "$segment" ] || continue
    grep -qsF -- "$segment" /proc/[0-9]*/maps || echo "$segment"
  done
}

# judge FILE lost|whole    does the table in it show that something, or nothing, was lost?
judge() {
  cat "$1"
  lost=$(number lost "$1")
  [ "$(number expected "$1")" -eq $(($(number got "$1") + lost)) ] || fail "the sum is wrong"
  if [ "$2" = lost ]; then
    [ "$lost" -gt 0 ] || fail "nothing was lost"
  else
    [ "$lost" -eq 0 ] || fail "$lost were lost"
  fi
}

# started_alone LOG OPTION...    starts one of two, and returns when it waits for the other
started_alone() {
  log=$1
  shift
  "$counter" --name "$name" "$@" >"$log" &
  one=$!
  until_true grep -qs Waiting "$log"
}

# Whether a process has used 0.05 s of a processor: it is counting, not waiting.
busy() { [ "$(awk '{ print $14 }' "/proc/$1/stat")" -ge 5 ]; }

gone() { [ ! -e "$file" ] || fail "$file was left over"; }

case $case in
  race | lock | atomic)
    [ "$case" = race ] && option= || option=--$case
    orphans >"$folder/before"
    # shellcheck disable=SC2086  # no option is no word
    "$counter" --processes 4 --times 200000 $option >"$folder/all"
    judge "$folder/all" "$([ "$case" = race ] && echo lost || echo whole)"
    orphans >"$folder/after"
    while read -r segment; do
      grep -qxF -- "$segment" "$folder/before" || [ ! -e "$segment" ] || fail "left over: $segment"
    done <"$folder/after"
    ;;
  name)
    started_alone "$folder/one" --lock
    "$counter" --name "$name" --lock >"$folder/two"
    wait "$one"
    judge "$folder/one" whole
    judge "$folder/two" whole
    [ "$(number expected "$folder/one")" -eq 2000000 ] || fail "they did not count together"
    ;;
  interrupted)
    started_alone "$folder/one"
    kill -TERM "$one"
    exits 130 wait "$one"
    ;;
  killed_waiting)
    started_alone "$folder/one" --lock
    kill -KILL "$one"
    exits 137 wait "$one"
    started_alone "$folder/two" --lock
    "$counter" --name "$name" --lock >"$folder/three"
    wait "$one"
    judge "$folder/three" whole
    ;;
  killed_counting)
    started_alone "$folder/one" --lock --times 1000000000
    "$counter" --name "$name" --lock --times 3000000 >"$folder/two" &
    two=$!
    until_true grep -qs Waiting "$folder/two"
    until_true busy "$one"
    kill -KILL "$one"
    exits 1 wait "$two"
    cat "$folder/two"
    grep -q 'Only 1 of 2' "$folder/two" || fail "it did not tell"
    ;;
  usage)
    for wrong in "--times x" "--lock --atomic" "--name .x" "--wait-for 3" "--processes 0"; do
      # shellcheck disable=SC2086
      exits 2 "$counter" $wrong 2>"$folder/error"
      [ -s "$folder/error" ] || fail "silent about: $wrong"
    done
    "$counter" --help | grep -q 'Exit codes'
    ;;
  *) fail "no such case: $case" ;;
esac
gone
