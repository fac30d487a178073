#!/usr/bin/env bash
# Whatever --help names is in the man pages, the completions and the default
# configuration: tests/service/documented.sh BUILD_FOLDER
set -euo pipefail
build=$(cd "${1:?usage: $0 BUILD_FOLDER}" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

failures=0
checked=0

# flags COMMAND...: the flags that its --help names as its own.
flags() { "$@" --help | sed -n 's/^  \(-[a-zA-Z],\)\{0,1\}\(--[a-z][a-z-]*\).*/\2/p'; }

# expect WHAT FILE PATTERN: a line of FILE has the pattern.
expect() {
  checked=$((checked + 1))
  grep -qE -- "$3" "$2" || { echo "$2 does not name $1" && failures=$((failures + 1)); }
}

# As mdoc has a flag.
in_man() { expect "$1" "$2" "Fl Fl ${1#--}( |$)"; }

for flag in $(flags "$build/daemon/svnetd"); do
  in_man "$flag" docs/man/svnetd.8
  case $flag in --help | --version | --check | --config | --gates | --gates-socket) continue ;; esac
  key=${flag#--} key=${key//-/_}
  expect "$key" docs/man/svnetd.toml.5 "^\.It Va $key( |$)"
  expect "$key" systemd/svnetd.toml "^#$key = "
done

svnetctl=$build/client/svnetctl
commands=$("$svnetctl" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
for command in $commands; do
  expect "$command" docs/man/svnetctl.1 "^\.It Ic $command( |$)"
  expect "$command" client/completions/svnetctl.bash "each=\"create.* $command |each=\"$command "
  expect "$command" client/completions/svnetctl.zsh "^    '$command:"
  expect "$command" client/completions/svnetctl.fish " -a $command "
done
for flag in $(for c in '' $commands; do flags "$svnetctl" ${c:+"$c"}; done | sort -u); do
  in_man "$flag" docs/man/svnetctl.1
  expect "$flag" client/completions/svnetctl.bash "${flag}[ ']"
  expect "$flag" client/completions/svnetctl.zsh "'\*?$flag\["
  expect "$flag" client/completions/svnetctl.fish " -l ${flag#--} "
done
for section in SYNOPSIS COMMANDS JSON ENVIRONMENT FILES 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
  expect "$section" docs/man/svnetctl.1 "^\.Sh $section$"
done
for page in svnetd.toml svnetd; do expect "$page" docs/man/svnetctl.1 "^\.Xr $page [58]( ,)?$"; done
# "Fl Fl Ar PROGRAM" would be an option, --PROGRAM.
expect "-- PROGRAM" docs/man/svnetctl.1 '^\.It Ic run .*Cm \\-\\- Ar PROGRAM'
# A --help that is read wrongly names nothing.
[[ $checked -gt 100 ]] || { echo "only $checked names were found in --help" && failures=1; }
[[ $failures -eq 0 ]] && echo "documented: $checked names of flags, keys and commands"
exit "$((failures > 0))"
