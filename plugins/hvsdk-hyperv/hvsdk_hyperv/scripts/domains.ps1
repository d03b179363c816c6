# Virtual machines as records: flat values under fixed names, so that any number of them costs the same few cmdlets.
#
# A record: id, name, state and status (names of VMState and VMOperationalStatus), node, generation, vcpus, memory, and
# 'config' and 'guest', each a table, or null when that was not asked for.

function ConvertTo-Label($Value) {
    # The name of an enum's value, or null where an older module has no such property.
    if ($null -eq $Value) { return $null }
    "$Value"
}

function ConvertTo-Guid($Value) {
    # A GUID as lower-case text without braces, out of a Guid or a text.
    if ($null -eq $Value) { return $null }
    "$Value".Trim('{', '}').ToLowerInvariant()
}

function Get-DriveId($Drive) {
    # What a drive is called: its place, which stays while it is there: scsi:0:1.
    '{0}:{1}:{2}' -f "$($Drive.ControllerType)".ToLowerInvariant(), $Drive.ControllerNumber, $Drive.ControllerLocation
}

function Get-AdapterId($Adapter) {
    # What an adapter is called: the GUID of the device, the last part of 'Microsoft:<VM>\<device>'.
    "$($Adapter.Id)".Split('\')[-1].ToLowerInvariant()
}

function Group-ByVM($Objects) {
    # Put objects that belong to VMs into lists by the VM's id.
    $byVM = @{}
    foreach ($object in $Objects) {
        $id = "$($object.VMId)".ToLowerInvariant()
        if (-not $byVM.ContainsKey($id)) { $byVM[$id] = [System.Collections.ArrayList]@() }
        [void]$byVM[$id].Add($object)
    }
    $byVM
}

function Get-CimFilter([string]$Property, $VM) {
    # What finds the objects of one VM; of several all are read at once.
    if ($VM.Count -eq 1) { "$Property='$($VM[0].Id.ToString().ToUpperInvariant())'" } else { $null }
}

function Get-BiosGuids($VM) {
    # What guests see as the UUID of their machine, by the VM's id. One query; a host that refuses it leaves it unknown.
    $found = @{}
    $filter = "VirtualSystemType='Microsoft:Hyper-V:System:Realized'"
    $one = Get-CimFilter 'VirtualSystemIdentifier' $VM
    if ($one) { $filter = "$filter AND $one" }
    try {
        $settings = Get-CimInstance -Namespace 'root\virtualization\v2' -ClassName 'Msvm_VirtualSystemSettingData' -Filter $filter
    } catch {
        return $found
    }
    foreach ($setting in $settings) {
        $found[(ConvertTo-Guid $setting.VirtualSystemIdentifier)] = ConvertTo-Guid $setting.BIOSGUID
    }
    $found
}

function Get-GuestItems($VM) {
    # What guests tell of themselves, by the VM's id: pieces of XML, which whoever asked reads. One query.
    $found = @{}
    $query = @{ Namespace = 'root\virtualization\v2'; ClassName = 'Msvm_KvpExchangeComponent' }
    $one = Get-CimFilter 'SystemName' $VM
    if ($one) { $query['Filter'] = $one }
    try {
        $components = Get-CimInstance @query
    } catch {
        return $found
    }
    foreach ($component in $components) {
        $found[(ConvertTo-Guid $component.SystemName)] = @($component.GuestIntrinsicExchangeItems | Where-Object { $_ })
    }
    $found
}

function Get-DiskSizes($Drives) {
    # Sizes of disks' files by path in lower case. A file that cannot be read is left out, and costs the others nothing.
    $sizes = @{}
    $paths = @($Drives | Where-Object { $_.Path -and $null -eq $_.DiskNumber } | ForEach-Object { "$($_.Path)" } | Select-Object -Unique)
    if (-not $paths.Count) { return $sizes }
    try { $disks = @(Get-VHD -Path $paths -ErrorAction SilentlyContinue) } catch { $disks = @() }
    foreach ($disk in $disks) { $sizes["$($disk.Path)".ToLowerInvariant()] = $disk }
    if ($sizes.Count -lt $paths.Count) {
        foreach ($path in @($paths | Where-Object { -not $sizes.ContainsKey($_.ToLowerInvariant()) })) {
            try { $sizes[$path.ToLowerInvariant()] = Get-VHD -Path $path } catch { continue }
        }
    }
    $sizes
}

function ConvertTo-DriveRecord($Drive, $Kind, $Sizes) {
    $disk = $null
    if ($Kind -eq 'disk' -and $Drive.Path) { $disk = $Sizes["$($Drive.Path)".ToLowerInvariant()] }
    $record = @{
        id = Get-DriveId $Drive
        kind = $Kind
        controller_type = "$($Drive.ControllerType)"
        controller_number = $Drive.ControllerNumber
        location = $Drive.ControllerLocation
        path = $null
        disk_number = $null
        shared = $false
        size = $null
        file_size = $null
        format = $null
        type = $null
        parent = $null
    }
    if ($Drive.Path) { $record['path'] = "$($Drive.Path)" }
    if ($Kind -eq 'disk') {
        $record['disk_number'] = $Drive.DiskNumber
        $record['shared'] = [bool]$Drive.SupportPersistentReservations
    }
    if ($disk) {
        $record['size'] = $disk.Size
        $record['file_size'] = $disk.FileSize
        $record['format'] = "$($disk.VhdFormat)"
        $record['type'] = "$($disk.VhdType)"
        if ($disk.ParentPath) { $record['parent'] = "$($disk.ParentPath)" }
    }
    $record
}

function ConvertTo-AdapterRecord($Adapter) {
    $vlan = $Adapter.VlanSetting
    $record = @{
        id = Get-AdapterId $Adapter
        name = "$($Adapter.Name)"
        mac = "$($Adapter.MacAddress)"
        dynamic_mac = [bool]$Adapter.DynamicMacAddressEnabled
        legacy = [bool]$Adapter.IsLegacy
        connected = [bool]$Adapter.Connected
        switch = $null
        switch_id = ConvertTo-Guid $Adapter.SwitchId
        vlan_mode = $null
        vlan = $null
    }
    if ($Adapter.SwitchName) { $record['switch'] = "$($Adapter.SwitchName)" }
    if ($vlan) {
        $record['vlan_mode'] = "$($vlan.OperationMode)"
        $record['vlan'] = $vlan.AccessVlanId
    }
    $record
}

function Get-BootOrder($VM, $Firmware, $Bios) {
    # Generation 2: the ids of drives and adapters in their order; generation 1: the kinds of device.
    if ($Bios) { return @($Bios.StartupOrder | ForEach-Object { "$_" }) }
    if (-not $Firmware) { return @() }
    @(foreach ($source in $Firmware.BootOrder) {
        $device = $source.Device
        if ("$($source.BootType)" -eq 'Drive' -and $device) { Get-DriveId $device }
        elseif ("$($source.BootType)" -eq 'Network' -and $device) { Get-AdapterId $device }
    })
}

function Get-StartTimes($VM) {
    # When VMs were started, by id; read before all else, since an uptime is true only at the time it was read.
    $started = @{}
    foreach ($one in $VM) {
        if ($one.Uptime -and $one.Uptime.Ticks -gt 0) {
            $started["$($one.Id)".ToLowerInvariant()] = ConvertTo-Time ([DateTime]::UtcNow - $one.Uptime)
        }
    }
    $started
}

function Get-ConfigRecord($VM, $About) {
    $id = "$($VM.Id)".ToLowerInvariant()
    $firmware = $About.firmware[$id]
    $bios = $About.bios[$id]
    $secure = $null
    $template = $null
    if ($firmware) {
        $secure = "$($firmware[0].SecureBoot)"
        $template = ConvertTo-Label $firmware[0].SecureBootTemplate
    }
    $drives = @(foreach ($drive in $About.disks[$id]) { ConvertTo-DriveRecord $drive 'disk' $About.sizes })
    $drives += @(foreach ($drive in $About.dvds[$id]) { ConvertTo-DriveRecord $drive 'dvd' $About.sizes })
    $parent = $null
    if ($VM.ParentSnapshotId) { $parent = ConvertTo-Guid $VM.ParentSnapshotId }
    @{
        version = ConvertTo-Label $VM.Version
        path = ConvertTo-Label $VM.Path
        notes = "$($VM.Notes)"
        dynamic_memory = [bool]$VM.DynamicMemoryEnabled
        memory_minimum = $VM.MemoryMinimum
        memory_maximum = $VM.MemoryMaximum
        start_action = ConvertTo-Label $VM.AutomaticStartAction
        start_delay = $VM.AutomaticStartDelay
        stop_action = ConvertTo-Label $VM.AutomaticStopAction
        checkpoint_type = ConvertTo-Label $VM.CheckpointType
        automatic_checkpoints = $VM.AutomaticCheckpointsEnabled
        clustered = [bool]$VM.IsClustered
        parent_checkpoint = $parent
        replication = ConvertTo-Label $VM.ReplicationMode
        created = ConvertTo-Time $VM.CreationTime
        started = $About.started[$id]
        bios_guid = $About.guids[$id]
        secure_boot = $secure
        secure_boot_template = $template
        boot = @(Get-BootOrder $VM $(if ($firmware) { $firmware[0] }) $(if ($bios) { $bios[0] }))
        drives = $drives
        adapters = @(foreach ($adapter in $About.adapters[$id]) { ConvertTo-AdapterRecord $adapter })
    }
}

function Get-GuestRecord($VM, $About) {
    $id = "$($VM.Id)".ToLowerInvariant()
    @{
        heartbeat = ConvertTo-Label $VM.Heartbeat
        items = @($About.items[$id] | Where-Object { $_ })
        adapters = @(foreach ($adapter in $About.adapters[$id]) {
            @{ mac = "$($adapter.MacAddress)"; addresses = @($adapter.IPAddresses | Where-Object { $_ } | ForEach-Object { "$_" }) }
        })
    }
}

function Read-AroundVM($VM, $Include) {
    # All that belongs to these VMs, each kind by one cmdlet; and the errors, since a VM may go while it is looked at.
    $about = @{ disks = @{}; dvds = @{}; adapters = @{}; firmware = @{}; bios = @{}; guids = @{}; sizes = @{}; items = @{}; problems = @() }
    $silent = @{ ErrorAction = 'SilentlyContinue'; ErrorVariable = '+problems' }
    $problems = @()
    if (-not $VM.Count) { return $about }
    if (($Include -contains 'config') -or ($Include -contains 'guest')) {
        $about.adapters = Group-ByVM @(Get-VMNetworkAdapter -VM $VM @silent)
    }
    if ($Include -contains 'config') {
        $disks = @(Get-VMHardDiskDrive -VM $VM @silent)
        $about.disks = Group-ByVM $disks
        $about.dvds = Group-ByVM @(Get-VMDvdDrive -VM $VM @silent)
        $new = @($VM | Where-Object { $_.Generation -eq 2 })
        $old = @($VM | Where-Object { $_.Generation -ne 2 })
        if ($new.Count) { $about.firmware = Group-ByVM @(Get-VMFirmware -VM $new @silent) }
        if ($old.Count) { $about.bios = Group-ByVM @(Get-VMBios -VM $old @silent) }
        $about.guids = Get-BiosGuids $VM
        $about.sizes = Get-DiskSizes $disks
    }
    if ($Include -contains 'guest') { $about.items = Get-GuestItems $VM }
    $about.problems = @($problems)
    $about
}

function Get-AllVM {
    # The machines of this host, and those of the other nodes of its cluster. A node that is down has none, and one that this
    # login may not be carried on to (a second hop, which takes Kerberos' delegation or CredSSP) shows none.
    try { $all = @(Get-VM) } catch { $failure = $_; Confirm-Sight; throw $failure }
    if (-not $all.Count) { Confirm-Sight }  # some hosts show none to who has no rights
    if ($null -eq $global:InCluster) { $global:InCluster = [bool](Get-Members).Count }
    if ($global:InCluster) {
        $here = "$((Get-VMHost).Name)"
        foreach ($node in @((Get-Members).Values | Sort-Object -Property Name)) {
            if ("$($node.State)" -ne 'Up' -or "$($node.Name)" -eq $here) { continue }
            try { $all += @(Get-VM -ComputerName "$($node.Name)" -ErrorAction Stop) } catch { $null = $_ }
        }
    }
    $all
}

function Get-DomainRecord($VM, $Include) {
    # The records of one VM or of many, in the same few cmdlets. VMs that go meanwhile are left out.
    $all = @($VM | Where-Object { $_ })
    $started = Get-StartTimes $all
    for ($try = 0; ; $try++) {
        try { $about = Read-AroundVM $all $Include } catch { $about = @{ problems = @($_) } }
        if (-not $about.problems.Count) { break }
        $there = @{}
        foreach ($one in @(Get-AllVM)) { $there["$($one.Id)"] = $true }
        $left = @($all | Where-Object { $there.ContainsKey("$($_.Id)") })
        if ($try -ge 3 -or $left.Count -eq $all.Count) { throw $about.problems[0] }
        $all = $left
    }
    $about.started = $started
    foreach ($one in $all) {
        $record = @{
            id = "$($one.Id)".ToLowerInvariant()
            name = "$($one.Name)"
            state = "$($one.State)"
            status = @($one.OperationalStatus | Where-Object { $null -ne $_ } | ForEach-Object { "$_" })
            node = "$($one.ComputerName)".ToLowerInvariant()
            generation = $one.Generation
            vcpus = $one.ProcessorCount
            memory = $one.MemoryStartup
            config = $null
            guest = $null
        }
        if ($Include -contains 'config') { $record['config'] = Get-ConfigRecord $one $about }
        if ($Include -contains 'guest') { $record['guest'] = Get-GuestRecord $one $about }
        $record
    }
}

$Operations['domains.list'] = {
    param($Arguments)
    ,@(Get-DomainRecord -VM @(Get-AllVM) -Include $Arguments.include)
}

$Operations['domains.get'] = {
    param($Arguments)
    $found = @(Get-DomainRecord -VM (Get-TheVM $Arguments.id) -Include $Arguments.include)
    if (-not $found.Count) { Stop-Operation 'DomainNotFound' "there is no virtual machine $($Arguments.id) any more" }
    $found[0]
}

$Operations['domains.find'] = {
    # Ids of the VMs with one of these UUIDs, as their own or as the one that the guest sees; else of those of this name.
    param($Arguments)
    $all = @(Get-AllVM)
    $uuids = @($Arguments.uuids)
    $found = @($all | Where-Object { $uuids -contains "$($_.Id)" } | ForEach-Object { "$($_.Id)".ToLowerInvariant() })
    if (-not $found.Count -and $uuids.Count -and $all.Count) {
        $guids = Get-BiosGuids $all
        $found = @($all | ForEach-Object { "$($_.Id)".ToLowerInvariant() } | Where-Object { $guids[$_] -and ($uuids -contains $guids[$_]) })
    }
    if (-not $found.Count) {
        $found = @($all | Where-Object { $_.Name -ceq $Arguments.name } | ForEach-Object { "$($_.Id)".ToLowerInvariant() })
    }
    ,@($found)
}
