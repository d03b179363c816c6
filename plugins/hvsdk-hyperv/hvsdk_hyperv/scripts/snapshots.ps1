# Checkpoints. Of which kind one becomes is a setting of the machine, and so is what it says of itself: both are set for the
# moment at which it is made, and put back.

$CheckpointSeconds = 0.25  # between two looks at disks that are being merged
$IdleLooks = 120  # how often disks may be found unmerged with nobody at it before that is given up
$VssService = '5CED1297-4598-4915-A5FC-AD21BB4D02A4'

function ConvertTo-CheckpointRecord($Checkpoint, $Current) {
    @{
        id = "$($Checkpoint.Id)".ToLowerInvariant()
        name = "$($Checkpoint.Name)"
        created = ConvertTo-Time $Checkpoint.CreationTime
        parent = ConvertTo-Guid $Checkpoint.ParentSnapshotId
        state = "$($Checkpoint.State)"
        type = "$($Checkpoint.SnapshotType)"
        notes = "$($Checkpoint.Notes)"
        current = [bool]($Current -and "$($Checkpoint.Id)" -eq "$Current")
    }
}

function Get-TheCheckpoint($VM, [string] $Id) {
    # The checkpoint of this machine with this id.
    foreach ($one in @(Get-VMSnapshot -VM $VM)) { if ("$($one.Id)" -eq $Id) { return $one } }
    Stop-Operation 'SnapshotNotFound' "'$($VM.Name)' has no snapshot '$Id'"
}

function Confirm-Kind($VM, [string] $Kind) {
    # Fails when Hyper-V would make another kind of checkpoint than the one that is asked for, or none.
    $type = "$($VM.CheckpointType)"
    if ($type -eq 'Disabled') {
        Stop-Operation 'Unsupported' "checkpoints are switched off for '$($VM.Name)'" @{ hint = 'Set-VM -CheckpointType Production allows them' }
    }
    if ($Kind -eq 'disks') { Confirm-State $VM 'given a snapshot' 'Off', 'Running', 'Paused'; return }
    Confirm-State $VM 'given such a snapshot' 'Running'
    if ($Kind -eq 'memory') { return }
    if (-not $type) { Stop-Operation 'Unsupported' 'this Windows knows no checkpoints of a guest at rest: they came with 2016' }
    $service = @(Get-VMIntegrationService -VM $VM | Where-Object { "$($_.Id)" -like "*$VssService" })
    if ($service.Count -and -not $service[0].Enabled) {
        Stop-Operation 'GuestAgent' "the service for backups is switched off for '$($VM.Name)'" @{ hint = 'Enable-VMIntegrationService' }
    }
    if ($service.Count -and "$($service[0].PrimaryOperationalStatus)" -ne 'Ok') {
        Stop-Operation 'GuestAgent' "the guest of '$($VM.Name)' does not answer to requests to come to rest" @{
            hint = 'leave quiesce out for a snapshot such as a power cut would leave'
        }
    }
}

function Get-Descendants($VM, $Checkpoint) {
    # A checkpoint with all that were made after it.
    $all = @(Get-VMSnapshot -VM $VM)
    $found = @($Checkpoint)
    for ($next = 0; $next -lt $found.Count; $next++) {
        $id = "$($found[$next].Id)"
        $found += @($all | Where-Object { "$($_.ParentSnapshotId)" -eq $id })
    }
    $found
}

function Confirm-Free($VM, $Checkpoints) {
    # Fails unless nobody else needs the files that change when checkpoints go: those of their disks, and what lies on them.
    $own = @(Get-OwnDisks $VM)
    Confirm-Reach $VM $own
    $paths = @{}
    foreach ($one in $Checkpoints) {
        foreach ($drive in @(Get-VMHardDiskDrive -VMSnapshot $one)) {
            if ($drive.Path -and (Test-OwnPath $drive.Path)) { $paths["$($drive.Path)".ToLowerInvariant()] = "$($drive.Path)" }
        }
    }
    $more = @{}
    foreach ($path in $own) {
        $chain = @()
        for ($one = $path; $one; $one = Get-ParentPath $one 'merged') {
            if ($paths.ContainsKey($one.ToLowerInvariant())) { foreach ($above in $chain) { $more[$above.ToLowerInvariant()] = $above } }
            $chain += $one
        }
    }
    foreach ($key in $more.Keys) { $paths[$key] = $more[$key] }
    if ($paths.Count) { Confirm-Unused @($paths.Values) "$($VM.Id)".ToLowerInvariant() 'merged' }
}

function Confirm-Droppable($VM) {
    # Fails unless nobody else needs the files that go when a machine is rolled back: those of its present disks that no
    # checkpoint has.
    $kept = @{}
    foreach ($checkpoint in @(Get-VMSnapshot -VM $VM)) {
        foreach ($drive in @(Get-VMHardDiskDrive -VMSnapshot $checkpoint)) { $kept["$($drive.Path)".ToLowerInvariant()] = $true }
    }
    $paths = @(foreach ($drive in @(Get-VMHardDiskDrive -VM $VM)) {
        $path = "$($drive.Path)"
        if ($path -match '\.avhdx?$' -and -not $kept.ContainsKey($path.ToLowerInvariant())) { $path }
    })
    if ($paths.Count) { Confirm-Unused $paths "$($VM.Id)".ToLowerInvariant() 'dropped' }
}

function Set-CheckpointSettings($VM, $Type, $Notes) {
    # Sets what is given and is not so yet.
    $changes = @{}
    if ($Type -and "$($VM.CheckpointType)" -ne $Type) { $changes['CheckpointType'] = $Type }
    if ($null -ne $Notes -and "$($VM.Notes)" -cne $Notes) { $changes['Notes'] = $Notes }
    if ($changes.Count) { Set-VM -VM $VM @changes }
}

function New-Checkpoint($VM, [string] $Name, [string] $Kind, $Mark) {
    # Makes a checkpoint of exactly this kind: 'disks', 'memory' or 'quiesce'. It keeps the notes with the mark in them.
    Confirm-Kind $VM $Kind
    $before = @{ type = "$($VM.CheckpointType)"; notes = "$($VM.Notes)"; state = "$($VM.State)" }
    $wanted = @{ type = $null; notes = $null }
    if ($before.type) { $wanted.type = 'Standard' }
    if ($Kind -eq 'quiesce') { $wanted.type = 'ProductionOnly' }
    if ($Mark) { $wanted.notes = $before.notes + $Mark }
    $made = $null
    $done = $false
    $restore = {
        $now = Get-TheVM "$($VM.Id)"
        $notes = $null
        if ($Mark -and "$($now.Notes)" -ceq $wanted.notes) { $notes = $before.notes }
        Set-CheckpointSettings $now $before.type $notes
    }
    try {
        try {
            Set-CheckpointSettings $VM $wanted.type $wanted.notes
            $made = Checkpoint-VM -VM $VM -SnapshotName $Name -Passthru
        } finally {
            if ($null -ne $made) { & $restore }
            else { $null = Undo-Step "settings for snapshots of '$($VM.Name)' that are not its own" $restore }
        }
        if ("$($made.Name)" -cne $Name) { Rename-VMSnapshot -VMSnapshot $made -NewName $Name }
        if ($Kind -eq 'disks' -and $before.state -ne 'Off') { Remove-VMSavedState -VMSnapshot $made }
        $made = Get-TheCheckpoint (Get-TheVM "$($VM.Id)") "$($made.Id)"
        $hasMemory = "$($made.State)" -ne 'Off'
        if ($hasMemory -ne ($Kind -eq 'memory')) {
            Stop-Operation 'OperationFailed' "Hyper-V made another kind of checkpoint of '$($VM.Name)': its state is $($made.State)"
        }
        $done = $true
        $made
    } finally {
        if (-not $done -and $null -ne $made) {
            $null = Undo-Step "a snapshot of '$($VM.Name)'" { Remove-VMSnapshot -VMSnapshot $made -Confirm:$false }
        }
    }
}

function Test-Merged($VM) {
    # Whether nothing is left to merge: no file that a machine's disk lies on was made for a checkpoint that is gone.
    $kept = @{}
    $leaves = @(Get-VMHardDiskDrive -VM $VM)
    foreach ($checkpoint in @(Get-VMSnapshot -VM $VM)) {
        foreach ($drive in @(Get-VMHardDiskDrive -VMSnapshot $checkpoint)) {
            $kept["$($drive.Path)".ToLowerInvariant()] = $true
            $leaves += $drive
        }
    }
    $above = @{}
    foreach ($drive in @($leaves | Where-Object { $_.Path })) {
        $path = "$($drive.Path)"
        while ($path -match '\.avhdx?$') {
            $parent = "$((Get-VHD -Path $path).ParentPath)"
            if (-not $parent) { break }
            $key = $parent.ToLowerInvariant()
            if (-not $above.ContainsKey($key)) { $above[$key] = @{} }
            $above[$key][$path.ToLowerInvariant()] = $true
            $path = $parent
        }
    }
    foreach ($key in $above.Keys) { if (-not $kept.ContainsKey($key) -and $above[$key].Count -eq 1) { return $false } }
    $true
}

function Wait-Merge($Id) {
    # Waits until disks are merged, which Hyper-V does after it said that a checkpoint is gone.
    $idle = 0
    while ($true) {
        $vm = Get-TheVM $Id
        $busy = @($vm.OperationalStatus | ForEach-Object { "$_" }) -match '^(MergingDisks|DeletingSnapshot)$'
        if (-not $busy) {
            $merged = $false
            try { $merged = Test-Merged $vm } catch { $null = $_ }  # a file that is being merged cannot be read
            if ($merged) { return }
            $idle++
        } else { $idle = 0 }
        if ($idle -gt $IdleLooks) {
            Stop-Operation 'OperationFailed' "the snapshot is gone, but disks of '$($vm.Name)' are not merged" @{
                hint = 'Hyper-V merges them when nothing holds their files any more, at the latest when the machine is off'
            }
        }
        Start-Sleep -Milliseconds ([int] (1000 * $CheckpointSeconds))
    }
}

$Operations['snapshots.list'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    ,@(Get-VMSnapshot -VM $vm | ForEach-Object { ConvertTo-CheckpointRecord $_ $vm.ParentSnapshotId })
}

$Operations['snapshots.create'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    $made = New-Checkpoint $vm $Arguments.name $Arguments.kind $Arguments.mark
    ConvertTo-CheckpointRecord $made $made.Id
}

$Operations['snapshots.revert'] = {
    # What is written on the machine stays: Hyper-V would bring the old back with its settings.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    $checkpoint = Get-TheCheckpoint $vm $Arguments.snapshot
    Confirm-State $vm 'reverted' 'Off', 'Running', 'Paused', 'Saved'
    Confirm-Droppable $vm
    $before = @{ name = "$($vm.Name)"; notes = "$($vm.Notes)"; type = "$($vm.CheckpointType)" }
    $memory = "$($checkpoint.State)" -ne 'Off'
    $restore = {
        $now = Get-TheVM $Arguments.id
        Set-CheckpointSettings $now $before.type $before.notes
        if ("$($now.Name)" -cne $before.name) { Set-VM -VM $now -NewVMName $before.name }
    }
    $reverted = $false
    try {
        Restore-VMSnapshot -VMSnapshot $checkpoint -Confirm:$false
        $reverted = $true
    } finally {
        if ($reverted) { & $restore } else { $null = Undo-Step "name, notes or settings of '$($before.name)' as they were then" $restore }
    }
    $now = Get-TheVM $Arguments.id
    if ($memory -and "$($now.State)" -ne 'Running') {
        if ("$($now.State)" -ne 'Paused') { Start-VM -VM $now }
        $now = Get-TheVM $Arguments.id
        if ("$($now.State)" -eq 'Paused') { Resume-VM -VM $now }
    } elseif (-not $memory -and "$($now.State)" -eq 'Saved') {
        Remove-VMSavedState -VM $now
    }
    Get-DomainRecord -VM (Get-TheVM $Arguments.id) -Include @()
}

$Operations['snapshots.delete'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    $checkpoint = Get-TheCheckpoint $vm $Arguments.snapshot
    $options = @{ Confirm = $false }
    $going = @($checkpoint)
    if ($Arguments.children) { $options['IncludeAllChildSnapshots'] = $true; $going = @(Get-Descendants $vm $checkpoint) }
    Confirm-Free $vm $going
    Remove-VMSnapshot -VMSnapshot $checkpoint @options
    Wait-Merge $Arguments.id
    $null
}
