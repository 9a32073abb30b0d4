#!/bin/sh
# SPDX-License-Identifier: MIT
#
# stress_test.sh SHOAL CASE SOURCES    shoal stress, as people run it
#
# Exit code 77: skipped, for what it takes is not on this machine.
set -eu
. "$(dirname "$0")/judging.sh"

shoal=$1
case=$2
sources=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# runs COMMAND...    with what it prints in $folder/out and $folder/error, and shown
runs() {
  ended=0
  "$@" >"$folder/out" 2>"$folder/error" || ended=$?
  cat "$folder/out" "$folder/error"
  return "$ended"
}
says() { grep -q -e "$1" "$folder/out" || fail "it does not say: $1"; }
complains() { grep -q -e "$1" "$folder/error" || fail "it does not complain: $1"; }
# number NAME    the first of that name in the JSON that was printed
number() { sed -n "s/^ *\"$1\": \([0-9]*\).*/\1/p" "$folder/out" | head -n 1; }

types() {
  "$shoal" stress semaphore event condition barrier queue queue-of-strings joinable-queue pipe "$@"
}
broken() { "$shoal" stress --list | awk '/broken: / { print $1 }'; }

# compile NAME    the C program on standard input becomes $folder/NAME.so, as lock_plugin.h says
compile() {
  cc -std=c11 -O2 -shared -fPIC -I "$sources/include" -o "$folder/$1.so" -x c -
}
example=$sources/tools/stress/example/ticket_lock.c

# gone PID...    have they ended?
gone() {
  for pid in "$@"; do
    [ ! -e "/proc/$pid" ] || grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null || return 1
  done
}

# begin    in the background: $pid, and the participants' pids in $participants
begin() {
  "$shoal" stress lock --processes 3 --seconds 60 >"$folder/out" 2>&1 &
  pid=$!
  until_true grep -q ' steps, least ' "$folder/out"
  participants=$(cat "/proc/$pid/task/$pid/children")
  [ "$(echo "$participants" | wc -w)" -eq 3 ] || fail "these are not three participants: $participants"
}

case $case in
  good)
    exits 0 runs "$shoal" stress all --seconds 0.3
    says '^PASS$'
    exits 0 runs "$shoal" stress lock rlock --processes 3 --seconds 0.5 --seed 7 --kill 100 --pause 20 \
      --inject sleep
    says '--processes 3 --seconds 0.5 --seed 7 --kill 100 --pause 20 --inject sleep --cpus any'
    says 'fairness [01]'
    says 'p50 .*, p99 .*, p99.9 .*, max '
    says 'longest .* ms, of P[012]$'
    says '[1-9][0-9]* survived; [1-9][0-9]* stopped'
    [ "$(tail -n 1 "$folder/out")" = PASS ] || fail "PASS is not the last line"
    ;;
  types)
    exits 0 runs types --seconds 0.4 --kill 50 --pause 50 --inject sleep
    [ "$(grep -c ' [1-9][0-9]* survived; [1-9]' "$folder/out")" -eq 8 ] || fail "not all were killed"
    exits 0 runs types --seconds 0.1 --kill 50 --processes 2
    exits 2 runs "$shoal" stress condition --processes 1
    ;;
  types_long)
    for processes in 2 3 5 8; do
      exits 0 runs types --seconds 1 --kill 100 --pause 20 --inject delay --processes "$processes"
      exits 0 runs types --seconds 0.5 --processes "$processes"
    done
    ;;
  json)
    exits 0 runs "$shoal" stress lock --json --processes 2 --seconds 0.2 --seed 7 --inject yield --cpus any
    [ "$(number processes)" = 2 ] && [ "$(number seed)" = 7 ] || fail "not all parameters are there"
    [ "$(number steps)" -gt 100 ] || fail "next to nothing was done"
    [ "$(number count)" -ge "$(number steps)" ] || fail "not all waits were measured"
    exits 0 runs "$shoal" stress --list --json
    [ "$(grep -c '"broken": true' "$folder/out")" -eq "$(broken | wc -l)" ] || fail "not all are listed"
    exits 1 runs "$shoal" stress test-then-set --json
    says '"verdict": "FAIL"'
    says '"verdict": "CAUGHT"'
    says '"what": '
    ;;
  broken)
    exits 0 runs "$shoal" stress broken --seconds 20
    [ "$(grep -c '^  CAUGHT after [0-9.,]* ms: \|^  SKIPPED: it needs two CPUs' "$folder/out")" -eq \
      "$(broken | wc -l)" ] || fail "not all were caught"
    [ "$(grep -c '^  why ' "$folder/out")" -eq "$(grep -c '^  CAUGHT' "$folder/out")" ] ||
      fail "not all are explained"
    exits 1 runs "$shoal" stress two-state --seconds 20
    says 'asleep.* not got on for .* in which others did '
    [ "$(tail -n 1 "$folder/out")" = FAIL ] || fail "FAIL is not the last line"
    exits 1 runs "$shoal" stress owner-dies --seconds 20
    says 'was killed holding the lock'
    ;;
  one_cpu)
    needs taskset
    cpu=$(taskset -pc $$ | sed 's/.*[^0-9]//')
    exits 1 runs taskset -c "$cpu" "$shoal" stress peterson test-then-set mcs --seconds 20
    says 'SKIPPED: it needs two CPUs'
    [ "$(grep -c '^  CAUGHT' "$folder/out")" -eq 2 ] || fail "one CPU is enough for the others"
    ;;
  plugin)
    needs cc
    compile right <"$example"
    exits 0 runs "$shoal" stress --plugin "$folder/right.so" --seconds 0.3 --processes 2
    says '^ticket lock: '
    sed 's/atomic_fetch_add_explicit(&lock->next, 1, /atomic_load_explicit(\&lock->next, /
      s/while (atomic_load_explicit(&lock->called/sched_yield();\n  lock->next = mine + 1;\n  &/' \
      "$example" | compile wrong
    exits 1 runs "$shoal" stress --plugin "$folder/wrong.so" --seconds 20 --processes 2 --patience 0.2
    says '^FAIL$'
    sed 's/while (atomic_load.*/__builtin_abort();/' "$example" | compile crash
    exits 1 runs "$shoal" stress --plugin "$folder/crash.so"
    says 'was ended by signal [1-9]'
    ;;
  bad_plugin)
    needs cc
    exits 2 runs "$shoal" stress --plugin "$folder/none.so"
    complains 'cannot load the plugin: .*none.so'
    echo 'not a library' >"$folder/text.so"
    exits 2 runs "$shoal" stress --plugin "$folder/text.so"
    complains 'cannot load the plugin: .*text.so'
    for function in size init lock unlock name; do
      sed "s/shoal_plugin_$function/other/" "$example" | compile lacking
      exits 2 runs "$shoal" stress --plugin "$folder/lacking.so"
      complains "it has no function shoal_plugin_$function()"
    done
    sed 's/return sizeof(struct ticket_lock)/return 0/' "$example" | compile nothing
    exits 2 runs "$shoal" stress --plugin "$folder/nothing.so"
    complains 'shoal_plugin_size() says 0 bytes'
    sed 's/atomic_init(&lock->next, 0)/__builtin_abort()/' "$example" | compile trap
    exits 2 runs "$shoal" stress --plugin "$folder/trap.so"
    complains 'shoal_plugin_init() ended its process, by signal'
    ;;
  usage)
    for wrong in '' nothing '--processes 0 lock' '--processes 3 peterson' '--kill 1 opposite-order' \
      '--inject what lock' '--cpus 0-x lock' '--cpus 1-0 lock' '--cpus 0, lock' '--cpus 4095 lock' '--seconds 0 lock' '--what lock'; do
      # shellcheck disable=SC2086  # several words
      exits 2 runs "$shoal" stress $wrong
      [ -s "$folder/error" ] || fail "silent about: $wrong"
      ! grep -q steps "$folder/out" || fail "it has begun: $wrong"
    done
    exits 1 runs "$shoal" stress lock --report "$folder/none/page.html"
    complains 'cannot write .*none/page.html'
    exits 0 runs "$shoal" stress --help
    says 'Exit codes'
    ;;
  page)
    exits 0 runs "$shoal" stress lock --seconds 0.3 --report "$folder/page.html"
    [ "$(grep -c '<svg ' "$folder/page.html")" -eq 2 ] || fail "there are not two plots"
    [ "$(grep -c '<polyline ' "$folder/page.html")" -eq 4 ] || fail "there are not four participants"
    ! grep -E '(src|href)="?(https?:)?//' "$folder/page.html" || fail "it needs a network"
    exits 1 runs "$shoal" stress test-then-set --report "$folder/failed.html"
    grep -q '<p class="bad">After .* ms: ' "$folder/failed.html" || fail "it does not say what failed"
    needs xmllint
    xmllint --noout "$folder/page.html" "$folder/failed.html"
    ;;
  interrupted)
    begin
    kill -INT "$pid"
    exits 130 wait "$pid"
    # shellcheck disable=SC2086  # several words
    until_true gone $participants
    says INTERRUPTED
    ;;
  killed)
    begin
    kill -KILL "$pid"
    wait "$pid" || true
    # shellcheck disable=SC2086  # several words
    until_true gone $participants
    ;;
  twenty)
    caught=0
    for run in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
      "$shoal" stress broken --json >"$folder/out" || fail "not all were caught in run $run"
      caught=$((caught + $(grep -c '"verdict": "CAUGHT"' "$folder/out")))
      sed -n 's/^ *"ms": \([0-9]*\).*/\1/p' "$folder/out" >>"$folder/times"
    done
    last=$(sort -n "$folder/times" | tail -n 1)
    echo "20 runs, $caught caught, the last after $last ms"
    [ "$last" -lt 2000 ] || fail "one was caught too late"
    ;;
  hundred_million)
    for what in lock rlock; do
      done=0
      run=0
      while [ "$done" -lt 50000000 ]; do
        run=$((run + 1))
        [ "$run" -le 60 ] || fail "this machine is too slow"
        exits 0 runs "$shoal" stress "$what" --json --seconds 2 --processes $((run % 3 + 2)) >"$folder/shown"
        done=$((done + $(number steps)))
      done
      echo "$what: $done acquisitions in $run runs, no false alarm"
    done
    ;;
  *) fail "no such case: $case" ;;
esac
