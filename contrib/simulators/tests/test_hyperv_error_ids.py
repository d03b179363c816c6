"""How cmdlets fail: ids, categories and classes, as real hosts were seen to tell them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.options import Options
from hyperv_lab import FOLDER, MIB, Lab

HYPERV = "Microsoft.HyperV.PowerShell.Commands."
VHD = "Microsoft.Vhd.PowerShell.Cmdlets."
NOBODY = UUID(int=1)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def _running_disk(lab: Lab) -> str:
    """A disk of a virtual machine that runs."""
    vm, path = lab.vm(), lab.disk("used.vhdx")
    lab.run("Add-VMHardDiskDrive", VM=[vm], Path=path)
    lab.run("Start-VM", VM=[vm])
    return path


def _running(lab: Lab) -> CmdletError:
    vm = lab.vm()
    vm.owner.state = "Running"
    return lab.error("Set-VMProcessor", VM=[vm], Count=4)


def _without_rights(lab: Lab) -> CmdletError:
    lab.world.facts["denied"] = True
    return lab.error("Get-VM")


def _checkpoints_disabled(lab: Lab) -> CmdletError:
    vm = lab.vm()
    vm.owner.hardware.checkpoint_type = "Disabled"
    return lab.error("Checkpoint-VM", VM=[vm])


def _existing(lab: Lab) -> CmdletError:
    return lab.error("New-VHD", Path=[lab.disk("a.vhdx")], SizeBytes=8 * MIB, Dynamic=True)


def _no_shutdown(lab: Lab, **how: bool) -> CmdletError:
    vm = lab.vm()
    vm.owner.state, vm.owner.guest.tools = "Running", False
    return lab.error("Stop-VM", VM=[vm], **how)


def _no_memory(lab: Lab) -> CmdletError:
    vm = lab.vm()
    vm.owner.hardware.memory_startup = 1 << 42
    return lab.error("Start-VM", VM=[vm])


CASES: dict[str, tuple[Callable[[Lab], CmdletError], str, str]] = {
    "Get-VM by name": (
        lambda lab: lab.error("Get-VM", Name=["nobody"]),
        f"InvalidParameter,{HYPERV}GetVM",
        "InvalidArgument",
    ),
    "Get-VM by id": (lambda lab: lab.error("Get-VM", Id=NOBODY), f"ObjectNotFound,{HYPERV}GetVM", "ObjectNotFound"),
    "others by name": (
        lambda lab: lab.error("Set-VM", Name=["nobody"], Notes="x"),
        f"ObjectNotFound,{HYPERV}SetVM",
        "ObjectNotFound",
    ),
    "devices by name": (
        lambda lab: lab.error("Set-VMFirmware", VMName=["nobody"], EnableSecureBoot="Off"),
        f"ObjectNotFound,{HYPERV}SetVMFirmware",
        "ObjectNotFound",
    ),
    "a checkpoint": (
        lambda lab: lab.error("Get-VMSnapshot", VM=[lab.vm()], Name="none"),
        f"ObjectNotFound,{HYPERV}GetVMSnapshot",
        "ObjectNotFound",
    ),
    "a switch": (
        lambda lab: lab.error("New-VM", Name="a", SwitchName="none"),
        f"ObjectNotFound,{HYPERV}NewVM",
        "ObjectNotFound",
    ),
    "no rights": (_without_rights, f"Unspecified,{HYPERV}GetVM", "NotSpecified"),
    "a wrong state": (_running, f"InvalidState,{HYPERV}SetVMProcessor", "InvalidOperation"),
    "a guest without the service": (_no_shutdown, f"InvalidOperation,{HYPERV}StopVM", "InvalidOperation"),
    "the same by force": (
        lambda lab: _no_shutdown(lab, Force=True),
        f"OperationFailed,{HYPERV}StopVM",
        "NotSpecified",
    ),
    "no memory": (_no_memory, f"OutOfMemory,{HYPERV}StartVM", "FromStdErr"),
    "a file that is there": (_existing, f"OperationFailed,{VHD}NewVhd", "NotSpecified"),
    "no size of a disk": (
        lambda lab: lab.error("New-VHD", Path=[f"{FOLDER}\\a.vhdx"], SizeBytes=MIB + 1, Dynamic=True),
        f"InvalidParameter,{VHD}NewVhd",
        "InvalidArgument",
    ),
    "a folder that is not there": (
        lambda lab: lab.error("New-VM", Name="a", VHDPath="C:\\none\\a.vhdx"),
        f"ObjectNotFound,{HYPERV}NewVM",
        "ObjectNotFound",
    ),
    "a disk in use": (
        lambda lab: lab.error("Convert-VHD", Path=_running_disk(lab), DestinationPath=f"{FOLDER}\\b.vhdx"),
        f"ObjectInUse,{VHD}ConvertVHD",
        "ResourceBusy",
    ),
    "checkpoints disabled": (
        _checkpoints_disabled,
        f"OperationFailed,{HYPERV}CheckpointVM",
        "InvalidOperation",
    ),
    "no such cmdlet": (lambda lab: lab.error("Get-Nothing"), "CommandNotFoundException", "ObjectNotFound"),
}


@pytest.mark.parametrize("case", CASES)
def test_errors_have_the_ids_and_categories_of_real_ones(lab: Lab, case: str) -> None:
    make, full_id, category = CASES[case]
    error = make(lab)
    assert (error.full_id, error.category) == (full_id, category)
    hyperv = full_id != "CommandNotFoundException"
    assert error.exception_type.startswith("Microsoft.HyperV.PowerShell.VirtualizationException") == hyperv


_TOLD_BY_OLD = {"InvalidParameter"}
_NOT_THERE = ("no such cmdlet", "checkpoints disabled")


@pytest.mark.parametrize("case", [case for case in CASES if case not in _NOT_THERE])
def test_windows_server_2012_r2_tells_little_of_what_is_wrong(lab: Lab, case: str) -> None:
    lab.world.options = Options(domains=0, version=2012)
    make, full_id, category = CASES[case]
    error = make(lab)
    known = full_id.partition(",")[0] in _TOLD_BY_OLD
    said = (full_id.partition(",")[0], category) if known else ("Unspecified", "NotSpecified")
    assert (error.error_id, error.category) == said
    assert error.full_id == f"{said[0]},{full_id.partition(',')[2]}Command"
    kind = "InvalidArgument" if known else "OperationFailed"
    assert error.exception_type == f"Microsoft.HyperV.PowerShell.Virtualization{kind}Exception"
