# Virtual switches.

function Get-SwitchRecord($Switch) {
    $notes = $null
    if ($Switch.Notes) { $notes = "$($Switch.Notes)" }
    $interface = $null
    if ($Switch.NetAdapterInterfaceDescription) { $interface = "$($Switch.NetAdapterInterfaceDescription)" }
    @{
        id = ConvertTo-Guid $Switch.Id
        name = "$($Switch.Name)"
        type = "$($Switch.SwitchType)"
        notes = $notes
        interface = $interface
        host_is_on_it = [bool]$Switch.AllowManagementOS
        teaming = [bool]$Switch.EmbeddedTeamingEnabled
    }
}

function Get-TheSwitch([string]$Key) {
    # The switch with this id, else the one of this name: names may be there twice, and hold what would be wildcards.
    $all = @(Get-VMSwitch)
    $found = @($all | Where-Object { "$($_.Id)" -eq $Key })
    if (-not $found.Count) { $found = @($all | Where-Object { $_.Name -ceq $Key }) }
    if (-not $found.Count) { $found = @($all | Where-Object { $_.Name -eq $Key }) }
    if ($found.Count -gt 1) {
        $ids = @($found | ForEach-Object { "$($_.Id)" }) -join ', '
        Stop-Operation 'AmbiguousName' "$($found.Count) switches are called '$Key': $ids" @{ hint = 'give its id' }
    }
    if (-not $found.Count) {
        $names = @($all | ForEach-Object { "'$($_.Name)'" }) -join ', '
        Stop-Operation 'NetworkNotFound' "there is no switch '$Key'; there are: $names"
    }
    $found[0]
}

function Get-UsualSwitch {
    # The switch of an adapter that names none: the only one, or the only external one; null where that is not clear.
    $all = @(Get-VMSwitch)
    if ($all.Count -gt 1) { $all = @($all | Where-Object { "$($_.SwitchType)" -eq 'External' }) }
    if ($all.Count -eq 1) { $all[0] } else { $null }
}

$Operations['networks.list'] = {
    param($Arguments)
    ,@(foreach ($switch in @(Get-VMSwitch)) { Get-SwitchRecord $switch })
}
