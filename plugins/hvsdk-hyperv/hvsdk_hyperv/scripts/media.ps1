# Images in DVD drives.

function Find-Dvd($VM, $Id) {
    # A DVD drive, the first one without an id; $null where there is none.
    $drives = @(Get-VMDvdDrive -VM $VM | Sort-Object ControllerNumber, ControllerLocation)
    if (-not $Id) { return $drives | Select-Object -First 1 }
    foreach ($drive in $drives) { if ((Get-DriveId $drive) -eq $Id) { return $drive } }
    Stop-Operation 'DiskNotFound' "'$($VM.Name)' has no DVD drive '$Id'"
}

$Operations['media.insert'] = {
    # The place of the drive. A machine without one gets one, on IDE only while it is off.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'given an image' 'Off', 'Running', 'Paused'
    $drive = Find-Dvd $vm $Arguments.drive
    $image = Find-File $Arguments.pool $Arguments.names
    Confirm-Reach $vm @($image)
    if ($image -notmatch '\.iso$') { Stop-Operation 'InvalidSpec' "'$image' is no image: those are .iso files" }
    if ($null -eq $drive) {
        if ($vm.Generation -eq 1 -and "$($vm.State)" -ne 'Off') {
            Stop-Operation 'DiskNotFound' "'$($vm.Name)' has no DVD drive, and IDE takes none while it is on" @{ hint = 'shut it down first' }
        }
        return Get-DriveId (Add-WishedDrive $vm @{ device = 'cdrom'; names = @(Split-Name $image); source_pool = Split-Folder $image })
    }
    if ("$($drive.Path)" -ne $image) { Set-VMDvdDrive -VMDvdDrive $drive -Path $image }
    Get-DriveId $drive
}

$Operations['media.eject'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'relieved of an image' 'Off', 'Running', 'Paused'
    $drive = Find-Dvd $vm $Arguments.drive
    if ($null -eq $drive) { Stop-Operation 'DiskNotFound' "'$($vm.Name)' has no DVD drive, so that there is nothing to take out" }
    if ($drive.Path) { Set-VMDvdDrive -VMDvdDrive $drive -Path $null }
}
