# Completion of svnetctl(1) for bash.
_svnetctl() {
  local word=${COMP_WORDS[COMP_CWORD]} command='' each
  local global='--socket --timeout --json --help --version'
  for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $each in
      # What follows is another program's.
      --) return ;;
      create | show | update | run | remove | list | boot-args | cleanup | status | watch | metrics | doctor | help) command=$each ;;
    esac
  done
  case ${COMP_WORDS[COMP_CWORD - 1]} in
    --socket) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
    --owner) mapfile -t COMPREPLY < <(compgen -u -- "$word") && return ;;
    --group) mapfile -t COMPREPLY < <(compgen -g -- "$word") && return ;;
    --format)
      mapfile -t COMPREPLY < <(compgen -W \
        "table json env firecracker cloud-hypervisor qemu cloud-init" -- "$word")
      return
      ;;
    --lifetime) mapfile -t COMPREPLY < <(compgen -W "persistent process: until-detached" -- "$word") && return ;;
    --tap)
      mapfile -t COMPREPLY < <(compgen -W \
        "$(svnetctl list --json 2>/dev/null | sed -n 's/.*"tapName": "\(.*\)".*/\1/p')" -- "$word")
      return
      ;;
  esac
  case $command in
    '') each="create show update run remove list boot-args cleanup status watch metrics doctor help $global" ;;
    create) each="--ip --mac --owner --group --queues --lifetime --format $global" ;;
    run) each="--ip --mac --owner --group --queues --lifetime $global" ;;
    update) each="--tap --owner --lifetime --if-generation $global" ;;
    list) each="--vm $global" ;;
    show) each="--tap --owner --format $global" ;;
    doctor) each="$(svnetctl doctor --list 2>/dev/null | awk '{ print $1 }') --list --packet-test --target $global" ;;
    help) each='create show update run remove list boot-args cleanup status watch metrics doctor' ;;
    remove) each="--tap --owner $global" ;;
    boot-args) each="--tap --owner --guest-interface --hostname --dns $global" ;;
    cleanup) each="--network $global" ;;
    *) each=$global ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$each" -- "$word")
}
complete -o default -F _svnetctl svnetctl
