"""Cmdlets of other modules that scripts need beside those of Hyper-V, each with the parameters that it takes here."""

from __future__ import annotations

__all__ = ["OTHERS"]

_PATHS = """
    [Parameter(ParameterSetName='Path', Position=0, ValueFromPipeline=$true)] [string[]] $Path,
    [Parameter(ParameterSetName='LiteralPath', Mandatory=$true)] [Alias('PSPath')] [string[]] $LiteralPath"""
_SWITCHES = "[switch] $Force"
_CLUSTER = "[string] $Cluster"

OTHERS: dict[str, str] = {
    "Get-CimInstance": """
        [Parameter(Position=0)] [string] $ClassName,
        [Parameter(Position=1)] [string] $Filter,
        [string] $Namespace, [string[]] $Property, [string] $Query, [switch] $KeyOnly, [string[]] $ComputerName,
        [uint32] $OperationTimeoutSec,
        [Parameter(ValueFromPipeline=$true)] [StubObject] $InputObject""",
    "Get-CimAssociatedInstance": """
        [Parameter(Position=0, Mandatory=$true, ValueFromPipeline=$true)] [StubObject] $InputObject,
        [Parameter(Position=1)] [string] $Association,
        [string] $ResultClassName, [string] $Namespace, [switch] $KeyOnly""",
    "Invoke-CimMethod": """
        [Parameter(Position=0, ParameterSetName='Object', Mandatory=$true, ValueFromPipeline=$true)] [StubObject] $InputObject,
        [Parameter(Position=0, ParameterSetName='Class', Mandatory=$true)] [string] $ClassName,
        [Parameter(Position=1, Mandatory=$true)] [Alias('Name')] [string] $MethodName,
        [Parameter(Position=2)] [System.Collections.IDictionary] $Arguments,
        [string] $Namespace, [uint32] $OperationTimeoutSec""",
    "Test-Path": _PATHS + ", [string] $PathType",
    "Get-Item": _PATHS + ", " + _SWITCHES,
    "Get-ChildItem": """
        [Parameter(ParameterSetName='Path', Position=0)] [string[]] $Path,
        [Parameter(ParameterSetName='LiteralPath', Mandatory=$true)] [Alias('PSPath')] [string[]] $LiteralPath,
        [Parameter(Position=1)] [string] $Filter,
        [string[]] $Include, [string[]] $Exclude, [switch] $Recurse, [switch] $File, [switch] $Directory, [switch] $Force,
        [switch] $Name""",
    "New-Item": """
        [Parameter(Position=0, Mandatory=$true)] [string[]] $Path,
        [string] $Name, [Alias('Type')] [string] $ItemType, [object] $Value, [switch] $Force""",
    "Remove-Item": _PATHS + ", [switch] $Recurse, " + _SWITCHES,
    "Copy-Item": _PATHS + ", [Parameter(Position=1)] [string] $Destination, [switch] $PassThru, " + _SWITCHES,
    "Move-Item": _PATHS + ", [Parameter(Position=1)] [string] $Destination, [switch] $PassThru, " + _SWITCHES,
    "Resolve-StubFile": "[string] $Path",
    "Rename-Item": """
        [Parameter(ParameterSetName='Path', Position=0, Mandatory=$true)] [string] $Path,
        [Parameter(ParameterSetName='LiteralPath', Mandatory=$true)] [Alias('PSPath')] [string] $LiteralPath,
        [Parameter(Position=1, Mandatory=$true)] [string] $NewName, [switch] $Force""",
    "Get-Volume": """
        [Parameter(Position=0)] [char[]] $DriveLetter,
        [string[]] $FilePath, [string[]] $FileSystemLabel, [string[]] $Path, [string[]] $UniqueId""",
    "Get-Counter": """
        [Parameter(Position=0)] [string[]] $Counter,
        [int] $SampleInterval, [long] $MaxSamples""",
    "Get-Cluster": "[Parameter(Position=0)] [string] $Name, [string] $Domain",
    "Get-ClusterNode": f"[Parameter(Position=0)] [string[]] $Name, {_CLUSTER}",
    "Get-ClusterGroup": f"[Parameter(Position=0)] [string[]] $Name, [guid] $VMId, {_CLUSTER}",
    "Get-ClusterResource": f"""
        [Parameter(Position=0)] [string[]] $Name, [guid] $VMId, {_CLUSTER},
        [Parameter(ValueFromPipeline=$true)] [StubObject] $InputObject""",
    "Get-ClusterSharedVolume": f"[Parameter(Position=0)] [string[]] $Name, {_CLUSTER}",
    "Move-ClusterVirtualMachineRole": f"""
        [Parameter(Position=0)] [string] $Name, [guid] $VMId, [string] $Node, [string] $MigrationType,
        [switch] $Cancel, [int] $Wait, {_CLUSTER},
        [Parameter(ValueFromPipeline=$true)] [StubObject] $InputObject""",
    "Move-ClusterGroup": f"""
        [Parameter(Position=0)] [string] $Name, [Parameter(Position=1)] [string] $Node, [int] $Wait, {_CLUSTER},
        [Parameter(ValueFromPipeline=$true)] [StubObject] $InputObject""",
    "Start-ClusterGroup": f"""
        [Parameter(Position=0)] [string] $Name, [int] $Wait, {_CLUSTER},
        [Parameter(ValueFromPipeline=$true)] [StubObject] $InputObject""",
    "Stop-ClusterGroup": f"""
        [Parameter(Position=0)] [string] $Name, [int] $Wait, {_CLUSTER},
        [Parameter(ValueFromPipeline=$true)] [StubObject] $InputObject""",
    "Remove-ClusterGroup": f"""
        [Parameter(Position=0)] [string] $Name, [guid] $VMId, [switch] $RemoveResources, [switch] $Force, {_CLUSTER},
        [Parameter(ValueFromPipeline=$true)] [StubObject] $InputObject""",
    "Add-ClusterVirtualMachineRole": f"""
        [Parameter(Position=0)] [Alias('VM')] [string] $VirtualMachine, [string] $Name, [guid] $VMId, {_CLUSTER}""",
}
"""Blocks of parameters by cmdlet."""
