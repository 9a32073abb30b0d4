#!/bin/sh
# SPDX-License-Identifier: MIT
#
# shm_check.sh before LIST   writes down which segments of tests are in /dev/shm
# shm_check.sh after LIST    fails if there are others now
#
# A segment that a live process has mapped or open is not left over: it belongs to another run of
# the tests, and is looked at again until it has gone or nobody has it.
set -eu

segments() { find /dev/shm -maxdepth 1 -name 'shoal.test[.-]*' | sort; }

held() {
  grep -qs -- "$1\$" /proc/[0-9]*/maps && return 0
  find /proc/[0-9]*/fd -lname "$1" -print -quit 2>/dev/null | grep -q .
}

if [ "$1" = before ]; then
  segments >"$2"
  exit 0
fi

looks=0
while :; do
  waiting=
  left=
  for segment in $(segments); do
    grep -qxF -- "$segment" "$2" && continue
    if held "$segment"; then waiting="$waiting $segment"; else left="$left $segment"; fi
  done
  [ -n "$left$waiting" ] || exit 0
  looks=$((looks + 1))
  # Another run may be between creating a segment and handing it to its child: look twice.
  if [ -n "$left" ] && [ "$looks" -gt 2 ]; then
    echo "left over in /dev/shm:$left"
    exit 1
  fi
  if [ "$looks" -gt 40 ]; then
    echo "still in use by others, not judged:$waiting"
    exit 0
  fi
  sleep 0.5
done
