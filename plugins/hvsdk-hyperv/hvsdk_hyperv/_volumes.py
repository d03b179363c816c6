"""Volumes: disks and images in a folder of the host. A volume is called by its path."""

from __future__ import annotations

import ntpath
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hvsdk.driver import Deadline, Task, VolumeInfo, VolumeSpec, errors, frozen

from hvsdk_hyperv._drives import making
from hvsdk_hyperv._paths import file_name, is_absolute, is_possible, normal, pool_path, same_path
from hvsdk_hyperv._session import HyperVSession

__all__ = ["VolumeVerbs", "volume_file", "volume_info"]

_FORMATS: Final = {"vhdx": "vhdx", "avhdx": "vhdx", "vhd": "vhd", "avhd": "vhd", "vhds": "vhds", "iso": "raw"}
_WHOLE: Final = ("vhdx", "vhd", "vhds")


class VolumeVerbs(HyperVSession):
    """`list_volumes`, `create_volume` and `delete_volume`."""

    def list_volumes(self, pool_id: str, *, deadline: Deadline) -> Iterable[VolumeInfo]:
        """Return the disks and images in a folder, those of checkpoints too, without what is in folders below it.

        One that cannot be read has no size; `details["hyperv.problem"]` says why.
        """
        pool = pool_path(pool_id)
        found = self.call("volumes.list", {"pool": pool}, deadline=deadline)
        return [volume_info(one, pool_id) for one in found]

    def create_volume(self, pool_id: str, spec: VolumeSpec, *, deadline: Deadline) -> Task[VolumeInfo]:
        """Make an empty disk: a dynamic VHDX unless the specification says otherwise."""
        how = making(spec.size_bytes, spec.format, spec.hints)
        name = file_name(spec.name, how["format"])
        arguments = {"pool": pool_path(pool_id), "name": name, **how}
        return self.begin(
            "volumes.create", arguments, deadline=deadline, result=lambda made: volume_info(made, pool_id)
        )

    def delete_volume(self, pool_id: str, volume_id: str, *, deadline: Deadline) -> Task[None]:
        """Remove a disk or an image that no domain and no checkpoint of this host has, and no disk lies on.

        Disks that nobody has are looked through where domains of this host have some, where it makes new ones, and beside
        the volume. What cannot be read there could lie on it, so that it stays then.
        """
        arguments = {"pool": pool_path(pool_id), "name": volume_file(pool_id, volume_id)}
        return self.begin("volumes.delete", arguments, deadline=deadline)


def volume_file(pool: str, volume: str) -> str:
    """Return the name of a volume's file in its pool.

    Raises:
        VolumeNotFoundError: It cannot be one of this pool.
    """
    path = normal(volume)
    name = ntpath.basename(path) if is_absolute(path) else volume
    inside = same_path(ntpath.dirname(path), pool) if is_absolute(path) else "\\" not in path
    if not inside or not is_possible(f"\\{name}") or _ending(name) not in _FORMATS:
        raise errors.VolumeNotFoundError(
            f"the storage pool {pool!r} has no volume {volume!r}",
            hint="volumes are .vhdx, .vhd and .iso files: host.storage_pool(…).volumes() lists them",
        )
    return name


def volume_info(one: Mapping[str, Any], pool: str) -> VolumeInfo:
    """Return the record of a file that a script told of."""
    name, ending = one["name"], _ending(one["name"])
    is_image = ending == "iso"
    details = {
        "hyperv.type": one["type"],
        "hyperv.modified_at": one["modified"],
        "hyperv.checkpoint": True if ending in ("avhdx", "avhd") else None,
        "hyperv.problem": one["problem"],
    }
    return VolumeInfo(
        id=one["path"],
        name=name[: -1 - len(ending)] if ending in _WHOLE else name,
        pool=pool,
        capacity_bytes=one["length"] if is_image else one["size"],
        allocated_bytes=one["length"] if one["file_size"] is None else one["file_size"],
        format=_FORMATS.get(ending),
        path=one["path"],
        backing=one["parent"],
        details=frozen({key: value for key, value in details.items() if value is not None}),
    )


def _ending(name: str) -> str:
    return ntpath.splitext(name)[1].lower().lstrip(".")
