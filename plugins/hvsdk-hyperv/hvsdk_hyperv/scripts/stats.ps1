# Figures of virtual machines: what Get-VM shows of each, and the host's performance counters, which only grow.
#
# Counters are read raw and through CIM, as their names are the same in every language there. Reading them needs the group
# Performance Monitor Users (or administrators); without it the figures have no counters, and 'problem' says why.
# Processors are counted by the machine's name: where several have one name, nobody can tell whose time it is.

function Get-RawCounters([string]$Class, [string[]]$Property) {
    Get-CimInstance -ClassName "Win32_PerfRawData_$Class" -Property $Property
}

function Add-Figures($Table, $Id, $Figures) {
    if (-not $Table.ContainsKey($Id)) { $Table[$Id] = @{} }
    $sums = $Table[$Id]
    foreach ($name in $Figures.Keys) { $sums[$name] = [long]$sums[$name] + [long]$Figures[$name] }
}

function Add-ProcessorFigures($Table, $All) {
    $names = @{}
    foreach ($one in $All) {
        $name = "$($one.Name)".ToLowerInvariant()
        if ($names.ContainsKey($name)) { $names[$name] = $null } else { $names[$name] = "$($one.Id)".ToLowerInvariant() }
    }
    foreach ($row in @(Get-RawCounters 'HvStats_HyperVHypervisorVirtualProcessor' 'Name', 'PercentTotalRunTime')) {
        if ("$($row.Name)" -notmatch '(?s)\A(.*):Hv VP [0-9]+\z') { continue }
        $id = $names[$Matches[1].ToLowerInvariant()]
        if ($id) { Add-Figures $Table $id @{ cpu = $row.PercentTotalRunTime } }
    }
}

function Add-DiskFigures($Table, $Drives) {
    # An instance is named by the file's path, with dashes for what separates folders.
    $owners = @{}
    foreach ($drive in $Drives) {
        if ($drive.Path) { $owners["$($drive.Path)".ToLowerInvariant().Replace('\', '-')] = "$($drive.VMId)".ToLowerInvariant() }
    }
    $wanted = 'Name', 'ReadBytesPersec', 'WriteBytesPersec', 'ReadOperationsPerSec', 'WriteOperationsPerSec'
    foreach ($row in @(Get-RawCounters 'Counters_HyperVVirtualStorageDevice' $wanted)) {
        $id = $owners[("$($row.Name)" -replace '\A--\?-', '').ToLowerInvariant()]
        if (-not $id) { continue }
        Add-Figures $Table $id @{
            disk_read_bytes = $row.ReadBytesPersec; disk_write_bytes = $row.WriteBytesPersec
            disk_read_requests = $row.ReadOperationsPerSec; disk_write_requests = $row.WriteOperationsPerSec
        }
    }
}

function Add-AdapterFigures($Table) {
    # An instance's name ends in the ids of machine and device. What the guest receives the adapter's port sends.
    $wanted = 'Name', 'BytesReceivedPersec', 'BytesSentPersec', 'PacketsReceivedPersec', 'PacketsSentPersec'
    foreach ($row in @(Get-RawCounters 'NvspNicStats_HyperVVirtualNetworkAdapter' $wanted)) {
        if ("$($row.Name)" -notmatch '_([0-9A-Fa-f-]{36})--[0-9A-Fa-f-]{36}\z') { continue }
        Add-Figures $Table $Matches[1].ToLowerInvariant() @{
            net_rx_bytes = $row.BytesReceivedPersec; net_tx_bytes = $row.BytesSentPersec
            net_rx_packets = $row.PacketsReceivedPersec; net_tx_packets = $row.PacketsSentPersec
        }
    }
}

$Operations['stats.read'] = {
    # Of these, whatever they do; or of all that run.
    param($Arguments)
    $all = @(Get-VM)
    if ($null -eq $Arguments.ids) {
        $found = @($all | Where-Object { "$($_.State)" -eq 'Running' })
    } else {
        $byId = @{}
        foreach ($one in $all) { $byId["$($one.Id)"] = $one }
        $found = @(foreach ($id in $Arguments.ids) { if ($byId.ContainsKey($id)) { $byId[$id] } else { Get-TheVM $id } })
    }
    $running = @($found | Where-Object { "$($_.State)" -eq 'Running' })
    $counted = @{}
    $problem = $null
    $at = [DateTime]::UtcNow
    if ($running.Count) {
        try {
            Add-ProcessorFigures $counted $all
            Add-AdapterFigures $counted
            Add-DiskFigures $counted @(Get-VMHardDiskDrive -VM $running -ErrorAction SilentlyContinue)
        } catch {
            $problem = "$($_.Exception.Message)"
        }
    }
    @{
        at = ConvertTo-Time $at
        problem = $problem
        vms = @(foreach ($one in $found) {
            $id = "$($one.Id)".ToLowerInvariant()
            $up = "$($one.State)" -eq 'Running'
            @{
                id = $id
                name = "$($one.Name)"
                running = $up
                vcpus = $one.ProcessorCount
                memory = $one.MemoryAssigned
                demand = $one.MemoryDemand
                counters = $(if ($up -and $counted.ContainsKey($id)) { $counted[$id] } else { @{} })
            }
        })
    }
}
