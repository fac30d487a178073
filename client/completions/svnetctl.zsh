#compdef svnetctl
# Completion of svnetctl(1) for zsh.
_svnetctl_taps() {
  local -a taps=(${(f)"$(svnetctl list --json 2>/dev/null | sed -n 's/.*"tapName": "\(.*\)".*/\1/p')"})
  compadd -a taps
}
_svnetctl_vms() {
  local -a vms=(${(f)"$(svnetctl list -o name 2>/dev/null)"})
  compadd -a vms
}
_svnetctl_networks() {
  local -a networks=(${(f)"$(svnetctl networks -o name 2>/dev/null)"})
  compadd -a networks
}
_svnetctl_checks() {
  local -a checks=(${(f)"$(svnetctl doctor --list 2>/dev/null | sed 's/  */:/')"})
  _describe check checks
}
_svnetctl() {
  local -a global=(
    '--socket[where svnetd listens]:socket:_files'
    '--timeout[how long to wait]:seconds:'
    '--json[answer in JSON]'
    '--help[print the help]'
    '--version[print the version]')
  local -a commands=(
    'create:lease a TAP, an address and a MAC to each VM'
    'show:show leases'
    'update:change a lease while its guest runs'
    'run:run a VMM with a lease that ends when it does'
    'remove:end leases'
    'list:list your TAPs'
    'boot-args:print the ip= text for the kernel command line'
    'cleanup:remove all your TAPs'
    'networks:list the networks that you may use'
    'status:show the network'
    'watch:print events of your TAPs'
    'wait:wait until a TAP is opened, closed or removed'
    'metrics:print metrics in Prometheus format'
    'doctor:find out why guests have no network'
    'help:say more about a command')
  local lifetime='--lifetime[when the lease ends by itself]:lifetime:(persistent process\: until-detached)'
  local iface='--iface[interface of the VM]:interface:'
  local network='--network[the network]:network:_svnetctl_networks'
  local -a wish=(
    $iface $network '--ip[this guest address]:address:' '--mac[this guest MAC]:MAC:'
    '--guest-view[what the restored guest believes]:ADDRESS/LENGTH,GATEWAY,MAC:'
    '--like[the same, from a configuration]:file:_files'
    '--owner[who may open the TAP]:user:_users' '--group[demand this group]:group:_groups'
    '--queues[queue pairs]:number:' "$lifetime")
  local format='--format[what to print]:format:(table json env firecracker firecracker-restore cloud-hypervisor cloud-hypervisor-restore qemu cloud-init)'
  local -a output=(
    '--output[what to print]:format:(table wide name json yaml)'
    '-o[what to print]:format:(table wide name json yaml)')
  local -a lease=(
    $iface '--tap[the name of the TAP]:tap:_svnetctl_taps' '--owner[whose VM it is]:user:_users')
  local state line
  _arguments -C $global '1:command:->command' '*::argument:->argument' && return
  if [[ $state == command ]]; then
    _describe command commands
    return
  fi
  case $line[1] in
    create) _arguments $global $wish $format '*:VM:' ;;
    run) _arguments $global $wish '1:VM:' '*::program:_normal' ;;
    update)
      _arguments $global $lease $lifetime '--if-generation[only if the lease has this one]:number:' \
        '1:VM:_svnetctl_vms' ;;
    list)
      _arguments $global $network '--vm[only the TAPs of this VM]:VM:_svnetctl_vms' \
        '--owner[only the TAPs of this user]:user:_users' \
        '--attached[a VMM has the TAP open]' '--detached[no VMM has the TAP open]' \
        $output '--watch[show the list after each change]' ;;
    networks) _arguments $global $output ;;
    show) _arguments $global $lease $format '*:VM:_svnetctl_vms' ;;
    doctor)
      _arguments $global '--list[list the checks]' '--all[print also what is in order]' \
        '--network[examine only this one]:network:' '--packet-test[send real packets]' \
        '--target[address to ping]:address:' '*:check:_svnetctl_checks' ;;
    remove) _arguments $global $lease '*:VM:_svnetctl_vms' ;;
    boot-args)
      _arguments $global $lease '--guest-interface[the name in the guest]:name:' \
        '--hostname[the host name of the guest]:name:' '*--dns[a DNS server]:address:' \
        '*:VM:_svnetctl_vms' ;;
    status) _arguments $global $network ;;
    watch) _arguments $global $network '--no-reconnect[exit when svnetd stops]' ;;
    wait)
      _arguments $global $lease '--attached[until a VMM has the TAP open]' \
        '--detached[until no VMM has the TAP open]' '--removed[until the lease has ended]' \
        '1:VM:_svnetctl_vms' ;;
    cleanup)
      _arguments $global '--network[all users'\'' TAPs and the network]' \
        '--of[only on this network]:network:_svnetctl_networks' \
        '--owner[whose TAPs]:user:_users' '--dry-run[only show what would be removed]' ;;
    help) _describe command commands ;;
    *) _arguments $global ;;
  esac
}
_svnetctl "$@"
