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

function Get-PoolFolders($Default) {
    # The folders of pools, in their order, each by itself in lower case: Windows takes both for the same.
    $folders = New-Object System.Collections.Specialized.OrderedDictionary
    $folders[$Default.ToLowerInvariant()] = $Default
    $machines = @(Get-VM)
    $drives = @()
    if ($machines.Count) { $drives = @(Get-VMHardDiskDrive -VM $machines) + @(Get-VMDvdDrive -VM $machines) }
    foreach ($drive in $drives) {
        if ($drive.Path -and (Test-OwnPath $drive.Path)) {
            $folder = Split-Folder $drive.Path
            if (-not $folders.Contains($folder.ToLowerInvariant())) { $folders[$folder.ToLowerInvariant()] = $folder }
        }
    }
    $folders
}

function ConvertTo-PoolRecord($Folder, $Default, $Known) {
    # A pool: path, default, there, capacity, free, system.
    $volume = Get-VolumeOf $Folder $Known
    $pool = @{
        path = $Folder; default = ($Folder -eq $Default); there = Test-Folder $Folder
        capacity = $null; free = $null; system = $null
    }
    if ($volume) {
        $pool['capacity'] = $volume.Size
        $pool['free'] = $volume.SizeRemaining
        if ($volume.FileSystem) { $pool['system'] = "$($volume.FileSystem)" }
    }
    $pool
}

$Operations['pools.list'] = {
    param($Arguments)
    $default = Get-DefaultFolder
    $known = @{}
    ,@(foreach ($folder in @((Get-PoolFolders $default).Values)) { ConvertTo-PoolRecord $folder $default $known })
}

$Operations['pools.find'] = {
    # One folder as a pool, whether it is listed or not; null where there is no such folder.
    param($Arguments)
    $default = Get-DefaultFolder
    $path = "$($Arguments.path)"
    $listed = (Get-PoolFolders $default)[$path.ToLowerInvariant()]
    if ($listed) { $path = $listed } elseif (-not (Test-Folder $path)) { return $null }
    ConvertTo-PoolRecord $path $default @{}
}
