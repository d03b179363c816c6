# Network adapters of virtual machines that are there.

function Find-Adapter($VM, [string]$Id) {
    # The adapter with this id, or this MAC address.
    $all = @(Get-VMNetworkAdapter -VM $VM)
    $mac = ($Id -replace '[-:]', '').ToUpperInvariant()
    $found = @($all | Where-Object { (Get-AdapterId $_) -eq $Id })
    if (-not $found.Count) { $found = @($all | Where-Object { "$($_.MacAddress)" -eq $mac }) }
    if (-not $found.Count) { Stop-Operation 'NicNotFound' "'$($VM.Name)' has no network adapter '$Id'" }
    $found[0]
}

function Confirm-Pluggable($VM, [bool]$Legacy, [string]$Verb) {
    # Whether an adapter can be put in or taken out now: of a machine that runs only where hardware and host can.
    $on = @('Running', 'Paused')
    if ($on -notcontains "$($VM.State)") { Confirm-State $VM $Verb @('Off'); return }
    $why = $null
    if ($VM.Generation -ne 2) { $why = 'generation 1 has no adapters that can be plugged while it is on' }
    elseif ($Legacy) { $why = 'legacy adapters cannot be plugged while it is on' }
    elseif ($null -eq $VM.PSObject.Properties['CheckpointType']) { $why = 'this version of Windows Server plugs no adapters while it is on' }
    if ($why) {
        Stop-Operation 'PowerState' "'$($VM.Name)' is $($VM.State), and $why" @{ state = "$($VM.State)"; hint = 'shut it down first' }
    }
}

function Get-Adapters($VM, [string]$Id) {
    # What adapters.link compares: the adapter and the notes.
    $adapter = Find-Adapter $VM $Id
    @{ adapter = ConvertTo-AdapterRecord $adapter; notes = "$($VM.Notes)" }
}

function Add-WishedAdapter($VM, $Wish) {
    # Adds an adapter: switch (id or name, null for the usual one), plug, mac, legacy, vlan, name. Returns it with the switch
    # that it is on or would be on; what fails leaves none behind.
    if ($Wish.legacy -and $VM.Generation -eq 2) {
        Stop-Operation 'InvalidSpec' "'$($VM.Name)' is of generation 2, which has no legacy adapters" @{ hint = 'leave model out' }
    }
    $present = @(Get-VMNetworkAdapter -VM $VM)
    if ($Wish.mac -and @($present | Where-Object { "$($_.MacAddress)" -eq $Wish.mac }).Count) {
        Stop-Operation 'AlreadyExists' "'$($VM.Name)' already has an adapter $($Wish.mac)"
    }
    $switch = $null
    if ($null -ne $Wish.switch) { $switch = Get-TheSwitch "$($Wish.switch)" }
    else { $switch = Get-UsualSwitch }
    $parameters = @{ VM = $VM; Passthru = $true }
    if ($Wish.name) { $parameters['Name'] = "$($Wish.name)" }
    if ($Wish.mac) { $parameters['StaticMacAddress'] = "$($Wish.mac)" }
    if ($Wish.legacy) { $parameters['IsLegacy'] = $true }
    $adapter = Add-VMNetworkAdapter @parameters
    $done = $false
    try {
        if ($Wish.vlan) { Set-VMNetworkAdapterVlan -VMNetworkAdapter $adapter -Access -VlanId $Wish.vlan }
        if ($switch -and $Wish.plug) { Connect-VMNetworkAdapter -VMNetworkAdapter $adapter -VMSwitch $switch }
        $done = $true
    } finally {
        if (-not $done) {
            $null = Undo-Step "an adapter of '$($VM.Name)'" { Remove-VMNetworkAdapter -VMNetworkAdapter $adapter }
        }
    }
    @{ adapter = $adapter; switch = $switch }
}

$Operations['adapters.add'] = {
    # Adds an adapter, and answers its id, the switch that it is on or would be on, and the notes.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-Pluggable $vm ([bool]$Arguments.legacy) 'given an adapter'
    $new = Add-WishedAdapter $vm $Arguments
    $record = $null
    if ($new.switch) { $record = @{ switch = ConvertTo-Guid $new.switch.Id; name = "$($new.switch.Name)" } }
    @{ id = Get-AdapterId $new.adapter; switch = $record; notes = "$($vm.Notes)" }
}

$Operations['adapters.remove'] = {
    # Take an adapter out. Answers the notes, which may hold something of it.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    $adapter = Find-Adapter $vm "$($Arguments.nic)"
    Confirm-Pluggable $vm ([bool]$adapter.IsLegacy) 'rid of an adapter'
    Remove-VMNetworkAdapter -VMNetworkAdapter $adapter
    @{ id = Get-AdapterId $adapter; notes = "$($vm.Notes)" }
}

$Operations['adapters.get'] = {
    param($Arguments)
    Get-Adapters (Get-TheVM $Arguments.id) "$($Arguments.nic)"
}

$Operations['adapters.link'] = {
    # Connect an adapter to a switch (an id), or disconnect it (null), and set the notes, which remember what it was on,
    # unless the notes or what it is on are no longer what is expected: then nothing changes, and the answer says what is.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    $adapter = Find-Adapter $vm "$($Arguments.nic)"
    $now = @{ adapter = ConvertTo-AdapterRecord $adapter; notes = "$($vm.Notes)" }
    $same = (Test-Same $now.notes "$($Arguments.expected.notes)") -and ($now.adapter.switch_id -eq $Arguments.expected.switch_id)
    if (-not $same) { return @{ done = $false; now = $now } }
    if ($null -ne $Arguments.switch) {
        $switch = @(Get-VMSwitch | Where-Object { "$($_.Id)" -eq "$($Arguments.switch)" })
        if (-not $switch.Count) {
            Stop-Operation 'NetworkNotFound' "the switch that the adapter was on is no longer there: $($Arguments.switch)"
        }
        Connect-VMNetworkAdapter -VMNetworkAdapter $adapter -VMSwitch $switch[0]
        if (-not (Test-Same $now.notes "$($Arguments.notes)")) { Set-VM -VM $vm -Notes "$($Arguments.notes)" }
    } else {
        # What it was on is written first: with nothing but that written, nothing is lost.
        if (-not (Test-Same $now.notes "$($Arguments.notes)")) { Set-VM -VM $vm -Notes "$($Arguments.notes)" }
        Disconnect-VMNetworkAdapter -VMNetworkAdapter $adapter
    }
    @{ done = $true; now = Get-Adapters (Get-TheVM $Arguments.id) "$($Arguments.nic)" }
}
