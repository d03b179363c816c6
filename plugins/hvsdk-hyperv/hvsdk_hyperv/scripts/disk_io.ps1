# Reading disks: parts of their files. What the guest sees is put together by the client. No file stays open between two
# requests, so that nothing on the host waits for a client; one that was written meanwhile is not read on.

function Open-ForReading($Path) {
    # The bytes of a file that nobody has open for writing, nor can open as long as these are.
    $file = Get-Item -LiteralPath $Path -Force
    ,$file.Open([System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, [System.IO.FileShare]::Read)
}

function Get-WriteTime($Path) {
    # When a file was written last: asked while it is open, so that nobody writes it after the question.
    ConvertTo-Time (Get-Item -LiteralPath $Path -Force).LastWriteTimeUtc
}

function Read-Range($Stream, $Path, $Offset, $Length) {
    # Exactly these bytes, in base64.
    $null = $Stream.Seek([long]$Offset, [System.IO.SeekOrigin]::Begin)
    $bytes = (New-Object System.IO.BinaryReader $Stream).ReadBytes([int]$Length)
    if ($bytes.Length -ne $Length) { Stop-Operation 'OperationFailed' "'$Path' ends before what was to be read of it" }
    [Convert]::ToBase64String($bytes)
}

$Operations['disk_io.find'] = {
    # The path of a disk's file: of a machine that is off or saved, or as a checkpoint has it.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    if ($Arguments.snapshot) {
        $drives = @(Get-VMHardDiskDrive -VMSnapshot (Get-TheCheckpoint $vm $Arguments.snapshot))
    } else {
        Confirm-State $vm 'read' 'Off', 'Saved', 'FastSaved'
        $drives = @(Get-VMHardDiskDrive -VM $vm)
    }
    foreach ($drive in $drives) {
        if ((Get-DriveId $drive) -ne $Arguments.disk) { continue }
        if ($null -ne $drive.DiskNumber -or -not $drive.Path) {
            Stop-Operation 'Unsupported' "the disk '$($Arguments.disk)' is a whole disk of the host, which has no file"
        }
        Confirm-Reach $vm @("$($drive.Path)")
        return @{ path = "$($drive.Path)" }
    }
    Stop-Operation 'DiskNotFound' "'$($vm.Name)' has no disk '$($Arguments.disk)'"
}

$Operations['disk_io.stat'] = {
    # Size, and when a file was written last; a size of $null where there is none. One that somebody writes is refused.
    param($Arguments)
    if (-not (Test-File $Arguments.path)) { return @{ size = $null; written = $null } }
    $stream = Open-ForReading $Arguments.path
    try { @{ size = $stream.Length; written = Get-WriteTime $Arguments.path } } finally { $stream.Dispose() }
}

$Operations['disk_io.read'] = {
    # Ranges of files, in the order in which they are asked for.
    param($Arguments)
    ,@(foreach ($wanted in @($Arguments.files)) {
        $stream = Open-ForReading $wanted.path
        try {
            if ($stream.Length -ne $wanted.size -or (Get-WriteTime $wanted.path) -ne $wanted.written) {
                Stop-Operation 'OperationFailed' "'$($wanted.path)' was written since it was opened" @{
                    hint = 'open the disk again'
                }
            }
            foreach ($range in @($wanted.ranges)) { Read-Range $stream $wanted.path $range.offset $range.length }
        } finally { $stream.Dispose() }
    })
}
