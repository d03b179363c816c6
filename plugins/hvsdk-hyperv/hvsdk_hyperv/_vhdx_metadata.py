"""The metadata of a VHDX, as MS-VHDX section 2.6 has them: its size, its blocks, and the file below it."""

from __future__ import annotations

import struct
from typing import Any
from uuid import UUID

import attrs
from hvsdk.driver import errors

from hvsdk_hyperv._host_files import DamagedDiskError
from hvsdk_hyperv._layers import ParentLink

__all__ = [
    "FILE_PARAMETERS",
    "LOGICAL_SECTOR",
    "PAGE_83",
    "PARENT_LOCATOR",
    "PHYSICAL_SECTOR",
    "TABLE_LENGTH",
    "VIRTUAL_SIZE",
    "Metadata",
    "read_metadata",
]

FILE_PARAMETERS = UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
VIRTUAL_SIZE = UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
PAGE_83 = UUID("beca12ab-b2e6-4523-93ef-c309e000c746")
LOGICAL_SECTOR = UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
PHYSICAL_SECTOR = UUID("cda348c7-445d-4471-9cc9-e9885251c556")
PARENT_LOCATOR = UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c")
_LOCATOR_TYPE = UUID("b04aefb7-d19e-4a81-b789-25b8e9445913")
_KNOWN = frozenset({FILE_PARAMETERS, VIRTUAL_SIZE, PAGE_83, LOGICAL_SECTOR, PHYSICAL_SECTOR, PARENT_LOCATOR})
_ENTRY = struct.Struct("<16sIIII")
TABLE_LENGTH = 64 << 10
_ENTRIES_AT, _MOST_ENTRIES = 32, 2047
_REQUIRED = 4
_MOST = 64 << 40
_PATHS = ("relative_path", "absolute_win32_path", "volume_path")
_LINKS = ("parent_linkage", "parent_linkage2")


@attrs.frozen(kw_only=True)
class Metadata:
    """What disk a file holds."""

    size: int
    block: int
    sector: int
    physical_sector: int
    fixed: bool
    id: UUID
    """The identity that a guest sees (page 83 of SCSI)."""
    parent: ParentLink | None


def read_metadata(region: bytes, path: str) -> Metadata:
    """Return the metadata of the region that has them.

    Args:
        path: Of the file, for messages.

    Raises:
        DamagedDiskError: They are broken, or say what cannot be.
        UnsupportedError: There is something that has to be known to read the disk, and is not.
    """
    items = _items(region, path)
    block, flags = _unpacked("<II", items, FILE_PARAMETERS, path)
    (size,) = _unpacked("<Q", items, VIRTUAL_SIZE, path)
    (sector,) = _unpacked("<I", items, LOGICAL_SECTOR, path)
    (physical,) = _unpacked("<I", items, PHYSICAL_SECTOR, path)
    (page_83,) = _unpacked("<16s", items, PAGE_83, path)
    if not 1 << 20 <= block <= 256 << 20 or block & (block - 1):
        raise _broken(path, f"blocks of {block} bytes")
    if sector not in (512, 4096) or physical not in (512, 4096):
        raise _broken(path, f"sectors of {sector} and {physical} bytes")
    if not 0 < size <= _MOST or size % sector:
        raise _broken(path, f"a size of {size} bytes")
    if bool(flags & 2) != (PARENT_LOCATOR in items):
        raise _broken(path, "a parent, and do not tell which" if flags & 2 else "no parent, and tell where it is")
    return Metadata(
        size=size,
        block=block,
        sector=sector,
        physical_sector=physical,
        fixed=bool(flags & 1),
        id=UUID(bytes_le=page_83),
        parent=_parent(items[PARENT_LOCATOR], path) if flags & 2 else None,
    )


def _items(region: bytes, path: str) -> dict[UUID, bytes]:
    if len(region) < TABLE_LENGTH or region[:8] != b"metadata":
        raise DamagedDiskError(f"{path} is damaged: its metadata are not there")
    (count,) = struct.unpack_from("<H", region, 10)
    if count > _MOST_ENTRIES:
        raise _broken(path, f"{count} items")
    found: dict[UUID, bytes] = {}
    for number in range(count):
        raw, at, length, flags, _ = _ENTRY.unpack_from(region, _ENTRIES_AT + number * _ENTRY.size)
        one = UUID(bytes_le=raw)
        if one not in _KNOWN:
            if flags & _REQUIRED:
                raise errors.UnsupportedError(f"{path} has metadata that are not known and have to be: {one}")
            continue
        if one in found or at < TABLE_LENGTH or at + length > len(region):
            raise _broken(path, f"the item {one} twice, or where it cannot be")
        found[one] = region[at : at + length]
    return found


def _unpacked(form: str, items: dict[UUID, bytes], one: UUID, path: str) -> tuple[Any, ...]:
    data = items.get(one)
    if data is None or len(data) != struct.calcsize(form):
        raise _broken(path, f"no item {one}, or one of a wrong length")
    return struct.unpack(form, data)


def _parent(data: bytes, path: str) -> ParentLink:
    """Return what the parent locator says."""
    if len(data) < 20 or UUID(bytes_le=data[:16]) != _LOCATOR_TYPE:
        raise _broken(path, "a parent of a kind that is not known")
    (count,) = struct.unpack_from("<H", data, 18)
    if 20 + 12 * count > len(data):
        raise _broken(path, "a parent that cannot be read")
    pairs = {}
    for number in range(count):
        key_at, value_at, key_length, value_length = struct.unpack_from("<IIHH", data, 20 + 12 * number)
        pairs[_text(data, key_at, key_length, path)] = _text(data, value_at, value_length, path)
    ids = frozenset(_guid(pairs[key], path) for key in _LINKS if key in pairs)
    paths = [pairs[key] for key in _PATHS if pairs.get(key)]
    if not ids or not paths:
        raise _broken(path, "a parent, and do not tell which")
    return ParentLink(paths=paths, ids=ids)


def _text(data: bytes, at: int, length: int, path: str) -> str:
    if at + length > len(data):
        raise _broken(path, "a parent that cannot be read")
    try:
        return data[at : at + length].decode("utf-16-le")
    except UnicodeDecodeError as exc:
        raise _broken(path, "a parent that cannot be read") from exc


def _guid(text: str, path: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as exc:
        raise _broken(path, "a parent, and do not tell which") from exc


def _broken(path: str, what: str) -> DamagedDiskError:
    return DamagedDiskError(f"{path} is damaged: its metadata say {what}")
