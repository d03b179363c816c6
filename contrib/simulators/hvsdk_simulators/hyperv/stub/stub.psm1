# Behind the generated functions: asks the simulated host, over one connection for each runspace.

$script:Client = $null
$script:Reader = $null
$script:Writer = $null

$Common = @{}
foreach ($name in 'Verbose', 'Debug', 'ErrorAction', 'WarningAction', 'InformationAction', 'ErrorVariable', 'WarningVariable',
    'InformationVariable', 'OutVariable', 'OutBuffer', 'PipelineVariable', 'ProgressAction', 'Confirm', 'WhatIf') { $Common[$name] = $true }

function Connect-Stub {
    $script:Client = [System.Net.Sockets.TcpClient]::new('127.0.0.1', [int] $env:HVSDK_STUB_PORT)
    $script:Client.NoDelay = $true
    $stream = $script:Client.GetStream()
    $utf8 = [System.Text.UTF8Encoding]::new($false)
    $script:Reader = [System.IO.StreamReader]::new($stream, $utf8, $false, 65536)
    $script:Writer = [System.IO.StreamWriter]::new($stream, $utf8, 65536)
    $script:Writer.Write("$env:HVSDK_STUB_TOKEN`n")
}

function Disconnect-Stub {
    if ($null -ne $script:Client) { $script:Client.Dispose() }
    $script:Client = $null
}

function ConvertTo-Stub {
    # A value that a parameter is bound to.
    param($Value)
    if ($null -eq $Value) { return $null }
    if ($Value -is [StubObject]) { return @{ '$object' = $Value.StubKey } }
    if ($Value -is [string]) { return [string] $Value }
    if ($Value -is [ref]) { return ConvertTo-Stub $Value.Value }
    if ($Value -is [switch]) { return [bool] $Value }
    if ($Value -is [enum] -or $Value -is [version] -or $Value -is [char]) { return [string] $Value }
    if ($Value -is [guid]) { return @{ '$guid' = [string] $Value } }
    if ($Value -is [datetime]) { return @{ '$time' = $Value.ToUniversalTime().ToString('o') } }
    if ($Value -is [timespan]) { return @{ '$span' = $Value.Ticks } }
    if ($Value -is [ValueType]) { return $Value }
    if ($Value -is [byte[]]) { return @{ '$bytes' = [Convert]::ToBase64String($Value) } }
    if ($Value -is [System.Collections.IDictionary]) {
        $table = @{}
        foreach ($key in $Value.Keys) { $table[[string] $key] = ConvertTo-Stub $Value[$key] }
        return @{ '$table' = $table }
    }
    if ($Value -is [System.Collections.IEnumerable]) {
        $list = [System.Collections.ArrayList]::new()
        foreach ($one in $Value) { [void] $list.Add((ConvertTo-Stub $one)) }
        return , $list.ToArray()
    }
    [string] $Value
}

$OpenFile = {
    # FileInfo.Open, of a file of the simulated host.
    param($Mode, $Access, $Share)
    try { $real = Resolve-StubFile -Path $this.FullName -ErrorAction Stop } catch { throw $_.Exception }
    , [System.IO.File]::Open($real, $Mode, $Access, $Share)
}

$ReplaceFile = {
    # FileInfo.Replace: the file takes the place of another one, of which nothing is kept.
    param($Destination)
    try { Move-Item -LiteralPath $this.FullName -Destination $Destination -Force -ErrorAction Stop } catch { throw $_.Exception }
}

function ConvertFrom-Stub {
    # One value of the output.
    param($Value)
    if ($null -eq $Value) { return $null }
    if ($Value -is [array]) {
        $list = [System.Collections.ArrayList]::new()
        foreach ($one in $Value) { [void] $list.Add((ConvertFrom-Stub $one)) }
        return , $list.ToArray()
    }
    if ($Value -isnot [System.Management.Automation.PSCustomObject]) { return $Value }
    if ($null -ne $Value.PSObject.Properties['t']) {
        $type = $Types[[string] $Value.t]
        $object = [System.Management.Automation.LanguagePrimitives]::ConvertTo($Value.p, $type)
        if ($null -ne $Value.x) {
            foreach ($one in $Value.x.PSObject.Properties) { $object.($one.Name) = ConvertFrom-Stub $one.Value }
        }
        return $object
    }
    if ($null -ne $Value.PSObject.Properties['n']) {
        $object = [StubObject]::new()
        $object.StubKey = $Value.k
        $all = ([psobject] $object).PSObject
        foreach ($one in $Value.n.PSObject.Properties) {
            $all.Properties.Add([psnoteproperty]::new($one.Name, (ConvertFrom-Stub $one.Value)))
        }
        foreach ($name in $Value.names) { $all.TypeNames.Insert(0, $name) }
        if ($all.TypeNames -contains 'System.IO.FileInfo') {
            $all.Methods.Add([psscriptmethod]::new('Open', $OpenFile))
            $all.Methods.Add([psscriptmethod]::new('Replace', $ReplaceFile))
        }
        return $object
    }
    $special = @($Value.PSObject.Properties)[0]
    switch ($special.Name) {
        '$guid' { return [guid] $special.Value }
        '$time' { return [datetime] $special.Value }
        '$span' { return [timespan]::new([long] $special.Value) }
        '$bytes' { return , [Convert]::FromBase64String($special.Value) }
    }
    $Value
}

function New-StubError {
    param($Told)
    $exception = $null
    $hresult = [int] $Told.hresult
    switch ([string] $Told.type) {
        'System.IO.IOException' { $exception = [System.IO.IOException]::new($Told.message, $hresult) }
        'System.UnauthorizedAccessException' { $exception = [System.UnauthorizedAccessException]::new($Told.message) }
        'System.Management.Automation.ItemNotFoundException' {
            $exception = [System.Management.Automation.ItemNotFoundException]::new($Told.message)
        }
        'System.Management.Automation.CommandNotFoundException' {
            $exception = [System.Management.Automation.CommandNotFoundException]::new($Told.message)
        }
        'Microsoft.Management.Infrastructure.CimException' { $exception = [CimException]::new($Told.message, $hresult) }
        'Microsoft.FailoverClusters.PowerShell.ClusterCmdletException' {
            $exception = [ClusterCmdletException]::new($Told.message, $hresult)
        }
        'Microsoft.HyperV.PowerShell.VirtualizationInvalidArgumentException' {
            $exception = [VirtualizationInvalidArgumentException]::new($Told.message, $hresult)
        }
        'Microsoft.HyperV.PowerShell.VirtualizationOperationFailedException' {
            $exception = [VirtualizationOperationFailedException]::new($Told.message, $hresult)
        }
        default { $exception = [VirtualizationException]::new($Told.message, $hresult) }
    }
    [System.Management.Automation.ErrorRecord]::new($exception, $Told.id, [string] $Told.category, $Told.target)
}

function Invoke-Stub {
    param($Cmdlet, [string] $Name, $Bound)
    if ($Bound.ContainsKey('WhatIf') -and $Bound['WhatIf']) { return }
    $parameters = @{}
    foreach ($key in $Bound.Keys) { if (-not $Common.ContainsKey($key)) { $parameters[$key] = ConvertTo-Stub $Bound[$key] } }
    $request = ConvertTo-Json -InputObject @{ name = $Name; set = $Cmdlet.ParameterSetName; parameters = $parameters } -Depth 20 -Compress
    $whole = $false
    try {
        if ($null -eq $script:Client) { Connect-Stub }
        $script:Writer.Write($request + "`n")
        $script:Writer.Flush()
        $task = $script:Reader.ReadLineAsync()
        while (-not $task.Wait(100)) { }
        $line = $task.Result
        $whole = $null -ne $line
    } finally {
        if (-not $whole) { Disconnect-Stub }  # which stops what the host does for it
    }
    if (-not $whole) { throw 'the simulated host is gone' }
    $answer = ConvertFrom-Json -InputObject $line
    foreach ($text in $answer.warnings) { $Cmdlet.WriteWarning($text) }
    foreach ($one in $answer.output) { $Cmdlet.WriteObject((ConvertFrom-Stub $one), $false) }
    if ($null -ne $answer.error) { $Cmdlet.WriteError((New-StubError $answer.error)) }
}
