"""Places of drives: two on each of two IDE controllers, 64 on each of up to four SCSI controllers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hvsdk_simulators.hyperv.vms import Drive, Hardware, Vm

from .errors import CmdletError

__all__ = ["AT_REST", "SCSI_CONTROLLERS", "controllers", "first_free", "must_be_free"]

AT_REST = ("Off", "Saved", "OffCritical", "SavedCritical")
"""States in which nothing of the machine is in memory."""
SCSI_CONTROLLERS = 4
_LOCATIONS = {"IDE": 2, "SCSI": 64}


def controllers(vm: Vm, kind: str, hardware: Hardware | None = None) -> Sequence[int]:
    """Return the numbers of a machine's controllers; of `"any"` those that it could have on SCSI."""
    if kind == "any":
        return range(SCSI_CONTROLLERS)
    if kind == "IDE":
        return range(2 if vm.generation == 1 else 0)
    return range((hardware or vm.hardware).scsi_controllers)


def first_free(vm: Vm, bus: str | None, number: int | None, location: int | None) -> tuple[str, int, int]:
    """Return the first place that is free among those that are asked for.

    Raises:
        CmdletError: There is none, or no such place.
    """
    running = vm.state not in AT_REST
    buses = [bus] if bus else ["SCSI"] if vm.generation == 2 or running else ["IDE", "SCSI"]
    if number is not None and location is not None:
        must_be_free(vm, buses[0], number, location)
        return buses[0], number, location
    for place in _places(vm, buses):
        if number in (None, place[1]) and location in (None, place[2]) and _at(vm, place) is None:
            return place
    raise CmdletError("InvalidOperation", "InvalidOperation", f"'{vm.name}' has no free location for a drive there.")


def must_be_free(vm: Vm, bus: str, number: int, location: int, but: Drive | None = None) -> None:
    """Fail unless there is such a place and no drive at it.

    Raises:
        CmdletError: One of both is otherwise.
    """
    if number not in controllers(vm, bus):
        text = f"Hyper-V was unable to find a controller of type {bus} with number {number}."
        raise CmdletError("ObjectNotFound", "ObjectNotFound", text)
    if not 0 <= location < _LOCATIONS[bus]:
        raise CmdletError(
            "InvalidParameter", "InvalidArgument", f"There is no location {location} on {bus} controllers."
        )
    there = _at(vm, (bus, number, location))
    if there is not None and there is not but:
        text = f"The location {location} of the {bus} controller {number} of '{vm.name}' is already in use."
        raise CmdletError("InvalidOperation", "InvalidOperation", text)


def _places(vm: Vm, buses: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    for bus in buses:
        for number in controllers(vm, bus):
            for location in range(_LOCATIONS[bus]):
                yield bus, number, location


def _at(vm: Vm, place: tuple[str, int, int]) -> Drive | None:
    for one in vm.hardware.drives:
        if (one.controller_type, one.controller_number, one.location) == place:
            return one
    return None
