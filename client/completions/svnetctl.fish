# Completion of svnetctl(1) for fish.
function __svnetctl_taps
    svnetctl list --json 2>/dev/null | string replace -rf '.*"tapName": "(.*)".*' '$1'
end
function __svnetctl_vms
    svnetctl list -o name 2>/dev/null
end
function __svnetctl_networks
    svnetctl networks -o name 2>/dev/null
end
function __svnetctl_checks
    svnetctl doctor --list 2>/dev/null | string replace -r '^(\S+)\s+' '$1\t'
end
complete -c svnetctl -f
complete -c svnetctl -l socket -r -F -d 'Where svnetd listens'
complete -c svnetctl -l timeout -x -d 'How long to wait, in seconds'
complete -c svnetctl -l json -d 'Answer in JSON'
complete -c svnetctl -s h -l help -d 'Print the help'
complete -c svnetctl -s V -l version -d 'Print the version'
complete -c svnetctl -n __fish_use_subcommand -a create -d 'Lease a TAP, an address and a MAC to each VM'
complete -c svnetctl -n __fish_use_subcommand -a show -d 'Show leases'
complete -c svnetctl -n __fish_use_subcommand -a update -d 'Change a lease while its guest runs'
complete -c svnetctl -n __fish_use_subcommand -a run -d 'Run a VMM with a lease that ends when it does'
complete -c svnetctl -n __fish_use_subcommand -a remove -d 'End leases'
complete -c svnetctl -n __fish_use_subcommand -a list -d 'List your TAPs'
complete -c svnetctl -n __fish_use_subcommand -a boot-args -d 'Print the ip= text'
complete -c svnetctl -n __fish_use_subcommand -a cleanup -d 'Remove all your TAPs'
complete -c svnetctl -n __fish_use_subcommand -a networks -d 'List the networks that you may use'
complete -c svnetctl -n __fish_use_subcommand -a status -d 'Show the network'
complete -c svnetctl -n __fish_use_subcommand -a watch -d 'Print events of your TAPs'
complete -c svnetctl -n __fish_use_subcommand -a wait -d 'Wait until a TAP is opened, closed or removed'
complete -c svnetctl -n __fish_use_subcommand -a metrics -d 'Print metrics in Prometheus format'
complete -c svnetctl -n __fish_use_subcommand -a doctor -d 'Find out why guests have no network'
complete -c svnetctl -n __fish_use_subcommand -a help -d 'Explain a command'
complete -c svnetctl -n '__fish_seen_subcommand_from create run' -l ip -x -d 'This guest address'
complete -c svnetctl -n '__fish_seen_subcommand_from create run' -l mac -x -d 'This guest MAC'
complete -c svnetctl -n '__fish_seen_subcommand_from create run' -l guest-view -x -d 'What the restored guest believes'
complete -c svnetctl -n '__fish_seen_subcommand_from create run' -l like -r -d "The same, of a snapshot's configuration"
complete -c svnetctl -n '__fish_seen_subcommand_from create run list status watch' -l network -x -a '(__svnetctl_networks)' -d 'The network'
complete -c svnetctl -n '__fish_seen_subcommand_from create run' -l group -x -a '(__fish_complete_groups)' -d 'Require this group'
complete -c svnetctl -n '__fish_seen_subcommand_from create run' -l queues -x -d 'Queue pairs'
complete -c svnetctl -n '__fish_seen_subcommand_from create run show update remove boot-args list cleanup wait' -l owner -x -a '(__fish_complete_users)' -d 'Whose VM it is'
complete -c svnetctl -n '__fish_seen_subcommand_from create run show update remove boot-args wait' -l iface -x -d "The VM's interface"
complete -c svnetctl -n '__fish_seen_subcommand_from show update remove boot-args wait' -a '(__svnetctl_vms)' -d VM
complete -c svnetctl -n '__fish_seen_subcommand_from show update remove boot-args wait' -l tap -x -a '(__svnetctl_taps)' -d 'The name of the TAP'
complete -c svnetctl -n '__fish_seen_subcommand_from boot-args' -l guest-interface -x -d 'Its name in the guest'
complete -c svnetctl -n '__fish_seen_subcommand_from boot-args' -l hostname -x -d 'The host name of the guest'
complete -c svnetctl -n '__fish_seen_subcommand_from boot-args' -l dns -x -d 'A DNS server'
complete -c svnetctl -n '__fish_seen_subcommand_from cleanup' -l network -d "Everybody's, and the network"
complete -c svnetctl -n '__fish_seen_subcommand_from cleanup' -l of -x -a '(__svnetctl_networks)' -d 'Only on this network'
complete -c svnetctl -n '__fish_seen_subcommand_from cleanup' -l dry-run -d 'Only show what would be removed'
complete -c svnetctl -n '__fish_seen_subcommand_from create run update' -l lifetime -x -a 'persistent process: until-detached' -d 'When the lease ends by itself'
complete -c svnetctl -n '__fish_seen_subcommand_from create show' -l format -x -a 'table json env firecracker firecracker-restore cloud-hypervisor cloud-hypervisor-restore qemu cloud-init' -d 'What to print'
complete -c svnetctl -n '__fish_seen_subcommand_from update' -l if-generation -x -d 'Only if the lease has this one'
complete -c svnetctl -n '__fish_seen_subcommand_from list' -l vm -x -a '(__svnetctl_vms)' -d 'Only the TAPs of this VM'
complete -c svnetctl -n '__fish_seen_subcommand_from list wait' -l attached -d 'A VMM has the TAP open'
complete -c svnetctl -n '__fish_seen_subcommand_from list wait' -l detached -d 'No VMM has the TAP open'
complete -c svnetctl -n '__fish_seen_subcommand_from list networks' -s o -l output -x -a 'table wide name json yaml' -d 'What to print'
complete -c svnetctl -n '__fish_seen_subcommand_from list' -l watch -d 'Show the list after each change'
complete -c svnetctl -n '__fish_seen_subcommand_from watch' -l no-reconnect -d 'Exit when svnetd stops'
complete -c svnetctl -n '__fish_seen_subcommand_from wait' -l removed -d 'Until the lease has ended'
complete -c svnetctl -n '__fish_seen_subcommand_from doctor' -a '(__svnetctl_checks)'
complete -c svnetctl -n '__fish_seen_subcommand_from doctor' -l list -d 'List the checks'
complete -c svnetctl -n '__fish_seen_subcommand_from doctor' -l all -d 'Print also what is in order'
complete -c svnetctl -n '__fish_seen_subcommand_from doctor' -l network -x -d 'Examine only this network'
complete -c svnetctl -n '__fish_seen_subcommand_from doctor' -l packet-test -d 'Send real packets'
complete -c svnetctl -n '__fish_seen_subcommand_from doctor' -l target -x -d 'Address to ping'
