# Moves: to another node of the cluster, to another folder, to another host. What stands in the way is found before anything
# moves, and told as a text; $null means that nothing does.

function Get-Members {
    # The nodes of the cluster by their names in lower case; none on a host that is in no cluster.
    $found = @{}
    if (Get-Command -Name Get-ClusterNode -ErrorAction SilentlyContinue) {
        try { foreach ($node in @(Get-ClusterNode -ErrorAction Stop)) { $found["$($node.Name)".ToLowerInvariant()] = $node } } catch { $null = $_ }
    }
    $found
}

function Find-MovedVM([guid] $Id) {
    # The machine with this id on another node of the cluster, which has moved there; $null when there is none.
    $here = "$((Get-VMHost).Name)"
    foreach ($node in @((Get-Members).Values)) {
        if ("$($node.Name)" -eq $here -or "$($node.State)" -ne 'Up') { continue }
        try {
            $found = @(Get-VM -Id $Id -ComputerName "$($node.Name)" -ErrorAction Stop)
            if ($found.Count -eq 1) { return $found[0] }
        } catch { $null = $_ }  # it is not there, or this user may not look
    }
    $null
}

function Get-RoleMates($VM) {
    # Machines that share a machine's group in the cluster, and so are moved and removed with it.
    $group = "$(@(Get-ClusterGroup -VMId $VM.Id)[0].Id)"
    foreach ($one in @(Get-VM -ComputerName "$($VM.ComputerName)" | Where-Object { $_.IsClustered -and $_.Id -ne $VM.Id })) {
        if ("$(@(Get-ClusterGroup -VMId $one.Id)[0].Id)" -eq $group) { $one }
    }
}

function Confirm-Move($VM, [bool] $Live) {
    if ($Live) { Confirm-State $VM 'migrated' 'Off', 'Running' } else { Confirm-State $VM 'migrated without live' 'Off' }
}

function Get-Chain($VM) {
    # The paths of the files that a machine's disks are made of.
    foreach ($drive in @(Get-VMHardDiskDrive -VM $VM | Where-Object { $_.Path })) { "$($drive.Path)" }
}

function Find-StorageObstacle($VM, [string] $Folder) {
    if (-not (Test-Path -LiteralPath $Folder)) { return "there is no folder '$Folder'" }
    foreach ($drive in @(Get-VMHardDiskDrive -VM $VM)) {
        if ($null -ne $drive.DiskNumber) { return 'one of its disks is a disk of the host itself' }
        if ($drive.SupportPersistentReservations) { return 'one of its disks is shared with others' }
    }
    $taken = @{}
    foreach ($path in @(Get-Chain $VM)) {
        $name = $path.Substring($path.LastIndexOf('\')).ToLowerInvariant()
        if ($taken.ContainsKey($name)) { return "two of its disks are called '$(Split-Name $path)', and one folder cannot hold both" }
        $taken[$name] = $true
    }
    if (@(Get-VMSnapshot -VM $VM).Count) { return 'it has snapshots, whose files would stay: delete them first' }
    foreach ($path in @(Get-Chain $VM)) {
        if ((Get-VHD -Path $path).ParentPath) { return 'one of its disks lies on another file, which would stay' }
        $target = $Folder.TrimEnd('\') + $path.Substring($path.LastIndexOf('\'))
        if ($target -ne $path -and (Test-Path -LiteralPath $target)) { return "there is a file '$target'" }
    }
    $null
}

function Find-HostObstacle($VM, [string] $Computer, [string] $Folder) {
    # What both hosts say to a move, without moving anything.
    if ($VM.IsClustered) { return 'it is a role of a cluster: it moves within that, or when the role is removed' }
    foreach ($drive in @(Get-VMHardDiskDrive -VM $VM)) {
        if ($null -ne $drive.DiskNumber) { return 'one of its disks is a disk of the host itself' }
    }
    if (-not (Get-VMHost).VirtualMachineMigrationEnabled) { return 'migration is not switched on here: Enable-VMMigration' }
    try {
        $report = Compare-VM -VM $VM -DestinationHost $Computer -IncludeStorage -DestinationStoragePath $Folder
    } catch {
        $category = "$($_.CategoryInfo.Category)"
        if ($category -eq 'PermissionDenied') {
            return "$Computer does not let this host act for you ($($_.Exception.Message)): log in with CredSSP, or allow delegation"
        }
        return "$($_.Exception.Message)"
    }
    $problems = @($report.Incompatibilities | Where-Object { $_ } | ForEach-Object { "$($_.Message)" } | Select-Object -Unique)
    if ($problems.Count) { return $problems -join '; ' }
    $null
}

function Find-NodeObstacle($VM, [string] $Node, $Members, [string] $Folder) {
    if (-not $Members.Count) { return 'this host is in no cluster' }
    if (-not $Members.ContainsKey($Node.ToLowerInvariant())) { return "there is no node '$Node'" }
    $state = "$($Members[$Node.ToLowerInvariant()].State)"
    if ($state -ne 'Up') { return "node '$Node' is $state" }
    if ("$($VM.ComputerName)" -eq $Node) { return $null }
    if ($VM.IsClustered) {
        $others = @(Get-RoleMates $VM)
        if ($others.Count) { return "its role in the cluster holds '$($others[0].Name)' too, which would move with it" }
        return $null
    }
    Find-HostObstacle $VM $Node $Folder
}

function Find-Obstacle($VM, $Arguments) {
    if ($Arguments.computer) { return Find-HostObstacle $VM $Arguments.computer $Arguments.folder }
    if ($Arguments.pool) {
        $obstacle = Find-StorageObstacle $VM $Arguments.pool
        if ($obstacle) { return $obstacle }
    }
    if ($Arguments.node) { return Find-NodeObstacle $VM $Arguments.node (Get-Members) $Arguments.folder }
    $null
}

function Move-Disks($VM, [string] $Folder) {
    # Moves the disks' files alone: the machine's other files stay where they are.
    $files = @(foreach ($path in @(Get-Chain $VM)) {
        $target = $Folder.TrimEnd('\') + $path.Substring($path.LastIndexOf('\'))
        if ($target -ne $path) { @{ SourceFilePath = $path; DestinationFilePath = $target } }
    })
    if ($files.Count) { Move-VMStorage -VM $VM -Vhds $files }
}

function Move-ToNode($VM, [string] $Node, [string] $Folder) {
    if ("$($VM.ComputerName)" -eq $Node) { return }
    if (-not $VM.IsClustered) {
        Move-VM -VM $VM -DestinationHost $Node -IncludeStorage -DestinationStoragePath $Folder
        return
    }
    if ("$($VM.State)" -eq 'Running') { $null = Move-ClusterVirtualMachineRole -VMId $VM.Id -Node $Node -MigrationType Live }
    else { $null = Get-ClusterGroup -VMId $VM.Id | Move-ClusterGroup -Node $Node }
}

$Operations['migrate.place'] = {
    # Where a machine from elsewhere would come to on this host.
    param($Arguments)
    $about = Get-VMHost
    $name = "$($about.Name)"
    if ("$($about.FullyQualifiedDomainName)" -like '*.*') { $name = "$($about.Name).$($about.FullyQualifiedDomainName)" }
    @{ node = "$($about.Name)".ToLowerInvariant(); computer = $name; folder = "$($about.VirtualMachinePath)" }
}

$Operations['migrate.check'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-Move $vm ([bool]$Arguments.live)
    Find-Obstacle $vm $Arguments
}

$Operations['migrate.move'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-Move $vm ([bool]$Arguments.live)
    $obstacle = Find-Obstacle $vm $Arguments
    if ($obstacle) { Stop-Operation 'Unsupported' "'$($vm.Name)' cannot migrate: $obstacle" }
    $id = "$($vm.Id)".ToLowerInvariant()
    if ($Arguments.computer) {
        Move-VM -VM $vm -DestinationHost $Arguments.computer -IncludeStorage -DestinationStoragePath $Arguments.folder
        return $id
    }
    if ($Arguments.pool) { Move-Disks $vm $Arguments.pool }
    if ($Arguments.node) { Move-ToNode $vm $Arguments.node $Arguments.folder }
    $id
}
