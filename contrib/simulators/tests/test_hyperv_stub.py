"""The module that stands in for Hyper-V's has what the real one has: held to the real one's model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hvsdk_simulators.hyperv.cmdlets.cim_filters import FilterError, parse, parse_query
from hvsdk_simulators.hyperv.cmdlets.records import Record
from hvsdk_simulators.hyperv.cmdlets.versions import NEW_CMDLETS, NEW_PARAMETERS, NEW_PROPERTIES
from hvsdk_simulators.hyperv.engines.command_lines import encoded_script, is_powershell, split
from hvsdk_simulators.hyperv.stub.generate import properties
from hvsdk_simulators.hyperv.vms import Adapter, Drive, Hardware, Vm
from hyperv_shell import Shell, command_line, needs_powershell
from xapi_reference import reference

_COMMON = {
    *("Verbose", "Debug", "ErrorAction", "WarningAction", "InformationAction", "ErrorVariable", "WarningVariable"),
    *("InformationVariable", "OutVariable", "OutBuffer", "PipelineVariable", "ProgressAction", "Confirm", "WhatIf"),
}
_DUMP = """
Import-Module Hyper-V
$all = @{}
foreach ($command in Get-Command -Module Hyper-V -CommandType Function) {
    $sets = @{}
    foreach ($set in $command.ParameterSets) {
        $sets[$set.Name] = @(foreach ($one in $set.Parameters) {
            '{0}|{1}|{2}|{3}|{4}|{5}' -f $one.Name, [int]$one.IsMandatory, $one.Position, [int]$one.ValueFromPipeline,
                [int]$one.ValueFromPipelineByPropertyName, ($one.Aliases -join ',')
        })
    }
    $all[$command.Name] = @{ default = $command.DefaultParameterSet; sets = $sets }
}
ConvertTo-Json -InputObject $all -Depth 6 -Compress
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    needs_powershell()
    found = Shell(tmp_path_factory.mktemp("host"), engine="powershell")
    drive = Drive(kind="disk", controller_type="SCSI", controller_number=0, location=0, path="C:\\a [1].vhdx")
    hardware = Hardware(name="\u2018web\u2019 $(1) `n", drives=[drive], adapters=[Adapter()])
    vm = Vm(id=UUID(int=7), node="HV-1", hardware=hardware, state="Running")
    found.world.vms[vm.id] = vm
    yield found
    found.world.stop()


@pytest.fixture(scope="module")
def dump(shell: Shell) -> dict[str, Any]:
    (line,) = shell.lines(_DUMP)
    found: dict[str, Any] = json.loads(line)
    return found


def test_there_are_exactly_the_cmdlets_of_the_module_and_ours(dump: dict[str, Any]) -> None:
    model = reference("hyperv-model.json.gz")
    from hvsdk_simulators.hyperv.stub.others import OTHERS

    assert set(dump) == set(model["cmdlets"]) | set(OTHERS)


def test_each_cmdlet_has_exactly_its_parameters_in_their_sets(dump: dict[str, Any]) -> None:
    model = reference("hyperv-model.json.gz")
    for name, cmdlet in model["cmdlets"].items():
        if any(one["sets"] for one in cmdlet["parameters"]):
            assert dump[name]["default"] == cmdlet["default_set"], name
        told = {one["name"]: one for one in cmdlet["parameters"]}
        for set_, lines in dump[name]["sets"].items():
            shown = {line.split("|")[0]: line.split("|")[1:] for line in lines if line.split("|")[0] not in _COMMON}
            assert shown.keys() == {key for key, one in told.items() if _in_set(one, set_) is not None}, (name, set_)
            for key, (mandatory, position, pipeline, by_property, aliases) in shown.items():
                place = _in_set(told[key], set_) or {}
                assert bool(int(mandatory)) == bool(place.get("mandatory")), (name, key)
                assert bool(int(pipeline)) == bool(place.get("pipeline")), (name, key)
                assert bool(int(by_property)) == bool(place.get("by_property")), (name, key)
                assert int(position) == place.get("position", int(position)), (name, key)
                assert sorted(filter(None, aliases.split(","))) == sorted(told[key].get("aliases") or ()), (name, key)


def _in_set(parameter: dict[str, Any], name: str) -> dict[str, Any] | None:
    """How a parameter is in a set: None when it is not."""
    if not parameter["sets"]:
        return {}
    found = {one["set"]: one for one in parameter["sets"]}
    place: dict[str, Any] | None = found.get(name, found.get("*"))
    return place


def test_objects_have_their_types_properties_with_their_types(shell: Shell) -> None:
    script = """
        $vm = Get-VM
        ConvertTo-Json -Compress @{
            names = @($vm.PSObject.Properties | ForEach-Object { $_.Name })
            types = @($vm.Id, $vm.State, $vm.Uptime, $vm.CreationTime, $vm.MemoryStartup, $vm.Name |
                ForEach-Object { $_.GetType().Name })
            kind = [string]$vm.CreationTime.Kind
            text = "$vm"; state = [int]$vm.State; name = @($vm.Name.ToCharArray() | ForEach-Object { [int]$_ })
            disks = @($vm.HardDrives | ForEach-Object { "$($_.ControllerType) $($_.Path)" })
            same = ($vm.VMId -eq $vm.Id)
        }
    """
    (line,) = shell.lines(script)
    found = json.loads(line)
    model = reference("hyperv-model.json.gz")
    aliases = ["ParentCheckpointId", "ParentCheckpointName", "VMName", "VMId", "CheckpointFileLocation"]
    assert found["names"][:5] == aliases
    assert set(found["names"]) == {name for name, _ in model["types"]["VirtualMachine"]["properties"]} | set(aliases)
    assert found["types"] == ["Guid", "VMState", "TimeSpan", "DateTime", "Int64", "String"]
    assert found["kind"] == "Local"
    assert found["text"] == "Microsoft.HyperV.PowerShell.VirtualMachine"
    assert found["state"] == model["enums"]["VMState"]["Running"]
    assert "".join(map(chr, found["name"])) == "\u2018web\u2019 $(1) `n"
    assert found["disks"] == ["SCSI C:\\a [1].vhdx"]
    assert found["same"] is True


def test_wrong_parameters_are_refused_by_the_binder(shell: Shell) -> None:
    script = """
        foreach ($try in { Get-VM -Force }, { Get-VM -Name a -Id ([guid]::Empty) },
                 { Start-VM -VM 5 }, { New-VHD -Path C:\\x.vhdx -SizeBytes 1gb -LogicalSectorSizeBytes 7 },
                 { Set-VM -Name a -CheckpointType Full }) {
            try { & $try; 'nothing' } catch { ($_.FullyQualifiedErrorId -split ',')[0] }
        }
    """
    assert shell.lines(script) == [
        "NamedParameterNotFound",
        "AmbiguousParameterSet",
        "ParameterArgumentTransformationError",
        "ParameterArgumentValidationError",
        "ParameterArgumentTransformationError",
    ]


def test_errors_have_the_ids_categories_and_codes_of_real_ones(shell: Shell) -> None:
    script = """
        $ErrorActionPreference = 'Stop'
        foreach ($try in { Get-VM -Id ([guid]::NewGuid()) }, { Get-VM -Name nothing }, { Get-CimInstance Nothing },
                 { Get-VHD -Path C:\\nothing.vhdx }) {
            try { & $try; 'nothing' } catch {
                $code = '{0:X8}' -f $_.Exception.HResult
                "$(($_.FullyQualifiedErrorId -split ',')[0..1] -join ',') $($_.CategoryInfo.Category) $code"
            }
        }
        $found = Get-VM -Id ([guid]::NewGuid()) -ErrorAction SilentlyContinue -ErrorVariable problems
        "$($null -eq $found) $($problems.Count)"
    """
    lines = shell.lines(script)
    hyperv = "Microsoft.HyperV.PowerShell.Commands.GetVM"
    assert lines[0].startswith(f"ObjectNotFound,{hyperv} ObjectNotFound ")
    assert lines[1].startswith(f"InvalidParameter,{hyperv} InvalidArgument ")
    assert lines[2].startswith(
        "HRESULT 0x80041010,Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand "
    )
    assert lines[2].endswith(" MetadataError 80041010")
    assert "Microsoft.Vhd.PowerShell.Cmdlets.GetVHD" in lines[3]
    assert lines[4] == "True 1"


def test_what_is_so_already_is_a_warning_and_no_error(shell: Shell) -> None:
    script = """
        $vm = Get-VM
        Start-VM -VM $vm -WarningAction SilentlyContinue -WarningVariable told -ErrorAction Stop
        "$($told.Count) $told"
    """
    assert shell.lines(script) == ["1 The virtual machine is already in the specified state."]


def test_checkpoints_have_their_other_names_and_errors_the_first_one(shell: Shell) -> None:
    script = """
        $ErrorActionPreference = 'Stop'
        try { Get-VMCheckpoint -VM (Get-VM) -Name nothing } catch { $_.FullyQualifiedErrorId }
        @(Get-Command -Module Hyper-V -CommandType Alias | ForEach-Object { $_.Name }) -join ' '
    """
    failed, names = shell.lines(script)
    assert failed.startswith("ObjectNotFound,Microsoft.HyperV.PowerShell.Commands.GetVMSnapshot")
    assert names == " ".join(f"{verb}-VMCheckpoint" for verb in ("Export", "Get", "Remove", "Rename", "Restore"))


def test_objects_and_values_go_through_whole(shell: Shell) -> None:
    script = """
        $vm = Get-VM -Id ([guid]'00000000-0000-0000-0000-000000000007')
        @($vm | Get-VMHardDiskDrive).Count
        @(Get-VMNetworkAdapter -VM $vm, $vm).Count
        $name = [string][char]0x2018 + 'a"b`$(x)' + "`n" + [char]0x1F4A9
        Set-VM -VM $vm -Notes $name
        (Get-VM).Notes -ceq $name
        $settings = Get-CimInstance -Namespace root\\virtualization\\v2 Msvm_VirtualSystemSettingData
        $service = Get-CimInstance -Namespace root\\virtualization\\v2 Msvm_VirtualSystemManagementService
        $arguments = @{ TargetSystem = [ref]$settings; WidthPixels = [uint16]4; HeightPixels = [uint16]3 }
        $taken = Invoke-CimMethod -InputObject $service -MethodName GetVirtualSystemThumbnailImage -Arguments $arguments
        "$($taken.ReturnValue) $($taken.ImageData.GetType().Name) $($taken.ImageData.Length)"
    """.replace("[char]0x1F4A9", "[char]0xD83D + [char]0xDCA9")
    assert shell.lines(script) == ["1", "2", "True", "0 Byte[] 24"]


def test_the_older_module_lacks_what_came_later(tmp_path: Path) -> None:
    needs_powershell()
    shell = Shell(tmp_path, engine="powershell", version=2012)
    vm = Vm(hardware=Hardware(name="old"), node="HV-1")
    shell.world.vms[vm.id] = vm
    script = """
        Import-Module Hyper-V
        ConvertTo-Json -Compress @{
            version = (Get-Command Get-VM).Version.ToString()
            commands = @(Get-Command -Module Hyper-V | ForEach-Object { $_.Name })
        aliases = @(Get-Command -Module Hyper-V -CommandType Alias).Count
            set = @((Get-Command Set-VM).Parameters.Keys)
            names = @((Get-VM).PSObject.Properties | ForEach-Object { $_.Name })
        }
    """
    (line,) = shell.lines(script)
    found = json.loads(line)
    assert found["version"] == "1.1"
    assert not NEW_CMDLETS & set(found["commands"])
    assert found["aliases"] == 0
    assert not (NEW_PARAMETERS["Set-VM"] | {"CimSession", "Credential"}) & set(found["set"])
    assert not NEW_PROPERTIES["VirtualMachine"] & set(found["names"])
    real = set(reference("hyperv-samples.json.gz")["samples"]["get_vm"][0])
    assert set(found["names"]) == real


_SAMPLES = {
    "get_vhd": "VirtualHardDisk",
    "get_vm": "VirtualMachine",
    "get_vm_bios": "VMBios",
    "get_vm_dvd_drive": "DvdDrive",
    "get_vm_firmware": "VMFirmware",
    "get_vm_hard_disk_drive": "HardDiskDrive",
    "get_vm_host": "VMHost",
    "get_vm_network_adapter": "VMNetworkAdapter",
    "get_vm_switch": "VMSwitch",
}


@pytest.mark.parametrize(("sample", "type_"), _SAMPLES.items())
def test_objects_of_the_older_module_have_what_a_real_host_printed(sample: str, type_: str) -> None:
    printed = reference("hyperv-samples.json.gz")["samples"][sample][0]
    assert set(properties(type_, 2012) or ()) == set(printed)


# ---- without PowerShell ----------------------------------------------------------------------------------


def test_command_lines_are_split_as_windows_does() -> None:
    assert split('powershell.exe -Command "a \\"b\\" c" d\\e "f\\\\"') == [
        "powershell.exe",
        "-Command",
        'a "b" c',
        "d\\e",
        "f\\",
    ]
    assert split('""  x') == ["", "x"]
    assert is_powershell("PowerShell -x")
    assert is_powershell('"C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe" -x')
    assert is_powershell("cmd.exe /c powershell -x")
    assert not is_powershell("ipconfig /all")
    assert encoded_script(command_line("'\u00e9'")) == "'\u00e9'"
    assert encoded_script("powershell -EncodedCommand ***") is None


def test_filters_of_cim_are_read() -> None:
    record = Record("X", "x", {"Name": "a'b", "Size": 5, "Up": True, "Path": "C:\\x"})
    for text in (
        "Name='a\\'b'",
        "name = 'A\\'B' AND Size=5",
        "Size=1 OR Size>=5",
        "Name LIKE 'a%'",
        "Up=TRUE",
        "Path='C:\\\\x'",
    ):
        assert parse(text)(record), text
    for text in ("Name='a'", "Size<>5", "Name LIKE 'b%'", "Name='a\\'b' AND Size=6", "Up=false"):
        assert not parse(text)(record), text
    for text in ("Name=", "= 5", "Name='a' Size=5", "Name='a' AND", "", "Name='a'; drop"):
        with pytest.raises(FilterError):
            parse(text)
    assert parse_query("SELECT * FROM Win32_X WHERE a=1") == ("Win32_X", "a=1")
