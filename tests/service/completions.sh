#!/usr/bin/env bash
# The completions in the shells that they are for: tests/service/completions.sh BUILD_FOLDER
#
# What documented.sh cannot see: that bash, zsh and fish read the files, and offer what
# belongs there. svnetd need not run: the VMs are those of a svnetctl of this test's own.
#
# shellcheck disable=SC2016,SC2317 # scripts for other shells; `offers` runs functions
set -euo pipefail
build=$(cd "${1:?usage: $0 BUILD_FOLDER}" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PATH=$build/client:$PATH

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME=$scratch
cp client/completions/svnetctl.zsh "$scratch/_svnetctl"

# Each prints what the shell offers for the last word of a line.
in_bash() {
  bash --norc -c 'source client/completions/svnetctl.bash
    read -ra COMP_WORDS <<<"$1"
    [[ $1 != *" " ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _svnetctl
    printf "%s\n" "${COMPREPLY[@]}"' bash "$1"
}
in_fish() {
  fish --no-config -c 'source client/completions/svnetctl.fish; complete -C $argv[1]' "$1" | cut -f1
}
# zsh completes on a terminal only: a shell of its own on one, in which what would be added
# to the offers is printed, and which ends with the first completion.
in_zsh() {
  zsh -f -c 'zmodload zsh/zpty
    zpty inner zsh -f -i
    zpty -w inner "source $1/inner"
    zpty -w -n inner "$2"$'\''\t'\''
    # Until it ends; what it prints between two NULs.
    text=; while zpty -r inner chunk; do text+=$chunk; done
    print -r -- ${${text#*$'\''\0'\''}%%$'\''\0'\''*}' zsh "$scratch" "$1" | tr -d '\r'
}
cat >"$scratch/inner" <<'INNER'
PROMPT=
fpath=($HOME $fpath)
autoload -U compinit && compinit -u -D
zstyle ':completion:*' list-separator ''
mark() { print -nr -- $'\0' }
compprefuncs=(mark)
comppostfuncs=(mark exit)
compadd() {
  # Called to fill an array: nothing is offered yet.
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
    builtin compadd "$@"
    return
  fi
  local -a offers
  builtin compadd -A offers "$@"
  print -rl -- $offers
}
INNER

checked=0 failures=0
# offers LINE WORD... [not WORD...]: in each shell.
offers() {
  local line=$1 shell found word wanted=1
  for shell in bash zsh fish; do
    found=$("in_$shell" "$line" | tr -d ' ' | sed 's/:.*//') wanted=1
    for word in "${@:2}"; do
      [[ $word != not ]] || { wanted=0 && continue; }
      checked=$((checked + 1))
      [[ $(grep -cxF -- "${word%:}" <<<"$found") -eq $wanted ]] && continue
      printf "%s, after '%s': %s, of: %s\n" "$shell" "$line" "$word" "$(tr '\n' ' ' <<<"$found")"
      failures=$((failures + 1))
    done
  done
}

mapfile -t commands < <(svnetctl --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
offers 'svnetctl ' "${commands[@]}" help
offers 'svnetctl cr' create not run
for command in "${commands[@]}"; do
  mapfile -t flags < <(svnetctl "$command" --help | sed -n 's/^  \(-[a-zA-Z],\)\{0,1\}\(--[a-z][a-z-]*\).*/\2/p')
  offers "svnetctl $command --" "${flags[@]}"
done
offers 'svnetctl list --' not --tap
offers 'svnetctl list -o ' wide yaml not qemu
offers 'svnetctl create vm1 --format ' qemu cloud-init env not persistent
offers 'svnetctl create vm1 --lifetime p' persistent process not until-detached
offers 'svnetctl create vm1 --owner roo' root
offers 'svnetctl doctor fo' forwarding forwarding-kept not mtu

# With these VMs and networks.
mkdir "$scratch/bin"
cat >"$scratch/bin/svnetctl" <<'SVNETCTL'
#!/bin/sh
[ "$*" != "list -o name" ] || printf 'web1\nweb2\ndb\n'
[ "$*" != "networks -o name" ] || printf 'default\nred\n'
SVNETCTL
chmod +x "$scratch/bin/svnetctl"
PATH=$scratch/bin:$PATH
for command in show update remove boot-args wait; do
  offers "svnetctl $command " web1 web2 db
  offers "svnetctl $command we" web1 web2 not db
done
offers 'svnetctl remove web1 ' web2 db
offers 'svnetctl list --vm we' web1 web2 not db
offers 'svnetctl create ' not web1
for command in 'create vm1' 'run vm1' list status watch; do
  offers "svnetctl $command --network " default red
  offers "svnetctl $command --network r" red not default
done
offers 'svnetctl cleanup --network ' not red
offers 'svnetctl cleanup --of r' red not default

[[ $checked -gt 150 ]] || { echo "only $checked offers were looked for" && failures=1; }
[[ $failures -eq 0 ]] && echo "completions: $checked offers in bash, zsh and fish"
exit "$((failures > 0))"
