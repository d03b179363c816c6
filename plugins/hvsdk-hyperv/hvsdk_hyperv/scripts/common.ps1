# What the operations of all scripts share.
#
# An operation is a script block in $Operations, named SUBJECT.VERB after its file:
#
#     $Operations['power.pause'] = {
#         param($Arguments)
#         $vm = Get-TheVM $Arguments.id
#         Confirm-State $vm 'paused' 'Running'
#         Suspend-VM -VM $vm -Confirm:$false
#         Get-DomainRecord -VM $vm
#     }
#
# $Arguments is what ConvertFrom-Json makes of the request: what was not given is $null. Its keys are names of ours, never
# a user's: keys that differ in case only cannot be read. The answer is what the block writes: one object; an answer that
# is a list is written with the comma, `,@(...)`, and lists inside hashtables are `@(...)`, so that one of one element stays
# one. Only plain values: strings, numbers, booleans, $null, hashtables, lists.
#
# What must be undone goes into a `finally` with a flag, since a cancelled pipeline runs no `catch`; each step by itself, so
# that what went wrong first is what is told:
#
#     $done = $false
#     try { ...; $done = $true } finally { if (-not $done) { $null = Undo-Step "the adapter '$name'" { Remove-... } } }

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'
$VerbosePreference = 'SilentlyContinue'
$ConfirmPreference = 'None'

$Operations = @{}
$Job = $null  # of the long operation that is under way in this runspace
$LeftBehind = $null  # what the operation that is under way could not take back

function Stop-Operation {
    # Ends the operation with hvsdk's error KINDError: PowerState, GuestAgent, Unsupported, InvalidSpec, DomainNotFound, ...
    # Details are what the error's class takes beside its text: @{ not_yet = $true }, @{ lasting = $true }, @{ hint = '...' }.
    param([string] $Kind, [string] $Message, [hashtable] $Details = @{})
    $exception = New-Object System.InvalidOperationException $Message
    $exception.Data['hvsdk.kind'] = $Kind
    $exception.Data['hvsdk.details'] = $Details
    throw $exception
}

function Undo-Step {
    # Takes one thing back, and returns whether that was done. What stays is told beside the error, with the reason.
    param([string] $What, [scriptblock] $Step)
    try {
        $null = & $Step
        $true
    } catch {
        if ($null -ne $LeftBehind) { $null = $LeftBehind.Add("$What ($($_.Exception.Message))") }
        $false
    }
}

function Get-TheVM {
    # The virtual machine with this id, here or on another node of the cluster.
    param([string] $Id)
    $guid = [guid]::Empty
    if (-not [guid]::TryParse($Id, [ref] $guid)) { Stop-Operation 'DomainNotFound' "there is no domain '$Id'" }
    try {
        $found = @(Get-VM -Id $guid -ErrorAction Stop)
        if ($found.Count -eq 1) { return $found[0] }
    } catch {
        $failure = $_
        if (-not (Test-Missing $failure)) {
            Confirm-Sight
            if (-not (Test-Unlisted $failure $guid)) { throw $failure }
        }
    }
    Confirm-Sight
    $moved = Find-MovedVM $guid
    if ($null -ne $moved) { return $moved }
    Stop-Operation 'DomainNotFound' "there is no domain '$Id'"
}

function Test-Missing {
    # Whether an error says that something was not found. Without rights Hyper-V says so of everything: see Confirm-Sight.
    param([System.Management.Automation.ErrorRecord] $Record)
    $id = ([string] $Record.FullyQualifiedErrorId -split ',')[0]
    if ($id -eq 'CommandNotFoundException') { return $false }
    ([string] $Record.CategoryInfo.Category) -eq 'ObjectNotFound' -or $id -eq 'ObjectNotFound' -or $id -eq 'InvalidParameter'
}

function Test-Unlisted {
    # Whether an error gives no reason, as all of Windows Server 2012 R2 do, and the machine is not among those that are there.
    param([System.Management.Automation.ErrorRecord] $Record, [guid] $Id)
    if ([string] $Record.CategoryInfo.Category -ne 'NotSpecified') { return $false }
    @(Get-VM -ErrorAction Stop | Where-Object { $_.Id -eq $Id }).Count -eq 0
}

function Confirm-Sight {
    # Fails when this user sees nothing of Hyper-V, so that what was not found may well be there.
    try { $null = Get-VMHost -ErrorAction Stop } catch {
        if (([string] $_.FullyQualifiedErrorId -split ',')[0] -eq 'CommandNotFoundException') { throw }
        Stop-Operation 'PermissionDenied' 'Hyper-V shows nothing to this user' @{
            hint = 'is the user a member of the group Hyper-V Administrators, and does the service vmms run?'
        }
    }
}

function Confirm-State {
    # Fails unless the machine is in one of these states. The verb is a participle: "cannot be paused while it is Off".
    param($VM, [string] $Verb, [string[]] $States)
    $state = [string] $VM.State
    if ($States -notcontains $state) {
        Stop-Operation 'PowerState' "'$($VM.Name)' cannot be $Verb while it is $state" @{ state = $state; states = $States }
    }
}

function ConvertTo-Time {
    # A date as ISO 8601 in UTC; $null for none, and for the year 1601, which Windows means by none.
    param($Date)
    if ($null -eq $Date) { return $null }
    $utc = ([datetime] $Date).ToUniversalTime()
    if ($utc.Year -lt 1602) { return $null }
    $utc.ToString('yyyy-MM-ddTHH:mm:ss.ffffffZ', [System.Globalization.CultureInfo]::InvariantCulture)
}

function Write-Share {
    # Tells how far a long operation is, from 0.0 to 1.0.
    param([double] $Share)
    if ($null -ne $Job) { $Job['share'] = $Share }
}
