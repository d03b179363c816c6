# Writing volumes: the client makes a new file beside a disk, range by range, which then takes its place. The old one is as it
# was until then. Each step can be repeated: ranges have their places, and nothing is appended.

function Open-ForWriting($Path) {
    # A file that nobody else has open, nor can open as long as this one does.
    $file = Get-Item -LiteralPath $Path -Force
    ,$file.Open([System.IO.FileMode]::Open, [System.IO.FileAccess]::ReadWrite, [System.IO.FileShare]::None)
}

function Get-Seen($Path) {
    # What tells whether a file was written meanwhile.
    $file = Get-Item -LiteralPath $Path -Force
    @{ path = "$($file.FullName)"; size = $file.Length; written = ConvertTo-Time $file.LastWriteTimeUtc }
}

function Confirm-Writable($Path) {
    # Fails unless nobody has a disk, and none lies on it.
    Confirm-AllSeen $Path 'written'
    Confirm-Unused @($Path) '' 'written'
}

function Remove-OldPart($Path) {
    # Removes what clients that never came back left behind beside a disk, a day ago or earlier.
    $leaf = Split-Name $Path
    $limit = [DateTime]::UtcNow.AddDays(-1)
    foreach ($file in @(Get-ChildItem -LiteralPath (Split-Folder $Path) -File -Force)) {
        $name = "$($file.Name)"
        if (-not $name.StartsWith("$leaf.", [StringComparison]::OrdinalIgnoreCase)) { continue }
        if ($name.Substring($leaf.Length) -notmatch '^\.[0-9a-f]{8}\.part$') { continue }
        if ($file.LastWriteTimeUtc -lt $limit) { Remove-IfThere $file.FullName }
    }
}

$Operations['volume_writing.look'] = {
    # A disk that may be written: path, size and time of its file.
    param($Arguments)
    $path = Find-File $Arguments.pool @($Arguments.name)
    Confirm-Writable $path
    Get-Seen $path
}

$Operations['volume_writing.create'] = {
    # Makes the new file, of its whole length and empty.
    param($Arguments)
    Remove-OldPart $Arguments.path
    $part = "$($Arguments.path).$($Arguments.token).part"
    $done = $false
    try {
        if (-not (Test-File $part)) { $null = New-Item -Path $part -ItemType File }
        $stream = Open-ForWriting $part
        try { $stream.SetLength([long]$Arguments.length) } finally { $stream.Dispose() }
        $done = $true
    } finally {
        if (-not $done) { Remove-IfThere $part }
    }
    @{ part = $part }
}

$Operations['volume_writing.write'] = {
    # Writes ranges of the new file.
    param($Arguments)
    $stream = Open-ForWriting $Arguments.part
    try {
        foreach ($range in @($Arguments.ranges)) {
            $bytes = [Convert]::FromBase64String($range.data)
            $null = $stream.Seek([long]$range.offset, [System.IO.SeekOrigin]::Begin)
            $stream.Write($bytes, 0, $bytes.Length)
        }
    } finally { $stream.Dispose() }
}

$Operations['volume_writing.finish'] = {
    # Puts the new file in the place of the old one, unless that is needed or was written meanwhile.
    param($Arguments)
    $path = Find-File $Arguments.pool @($Arguments.name)
    $stream = Open-ForWriting $Arguments.part
    try {
        if ($stream.Length -ne $Arguments.length) { Stop-Operation 'OperationFailed' "'$($Arguments.part)' is not whole" }
        $stream.Flush($true)
    } finally { $stream.Dispose() }
    Confirm-Writable $path
    $now = Get-Seen $path
    if ($now.size -ne $Arguments.seen.size -or $now.written -ne $Arguments.seen.written) {
        Stop-Operation 'OperationFailed' "'$path' was written by somebody else since it was opened, and stays" @{
            hint = 'open the volume again'
        }
    }
    (Get-Item -LiteralPath $Arguments.part -Force).Replace($path, [NullString]::Value, $true)
    Get-Seen $path
}

$Operations['volume_writing.outcome'] = {
    # Whether the new file is still beside the old one, and what is in the place of that now.
    param($Arguments)
    @{ part = Test-File $Arguments.part; seen = Get-Seen $Arguments.path }
}

$Operations['volume_writing.abort'] = {
    # Gives the new file up.
    param($Arguments)
    Remove-IfThere $Arguments.part
}
