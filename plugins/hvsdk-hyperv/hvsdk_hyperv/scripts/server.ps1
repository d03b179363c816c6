# The loop that answers requests, one line each, for as long as standard input is open.
#
# A request is a line of base64 of JSON (compressed with gzip or not):
#     {"id": 7, "operation": "power.start", "arguments": {...}}
# and its answer a line of base64 of gzip of JSON, which therefore begins with H4sI:
#     {"id": 7, "result": ...}  or  {"id": 7, "error": {"kind", "id", "category", "message", "hresults", "type", "details", "left"}}
# A request with "wait": SECONDS is carried out in another runspace, and is answered when it is done; when that takes
# longer, with {"id": 7, "job": 7}. What became of it is asked for with the operation `job.poll` {"job": 7, "wait": SECONDS},
# which answers within that time {"done": false, "share": 0.4 or null}, {"done": true, "result": ...} or {"done": true,
# "error": {...}}; `job.cancel` {"job": 7} stops it. What it came to is kept: asking again is harmless.

$AnswerStream = [Console]::OpenStandardOutput()
$Started = @{}  # long operations by the ids of their requests
$KeptLonger = 100
$Pool = $null  # of the runspaces that carry them out

function ConvertFrom-Line {
    param([string] $Line)
    $bytes = [Convert]::FromBase64String($Line)
    if ($bytes.Length -gt 2 -and $bytes[0] -eq 0x1f -and $bytes[1] -eq 0x8b) {
        $packed = New-Object System.IO.MemoryStream (, $bytes)
        $plain = New-Object System.IO.MemoryStream
        $gzip = New-Object System.IO.Compression.GZipStream ($packed, [System.IO.Compression.CompressionMode]::Decompress)
        $gzip.CopyTo($plain)
        $gzip.Dispose()
        $bytes = $plain.ToArray()
    }
    [System.Text.Encoding]::UTF8.GetString($bytes) | ConvertFrom-Json
}

function Write-Answer {
    param([string] $Json)
    $bytes = [System.Text.Encoding]::UTF8.GetBytes($Json)
    $packed = New-Object System.IO.MemoryStream
    $gzip = New-Object System.IO.Compression.GZipStream ($packed, [System.IO.Compression.CompressionMode]::Compress)
    $gzip.Write($bytes, 0, $bytes.Length)
    $gzip.Dispose()
    # In one piece: [Console]::Out writes 256 bytes at a time, each of which may need a Receive of its own.
    $line = [System.Text.Encoding]::ASCII.GetBytes([Convert]::ToBase64String($packed.ToArray()) + "`r`n")
    [Console]::Out.Flush()
    $AnswerStream.Write($line, 0, $line.Length)
    $AnswerStream.Flush()
}

function ConvertTo-Answer {
    # A value as JSON. 5.1 prints nothing for none and unrolls a list that it is handed through a pipe.
    param($Value)
    if ($null -eq $Value) { return 'null' }
    ConvertTo-Json -InputObject $Value -Depth 20 -Compress
}

function Get-Failure {
    # All that tells errors apart whatever the language of the host.
    param([System.Management.Automation.ErrorRecord] $Record)
    $kind = $null; $details = $null; $hresults = @()
    for ($one = $Record.Exception; $null -ne $one; $one = $one.InnerException) {
        if ($null -eq $kind -and $null -ne $one.Data -and $one.Data.Contains('hvsdk.kind')) {
            $kind = [string] $one.Data['hvsdk.kind']
            $details = $one.Data['hvsdk.details']
        }
        $hresults += '0x{0:X8}' -f $one.HResult
        foreach ($code in [regex]::Matches([string] $one.Message, '0x([0-9A-Fa-f]{8})\b')) {
            $hresults += '0x' + $code.Groups[1].Value.ToUpperInvariant()
        }
    }
    @{
        kind = $kind
        id = [string] $Record.FullyQualifiedErrorId
        category = [string] $Record.CategoryInfo.Category
        message = [string] $Record.Exception.Message
        hresults = @($hresults | Select-Object -Unique)
        type = $Record.Exception.GetType().FullName
        where = [string] $Record.ScriptStackTrace
        details = $details
        left = @($LeftBehind | Where-Object { $_ })
    }
}

function Invoke-Operation {
    # Carries an operation out, and returns the second half of its answer.
    param([string] $Name, $Arguments)
    if ($null -eq $Job) { $global:LeftBehind = [System.Collections.ArrayList]@() }
    try {
        if (-not $Operations.ContainsKey($Name)) { Stop-Operation 'Unsupported' "there is no operation '$Name'" }
        $output = & $Operations[$Name] $Arguments
        '"result":' + (ConvertTo-Answer $output)
    } catch {
        '"error":' + (ConvertTo-Answer (Get-Failure $_))
    }
}

function Start-LongOperation {
    # Begins an operation in another runspace, which keeps the scripts for the next one.
    param($Request)
    if ($null -eq $global:Pool) {
        $global:Pool = [RunspaceFactory]::CreateRunspacePool([runspace]::DefaultRunspace.InitialSessionState.Clone())
        $null = $global:Pool.SetMaxRunspaces(8)
        $global:Pool.Open()
    }
    $state = [hashtable]::Synchronized(@{ share = $null; left = [System.Collections.ArrayList]@() })
    $shell = [PowerShell]::Create()
    $shell.RunspacePool = $global:Pool
    $null = $shell.AddScript({
        param($Source, $State, $Name, $Arguments)
        if ($null -eq $global:Operations) { . ([ScriptBlock]::Create($Source)) }
        $global:Job = $State
        $global:LeftBehind = $State['left']
        Invoke-Operation $Name $Arguments
    }.ToString(), $false).AddArgument($Source).AddArgument($state)
    $null = $shell.AddArgument([string] $Request.operation).AddArgument($Request.arguments)
    $one = @{ shell = $shell; handle = $shell.BeginInvoke(); state = $state; stopping = $false; end = $null }
    $Started[[string] $Request.id] = $one
    $one
}

function Wait-LongOperation {
    # Waits for its end, and returns the second half of the answer; $null when it is not over yet.
    param($One, [double] $Seconds)
    if ($null -ne $One.end) { return $One.end }
    if (-not $One.handle.AsyncWaitHandle.WaitOne([int] (1000 * $Seconds))) { return $null }
    try {
        $One.end = [string] @($One.shell.EndInvoke($One.handle))[-1]
        if (-not $One.end) { throw 'the operation ended without an answer' }
    } catch {
        $failure = Get-Failure $_
        if ($One.stopping) { $failure.kind = 'Cancelled'; $failure.message = 'cancelled' }
        $failure.left = @($One.state['left'])
        $One.end = '"error":' + (ConvertTo-Answer $failure)
    }
    $One.shell.Dispose()
    $One.shell = $null
    foreach ($key in @($Started.Keys)) {
        if ($Started.Count -le $KeptLonger) { break }
        if ($null -ne $Started[$key].end) { $Started.Remove($key) }
    }
    $One.end
}

function Get-LongOperation {
    param($Arguments)
    $one = $Started[[string] $Arguments.job]
    if ($null -eq $one) { Stop-Operation 'NotFound' 'this connection began no such operation' }
    $one
}

function Get-Poll {
    # Answers `job.poll`.
    param($Arguments)
    $one = Get-LongOperation $Arguments
    $end = Wait-LongOperation $one ([double] $Arguments.wait)
    if ($null -ne $end) { return '"result":{"done":true,' + $end + '}' }
    '"result":' + (ConvertTo-Answer @{ done = $false; share = $one.state['share'] })
}

function Stop-LongOperation {
    # Answers `job.cancel`.
    param($Arguments)
    $one = Get-LongOperation $Arguments
    if ($null -eq $one.end -and -not $one.stopping) {
        $one.stopping = $true
        $null = $one.shell.BeginStop($null, $null)
    }
    '"result":null'
}

function Get-Answer {
    # Carries a request out in the way that it asks for, and returns the second half of the answer.
    param($Request)
    try {
        if ($Request.operation -eq 'job.poll') { return Get-Poll $Request.arguments }
        if ($Request.operation -eq 'job.cancel') { return Stop-LongOperation $Request.arguments }
        if ($null -eq $Request.wait) { return Invoke-Operation ([string] $Request.operation) $Request.arguments }
        $end = Wait-LongOperation (Start-LongOperation $Request) ([double] $Request.wait)
        if ($null -ne $end) { return $end }
        '"job":' + (ConvertTo-Answer $Request.id)
    } catch {
        '"error":' + (ConvertTo-Answer (Get-Failure $_))
    }
}

function Start-Server {
    while ($null -ne ($line = [Console]::In.ReadLine())) {
        if (-not $line.Trim()) { continue }
        $request = $null
        try {
            $request = ConvertFrom-Line $line
            $answer = Get-Answer $request
        } catch {
            $answer = '"error":' + (ConvertTo-Answer (Get-Failure $_))
        }
        Write-Answer ('{"id":' + (ConvertTo-Answer $request.id) + ',' + $answer + '}')
    }
    [Environment]::Exit(0)  # runspaces would keep the process
}
