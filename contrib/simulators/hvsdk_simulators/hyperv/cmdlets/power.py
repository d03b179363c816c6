"""The power of virtual machines: `Start-VM`, `Stop-VM`, `Save-VM`, `Suspend-VM`, `Resume-VM`, `Restart-VM`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from hvsdk_simulators.hyperv.vms import Vm
from hvsdk_simulators.hyperv.world import World

from .adapters import assign_macs
from .cim_machines import guest_is_heard
from .cim_shutdown import SHUTDOWN, ask_guest
from .cim_windows import HOST_MEMORY
from .disk_checks import confirm_files
from .drives import vms_of
from .errors import CmdletError, wrong_state
from .records import Record
from .registry import Bound, cmdlet
from .vms import vm_record, vm_targets

__all__: list[str] = []

_START_SECONDS, _SAVE_SECONDS, _STOP_SECONDS = 0.24, 0.19, 0.1
_UP = ("Running", "RunningCritical")
_ON = (*_UP, "Paused", "PausedCritical", "Starting", "Stopping")
_RESERVED = 4 << 30
"""Bytes of memory that the host keeps for itself."""


def _told(world: World, p: Bound, vm: Vm) -> Iterator[Record]:
    if p.flag("Passthru"):
        yield vm_record(world, vm)


@cmdlet("Start-VM")
def start_vm(world: World, p: Bound) -> Iterator[Record]:
    """Start VMs, from off or with the memory that was saved; one that runs is left alone, with a warning."""
    for vm in vm_targets(world, p):
        if vm.state not in _UP:
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
def stop_vm(world: World, p: Bound) -> Iterator[Record]:
    """Stop VMs: by asking the guest, or with `-TurnOff` or `-Save`."""
    for vm in vm_targets(world, p):
        if p.flag("Save"):
            _save(world, vm)
        elif p.flag("TurnOff"):
            _turn_off(world, vm)
        elif vm.state != "Off":
            _shut_down(world, vm, forced=p.flag("Force"))
        yield from _told(world, p, vm)


def _turn_off(world: World, vm: Vm) -> None:
    if vm.state in ("Off", "OffCritical"):
        return
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
def save_vm(world: World, p: Bound) -> Iterator[Record]:
    """Save the memory of VMs to disk."""
    for vm in vm_targets(world, p):
        _save(world, vm)
        yield from _told(world, p, vm)


def _save(world: World, vm: Vm) -> None:
    if vm.state == "Saved":
        return
    if vm.state not in (*_UP, "Paused"):
        raise _failed(vm, "save")
    before, vm.state = vm.state, "Saving"
    world.sleep(_SAVE_SECONDS)
    vm.state, vm.started = "Saved", None
    vm.details["saved_from"] = before


@cmdlet("Suspend-VM")
def suspend_vm(world: World, p: Bound) -> Iterator[Record]:
    """Stop the processors of VMs."""
    for vm in vm_targets(world, p):
        if vm.state != "Paused":
            if vm.state not in _UP:
                raise _failed(vm, "pause")
            vm.state = "Paused"
        yield from _told(world, p, vm)


@cmdlet("Resume-VM")
def resume_vm(world: World, p: Bound) -> Iterator[Record]:
    """Let VMs that are paused go on; one that runs is left alone, with a warning."""
    for vm in vm_targets(world, p):
        if vm.state not in _UP:
            if vm.state not in ("Paused", "PausedCritical"):
                raise _failed(vm, "resume")
            vm.state = "Running"
        yield from _told(world, p, vm)


@cmdlet("Restart-VM")
def restart_vm(world: World, p: Bound) -> Iterator[Record]:
    """Cut the power of VMs and start them again."""
    for vm in vm_targets(world, p):
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
