#!/bin/sh
# SPDX-License-Identifier: MIT
#
# step_kill_sums.sh begin FILE          forgets what has been summed up
# step_kill_sums.sh check FILE COUNT    once COUNT programs have added a line of sums each: 30,000
#                                       points and 30,000 pairs at least, no hang, nothing wrong.
#                                       Exit code 77 where not all of them have run
set -eu

case $1 in
  begin) rm -f "$2" ;;
  check)
    [ -f "$2" ] && [ "$(wc -l <"$2")" -eq "$3" ] || { echo "not all of the $3 have run"; exit 77; }
    awk '{ points += $1; pairs += $2; hangs += $3; wrong += $4 }
      END {
        print "step-kill of all types:", points, "points,", pairs, "pairs,", hangs, "hangs,", wrong, "wrong"
        exit !(points >= 30000 && pairs >= 30000 && hangs == 0 && wrong == 0)
      }' "$2"
    ;;
esac
