# Volumes: the files of virtual hard disks and images in a folder.

function ConvertTo-VolumeRecord($File) {
    # A file as a volume: path, name, length, modified; size, file_size, format, type, parent of a disk; problem where that
    # cannot be read.
    $record = @{
        path = "$($File.FullName)"; name = "$($File.Name)"; length = $File.Length
        modified = ConvertTo-Time $File.LastWriteTimeUtc
        size = $null; file_size = $null; format = $null; type = $null; parent = $null; problem = $null
    }
    if (-not (Test-DiskName $File.Name)) { return $record }
    try {
        $disk = Get-VHD -Path $record.path
        $record['size'] = $disk.Size
        $record['file_size'] = $disk.FileSize
        $record['format'] = "$($disk.VhdFormat)"
        $record['type'] = "$($disk.VhdType)"
        if ($disk.ParentPath) { $record['parent'] = "$($disk.ParentPath)" }
    } catch {
        $record['problem'] = "$($_.Exception.Message)"
    }
    $record
}

$Operations['volumes.list'] = {
    param($Arguments)
    $folder = Get-PoolFolder $Arguments.pool
    ,@(foreach ($file in @(Get-ChildItem -LiteralPath $folder -File -Force)) {
        if ((Test-DiskName $file.Name) -or $file.Name -match '\.iso$') { ConvertTo-VolumeRecord $file }
    })
}

function New-Disk($Path, $Size, $Fixed, $BlockSize) {
    # Makes an empty disk. What fails or is stopped leaves none behind, and what was there before stays.
    if (Test-Path -LiteralPath $Path) { Stop-Operation 'AlreadyExists' "there is a volume '$Path' already" }
    $how = @{ Path = $Path; SizeBytes = [uint64]$Size }
    if ($Fixed) { $how['Fixed'] = $true } else { $how['Dynamic'] = $true }
    if ($BlockSize) { $how['BlockSizeBytes'] = [uint32]$BlockSize }
    $mine = $true
    $done = $false
    try {
        try { $null = New-VHD @how } catch {
            if ("$($_.Exception.Message)" -match '0x80070050') { $mine = $false }
            throw
        }
        $done = $true
    } finally {
        if ($mine -and -not $done) { Remove-IfThere $Path }
    }
}

$Operations['volumes.create'] = {
    param($Arguments)
    $path = Join-Folder (Get-PoolFolder $Arguments.pool) $Arguments.name
    New-Disk $path $Arguments.size $Arguments.fixed $Arguments.block_size
    ConvertTo-VolumeRecord (Get-Item -LiteralPath $path -Force)
}

$Operations['volumes.delete'] = {
    param($Arguments)
    $path = Find-File $Arguments.pool @($Arguments.name)
    Confirm-AllSeen $path 'removed'
    Confirm-Unused @($path) '' 'removed'
    Remove-Item -LiteralPath $path -Force
}
