"""A domain's record and its devices, read before something is done to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import XenAPI
from hvsdk.driver import Deadline, Pause, PowerState, Steps, errors

from hvsdk_xen._devices import disk_ids, nic_ids
from hvsdk_xen._login import code_of
from hvsdk_xen._making import Making
from hvsdk_xen._states import power_state
from hvsdk_xen._values import is_ref
from hvsdk_xen._verbs import VerbSession

__all__ = ["HardwareVerbs", "Subject", "has_volume"]

DRIVERS_SECONDS = 3.0
"""How long a guest that has just been started is tried again."""
_PAUSE_SECONDS = 0.3
_NO_DRIVERS = "VM_MISSING_PV_DRIVERS"
_DETACHED = frozenset(("DEVICE_ALREADY_DETACHED", "DEVICE_NOT_ATTACHED"))


@attrs.frozen
class Subject:
    """The domain that a verb is about."""

    ref: str
    record: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self.record.get("name_label", ""))

    @property
    def native_id(self) -> str:
        """Its id."""
        return str(self.record.get("uuid", ""))

    @property
    def state(self) -> PowerState:
        """Its power state."""
        return power_state(self.record.get("power_state"), self.record.get("current_operations"))

    @property
    def is_on(self) -> bool:
        """Whether devices are plugged into it, not only written down."""
        return self.record.get("power_state") in ("Running", "Paused")

    def refuse_suspended(self, what: str) -> None:
        """Refuse to change hardware that a saved memory belongs to; XAPI would not."""
        if self.state is PowerState.SUSPENDED:
            raise errors.PowerStateError(
                f"{what} of {self.name!r} is not possible: its memory is saved with the hardware as it is",
                state=PowerState.SUSPENDED,
                hint="resume() it first",
            )


class HardwareVerbs(VerbSession):
    """Reads a domain, its drives and its adapters, each in one call however many there are, and takes devices out."""

    def subject(self, native_id: str, deadline: Deadline) -> Subject:
        """Return the domain as it is now."""
        record = self.on_vm(native_id, "VM.get_record", deadline=deadline)
        return Subject(self.vm_ref(native_id, deadline), record)

    def drives(self, vm: Subject, deadline: Deadline) -> dict[str, Mapping[str, Any]]:
        """Return the records of its disks and drives by reference."""
        return self._devices_of(vm, "VBD", deadline)

    def adapters(self, vm: Subject, deadline: Deadline) -> dict[str, Mapping[str, Any]]:
        """Return the records of its network adapters by reference."""
        return self._devices_of(vm, "VIF", deadline)

    def _devices_of(self, vm: Subject, cls: str, deadline: Deadline) -> dict[str, Mapping[str, Any]]:
        query = f'field "VM" = "{vm.ref}"'
        found: dict[str, Mapping[str, Any]] = self.call(f"{cls}.get_all_records_where", query, deadline=deadline)
        return {ref: record for ref, record in found.items() if record.get("VM") == vm.ref}

    def find_drive(self, vm: Subject, disk_id: str, deadline: Deadline) -> tuple[str, Mapping[str, Any]]:
        """Return the reference and record of a disk or drive.

        Raises:
            DiskNotFoundError: There is none.
        """
        found = self.drives(vm, deadline)
        for ref, key in disk_ids(found).items():
            if key == disk_id:
                return ref, found[ref]
        raise errors.DiskNotFoundError(f"{vm.name!r} has no disk {disk_id!r}")

    def find_adapter(self, vm: Subject, nic_id: str, deadline: Deadline) -> tuple[str, Mapping[str, Any]]:
        """Return the reference and record of an adapter, by its id or MAC.

        Raises:
            NicNotFoundError: There is none.
        """
        found = self.adapters(vm, deadline)
        for ref, key in nic_ids(found).items():
            if nic_id in (key, str(found[ref].get("MAC", "")).lower()):
                return ref, found[ref]
        raise errors.NicNotFoundError(f"{vm.name!r} has no network adapter {nic_id!r}")

    def plug(self, making: Making, cls: str, ref: str, native_id: str) -> Steps[None]:
        """Plug a new device into the guest."""
        yield from self._tell_guest(f"{cls}.plug", ref, native_id, making.check)

    def take_out(self, vm: Subject, cls: str, ref: str, *, plugged: bool) -> Steps[None]:
        """Unplug a device from the guest, and remove its record once the guest has let it go."""
        if plugged:
            try:
                yield from self._tell_guest(f"{cls}.unplug", ref, vm.native_id, lambda: None)
            except XenAPI.Failure as exc:
                if code_of(exc) not in _DETACHED:
                    raise
        self.call(f"{cls}.destroy", ref, deadline=self.soon())

    def _tell_guest(self, message: str, ref: str, native_id: str, check: Callable[[], None]) -> Steps[None]:
        """See a task through that a guest's drivers take part in; they are given a moment when it has just been started.

        Raises:
            GuestAgentError: It has none, or has not loaded them yet.
        """
        patience = Deadline(DRIVERS_SECONDS)
        while True:
            try:
                yield self.start_task(message, ref, deadline=self.soon())
            except XenAPI.Failure as exc:
                if code_of(exc) != _NO_DRIVERS or not self.is_booting(native_id, self.soon()):
                    raise
                if patience.expired:
                    raise errors.GuestAgentError(
                        f"{message} needs Xen's drivers in the guest, and it has not loaded them yet, or has none",
                        not_yet=True,
                        hint="try again when it has booted, or shut it down first",
                        native_code=_NO_DRIVERS,
                    ) from exc
            else:
                return
            yield Pause(_PAUSE_SECONDS)
            check()


def has_volume(drive: Mapping[str, Any]) -> bool:
    """Whether a drive is a disk with a volume; what is in a CD-ROM drive is nobody's own."""
    return drive.get("type") == "Disk" and is_ref(drive.get("VDI"))
