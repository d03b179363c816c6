# Files on the host: what all scripts about disks share. Paths are Windows', and are never taken apart by .NET, whose rules
# are those of the machine that it runs on. There is no operation in this file.

function Split-Folder($Path) {
    # The folder that a file lies in: 'C:\a\b.vhdx' lies in 'C:\a', 'C:\b.vhdx' in 'C:\'.
    $text = "$Path"
    $at = $text.LastIndexOf('\')
    if ($at -lt 0) { return '' }
    $folder = $text.Substring(0, $at)
    if ($folder -match '^[A-Za-z]:$') { return "$folder\" }
    $folder
}

function Split-Name($Path) {
    # The last part of a path.
    "$Path".Substring("$Path".LastIndexOf('\') + 1)
}

function Join-Folder($Folder, $Name) {
    "$("$Folder".TrimEnd('\'))\$Name"
}

function Test-File($Path) {
    [bool](Test-Path -LiteralPath $Path -PathType Leaf)
}

function Test-Folder($Path) {
    [bool](Test-Path -LiteralPath $Path -PathType Container)
}

function Test-OwnPath($Path) {
    # Whether a drive's path is one of a file: physical disks that are passed through have a description there.
    "$Path" -match '^[A-Za-z]:\\|^\\\\'
}

function Test-DiskName($Path) {
    # Whether a file is one of a virtual hard disk, by its name.
    "$Path" -match '\.(a?vhdx?|vhds)$'
}

function Get-DefaultFolder {
    # Where this host makes disks that nobody gave a place.
    "$((Get-VMHost).VirtualHardDiskPath)".TrimEnd('\')
}

function Get-PoolFolder($Path) {
    # A storage pool, which is a folder; the host's own without a path.
    $folder = "$Path"
    if (-not $folder) { $folder = Get-DefaultFolder }
    if (-not (Test-Folder $folder)) {
        Stop-Operation 'StoragePoolNotFound' "there is no folder '$folder' on this host" @{
            hint = 'storage pools are folders: host.storage_pools() lists those in use'
        }
    }
    $folder
}

function Find-File($Pool, $Names) {
    # The file that is meant by these names, of which the first that is there holds; the host's own folder without a pool.
    $folder = Get-PoolFolder $Pool
    foreach ($name in @($Names)) {
        $path = Join-Folder $folder $name
        if (Test-File $path) { return "$((Get-Item -LiteralPath $path -Force).FullName)" }
    }
    Stop-Operation 'VolumeNotFound' "there is no volume '$(@($Names)[0])' in '$folder'"
}

function Get-UsedFiles {
    # All files that machines and checkpoints of this host, and of its cluster, have in their drives; `here` where the path
    # means the same file to this node: a share or a volume of the cluster, or a machine of its own.
    $machines = @(Get-AllVM)
    if (-not $machines.Count) { return }
    $node = "$((Get-VMHost).Name)"
    $drives = @(Get-VMHardDiskDrive -VM $machines) + @(Get-VMDvdDrive -VM $machines)
    foreach ($checkpoint in @(Get-VMSnapshot -VM $machines)) {
        $drives += @(Get-VMHardDiskDrive -VMSnapshot $checkpoint) + @(Get-VMDvdDrive -VMSnapshot $checkpoint)
    }
    foreach ($drive in $drives) {
        if ($drive.Path -and (Test-OwnPath $drive.Path)) {
            $path = "$($drive.Path)"
            $here = "$($drive.ComputerName)" -eq $node -or (Test-SharedPath $path)
            @{ path = $path; vm = "$($drive.VMId)".ToLowerInvariant(); name = "$($drive.VMName)"; here = $here }
        }
    }
}

function Get-DisksIn($Folder) {
    # Paths of the virtual hard disks in a folder; none of one that is not there.
    if (-not (Test-Folder $Folder)) { return }
    foreach ($file in @(Get-ChildItem -LiteralPath $Folder -File -Force)) {
        if (Test-DiskName $file.Name) { "$($file.FullName)" }
    }
}

function Confirm-Unused([string[]]$Paths, [string]$But, [string]$What) {
    # Fails unless nobody needs these files: no machine and no checkpoint but those of $But has one, and no disk but they
    # themselves lies on one. $What completes "the volume X cannot be ...".
    $going = @{}
    foreach ($path in $Paths) { $going[$path.ToLowerInvariant()] = $true }
    $used = @(Get-UsedFiles)
    foreach ($one in $used) {
        if ($one.vm -ne $But -and $going.ContainsKey($one.path.ToLowerInvariant())) {
            Stop-Operation 'Busy' "the volume '$($one.path)' cannot be ${What}: '$($one.name)' ($($one.vm)) has it" @{
                lasting = $true; hint = 'detach it there first, or delete that domain or its snapshots'
            }
        }
    }
    Confirm-NoGround $Paths $What $used
}

function Confirm-AllSeen($Path, $What) {
    # Fails where a file is within reach of nodes of the cluster whose machines cannot be seen from here: one may have it.
    if (-not (Test-SharedPath $Path)) { return }
    $here = "$((Get-VMHost).Name)"
    foreach ($node in @((Get-Members).Values | Sort-Object -Property Name)) {
        if ("$($node.Name)" -eq $here) { continue }
        $seen = "$($node.State)" -eq 'Up'
        if ($seen) { try { $null = Get-VM -ComputerName "$($node.Name)" -ErrorAction Stop } catch { $seen = $false } }
        if (-not $seen) {
            Stop-Operation 'Busy' "it is not known whether a domain of the node $($node.Name) has '$Path', so that it cannot be $What" @{
                lasting = $true
                hint = 'see that the node is up, and log in by Kerberos with delegation or by CredSSP, which reach it'
            }
        }
    }
}

function Confirm-NoGround([string[]]$Paths, [string]$What, $Used) {
    # Fails unless no disk but they themselves lies on one of these files, among all that machines have and all in the
    # folders of these. What cannot be read might: then it fails as well.
    $disks = @($Paths | Where-Object { Test-DiskName $_ })
    if (-not $disks.Count) { return }
    $going = @{}
    $folders = @{}
    $waiting = @{}  # by number: what is found is added at the end
    foreach ($path in $disks + @(Join-Folder (Get-DefaultFolder) 'x')) {
        $folders[(Split-Folder $path).ToLowerInvariant()] = Split-Folder $path
    }
    foreach ($path in $disks) { $going[$path.ToLowerInvariant()] = $true }
    foreach ($path in @($Used | Where-Object { $_.here } | ForEach-Object { $_.path } | Where-Object { Test-DiskName $_ })) {
        $folders[(Split-Folder $path).ToLowerInvariant()] = Split-Folder $path
        $waiting[$waiting.Count] = $path
    }
    foreach ($folder in @($folders.Values)) {
        foreach ($path in @(Get-DisksIn $folder)) { $waiting[$waiting.Count] = $path }
    }
    $seen = @{}
    for ($next = 0; $next -lt $waiting.Count; $next++) {
        $path = "$($waiting[$next])"
        $key = $path.ToLowerInvariant()
        if ($seen.ContainsKey($key) -or $going.ContainsKey($key)) { continue }
        $seen[$key] = $true
        $parent = Get-ParentPath $path $What
        if (-not $parent) { continue }
        if ($going.ContainsKey($parent.ToLowerInvariant())) {
            Stop-Operation 'Busy' "the volume '$parent' cannot be ${What}: '$path' lies on it" @{
                lasting = $true; hint = 'delete what lies on it first: a linked clone, or what a detached disk left'
            }
        }
        $waiting[$waiting.Count] = $parent
    }
}

function Get-ParentPath($Path, $What) {
    # What a disk lies on; $null for nothing. A file that is gone lies on nothing.
    try {
        $disk = Get-VHD -Path $Path
    } catch {
        if (-not (Test-File $Path) -and (Test-Folder (Split-Folder $Path))) { return $null }
        Stop-Operation 'Busy' "it is not known what '$Path' lies on, so that nothing can be ${What}: $($_.Exception.Message)" @{
            lasting = $true; hint = 'remove or repair this file first'
        }
    }
    if ($disk.ParentPath) { return "$($disk.ParentPath)" }
    $null
}

function Test-SharedPath($Path) {
    # Whether a path is the same file to all nodes of a cluster: one on a share, or on a volume of the cluster.
    "$Path" -match '^\\\\|^[A-Za-z]:\\ClusterStorage\\'
}

function Confirm-Reach($VM, $Paths) {
    # Fails where a machine is on another node and has files there that only that node reaches: here the same path is another
    # file, or none.
    if ("$($VM.ComputerName)" -eq "$((Get-VMHost).Name)") { return }
    foreach ($path in @($Paths | Where-Object { $_ -and -not (Test-SharedPath $_) })) {
        Stop-Operation 'Unsupported' "'$($VM.Name)' is on the node $($VM.ComputerName), and its file '$path' is within reach of that node alone" @{
            hint = 'connect to that node, or move the machine to this one'
        }
    }
}

function Get-OwnDisks($VM) {
    # The files that hold a machine's disks: those in its drives and in those of its checkpoints, not what else they lie on.
    $drives = @(Get-VMHardDiskDrive -VM $VM)
    foreach ($checkpoint in @(Get-VMSnapshot -VM $VM)) { $drives += @(Get-VMHardDiskDrive -VMSnapshot $checkpoint) }
    $seen = @{}
    foreach ($drive in $drives) {
        $path = "$($drive.Path)"
        if ($path -and (Test-OwnPath $path) -and -not $seen.ContainsKey($path.ToLowerInvariant())) {
            $seen[$path.ToLowerInvariant()] = $true
            $path
        }
    }
}

function Remove-IfThere($Path) {
    # Removes a file that this operation made; what goes wrong with that hides nothing that went wrong before.
    $null = Undo-Step "the file '$Path'" { if (Test-File $Path) { Remove-Item -LiteralPath $Path -Force } }
}
