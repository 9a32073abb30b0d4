# SPDX-License-Identifier: MIT
# Completion of shoal for bash; installed where bash-completion looks for it.

_shoal_segments() {
  local file
  for file in /dev/shm/shoal.*; do
    [ -f "$file" ] && printf '%s\n' "${file#/dev/shm/shoal.}"
  done
}

_shoal() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]} words
  COMPREPLY=()
  case $previous in
    --items | --interval | --count | --processes | --seconds | --seed | --kill | --pause) return ;;
    --cpus | --patience) return ;;
    --inject)
      # shellcheck disable=SC2207  # words without spaces
      COMPREPLY=($(compgen -W 'none yield delay sleep' -- "$word"))
      return
      ;;
    --plugin | --report)
      compopt -o default
      return
      ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='ls show rm gc doctor top stress --help --version'
  else
    case $command in
      ls) words='--json --help' ;;
      show) words='--json --items --help' ;;
      rm) words='--json --force --help' ;;
      gc) words='--json --dry-run --unused --help' ;;
      doctor) words='--json --repair --help' ;;
      top) words='--json --interval --count --help' ;;
      stress)
        words='--list --processes --seconds --seed --kill --pause --inject --cpus --patience
          --plugin --report --json --help'
        ;;
      *) return ;;
    esac
    case $command,$word in
      *,-*) ;;
      stress,*) words="all broken $(shoal stress --list 2>/dev/null | awk 'NR > 1 { print $1 }')" ;;
      *) words=$(_shoal_segments) ;;
    esac
  fi
  # shellcheck disable=SC2207  # names of segments have no spaces in them
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}

complete -F _shoal shoal
