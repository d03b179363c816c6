# Where a screen is: the host's service for consoles speaks RDP, and is told the machine's id before the connection.

$Operations['console.find'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'viewed' 'Running', 'Paused', 'Starting', 'Stopping'
    @{ id = "$($vm.Id)".ToLowerInvariant(); node = "$($vm.ComputerName)".ToLowerInvariant() }
}
