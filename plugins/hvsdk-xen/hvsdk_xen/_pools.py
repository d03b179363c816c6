"""Storage repositories as storage pools, and their VDIs as volumes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hvsdk.driver import Deadline, StoragePoolInfo, VolumeInfo, errors, frozen

from hvsdk_xen._devices import volume_format
from hvsdk_xen._fields import Record, Related, count, mapping, record_of, records_of, reference, text
from hvsdk_xen._records import uuid_of
from hvsdk_xen._related import RelatedReads
from hvsdk_xen._values import is_ref

__all__ = ["PoolReads", "pool_info", "volume_info"]


class PoolReads(RelatedReads):
    """`list_storage_pools` and `list_volumes`."""

    def list_storage_pools(self, *, deadline: Deadline) -> Iterable[StoragePoolInfo]:
        """Return the storage repositories, in one call: the default one first, those of CD images last."""
        related = Related(self.read_together(("sr", "pbd", "host", "pool"), deadline))
        default = next((reference(pool, "default_SR") for pool in related.classes.get("pool", {}).values()), None)
        found = related.classes.get("sr", {})
        return sorted((pool_info(sr, related, is_default=ref == default) for ref, sr in found.items()), key=_usefulness)

    def list_volumes(self, pool_id: str, *, deadline: Deadline) -> Iterable[VolumeInfo]:
        """Return the volumes of a pool, in three calls. Blocks that several volumes share are no volumes."""
        ref = self.call("SR.get_by_uuid", pool_id, deadline=deadline)
        if not is_ref(ref):
            raise errors.OperationFailedError("the server's answer to SR.get_by_uuid is no reference")
        sr = record_of(self.call("SR.get_record", ref, deadline=deadline), "SR.get_record")
        method = "VDI.get_all_records_where"
        vdis = records_of(self.call(method, f'field "SR" = "{ref}"', deadline=deadline), method)
        return [volume_info(vdi, sr) for vdi in vdis.values() if vdi.get("managed") is not False]


def _usefulness(pool: StoragePoolInfo) -> tuple[bool, bool, bool, str, str]:
    details = pool.details
    holds_media = details.get("xen.content_type") == "iso"
    return "xen.is_default" not in details, holds_media, "xen.shared" not in details, pool.name, pool.id


def pool_info(sr: Record, related: Related, *, is_default: bool) -> StoragePoolInfo:
    """Return the record of a storage repository.

    It is active when one host at least has it attached. What it takes to attach it may hold passwords and is not shown.
    """
    plugs = related.all_of("pbd", sr, "PBDs")
    attached = [pbd for pbd in plugs if pbd.get("currently_attached") is True]
    nodes = sorted(text(related.of("host", pbd, "host"), "name_label") for pbd in attached)
    capacity, used = count(sr, "physical_size"), count(sr, "physical_utilisation")
    details: dict[str, Any] = {
        "xen.description": text(sr, "name_description"),
        "xen.content_type": text(sr, "content_type"),
        "xen.shared": sr.get("shared") is True,
        "xen.is_default": is_default,
        "xen.is_tools": sr.get("is_tools_sr") is True,
        "xen.nodes": [name for name in nodes if name],
        "xen.virtual_allocation_bytes": count(sr, "virtual_allocation"),
    }
    return StoragePoolInfo(
        id=uuid_of(sr, "SR"),
        name=text(sr, "name_label"),
        type=text(sr, "type") or None,
        active=bool(attached),
        capacity_bytes=capacity or None,
        allocated_bytes=used if capacity else None,
        free_bytes=max(0, capacity - used) if capacity and used is not None else None,
        path=_place(mapping(plugs[0], "device_config")) if plugs else None,
        details=frozen({key: value for key, value in details.items() if value not in ("", None, False, [])}),
    )


def _place(config: dict[str, str]) -> str | None:
    """Return where a repository lies: on which server, device or path."""
    server, path = config.get("server"), config.get("serverpath")
    if server:
        return f"{server}:{path}" if path else server
    return config.get("location") or config.get("device") or config.get("target") or None


def volume_info(vdi: Record, sr: Record) -> VolumeInfo:
    """Return the record of a VDI; its path is its UUID, by which every verb finds it."""
    uuid = uuid_of(vdi, "VDI")
    details: dict[str, Any] = {
        "xen.description": text(vdi, "name_description"),
        "xen.type": text(vdi, "type"),
        "xen.location": text(vdi, "location"),
        "xen.is_snapshot": vdi.get("is_a_snapshot") is True,
        "xen.in_use": bool(vdi.get("VBDs")),
        "xen.cbt": vdi.get("cbt_enabled") is True,
        "xen.readonly": vdi.get("read_only") is True,
        "xen.shareable": vdi.get("sharable") is True,
        "xen.missing": vdi.get("missing") is True,
    }
    return VolumeInfo(
        id=uuid,
        name=text(vdi, "name_label") or uuid,
        pool=text(sr, "uuid"),
        capacity_bytes=count(vdi, "virtual_size"),
        allocated_bytes=count(vdi, "physical_utilisation"),
        format=volume_format(vdi, sr),
        path=uuid,
        backing=mapping(vdi, "sm_config").get("vhd-parent") or None,
        details=frozen({key: value for key, value in details.items() if value}),
    )
