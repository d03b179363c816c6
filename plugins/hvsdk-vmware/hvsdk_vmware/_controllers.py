"""Controllers of a domain, and the free places on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from hvsdk.driver import errors
from pyVmomi import vim

__all__ = ["BUSES", "SCSI_MODELS", "Slots", "bus_of", "drive_order"]

device = vim.vm.device
SCSI_MODELS: Mapping[str, type] = {
    "pvscsi": device.ParaVirtualSCSIController,
    "lsilogic": device.VirtualLsiLogicController,
    "lsilogic-sas": device.VirtualLsiLogicSASController,
    "buslogic": device.VirtualBusLogicController,
}
"""Classes of SCSI controllers by what they are called."""
_FAMILIES: Mapping[str, type] = {
    "scsi": device.VirtualSCSIController,
    "sata": device.VirtualSATAController,
    "nvme": device.VirtualNVMEController,
    "ide": device.VirtualIDEController,
}
BUSES = tuple(_FAMILIES)
_RANKS = ("ide", "scsi", "sata", "nvme")
_UNITS = {"scsi": 16, "sata": 30, "nvme": 15, "ide": 2}
_MOST = 4
_OWN_UNIT = 7
"""Unit of a SCSI bus that its controller takes."""
_IDE = ((200, 0), (201, 1))
"""Keys and numbers of the IDE controllers that every domain is made with."""


@attrs.define
class _Controller:
    key: int
    number: int
    bus: str
    kind: type
    taken: set[int]
    shared: bool = False

    def free(self) -> int | None:
        """Return the lowest unit that is free."""
        return next((unit for unit in range(_UNITS[self.bus]) if unit not in self.taken), None)


class Slots:
    """Gives disks and drives their places, and keys that stand for devices until the server gives them theirs.

    Attributes:
        changes: The controllers that have to be added for them, to come before the devices in one change.
    """

    def __init__(self, devices: Iterable[Any] = ()) -> None:
        """Begin with a domain's devices; without any, with those of a domain that is about to be made."""
        devices = list(devices)
        self.changes: list[Any] = []
        self._last = -100
        self._controllers = [_controller(one, devices) for one in devices if bus_of(one) is not None]
        if not devices:
            self._controllers += [
                _Controller(key, number, "ide", device.VirtualIDEController, set()) for key, number in _IDE
            ]
        self._controllers.sort(key=lambda one: one.number)

    def key(self) -> int:
        """Return a key for one more new device."""
        self._last -= 1
        return self._last

    def place(self, bus: str | None, *, cdrom: bool = False, model: str | None = None) -> tuple[int, int]:
        """Return the key of a controller and a unit on it; both are taken then.

        Without a bus, disks are on SCSI and drives on IDE, or SATA where that is full.

        Args:
            model: Of the SCSI controller; any without it, and a paravirtual one where there is none yet.

        Raises:
            InvalidSpecError: There is no place left.
        """
        wanted = (bus,) if bus is not None else ("ide", "sata") if cdrom else ("scsi",)
        for one in wanted:
            found = self._free_on(one, model) or self._add(one, model)
            if found is not None:
                unit = found.free()
                assert unit is not None, "it was chosen for having one"
                found.taken.add(unit)
                return found.key, unit
        words = f"the bus {bus or wanted[-1]!r} has no place left"
        raise errors.InvalidSpecError(words, hint="choose another bus=")

    def _free_on(self, bus: str, model: str | None) -> _Controller | None:
        kind = SCSI_MODELS[model] if model is not None else object
        fitting = (one for one in self._controllers if one.bus == bus and issubclass(one.kind, kind) and not one.shared)
        return next((one for one in fitting if one.free() is not None), None)

    def _add(self, bus: str, model: str | None) -> _Controller | None:
        """Add a controller; IDE has two, no more."""
        present = [one for one in self._controllers if one.bus == bus]
        number = next((number for number in range(_MOST) if number not in {one.number for one in present}), None)
        if number is None or bus == "ide":
            return None
        kind = _class_of(bus, model, present)
        made = kind(key=self.key(), busNumber=number)
        if bus == "scsi":
            made.sharedBus = "noSharing"
        self.changes.append(device.VirtualDeviceSpec(operation="add", device=made))
        added = _Controller(made.key, number, bus, kind, {_OWN_UNIT} if bus == "scsi" else set())
        self._controllers.append(added)
        return added


def bus_of(one: Any) -> str | None:
    """Return the bus of a controller, `None` for other devices, and for controllers that have no disks."""
    return next((bus for bus, kind in _FAMILIES.items() if isinstance(one, kind)), None)


def drive_order(drives: Iterable[Any], devices: Iterable[Any]) -> list[Any]:
    """Return drives in the order in which firmware finds them, as a domain's record has them."""
    places = {
        one.key: (_RANKS.index(bus), int(one.busNumber or 0)) for one in devices if (bus := bus_of(one)) is not None
    }
    return sorted(drives, key=lambda one: (places.get(one.controllerKey, (len(_RANKS), 0)), one.unitNumber or 0))


def _controller(one: Any, devices: Iterable[Any]) -> _Controller:
    bus = bus_of(one)
    assert bus is not None, "it is a controller"
    taken = {
        int(other.unitNumber) for other in devices if other.controllerKey == one.key and other.unitNumber is not None
    }
    shared = False
    if bus == "scsi":
        own = getattr(one, "scsiCtlrUnitNumber", None)
        taken.add(_OWN_UNIT if own is None else int(own))
        shared = str(getattr(one, "sharedBus", None) or "noSharing") != "noSharing"
    return _Controller(int(one.key), int(one.busNumber or 0), bus, type(one), taken, shared)


def _class_of(bus: str, model: str | None, present: Iterable[_Controller]) -> type:
    """Return the class of a new controller: of SCSI that of those which the guest has drivers for already."""
    if bus == "sata":
        return device.VirtualAHCIController
    if bus == "nvme":
        return device.VirtualNVMEController
    if model is not None:
        return SCSI_MODELS[model]
    return next((one.kind for one in present), SCSI_MODELS["pvscsi"])
