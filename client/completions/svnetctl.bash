# Completion of svnetctl(1) for bash.
_svnetctl() {
  local word=${COMP_WORDS[COMP_CWORD]} command='' each
  local global='--socket --timeout --json --help --version'
  for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $each in create | remove | list | boot-args | cleanup | status) command=$each ;; esac
  done
  case ${COMP_WORDS[COMP_CWORD - 1]} in
    --socket) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
    --owner) mapfile -t COMPREPLY < <(compgen -u -- "$word") && return ;;
    --group) mapfile -t COMPREPLY < <(compgen -g -- "$word") && return ;;
    --tap)
      mapfile -t COMPREPLY < <(compgen -W \
        "$(svnetctl list --json 2>/dev/null | sed -n 's/.*"tapName": "\(.*\)".*/\1/p')" -- "$word")
      return
      ;;
  esac
  case $command in
    '') each="create remove list boot-args cleanup status $global" ;;
    create) each="--ip --mac --owner --group --queues $global" ;;
    remove) each="--tap --owner $global" ;;
    boot-args) each="--tap --owner --guest-interface --hostname --dns $global" ;;
    cleanup) each="--network $global" ;;
    *) each=$global ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$each" -- "$word")
}
complete -F _svnetctl svnetctl
