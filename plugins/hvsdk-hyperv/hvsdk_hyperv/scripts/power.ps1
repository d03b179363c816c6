# The power of virtual machines. The state is looked at in the same request, so that nothing is done in a state in which it
# means something else.

$ShutdownService = '9F8233AC-BE49-4C79-8EE3-E7E1985B2077'
$BootSeconds = 120  # how long a guest that says nothing may still be starting

function Get-PowerRecord([string] $Id) {
    # What the power verbs answer: the machine as it is now.
    @(Get-DomainRecord -VM (Get-TheVM $Id) -Include @('config'))[0]
}

function Get-SecondsOn($VM) {
    # Seconds since it was switched on.
    if ($null -eq $VM.Uptime) { return 0 }
    $VM.Uptime.TotalSeconds
}

function Stop-Silent($VM, [string] $Why) {
    # Ends the operation because the guest cannot be asked; soon after the start that may still change.
    $booting = (Get-SecondsOn $VM) -lt $BootSeconds
    if ($booting) { $Why = "$Why, perhaps not yet" }
    Stop-Operation 'GuestAgent' "the guest of '$($VM.Name)' cannot be asked to shut down: $Why" @{ not_yet = $booting }
}

function Get-ShutdownComponent($VM) {
    # What asks the guest to shut down: of this machine, with the guest's side of it there.
    $service = @(Get-VMIntegrationService -VM $VM | Where-Object { "$($_.Id)" -like "*$ShutdownService" })
    if ($service.Count -and -not $service[0].Enabled) {
        Stop-Operation 'GuestAgent' "the shutdown service is switched off for '$($VM.Name)'" @{
            not_yet = $false; hint = 'Enable-VMIntegrationService switches it on'
        }
    }
    $name = "$($VM.Id)".ToUpperInvariant()
    $found = @(Get-CimInstance -Namespace 'root\virtualization\v2' -ClassName 'Msvm_ShutdownComponent' -Filter "SystemName='$name'")
    if (-not $found.Count) { Stop-Silent $VM 'its integration services do not run' }
    if (@($found[0].OperationalStatus)[0] -ne 2) { Stop-Silent $VM 'its integration services do not answer' }
    $found[0]
}

function Invoke-Shutdown([string] $Id, [string] $Verb, [string] $Method) {
    # Asks the guest, without force: programs may refuse.
    $vm = Get-TheVM $Id
    Confirm-State $vm $Verb 'Running'
    $component = Get-ShutdownComponent $vm
    $said = Invoke-CimMethod -InputObject $component -MethodName $Method -Arguments @{ Force = $false; Reason = 'asked for by hvsdk' }
    $code = [int64]$said.ReturnValue
    if ($code -eq 32775) {
        $now = Get-TheVM $Id
        Stop-Operation 'PowerState' "'$($now.Name)' cannot be $Verb while it is $($now.State)" @{ state = "$($now.State)" }
    }
    if ($code -eq 32768) { Stop-Silent $vm 'it does not take the request' }
    if ($code -ne 0 -and $code -ne 4096) {
        Stop-Operation 'OperationFailed' "Hyper-V did not ask the guest of '$($vm.Name)': it returned $code" @{ native_code = $code }
    }
    Get-PowerRecord $Id
}

$Operations['power.start'] = {
    # From off, or with the memory that was saved, also that of a machine that was paused then.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'started' 'Off', 'Saved', 'FastSaved'
    Start-VM -VM $vm
    $now = Get-TheVM $Arguments.id
    if ("$($now.State)" -eq 'Paused') { Resume-VM -VM $now }
    Get-PowerRecord $Arguments.id
}

$Operations['power.resume'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'resumed' 'Saved', 'FastSaved'
    Start-VM -VM $vm
    $now = Get-TheVM $Arguments.id
    if ("$($now.State)" -eq 'Paused') { Resume-VM -VM $now }
    Get-PowerRecord $Arguments.id
}

$Operations['power.shutdown'] = {
    param($Arguments)
    Invoke-Shutdown $Arguments.id 'shut down' 'InitiateShutdown'
}

$Operations['power.reboot'] = {
    param($Arguments)
    Invoke-Shutdown $Arguments.id 'rebooted' 'InitiateReboot'
}

$Operations['power.off'] = {
    # Cuts the power; of a saved machine it gives up the memory, if that is asked for.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    $saved = 'Saved', 'FastSaved', 'SavedCritical'
    if ($saved -contains "$($vm.State)") {
        if (-not $Arguments.discard) {
            Stop-Operation 'PowerState' "'$($vm.Name)' is $($vm.State): its power is off, and its memory would be lost" @{
                state = "$($vm.State)"; hint = 'discard_memory=True gives the saved memory up'
            }
        }
        Remove-VMSavedState -VM $vm
    } else {
        Confirm-State $vm 'switched off' 'Running', 'Paused', 'RunningCritical', 'PausedCritical'
        Stop-VM -VM $vm -TurnOff -Force -Confirm:$false
    }
    Get-PowerRecord $Arguments.id
}

$Operations['power.reset'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'reset' 'Running', 'RunningCritical'
    Restart-VM -VM $vm -Force -Confirm:$false
    Get-PowerRecord $Arguments.id
}

$Operations['power.pause'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'paused' 'Running'
    Suspend-VM -VM $vm
    Get-PowerRecord $Arguments.id
}

$Operations['power.unpause'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'unpaused' 'Paused'
    Resume-VM -VM $vm
    Get-PowerRecord $Arguments.id
}

$Operations['power.suspend'] = {
    # Saves its memory to disk.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'suspended' 'Running'
    Save-VM -VM $vm
    Get-PowerRecord $Arguments.id
}
