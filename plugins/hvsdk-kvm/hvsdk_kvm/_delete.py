"""Removing domains, with or without their volumes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from contextlib import suppress
from typing import Literal

import libvirt
from hvsdk.driver import BackgroundTask, Deadline, PowerState, Result, VolumeInfo, errors

from hvsdk_kvm._clone import frozen_below
from hvsdk_kvm._cloud_init import seed_name
from hvsdk_kvm._errors import code_of
from hvsdk_kvm._session import Session
from hvsdk_kvm._snapshots import lies_on_leftovers, merge_snapshots
from hvsdk_kvm._store import Store, store_of
from hvsdk_kvm._usage import Usage, disk_source

__all__ = ["DeleteVerbs"]

_FLAGS = (
    libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA,
    libvirt.VIR_DOMAIN_UNDEFINE_NVRAM,
    libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA,
)
"""What goes with the definition, in the order in which older daemons may not know it. Saved memory is not among them:
a suspended domain is not removed."""


class DeleteVerbs(Session):
    """`delete`."""

    def delete(self, native_id: str, *, disks: Literal["keep", "delete"], deadline: Deadline) -> Result[None]:
        domain = self.lookup(native_id)
        _refuse_state(domain)
        store = store_of(self)
        with_disks = disks == "delete"
        volumes = self._own_volumes(domain, store) if with_disks else []
        if not domain.snapshotNum(0) and not lies_on_leftovers(self.read_xml(domain)):
            self._remove_domain(domain, store, volumes)
            return None

        def work() -> None:
            merge_snapshots(self, domain)
            self._remove_domain(domain, store, self._own_volumes(domain, store) if with_disks else [])

        return BackgroundTask(work)

    def _own_volumes(self, domain: libvirt.virDomain, store: Store) -> list[VolumeInfo]:
        """Return the volumes of a domain's disks.

        CD-ROM images and floppies are nobody's own, nor is what it only reads or may share; what it does share with
        another domain is refused.

        Raises:
            BusyError: One is a disk of another domain, or below another volume.
            InvalidSpecError: One lies where libvirt cannot remove it.
        """
        chosen, shared = [], []
        for disk in self.read_xml(domain).iterfind("devices/disk"):
            if disk.get("device", "disk") != "disk" or disk.find("source") is None or disk.find("readonly") is not None:
                continue
            volume = disk_source(disk, store)
            if disk.find("shareable") is not None:
                shared += [volume] if volume is not None else []
                continue
            if volume is None or not volume.pool:
                raise errors.InvalidSpecError(
                    f"the disk {_target(disk)} of {domain.name()!r} lies in no storage pool of this host",
                    hint="detach it first, or delete with disks='keep' and remove it by hand",
                )
            if _is_iso(volume, store):
                continue
            chosen += [volume, *frozen_below([volume, *store.below(volume)])]
        usage = Usage(self, store, but=domain.UUIDString())
        together = {layer.path for volume in chosen for layer in (volume, *store.below(volume))}
        for volume in [*chosen, *shared]:
            holder = usage.holder(volume, lying_on=together)
            if holder is not None:
                raise errors.BusyError(
                    f"{domain.name()!r} was not removed: its volume {volume.path or volume.id!r} has to stay, {holder}",
                    lasting=True,
                    hint="remove that first, or delete with disks='keep'",
                )
        return chosen

    def _remove_domain(self, domain: libvirt.virDomain, store: Store, volumes: list[VolumeInfo]) -> None:
        name = domain.name()
        seed = self._seed_volumes(domain, store)
        undefine(domain)
        left = []
        for volume in [*volumes, *seed]:
            try:
                store.delete(volume)
            except (libvirt.libvirtError, errors.HvsdkError, OSError) as exc:
                left.append(f"{volume.path or volume.id} ({exc})")
        if left:
            raise errors.OperationFailedError(
                f"the domain {name!r} was removed, but not all of its volumes: {'; '.join(left)}"
            )

    def _seed_volumes(self, domain: libvirt.virDomain, store: Store) -> list[VolumeInfo]:
        """Return the disk of cloud-init that was made for this domain: it holds secrets and serves nobody else.

        It is looked for in the pools, since the drive that it was in may be empty by now.
        """
        name = seed_name(domain.UUIDString())
        found = []
        for pool in store.pools():
            if pool.active:
                with suppress(errors.VolumeNotFoundError):
                    found.append(store.volume(pool.id, name))
        usage = Usage(self, store, but=domain.UUIDString()) if found else None
        return [volume for volume in found if usage is not None and usage.user(volume) is None]


def undefine(domain: libvirt.virDomain) -> None:
    """Remove a definition with all that libvirt keeps for it, on daemons too that do not know all of it."""
    for known in range(len(_FLAGS)):
        flags = sum(_FLAGS[known:])
        try:
            domain.undefineFlags(flags)
            return
        except libvirt.libvirtError as exc:
            if code_of(exc) not in (libvirt.VIR_ERR_INVALID_ARG, libvirt.VIR_ERR_NO_SUPPORT):
                raise
    domain.undefine()


def _refuse_state(domain: libvirt.virDomain) -> None:
    if domain.isActive():
        raise errors.PowerStateError(f"{domain.name()!r} is on; libvirt would remove only its definition")
    if domain.hasManagedSaveImage(0):
        raise errors.PowerStateError(
            f"{domain.name()!r} has its memory saved",
            state=PowerState.SUSPENDED,
            hint="resume it, or power_off(discard_memory=True)",
        )


def _is_iso(volume: VolumeInfo, store: Store) -> bool:
    """Whether a volume is an ISO image by its name, or looks like one to libvirt; the definition calls it raw."""
    if volume.path is None:
        return False
    seen = store.locate(volume.path)
    return volume.path.lower().endswith(".iso") or (seen is not None and seen.format == "iso")


def _target(disk: ET.Element) -> str:
    target = disk.find("target")
    return "?" if target is None else target.get("dev", "?")
