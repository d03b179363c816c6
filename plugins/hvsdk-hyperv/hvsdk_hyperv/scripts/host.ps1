# What is at the other end.

$Operations['host.about'] = {
    param($Arguments)
    $answer = @{
        computer = [Environment]::MachineName.ToLowerInvariant()
        powershell = [string] $PSVersionTable.PSVersion
        user = [Environment]::UserName
        product = 'Windows Server'; version = $null; build = $null
        node = $null; module = $null; cluster = $null; problem = $null
    }
    try {
        $system = Get-CimInstance -ClassName Win32_OperatingSystem
        $answer.product = [string] $system.Caption
        $answer.version = [string] $system.Version
        $answer.build = [string] $system.BuildNumber
    } catch { $null = $_ }  # rights to this are not needed for anything else
    if ($null -eq (Get-Command -Name Get-VMHost -ErrorAction SilentlyContinue)) {
        $answer.problem = 'module'
        return $answer
    }
    try {
        $answer.node = ([string] (Get-VMHost).Name).ToLowerInvariant()
        $command = Get-Command -Name Get-VM
        $answer.module = [string] $command.Version
        if (-not $answer.module -and $null -ne $command.Module) { $answer.module = [string] $command.Module.Version }
    } catch {
        $answer.problem = 'rights'
        $answer.message = [string] $_.Exception.Message
    }
    if ($null -ne (Get-Command -Name Get-Cluster -ErrorAction SilentlyContinue)) {
        try { $answer.cluster = [string] (Get-Cluster -ErrorAction Stop).Name } catch { $null = $_ }  # it is in none
    }
    $answer
}

$Operations['host.clock'] = {
    # What time it is.
    param($Arguments)
    ConvertTo-Time ([DateTime]::UtcNow)
}
