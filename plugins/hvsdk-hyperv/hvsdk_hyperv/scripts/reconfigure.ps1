# Processors and memory of machines that are there: all of what is asked for, or none.

function Set-MemoryTo($VM, $Memory) {
    # Has a machine's memory be as this record of it says.
    $how = @{ VM = $VM; StartupBytes = [int64]$Memory.startup }
    if ([bool](Get-VMMemory -VM $VM).DynamicMemoryEnabled -ne [bool]$Memory.dynamic) { $how['DynamicMemoryEnabled'] = [bool]$Memory.dynamic }
    if ($Memory.dynamic) {
        $how['MinimumBytes'] = [int64]$Memory.minimum
        $how['MaximumBytes'] = [int64]$Memory.maximum
    }
    Set-VMMemory @how
}

function Confirm-LiveChange($VM, $Before, $After, $Vcpus) {
    # Fails where a machine that is on would not take the change.
    $why = $null
    if ($null -ne $Vcpus) { $why = 'processors cannot be added or taken while it is on' }
    elseif ("$($VM.State)" -ne 'Running') { $why = 'its memory cannot change' }
    elseif ($After.dynamic -ne $Before.dynamic) { $why = 'dynamic memory cannot be switched while it is on' }
    elseif ($After.startup -ne $Before.startup -and $Before.dynamic) { $why = 'what it boots with cannot change while it is on' }
    elseif ($After.startup -ne $Before.startup -and $null -eq $VM.PSObject.Properties['CheckpointType']) { $why = 'this version of Windows Server adds no memory while it is on' }
    elseif ($After.minimum -gt $Before.minimum -or $After.maximum -lt $Before.maximum) { $why = 'the bounds of dynamic memory can only be widened while it is on' }
    if ($why) { Stop-Operation 'PowerState' "'$($VM.Name)' is $($VM.State), and $why" @{ state = "$($VM.State)"; hint = 'shut it down first' } }
}

$Operations['reconfigure.set'] = {
    # vcpus, memory, memory_minimum, memory_maximum; null leaves a setting alone.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'reconfigured' 'Off', 'Running', 'Paused'
    $memory = Get-VMMemory -VM $vm
    $before = @{ dynamic = [bool]$memory.DynamicMemoryEnabled; startup = [int64]$memory.Startup; minimum = [int64]$memory.Minimum; maximum = [int64]$memory.Maximum }
    $after = $before.Clone()
    if ($null -ne $Arguments.memory) { $after['startup'] = [int64]$Arguments.memory }
    if ($null -ne $Arguments.memory_minimum) { $after['minimum'] = [int64]$Arguments.memory_minimum; $after['dynamic'] = $true }
    if ($null -ne $Arguments.memory_maximum) { $after['maximum'] = [int64]$Arguments.memory_maximum; $after['dynamic'] = $true }
    if ($after.dynamic -and -not ($after.minimum -le $after.startup -and $after.startup -le $after.maximum)) {
        Stop-Operation 'InvalidSpec' "memory of '$($vm.Name)' would lie outside of its bounds: $($after.minimum) to $($after.maximum)"
    }
    $vcpus = $null
    $present = [int64](Get-VMProcessor -VM $vm).Count
    if ($null -ne $Arguments.vcpus -and [int64]$Arguments.vcpus -ne $present) { $vcpus = [int64]$Arguments.vcpus }
    $memoryChanges = $false
    foreach ($key in @($before.Keys)) { if ($before[$key] -ne $after[$key]) { $memoryChanges = $true } }
    if ("$($vm.State)" -ne 'Off' -and ($memoryChanges -or $null -ne $vcpus)) { Confirm-LiveChange $vm $before $after $vcpus }
    $done = $false
    try {
        if ($memoryChanges) { Set-MemoryTo $vm $after }
        if ($null -ne $vcpus) { Set-VMProcessor -VM $vm -Count $vcpus }
        $done = $true
    } finally {
        if (-not $done -and $memoryChanges) { try { Set-MemoryTo $vm $before } catch { $null = $_ } }
    }
}
