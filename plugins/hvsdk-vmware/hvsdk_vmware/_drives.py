"""Disks and drives as they are to be: what a specification means is found out first, then made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from hvsdk.driver import Deadline, DiskSpec, Steps, StoragePoolInfo, VolumeInfo, errors
from pyVmomi import vim

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._controllers import BUSES, Slots
from hvsdk_vmware._fields import NOTHING
from hvsdk_vmware._hints import DISK_HINTS, read_hints
from hvsdk_vmware._names import shown
from hvsdk_vmware._volumes import VolumeVerbs

__all__ = ["DrivePlan", "DrivePlans", "image_backing", "in_kib", "plugged"]

device = vim.vm.device
Flat = device.VirtualDisk.FlatVer2BackingInfo
_TYPES = {"thin": "thin", "thick": "preallocated", "eager": "eagerZeroedThick"}
_CD_BUSES = ("ide", "sata")


@attrs.frozen(kw_only=True)
class DrivePlan:
    """A disk or drive with all that its specification names found."""

    spec: DiskSpec
    hints: Mapping[str, Any]
    pool: StoragePoolInfo | None = None
    """Where a new volume is made; `None` beside the domain's configuration."""
    store_name: str = ""
    """The same as the server writes it."""
    source_pool: str = ""
    source: str | None = None
    """Path of what exists: to attach, or to copy where that is asked for."""
    capacity: int | None = None
    """Bytes of what exists, where the server tells."""

    @property
    def needs_copy(self) -> bool:
        """Whether its volume is a copy that has to be made first."""
        return self.spec.copy

    def change(self, slots: Slots, path: str | None = None) -> Any:
        """Return the device as one to be added.

        Args:
            path: Of the copy, where there is one.
        """
        if self.spec.device == "cdrom":
            key, unit = slots.place(self.spec.bus, cdrom=True)
            image = self.source
            drive = device.VirtualCdrom(
                key=slots.key(),
                controllerKey=key,
                unitNumber=unit,
                backing=image_backing(image),
                connectable=plugged(image is not None),
            )
            return device.VirtualDeviceSpec(operation="add", device=drive)
        key, unit = slots.place(self.spec.bus, model=self.hints.get("controller"))
        existing = path if path is not None else self.source
        disk: Any = device.VirtualDisk(key=slots.key(), controllerKey=key, unitNumber=unit)
        disk.backing = self._backing(existing)
        if existing is not None:
            size = max(self.capacity or 0, self.spec.size_bytes or 0) if path is not None else self.capacity
            disk.capacityInKB = in_kib(size or 0)
            return device.VirtualDeviceSpec(operation="add", device=disk)
        disk.capacityInKB = in_kib(self.spec.size_bytes or 0)
        disk.capacityInBytes = disk.capacityInKB << 10
        return device.VirtualDeviceSpec(operation="add", fileOperation="create", device=disk)

    def _backing(self, existing: str | None) -> Any:
        name = existing if existing is not None else f"[{self.store_name}]" if self.store_name else ""
        backing = Flat(fileName=name, diskMode=self.hints.get("mode", "persistent"))
        if existing is None:
            backing.thinProvisioned = self.provisioning == "thin"
            backing.eagerlyScrub = self.provisioning == "eager"
        if self.spec.shareable:
            backing.sharing = "sharingMultiWriter"
        return backing

    @property
    def provisioning(self) -> str:
        """How a new volume takes its space: thin, unless it is shared, which takes all of it at once."""
        return str(self.hints.get("provisioning", "eager" if self.spec.shareable else "thin"))


class DrivePlans(VolumeVerbs):
    """Finds out what disks are to be, and copies volumes for them."""

    def plan_drives(self, specs: Sequence[DiskSpec], deadline: Deadline, *, host: str | None = None) -> list[DrivePlan]:
        """Find the datastores and the sources of several disks; the datastores are read once. Nothing is made.

        Args:
            host: Id of a host whose datastores are meant where others have the same names.

        Raises:
            InvalidSpecError: It contradicts itself, or asks for what is not possible here.
            NotFoundError, AmbiguousNameError: As for what it names.
            BusyError: Another domain has the volume.
        """
        hints = [_check_wishes(spec) for spec in specs]
        named = any(spec.pool is not None or spec.source is not None for spec in specs)
        pools = self._pools_for(host, deadline) if named else []
        return [self._plan_drive(spec, one, pools, deadline) for spec, one in zip(specs, hints, strict=True)]

    def _plan_drive(
        self, spec: DiskSpec, hints: Mapping[str, Any], pools: Sequence[StoragePoolInfo], deadline: Deadline
    ) -> DrivePlan:
        pool = _named_pool(pools, spec.pool) if spec.pool is not None else None
        store_name = self.store(pool.id, deadline).name if pool is not None else ""
        plan = DrivePlan(spec=spec, hints=hints, pool=pool, store_name=store_name)
        if spec.source is None:
            return plan
        found = self._find_source(spec.source, pool, pools, deadline, foreign=spec.copy)
        _check_source(spec, found)
        if spec.device == "disk" and not spec.copy and not spec.shareable:
            self.refuse_used(self.store(found.pool, deadline), found.id, deadline)
        return attrs.evolve(plan, source=found.id, source_pool=found.pool, capacity=found.capacity_bytes)

    def _pools_for(self, host: str | None, deadline: Deadline) -> list[StoragePoolInfo]:
        """Return the datastores; of several that have one name, which there may be in two datacenters, a host's own."""
        pools = list(self.list_storage_pools(deadline=deadline))
        names = [pool.name for pool in pools]
        if host is None or len(set(names)) == len(names):
            return pools
        begin = [object_spec(vim.HostSystem(host, self.stub))]
        found = self.read_all(begin, {vim.HostSystem: ("datastore",)}, deadline=deadline)
        own = {one.text or "" for host in found for one in host.values.get("datastore", NOTHING)}
        mine = {pool.name for pool in pools if pool.id in own}
        return [pool for pool in pools if pool.id in own or pool.name not in mine]

    def find_image(self, source: str, deadline: Deadline, *, host: str | None = None) -> str:
        """Return the path of an image: `[datastore] path`, or `datastore/path`."""
        pools = self._pools_for(host, deadline)
        found = self._find_source(source, None, pools, deadline, foreign=False)
        _check_source(DiskSpec(device="cdrom", source=source), found)
        return found.id

    def _find_source(
        self,
        source: str,
        pool: StoragePoolInfo | None,
        pools: Sequence[StoragePoolInfo],
        deadline: Deadline,
        *,
        foreign: bool,
    ) -> VolumeInfo:
        """Return a volume by its path, or by its name in a pool.

        Args:
            foreign: The pool may be another one than that which a path names: a copy goes there.
        """
        name, bracket, _ = source.removeprefix("[").partition("]")
        if source.startswith("[") and bracket:
            there = _named_pool(pools, name, written=True) if pool is None or foreign else pool
            return self.find_volume(there.id, source, deadline).info
        if pool is None:
            key, slash, inside = source.partition("/")
            if not slash:
                raise errors.InvalidSpecError(
                    f"{source!r} does not say on which datastore it is",
                    hint="write [datastore] path, or datastore/path",
                )
            pool, source = _named_pool(pools, key), inside
        return self._volume_called(pool, source, deadline)

    def _volume_called(self, pool: StoragePoolInfo, key: str, deadline: Deadline) -> VolumeInfo:
        path = self.store(pool.id, deadline).path(key)
        try:
            return self.find_volume(pool.id, path, deadline).info
        except errors.VolumeNotFoundError:
            found = [one for one in self.list_volumes(pool.id, deadline=deadline) if _is_called(one, key)]
            if not found:
                raise
        if len(found) > 1:
            paths = sorted(one.id for one in found)
            raise errors.AmbiguousNameError(
                f"{len(found)} volumes of {pool.name!r} are called {key!r}: {', '.join(paths)}",
                candidates=[(one, None, None) for one in paths],
                hint="give the path of one",
            )
        return found[0]

    def copy_drive(self, plan: DrivePlan, path: str, store_id: str) -> Steps[None]:
        """Copy a volume to a path on a datastore, and grow it where that is asked for. Whoever asks takes it back.

        Without a hint a vCenter makes the copy as the source is; a host by itself makes it thin.
        """
        assert plan.source is not None, "there is a source where there is a copy"
        center = self.store(plan.source_pool, self.soon()).center
        target = self.store(store_id, self.soon()).center
        wish = None
        if not self.is_vcenter or "provisioning" in plan.hints:
            wish = vim.VirtualDiskManager.VirtualDiskSpec(diskType=_TYPES[plan.provisioning], adapterType="lsiLogic")
        copy = self.disk_manager.CopyVirtualDisk_Task
        yield self.start_task(copy, plan.source, center, path, target, wish, False, deadline=self.soon())
        size = plan.spec.size_bytes
        if size is not None and (plan.capacity is None or size > plan.capacity):
            yield self.start_task(
                self.disk_manager.ExtendVirtualDisk_Task, path, target, in_kib(size), False, deadline=self.soon()
            )


def image_backing(image: str | None) -> Any:
    """Return what a CD-ROM drive holds: an image, or nothing."""
    if image is None:
        return device.VirtualCdrom.RemotePassthroughBackingInfo(deviceName="", exclusive=False)
    return device.VirtualCdrom.IsoBackingInfo(fileName=image)


def in_kib(size: int) -> int:
    """Return a size in KiB, in which vSphere counts, rounded up."""
    return -(-size // 1024)


def plugged(there: bool) -> Any:
    """Return how a drive is connected that holds something, or nothing."""
    return device.VirtualDevice.ConnectInfo(startConnected=there, connected=there, allowGuestControl=True)


def _check_wishes(spec: DiskSpec) -> dict[str, Any]:
    hints = read_hints(spec.hints, DISK_HINTS)
    buses = _CD_BUSES if spec.device == "cdrom" else BUSES
    if spec.bus is not None and spec.bus not in buses:
        raise errors.InvalidSpecError(
            f"a {spec.device} cannot be on the bus {spec.bus!r} here", hint=f"there are {', '.join(buses)}"
        )
    if spec.device == "cdrom":
        if spec.size_bytes is not None or spec.copy:
            raise errors.InvalidSpecError("a CD-ROM drive takes an image as its source, neither size nor copy")
        return hints
    if spec.readonly:
        raise errors.InvalidSpecError("vSphere has no disks that a guest can only read", hint="leave readonly= out")
    if spec.serial is not None:
        raise errors.InvalidSpecError("vSphere sets no serial numbers of disks", hint="leave serial= out")
    if spec.format not in (None, "vmdk"):
        raise errors.InvalidSpecError(f"disks here are of the format vmdk, not {spec.format!r}")
    if spec.bus not in (None, "scsi") and "controller" in hints:
        raise errors.InvalidSpecError(f"vmware.controller is for the bus scsi, not {spec.bus}")
    if spec.shareable and hints.get("provisioning", "eager") != "eager":
        raise errors.InvalidSpecError("a disk that several domains have takes all its space at once (eager)")
    return hints


def _check_source(spec: DiskSpec, found: VolumeInfo) -> None:
    is_disk = found.format == "vmdk"
    if is_disk != (spec.device == "disk"):
        what = "a disk" if is_disk else "an image of a CD"
        way = "attach_disk(DiskSpec(source=…))" if is_disk else "DiskSpec(device='cdrom', source=…), or insert_media()"
        raise errors.InvalidSpecError(f"{found.id} is {what}", hint=f"it is for {way}")
    if spec.size_bytes is not None and found.capacity_bytes is not None and spec.size_bytes < found.capacity_bytes:
        raise errors.InvalidSpecError(
            f"a copy of {found.id} cannot have {spec.size_bytes} bytes: the source has {found.capacity_bytes}"
        )


def _is_called(volume: VolumeInfo, key: str) -> bool:
    return key in (volume.name, volume.id.rpartition("/")[2])


def _named_pool(pools: Sequence[StoragePoolInfo], key: str, *, written: bool = False) -> StoragePoolInfo:
    """Return a datastore by its id or name, or by its name as paths have it."""
    from_path = [one for one in pools if written and one.name == shown(key)]
    found = from_path or [one for one in pools if one.id == key] or [one for one in pools if one.name == key]
    if len(found) == 1:
        return found[0]
    if found:
        ids = sorted(one.id for one in found)
        raise errors.AmbiguousNameError(
            f"{len(found)} datastores are called {key!r}: {', '.join(ids)}",
            candidates=[(one, None, None) for one in ids],
            hint="name it by its id",
        )
    known = ", ".join(sorted({one.name for one in pools}))
    raise errors.StoragePoolNotFoundError(f"there is no datastore {key!r}", hint=f"there are: {known}")
