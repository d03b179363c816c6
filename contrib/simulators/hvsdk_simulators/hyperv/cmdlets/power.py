"""The power of virtual machines: `Start-VM`, `Stop-VM`, `Save-VM`, `Suspend-VM`, `Resume-VM`, `Restart-VM`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from hvsdk_simulators.hyperv.vms import Vm
from hvsdk_simulators.hyperv.world import World

from .adapter_records import assign_macs
from .cim_machines import guest_is_heard
from .cim_shutdown import SHUTDOWN, ask_guest
from .cim_windows import HOST_MEMORY
from .components import vms_of
from .disk_checks import confirm_files
from .errors import CmdletError, wrong_state
from .records import Record, WarningText
from .registry import Bound, cmdlet
from .vm_records import vm_record

__all__: list[str] = []

_START_SECONDS, _SAVE_SECONDS, _STOP_SECONDS = 0.24, 0.19, 0.1
_UP = ("Running", "RunningCritical")
_ON = (*_UP, "Paused", "PausedCritical", "Starting", "Stopping")
_RESERVED = 4 << 30
"""Bytes of memory that the host keeps for itself."""


_ALREADY = WarningText("The virtual machine is already in the specified state.")
_OFF = ("Off", "OffCritical")


def _told(world: World, p: Bound, vm: Vm) -> Iterator[Record]:
    if p.flag("Passthru"):
        yield vm_record(world, vm)


@cmdlet("Start-VM")
def start_vm(world: World, p: Bound) -> Iterator[Record | WarningText]:
    """Start VMs, from off or with the memory that was saved; one that runs is left alone, with a warning."""
    for vm in vms_of(world, p, "Name"):
        if vm.state in _UP:
            yield _ALREADY
        else:
            if vm.state not in ("Off", "Saved"):
                raise _failed(vm, "start")
            _confirm_memory(world, vm)
            confirm_files(world, vm)
            assign_macs(world, vm)
            saved, vm.state = vm.state == "Saved", "Starting"
            world.sleep(_START_SECONDS)
            vm.state, vm.started = "Running", datetime.now(UTC)
            if saved and vm.details.pop("saved_from", "Running") == "Paused":
                vm.state = "Paused"
            elif not saved:
                vm.guest.boots += 1
        yield from _told(world, p, vm)


def _failed(vm: Vm, verb: str) -> CmdletError:
    text = f"'{vm.name}' failed to {verb}. The operation cannot be performed while the object is in its current state."
    return CmdletError("InvalidState", "InvalidOperation", text)


def _confirm_memory(world: World, vm: Vm) -> None:
    used = sum(one.hardware.memory_startup for one in world.vms.values() if one.state in _ON and one.node == vm.node)
    if used + vm.hardware.memory_startup > HOST_MEMORY - _RESERVED:
        text = (
            f"'{vm.name}' failed to start.\r\nNot enough memory in the system to start the virtual machine {vm.name}.\r\n"
            "Could not initialize memory: Ran out of memory (0x8007000E)."
        )
        raise CmdletError("OutOfMemory", "FromStdErr", text, hresult=0x8007000E)


@cmdlet("Stop-VM")
def stop_vm(world: World, p: Bound) -> Iterator[Record | WarningText]:
    """Stop VMs: by asking the guest, or with `-TurnOff` or `-Save`; one that is stopped is left alone, with a warning."""
    for vm in vms_of(world, p, "Name"):
        if vm.state == "Saved" if p.flag("Save") else vm.state in _OFF:
            yield _ALREADY
        elif p.flag("Save"):
            _save(world, vm)
        elif p.flag("TurnOff"):
            _turn_off(world, vm)
        else:
            _shut_down(world, vm, forced=p.flag("Force"))
        yield from _told(world, p, vm)


def _turn_off(world: World, vm: Vm) -> None:
    if vm.state in ("Saved", "SavedCritical"):
        raise _failed(vm, "turn off")
    world.sleep(_STOP_SECONDS)
    vm.state, vm.started = "Off", None


def _shut_down(world: World, vm: Vm, *, forced: bool) -> None:
    if vm.state not in _UP:
        raise _failed(vm, "shut down")
    if not guest_is_heard(vm, SHUTDOWN):
        if forced:
            raise CmdletError("OperationFailed", "NotSpecified", "Failed to stop.")
        text = "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available."
        raise CmdletError("InvalidOperation", "InvalidOperation", text)
    ask_guest(world, vm)
    world.wait(vm.guest.shutdown_seconds)
    if vm.state in _UP:
        raise CmdletError("OperationFailed", "NotSpecified", f"'{vm.name}' failed to shut down.")


@cmdlet("Save-VM")
def save_vm(world: World, p: Bound) -> Iterator[Record | WarningText]:
    """Save the memory of VMs to disk; one that is saved is left alone, with a warning."""
    for vm in vms_of(world, p, "Name"):
        if vm.state == "Saved":
            yield _ALREADY
        else:
            _save(world, vm)
        yield from _told(world, p, vm)


def _save(world: World, vm: Vm) -> None:
    if vm.state not in (*_UP, "Paused"):
        raise _failed(vm, "save")
    before, vm.state = vm.state, "Saving"
    world.sleep(_SAVE_SECONDS)
    vm.state, vm.started = "Saved", None
    vm.details["saved_from"] = before


@cmdlet("Suspend-VM")
def suspend_vm(world: World, p: Bound) -> Iterator[Record | WarningText]:
    """Stop the processors of VMs; one that is paused is left alone, with a warning."""
    for vm in vms_of(world, p, "Name"):
        if vm.state == "Paused":
            yield _ALREADY
        elif vm.state in _UP:
            vm.state = "Paused"
        else:
            raise _failed(vm, "pause")
        yield from _told(world, p, vm)


@cmdlet("Resume-VM")
def resume_vm(world: World, p: Bound) -> Iterator[Record | WarningText]:
    """Let VMs that are paused go on; one that runs is left alone, with a warning."""
    for vm in vms_of(world, p, "Name"):
        if vm.state in _UP:
            yield _ALREADY
        elif vm.state in ("Paused", "PausedCritical"):
            vm.state = "Running"
        else:
            raise _failed(vm, "resume")
        yield from _told(world, p, vm)


@cmdlet("Restart-VM")
def restart_vm(world: World, p: Bound) -> Iterator[Record]:
    """Cut the power of VMs and start them again."""
    for vm in vms_of(world, p, "Name"):
        if vm.state not in _ON:
            raise _failed(vm, "reset")
        world.sleep(_START_SECONDS)
        vm.state, vm.started = "Running", datetime.now(UTC)
        vm.guest.boots += 1
        yield from _told(world, p, vm)


@cmdlet("Remove-VMSavedState")
def remove_saved_state(world: World, p: Bound) -> None:
    """Give up the saved memory of VMs, which are off then."""
    for record in p.many("VMSnapshot"):
        record.owner.memory, record.owner.state = False, "Off"
    for vm in vms_of(world, p):
        if vm.state not in ("Saved", "SavedCritical", "Off"):
            raise wrong_state(vm.name)
        vm.state = "Off"
        vm.details.pop("saved_from", None)
