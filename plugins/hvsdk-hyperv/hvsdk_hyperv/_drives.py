"""Disks and drives as they are to be: specifications as what the scripts take."""

from __future__ import annotations

import ntpath
import secrets
from collections.abc import Mapping
from typing import Any, Final

from hvsdk.driver import DiskSpec, Hint, errors, read_hints

from hvsdk_hyperv._paths import file_place, pool_path

__all__ = ["DISK_HINTS", "VOLUME_HINTS", "disk_wish", "image_place", "making"]

VOLUME_HINTS: Final[Mapping[str, Hint]] = {
    "hyperv.provisioning": Hint("how a new disk takes its space", choices=("dynamic", "fixed")),
    "hyperv.block_size": Hint(
        "bytes in which a dynamic VHDX grows: a power of two from 1 MiB to 256 MiB", int, least=1
    ),
}
"""`VolumeSpec.hints`."""
DISK_HINTS: Final = VOLUME_HINTS
"""`DiskSpec.hints`."""

FORMATS: Final = ("vhdx", "vhd")
_BUSES: Final = (None, "scsi", "ide")
_BLOCKS: Final = frozenset(1 << n for n in range(20, 29))
_SMALLEST: Final = 3 << 20
_LARGEST: Final[Mapping[str, int]] = {"vhdx": 64 << 40, "vhd": 2040 << 30}


def making(size_bytes: int | None, format: str | None, hints: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a new disk is made: format, size in whole sectors, fixed, block_size.

    Raises:
        InvalidSpecError: Hyper-V has no such disks.
    """
    known = read_hints(hints, VOLUME_HINTS, prefix="hyperv.")
    format = format or "vhdx"
    if format not in FORMATS:
        raise errors.InvalidSpecError(f"Hyper-V's disks are of the formats vhdx and vhd, not {format}")
    if size_bytes is not None and not _SMALLEST <= size_bytes <= _LARGEST[format]:
        raise errors.InvalidSpecError(
            f"Hyper-V has no {format} of {size_bytes} bytes: they have from {_SMALLEST} to {_LARGEST[format]}"
        )
    block = known.get("block_size")
    if block is not None and (block not in _BLOCKS or format != "vhdx"):
        raise errors.InvalidSpecError(f"Hyper-V has no {format} with blocks of {block} bytes")
    return {
        "format": format,
        "size": None if size_bytes is None else -(-size_bytes // 512) * 512,
        "fixed": known.get("provisioning") == "fixed",
        "block_size": block,
    }


def disk_wish(disk: DiskSpec) -> dict[str, Any]:
    """Return a disk or drive as the script `disks.ps1` takes it.

    Raises:
        InvalidSpecError: Hyper-V has no such disks.
        VolumeNotFoundError, StoragePoolNotFoundError: What it names cannot be.
    """
    if disk.bus not in _BUSES:
        raise errors.InvalidSpecError(
            f"Hyper-V has no bus {disk.bus!r}", hint="scsi is its fast one; ide is there in generation 1"
        )
    _refuse(disk)
    wish: dict[str, Any] = {
        "device": disk.device,
        "bus": disk.bus,
        "pool": None if disk.pool is None else pool_path(disk.pool),
        "names": None,
        "source_pool": None,
        "copy": disk.copy,
        "shared": disk.shareable and disk.device == "disk",
        "token": secrets.token_hex(4),
    }
    if disk.device == "cdrom":
        if disk.source is not None:
            wish["source_pool"], wish["names"] = image_place(disk.source, disk.pool)
        return wish | {"format": None, "size": None, "fixed": False, "block_size": None}
    new = disk.source is None or disk.copy
    wish |= making(disk.size_bytes, disk.format, disk.hints if new else {})
    if disk.source is not None:
        folder, name = file_place(disk.source, disk.pool if not disk.copy else None)
        if folder is None and disk.pool is not None:
            folder = pool_path(disk.pool)
        wish["source_pool"], wish["names"] = folder, _names(name, None if disk.copy else disk.format)
    return wish


def image_place(source: str, pool: str | None = None) -> tuple[str | None, list[str]]:
    """Return the folder of an image, None for the host's own, and what it may be called there.

    Raises:
        VolumeNotFoundError, StoragePoolNotFoundError: It cannot be.
    """
    folder, name = file_place(source, pool)
    return folder, [name, f"{name}.iso"]


def _names(name: str, format: str | None) -> list[str]:
    """Return what a volume's file may be called that is called so by its name or its path."""
    endings = [format] if format is not None else list(FORMATS)
    known = ntpath.splitext(name)[1].lower().lstrip(".")
    if known in (*FORMATS, "avhdx", "avhd"):
        if format is not None and known != format:
            raise errors.InvalidSpecError(f"{name} is not of the format {format}")
        return [name, *(f"{name}.{one}" for one in endings)]
    return [f"{name}.{one}" for one in endings]


def _refuse(disk: DiskSpec) -> None:
    """Refuse what Hyper-V cannot give a disk, rather than leave it out."""
    if disk.readonly and disk.device == "disk":
        raise errors.InvalidSpecError("Hyper-V has no disks that a guest can only read")
    if disk.serial is not None:
        raise errors.InvalidSpecError("Hyper-V's disks have no serial number that could be chosen")
    if disk.device == "cdrom" and (disk.copy or disk.size_bytes is not None):
        raise errors.InvalidSpecError("a CD-ROM drive takes an image as it is: leave size and copy out")
    if disk.device == "cdrom" and disk.format not in (None, "raw", "iso"):
        raise errors.InvalidSpecError(f"images are .iso files, not of the format {disk.format}")
