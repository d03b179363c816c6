# Disks and drives of machines that are there: attach, detach, grow.

function Find-Drive($VM, $Id) {
    # The disk or DVD drive at a place such as scsi:0:1.
    foreach ($drive in @(Get-VMHardDiskDrive -VM $VM) + @(Get-VMDvdDrive -VM $VM)) {
        if ((Get-DriveId $drive) -eq $Id) { return $drive }
    }
    Stop-Operation 'DiskNotFound' "'$($VM.Name)' has no disk '$Id'"
}

function Test-Dvd($Drive) {
    $null -ne $Drive.PSObject.Properties['DvdMediaType']
}

function Confirm-Bus($VM, $Bus, $What) {
    # Fails where a drive on IDE would come or go while the machine is on.
    if ($Bus -eq 'IDE' -and "$($VM.State)" -ne 'Off') {
        Stop-Operation 'PowerState' "'$($VM.Name)' is $($VM.State), and IDE $What while it is on" @{
            state = "$($VM.State)"; hint = 'shut it down first, or use the bus scsi'
        }
    }
}

function Get-Bus($VM, $Wish, $IsDvd) {
    # The bus of a new drive: SCSI, but for DVD drives of generation 1, which are on IDE alone.
    $bus = 'SCSI'
    if ($Wish -eq 'ide' -or (-not $Wish -and $IsDvd -and $VM.Generation -eq 1)) { $bus = 'IDE' }
    if ($bus -eq 'IDE' -and $VM.Generation -ne 1) {
        Stop-Operation 'InvalidSpec' "'$($VM.Name)' is of generation 2, which has no IDE" @{ hint = 'use the bus scsi' }
    }
    if ($bus -eq 'SCSI' -and $IsDvd -and $VM.Generation -eq 1) {
        Stop-Operation 'InvalidSpec' "DVD drives of generation 1 are on IDE, not SCSI" @{ hint = 'use the bus ide' }
    }
    $bus
}

function Get-FreePlace($VM, $Bus) {
    # The first free place on a bus: number and location; $null for none.
    $taken = @{}
    foreach ($drive in @(Get-VMHardDiskDrive -VM $VM) + @(Get-VMDvdDrive -VM $VM)) { $taken[(Get-DriveId $drive)] = $true }
    if ($Bus -eq 'IDE') { $controllers = @(Get-VMIdeController -VM $VM); $count = 2 }
    else { $controllers = @(Get-VMScsiController -VM $VM); $count = 64 }
    foreach ($controller in $controllers) {
        for ($location = 0; $location -lt $count; $location++) {
            $id = '{0}:{1}:{2}' -f $Bus.ToLowerInvariant(), $controller.ControllerNumber, $location
            if (-not $taken.ContainsKey($id)) { return @{ number = $controller.ControllerNumber; location = $location } }
        }
    }
    $null
}

function Get-NewName($VM, $Token) {
    # The name of a new disk of a machine: its own, as far as files can have it, and something that tells it from others.
    $name = [regex]::Replace("$($VM.Name)", '[^A-Za-z0-9._-]+', '_')
    if ($name.Length -gt 60) { $name = $name.Substring(0, 60) }
    "$($name.Trim('.', ' '))-$Token"
}

function New-DiskCopy($Source, $Path, $Size, $Fixed) {
    # Makes a disk of its own with the content of another one, and grows it. What fails leaves none behind.
    if (Test-Path -LiteralPath $Path) { Stop-Operation 'AlreadyExists' "there is a volume '$Path' already" }
    if ($Size -and [uint64]$Size -lt (Get-VHD -Path $Source).Size) {
        Stop-Operation 'InvalidSpec' "'$Source' is larger than $Size bytes; its copy cannot shrink"
    }
    $kind = 'Dynamic'
    if ($Fixed) { $kind = 'Fixed' }
    $done = $false
    try {
        Convert-VHD -Path $Source -DestinationPath $Path -VHDType $kind
        if ($Size -and [uint64]$Size -gt (Get-VHD -Path $Path).Size) { Resize-VHD -Path $Path -SizeBytes ([uint64]$Size) }
        $done = $true
    } finally {
        if (-not $done) { Remove-IfThere $Path }
    }
}

function Get-DiskFile($VM, $Wish) {
    # The file of a disk that is wished for: @{ path; made }, made where it is new.
    $file = @{ path = $null; made = $false }
    $folder = $null
    if ($Wish.device -ne 'cdrom' -and (-not $Wish.names -or $Wish.copy)) { $folder = Get-PoolFolder $Wish.pool }
    Confirm-Reach $VM @($folder)
    if ($Wish.names) { $file['path'] = Find-File $Wish.source_pool $Wish.names }
    if (-not $Wish.copy) { Confirm-Reach $VM @($file.path) }
    if ($Wish.device -eq 'cdrom' -or ($Wish.names -and -not $Wish.copy)) { return $file }
    $new = Join-Folder $folder "$(Get-NewName $VM $Wish.token).$($Wish.format)"
    if ($Wish.names) { New-DiskCopy $file.path $new $Wish.size $Wish.fixed }
    else { New-Disk $new $Wish.size $Wish.fixed $Wish.block_size }
    @{ path = $new; made = $true }
}

function Add-Drive($VM, $Wish, $Place, $Bus, $Path) {
    # Adds a drive at a place, and returns it.
    $how = @{ VM = $VM; ControllerNumber = $Place.number; ControllerLocation = $Place.location; Passthru = $true }
    if ($Path) { $how['Path'] = $Path }
    if ($Wish.device -eq 'cdrom') { return Add-VMDvdDrive @how }
    $how['ControllerType'] = $Bus
    if ($Wish.shared) {
        if ((Get-Command Add-VMHardDiskDrive).Parameters.ContainsKey('SupportPersistentReservations')) {
            $how['SupportPersistentReservations'] = $true
        } else { $how['ShareVirtualDisk'] = $true }
    }
    Add-VMHardDiskDrive @how
}

function Confirm-NotThere($VM, $Path) {
    foreach ($drive in @(Get-VMHardDiskDrive -VM $VM)) {
        if ("$($drive.Path)" -eq $Path) { Stop-Operation 'AlreadyExists' "'$Path' is a disk of '$($VM.Name)' already" }
    }
}

function Remove-NewController($VM, $Count) {
    # Removes a SCSI controller that came to so many, unless it is in use: also where it came and nobody was told.
    foreach ($one in @(Get-VMScsiController -VM $VM)) {
        if ($one.ControllerNumber -lt $Count -or @($one.Drives | Where-Object { $_ }).Count) { continue }
        try { Remove-VMScsiController -VMScsiController $one } catch { $null = $_ }
    }
}

function Add-WishedDrive($VM, $Wish) {
    # Adds a disk or drive with all that belongs to it, and returns it; what fails leaves nothing behind.
    $bus = Get-Bus $VM $Wish.bus ($Wish.device -eq 'cdrom')
    Confirm-Bus $VM $bus 'takes no disks and drives'
    $place = Get-FreePlace $VM $bus
    $needsController = $false
    if ($null -eq $place) {
        $count = @(Get-VMScsiController -VM $VM).Count
        if ($bus -eq 'IDE' -or $count -ge 4) {
            Stop-Operation 'InsufficientResources' "'$($VM.Name)' has no room for another drive on $bus"
        }
        if ("$($VM.State)" -ne 'Off') {
            Stop-Operation 'PowerState' "'$($VM.Name)' needs another SCSI controller, which can only come while it is off" @{
                state = "$($VM.State)"; hint = 'shut it down first'
            }
        }
        $needsController = $true
    }
    $file = @{ path = $null; made = $false }
    $controllers = @(Get-VMScsiController -VM $VM).Count
    $done = $false
    try {
        $file = Get-DiskFile $VM $Wish
        if ($file.path -and -not $file.made -and $Wish.device -ne 'cdrom') {
            Confirm-NotThere $VM $file.path
            if ($Wish.shared) { Confirm-NoGround @($file.path) 'attached' @(Get-UsedFiles) }
            else { Confirm-Unused @($file.path) "$($VM.Id)".ToLowerInvariant() 'attached' }
        }
        if ($needsController) { Add-VMScsiController -VM $VM; $place = Get-FreePlace $VM $bus }
        $drive = Add-Drive $VM $Wish $place $bus $file.path
        $done = $true
    } finally {
        if (-not $done) {
            if ($needsController) { Remove-NewController $VM $controllers }
            if ($file.made) { Remove-IfThere $file.path }
        }
    }
    $drive
}

$Operations['disks.attach'] = {
    # The place of the new drive.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'given a disk' 'Off', 'Running', 'Paused'
    Get-DriveId (Add-WishedDrive $vm $Arguments.wish)
}

$Operations['disks.detach'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'relieved of a disk' 'Off', 'Running', 'Paused'
    $drive = Find-Drive $vm $Arguments.disk
    Confirm-Bus $vm "$($drive.ControllerType)" 'gives none back'
    if (Test-Dvd $drive) { Remove-VMDvdDrive -VMDvdDrive $drive } else { Remove-VMHardDiskDrive -VMHardDiskDrive $drive }
}

function Confirm-Growth($VM, $Drive, $Disk) {
    # Fails where a disk cannot grow, or where what lies on it or it lies on would be broken by that.
    $path = "$($Drive.Path)"
    $no = @{ capability = 'resize_disk' }
    if (@(Get-VMSnapshot -VM $VM).Count) {
        $no['hint'] = 'delete the snapshots first'
        Stop-Operation 'Unsupported' "the disk '$path' of '$($VM.Name)' cannot grow: it has snapshots, which keep their size" $no
    }
    if ("$($Disk.VhdType)" -eq 'Differencing') {
        $no['hint'] = 'clone() it, which makes disks of its own'
        Stop-Operation 'Unsupported' "the disk '$path' of '$($VM.Name)' cannot grow: it lies on another one" $no
    }
    if ("$($VM.State)" -ne 'Off' -and ("$($Drive.ControllerType)" -ne 'SCSI' -or "$($Disk.VhdFormat)" -eq 'VHD')) {
        Stop-Operation 'PowerState' "'$($VM.Name)' is $($VM.State), and only VHDX on SCSI grow while it is on" @{
            state = "$($VM.State)"; hint = 'shut it down first'
        }
    }
    Confirm-Unused @($path) "$($VM.Id)".ToLowerInvariant() 'resized'
}

$Operations['disks.resize'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'resized in its disks' 'Off', 'Running', 'Paused'
    $drive = Find-Drive $vm $Arguments.disk
    if (Test-Dvd $drive) { Stop-Operation 'InvalidSpec' "'$($Arguments.disk)' of '$($vm.Name)' is a drive for media, not a disk" }
    if (-not (Test-OwnPath $drive.Path)) {
        Stop-Operation 'Unsupported' "'$($Arguments.disk)' of '$($vm.Name)' is a disk of the host itself" @{ capability = 'resize_disk' }
    }
    Confirm-Reach $vm @("$($drive.Path)")
    $disk = Get-VHD -Path $drive.Path
    $sector = [uint64]$disk.LogicalSectorSize
    $size = [uint64]$Arguments.size
    if ($size % $sector) { $size += $sector - $size % $sector }
    if ([uint64]$Arguments.size -lt $disk.Size) {
        Stop-Operation 'InvalidSpec' "the disk '$($Arguments.disk)' has $($disk.Size) bytes; it cannot shrink to $($Arguments.size)" @{
            hint = 'copy what is on it to a smaller disk'
        }
    }
    if ($size -eq $disk.Size) { return }
    Confirm-Growth $vm $drive $disk
    Resize-VHD -Path $drive.Path -SizeBytes $size
}
