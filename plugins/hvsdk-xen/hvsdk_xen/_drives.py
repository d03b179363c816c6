"""Disks and drives as they are to be: what a specification means is found out first, then made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
from hvsdk.driver import Deadline, DiskSpec, Steps, errors

from hvsdk_xen._hints import DISK_HINTS, read_hints
from hvsdk_xen._making import Making
from hvsdk_xen._store import Storage, StoreReads, Vdi, is_uuid
from hvsdk_xen._values import NULL

__all__ = ["DrivePlan", "DrivePlans", "drive_number", "drive_numbers", "vbd_record", "vdi_record"]

_BUSES: Mapping[str, tuple[str | None, ...]] = {"disk": (None, "xen"), "cdrom": (None, "xen", "ide")}
COPY_INTO_SINCE = (2, 2)
"""API version that first copied a volume into one that is there."""
_CD_PLACES = ("3", "2", "1", "0")
"""Numbers that a CD-ROM drive can have, the usual one first: the emulated controller shows no more to firmware."""


@attrs.frozen(kw_only=True)
class DrivePlan:
    """A disk or drive with all that its specification names found."""

    spec: DiskSpec
    storage: Storage | None = None
    """Where a volume is to be made; `None` where nothing is."""
    source: Vdi | None = None
    """What exists: to attach, or to copy where there is a place for it."""

    @property
    def is_cd(self) -> bool:
        """Whether it is a CD-ROM drive."""
        return self.spec.device == "cdrom"


class DrivePlans(StoreReads):
    """Finds out what disks are to be, and makes them."""

    def plan_drives(self, specs: Iterable[DiskSpec], deadline: Deadline) -> list[DrivePlan]:
        """Find the storage and the sources of several disks; what several have in common is looked up once."""
        known: dict[str | None, Storage] = {}
        return [self.plan_drive(spec, deadline, known) for spec in specs]

    def plan_drive(
        self, spec: DiskSpec, deadline: Deadline, known: dict[str | None, Storage] | None = None
    ) -> DrivePlan:
        """Find the storage and the source of a disk. Nothing is made.

        Raises:
            InvalidSpecError: It contradicts itself, or asks for what is not possible here.
            NotFoundError, AmbiguousNameError: As for what it names.
        """
        read_hints(spec.hints, DISK_HINTS)
        _refuse_wishes(spec)
        if spec.device == "cdrom":
            if spec.source is None:
                return DrivePlan(spec=spec)
            key = spec.source if spec.pool is None else f"{spec.pool}/{spec.source}"
            return DrivePlan(spec=spec, source=self.find_media(key, deadline))
        if spec.source is None:
            known = {} if known is None else known
            storage = known[spec.pool] = known.get(spec.pool) or self.find_sr(spec.pool, deadline)
            storage.sm_config(spec.format)
            return DrivePlan(spec=spec, storage=storage)
        elsewhere = spec.copy and is_uuid(spec.source)  # then the pool is only where the copy goes
        source = self.find_vdi(spec.source, None if elsewhere else spec.pool, deadline)
        if spec.copy:
            return self._plan_drive_copy(spec, source, deadline)
        self._refuse_foreign_volume(spec, source, deadline)
        return DrivePlan(spec=spec, source=source)

    def _plan_drive_copy(self, spec: DiskSpec, source: Vdi, deadline: Deadline) -> DrivePlan:
        if spec.size_bytes is not None and spec.size_bytes < source.size:
            raise errors.InvalidSpecError(
                f"a copy of {spec.source!r} cannot have {spec.size_bytes} bytes: the source has {source.size}"
            )
        here = spec.pool is None
        storage = self.sr_of(source.sr, deadline) if here else self.find_sr(spec.pool, deadline)
        storage.sm_config(spec.format)
        return DrivePlan(spec=spec, source=source, storage=storage)

    def _refuse_foreign_volume(self, spec: DiskSpec, source: Vdi, deadline: Deadline) -> None:
        """Refuse a volume that another domain writes to, or that is no disk."""
        if self.sr_of(source.sr, deadline).has_media:
            raise errors.InvalidSpecError(
                f"{spec.source!r} is an image of a CD", hint="DiskSpec(device='cdrom', source=…)"
            )
        users = source.record.get("VBDs", ())
        if users and not (spec.shareable or source.record.get("sharable")):
            vm = self.call("VBD.get_VM", users[0], deadline=deadline)
            name = self.call("VM.get_name_label", vm, deadline=deadline)
            raise errors.BusyError(
                f"the volume {spec.source!r} is a disk of {name!r}",
                lasting=True,
                hint="detach it there, copy it (copy=True), or let both have it (shareable=True)",
            )

    # ---- making ------------------------------------------------------------------------------------------

    def make_drive(self, making: Making, plan: DrivePlan, vm: str, name: str, number: str, first: bool) -> Steps[str]:
        """Make the volume of a disk where there is to be one, and the VBD; return the VBD's reference."""
        vdi = yield from self._make_drive_volume(making, plan, f"{name} {number}")
        return making.create("VBD", vbd_record(vm, vdi, number, is_cd=plan.is_cd, bootable=first))

    def _make_drive_volume(self, making: Making, plan: DrivePlan, name: str) -> Steps[str]:
        spec = plan.spec
        if plan.storage is None:
            if plan.source is None:
                return NULL
            making.spare(plan.source.ref)
            if spec.shareable and not plan.source.record.get("sharable"):
                making.change("VDI.set_sharable", plan.source.ref, True, back=(plan.source.ref, False))
            return plan.source.ref
        if plan.source is None:
            record = vdi_record(name, spec.size_bytes or 0, plan.storage, spec.format, sharable=spec.shareable)
            return making.create("VDI", record)
        return (yield from self._copy_volume(making, plan.source, plan.storage, spec, name))

    def _copy_volume(self, making: Making, source: Vdi, storage: Storage, spec: DiskSpec, name: str) -> Steps[str]:
        size = max(spec.size_bytes or 0, source.size)
        if self.api_version >= COPY_INTO_SINCE:  # a volume of ours is found again whatever becomes of the copying
            vdi = making.create("VDI", vdi_record(name, size, storage, spec.format, sharable=spec.shareable))
            yield self.start_task("VDI.copy", source.ref, NULL, NULL, vdi, deadline=self.soon())
            return vdi
        vdi = yield from making.run("VDI", "VDI.copy", source.ref, storage.ref)
        self.call("VDI.set_name_label", vdi, name, deadline=self.soon())
        if size > source.size:
            yield self.start_task("VDI.resize", vdi, size, deadline=self.soon())
        return vdi


def vbd_record(
    vm: str,
    vdi: str,
    number: str,
    *,
    is_cd: bool,
    bootable: bool = False,
    config: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the record for VBD.create. `config` goes into its `other_config`."""
    return {
        "VM": vm,
        "VDI": vdi,
        "userdevice": number,
        "bootable": bootable,
        "mode": "RO" if is_cd else "RW",
        "type": "CD" if is_cd else "Disk",
        "unpluggable": not is_cd,
        "empty": vdi == NULL,
        "other_config": dict(config or {}),
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
    }


def vdi_record(name: str, size: int, storage: Storage, format: str | None, *, sharable: bool = False) -> dict[str, Any]:
    """Return the record for VDI.create."""
    return {
        "name_label": name,
        "name_description": "",
        "SR": storage.ref,
        "virtual_size": size,
        "type": "user",
        "sharable": sharable,
        "read_only": False,
        "other_config": {},
        "xenstore_data": {},
        "sm_config": storage.sm_config(format),
        "tags": [],
    }


def drive_numbers(cds: Sequence[bool], free: Iterable[str] | None = None) -> list[str]:
    """Return the number of each disk and drive: drives where firmware sees them, disks in order on the rest.

    Args:
        cds: For each whether it is a CD-ROM drive.
        free: Numbers that are not taken; all without it.

    Raises:
        InvalidSpecError: There is no room for so many.
    """
    left = (
        [str(number) for number in range(255)]
        if free is None
        else sorted((n for n in map(str, free) if n.isdecimal()), key=int)
    )
    places = [place for place in _CD_PLACES if place in left][: sum(cds)]
    if len(places) < sum(cds):
        raise errors.InvalidSpecError(
            "there is no room for another CD-ROM drive; four disks and drives are seen by firmware"
        )
    drives = sorted(places)
    others = [number for number in left if number not in places]
    if len(others) < len(cds) - len(drives):
        raise errors.InvalidSpecError("there is no room for another disk")
    return [drives.pop(0) if is_cd else others.pop(0) for is_cd in cds]


def drive_number(free: Iterable[str], *, is_cd: bool) -> str:
    """Return the number of one more disk or drive."""
    return drive_numbers([is_cd], free)[0]


def _refuse_wishes(spec: DiskSpec) -> None:
    buses = _BUSES[spec.device]
    if spec.bus not in buses:
        raise errors.InvalidSpecError(
            f"a {spec.device} cannot be on the bus {spec.bus!r} here", hint="all are on Xen's own; leave bus= out"
        )
    if spec.device == "cdrom":
        if spec.size_bytes is not None or spec.copy:
            raise errors.InvalidSpecError("a CD-ROM drive takes an image as its source, neither size nor copy")
        return
    if spec.readonly:
        raise errors.InvalidSpecError("XAPI gives domains with firmware no disks that they can only read")
    if spec.serial is not None:
        raise errors.InvalidSpecError("XAPI sets no serial numbers of disks", hint="leave serial= out")
    if spec.format is not None and spec.source is not None and spec.format not in ("vhd", "raw", "qcow2"):
        raise errors.InvalidSpecError(f"no disk here has the format {spec.format!r}", hint="leave format= out")
