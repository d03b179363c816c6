# The physical machines: this one, or those of its cluster.

function Get-NodeRecord($About, $System, $Processors) {
    # The machine that is asked. What only Windows itself tells is left out where it may not be asked.
    $record = @{
        id = "$($About.Name)".ToLowerInvariant()
        name = "$($About.Name)".ToLowerInvariant()
        state = 'Up'
        cpus = $About.LogicalProcessorCount
        memory = $About.MemoryCapacity
        free_memory = $null
        cpu_model = $null
        version = $null
        sockets = $null
        full_name = $null
        cluster = $null
    }
    if ($About.FullyQualifiedDomainName) { $record['full_name'] = "$($About.FullyQualifiedDomainName)" }
    if ($System) {
        $record['version'] = "$($System.Version)"
        if ($null -ne $System.FreePhysicalMemory) { $record['free_memory'] = [long]$System.FreePhysicalMemory * 1024 }
    }
    if (@($Processors).Count) {
        $record['cpu_model'] = ConvertTo-Label @($Processors)[0].Name
        $record['sockets'] = @($Processors).Count
    }
    $record
}

$Operations['nodes.list'] = {
    param($Arguments)
    $about = Get-VMHost
    try { $system = @(Get-CimInstance -ClassName Win32_OperatingSystem)[0] } catch { $system = $null }
    try { $processors = @(Get-CimInstance -ClassName Win32_Processor) } catch { $processors = @() }
    $here = Get-NodeRecord $about $system $processors
    $members = @()
    if (Get-Command -Name Get-ClusterNode -ErrorAction SilentlyContinue) {
        # A host that is in no cluster says so by an error.
        try { $members = @(Get-ClusterNode -ErrorAction Stop) } catch { $members = @() }
    }
    $nodes = @(foreach ($member in $members) {
        $name = "$($member.Name)".ToLowerInvariant()
        if ($name -eq $here.name) {
            $here['state'] = "$($member.State)"
            $here['cluster'] = ConvertTo-Label $member.Cluster
            $here
        } else {
            @{
                id = $name; name = $name; state = "$($member.State)"; cpus = $null; memory = $null; free_memory = $null
                cpu_model = $null; version = $null; sockets = $null; full_name = $null; cluster = ConvertTo-Label $member.Cluster
            }
        }
    })
    if (-not @($nodes | Where-Object { $_.name -eq $here.name }).Count) { $nodes = @($here) + $nodes }
    ,$nodes
}
