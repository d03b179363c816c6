# Storage pools: the folder in which this host makes disks, and the folders of files that machines have.

function Get-VolumeOf($Folder, $Known) {
    # The volume that a folder lies on; $null where that cannot be told, as of a share.
    $key = "$Folder".ToLowerInvariant()
    if ($key -match '^[a-z]:\\' -and $key -notmatch '^[a-z]:\\clusterstorage\\') { $key = $key.Substring(0, 2) }
    if (-not $Known.ContainsKey($key)) {
        $Known[$key] = $null
        try { $Known[$key] = @(Get-Volume -FilePath $Folder)[0] } catch { $null = $_ }
    }
    $Known[$key]
}

$Operations['pools.list'] = {
    # A pool: path, default, there, capacity, free, system.
    param($Arguments)
    $default = Get-DefaultFolder
    $folders = New-Object System.Collections.Specialized.OrderedDictionary
    $folders[$default.ToLowerInvariant()] = $default
    $machines = @(Get-VM)
    $drives = @()
    if ($machines.Count) { $drives = @(Get-VMHardDiskDrive -VM $machines) + @(Get-VMDvdDrive -VM $machines) }
    foreach ($drive in $drives) {
        if ($drive.Path -and (Test-OwnPath $drive.Path)) {
            $folder = Split-Folder $drive.Path
            if (-not $folders.Contains($folder.ToLowerInvariant())) { $folders[$folder.ToLowerInvariant()] = $folder }
        }
    }
    $known = @{}
    ,@(foreach ($folder in @($folders.Values)) {
        $volume = Get-VolumeOf $folder $known
        $pool = @{
            path = $folder; default = ($folder -eq $default); there = Test-Folder $folder
            capacity = $null; free = $null; system = $null
        }
        if ($volume) {
            $pool['capacity'] = $volume.Size
            $pool['free'] = $volume.SizeRemaining
            if ($volume.FileSystem) { $pool['system'] = "$($volume.FileSystem)" }
        }
        $pool
    })
}
