"""Finding storage: SRs and VDIs, by UUID or by what people call them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import attrs
import XenAPI
from hvsdk.driver import Deadline, errors

from hvsdk_xen._login import code_of
from hvsdk_xen._values import NULL, as_int, is_ref
from hvsdk_xen._verbs import VerbSession

__all__ = ["Named", "Storage", "StoreReads", "Vdi", "is_uuid"]

ISO = "iso"
_VHD_TYPES = frozenset(
    ("ext", "nfs", "smb", "cifs", "lvm", "lvmoiscsi", "lvmohba", "lvmofcoe", "xfs", "glusterfs", "gfs2")
)
_RAW_TYPES = frozenset(("lvm", "lvmoiscsi", "lvmohba", "lvmofcoe"))
"""Types of SRs that keep a disk as plain bytes when asked to."""


def is_uuid(text: str) -> bool:
    """Whether a text is spelt like a UUID, and so worth a look-up by it."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


@attrs.frozen
class Named:
    """An object that people have a name for."""

    ref: str
    record: Mapping[str, Any]

    @property
    def uuid(self) -> str:
        """Its id."""
        return str(self.record.get("uuid", ""))

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self.record.get("name_label", ""))


@attrs.frozen
class Storage(Named):
    """An SR."""

    @property
    def has_media(self) -> bool:
        """Whether it holds images of CDs, which nobody's disks are."""
        return self.record.get("content_type") == ISO

    def sm_config(self, format: str | None) -> dict[str, str]:
        """Return what tells the SR which format a new disk shall have; nothing for the one it takes anyway.

        Raises:
            InvalidSpecError: It has no disks of that format.
        """
        kind = str(self.record.get("type", ""))
        if self.has_media:
            raise errors.InvalidSpecError(f"the storage pool {self.name!r} holds images of CDs, and no disks")
        if format is None or (format == "vhd" and kind in _VHD_TYPES):
            return {}
        if format == "raw" and kind in _RAW_TYPES:
            return {"type": "raw"}
        possible = [name for name, kinds in (("vhd", _VHD_TYPES), ("raw", _RAW_TYPES)) if kind in kinds]
        raise errors.InvalidSpecError(
            f"the storage pool {self.name!r} ({kind}) makes no disks of the format {format!r}",
            hint=f"possible: {', '.join(possible)}" if possible else "leave format= out",
        )


@attrs.frozen
class Vdi(Named):
    """A VDI."""

    @property
    def sr(self) -> str:
        """Reference of the SR that it lies in."""
        return str(self.record.get("SR", NULL))

    @property
    def size(self) -> int:
        """Bytes that a guest sees."""
        return as_int(self.record.get("virtual_size")) or 0


class StoreReads(VerbSession):
    """Look-ups of storage. Each raises what says which name was not found, or stands for several."""

    def find_sr(self, key: str | None, deadline: Deadline) -> Storage:
        """Return the SR of a UUID or name, the pool's default one without.

        Raises:
            StoragePoolNotFoundError: There is none.
            AmbiguousNameError: Several have that name, as local ones do.
        """
        if key is None:
            return self._default_sr(deadline)
        if is_uuid(key):
            found = self._record_by_uuid("SR", key, deadline)
            if found is not None:
                return Storage(*found)
        refs = self.call("SR.get_by_name_label", key, deadline=deadline)
        if len(refs) == 1:
            return Storage(refs[0], self.call("SR.get_record", refs[0], deadline=deadline))
        if not refs:
            raise errors.StoragePoolNotFoundError(f"there is no storage pool {key!r}")
        uuids = [self.call("SR.get_uuid", ref, deadline=deadline) for ref in refs]
        raise _ambiguous(f"{len(refs)} storage pools are called {key!r}", uuids)

    def sr_of(self, ref: str, deadline: Deadline) -> Storage:
        """Return an SR by its reference."""
        return Storage(ref, self.call("SR.get_record", ref, deadline=deadline))

    def _default_sr(self, deadline: Deadline) -> Storage:
        for pool in self.call("pool.get_all_records", deadline=deadline).values():
            if is_ref(pool.get("default_SR")):
                try:
                    return self.sr_of(pool["default_SR"], deadline)
                except XenAPI.Failure as exc:
                    if code_of(exc) != "HANDLE_INVALID":
                        raise
        raise errors.StoragePoolNotFoundError(
            "no storage pool was named, and the pool has no default SR", hint="name one: pool=, or set the default SR"
        )

    def find_vdi(self, key: str, pool: str | None, deadline: Deadline) -> Vdi:
        """Return the VDI of a UUID, or of a name in an SR (the default one where none is named).

        Raises:
            VolumeNotFoundError, StoragePoolNotFoundError: It is not there.
            AmbiguousNameError: Several have that name.
        """
        if is_uuid(key):
            found = self._record_by_uuid("VDI", key, deadline)
            if found is not None:
                vdi = Vdi(*found)
                if pool is None or vdi.sr == self.find_sr(pool, deadline).ref:
                    return vdi
        storage = self.find_sr(pool, deadline)
        named = [vdi for vdi in self._vdis_named(key, deadline) if vdi.sr == storage.ref]
        return _only(named, f"volume {key!r} in the storage pool {storage.name!r}")

    def find_media(self, key: str, deadline: Deadline) -> Vdi:
        """Return the image of a CD that a text names: a UUID, a name in any ISO SR, or `pool/name`.

        Raises:
            VolumeNotFoundError: There is none.
            AmbiguousNameError: Several SRs have one of that name.
            InvalidSpecError: It is a disk, which no CD-ROM drive takes.
        """
        if is_uuid(key):
            found = self._record_by_uuid("VDI", key, deadline)
            if found is not None:
                vdi = Vdi(*found)
                storage = self.sr_of(vdi.sr, deadline)
                if not storage.has_media:
                    raise errors.InvalidSpecError(f"{key} is a disk in {storage.name!r}, not an image of a CD")
                return vdi
        libraries = self.call("SR.get_all_records_where", 'field "content_type" = "iso"', deadline=deadline)
        named = [vdi for vdi in self._vdis_named(key, deadline) if vdi.sr in libraries]
        pool, slash, name = key.partition("/")
        if not named and slash:
            named = [
                vdi
                for vdi in self._vdis_named(name, deadline)
                if pool in (libraries.get(vdi.sr, {}).get(part) for part in ("uuid", "name_label"))
            ]
        return _only(named, f"image {key!r} in the ISO libraries")

    def vdi_of(self, ref: str, deadline: Deadline) -> Vdi:
        """Return a VDI by its reference."""
        return Vdi(ref, self.call("VDI.get_record", ref, deadline=deadline))

    def _vdis_named(self, name: str, deadline: Deadline) -> list[Vdi]:
        refs = self.call("VDI.get_by_name_label", name, deadline=deadline)
        found = [self.vdi_of(ref, deadline) for ref in refs]
        return [vdi for vdi in found if not vdi.record.get("is_a_snapshot") and vdi.record.get("managed", True)]

    def _record_by_uuid(self, cls: str, key: str, deadline: Deadline) -> tuple[str, Mapping[str, Any]] | None:
        try:
            ref = str(self.call(f"{cls}.get_by_uuid", key.lower(), deadline=deadline))
        except XenAPI.Failure as exc:
            if code_of(exc) != "UUID_INVALID":
                raise
            return None
        return ref, self.call(f"{cls}.get_record", ref, deadline=deadline)


def _only(found: list[Vdi], what: str) -> Vdi:
    if len(found) == 1:
        return found[0]
    if not found:
        raise errors.VolumeNotFoundError(f"there is no {what}")
    raise _ambiguous(f"there is more than one {what}", [vdi.uuid for vdi in found])


def _ambiguous(message: str, uuids: list[str]) -> errors.AmbiguousNameError:
    return errors.AmbiguousNameError(
        f"{message}: {', '.join(sorted(uuids))}",
        candidates=[(one, None, None) for one in sorted(uuids)],
        hint="name it by its UUID",
    )
