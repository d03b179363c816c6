# Removing machines, with or without their disks' files.

function Get-WholeDisks($VM, $Own) {
    # The files that a machine's disks are once its checkpoints are merged: of each the lowest that is the machine's own.
    $mine = @{}
    foreach ($path in $Own) { $mine[$path.ToLowerInvariant()] = $path }
    foreach ($drive in @(Get-VMHardDiskDrive -VM $VM)) {
        $path = "$($drive.Path)"
        if (-not $path -or -not (Test-OwnPath $path)) { continue }
        while ($mine.Count -gt 1 -and (Test-File $path)) {
            $parent = "$((Get-VHD -Path $path).ParentPath)"
            if (-not $parent -or -not $mine.ContainsKey($parent.ToLowerInvariant())) { break }
            $path = $mine[$parent.ToLowerInvariant()]
        }
        $path
    }
}

function Confirm-Whole($VM, $Whole) {
    # Fails unless a machine's disks are these files now.
    $wanted = @{}
    foreach ($path in $Whole) { $wanted[$path.ToLowerInvariant()] = $true }
    foreach ($drive in @(Get-VMHardDiskDrive -VM $VM)) {
        $path = "$($drive.Path)"
        if ($path -and (Test-OwnPath $path) -and -not $wanted.ContainsKey($path.ToLowerInvariant())) {
            Stop-Operation 'Busy' "'$($VM.Name)' was not removed: its disk '$path' is still in parts, or was attached meanwhile" @{
                lasting = $true; hint = 'something holds one of its files, a backup perhaps; try again'
            }
        }
    }
}

function Get-OwnFolders($VM) {
    # Folders that Hyper-V made for this machine alone, the innermost first: those in one that is called like it.
    $folder = "$($VM.Path)".TrimEnd('\')
    $about = Get-VMHost
    foreach ($taken in @("$($about.VirtualMachinePath)", "$($about.VirtualHardDiskPath)")) {
        if ($folder -eq $taken.TrimEnd('\')) { return }
    }
    $name = Split-Name $folder
    if (-not $name -or ($name -ne "$($VM.Name)" -and $name -ne "$($VM.Id)")) { return }
    foreach ($inner in @('Virtual Machines', 'Snapshots', 'Virtual Hard Disks', 'Planned Virtual Machines')) {
        Join-Folder $folder $inner
    }
    $folder
}

function Remove-EmptyFolders($Folders) {
    foreach ($folder in @($Folders)) {
        try {
            if ((Test-Folder $folder) -and -not @(Get-ChildItem -LiteralPath $folder -Force).Count) {
                Remove-Item -LiteralPath $folder -Force
            }
        } catch { $null = $_ }  # it is empty, and hurts nobody
    }
}

function Remove-Volumes($Paths, $Name) {
    # Removes the files of disks whose machine is gone, all that can be removed.
    $left = @()
    foreach ($path in $Paths) {
        try { if (Test-File $path) { Remove-Item -LiteralPath $path -Force } } catch { $left += "'$path': $($_.Exception.Message)" }
    }
    if ($left.Count) {
        Stop-Operation 'OperationFailed' "'$Name' is gone, but not all of its volumes are: $($left -join '; ')" @{
            hint = 'remove them with Volume.delete()'
        }
    }
}

function Get-SeedImages($VM) {
    # The images for cloud-init that were made for this machine alone, which hold secrets of its guest.
    $name = "hvsdk-seed-$("$($VM.Id)".ToLowerInvariant()).iso"
    $found = @{}
    foreach ($path in @(Join-Folder (Get-DefaultFolder) $name) + @(Get-VMDvdDrive -VM $VM | ForEach-Object { "$($_.Path)" })) {
        if ($path -and (Split-Name $path) -eq $name -and (Test-File $path)) { $found[$path.ToLowerInvariant()] = $path }
    }
    foreach ($path in @($found.Values)) { $path }
}

function Remove-SeedImages($Paths) {
    # Removes images whose machine is gone, unless another one has them, such as a copy that another tool made.
    if (-not @($Paths).Count) { return }
    $used = @{}
    foreach ($one in @(Get-UsedFiles)) { $used[$one.path.ToLowerInvariant()] = $true }
    foreach ($path in @($Paths)) { if (-not $used.ContainsKey($path.ToLowerInvariant())) { Remove-IfThere $path } }
}

function Confirm-Still($Paths, $Name) {
    # Fails unless nobody needs these files of a machine that is gone, so that they stay: somebody may have taken one since
    # that was looked at first, before what takes long.
    try { Confirm-Unused $Paths '' 'removed' } catch {
        Stop-Operation 'OperationFailed' "'$Name' is gone, but its volumes were kept: $($_.Exception.Message)" @{
            hint = 'remove them with Volume.delete()'
        }
    }
}

function Get-RoleOf($VM) {
    # The group of a cluster that a machine is the only one of; none of one that is no role.
    if (-not $VM.IsClustered) { return }
    $group = @(Get-ClusterGroup -VMId $VM.Id)[0]
    $others = @(Get-RoleMates $VM)
    if ($others.Count) {
        Stop-Operation 'Unsupported' "'$($VM.Name)' cannot be removed: its role in the cluster holds '$($others[0].Name)' too" @{
            hint = 'give it a role of its own, or take it out of the cluster, with the Failover Cluster Manager'
        }
    }
    $group
}

function Remove-Machine($VM, $Role) {
    # Removes a machine and its role. One that stays is a role again.
    $done = $false
    try {
        if ($null -ne $Role) { $Role | Remove-ClusterGroup -RemoveResources -Force }
        Remove-VM -VM $VM -Force -Confirm:$false
        $done = $true
    } finally {
        if (-not $done -and $null -ne $Role) { try { $null = Add-ClusterVirtualMachineRole -VMId $VM.Id } catch { $null = $_ } }
    }
}

$Operations['delete.run'] = {
    # Checkpoints are merged before the machine goes: Hyper-V would go on with that afterwards, when nobody waits for it.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'removed' 'Off'
    $id = "$($vm.Id)".ToLowerInvariant()
    $takes = $Arguments.disks -eq 'delete'
    $checkpoints = @(Get-VMSnapshot -VM $vm)
    $own = @(Get-OwnDisks $vm)
    if ($takes -or $checkpoints.Count) { Confirm-Reach $vm $own }
    $role = Get-RoleOf $vm
    $whole = @(Get-WholeDisks $vm $own)
    if ($own.Count -and ($takes -or $checkpoints.Count)) { Confirm-Unused $own $id $(if ($takes) { 'removed' } else { 'merged' }) }
    $folders = @(Get-OwnFolders $vm)
    $seeds = @(Get-SeedImages $vm)
    if ($checkpoints.Count) {
        foreach ($one in @($checkpoints | Where-Object { -not $_.ParentSnapshotId })) {
            Remove-VMSnapshot -VMSnapshot $one -IncludeAllChildSnapshots -Confirm:$false
        }
        Write-Share 0.1
    }
    if ($checkpoints.Count -or @($vm.OperationalStatus | ForEach-Object { "$_" }) -contains 'MergingDisks') { Wait-Merge $id }
    Write-Share 0.8
    $vm = Get-TheVM $id
    Confirm-State $vm 'removed' 'Off'
    Confirm-Whole $vm $whole
    Remove-Machine $vm $role
    Remove-SeedImages $seeds
    if ($takes -and $whole.Count) { Confirm-Still $whole "$($vm.Name)" }
    if ($takes) { Remove-Volumes $whole "$($vm.Name)" }
    Remove-EmptyFolders $folders
}
