# Name, notes and what is done at the host's own start. What notes mean is for whoever asks: they are compared and set here
# in one request, so that nothing that somebody else wrote meanwhile is lost.

function Test-Same([string]$One, [string]$Other) {
    [string]::Equals($One, $Other, [System.StringComparison]::Ordinal)
}

function Get-Labels($VM) {
    # What labels.* answer: everything that labels are made of.
    @{
        id = "$($VM.Id)".ToLowerInvariant()
        name = "$($VM.Name)"
        notes = "$($VM.Notes)"
        start_action = "$($VM.AutomaticStartAction)"
    }
}

$Operations['labels.get'] = {
    param($Arguments)
    Get-Labels (Get-TheVM $Arguments.id)
}

$Operations['labels.set'] = {
    # Set notes, or what is done at start, or both, unless one of them is no longer what is expected: then nothing is changed
    # and the answer has what they are.
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    $now = Get-Labels $vm
    if (-not (Test-Same $now.notes "$($Arguments.expected.notes)")) { return @{ done = $false; now = $now } }
    $wished = $Arguments.start_action
    if ($null -ne $wished -and $now.start_action -ne "$($Arguments.expected.start_action)") { return @{ done = $false; now = $now } }
    $changes = @{}
    if ($null -ne $Arguments.notes -and -not (Test-Same $now.notes "$($Arguments.notes)")) { $changes['Notes'] = "$($Arguments.notes)" }
    if ($null -ne $wished -and $now.start_action -ne "$wished") { $changes['AutomaticStartAction'] = "$wished" }
    if ($changes.Count) { Set-VM -VM $vm @changes }
    @{ done = $true; now = Get-Labels (Get-TheVM $Arguments.id) }
}

$Operations['labels.rename'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    if (-not (Test-Same $vm.Name "$($Arguments.name)")) { Rename-VM -VM $vm -NewName "$($Arguments.name)" }
    @(Get-DomainRecord -VM (Get-TheVM $Arguments.id) -Include @('config'))[0]
}
