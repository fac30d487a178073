# Completion of svnetctl(1) for bash.
_svnetctl_vms() { svnetctl list -o name 2>/dev/null; }
_svnetctl_networks() { svnetctl networks -o name 2>/dev/null; }
_svnetctl() {
  local word=${COMP_WORDS[COMP_CWORD]} command='' each
  local global='--socket --timeout --json --help --version'
  for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $each in
      # What follows is another program's.
      --) return ;;
      create | show | update | run | remove | list | boot-args | cleanup | networks | status | watch | wait | metrics | doctor | help) command=$each ;;
    esac
  done
  case ${COMP_WORDS[COMP_CWORD - 1]} in
    --network)
      # That of cleanup takes no value.
      if [[ $command != cleanup ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_svnetctl_networks)" -- "$word")
        return
      fi
      ;;
    --of) mapfile -t COMPREPLY < <(compgen -W "$(_svnetctl_networks)" -- "$word") && return ;;
    --socket | --like) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
    --owner) mapfile -t COMPREPLY < <(compgen -u -- "$word") && return ;;
    --group) mapfile -t COMPREPLY < <(compgen -g -- "$word") && return ;;
    --vm) mapfile -t COMPREPLY < <(compgen -W "$(_svnetctl_vms)" -- "$word") && return ;;
    --format)
      mapfile -t COMPREPLY < <(compgen -W \
        "table json env firecracker firecracker-restore cloud-hypervisor cloud-hypervisor-restore qemu cloud-init" -- "$word")
      return
      ;;
    -o | --output) mapfile -t COMPREPLY < <(compgen -W "table wide name json yaml" -- "$word") && return ;;
    --lifetime) mapfile -t COMPREPLY < <(compgen -W "persistent process: until-detached" -- "$word") && return ;;
    --tap)
      mapfile -t COMPREPLY < <(compgen -W \
        "$(svnetctl list --json 2>/dev/null | sed -n 's/.*"tapName": "\(.*\)".*/\1/p')" -- "$word")
      return
      ;;
  esac
  case $command in
    '') each="create show update run remove list boot-args cleanup networks status watch wait metrics doctor help $global" ;;
    create) each="--iface --network --ip --mac --guest-view --like --owner --group --queues --lifetime --format $global" ;;
    run) each="--iface --network --ip --mac --guest-view --like --owner --group --queues --lifetime $global" ;;
    update) each="--iface --tap --owner --lifetime --if-generation $global" ;;
    list) each="--vm --network --owner --attached --detached --output --watch $global" ;;
    networks) each="--output $global" ;;
    show) each="--iface --tap --owner --format $global" ;;
    doctor) each="$(svnetctl doctor --list 2>/dev/null | awk '{ print $1 }') --list --all --network --packet-test --target $global" ;;
    help) each='create show update run remove list boot-args cleanup networks status watch wait metrics doctor' ;;
    remove) each="--iface --tap --owner $global" ;;
    boot-args) each="--iface --tap --owner --guest-interface --hostname --dns $global" ;;
    cleanup) each="--network --of --owner --dry-run $global" ;;
    status) each="--network $global" ;;
    watch) each="--network --no-reconnect $global" ;;
    wait) each="--iface --tap --owner --attached --detached --removed $global" ;;
    *) each=$global ;;
  esac
  # VMs come before options: who wants those types a dash.
  case $command:$word in
    show:-* | update:-* | remove:-* | boot-args:-* | wait:-*) ;;
    show:* | update:* | remove:* | boot-args:* | wait:*) each=$(_svnetctl_vms) ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$each" -- "$word")
}
complete -o default -F _svnetctl svnetctl
