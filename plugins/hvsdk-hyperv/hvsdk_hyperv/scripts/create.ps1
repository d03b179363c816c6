# New machines: with all that is asked for, or none. Notes may hold tokens that stand for what is not known before: the ids
# of adapters, and of the switches that they would be on.

function Get-Supported([string] $Command, [hashtable] $Wishes) {
    # Those of the parameters that are wished for; one that this version of the module does not have is refused.
    $given = @{}
    $known = (Get-Command $Command).Parameters
    foreach ($name in @($Wishes.Keys)) {
        if ($null -eq $Wishes[$name]) { continue }
        if (-not $known.ContainsKey($name)) {
            Stop-Operation 'InvalidSpec' "this version of Hyper-V has no setting ${name}: it came later" @{ hint = 'leave that hint out' }
        }
        $given[$name] = $Wishes[$name]
    }
    $given
}

function Set-Basics($VM, $Wish) {
    # Processors, memory, and what the host does with the machine by itself.
    $dynamic = $null -ne $Wish.memory_minimum -or $null -ne $Wish.memory_maximum
    $memory = @{ VM = $VM; DynamicMemoryEnabled = $dynamic; StartupBytes = [int64]$Wish.memory }
    if ($dynamic) {
        $least = [Math]::Min([int64]536870912, [int64]$Wish.memory)
        if ($null -ne $Wish.memory_minimum) { $least = [int64]$Wish.memory_minimum }
        $most = [int64]1099511627776
        if ($null -ne $Wish.memory_maximum) { $most = [int64]$Wish.memory_maximum }
        $memory['MinimumBytes'] = $least
        $memory['MaximumBytes'] = $most
    }
    Set-VMMemory @memory
    $processors = Get-Supported 'Set-VMProcessor' @{ ExposeVirtualizationExtensions = $Wish.nested }
    Set-VMProcessor -VM $VM -Count ([int64]$Wish.vcpus) @processors
    $settings = Get-Supported 'Set-VM' @{ CheckpointType = $Wish.checkpoint_type }
    if ((Get-Command Set-VM).Parameters.ContainsKey('AutomaticCheckpointsEnabled')) { $settings['AutomaticCheckpointsEnabled'] = $false }
    Set-VM -VM $VM -AutomaticStartAction $Wish.start_action @settings
}

function Set-SecureBoot($VM, $Wish) {
    if ($VM.Generation -ne 2) { return }
    $switch = 'Off'
    if ($Wish.secure_boot) { $switch = 'On' }
    $template = Get-Supported 'Set-VMFirmware' @{ SecureBootTemplate = $Wish.secure_boot_template }
    Set-VMFirmware -VM $VM -EnableSecureBoot $switch @template
}

function Add-Drives($VM, $Wishes, $Made) {
    # Adds disks and drives in their order, and returns them in the order in which they boot. $Made gets the new files.
    $order = @{}
    $share = 0.1
    foreach ($wish in @($Wishes)) {
        $drive = Add-WishedDrive $VM $wish
        if ($wish.device -ne 'cdrom' -and (-not $wish.names -or $wish.copy)) { $Made["$($drive.Path)"] = $true }
        if ($null -ne $wish.boot) { $order[[int]$wish.boot] = $drive }
        $share += 0.7 / @($Wishes).Count
        Write-Share $share
    }
    foreach ($place in @($order.Keys | Sort-Object)) { $order[$place] }
}

function Set-BootOrder($VM, $First) {
    # Has a machine of generation 2 boot from these drives first; the rest follows as it is.
    $first = @($First | Where-Object { $_ })
    if (-not $first.Count -or $VM.Generation -ne 2) { return }
    $ids = @($first | ForEach-Object { "$($_.Id)" })
    $rest = @()
    foreach ($source in @((Get-VMFirmware -VM $VM).BootOrder)) {
        if ($null -ne $source.Device -and $ids -contains "$($source.Device.Id)") { continue }
        $rest += $source
    }
    Set-VMFirmware -VM $VM -BootOrder (@($first) + $rest)
}

function Add-Adapters($VM, $Wishes) {
    # Adds adapters in their order, and returns what the tokens of each stand for.
    $known = @{}
    foreach ($wish in @($Wishes)) {
        $new = Add-WishedAdapter $VM $wish
        if ($wish.token) {
            $known["$($wish.token)"] = Get-AdapterId $new.adapter
            if ($new.switch) { $known["$($wish.switch_token)"] = ConvertTo-Guid $new.switch.Id }
        }
    }
    $known
}

function Write-Seed($VM, $Seed, $Made) {
    # Puts the image for cloud-init beside the disks, and into a drive of its own.
    $path = Join-Folder (Get-DefaultFolder) "hvsdk-seed-$("$($VM.Id)".ToLowerInvariant()).iso"
    $bytes = [Convert]::FromBase64String("$($Seed.data)")
    $stream = [System.IO.File]::Open($path, [System.IO.FileMode]::CreateNew, [System.IO.FileAccess]::Write)
    $Made[$path] = $true
    try { $stream.Write($bytes, 0, $bytes.Length) } finally { $stream.Dispose() }
    $null = Add-WishedDrive $VM @{ device = 'cdrom'; bus = $null; source_pool = Split-Folder $path; names = @(Split-Name $path) }
}

$Operations['create.make'] = {
    param($Arguments)
    $how = @{ Name = "$($Arguments.name)"; Generation = [int]$Arguments.generation; MemoryStartupBytes = [int64]$Arguments.memory; NoVHD = $true }
    if ($Arguments.path) { $how['Path'] = Get-PoolFolder $Arguments.path }
    $how += Get-Supported 'New-VM' @{ Version = $Arguments.version }
    $made = @{}
    $vm = $null
    $done = $false
    try {
        $vm = New-VM @how
        if ("$($vm.Name)" -cne "$($Arguments.name)") { Rename-VM -VM $vm -NewName "$($Arguments.name)" }
        foreach ($drive in @(Get-VMDvdDrive -VM $vm)) { Remove-VMDvdDrive -VMDvdDrive $drive }
        foreach ($adapter in @(Get-VMNetworkAdapter -VM $vm)) { Remove-VMNetworkAdapter -VMNetworkAdapter $adapter }
        Set-Basics $vm $Arguments
        Set-SecureBoot $vm $Arguments
        $first = @(Add-Drives $vm $Arguments.drives $made)
        $known = Add-Adapters $vm $Arguments.adapters
        if ($Arguments.seed) { Write-Seed $vm $Arguments.seed $made }
        Set-BootOrder $vm $first
        $notes = "$($Arguments.notes)"
        foreach ($token in @($known.Keys)) { $notes = $notes.Replace($token, $known[$token]) }
        if ($notes) { Set-VM -VM $vm -Notes $notes }
        $record = @(Get-DomainRecord -VM (Get-TheVM "$($vm.Id)") -Include @('config'))[0]
        $done = $true
    } finally {
        if (-not $done -and $null -ne $vm) {
            if (Undo-Step "the new machine '$($vm.Name)' with its disks" { Remove-VM -VM $vm -Force -Confirm:$false }) {
                foreach ($path in @($made.Keys)) { Remove-IfThere $path }
            }
        }
    }
    $record
}
