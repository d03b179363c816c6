# Copies of machines. Each is a new machine, so that its id and its adapters' are new, with all settings of the original set
# again: what is not carried over is refused before anything is made. An export would copy checkpoints and all disks twice.

$CopyProcessor = @{
    Count = 'Count'; CompatibilityForMigrationEnabled = 'CompatibilityForMigrationEnabled'
    CompatibilityForOlderOperatingSystemsEnabled = 'CompatibilityForOlderOperatingSystemsEnabled'
    HwThreadCountPerCore = 'HwThreadCountPerCore'; Maximum = 'Maximum'; Reserve = 'Reserve'; RelativeWeight = 'RelativeWeight'
    MaximumCountPerNumaNode = 'MaximumCountPerNumaNode'; MaximumCountPerNumaSocket = 'MaximumCountPerNumaSocket'
    EnableHostResourceProtection = 'EnableHostResourceProtection'; ExposeVirtualizationExtensions = 'ExposeVirtualizationExtensions'
}
$CopyMemory = @{ Priority = 'Priority'; MaximumAmountPerNumaNodeBytes = 'MaximumPerNumaNode' }
$CopyDynamicMemory = @{ DynamicMemoryEnabled = 'DynamicMemoryEnabled'; MinimumBytes = 'Minimum'; MaximumBytes = 'Maximum'; Buffer = 'Buffer' }
$CopyMachine = @{
    AutomaticStartAction = 'AutomaticStartAction'; AutomaticStopAction = 'AutomaticStopAction'; AutomaticStartDelay = 'AutomaticStartDelay'
    AutomaticCriticalErrorAction = 'AutomaticCriticalErrorAction'
    AutomaticCriticalErrorActionTimeout = 'AutomaticCriticalErrorActionTimeout'
    AutomaticCheckpointsEnabled = 'AutomaticCheckpointsEnabled'; LockOnDisconnect = 'LockOnDisconnect'; CheckpointType = 'CheckpointType'
    EnhancedSessionTransportType = 'EnhancedSessionTransportType'; GuestControlledCacheTypes = 'GuestControlledCacheTypes'
    LowMemoryMappedIoSpace = 'LowMemoryMappedIoSpace'; HighMemoryMappedIoSpace = 'HighMemoryMappedIoSpace'
    BatteryPassthroughEnabled = 'BatteryPassthroughEnabled'
}
$CopyFirmware = @{
    EnableSecureBoot = 'SecureBoot'; SecureBootTemplate = 'SecureBootTemplate'; ConsoleMode = 'ConsoleMode'
    PreferredNetworkBootProtocol = 'PreferredNetworkBootProtocol'; PauseAfterBootFailure = 'PauseAfterBootFailure'
}
$CopyAdapter = @{
    MacAddressSpoofing = 'MacAddressSpoofing'; DhcpGuard = 'DhcpGuard'; RouterGuard = 'RouterGuard'; PortMirroring = 'PortMirroringMode'
    IeeePriorityTag = 'IeeePriorityTag'; VmqWeight = 'VMQWeight'; IovWeight = 'IovWeight'; VirtualSubnetId = 'VirtualSubnetId'
    IovQueuePairsRequested = 'IovQueuePairsRequested'; IovInterruptModeration = 'IovInterruptModeration'
    AllowTeaming = 'AllowTeaming'; DeviceNaming = 'DeviceNaming'; StormLimit = 'StormLimit'; FixSpeed10G = 'FixSpeed10G'
    DynamicIPAddressLimit = 'DynamicIPAddressLimit'; NumaAwarePlacement = 'NumaAwarePlacement'; InterruptModeration = 'InterruptModeration'
}
$SeedImage = '\\hvsdk-seed-[0-9a-f-]{36}\.iso$'  # for cloud-init: it is one machine's own
$CopyExtras = @{
    'Get-VMAssignableDevice' = 'a device of the host that is assigned to it'
    'Get-VMGpuPartitionAdapter' = 'a part of a graphics adapter of the host'
}

function Get-Difference($From, $To, $Names) {
    # The parameters that make one object's properties those of another. What an older module does not know is left out.
    $changes = @{}
    foreach ($parameter in $Names.Keys) {
        $wanted = $From.($Names[$parameter])
        if ($null -ne $wanted -and "$wanted" -ne '' -and "$wanted" -cne "$($To.($Names[$parameter]))") { $changes[$parameter] = $wanted }
    }
    $changes
}

function Stop-Copy($VM, [string] $What) {
    Stop-Operation 'Unsupported' "'$($VM.Name)' cannot be cloned: it has $What, which a copy would lack"
}

function Confirm-Copyable($VM) {
    # Fails when a copy would be less than its original.
    if (@($VM.FibreChannelHostBusAdapters | Where-Object { $_ }).Count) { Stop-Copy $VM 'a Fibre Channel adapter' }
    if ($VM.RemoteFxAdapter) { Stop-Copy $VM 'a RemoteFX adapter' }
    if ($VM.Generation -eq 2 -and (Get-Command -Name Get-VMSecurity -ErrorAction SilentlyContinue)) {
        $security = Get-VMSecurity -VM $VM
        if ($security.TpmEnabled -or $security.Shielded) { Stop-Copy $VM 'a virtual TPM' }
    }
    foreach ($name in $CopyExtras.Keys) {
        if (-not (Get-Command -Name $name -ErrorAction SilentlyContinue)) { continue }
        if (@(& $name -VM $VM).Count) { Stop-Copy $VM $CopyExtras[$name] }
    }
    foreach ($drive in @(Get-VMHardDiskDrive -VM $VM)) {
        if ($null -ne $drive.DiskNumber) { Stop-Copy $VM 'a disk of the host itself' }
        if ($drive.SupportPersistentReservations) { Stop-Copy $VM 'a disk that is shared with others' }
    }
    foreach ($adapter in @(Get-VMNetworkAdapter -VM $VM)) {
        if (@($adapter.AclList | Where-Object { $_ }).Count) { Stop-Copy $VM 'an adapter with rules for its traffic' }
        if (@($adapter.ExtendedAclList | Where-Object { $_ }).Count) { Stop-Copy $VM 'an adapter with rules for its traffic' }
        if ($adapter.VlanSetting -and "$($adapter.VlanSetting.OperationMode)" -eq 'Private') { Stop-Copy $VM 'an adapter in a private VLAN' }
    }
}

function Get-NewDiskPath([string] $Beside, [string] $Name) {
    # A path for a new disk in the folder of another, named after a machine.
    $cut = $Beside.LastIndexOf('\')
    $stem = [regex]::Replace($Name, '[^A-Za-z0-9._-]+', '_')
    if ($stem.Length -gt 40) { $stem = $stem.Substring(0, 40) }
    $stem = $stem.Trim('.', '_')
    if (-not $stem) { $stem = 'disk' }
    $ending = '.vhdx'
    if ($Beside -match '\.a?vhd$') { $ending = '.vhd' }
    $Beside.Substring(0, $cut + 1) + $stem + '-' + [guid]::NewGuid().ToString('N').Substring(0, 12) + $ending
}

function Get-RootType([string] $Path) {
    # Whether the disk at the bottom of a chain is of fixed size.
    $disk = Get-VHD -Path $Path
    while ($disk.ParentPath) { $disk = Get-VHD -Path $disk.ParentPath }
    if ("$($disk.VhdType)" -eq 'Fixed') { return 'Fixed' }
    'Dynamic'
}

function Copy-Disk([string] $Source, [string] $Target, [bool] $Used, $Made) {
    # A copy of a disk with all that it lies on. Of one that a running machine lies on only the files can be copied, since it
    # reads them alone; they are put together then. Further files are noted as made before they are.
    if (-not $Used) {
        Convert-VHD -Path $Source -DestinationPath $Target -VHDType (Get-RootType $Source)
        return
    }
    $chain = @()
    for ($one = $Source; $one; $one = "$((Get-VHD -Path $one).ParentPath)") { $chain += $one }
    $below = $null
    $parts = @()
    for ($at = $chain.Count - 1; $at -ge 0; $at--) {
        $copy = $Target
        if ($null -ne $below) {
            $copy = Get-NewDiskPath $Target 'hvsdk-copying'
            $parts += $copy
            [void]$Made.Add($copy)
        }
        Copy-Item -LiteralPath $chain[$at] -Destination $copy
        [System.IO.File]::SetAttributes($copy, [System.IO.FileAttributes]::Normal)
        if ($null -ne $below) { Set-VHD -Path $copy -ParentPath $below -IgnoreIdMismatch }
        $below = $copy
    }
    if (-not $parts.Count) { return }
    Merge-VHD -Path $below -DestinationPath $Target -Force
    foreach ($part in $parts) { if (Test-Path -LiteralPath $part) { Remove-Item -LiteralPath $part -Force } }
}

function Copy-Devices($VM, $New, $Paths) {
    # Gives a machine drives and adapters such as another has. Returns the new adapters by the ids of the old.
    foreach ($adapter in @(Get-VMNetworkAdapter -VM $New)) { Remove-VMNetworkAdapter -VMNetworkAdapter $adapter }
    foreach ($drive in @(Get-VMDvdDrive -VM $New)) { Remove-VMDvdDrive -VMDvdDrive $drive }
    for ($number = @(Get-VMScsiController -VM $New).Count; $number -lt @(Get-VMScsiController -VM $VM).Count; $number++) { Add-VMScsiController -VM $New }
    foreach ($drive in @(Get-VMHardDiskDrive -VM $VM)) {
        $place = @{ ControllerType = $drive.ControllerType; ControllerNumber = $drive.ControllerNumber; ControllerLocation = $drive.ControllerLocation }
        if ($drive.Path) { $place['Path'] = $Paths[(Get-DriveId $drive)] }
        if ($drive.MaximumIOPS) { $place['MaximumIOPS'] = $drive.MaximumIOPS }
        if ($drive.MinimumIOPS) { $place['MinimumIOPS'] = $drive.MinimumIOPS }
        Add-VMHardDiskDrive -VM $New @place
    }
    foreach ($drive in @(Get-VMDvdDrive -VM $VM)) {
        $place = @{ ControllerNumber = $drive.ControllerNumber; ControllerLocation = $drive.ControllerLocation }
        if ($drive.Path -and "$($drive.Path)" -notmatch $SeedImage) { $place['Path'] = "$($drive.Path)" }
        Add-VMDvdDrive -VM $New @place
    }
    $adapters = @{}
    $switches = @(Get-VMSwitch)
    foreach ($old in @(Get-VMNetworkAdapter -VM $VM)) {
        $made = Add-VMNetworkAdapter -VM $New -Name $old.Name -IsLegacy ([bool]$old.IsLegacy) -Passthru
        $switch = @($switches | Where-Object { $old.SwitchId -and "$($_.Id)" -eq "$($old.SwitchId)" })
        if ($old.Connected -and $switch.Count) { Connect-VMNetworkAdapter -VMNetworkAdapter $made -VMSwitch $switch[0] }
        $changes = Get-Difference $old $made $CopyAdapter
        if ($changes.Count) { Set-VMNetworkAdapter -VMNetworkAdapter $made @changes }
        $vlan = $old.VlanSetting
        if ($vlan -and "$($vlan.OperationMode)" -eq 'Access') { Set-VMNetworkAdapterVlan -VMNetworkAdapter $made -Access -VlanId $vlan.AccessVlanId }
        if ($vlan -and "$($vlan.OperationMode)" -eq 'Trunk') {
            Set-VMNetworkAdapterVlan -VMNetworkAdapter $made -Trunk -NativeVlanId $vlan.NativeVlanId -AllowedVlanIdList (@($vlan.AllowedVlanIdList) -join ',')
        }
        $adapters[(Get-AdapterId $old)] = $made
    }
    $adapters
}

function Copy-BootOrder($VM, $New, $Adapters) {
    # Sets what it boots from: for generation 2 the new devices in the places of the old, else kinds of device.
    if ($VM.Generation -ne 2) {
        $old = Get-VMBios -VM $VM
        $order = @($old.StartupOrder)
        if ($order.Count) { Set-VMBios -VM $New -StartupOrder $order }
        if ($old.NumLockEnabled) { Set-VMBios -VM $New -EnableNumLock }
        return
    }
    $old = Get-VMFirmware -VM $VM
    $changes = Get-Difference $old (Get-VMFirmware -VM $New) $CopyFirmware
    if ($changes.Count) { Set-VMFirmware -VM $New @changes }
    $drives = @{}
    foreach ($drive in @(Get-VMHardDiskDrive -VM $New) + @(Get-VMDvdDrive -VM $New)) { $drives[(Get-DriveId $drive)] = $drive }
    $order = @(foreach ($source in @($old.BootOrder | Where-Object { $_.Device })) {
        if ("$($source.BootType)" -eq 'Drive') { $drives[(Get-DriveId $source.Device)] }
        elseif ("$($source.BootType)" -eq 'Network') { $Adapters[(Get-AdapterId $source.Device)] }
    })
    if ($order.Count) { Set-VMFirmware -VM $New -BootOrder $order }
}

function Copy-Machine($VM, $New, $Paths, [string] $Notes) {
    # Makes an empty machine one such as another is, with these disks by their places.
    $changes = Get-Difference (Get-VMProcessor -VM $VM) (Get-VMProcessor -VM $New) $CopyProcessor
    if ($changes.Count) { Set-VMProcessor -VM $New @changes }
    $memory = Get-VMMemory -VM $VM
    $changes = Get-Difference $memory (Get-VMMemory -VM $New) $CopyMemory
    if ($memory.DynamicMemoryEnabled) { $changes += Get-Difference $memory (Get-VMMemory -VM $New) $CopyDynamicMemory }
    elseif ((Get-VMMemory -VM $New).DynamicMemoryEnabled) { $changes['DynamicMemoryEnabled'] = $false }
    if ($changes.Count) { Set-VMMemory -VM $New @changes }
    $adapters = Copy-Devices $VM $New $Paths
    Copy-BootOrder $VM $New $adapters
    $services = @{}
    foreach ($service in @(Get-VMIntegrationService -VM $VM)) { $services["$($service.Id)".Split('\')[-1]] = [bool]$service.Enabled }
    foreach ($service in @(Get-VMIntegrationService -VM $New)) {
        $wanted = $services["$($service.Id)".Split('\')[-1]]
        if ($wanted -eq [bool]$service.Enabled -or $null -eq $wanted) { continue }
        if ($wanted) { Enable-VMIntegrationService -VMIntegrationService $service } else { Disable-VMIntegrationService -VMIntegrationService $service }
    }
    foreach ($id in $adapters.Keys) { $Notes = $Notes.Replace($id, (Get-AdapterId $adapters[$id])) }
    $changes = Get-Difference $VM $New $CopyMachine
    if ($Notes) { $changes['Notes'] = $Notes }
    if ($changes.Count) { Set-VM -VM $New @changes }
}

function Move-Original($VM, $Drives, $Made, $Moved) {
    # Gives a machine new disks on those that it has, which nobody writes from then on. Whatever ends this in the middle, the
    # machine is what it was: that comes before anything else lies on its disks.
    foreach ($drive in $Drives) {
        $own = Get-NewDiskPath $drive.Path $VM.Name
        $ground = "$($drive.Path)"
        [void]$Made.Add($own)
        $null = New-VHD -Path $own -ParentPath $ground -Differencing
        $one = @{ drive = $drive; own = $own; size = (Get-VHD -Path $own).FileSize; ground = $ground; attributes = [System.IO.File]::GetAttributes($ground) }
        [void]$Moved.Add($one)
        Set-VMHardDiskDrive -VMHardDiskDrive $drive -Path $own
        [System.IO.File]::SetAttributes($ground, $one.attributes -bor [System.IO.FileAttributes]::ReadOnly)
    }
}

function Undo-Copy($VM, $New, $Moved, $Made) {
    # Takes back what was made for a copy that failed, as far as nobody has used it: an original that was started meanwhile
    # keeps its new disks, on which it has written.
    if ($null -ne $New) {
        # One that stays keeps its disks.
        if (-not (Undo-Step "the new machine '$($New.Name)' with its disks" { Remove-VM -VM $New -Force })) { return }
    }
    $kept = @{}
    foreach ($one in $Moved) {
        $kept[$one.own] = $true
        $back = Undo-Step "'$($VM.Name)' on '$($one.own)' in place of '$($one.ground)', which is read-only" {
            if ("$((Get-TheVM "$($VM.Id)").State)" -ne 'Off') { throw 'it was started meanwhile' }
            if ((Get-VHD -Path $one.own).FileSize -ne $one.size) { throw 'it was written meanwhile' }
            Set-VMHardDiskDrive -VMHardDiskDrive $one.drive -Path $one.ground
            $kept.Remove($one.own)
        }
        if (-not $back) { continue }
        $null = Undo-Step "the read-only mark of '$($one.ground)'" {
            [System.IO.File]::SetAttributes($one.ground, $one.attributes)
        }
    }
    foreach ($path in $Made) { if (-not $kept.ContainsKey($path)) { Remove-IfThere $path } }
}

function Confirm-Clone($VM, [bool] $Linked) {
    if (-not $Linked) { Confirm-State $VM 'cloned' 'Off', 'Running', 'Paused' }
    if ($Linked) {
        Confirm-State $VM 'cloned' 'Off'
        if (@(Get-VMSnapshot -VM $VM).Count) {
            Stop-Operation 'Unsupported' "no linked clone can lie on '$($VM.Name)': it has snapshots, whose files Hyper-V merges" @{
                hint = 'delete its snapshots, or make a full clone'
            }
        }
    }
    Confirm-Copyable $VM
}

$Operations['clone.make'] = {
    # A full copy has disks of its own. Of a linked one they lie on the original's, which goes on with new ones on the same:
    # the files below are written no more.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    $linked = [bool]$Arguments.linked
    Confirm-Clone $vm $linked
    $made = [System.Collections.ArrayList]@()
    $moved = [System.Collections.ArrayList]@()
    $new = $null; $ground = $null; $done = $false
    try {
        if ("$($vm.State)" -ne 'Off') {
            $ground = New-Checkpoint $vm 'hvsdk: a clone is being made' 'disks' $null
            $drives = @(Get-VMHardDiskDrive -VMSnapshot $ground)
        } else { $drives = @(Get-VMHardDiskDrive -VM $vm) }
        $drives = @($drives | Where-Object { $_.Path })
        Confirm-Reach $vm @($drives | ForEach-Object { "$($_.Path)" })
        $grounds = @{}
        foreach ($drive in $drives) { $grounds[(Get-DriveId $drive)] = "$($drive.Path)" }
        if ($linked) { Move-Original $vm $drives $made $moved }
        $paths = @{}
        foreach ($drive in $drives) {
            $source = $grounds[(Get-DriveId $drive)]
            $target = Get-NewDiskPath $source $Arguments.name
            $paths[(Get-DriveId $drive)] = $target
            [void]$made.Add($target)
            if ($linked) { $null = New-VHD -Path $target -ParentPath $source -Differencing }
            else { Copy-Disk $source $target ($null -ne $ground) $made }
            Write-Share (0.9 * $paths.Count / $drives.Count)
        }
        $new = New-VM -Name $Arguments.name -Generation $vm.Generation -MemoryStartupBytes $vm.MemoryStartup -NoVHD
        Copy-Machine $vm $new $paths "$($Arguments.notes)"
        $record = Get-DomainRecord -VM (Get-VM -Id $new.Id) -Include @('config')
        if ($null -ne $ground) {
            Remove-VMSnapshot -VMSnapshot $ground -Confirm:$false
            $ground = $null
            Wait-Merge $Arguments.id
        }
        $done = $true
    } finally {
        if (-not $done) { Undo-Copy $vm $new $moved $made }
        if ($null -ne $ground) {
            $null = Undo-Step "a snapshot of '$($vm.Name)'" { Remove-VMSnapshot -VMSnapshot $ground -Confirm:$false }
        }
    }
    $record
}
