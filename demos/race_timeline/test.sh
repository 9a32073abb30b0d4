#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test.sh RACE_TIMELINE CASE    runs the demo, and judges the page that it writes
#
# Exit code 77: skipped, for what judges it is not on this machine.
set -eu
. "$(dirname "$0")/../../tests/judging.sh"

race_timeline=$1
case=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
page=$folder/page.html

# half race|locked    that section of the page
half() { sed -n "/<section id=\"$1\">/,/<\/section>/p" "$page"; }
count() { grep -c "$1" || true; }
number() { sed -n "s/.*<dt>$1<\/dt><dd[^>]*>\([0-9]*\)<.*/\1/p"; }

browse() {
  timeout -k 5 50 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$folder/profile" \
    --enable-logging=stderr --window-size="$2" --virtual-time-budget=2000 --dump-dom "file://$1" \
    2>"$folder/log" >"$folder/dom"
}

case $case in
  page)
    for processes in 2 3 4; do
      "$race_timeline" --processes "$processes" --output "$page" >"$folder/out"
      cat "$folder/out"
      lost=$(half race | number lost)
      [ "$lost" -gt 0 ] || fail "nothing was lost"
      [ "$(half race | count 'class="step p[0-9] lost"')" -eq "$lost" ] || fail "not each is marked"
      losses=$(half race | count 'class="badge"')
      [ "$losses" -gt 0 ] && [ "$losses" -le "$lost" ] || fail "$losses marks"
      said='P[0-9] stored [0-9]* over P[0-9]'\''s [0-9]*, having read .* before it'
      [ "$(half race | count "<li>.*$said")" -eq "$losses" ] || fail "not each is explained"
      [ "$(count "^  $said" <"$folder/out")" -eq "$losses" ] || fail "not each was printed"
      [ "$(half locked | count 'class="step p[0-9]"')" -eq "$(half race | number expected)" ] ||
        fail "the locked half is not the same work"
      [ "$(half locked | number lost)" -eq 0 ] || fail "some were lost under the lock"
      [ "$(half locked | count 'lost"\|class="badge"')" -eq 0 ] || fail "marks under the lock"
    done
    ! grep -E '(src|href)="?(https?:)?//' "$page" || fail "it needs a network"
    ;;
  well_formed)
    needs xmllint
    "$race_timeline" --output "$page"
    xmllint --noout "$page"
    ;;
  browser)
    needs chromium
    "$race_timeline" --output "$page"
    for window in 390,844 1280,800; do
      browse "$page" "$window"
      ! grep CONSOLE "$folder/log" || fail "the browser complains"
      grep -q '<text [^>]*>[0-9.]* ms</text>' "$folder/dom" || fail "its script did not run"
    done
    sed "s/^'use strict';/&nothing();/" "$page" >"$folder/broken.html"
    browse "$folder/broken.html" 1280,800
    grep -q CONSOLE "$folder/log" || fail "an error would not be seen"
    ;;
  usage)
    for wrong in "--processes 1" "--processes 5" "--times x" "--what"; do
      # shellcheck disable=SC2086  # several words
      exits 2 "$race_timeline" $wrong 2>"$folder/error"
      [ -s "$folder/error" ] || fail "silent about: $wrong"
    done
    exits 1 "$race_timeline" --output "$folder/none/page.html" 2>"$folder/error"
    grep -q 'cannot write' "$folder/error" || fail "silent about what it cannot write"
    "$race_timeline" --help | grep -q 'Exit codes'
    ;;
  *) fail "no such case: $case" ;;
esac
